//! `sqledge-ha lint`.

use super::report_output;
use crate::cli::{Level, Lint};
use crate::config::{self, Linting};
use crate::exit::{ExitStatus, Failure};
use crate::{input, linter};

/// Judges manifests and prints what is wrong.
///
/// # Errors
/// [`Failure`] with exit code 2 for wrong flags or configuration, and 4 if standard output cannot be written.
pub fn run(flags: &Lint) -> Result<ExitStatus, Failure> {
    let Linting { settings, exclusion } = config::linting(&flags.judging, &flags.inputs)?;
    report_output::reject_duplicates(&flags.reporting.output)?;
    let rendering = flags.rendering.clone().into();
    let found = input::collect(&flags.inputs.paths, &rendering, &exclusion, &linter::reader(&settings));
    let mut outcome = linter::lint(found.texts, found.missing, &settings, flags.inputs.partial);
    if !flags.judging.no_ignores {
        outcome.drop_ignored();
        outcome.note_comments(&settings, flags.inputs.partial);
    }
    if outcome.workloads == 0 {
        outcome.notes.extend(found.excluded.note());
    }
    report_output::reject_overwrites(&flags.reporting.output, &outcome)?;
    // Files first: the reader of standard output can close it early.
    let are_written = report_output::write_files(&flags.reporting.output, &outcome);
    report_output::print(flags.reporting.format, &outcome)?;
    Ok(if are_written { end(&outcome, flags) } else { ExitStatus::Unreadable })
}

/// Never green by accident: what could not be read, and what was not checked, is no success.
fn end(outcome: &linter::Outcome, flags: &Lint) -> ExitStatus {
    let fails =
        outcome.count(Level::Error) > 0 || (flags.fail_on == Level::Warning && outcome.count(Level::Warning) > 0);
    // A part of an application may well be one without a database, but not one with a database that was passed over.
    let nothing = outcome.workloads == 0 && (!flags.inputs.partial || outcome.ungoverned > 0);
    match (outcome.unread.is_empty(), fails, nothing) {
        (false, ..) => ExitStatus::Unreadable,
        (true, true, _) => ExitStatus::Findings,
        (true, false, true) => ExitStatus::NothingToCheck,
        (true, false, false) => ExitStatus::Clean,
    }
}
