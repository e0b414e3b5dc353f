//! The options of the webhook's manifests.

use sqledge_ha_policy::settings::Settings;

use super::FailurePolicy;
use super::module::ModuleMetadata;
use super::remote_module::RemoteModule;
use super::requests::Requests;
use crate::webhook::self_signed::Service;

/// The name of all objects.
pub const NAME: &str = "sqledge-ha";

/// What the webhook does in namespaces without the label `sqledge-ha/mode`. A namespace with the label has the other
/// mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DefaultMode {
    /// Mutate and reject; only warn in namespaces with the label sqledge-ha/mode: warn
    #[default]
    Enforce,
    /// Only warn; mutate and reject in namespaces with the label sqledge-ha/mode: enforce
    Warn,
}

/// The failure policy for each kind of requests that can be mutated or rejected.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct FailurePolicies {
    /// What the API server does with workloads that may run a database while no replica answers
    #[arg(long = "failure-policy", value_enum, ignore_case = true, default_value_t, value_name = "FAILURE_POLICY")]
    pub workloads: FailurePolicy,
    /// The same for Services with a selector
    #[arg(long = "services-failure-policy", value_enum, ignore_case = true, value_name = "FAILURE_POLICY",
        default_value_t = FailurePolicy::Ignore)]
    pub services: FailurePolicy,
    /// The same for requests that scale any workload above one replica, e.g. of a HorizontalPodAutoscaler
    #[arg(long = "scale-failure-policy", value_enum, ignore_case = true, value_name = "FAILURE_POLICY",
        default_value_t = FailurePolicy::Ignore)]
    pub scale: FailurePolicy,
    /// The same for claims, autoscalers, disruption budgets, and Rollouts that run the pods of a Deployment
    #[arg(long = "related-failure-policy", value_enum, ignore_case = true, value_name = "FAILURE_POLICY",
        default_value_t = FailurePolicy::Ignore)]
    pub related: FailurePolicy,
}

impl FailurePolicies {
    /// The failure policy for these requests.
    pub fn of(self, requests: Requests) -> FailurePolicy {
        match requests {
            Requests::All | Requests::Workloads => self.workloads,
            Requests::Services => self.services,
            Requests::Scale => self.scale,
            Requests::Related => self.related,
        }
    }
}

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
    /// What the webhook does in namespaces without a label.
    pub mode: DefaultMode,
    /// Whether the webhook creates Kubernetes Events.
    pub events: bool,
    /// Namespaces in which nothing is checked, in addition to `kube-system` and the webhook's own.
    pub excluded_namespaces: &'a [String],
    /// What the API server does while no replica answers.
    pub failure_policies: FailurePolicies,
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
