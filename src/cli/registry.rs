//! Commands for registries: `policy push`, `pull` and `inspect`, and the flags for connections.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::time::positive_duration;
use crate::exit::CommandError;
use crate::registry::{ClientOptions, FlagNames};

/// The names of a command's flags for registries.
pub trait RegistryFlagNames {
    /// Their heading in the help.
    const HEADING: &'static str;
    /// Their names.
    const FLAGS: FlagNames;
}

/// The flags of the `policy` commands.
#[derive(Clone, Debug)]
pub enum PolicyFlags {}

impl RegistryFlagNames for PolicyFlags {
    const HEADING: &'static str = "Registry";
    const FLAGS: FlagNames = FlagNames { plain_http: "--plain-http", ca_cert: "--ca-cert", timeout: "--timeout" };
}

/// How to connect to a registry, with the flags that `N` names.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = N::HEADING)]
pub struct RegistryAccess<N: RegistryFlagNames = PolicyFlags> {
    /// Connect without TLS: data and credentials are not encrypted
    #[arg(long = name(N::FLAGS.plain_http), conflicts_with = "ca_cert")]
    pub plain_http: bool,
    /// CA certificates (PEM) to trust in addition to the system's
    #[arg(long = name(N::FLAGS.ca_cert), value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// Timeout for each registry response; the whole operation may take ten times as long
    #[arg(long = name(N::FLAGS.timeout), value_name = "DURATION", default_value = "30s", value_parser = positive_duration)]
    pub timeout: Duration,
    #[arg(skip)]
    names: PhantomData<N>,
}

/// The name of a flag without its leading hyphens.
fn name(flag: &'static str) -> &'static str {
    flag.trim_start_matches('-')
}

impl<N: RegistryFlagNames> RegistryAccess<N> {
    /// The options of the client.
    ///
    /// # Errors
    /// [`CommandError`] with exit code 2 if the certificates cannot be used.
    pub fn client_options(&self) -> Result<ClientOptions, CommandError> {
        let options = ClientOptions::new(N::FLAGS, self.plain_http, self.ca_cert.as_deref(), self.timeout);
        options.map_err(|error| CommandError::usage(format!("{}: {error}", N::FLAGS.ca_cert)))
    }
}

/// `policy push`.
#[derive(Debug, Args)]
pub struct PolicyPush {
    /// The tag to push to, e.g. registry.example.com/policies/sqledge-ha:v0.1.0
    #[arg(value_name = "REGISTRY/REPOSITORY:TAG")]
    pub reference: String,
    /// An annotated WebAssembly module [default: the embedded one]
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// The commit that the module was built from [default: this command's commit, for the embedded module]
    #[arg(long, value_name = "COMMIT")]
    pub revision: Option<String>,
    /// How to connect to the registry.
    #[command(flatten)]
    pub access: RegistryAccess,
}

/// `policy pull`.
#[derive(Debug, Args)]
pub struct PolicyPull {
    /// The policy: REGISTRY/REPOSITORY@sha256:…, or REGISTRY/REPOSITORY:TAG, which can change
    #[arg(value_name = "REFERENCE")]
    pub reference: String,
    /// The file, or `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// How to connect to the registry.
    #[command(flatten)]
    pub access: RegistryAccess,
}

/// `policy inspect`.
#[derive(Debug, Args)]
pub struct PolicyInspect {
    /// A file or a reference, e.g. REGISTRY/REPOSITORY:TAG [default: the embedded module]
    #[arg(value_name = "FILE|REFERENCE")]
    pub module: Option<String>,
    /// The output format
    #[arg(long, value_enum, default_value_t = InspectionFormat::Human)]
    pub format: InspectionFormat,
    /// How to connect to the registry.
    #[command(flatten)]
    pub access: RegistryAccess,
}

/// The output format of `policy inspect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InspectionFormat {
    /// Text for people
    Human,
    /// JSON for programs
    Json,
}
