//! `sqledge-ha lint`.

use std::path::Path;

use crate::baseline::Baseline;
use crate::cli::Lint;
use crate::command::report_output;
use crate::config::{self, ConfigFlags, LintConfig};
use crate::exit::{CommandError, ExitStatus};
use crate::input::{self, sources};
use crate::linter::LintResult;
use crate::prefilter::Prefilter;

/// Checks manifests and prints the findings.
///
/// # Errors
/// [`CommandError`] with exit code 2 for wrong flags or configuration, and 4 if standard output cannot be written.
pub fn run(flags: &Lint) -> Result<ExitStatus, CommandError> {
    let (checks, inputs, rendering) = (&flags.checks, &flags.inputs, Some(&flags.rendering));
    let config_flags =
        ConfigFlags { checks, paths: &inputs.paths, exclude: &inputs.exclude, rendering, no_ignores: flags.no_ignores };
    let LintConfig { settings, exclusion, ignores, note } = config::lint_config(&config_flags)?;
    flags.reporting.links.choose();
    report_output::reject_duplicates(flags.reporting.output.iter().map(|file| &file.path))?;
    let namespace = flags.inputs.namespace.as_deref();
    let prefilter = Prefilter::new(&settings).in_namespace(namespace);
    let rendering = flags.rendering.in_namespace(namespace);
    let found = input::collect(&flags.inputs.paths, &rendering, &exclusion, &sources::scanner(&prefilter));
    let excluded = found.excluded;
    let mut result = sources::lint(found, &prefilter, flags.inputs.scope());
    result.notes.splice(0..0, note);
    if let Some(ignores) = &ignores {
        result.apply_ignores(ignores);
        result.note_ignores(&settings);
    }
    if result.workloads == 0 {
        result.notes.extend(excluded.note());
    }
    result.note_retirement(&settings);
    if let Some(path) = &flags.baseline {
        apply_baseline(path, flags.write_baseline, &mut result)?;
    }
    report_output::reject_overwrites(&flags.reporting.output, &result)?;
    // Files first: the reader of standard output can close it early.
    let are_written = report_output::write_files(&flags.reporting.output, &result);
    report_output::print(flags.reporting.format, flags.reporting.quiet, &result)?;
    Ok(if are_written { exit_status(&result, flags) } else { ExitStatus::Unreadable })
}

/// Hides the findings of a baseline, which is written first if `is_new`. With an unreadable input, a new baseline would
/// be incomplete, and is not written.
fn apply_baseline(path: &Path, is_new: bool, result: &mut LintResult) -> Result<(), CommandError> {
    if !is_new {
        Baseline::read(path)?.apply(result);
    } else if result.errors.is_empty() {
        let baseline = Baseline::from_result(result, path);
        baseline.write()?;
        baseline.apply(result);
    }
    Ok(())
}

/// Unreadable input takes precedence over findings, and a run without anything to check does not succeed.
fn exit_status(result: &LintResult, flags: &Lint) -> ExitStatus {
    if !result.errors.is_empty() {
        ExitStatus::Unreadable
    } else if !flags.exit_zero && result.findings.iter().any(|located| located.level() >= flags.fail_on) {
        ExitStatus::Findings
    } else if result.is_nothing_to_check() {
        ExitStatus::NothingToCheck
    } else {
        ExitStatus::Clean
    }
}
