//! How the command ends: its exit codes, and its last words.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use sqledge_ha_policy::finding::may_mislead;

/// The ways the command ends, by their exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Nothing is wrong.
    Clean = 0,
    /// Something is wrong at or above `--fail-on`.
    Findings = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// There was nothing to check.
    NothingToCheck = 3,
    /// Some input could not be read or parsed.
    Unreadable = 4,
    /// A bug in this program.
    Bug = 70,
}

/// An end before the work was done, with what to tell.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub outcome: Outcome,
    /// One sentence for a person; empty if everything has been said.
    pub message: String,
}

impl Failure {
    /// The command line or the configuration is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure { outcome: Outcome::Usage, message: message.into() }
    }

    /// An input or output could not be used.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Failure { outcome: Outcome::Unreadable, message: message.into() }
    }
}

impl From<std::io::Error> for Failure {
    /// Standard output is gone. A reader that has seen enough, such as `head`, is no failure.
    fn from(error: std::io::Error) -> Self {
        let outcome = if error.kind() == std::io::ErrorKind::BrokenPipe { Outcome::Clean } else { Outcome::Unreadable };
        let message =
            if outcome == Outcome::Clean { String::new() } else { format!("cannot write the output: {error}") };
        Failure { outcome, message }
    }
}

/// Runs `work` and turns whatever comes of it into an exit code: an outcome, a failure, or a bug.
pub fn guarded(work: impl FnOnce() -> Result<Outcome, Failure>) -> ExitCode {
    let outcome = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(failure)) => {
            if !failure.message.is_empty() {
                say("error", &failure.message);
            }
            failure.outcome
        }
        Err(_) => {
            say("bug", "this should not have happened; please report it with the input that led here");
            Outcome::Bug
        }
    };
    ExitCode::from(outcome as u8)
}

/// A text without characters that would drive a terminal: file names may hold them.
pub fn plain(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned(); // Most are, and there may be many.
    }
    text.chars().map(|character| if may_mislead(character) { '\u{fffd}' } else { character }).collect()
}

/// Tells a person something that is not part of the report.
pub fn say(kind: &str, message: &str) {
    let message: String = message.split('\n').map(plain).collect::<Vec<_>>().join("\n");
    // Without standard error there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "{kind}: {message}");
}
