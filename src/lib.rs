//! The edges of `sqledge-ha`: files, YAML text, terminals and the Wasm host, around the rules of [`sqledge_ha_policy`].
//!
//! A manifest on its way from a file to the report:
//! [`input`] finds and reads files → [`manifest`] turns text into values with spans → [`prefilter`] skips the documents
//! that no rule reads → [`linter`] runs the rules on every object and locates the findings → [`report`] prints them, or
//! [`fixer`] edits the text.
//!
//! A live cluster on its way to the report: `audit` reads its objects, runs the rules on them, and predicts failures.
//!
//! The rules on their way into a cluster: `wasm_host` embeds and runs them → `registry` pushes and pulls the module →
//! `install` prints the manifests that name it, and `webhook` answers with it.
//!
//! | built | modules |
//! |---|---|
//! | for all targets, also wasm32 | `linter`, `fixer`, `manifest`, `prefilter`, `report`: text in, findings and text out; `counted`, `quick_fix`, `policy_settings`, `rendered`, `rule_docs`, `escape`, `input_name`, `parallel`, `utf16` |
//! | with the feature `review` | `admission_review`, also for wasm32 |
//! | for the command | `cli`, `clock`, `command`, `config`, `input`: flags, files, threads; `lsp`: the language server; `atomic_write`, `exit`, `message`, `settings_schema`, `terminal` |
//! | with the feature `audit` | `audit`, `recover`, `cluster_client`: a live cluster |
//! | with the feature `audit` or `registry` | `crypto` |
//! | with the feature `registry` | `inspection`, `registry`, the embedded module in `wasm_host` |
//! | with the feature `serve` | `artifact_hub`, `install`, `webhook`, the rest of `wasm_host` |

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test fails when it panics"
    )
)]

#[cfg(feature = "review")]
pub mod admission_review;
mod counted;
pub mod escape;
pub mod fixer;
pub mod input_name;
pub mod linter;
pub mod manifest;
pub mod other_tools;
mod parallel;
pub mod policy_settings;
pub mod prefilter;
pub mod quick_fix;
pub mod rendered;
pub mod report;
pub mod rule_docs;
pub mod utf16;

#[cfg(not(target_family = "wasm"))]
pub mod atomic_write;
#[cfg(not(target_family = "wasm"))]
pub mod baseline;
#[cfg(not(target_family = "wasm"))]
pub mod cli;
#[cfg(not(target_family = "wasm"))]
pub mod clock;
#[cfg(not(target_family = "wasm"))]
pub mod command;
#[cfg(not(target_family = "wasm"))]
pub mod config;
#[cfg(not(target_family = "wasm"))]
pub mod exit;
#[cfg(not(target_family = "wasm"))]
pub mod input;
#[cfg(not(target_family = "wasm"))]
pub mod lsp;
#[cfg(not(target_family = "wasm"))]
pub mod message;
#[cfg(not(target_family = "wasm"))]
pub mod settings_schema;
#[cfg(not(target_family = "wasm"))]
pub mod terminal;

#[cfg(feature = "audit")]
pub mod audit;
#[cfg(feature = "audit")]
pub mod cluster_client;
#[cfg(any(feature = "audit", feature = "registry"))]
pub mod crypto;
#[cfg(feature = "registry")]
pub mod inspection;
#[cfg(feature = "audit")]
pub mod recover;
#[cfg(feature = "registry")]
pub mod registry;
#[cfg(feature = "registry")]
pub mod wasm_host;

#[cfg(feature = "serve")]
pub mod artifact_hub;
#[cfg(feature = "serve")]
pub mod install;
#[cfg(feature = "serve")]
pub mod webhook;

/// Runs the command with its arguments, program name first, and returns the exit code.
#[cfg(not(target_family = "wasm"))]
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> std::process::ExitCode {
    exit::run_guarded(|| command::run(cli::parse(arguments)?))
}
