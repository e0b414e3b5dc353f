//! Tests of the program and its module from outside, in one binary that links once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking"
)]

mod agreement;
mod applications;
mod artifact_hub;
mod audit;
mod cli;
mod configuration;
mod corpus;
mod docs;
mod editing;
mod fix;
mod generated;
mod hostile;
mod image;
mod inputs;
mod install;
mod integrations;
#[allow(dead_code, reason = "`proof` uses the rest")]
mod kubernetes;
mod lsp;
mod module;
mod not_fixed;
mod old_repositories;
mod other_tools;
mod packages;
mod prefilter;
mod ran;
mod readings;
mod registry;
mod release;
mod rendered;
mod reports;
mod reproducible;
mod resources;
mod serve;
mod shared;
mod single_field;
mod site;
mod tools;
mod webhook_cluster;
mod webhook_configurations;
mod wild;
#[allow(dead_code, reason = "the tests of the policy use the rest")]
#[path = "../policy/tests/world/mod.rs"]
mod world;
