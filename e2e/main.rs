//! The proof: the program and its module from the outside, in one binary so that it links once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected should fail on the spot"
)]

mod agreement;
mod artifact_hub;
mod cli;
mod corpus;
mod editing;
mod fix;
mod generated;
mod hostile;
mod image;
mod inputs;
mod install;
mod integrations;
#[allow(dead_code, reason = "the proof uses the rest")]
mod kubernetes;
mod module;
mod not_fixed;
mod prefilter;
mod ran;
mod readings;
mod registrations;
mod registry;
mod release;
mod rendered;
mod reports;
mod reproducible;
mod serve;
mod shared;
mod single_field;
mod tools;
mod webhook_cluster;
mod wild;
#[allow(dead_code, reason = "the policy's own tests use the rest")]
#[path = "../policy/tests/world/mod.rs"]
mod world;
