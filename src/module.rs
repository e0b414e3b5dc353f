//! The Kubewarden module inside this program, and a host that runs it as Kubewarden's policy server does.
//!
//! | file | holds |
//! |---|---|
//! | `metadata` | what the module tells Kubewarden: a section of the Wasm binary |
//! | `host` | the module, compiled; an instance of it; its answers |
//! | `grants`, `callback` | what the module may ask its host, and how it is answered |
//! | `world`, `mask`, `room` | the objects that answers are made of, their pruning, and how many fit |
//! | `admission` | AdmissionReviews in and out |
//!
//! ```
//! use std::sync::Arc;
//! use serde_json::{json, value::to_raw_value};
//! use sqledge_ha::module::{EMBEDDED, Host, NoWorld};
//!
//! let host = Host::new(EMBEDDED)?;
//! let pod = json!({"kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "DELETE"});
//! let response = host.instance(Arc::new(NoWorld))?.validate(&to_raw_value(&pod)?, &json!({}))?;
//! assert!(response.accepted);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "serve")]
mod admission;
#[cfg(feature = "serve")]
mod callback;
#[cfg(feature = "serve")]
mod grants;
#[cfg(feature = "serve")]
mod host;
#[cfg(feature = "serve")]
mod mask;
pub mod metadata;
#[cfg(feature = "serve")]
mod room;
#[cfg(feature = "serve")]
mod world;

#[cfg(feature = "serve")]
pub use admission::{Admission, Unpatchable, Unreadable};
#[cfg(feature = "serve")]
pub use host::{Error, Host, Instance, Limits, Response, SettingsResponse};
#[cfg(feature = "serve")]
pub use world::{Get, List, NoWorld, ObjectSet, Objects, World};

/// The module, annotated: what `policy wasm` writes and `policy push` publishes.
pub static EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sqledge-ha.wasm"));

/// The commit that the embedded module was built from, where that is known.
pub const REVISION: Option<&str> = option_env!("SQLEDGE_HA_REVISION");
