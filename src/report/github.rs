//! The report as workflow commands of GitHub Actions, which become annotations in the files of a pull request.
//!
//! Of a step, GitHub shows ten annotations of each level; the others stand in its log only, and the last line says so.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::address::Addresses;
use super::place::{
    Place, Region, Texts, counted, level_name, object_name, problem_and_help, statement_and_help, summary, unread_file,
};
use crate::exit::plain;
use crate::linter::Level;
use crate::linter::{InputError, LintResult, LocatedFinding};

/// How many annotations of one level GitHub shows of a step.
const SHOWN: usize = 10;

/// What annotations without a rule are called.
const TITLE: &str = "sqledge-ha";

/// Writes a report.
///
/// # Errors
/// Those of `output`.
pub fn write(outcome: &LintResult, output: &mut impl Write) -> io::Result<()> {
    let (mut texts, addresses) = (Texts::new(outcome), Addresses::here());
    for unread in &outcome.errors {
        writeln!(output, "{}", problem(unread, &mut texts, &addresses))?;
    }
    for located in &outcome.findings {
        let Some(place) = texts.finding(located) else { continue };
        writeln!(output, "{}", finding(located, &place, &addresses))?;
    }
    for note in &outcome.notes {
        writeln!(output, "::notice title={TITLE}::{}", data(note))?;
    }
    writeln!(output, "{}", summary(outcome))?;
    let errors = outcome.count(Level::Error) + outcome.errors.len();
    let hidden = errors.saturating_sub(SHOWN) + outcome.count(Level::Warning).saturating_sub(SHOWN);
    if hidden > 0 {
        let (of, are) = (counted(hidden, "annotation"), if hidden == 1 { "is" } else { "are" });
        writeln!(output, "{of} {are} in this log only: GitHub shows {SHOWN} of each level")?;
    }
    Ok(())
}

fn finding(located: &LocatedFinding, place: &Place<'_>, addresses: &Addresses) -> String {
    let level = level_name(located.level());
    let mut command = format!("::{level} file={}", property(addresses.of(&place.file).path()));
    if let Some(Region { start, end }) = place.region {
        let _ = write!(command, ",line={},endLine={}", start.line, end.line);
        // Columns count only where both are on one line.
        if start.line == end.line {
            let _ = write!(command, ",col={},endColumn={}", start.column, end.column);
        }
    }
    let title = format!("{}: {}", located.finding.rule, object_name(&located.object));
    let _ = write!(command, ",title={}::{}", property(&title), data(&statement_and_help(&located.finding)));
    command
}

fn problem(unread: &InputError, texts: &mut Texts<'_>, addresses: &Addresses) -> String {
    let place = texts.unread(unread);
    let file = unread_file(unread, place.as_ref());
    let mut command = format!("::error file={}", property(addresses.of(file).path()));
    if let Some(Region { start, .. }) = place.as_ref().and_then(|place| place.region) {
        let _ = write!(command, ",line={},col={}", start.line, start.column);
    }
    let _ = write!(command, ",title={TITLE}::{}", data(&problem_and_help(unread)));
    command
}

/// What is said, fit for a command: on one line.
fn data(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(plain).collect();
    lines.join("\n").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value, fit for a command's list of them.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_commands_is_escaped() {
        assert_eq!(data("100% a:b,\n::error::c"), "100%25 a:b,%0A::error::c");
        assert_eq!(property("a%,b:c\nd"), "a%25%2Cb%3Ac%0Ad");
        assert_eq!(data("a\r\u{1b}[2J"), "a\u{fffd}\u{fffd}[2J");
    }
}
