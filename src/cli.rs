//! Every command and flag, once.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use sqledge_ha_policy::engine::Engine;

use crate::exit::{Failure, Outcome};

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
    /// The Kubewarden policy inside this command
    #[command(subcommand)]
    Policy(Policy),
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
