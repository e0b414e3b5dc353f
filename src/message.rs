//! Messages on standard error, next to the report on standard output.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Write};

use crate::escape::escape_lines;
use crate::terminal::Layout;

/// Prints `LABEL: MESSAGE` on standard error.
pub fn print_message(label: &str, message: &str) {
    // One write for a message: several processes can share standard error. If it is closed, the message is lost.
    let layout = Layout::of_stderr();
    let text = format!("{label}: {}", escape_lines(message));
    let lines: Vec<Cow<'_, str>> = text.split('\n').map(|line| layout.line(line)).collect();
    let _ = writeln!(anstream::stderr(), "{}", lines.join("\n"));
}

/// The message of an I/O error in lower case and without the error number.
pub fn describe_io_error(error: &io::Error) -> String {
    let message = error.to_string();
    let Some(number) = error.raw_os_error() else { return message };
    let message = message.strip_suffix(&format!(" (os error {number})")).unwrap_or(&message);
    let mut characters = message.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

/// The message of an error's innermost cause, which can be the error itself. The outer ones often only say that a
/// request failed.
pub fn describe_root_cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.downcast_ref::<io::Error>().map_or_else(|| innermost.to_string(), describe_io_error)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn io_errors_are_described_in_lower_case_without_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let missing = File::open(folder.path().join("missing")).unwrap_err();
        assert_eq!(describe_io_error(&missing), "no such file or directory");
        assert_eq!(describe_io_error(&fs::read(folder.path()).unwrap_err()), "is a directory");
        let custom = io::Error::new(ErrorKind::NotFound, "there is no helper");
        assert_eq!(describe_io_error(&custom), "there is no helper");
    }
}
