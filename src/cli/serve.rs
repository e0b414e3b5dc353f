//! `review` and `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::registry::{RegistryAccess, RegistryFlagNames};
use super::time::{duration, positive_duration};
use crate::registry::FlagNames;
use crate::webhook::log::{LogFormat, LogLevel};
use crate::webhook::self_signed::Service;

/// `review`.
#[derive(Debug, Args)]
pub struct Review {
    /// A JSON file with an AdmissionReview or an AdmissionRequest, or `-` for standard input
    #[arg(default_value = "-")]
    pub file: PathBuf,
    /// Manifests of the objects in the cluster, for the module to look up (repeatable)
    #[arg(long, value_name = "PATH")]
    pub cluster: Vec<PathBuf>,
    /// A YAML file with the policy's settings, alone or under `policy:`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Explain the request and the answer on standard error
    #[arg(long)]
    pub explain: bool,
}

/// `serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Address for AdmissionReviews (POST /mutate, /validate and /warn)
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub listen: SocketAddr,
    /// Address for /livez, /readyz and /metrics over plain HTTP. The kubelet connects to the pod's IP address, not to
    /// 127.0.0.1; 0.0.0.0 stands for all IPv4 addresses, `[::]` also for all IPv6 addresses
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub health_listen: SocketAddr,
    /// YAML file with the policy's settings [default: the policy's defaults]
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Annotated WebAssembly module to run: a file, or registry://HOST/REPOSITORY@sha256:…, which is pulled at startup
    /// [default: the embedded module]. It may get and list the objects that its metadata names
    #[arg(long, value_name = "FILE|REFERENCE")]
    pub module: Option<PathBuf>,
    /// The serving certificate.
    #[command(flatten)]
    pub tls: Tls,
    /// The cluster for look-ups.
    #[command(flatten)]
    pub cluster: ClusterAccess,
    /// The registry to pull the module from.
    #[command(flatten)]
    pub registry: ModuleRegistry,
    /// Limits and timeouts.
    #[command(flatten)]
    pub limits: ServeLimits,
    /// Format of the log
    #[arg(long, value_enum, default_value_t = LogFormat::Text, help_heading = "Log")]
    pub log_format: LogFormat,
    /// Lowest level in the log
    #[arg(long, value_enum, default_value_t = LogLevel::Info, help_heading = "Log")]
    pub log_level: LogLevel,
}

/// The serving certificate of `serve`.
#[derive(Clone, Debug, Args)]
#[command(
    next_help_heading = "Certificate (one of three)",
    group = ArgGroup::new("certificate").args(["tls_cert", "self_signed", "insecure_http"]).required(true)
)]
pub struct Tls {
    /// PEM file with the certificate chain; loaded again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the private key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Create a CA and a serving certificate, store them in a Secret, and renew them
    #[arg(long, requires = "service", conflicts_with_all = ["tls_cert", "tls_key", "no_cluster"])]
    pub self_signed: bool,
    /// Service through which the API server calls this webhook
    #[arg(long, value_name = "NAME.NAMESPACE.svc", requires = "self_signed")]
    pub service: Option<Service>,
    /// Name of the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration that get the `caBundle`
    #[arg(long, value_name = "NAME", requires = "self_signed", default_value = "sqledge-ha")]
    pub webhook_configuration: String,
    /// Serve plain HTTP, on a loopback address only; to try it out
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key", "self_signed"])]
    pub insecure_http: bool,
}

/// The cluster for look-ups.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterAccess {
    /// Kubeconfig file for the cluster [default: the service account of the pod]
    #[arg(long, value_name = "FILE", conflicts_with = "no_cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// Look up no objects; rules that need other objects are not checked
    #[arg(long)]
    pub no_cluster: bool,
    /// Create a Kubernetes Event on each object that is rejected or mutated, or would be without the mode warn: one for
    /// each rule in an hour, and none for dry runs. The ServiceAccount must be able to create events of events.k8s.io
    #[arg(long, conflicts_with = "no_cluster")]
    pub events: bool,
}

/// The registry for `serve --module`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = ServeFlagNames::HEADING)]
pub struct ModuleRegistry {
    /// Directory for the pulled module; with a digest reference, a restart needs no registry [default: sqledge-ha in
    /// XDG_CACHE_HOME, or in ~/.cache]
    #[arg(long, value_name = "DIR")]
    pub module_cache: Option<PathBuf>,
    /// How to connect to the registry.
    #[command(flatten)]
    pub access: RegistryAccess<ServeFlagNames>,
}

/// The registry flags of `serve`.
#[derive(Clone, Debug)]
pub enum ServeFlagNames {}

impl RegistryFlagNames for ServeFlagNames {
    const HEADING: &'static str = "Registry (for --module registry://…)";
    const FLAGS: FlagNames =
        FlagNames { plain_http: "--registry-plain-http", ca_cert: "--registry-ca-cert", timeout: "--registry-timeout" };
}

/// The limits and timeouts of `serve`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct ServeLimits {
    /// Number of threads that run the module [default: the number of processors]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
    /// Maximum duration of a check by the module
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = positive_duration)]
    pub deadline: Duration,
    /// Maximum memory of each instance of the module
    #[arg(long, value_name = "MEBIBYTES", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub module_memory: u16,
    /// Maximum requests in flight; further requests get HTTP 429
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_in_flight: u32,
    /// Maximum size of a body; larger ones get HTTP 413. All bodies together may have eight times this size
    #[arg(long, value_name = "MEBIBYTES", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub max_body: u16,
    /// Maximum open connections; further ones are closed. One client address can use half of them
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,
    /// Timeout for the TLS handshake, and for the head of a request
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    pub head_timeout: Duration,
    /// Timeout for the body of a request
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    pub body_timeout: Duration,
    /// Drain period after SIGTERM: /readyz fails, but new requests are accepted
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub drain: Duration,
    /// Grace period after that, for the requests in flight
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    pub grace: Duration,
}
