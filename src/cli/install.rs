//! `webhook` and `policy`: what is installed in a cluster.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::registry::{PolicyInspect, PolicyPull, PolicyPush};
#[cfg(feature = "serve")]
use crate::install::FailurePolicy;
#[cfg(feature = "serve")]
use crate::install::kubewarden::Mode;

/// `webhook`.
#[cfg(feature = "serve")]
#[derive(Debug, Subcommand)]
pub enum Webhook {
    /// Print everything that runs `sqledge-ha serve` in a cluster, to be piped into `kubectl apply -f -`
    Manifests(WebhookManifests),
}

/// `webhook manifests`.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct WebhookManifests {
    /// The namespace to install in; objects there are not judged
    #[arg(long, value_name = "NAME", default_value = "sqledge-ha")]
    pub namespace: String,
    /// The container image [default: the one published with this version]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// A module that each pod pulls at its start, e.g. registry://HOST/REPOSITORY@sha256:…; a container that restarts in
    /// the same pod needs no registry, a new pod does [default: the one inside the image]
    #[arg(long, value_name = "REFERENCE")]
    pub module: Option<String>,
    /// A Secret with the certificate of the registry's authority, `ca.crt`, to trust beside those of the system
    #[arg(long, value_name = "NAME", requires = "module")]
    pub registry_ca_secret: Option<String>,
    /// A Secret of type kubernetes.io/dockerconfigjson with credentials for the registry
    #[arg(long, value_name = "NAME", requires = "module")]
    pub registry_credentials_secret: Option<String>,
    /// How many replicas answer
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub replicas: u16,
    /// What happens to a request that would be judged while no replica answers
    #[arg(long, value_enum, ignore_case = true, default_value_t)]
    pub failure_policy: FailurePolicy,
    /// How long the API server waits for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=30))]
    pub timeout_seconds: u8,
    /// A YAML file with the policy's settings and nothing else
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// `policy manifest`.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct PolicyManifest {
    /// Which policy
    #[arg(long, value_enum)]
    pub mode: Mode,
    /// Where the policy server finds the module, e.g. registry://… [default: where this version is published]
    #[arg(long, value_name = "URL")]
    pub module: Option<String>,
    /// The policy server to run it
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub policy_server: String,
    /// What happens to a request that would be judged while the policy server does not answer
    #[arg(long, value_enum, ignore_case = true, default_value_t)]
    pub failure_policy: FailurePolicy,
    /// How long the API server waits for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u8).range(2..=30))]
    pub timeout_seconds: u8,
    /// A YAML file with the policy's settings and nothing else; `mode` follows --mode
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// `policy access`.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct PolicyAccess {
    /// The namespace of the policy server
    #[arg(long, value_name = "NAME", default_value = "kubewarden")]
    pub namespace: String,
    /// The service account that the policy server runs as
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
    /// Print what the module tells Kubewarden
    Metadata,
    /// Print the JSON Schema of the settings
    SettingsSchema,
    /// Print a policy for Kubewarden, to be piped into `kubectl apply -f -`
    #[cfg(feature = "serve")]
    Manifest(PolicyManifest),
    /// Print the rights that the policies' look-ups need
    #[cfg(feature = "serve")]
    Access(PolicyAccess),
    /// Publish the module in a registry, and print the reference under which it stays the same
    Push(PolicyPush),
    /// Fetch a policy from a registry, and check that it is what its digest names
    Pull(PolicyPull),
    /// Tell what a policy is, judges and needs: the embedded one, a file, or one in a registry
    Inspect(PolicyInspect),
}
