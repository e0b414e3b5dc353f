//! The embedded Kubewarden module, and a host that runs it as Kubewarden's policy server does.
//!
//! | file | contents |
//! |---|---|
//! | `admission_review` | reading AdmissionReviews and writing the answers |
//! | `compiled_module` | the compiled module, its instances and their responses |
//! | `host_calls`, `permissions` | the calls that a module makes to its host, and which of them it may make |
//! | `lookup`, `field_mask`, `memory_budget` | the objects that answer look-ups, their pruning, and how many fit |
//! | `metadata` | what the module tells Kubewarden, a custom section of the Wasm binary |
//!
//! ```
//! use std::sync::Arc;
//! use serde_json::{json, value::to_raw_value};
//! use sqledge_ha::wasm_host::{CompiledModule, EMBEDDED, NoLookups};
//!
//! let module = CompiledModule::new(EMBEDDED)?;
//! let pod = json!({"kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "DELETE"});
//! let response = module.instance(Arc::new(NoLookups))?.validate(&to_raw_value(&pod)?, &json!({}))?;
//! assert!(response.accepted);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admission_review;
mod compiled_module;
mod field_mask;
mod host_calls;
mod lookup;
mod memory_budget;
pub mod metadata;
mod permissions;

pub use admission_review::{AdmissionReview, ParseError, PatchError, RequestInfo};
pub use compiled_module::{CompiledModule, Error, Instance, Limits, Response, SettingsResponse};
pub use lookup::{Get, List, LookupSource, NoLookups, ObjectIter, ObjectSet};

/// The annotated module, which `policy wasm` writes and `policy push` publishes.
pub static EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sqledge-ha.wasm"));

/// The commit that the embedded module was built from, if it is known.
pub const REVISION: Option<&str> = option_env!("SQLEDGE_HA_REVISION");
