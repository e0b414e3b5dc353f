//! Benchmarks: `make bench`, `make bench-peers`, `make profile`, `make soak`. They print numbers and never fail because
//! of them. Compare numbers from the same idle machine.
//!
//! | argument | measures |
//! |---|---|
//! | `calls` | one call of the module on a reused instance |
//! | `instances` | one call of the module on an instance of its own; with the path of another build, both |
//! | `lint` | the linter as a whole process, on copies of the examples |
//! | `lsp` | the language server: from an edit to its diagnostics |
//! | `serve` | the webhook under load |
//! | `caches` | the webhook with the objects of a large cluster in its caches; needs the tests' control plane |
//! | `audit` | an audit of a large cluster; needs the tests' control plane |
//! | `soak` | the webhook's memory over an hour's worth of requests |
//! | `peers` | other linters on the same files |
//! | `profile` | the functions in which the linter spends its time |
//!
//! Without an argument, the first five run in separate processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a benchmark prints, and fails by panicking"
)]

mod audit;
mod caches;
mod calls;
mod child;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../serve/client.rs"]
mod client;
mod conditions;
mod corpora;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../lsp/editor.rs"]
mod editor;
mod guest;
mod instances;
mod instructions;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../kubernetes.rs"]
mod kubernetes;
mod lint;
mod load;
mod lsp;
mod ordinary;
mod passes;
mod peers;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../serve/process.rs"]
mod process;
mod profile;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../ran.rs"]
mod ran;
mod soak;
mod template;
mod throughput;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tools.rs"]
mod tools;

use std::path::Path;
use std::process::Command;

fn main() {
    // Cargo adds this flag.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => ["calls", "instances", "lint", "lsp", "serve"].into_iter().for_each(alone),
        ["calls"] => calls::measure(),
        ["instances"] => instances::measure(None),
        ["instances", path] => instances::measure(Some(path)),
        ["lint"] => lint::measure(),
        ["lsp"] => lsp::measure(),
        ["serve"] => {
            throughput::compare();
            throughput::compare_lookups();
        }
        ["caches"] => caches::measure(),
        ["audit"] => audit::measure(),
        ["soak"] => soak::soak(),
        ["peers"] => peers::compare(),
        ["profile"] => profile::print(),
        // The other benchmarks run these.
        ["schemas"] => peers::schemas::write(),
        ["pass", name, path] => passes::run(name, Path::new(path)),
        _ => panic!("the arguments are calls, instances, lint, lsp, serve, caches, audit, soak, peers or profile"),
    }
}

/// Runs one benchmark in a separate process, so that its memory is not counted for others.
fn alone(subject: &str) {
    let status = Command::new(std::env::current_exe().unwrap()).arg(subject).status().unwrap();
    assert!(status.success(), "{subject}: {status}");
    println!();
}
