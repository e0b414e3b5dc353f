//! `sqledge-ha lint`.

use std::io::{self, BufWriter, Write};

use crate::cli::Lint;
use crate::command::sources;
use crate::config::{self, LintConfig};
use crate::exit::{Failure, Outcome};
use crate::linter::LintResult;
use crate::prefilter::Prefilter;
use crate::report::ReportFormat;
use crate::{input, report};

/// Checks manifests and prints the findings.
///
/// # Errors
/// [`Failure`] with exit code 2 for wrong flags or configuration, and 4 if standard output cannot be written.
pub fn run(flags: &Lint) -> Result<Outcome, Failure> {
    let LintConfig { settings, exclusion } = config::lint_config(&flags.checks, &flags.inputs)?;
    report::output::check(&flags.reporting.output)?;
    let (prefilter, partial) = (Prefilter::new(&settings), flags.inputs.partial);
    let found = input::gather(&flags.inputs.paths, &flags.rendering, &exclusion, &sources::scanner(&prefilter));
    let excluded = found.left_out;
    let mut result = sources::lint(found, &prefilter, partial);
    if !flags.no_ignores {
        result.apply_ignores();
        result.note_comments(&settings, partial);
    }
    if result.workloads == 0 {
        result.notes.extend(excluded.note());
    }
    report::output::spares_manifests(&flags.reporting.output, &result)?;
    // Files first: the reader of standard output can close it early.
    let has_failed = report::output::write_all(&flags.reporting.output, &result);
    let format = flags.reporting.format;
    if format == ReportFormat::Human {
        print(&result, format, anstream::stdout().lock())?;
    } else {
        print(&result, format, io::stdout().lock())?;
    }
    Ok(if has_failed { Outcome::Unreadable } else { outcome(&result, flags) })
}

fn print(result: &LintResult, format: ReportFormat, output: impl Write) -> io::Result<()> {
    let mut output = BufWriter::new(output);
    report::write(format, result, &mut output)?;
    output.flush()
}

/// Unreadable input takes precedence over findings, and a run without anything to check does not succeed.
fn outcome(result: &LintResult, flags: &Lint) -> Outcome {
    if !result.errors.is_empty() {
        Outcome::Unreadable
    } else if result.findings.iter().any(|located| located.level() >= flags.fail_on) {
        Outcome::Findings
    } else if result.is_nothing_to_check(flags.inputs.partial) {
        Outcome::NothingToCheck
    } else {
        Outcome::Clean
    }
}
