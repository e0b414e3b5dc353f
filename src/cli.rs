//! The definition of every command and flag.

#[cfg(feature = "audit")]
mod audit;
#[cfg(feature = "registry")]
mod install;
mod manifests;
#[cfg(feature = "registry")]
mod registry;
mod rendering;
#[cfg(feature = "serve")]
mod serve;
#[cfg(any(feature = "audit", feature = "registry"))]
mod time;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use sqledge_ha_policy::kubernetes::is_dns_label;

#[cfg(feature = "audit")]
pub use self::audit::{AuditCommand, AuditReport, ClusterConnection, Publishing, Recover, TimerFlag};
#[cfg(feature = "serve")]
pub use self::audit::{AuditManifests, AuditOther};
#[cfg(feature = "registry")]
pub use self::install::Policy;
#[cfg(feature = "serve")]
pub use self::install::{PolicyAccess, PolicyManifest, Webhook, WebhookGitops, WebhookManifests};
pub use self::manifests::{CheckOptions, EngineChoice, Fix, Inputs, Lint, ReportFile, Reporting};
#[cfg(feature = "registry")]
pub use self::registry::{
    InspectionFormat, PolicyFlags, PolicyInspect, PolicyPull, PolicyPush, RegistryAccess, RegistryFlagNames,
};
pub use self::rendering::{Helm, Rendering};
#[cfg(feature = "serve")]
pub use self::serve::{ClusterAccess, ModuleRegistry, Review, Serve, ServeFlagNames, ServeLimits, Tls};
use crate::exit::{CommandError, ExitStatus};

/// Parses the name of a namespace.
fn namespace(text: &str) -> Result<String, String> {
    if is_dns_label(text) {
        return Ok(text.to_owned());
    }
    Err("names of namespaces have at most 63 characters: lowercase letters, digits and `-` inside".to_owned())
}
use crate::terminal::{Layout, TextOutput};

/// Keeps Azure SQL Edge highly available on Kubernetes.
///
/// SQL Edge does not replicate data between pods. It stays available if Kubernetes can replace its pod on any amd64
/// node, with the databases on a persistent volume claim and a stable address for clients. This command finds and fixes
/// manifests that prevent that. The admission webhook and the Kubewarden policy check the same rules.
#[derive(Debug, Parser)]
#[command(name = "sqledge-ha", version = VERSION, arg_required_else_help = true, after_help = after_help())]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// When to use color; `auto` follows NO_COLOR, CLICOLOR_FORCE and the terminal
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN", global = true, display_order = 100)]
    pub color: ColorChoice,
}

/// The package version, with the commit if it is known.
const VERSION: &str = env!("SQLEDGE_HA_VERSION");

const EXIT_CODES: &str = "\
Exit codes:
   0  no findings at or above --fail-on
   1  findings at or above --fail-on
   2  wrong usage or configuration
   3  nothing to check
   4  an input or a cluster cannot be read, an output cannot be written, or a registry operation failed
  70  internal error";

/// Commands that a build without default features lacks.
const MISSING_COMMANDS: &[&str] = if cfg!(feature = "serve") {
    &[]
} else if cfg!(all(feature = "audit", feature = "registry")) {
    &["review", "serve", "webhook"]
} else if cfg!(feature = "audit") {
    &["policy", "review", "serve", "webhook"]
} else if cfg!(feature = "registry") {
    &["audit", "recover", "review", "serve", "webhook"]
} else {
    &["audit", "policy", "recover", "review", "serve", "webhook"]
};

/// Where the whole program is.
const WHOLE_PROGRAM: &str = concat!(
    "download the whole program from https://github.com/sqledge-ha/sqledge-ha/releases/tag/v",
    env!("CARGO_PKG_VERSION"),
    ", or build it with `cargo build --release --locked` from its sources"
);

fn after_help() -> String {
    let missing: Vec<String> = MISSING_COMMANDS.iter().map(|name| format!("`{name}`")).collect();
    let missing = (!missing.is_empty())
        .then(|| format!("This build lacks {}. To get them, {WHOLE_PROGRAM}.", missing.join(", ")));
    [EXIT_CODES.to_owned()].into_iter().chain(missing).collect::<Vec<_>>().join("\n\n")
}

/// The error for a command that is missing in this build.
fn missing_command(error: &clap::Error, missing: &[&str]) -> Option<CommandError> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let message = || format!("this build has no command `{name}`; {WHOLE_PROGRAM}");
    missing.contains(&name.as_str()).then(|| CommandError::usage(message()))
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check manifests
    Lint(Lint),
    /// Fix findings in manifests, keeping comments and formatting
    Fix(Fix),
    /// Explain a rule: what it requires, why, and how to fix findings
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
    /// Check the databases of a live cluster, and predict what each failure does to them
    ///
    /// Changes nothing, except with --write-reports. Predicts for each database what happens if its container ends, its
    /// pod is deleted, its pod template changes, its node is drained, restarts, fails or loses its network, its zone
    /// fails, or all nodes get a new image: whether it comes back by itself and when, waits for a person, never starts,
    /// runs twice on the same files, or loses data.
    #[cfg(feature = "audit")]
    Audit(Box<AuditCommand>),
    /// Move the databases of a failed node to other nodes, and wait until they are back
    ///
    /// Shows the databases and the other pods of the node, asks whether its machine is off, and adds the taint
    /// node.kubernetes.io/out-of-service. Kubernetes then removes the pods of the node and detaches its volumes. A node
    /// that is Ready, or answered a moment ago, is not changed.
    #[cfg(feature = "audit")]
    Recover(Box<Recover>),
    /// Print the JSON schema of the configuration
    ConfigSchema,
    /// Run the language server for editors, on standard input and output
    ///
    /// The editor shows findings while you type, and applies fixes. It starts the command by itself, and passes
    /// settings: docs/editors.md shows how.
    Lsp {
        /// Accepted because some editors add it
        #[arg(long, hide = true)]
        stdio: bool,
    },
    /// Print the answer of the embedded module to an AdmissionReview
    ///
    /// The exit code is 0 also if the module rejects the request.
    #[cfg(feature = "serve")]
    Review(Review),
    /// Run the admission webhook
    #[cfg(feature = "serve")]
    Serve(Box<Serve>),
    /// Print manifests that install the webhook
    #[cfg(feature = "serve")]
    #[command(subcommand)]
    Webhook(Webhook),
    /// Print, publish, fetch or inspect the Kubewarden policy inside this command
    #[cfg(feature = "registry")]
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

/// Parses a command line, program name first.
///
/// # Errors
/// [`CommandError`] with exit code 2 for a wrong command line, and with exit code 0 if the user asked for help or the
/// version. The text is already printed in both cases.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, CommandError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(choice) = color_choice(&arguments) {
        let choice = match choice {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
    let command = if is_plugin(&arguments) { Cli::command().bin_name(PLUGIN_NAME) } else { Cli::command() };
    let parsed = command.try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        if let Some(failure) = missing_command(&error, MISSING_COMMANDS) {
            return failure;
        }
        let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        // If standard error is closed, the exit code is all that is left.
        let _ = print_usage(&error);
        CommandError { status: if is_help { ExitStatus::Clean } else { ExitStatus::Usage }, message: String::new() }
    })
}

/// Prints a usage error or the help.
fn print_usage(error: &clap::Error) -> io::Result<()> {
    let is_error = error.use_stderr();
    let output: Box<dyn Write> = if is_error { Box::new(anstream::stderr()) } else { Box::new(anstream::stdout()) };
    // It is wrapped already.
    let mut output = TextOutput::new(output, Layout { width: None, ..Layout::of_stdout() });
    write!(output, "{}", error.render().ansi())?;
    output.flush()
}

/// The command line that starts this program if it is installed as `kubectl-sqledge_ha`.
const PLUGIN_NAME: &str = "kubectl sqledge-ha";

/// Whether the program is started by kubectl, which names plugins after their files.
fn is_plugin(arguments: &[OsString]) -> bool {
    let name = arguments.first().map(Path::new).and_then(Path::file_stem).and_then(OsStr::to_str);
    name.is_some_and(|name| name == "kubectl-sqledge_ha")
}

/// The value of `--color`, which is read before the other arguments because it also applies to help and usage errors.
fn color_choice(arguments: &[OsString]) -> Option<ColorChoice> {
    const FLAG: &str = "--color";
    let mut choice = None;
    let mut arguments =
        arguments.iter().filter_map(|argument| argument.to_str()).take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix(FLAG) {
            Some("") => arguments.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        choice = value.and_then(|value| ColorChoice::from_str(value, false).ok()).or(choice);
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_a_dns_label() {
        assert_eq!(namespace("team-2"), Ok("team-2".to_owned()));
        for wrong in ["", "A_B", "a b", "-a", "a-", "a.b", &"a".repeat(64)] {
            assert!(namespace(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn color_flag_is_found_at_any_position_before_two_hyphens() {
        let choice = |line: &str| color_choice(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(choice("sqledge-ha lint --help"), None);
        assert_eq!(choice("sqledge-ha lint --color=never --help"), Some(ColorChoice::Never));
        assert_eq!(choice("sqledge-ha --color always lint"), Some(ColorChoice::Always));
        assert_eq!(choice("sqledge-ha --color purple"), None);
        assert_eq!(choice("sqledge-ha lint -- --color never"), None);
    }

    #[test]
    fn error_for_a_command_of_another_build_says_where_to_get_it() {
        let error = Cli::try_parse_from(["sqledge-ha", "other", "--flag"]).unwrap_err();
        assert!(missing_command(&error, &["review"]).is_none());
        let failure = missing_command(&error, &["review", "other"]).unwrap();
        assert_eq!(failure.status, ExitStatus::Usage);
        assert!(failure.message.starts_with("this build has no command `other`; download the whole program from"));
        for name in MISSING_COMMANDS {
            let error = Cli::try_parse_from(["sqledge-ha", name]).unwrap_err();
            assert!(missing_command(&error, MISSING_COMMANDS).is_some(), "{name}");
        }
    }

    #[test]
    fn a_plugin_of_kubectl_is_known_by_its_file() {
        let is_plugin = |path: &str| is_plugin(&[OsString::from(path)]);
        assert!(is_plugin("/home/me/.krew/bin/kubectl-sqledge_ha") && is_plugin("kubectl-sqledge_ha.exe"));
        assert!(!is_plugin("sqledge-ha") && !super::is_plugin(&[]));
    }

    #[test]
    fn command_definition_is_valid() {
        Cli::command().debug_assert();
    }
}
