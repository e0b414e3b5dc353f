//! The rules that keep Azure SQL Edge highly available on Kubernetes, and the Wasm module made of them.
//!
//! SQL Edge has no clustering of its own: it is available because one pod, with its databases on a persistent volume
//! claim, can be replaced on any amd64 node and found again behind an address that stays. Each rule protects one link of
//! that chain. This crate decides and does nothing else: it knows no YAML, no terminal, no network and no clock, so that
//! the same code runs in the linter, in the webhook, in the Kubewarden module and in tests.
//!
//! # Sixty seconds
//! - [`review::validate`] takes the bytes of an admission request and gives a [`verdict::Verdict`]. Its file tells the
//!   way of a request in order.
//! - [`rules::judge`] asks every rule about one [`subject::Subject`]: an object read as a [`workload::Workload`] or a
//!   [`service::Service`], with the [`settings::Settings`] and a view of what else exists ([`cluster::Cluster`]).
//! - A rule adds [`finding::Finding`]s: where ([`node::Node`] knows its own pointer), what, why, what to do, and the
//!   [`finding::Edit`]s that would mend it.
//! - What a finding leads to, a patch, a refusal or a warning, follows from its [`finding::Grade`] and the settings
//!   ([`rules::Rule::action_of`]).
//!
//! # A new rule
//! One file below `rules/`, named after the rule's id, and one line in `rules.rs`; CONTRIBUTING.md shows the steps.
//!
//! ```
//! use serde_json::json;
//! use sqledge_ha_policy::cluster::NoCluster;
//! use sqledge_ha_policy::review::validate;
//!
//! let payload = json!({"settings": {}, "request": {
//!     "operation": "CREATE", "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
//!     "object": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sql"}, "spec": {
//!         "replicas": 3,
//!         "template": {"spec": {"containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge"}]}}}}}});
//! let verdict = validate(payload.to_string().as_bytes(), &NoCluster);
//! assert!(!verdict.accepted);
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
        reason = "a test that meets the unexpected should fail on the spot"
    )
)]

pub mod address;
pub mod claims;
pub mod cluster;
pub mod edit;
pub mod engine;
pub mod environment;
#[cfg(not(feature = "guest"))]
pub mod essence;
pub mod finding;
#[cfg(feature = "guest")]
mod guest;
pub mod image;
mod json;
pub mod kind;
pub mod node;
pub mod objects;
pub mod relevance;
pub mod request;
pub mod review;
pub mod rules;
pub mod scheduling;
pub mod selector;
pub mod service;
pub mod settings;
pub mod subject;
pub mod verdict;
pub mod volumes;
pub mod workload;

#[cfg(test)]
mod testing;
