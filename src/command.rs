//! The commands: one file each.

use std::io::Write;

#[cfg(feature = "audit")]
use crate::cli::AuditCommand;
#[cfg(feature = "serve")]
use crate::cli::AuditOther;
#[cfg(feature = "registry")]
use crate::cli::Policy;
#[cfg(feature = "serve")]
use crate::cli::Webhook;
use crate::cli::{Cli, Command, TableFormat};
use crate::config::schema;
use crate::exit::{CommandError, ExitStatus};
use crate::terminal::{Layout, TextOutput, wrap_markdown};

#[cfg(feature = "audit")]
pub mod audit;
#[cfg(feature = "serve")]
pub mod audit_manifests;
pub mod explain;
pub mod fix;
pub mod lint;
pub mod lsp;
pub mod manual;
#[cfg(feature = "audit")]
mod objects;
#[cfg(feature = "registry")]
pub mod policy;
#[cfg(feature = "registry")]
pub mod policy_inspect;
#[cfg(feature = "serve")]
pub mod policy_manifest;
#[cfg(feature = "registry")]
pub mod policy_pull;
#[cfg(feature = "registry")]
pub mod policy_push;
#[cfg(feature = "audit")]
pub mod recover;
mod report_output;
#[cfg(feature = "serve")]
pub mod review;
pub mod rules;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "serve")]
pub mod webhook;

/// Runs a command.
///
/// # Errors
/// [`CommandError`] with the exit code and a message.
pub fn run(cli: Cli) -> Result<ExitStatus, CommandError> {
    match cli.command {
        #[cfg(feature = "audit")]
        Command::Audit(flags) => audit(&flags),
        #[cfg(feature = "audit")]
        Command::Recover(flags) => recover::run(&flags),
        Command::Lint(flags) => lint::run(&flags),
        Command::Fix(flags) => fix::run(&flags),
        Command::Explain { rule } => print_text(&wrap_markdown(&explain::text(&rule)?, Layout::of_stdout().width)),
        Command::Rules { format: TableFormat::Human } => print_text(&rules::table(TableFormat::Human)),
        Command::Rules { format } => print(&rules::table(format)),
        Command::Lsp { .. } => lsp::run(),
        Command::ConfigSchema => print(&schema::text()),
        #[cfg(feature = "serve")]
        Command::Review(flags) => review::run(&flags),
        #[cfg(feature = "serve")]
        Command::Serve(flags) => serve::run(&flags),
        #[cfg(feature = "serve")]
        Command::Webhook(Webhook::Manifests(flags)) => print(&webhook::text(&flags)?),
        #[cfg(feature = "serve")]
        Command::Webhook(Webhook::Gitops(flags)) => print(&webhook::gitops(&flags)?),
        #[cfg(feature = "registry")]
        Command::Policy(command) => policy(&command),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::page(&command),
    }
}

#[cfg(feature = "audit")]
fn audit(flags: &AuditCommand) -> Result<ExitStatus, CommandError> {
    #[cfg(feature = "serve")]
    if let Some(AuditOther::Manifests(flags)) = &flags.other {
        return print(&audit_manifests::text(flags)?);
    }
    audit::run(flags)
}

#[cfg(feature = "registry")]
fn policy(command: &Policy) -> Result<ExitStatus, CommandError> {
    match command {
        Policy::Wasm { output } => policy::wasm(output),
        Policy::Metadata => policy::metadata(),
        Policy::SettingsSchema => print(&crate::settings_schema::text()),
        #[cfg(feature = "serve")]
        Policy::Manifest(flags) => print(&policy_manifest::text(flags)?),
        #[cfg(feature = "serve")]
        Policy::Access(flags) => print(&policy_manifest::access(flags)?),
        Policy::Push(flags) => policy_push::run(flags),
        Policy::Pull(flags) => policy_pull::run(flags),
        Policy::Inspect(flags) => print(&policy_inspect::text(flags)?),
    }
}

/// Prints a text for people, laid out for the terminal.
fn print_text(text: &str) -> Result<ExitStatus, CommandError> {
    print_in(Layout::of_stdout(), text)
}

/// Prints a text as it is.
fn print(text: &str) -> Result<ExitStatus, CommandError> {
    print_in(Layout::default(), text)
}

fn print_in(layout: Layout, text: &str) -> Result<ExitStatus, CommandError> {
    let mut output = TextOutput::new(anstream::stdout().lock(), layout);
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(ExitStatus::Clean)
}
