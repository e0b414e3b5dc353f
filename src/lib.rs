//! The edges of `sqledge-ha`: files, YAML text, terminals and the Wasm module's host, around the rules of
//! [`sqledge_ha_policy`].
//!
//! The way of a manifest from its path to the report:
//! [`input`] finds and reads files → [`manifest`] turns text into values that know their places → [`linter`] gathers
//! the objects into one world, asks the rules about each, and turns pointers into lines → [`report`] prints, or [`fixer`]
//! makes the edits in the text.
//!
//! The way of the rules into a cluster: [`wasm_host`] embeds and runs them → [`registry`] carries the module → [`install`]
//! prints what names it, and [`webhook`] answers with it.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that meets the unexpected should fail on the spot"
    )
)]

use std::ffi::OsString;
use std::process::ExitCode;

pub mod artifact_hub;
pub mod cli;
pub mod command;
pub mod config;
pub mod exit;
pub mod fixer;
pub mod input;
pub mod inspection;
pub mod install;
pub mod linter;
pub mod manifest;
pub mod registry;
pub mod replace;
pub mod report;
pub mod rule_pages;
pub mod wasm_host;
pub mod webhook;

/// Runs the command with its arguments, the program's name first, and gives its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    exit::guarded(|| command::run(cli::parse(arguments)?))
}
