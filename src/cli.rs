//! Every command and flag, once.

mod install;
mod manifests;
mod registry;
mod serve;
mod time;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use self::install::{Policy, PolicyAccess, PolicyManifest, Webhook, WebhookManifests};
pub use self::manifests::{
    EngineChoice, Fix, Helm, Inputs, Judging, Level, Lint, Rendering, ReportFile, ReportFormat, Reporting,
};
pub use self::registry::{InspectionFormat, Named, OfPolicy, PolicyInspect, PolicyPull, PolicyPush, RegistryAccess};
pub use self::serve::{ClusterAccess, ModuleRegistry, OfModule, Serve, ServeLimits, Tls};
use crate::exit::{ExitStatus, Failure};

/// Keeps Azure SQL Edge highly available on Kubernetes.
///
/// SQL Edge has no clustering: it is available because one pod, with its databases on a persistent volume claim, can be
/// replaced on any amd64 node and found again behind an address that stays. This command finds manifests that break one
/// link of that chain, by the same rules that decide at admission.
#[derive(Debug, Parser)]
#[command(name = "sqledge-ha", version = VERSION, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// When to use colours; NO_COLOR and CLICOLOR_FORCE are heard where this says nothing else
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN", global = true)]
    pub color: ColorChoice,
}

/// The version of the package, with the commit that it was built from where that is known.
const VERSION: &str = env!("SQLEDGE_HA_VERSION");

const EXIT_CODES: &str = "\
Exit codes:
   0  nothing is wrong
   1  findings at or above --fail-on
   2  wrong usage or configuration
   3  nothing to check
   4  some input could not be read or parsed, or a registry did not give or take it
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
    ///
    /// A refusal is an answer like any other: the exit code is 0.
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

/// Parses a command line, the program's name first.
///
/// # Errors
/// [`Failure`] with exit code 2 for a wrong one; with exit code 0 where only help or the version was asked for. Either has
/// been printed.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Failure> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(choice) = colours_wanted(&arguments) {
        let choice = match choice {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
    Cli::try_parse_from(arguments).map_err(|error| {
        let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        // Nobody is left to tell if even that cannot be printed.
        let _ = error.print();
        Failure { status: if asked_for { ExitStatus::Clean } else { ExitStatus::Usage }, message: String::new() }
    })
}

/// The value of `--color`, looked for before anything else: it holds for help and for what is wrong with the rest too.
fn colours_wanted(arguments: &[OsString]) -> Option<ColorChoice> {
    const FLAG: &str = "--color";
    let mut wanted = None;
    let mut arguments =
        arguments.iter().filter_map(|argument| argument.to_str()).take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix(FLAG) {
            Some("") => arguments.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        wanted = value.and_then(|value| ColorChoice::from_str(value, false).ok()).or(wanted);
    }
    wanted
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn colours_are_wanted_wherever_the_flag_stands() {
        let wanted = |line: &str| colours_wanted(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(wanted("sqledge-ha lint --help"), None);
        assert_eq!(wanted("sqledge-ha lint --color=never --help"), Some(ColorChoice::Never));
        assert_eq!(wanted("sqledge-ha --color always lint"), Some(ColorChoice::Always));
        assert_eq!(wanted("sqledge-ha --color purple"), None);
        assert_eq!(wanted("sqledge-ha lint -- --color never"), None);
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
