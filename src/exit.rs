//! Exit codes, and how the command ends.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::message::{describe_io_error, print_message};

/// The exit codes of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// No findings at or above `--fail-on`.
    Clean = 0,
    /// Findings at or above `--fail-on`.
    Findings = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Nothing to check.
    NothingToCheck = 3,
    /// An input cannot be read, an output cannot be written, or a registry operation failed.
    Unreadable = 4,
    /// A bug in this program.
    Bug = 70,
}

/// An error that ends the command.
#[derive(Debug)]
pub struct CommandError {
    /// The exit code.
    pub status: ExitStatus,
    /// The error message; empty if it has been printed.
    pub message: String,
}

impl CommandError {
    /// Wrong usage or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        CommandError { status: ExitStatus::Usage, message: message.into() }
    }

    /// An input cannot be read, or an output cannot be written.
    pub fn unreadable(message: impl Into<String>) -> Self {
        CommandError { status: ExitStatus::Unreadable, message: message.into() }
    }

    /// A bug in this program.
    pub fn bug(error: impl Display) -> Self {
        CommandError { status: ExitStatus::Bug, message: error.to_string() }
    }
}

impl From<io::Error> for CommandError {
    /// Standard output cannot be written. A reader that closes the pipe early, such as `head`, is not an error.
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            return CommandError { status: ExitStatus::Clean, message: String::new() };
        }
        CommandError::unreadable(format!("cannot write the output: {}", describe_io_error(&error)))
    }
}

/// Runs `work`, prints its error, and returns the exit code. A panic is a bug.
pub fn run_guarded(work: impl FnOnce() -> Result<ExitStatus, CommandError>) -> ExitCode {
    let status = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(status)) => status,
        Ok(Err(failure)) => {
            if !failure.message.is_empty() {
                print_message("error", &failure.message);
            }
            failure.status
        }
        Err(_) => {
            print_message("bug", "internal error; please report it with the input that caused it");
            ExitStatus::Bug
        }
    };
    ExitCode::from(status as u8)
}
