//! `sqledge-ha completions` and `sqledge-ha man`, generated from the definition of the command line.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{CommandError, ExitStatus};

/// Prints the completions for a shell.
///
/// # Errors
/// [`CommandError`] with exit code 4 if standard output cannot be written.
pub fn completions(shell: Shell) -> Result<ExitStatus, CommandError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sqledge-ha", &mut text);
    if shell == Shell::Bash {
        // clap_complete 4.6 treats the hyphen in the name inconsistently: as a separator of subcommands only in some
        // places.
        let script = String::from_utf8_lossy(&text).replace("sqledge__subcmd__ha", "sqledge__ha");
        return print(script.as_bytes());
    }
    print(&text)
}

/// Prints the manual page of a command, or of the program, in roff.
///
/// # Errors
/// [`CommandError`] with exit code 2 if the command does not exist.
pub fn page(path: &[String]) -> Result<ExitStatus, CommandError> {
    let mut command = Cli::command();
    // Building adds global flags and full names.
    command.build();
    for name in path {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| CommandError::usage(format!("unknown command `{name}`")))?;
    }
    let mut text = Vec::new();
    let source = concat!("sqledge-ha ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command).source(source).render(&mut text)?;
    print(&text)
}

fn print(text: &[u8]) -> Result<ExitStatus, CommandError> {
    let mut output = std::io::stdout().lock();
    output.write_all(text)?;
    output.flush()?;
    Ok(ExitStatus::Clean)
}
