//! Only the tests of the corpus, in a binary that compiles fast: `make test-rules` runs it after a change to a rule.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../corpus.rs"]
mod corpus;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../ran.rs"]
mod ran;
