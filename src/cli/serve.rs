//! `review` and `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::registry::{Named, RegistryAccess};
use super::time::{some_time, time};
use crate::registry::Flags;
use crate::webhook::log::{LogFormat, LogLevel};
use crate::webhook::workers::OnError;

/// `review`.
#[derive(Debug, Args)]
pub struct Review {
    /// A JSON file with an AdmissionReview or an AdmissionRequest, or `-` for standard input
    #[arg(default_value = "-")]
    pub file: PathBuf,
    /// Manifests of the objects in the cluster, for the module to look up
    #[arg(long, value_name = "PATH")]
    pub cluster: Vec<PathBuf>,
    /// A YAML file with settings under `policy:`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Explain the request and the answer on standard error
    #[arg(long)]
    pub explain: bool,
}

/// `serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Where AdmissionReviews come in: POST /mutate and POST /validate
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub listen: SocketAddr,
    /// Where /livez, /readyz and /metrics are, over plain HTTP. The kubelet asks by the address of the pod and not by
    /// 127.0.0.1: 0.0.0.0 is every address of IPv4, and `[::]` those of IPv6 as well
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub health_listen: SocketAddr,
    /// A YAML file with the policy's settings [default: those of the policy]
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// An annotated WebAssembly module to run: a file, or registry://HOST/REPOSITORY@sha256:…, pulled at start [default:
    /// the embedded one]. Of its calls to the host those are answered that get or list objects of namespaced kinds by
    /// namespace, as far as its metadata ask for them
    #[arg(long, value_name = "FILE|REFERENCE")]
    pub module: Option<PathBuf>,
    /// What happens to a request when the module gives no answer
    #[arg(long, value_enum, default_value_t = OnError::Reject)]
    pub on_error: OnError,
    /// The certificate to present.
    #[command(flatten)]
    pub tls: Tls,
    /// The cluster to look into.
    #[command(flatten)]
    pub cluster: ClusterAccess,
    /// The registry to pull the module from.
    #[command(flatten)]
    pub registry: ModuleRegistry,
    /// How much is done at once, and for how long.
    #[command(flatten)]
    pub limits: ServeLimits,
    /// How lines of the log are written
    #[arg(long, value_enum, default_value_t = LogFormat::Text, help_heading = "Log")]
    pub log_format: LogFormat,
    /// Which lines are written
    #[arg(long, value_enum, default_value_t = LogLevel::Info, help_heading = "Log")]
    pub log_level: LogLevel,
}

/// The certificate that `serve` presents.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Certificate (one of three)")]
pub struct Tls {
    /// The certificate chain, PEM; read again when its contents change
    #[arg(long, value_name = "FILE", requires = "tls_key", required_unless_present_any = ["self_signed", "insecure_http"])]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Create a certificate and its authority, keep them in a Secret, and renew them
    #[arg(long, requires = "service", conflicts_with_all = ["tls_cert", "tls_key", "no_cluster"])]
    pub self_signed: bool,
    /// The Service that the API server reaches this webhook by
    #[arg(long, value_name = "NAME.NAMESPACE.svc", requires = "self_signed")]
    pub service: Option<String>,
    /// The Mutating- and ValidatingWebhookConfiguration that get the `caBundle`
    #[arg(long, value_name = "NAME", requires = "self_signed", default_value = "sqledge-ha")]
    pub webhook_configuration: String,
    /// Speak plain HTTP, on a loopback address only: for benchmarks
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key", "self_signed"])]
    pub insecure_http: bool,
}

/// The cluster that look-ups are answered from.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterAccess {
    /// How to reach the cluster [default: as a pod of it]
    #[arg(long, value_name = "FILE", conflicts_with = "no_cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// Look nothing up: rules that need to see other objects stay silent
    #[arg(long)]
    pub no_cluster: bool,
}

/// The registry that `serve` pulls its module from.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = OfModule::HEADING)]
pub struct ModuleRegistry {
    /// Where pulled modules are kept, this one and the one before, so that the registry need not be there at the next
    /// start [default: sqledge-ha in XDG_CACHE_HOME, or in ~/.cache]
    #[arg(long, value_name = "FOLDER")]
    pub module_cache: Option<PathBuf>,
    /// How the registry is reached.
    #[command(flatten)]
    pub access: RegistryAccess<OfModule>,
}

/// The flags of `serve`, which has others as well.
#[derive(Clone, Debug)]
pub enum OfModule {}

impl Named for OfModule {
    const HEADING: &'static str = "Registry (for --module registry://…)";
    const FLAGS: Flags =
        Flags { plain_http: "--registry-plain-http", ca_cert: "--registry-ca-cert", time_out: "--registry-time-out" };
}

/// Bounds of what `serve` does at once.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct ServeLimits {
    /// Threads that run the module, each with an instance of its own [default: one for each processor]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
    /// How long one call of the module may run
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = some_time)]
    pub deadline: Duration,
    /// How much memory an instance of the module may use
    #[arg(long, value_name = "MEBIBYTES", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub module_memory: u16,
    /// Requests under way at once; more get 429
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_in_flight: u32,
    /// The longest body; longer ones get 413. All bodies at once may be eight times as long
    #[arg(long, value_name = "MEBIBYTES", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub max_body: u16,
    /// Connections open at once, at most half of them from one address; more are closed
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,
    /// How long a TLS handshake, or the head of a request, may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = some_time)]
    pub head_time_out: Duration,
    /// How long the body of a request may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = some_time)]
    pub body_time_out: Duration,
    /// After SIGTERM: how long requests are still accepted while /readyz says no
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub drain: Duration,
    /// After that: how long requests under way may take
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = time)]
    pub grace: Duration,
}
