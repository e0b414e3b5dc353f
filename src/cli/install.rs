//! `webhook` and `policy`.

use std::path::PathBuf;

#[cfg(feature = "serve")]
use clap::Args;
use clap::Subcommand;

use super::registry::{PolicyInspect, PolicyPull, PolicyPush};
#[cfg(feature = "serve")]
use crate::install::gitops::GitOpsController;
#[cfg(feature = "serve")]
use crate::install::kubewarden::Mode;
#[cfg(feature = "serve")]
use crate::install::options::{DefaultMode, FailurePolicies};

/// `webhook`.
#[cfg(feature = "serve")]
#[derive(Debug, Subcommand)]
pub enum Webhook {
    /// Print the manifests of the webhook for `kubectl apply -f -`
    Manifests(WebhookManifests),
    /// Print the fields in which a GitOps controller sees a difference, as its settings
    ///
    /// These are the fields that are mutated although a manifest states another value. Fields that manifests leave out
    /// need no setting.
    Gitops(WebhookGitops),
}

/// `webhook gitops`.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct WebhookGitops {
    /// The controller
    #[arg(long, value_enum, default_value_t)]
    pub format: GitOpsController,
    /// A YAML file with the policy's settings
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// `webhook manifests`.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct WebhookManifests {
    /// The namespace to install in; objects in it are not checked
    #[arg(long, value_name = "NAME", default_value = "sqledge-ha")]
    pub namespace: String,
    /// The container image [default: the published image of this version]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// A module that each pod pulls at start, e.g. registry://HOST/REPOSITORY@sha256:…. With a digest reference, a
    /// container that restarts in the same pod needs no registry; a new pod does [default: the module in the image]
    #[arg(long, value_name = "REFERENCE")]
    pub module: Option<String>,
    /// A Secret with a CA certificate of the registry, `ca.crt`, to trust in addition to the system's
    #[arg(long, value_name = "NAME", requires = "module")]
    pub registry_ca_secret: Option<String>,
    /// A Secret of type kubernetes.io/dockerconfigjson with a login for the registry
    #[arg(long, value_name = "NAME", requires = "module")]
    pub registry_credentials_secret: Option<String>,
    /// The number of replicas
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub replicas: u16,
    /// What the webhook does in namespaces without the label sqledge-ha/mode. Where it only warns, an outage has no
    /// effect
    #[arg(long, value_enum, default_value_t)]
    pub mode: DefaultMode,
    /// Create Kubernetes Events on objects that are rejected or mutated: with the permission to create events, and with
    /// `sideEffects: NoneOnDryRun`
    #[arg(long)]
    pub events: bool,
    /// A namespace to exclude, in addition to kube-system and the webhook's own (repeatable)
    #[arg(long = "exclude-namespace", value_name = "NAME", value_parser = super::namespace)]
    pub excluded_namespaces: Vec<String>,
    /// The failure policies.
    #[command(flatten)]
    pub failure_policies: FailurePolicies,
    /// How long the API server waits for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=30))]
    pub timeout_seconds: u8,
    /// A YAML file with the policy's settings [default: `exposure: internal`]
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// `policy manifest`.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct PolicyManifest {
    /// The kind of policies
    #[arg(long, value_enum)]
    pub mode: Mode,
    /// The URL of the module for the policy server, e.g. registry://… [default: the published module of this version]
    #[arg(long, value_name = "URL")]
    pub module: Option<String>,
    /// The policy server that runs the policies
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub policy_server: String,
    /// The failure policies.
    #[command(flatten)]
    pub failure_policies: FailurePolicies,
    /// How long the API server waits for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..=30))]
    pub timeout_seconds: u8,
    /// A YAML file with the policy's settings; `mode` is set from --mode [default: `exposure: internal`]
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// `policy access`.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct PolicyAccess {
    /// The namespace of the policy server
    #[arg(long, value_name = "NAME", default_value = "kubewarden", value_parser = super::namespace)]
    pub namespace: String,
    /// The ServiceAccount of the policy server
    #[arg(long, value_name = "NAME", default_value = "policy-server")]
    pub service_account: String,
}

/// `policy`.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Write the annotated WebAssembly module to a file
    Wasm {
        /// The file, or `-` for standard output
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Print the module's metadata for Kubewarden
    Metadata,
    /// Print the JSON Schema of the settings
    SettingsSchema,
    /// Print policies for Kubewarden, for `kubectl apply -f -`
    #[cfg(feature = "serve")]
    Manifest(PolicyManifest),
    /// Print the permissions for the policies' look-ups
    #[cfg(feature = "serve")]
    Access(PolicyAccess),
    /// Push the module and print its digest reference
    Push(PolicyPush),
    /// Pull a policy from a registry and check its digest
    Pull(PolicyPull),
    /// Describe a policy: the embedded one, a file, or one in a registry
    Inspect(PolicyInspect),
}
