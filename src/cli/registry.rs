//! The part of `policy` that speaks with registries, and how any command reaches one.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::time::positive_duration;
use crate::exit::Failure;
use crate::registry::{Access, Flags};

/// What a command calls the flags that say how a registry is reached.
pub trait Named {
    /// The heading of the flags in the help.
    const HEADING: &'static str;
    /// The flags.
    const FLAGS: Flags;
}

/// The flags of commands that do nothing else than to speak with a registry.
#[derive(Clone, Debug)]
pub enum OfPolicy {}

impl Named for OfPolicy {
    const HEADING: &'static str = "Registry";
    const FLAGS: Flags = Flags { plain_http: "--plain-http", ca_cert: "--ca-cert", time_out: "--time-out" };
}

/// How a registry is reached, by flags that are called as `N` says.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = N::HEADING)]
pub struct RegistryAccess<N: Named = OfPolicy> {
    /// Speak plain HTTP with the registry: what is sent, credentials too, can be read on the way
    #[arg(long = name(N::FLAGS.plain_http), conflicts_with = "ca_cert")]
    pub plain_http: bool,
    /// Certificates of authorities to trust beside those of the system, PEM
    #[arg(long = name(N::FLAGS.ca_cert), value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// How long the registry may keep silent; everything together may take ten times as long
    #[arg(long = name(N::FLAGS.time_out), value_name = "TIME", default_value = "30s", value_parser = positive_duration)]
    pub time_out: Duration,
    #[arg(skip)]
    names: PhantomData<N>,
}

/// The name of a flag without the hyphens before it.
fn name(flag: &'static str) -> &'static str {
    flag.trim_start_matches('-')
}

impl<N: Named> RegistryAccess<N> {
    /// What the flags mean.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 if the certificates cannot be used.
    pub fn access(&self) -> Result<Access, Failure> {
        let access = Access::new(N::FLAGS, self.plain_http, self.ca_cert.as_deref(), self.time_out);
        access.map_err(|error| Failure::usage(format!("{}: {error}", N::FLAGS.ca_cert)))
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
