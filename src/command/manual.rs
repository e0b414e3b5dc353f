//! `sqledge-ha completions` and `sqledge-ha man`: what shells and manuals take, made from the definition of the command
//! line.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{Failure, Outcome};

/// Prints the completions of a shell.
///
/// # Errors
/// [`Failure`] with exit code 4 if standard output cannot be written.
pub fn completions(shell: Shell) -> Result<Outcome, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sqledge-ha", &mut text);
    if shell == Shell::Bash {
        // clap_complete 4.6 takes the hyphen in our name for the beginning of a command where it looks commands up, but
        // not where it finds out which one is meant.
        let script = String::from_utf8_lossy(&text).replace("sqledge__subcmd__ha", "sqledge__ha");
        return print(script.as_bytes());
    }
    print(&text)
}

/// Prints the manual page of a command, or of the whole program, in roff.
///
/// # Errors
/// [`Failure`] with exit code 2 for a command that does not exist.
pub fn page(path: &[String]) -> Result<Outcome, Failure> {
    let mut command = Cli::command();
    // Flags that all commands have, and full names, are there only once it is built.
    command.build();
    for name in path {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| Failure::usage(format!("there is no command `{name}`")))?;
    }
    let mut text = Vec::new();
    let source = concat!("sqledge-ha ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command).source(source).render(&mut text)?;
    print(&text)
}

fn print(text: &[u8]) -> Result<Outcome, Failure> {
    let mut output = std::io::stdout().lock();
    output.write_all(text)?;
    output.flush()?;
    Ok(Outcome::Clean)
}
