//! The options of the webhook's manifests.

use sqledge_ha_policy::settings::Settings;

use super::FailurePolicy;
use super::module::ModuleMetadata;
use super::remote_module::RemoteModule;
use crate::webhook::self_signed::Service;

/// The name of all objects.
pub const NAME: &str = "sqledge-ha";

/// Options of the webhook's manifests.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The metadata of the embedded module.
    pub module: &'a ModuleMetadata,
    /// The webhook's Service, named [`NAME`]. All namespaced objects are in its namespace.
    pub service: &'a Service,
    /// The container image.
    pub image: &'a str,
    /// A module that the pods pull; `None` for the module in the image.
    pub remote_module: Option<RemoteModule<'a>>,
    /// The number of replicas.
    pub replicas: u16,
    /// What the API server does while no replica answers.
    pub failure_policy: FailurePolicy,
    /// How long the API server waits for an answer, in seconds.
    pub timeout_seconds: u8,
    /// The text of the settings file.
    pub settings: &'a str,
    /// The parsed settings.
    pub policy: &'a Settings,
}

/// The container image of this version.
pub fn published_image() -> String {
    concat!("ghcr.io/sqledge-ha/sqledge-ha:v", env!("CARGO_PKG_VERSION")).to_owned()
}
