//! `sqledge-ha lint`.

use std::io::{self, BufWriter, Write};

use crate::cli::{Level, Lint, ReportFormat};
use crate::config::{self, Linting};
use crate::exit::{Failure, Outcome};
use crate::{input, linter, report};

/// Judges manifests and prints what is wrong.
///
/// # Errors
/// [`Failure`] with exit code 2 for wrong flags or configuration, and 4 if standard output cannot be written.
pub fn run(flags: &Lint) -> Result<Outcome, Failure> {
    let Linting { settings, exclusion } = config::linting(&flags.judging, &flags.inputs)?;
    report::output::check(&flags.reporting.output)?;
    let found = input::gather(&flags.inputs.paths, &flags.rendering, &exclusion, &linter::reader(&settings));
    let mut outcome = linter::lint(found.texts, found.unreachable, &settings, flags.inputs.partial);
    if !flags.judging.no_ignores {
        outcome.drop_ignored();
        outcome.note_comments(&settings, flags.inputs.partial);
    }
    if outcome.workloads == 0 {
        outcome.notes.extend(found.left_out.note());
    }
    report::output::spares_manifests(&flags.reporting.output, &outcome)?;
    // Files first: whoever reads standard output may stop reading.
    let unwritten = report::output::write_all(&flags.reporting.output, &outcome);
    let format = flags.reporting.format;
    if format == ReportFormat::Human {
        print(&outcome, format, anstream::stdout().lock())?;
    } else {
        print(&outcome, format, io::stdout().lock())?;
    }
    let ended = if unwritten { Outcome::Unreadable } else { end(&outcome, flags) };
    // The program ends, and its memory with it: taking apart what large sets came to would take longer.
    std::mem::forget(outcome);
    Ok(ended)
}

fn print(outcome: &linter::Outcome, format: ReportFormat, output: impl Write) -> io::Result<()> {
    let mut output = BufWriter::new(output);
    report::write(format, outcome, &mut output)?;
    output.flush()
}

/// Never green by accident: what could not be read, and what was not checked, is no success.
fn end(outcome: &linter::Outcome, flags: &Lint) -> Outcome {
    let fails =
        outcome.count(Level::Error) > 0 || (flags.fail_on == Level::Warning && outcome.count(Level::Warning) > 0);
    // A part of an application may well be one without a database, but not one with a database that was passed over.
    let nothing = outcome.workloads == 0 && (!flags.inputs.partial || outcome.ungoverned > 0);
    match (outcome.unread.is_empty(), fails, nothing) {
        (false, ..) => Outcome::Unreadable,
        (true, true, _) => Outcome::Findings,
        (true, false, true) => Outcome::NothingToCheck,
        (true, false, false) => Outcome::Clean,
    }
}
