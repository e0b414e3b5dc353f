//! Every command and flag, once.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use sqledge_ha_policy::engine::Engine;

use crate::exit::{Failure, Outcome};
use crate::install::FailurePolicy;
use crate::install::kubewarden::Mode;
use crate::webhook::log::{LogFormat, LogLevel};
use crate::webhook::workers::OnError;

/// Keeps Azure SQL Edge highly available on Kubernetes.
///
/// SQL Edge has no clustering: it is available because one pod, with its databases on a persistent volume claim, can be
/// replaced on any amd64 node and found again behind an address that stays. This command finds manifests that break one
/// link of that chain, by the same rules that decide at admission.
#[derive(Debug, Parser)]
#[command(name = "sqledge-ha", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
   0  nothing is wrong
   1  findings at or above --fail-on
   2  wrong usage or configuration
   3  nothing to check
   4  some input could not be read or parsed
  70  a bug";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge manifests: files, directories or standard input
    Lint(Lint),
    /// Mend manifests in place, and touch nothing else in them
    Fix(Fix),
    /// Explain a rule: what must hold, why, and what to do
    Explain {
        /// The rule's id, e.g. persistent-data
        rule: String,
    },
    /// List the rules
    Rules {
        /// How to print them
        #[arg(long, value_enum, default_value_t = TableFormat::Human)]
        format: TableFormat,
    },
    /// Answer an AdmissionReview with the embedded module, as a cluster would get it
    Review(Review),
    /// Answer the API server: an admission webhook that runs the module
    Serve(Box<Serve>),
    /// What installs the admission webhook in a cluster
    #[command(subcommand)]
    Webhook(Webhook),
    /// The Kubewarden policy inside this command
    #[command(subcommand)]
    Policy(Policy),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print a manual page, e.g. sqledge-ha man lint | man -l -
    Man {
        /// The command to describe [default: the whole program]
        command: Vec<String>,
    },
}

/// `lint`.
#[derive(Debug, Args)]
pub struct Lint {
    /// Files, directories (as git sees them; .yaml, .yml and .json), or `-` for standard input [default: .]
    pub paths: Vec<PathBuf>,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
    /// The least level that makes the exit code 1
    #[arg(long, value_enum, default_value_t = Level::Error, value_name = "LEVEL")]
    pub fail_on: Level,
    /// The paths are not the whole application: what is not among them may exist elsewhere
    #[arg(long)]
    pub partial: bool,
    /// How the rules are applied.
    #[command(flatten)]
    pub judging: Judging,
}

/// `fix`.
#[derive(Debug, Args)]
pub struct Fix {
    /// Files, directories (as git sees them; .yaml, .yml and .json), or `-` for standard input, which is written to
    /// standard output [default: .]
    pub paths: Vec<PathBuf>,
    /// Print what would change, and change nothing; exit code 1 if anything would
    #[arg(long)]
    pub diff: bool,
    /// Change nothing; exit code 1 if anything would change
    #[arg(long)]
    pub check: bool,
    /// Also make fixes that may move or destroy something
    #[arg(long = "unsafe")]
    pub unsafe_fixes: bool,
    /// The paths are not the whole application: what is not among them may exist elsewhere
    #[arg(long)]
    pub partial: bool,
    /// How the rules are applied.
    #[command(flatten)]
    pub judging: Judging,
}

/// Flags that change how the rules are applied.
#[derive(Debug, Args)]
pub struct Judging {
    /// The engines to govern [default: sql-edge, or as configured]
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub engine: Option<EngineChoice>,
    /// A YAML file with settings under `policy:`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Give a rule an action: mutate, reject, warn or off (repeatable)
    #[arg(long = "rule", value_name = "ID=ACTION")]
    pub rules: Vec<String>,
}

/// `review`.
#[derive(Debug, Args)]
pub struct Review {
    /// A JSON file with an AdmissionReview or an AdmissionRequest, or `-` for standard input
    #[arg(default_value = "-")]
    pub file: PathBuf,
    /// Manifests of what exists in the cluster, for the policy to look up
    #[arg(long, value_name = "PATH")]
    pub cluster: Vec<PathBuf>,
    /// A YAML file with settings under `policy:`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Tell in plain words, on standard error, what was asked and what came of it
    #[arg(long)]
    pub explain: bool,
}

/// `webhook`.
#[derive(Debug, Subcommand)]
pub enum Webhook {
    /// Print everything that runs `sqledge-ha serve` in a cluster, to be piped into `kubectl apply -f -`
    Manifests(WebhookManifests),
}

/// `webhook manifests`.
#[derive(Debug, Args)]
pub struct WebhookManifests {
    /// The namespace to install in; objects there are not judged
    #[arg(long, value_name = "NAME", default_value = "sqledge-ha")]
    pub namespace: String,
    /// The container image [default: the one published with this version]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
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
#[derive(Debug, Args)]
pub struct PolicyAccess {
    /// The namespace of the policy server
    #[arg(long, value_name = "NAME", default_value = "kubewarden")]
    pub namespace: String,
    /// The service account that the policy server runs as
    #[arg(long, value_name = "NAME", default_value = "policy-server")]
    pub service_account: String,
}

/// `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where AdmissionReviews come in: POST /mutate and POST /validate
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub listen: SocketAddr,
    /// Where /livez, /readyz and /metrics are, over plain HTTP
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub health_listen: SocketAddr,
    /// A YAML file with the policy's settings [default: those of the policy]
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// An annotated WebAssembly module to run [default: the embedded one]. Of its calls to the host those are answered
    /// that get or list objects of namespaced kinds by namespace, as far as its metadata ask for them
    #[arg(long, value_name = "FILE")]
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
#[derive(Debug, Args)]
#[command(next_help_heading = "Certificate (one of three)")]
pub struct Tls {
    /// The certificate chain, PEM; read again when its contents change
    #[arg(long, value_name = "FILE", requires = "tls_key", required_unless_present_any = ["self_signed", "insecure_http"])]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Create a certificate and its authority, keep them in a Secret, and renew them
    #[arg(long, requires = "service", conflicts_with_all = ["tls_cert", "no_cluster"])]
    pub self_signed: bool,
    /// The Service that the API server reaches this webhook by
    #[arg(long, value_name = "NAME.NAMESPACE.svc", requires = "self_signed")]
    pub service: Option<String>,
    /// The Mutating- and ValidatingWebhookConfiguration that get the `caBundle`
    #[arg(long, value_name = "NAME", requires = "self_signed", default_value = "sqledge-ha")]
    pub webhook_configuration: String,
    /// Speak plain HTTP, on a loopback address only: for benchmarks
    #[arg(long, conflicts_with_all = ["tls_cert", "self_signed"])]
    pub insecure_http: bool,
}

/// The cluster that look-ups are answered from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterAccess {
    /// How to reach the cluster [default: as a pod of it]
    #[arg(long, value_name = "FILE", conflicts_with = "no_cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// Look nothing up: rules that need to see other objects stay silent
    #[arg(long)]
    pub no_cluster: bool,
}

/// Bounds of what `serve` does at once.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct ServeLimits {
    /// Threads that run the module, each with an instance of its own [default: one for each processor]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
    /// How long one call of the module may run
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
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
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub head_time_out: Duration,
    /// How long the body of a request may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub body_time_out: Duration,
    /// After SIGTERM: how long requests are still accepted while /readyz says no
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    pub drain: Duration,
    /// After that: how long requests under way may take
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = humantime::parse_duration)]
    pub grace: Duration,
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
    Manifest(PolicyManifest),
    /// Print the rights that the policies' look-ups need
    Access(PolicyAccess),
}

/// How `lint` prints findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people, with the lines in question
    Human,
    /// For programs; a stable contract
    Json,
}

/// How `rules` prints the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For people
    Human,
    /// For programs
    Json,
    /// For documents
    Markdown,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    /// It may be wrong
    Warning,
    /// It would be refused, or mended, at admission
    Error,
}

/// The engines on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// Azure SQL Edge
    SqlEdge,
    /// SQL Server on Linux
    SqlServer,
    /// Both
    All,
}

impl EngineChoice {
    /// The engines it stands for.
    pub fn engines(self) -> Vec<Engine> {
        match self {
            EngineChoice::SqlEdge => vec![Engine::SqlEdge],
            EngineChoice::SqlServer => vec![Engine::SqlServer],
            EngineChoice::All => vec![Engine::SqlEdge, Engine::SqlServer],
        }
    }
}

/// Parses a command line, the program's name first.
///
/// # Errors
/// [`Failure`] with exit code 2 for a wrong one; with exit code 0 where only help or the version was asked for. Either has
/// been printed.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Failure> {
    Cli::try_parse_from(arguments).map_err(|error| {
        let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        // Nobody is left to tell if even that cannot be printed.
        let _ = error.print();
        Failure { outcome: if asked_for { Outcome::Clean } else { Outcome::Usage }, message: String::new() }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
