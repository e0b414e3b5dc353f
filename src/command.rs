//! The commands: one file each.

use std::io::Write;

use crate::cli::{Cli, Command, Policy};
use crate::exit::{Failure, Outcome};

pub mod explain;
pub mod lint;
pub mod policy;
pub mod review;
pub mod rules;
pub mod settings_schema;

/// Runs a command.
///
/// # Errors
/// [`Failure`] with what to tell and the exit code.
pub fn run(cli: Cli) -> Result<Outcome, Failure> {
    match cli.command {
        Command::Lint(flags) => lint::run(&flags),
        Command::Explain { rule } => print(&explain::text(&rule)?),
        Command::Rules { format } => print(&rules::table(format)),
        Command::Review(flags) => review::run(&flags),
        Command::Policy(Policy::Wasm { output }) => policy::wasm(&output),
        Command::Policy(Policy::Metadata) => policy::metadata(),
        Command::Policy(Policy::SettingsSchema) => print(&settings_schema::text()),
    }
}

fn print(text: &str) -> Result<Outcome, Failure> {
    let mut output = anstream::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(Outcome::Clean)
}
