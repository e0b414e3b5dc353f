//! The commands: one file each.

use std::io::Write;

use crate::cli::{Cli, Command, Policy, Webhook};
use crate::exit::{ExitStatus, Failure};

pub mod explain;
pub mod fix;
pub mod lint;
pub mod manual;
pub mod policy;
pub mod policy_inspect;
pub mod policy_manifest;
pub mod policy_pull;
pub mod policy_push;
mod report_output;
pub mod review;
pub mod rules;
pub mod serve;
pub mod settings_schema;
pub mod webhook;

/// Runs a command.
///
/// # Errors
/// [`Failure`] with what to tell and the exit code.
pub fn run(cli: Cli) -> Result<ExitStatus, Failure> {
    match cli.command {
        Command::Lint(flags) => lint::run(&flags),
        Command::Fix(flags) => fix::run(&flags),
        Command::Explain { rule } => print(&explain::text(&rule)?),
        Command::Rules { format } => print(&rules::table(format)),
        Command::Review(flags) => review::run(&flags),
        Command::Serve(flags) => serve::run(&flags),
        Command::Policy(Policy::Wasm { output }) => policy::wasm(&output),
        Command::Policy(Policy::Metadata) => policy::metadata(),
        Command::Policy(Policy::SettingsSchema) => print(&settings_schema::text()),
        Command::Policy(Policy::Manifest(flags)) => print(&policy_manifest::text(&flags)?),
        Command::Policy(Policy::Access(flags)) => print(&policy_manifest::access(&flags)?),
        Command::Policy(Policy::Push(flags)) => policy_push::run(&flags),
        Command::Policy(Policy::Pull(flags)) => policy_pull::run(&flags),
        Command::Policy(Policy::Inspect(flags)) => print(&policy_inspect::text(&flags)?),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::page(&command),
        Command::Webhook(Webhook::Manifests(flags)) => print(&webhook::text(&flags)?),
    }
}

fn print(text: &str) -> Result<ExitStatus, Failure> {
    let mut output = anstream::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(ExitStatus::Clean)
}
