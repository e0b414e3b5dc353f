//! The rules that keep Azure SQL Edge highly available on Kubernetes, and the Wasm module made of them.
//!
//! SQL Edge has no clustering. It is available because one pod, with its databases on a persistent volume claim, can be
//! replaced on any amd64 node and reached at a stable address. Each rule protects one part of that. This crate only
//! decides: it knows no YAML, no terminal, no network and no clock, so that the same code runs in the linter, in the
//! webhook, in the Kubewarden module and in tests.
//!
//! # Where to look
//! Each module depends only on those above it:
//! - [`json`]: values that know their JSON Pointer, edits, parsing
//! - [`kubernetes`]: kinds, the table of resources, selectors, environment, volumes, scheduling
//! - [`engine`]: the database products, as data
//! - [`finding`], [`settings`]: what rules say, and how they are configured
//! - [`workload`]: a workload with its database containers, their ports and files
//! - [`view`]: the other objects, as named questions, and what it proves not to find one
//! - [`rules`]: one file for each rule, and the registry
//! - [`admission`]: from an admission request to a verdict, and the module's entry points
//!
//! # A new rule
//! One file below `rules/`, named after the rule's id, and one line in `rules.rs`. CONTRIBUTING.md shows the steps.
//!
//! ```
//! use serde_json::json;
//! use sqledge_ha_policy::admission::review::validate;
//! use sqledge_ha_policy::view::cluster::NoCluster;
//!
//! let payload = json!({"settings": {}, "request": {
//!     "operation": "CREATE", "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
//!     "object": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sql"}, "spec": {
//!         "replicas": 3,
//!         "template": {"spec": {"containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge"}]}}}}}});
//! let verdict = validate(payload.to_string().as_bytes(), &NoCluster);
//! assert!(!verdict.allowed);
//! assert!(verdict.message.is_some_and(|message| message.contains("single-replica")));
//! ```

#![cfg_attr(not(feature = "guest"), forbid(unsafe_code))]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed expectation should fail the test"
    )
)]

pub mod admission;
pub mod engine;
pub mod finding;
pub mod json;
pub mod kubernetes;
pub mod rules;
pub mod settings;
pub mod view;
pub mod workload;

#[cfg(test)]
mod testing;
