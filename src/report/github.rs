//! The report as workflow commands of GitHub Actions, which shows them as annotations of a pull request.
//!
//! GitHub shows at most ten annotations of each level for a step. The last line says how many are only in the log.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use super::location::{LineRange, Location, SourceFiles};
use super::path::ReportPath;
use super::text::{error_and_help, error_file, level_name, message_and_help_in, object_name, summary};
use crate::counted::counted;
use crate::escape::escape_lines;
use crate::linter::{InputError, Level, LintResult, LocatedFinding};

/// The number of annotations of one level that GitHub shows for a step.
const SHOWN_ANNOTATIONS: usize = 10;

/// The title of annotations without a rule.
const TITLE: &str = "sqledge-ha";

/// Writes a report of a run in `directory`.
///
/// # Errors
/// Errors of `output`.
pub fn write(result: &LintResult, directory: &Path, output: &mut impl Write) -> io::Result<()> {
    let mut files = SourceFiles::new(result);
    for error in &result.errors {
        writeln!(output, "{}", error_command(error, &mut files, directory))?;
    }
    for located in &result.findings {
        let Some(location) = files.finding(located) else { continue };
        writeln!(output, "{}", finding_command(located, &location, directory))?;
    }
    for note in &result.notes {
        writeln!(output, "::notice title={TITLE}::{}", escape_data(note))?;
    }
    writeln!(output, "{}", summary(result))?;
    let errors = result.count(Level::Error) + result.errors.len();
    let hidden =
        errors.saturating_sub(SHOWN_ANNOTATIONS) + result.count(Level::Warning).saturating_sub(SHOWN_ANNOTATIONS);
    if hidden > 0 {
        let (annotations, are) = (counted(hidden, "annotation"), if hidden == 1 { "is" } else { "are" });
        writeln!(output, "{annotations} {are} only in this log: GitHub shows {SHOWN_ANNOTATIONS} of each level")?;
    }
    Ok(())
}

fn finding_command(located: &LocatedFinding, location: &Location<'_>, directory: &Path) -> String {
    let level = level_name(located.level());
    let path = ReportPath::new(location.file, directory);
    let mut command = format!("::{level} file={}", escape_property(path.as_str()));
    if let Some(LineRange { start, end }) = location.range {
        let _ = write!(command, ",line={},endLine={}", start.line, end.line);
        // GitHub uses columns only if both are on the same line.
        if start.line == end.line {
            let _ = write!(command, ",col={},endColumn={}", start.column, end.column);
        }
    }
    let title = format!("{}: {}", located.finding.rule, object_name(&located.object));
    let message = escape_data(&message_and_help_in(located, location));
    let _ = write!(command, ",title={}::{message}", escape_property(&title));
    command
}

fn error_command(error: &InputError, files: &mut SourceFiles<'_>, directory: &Path) -> String {
    let location = files.error(error);
    let path = ReportPath::new(error_file(error, location.as_ref()), directory);
    let mut command = format!("::error file={}", escape_property(path.as_str()));
    if let Some(LineRange { start, .. }) = location.as_ref().and_then(|location| location.range) {
        let _ = write!(command, ",line={},col={}", start.line, start.column);
    }
    let _ = write!(command, ",title={TITLE}::{}", escape_data(&error_and_help(error)));
    command
}

/// Escapes the message of a workflow command.
fn escape_data(text: &str) -> String {
    escape_lines(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a workflow command.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_of_workflow_commands_are_escaped() {
        assert_eq!(escape_data("100% a:b,\n::error::c"), "100%25 a:b,%0A::error::c");
        assert_eq!(escape_property("a%,b:c\nd"), "a%25%2Cb%3Ac%0Ad");
        assert_eq!(escape_data("a\r\u{1b}[2J"), "a\u{fffd}\u{fffd}[2J");
    }
}
