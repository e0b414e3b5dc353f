//! The embedded Kubewarden module, and a host that runs it as Kubewarden's policy server does.
//!
//! | file | contents |
//! |---|---|
//! | `compiled_module` | the compiled module, its instances and their responses |
//! | `host_calls`, `permissions` | the calls that a module makes to its host, and which of them it may make |
//! | `lookup`, `list_item`, `memory_budget` | the objects that answer look-ups, their pruning, and how many fit |
//! | `wapc` | the protocol between the module and its host |
//! | `metadata` | what the module tells Kubewarden, a custom section of the Wasm binary |
//!
//! ```
//! # #[cfg(feature = "serve")] {
//! use std::sync::Arc;
//! use serde_json::{json, value::to_raw_value};
//! use sqledge_ha::wasm_host::{CompiledModule, EMBEDDED, NoLookups};
//!
//! let module = CompiledModule::new(EMBEDDED)?;
//! let pod = json!({"kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "DELETE"});
//! let response = module.instance(Arc::new(NoLookups))?.validate(&to_raw_value(&pod)?, &json!({}))?;
//! assert!(response.accepted);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "serve")]
mod compiled_module;
#[cfg(feature = "serve")]
mod host_calls;
#[cfg(feature = "serve")]
mod list_item;
#[cfg(feature = "serve")]
mod lookup;
#[cfg(feature = "serve")]
mod memory_budget;
pub mod metadata;
#[cfg(feature = "serve")]
mod permissions;
#[cfg(feature = "serve")]
mod wapc;

#[cfg(feature = "serve")]
pub use crate::admission_review::{AdmissionReview, ParseError, PatchError, RequestInfo, Response};
#[cfg(feature = "serve")]
pub(crate) use compiled_module::with_causes;
#[cfg(feature = "serve")]
pub use compiled_module::{CompiledModule, Error, Instance, Limits, SettingsResponse};
#[cfg(feature = "serve")]
pub(crate) use list_item::prune_item;
#[cfg(feature = "serve")]
pub use lookup::{Get, List, LookupSource, NoLookups, ObjectIter, ObjectSet, with_look_ups};
#[cfg(feature = "serve")]
pub use wapc::CallError;

/// The annotated module, which `policy wasm` writes and `policy push` publishes.
pub static EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sqledge-ha.wasm"));

/// The resource that the embedded module knows by this group, version and kind. Other modules can look up others.
#[cfg(feature = "serve")]
pub(crate) fn known_resource(
    api_version: &str,
    kind: &str,
) -> Option<&'static sqledge_ha_policy::kubernetes::resources::Resource> {
    use sqledge_ha_policy::kubernetes::{group_of, kind::Kind};
    Kind::from_group(group_of(api_version), kind)?.resource()
}

/// The commit that the embedded module was built from, if it is known.
pub const REVISION: Option<&str> = option_env!("SQLEDGE_HA_REVISION");
