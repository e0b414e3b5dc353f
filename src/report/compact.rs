//! The report with one finding a line, for `grep`, editors and screen readers: `file:line:column: level[rule] message`.

use std::io::{self, Write};

use super::location::{Location, SourceFiles};
use super::text::{error_file, level_name, message_in};
use crate::escape::escape;
use crate::linter::LintResult;

/// Writes the input errors and the findings, without notes and summary.
///
/// # Errors
/// Errors of `output`.
pub fn write(result: &LintResult, output: &mut impl Write) -> io::Result<()> {
    let mut files = SourceFiles::new(result);
    for error in &result.errors {
        let location = files.error(error);
        let at = location_text(error_file(error, location.as_ref()), location.as_ref());
        writeln!(output, "{at}: error: {}", one_line(&error.error.message))?;
    }
    for located in &result.findings {
        let Some(location) = files.finding(located) else { continue };
        let (level, rule) = (level_name(located.level()), located.finding.rule);
        let at = location_text(location.file, Some(&location));
        writeln!(output, "{at}: {level}[{rule}] {}", one_line(&message_in(located, &location)))?;
    }
    Ok(())
}

/// `file:line:column`, or the file alone if the line is only in the rendered text.
fn location_text(file: &str, location: Option<&Location<'_>>) -> String {
    match location.and_then(|location| location.range) {
        Some(range) => format!("{}:{}:{}", escape(file), range.start.line, range.start.column),
        None => escape(file),
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("; ")
}
