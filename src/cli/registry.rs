//! The part of `policy` that speaks with registries.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::exit::Failure;
use crate::registry::{Access, Flags};

/// How a registry is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Registry")]
pub struct RegistryAccess {
    /// Speak plain HTTP with the registry: what is sent, credentials too, can be read on the way
    #[arg(long, conflicts_with = "ca_cert")]
    pub plain_http: bool,
    /// Certificates of authorities to trust beside those of the system, PEM
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// How long the registry may keep silent; everything together may take ten times as long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub time_out: Duration,
}

impl RegistryAccess {
    /// What the flags mean.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 if the certificates cannot be used.
    pub fn access(&self) -> Result<Access, Failure> {
        const FLAGS: Flags = Flags { plain_http: "--plain-http", ca_cert: "--ca-cert", time_out: "--time-out" };
        let access = Access::new(FLAGS, self.plain_http, self.ca_cert.as_deref(), self.time_out);
        access.map_err(|error| Failure::usage(format!("--ca-cert: {error}")))
    }
}

/// `policy push`.
#[derive(Debug, Args)]
pub struct PolicyPush {
    /// Where to, e.g. registry.example.com/policies/sqledge-ha:v0.1.0
    #[arg(value_name = "REGISTRY/REPOSITORY:TAG")]
    pub place: String,
    /// An annotated WebAssembly module [default: the embedded one]
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// The commit that the module was built from [default: that of this command, for the embedded module]
    #[arg(long, value_name = "COMMIT")]
    pub revision: Option<String>,
    /// How the registry is reached.
    #[command(flatten)]
    pub access: RegistryAccess,
}

/// `policy pull`.
#[derive(Debug, Args)]
pub struct PolicyPull {
    /// What to pull: REGISTRY/REPOSITORY@sha256:…, or with a :TAG, which may mean something else tomorrow
    #[arg(value_name = "REFERENCE")]
    pub place: String,
    /// The file, or `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// How the registry is reached.
    #[command(flatten)]
    pub access: RegistryAccess,
}

/// `policy inspect`.
#[derive(Debug, Args)]
pub struct PolicyInspect {
    /// A file, or a reference such as REGISTRY/REPOSITORY:TAG [default: the embedded module]
    #[arg(value_name = "FILE|REFERENCE")]
    pub module: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = InspectionFormat::Human)]
    pub format: InspectionFormat,
    /// How the registry is reached.
    #[command(flatten)]
    pub access: RegistryAccess,
}

/// How `policy inspect` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InspectionFormat {
    /// For people
    Human,
    /// For programs
    Json,
}
