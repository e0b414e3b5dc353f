//! How the command ends: its exit codes, and its last words.

use std::io::{self, ErrorKind};

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

impl From<io::Error> for Failure {
    /// Standard output is gone. A reader that has seen enough, such as `head`, is no failure.
    fn from(error: io::Error) -> Self {
        let outcome = if error.kind() == ErrorKind::BrokenPipe { Outcome::Clean } else { Outcome::Unreadable };
        let message = if outcome == Outcome::Clean {
            String::new()
        } else {
            format!("cannot write the output: {}", in_words(&error))
        };
        Failure { outcome, message }
    }
}

/// Runs `work` and turns whatever comes of it into an exit code: an outcome, a failure, or a bug.
#[cfg(not(target_family = "wasm"))]
pub fn guarded(work: impl FnOnce() -> Result<Outcome, Failure>) -> std::process::ExitCode {
    let outcome = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
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
    std::process::ExitCode::from(outcome as u8)
}

/// A text without characters that would drive a terminal: file names may hold them.
pub fn plain(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned(); // Most are, and there may be many.
    }
    text.chars().map(|character| if may_mislead(character) { '\u{fffd}' } else { character }).collect()
}

/// What a person is told of an error of the system: of what is met most, the same everywhere.
pub fn in_words(error: &io::Error) -> String {
    let known = match error.kind() {
        // Somebody has found words for it.
        _ if error.get_ref().is_some() => None,
        ErrorKind::NotFound => Some("there is no such file or directory"),
        ErrorKind::IsADirectory => Some("it is a directory"),
        ErrorKind::PermissionDenied => Some("permission denied"),
        _ => None,
    };
    known.map_or_else(|| without_number(error), str::to_owned)
}

/// What the system says, as a part of a sentence. Its number of the error says nothing more.
fn without_number(error: &io::Error) -> String {
    let said = error.to_string();
    let Some(number) = error.raw_os_error() else { return said };
    let words = said.strip_suffix(&format!(" (os error {number})")).unwrap_or(&said);
    let mut characters = words.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

/// Tells a person something that is not part of the report.
#[cfg(not(target_family = "wasm"))]
pub fn say(kind: &str, message: &str) {
    let message: String = message.split('\n').map(plain).collect::<Vec<_>>().join("\n");
    use std::io::Write;
    // If standard error is closed, there is no other place for the message.
    let _ = writeln!(anstream::stderr(), "{kind}: {message}");
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn what_the_system_says_is_put_in_words_once() {
        let folder = tempfile::tempdir().unwrap();
        let missing = File::open(folder.path().join("missing")).unwrap_err();
        assert_eq!(in_words(&missing), "there is no such file or directory");
        assert_eq!(in_words(&fs::read(folder.path()).unwrap_err()), "it is a directory");
        assert_eq!(in_words(&ErrorKind::PermissionDenied.into()), "permission denied");
        assert_eq!(in_words(&io::Error::from_raw_os_error(28)), "no space left on device");
        let told = io::Error::new(ErrorKind::NotFound, "there is no helper");
        assert_eq!(in_words(&told), "there is no helper");
    }
}
