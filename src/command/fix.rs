//! `sqledge-ha fix`.

mod change;
mod summary;
mod write_back;

use std::io::{self, IsTerminal, Write};

use similar::TextDiff;

use self::summary::print_summary;
use self::write_back::write_back;
use crate::cli::Fix;
use crate::config::{self, ConfigFlags, LintConfig};
use crate::escape::escape;
use crate::exit::{CommandError, ExitStatus};
use crate::fixer::{AllowedFixes, FixResult, fix};
use crate::input::{self, sources};
use crate::linter::{Level, LintResult, LintedFile, comment_notes};
use crate::message::{describe_io_error, print_message};
use crate::prefilter::Prefilter;
use crate::report;
use crate::terminal::{Layout, TextOutput};

/// Fixes manifests in place, or shows the changes.
///
/// # Errors
/// [`CommandError`] with exit code 2 for wrong flags or configuration, and 4 if standard output cannot be written.
pub fn run(flags: &Fix) -> Result<ExitStatus, CommandError> {
    let (checks, inputs) = (&flags.checks, &flags.inputs);
    let rendering = Some(&flags.rendering);
    let config_flags =
        ConfigFlags { checks, paths: &inputs.paths, exclude: &inputs.exclude, rendering, no_ignores: flags.no_ignores };
    let LintConfig { settings, exclusion, ignores, note } = config::lint_config(&config_flags)?;
    let namespace = flags.inputs.namespace.as_deref();
    let prefilter = Prefilter::new(&settings).with_texts().in_namespace(namespace);
    let rendering = flags.rendering.in_namespace(namespace);
    let found = input::collect(&flags.inputs.paths, &rendering, &exclusion, &sources::scanner(&prefilter));
    let excluded = found.excluded;
    let mut before = sources::lint(found, &prefilter, flags.inputs.scope());
    if let Some(ignores) = &ignores {
        before.apply_ignores(ignores);
    }
    let allowed = if flags.unsafe_fixes { AllowedFixes::UnsafeToo } else { AllowedFixes::SafeOnly };
    let after = fix(&before, &prefilter, allowed);
    let mut writer = FixWriter { flags, changed: 0, failed: 0, is_unchanged: Vec::new() };
    for (before, after) in before.files.iter().zip(&after.result.files) {
        writer.write(before, &after.text)?;
    }
    let mut errors = TextOutput::new(anstream::stderr().lock(), Layout::of_stderr());
    report::human::write_errors(&before, &mut errors)?;
    errors.flush()?;
    print_summary(&writer, &before, &after);
    note.iter().chain(&before.notes).for_each(|note| print_message("note", note));
    if ignores.is_some() {
        let is_complete = before.is_complete() && after.result.is_complete();
        let notes = comment_notes(&writer.final_files(&before, &after), &settings, is_complete);
        let unused_entries = before.unused_entries_note(&settings, is_complete);
        notes.iter().chain(&unused_entries).for_each(|note| print_message("note", note));
    }
    if let Some(note) = excluded.note().filter(|_| before.workloads == 0) {
        print_message("note", &note);
    }
    Ok(outcome(&writer, &before, &after))
}

/// Writes or shows the fixed texts.
struct FixWriter<'f> {
    flags: &'f Fix,
    /// The number of files that changed, or would change.
    changed: usize,
    /// The number of files that could not be written.
    failed: usize,
    /// Whether each file still has its old text.
    is_unchanged: Vec<bool>,
}

impl FixWriter<'_> {
    fn is_dry_run(&self) -> bool {
        self.flags.diff || self.flags.check
    }

    fn write(&mut self, before: &LintedFile, after: &str) -> io::Result<()> {
        let path = before.path.as_deref();
        self.is_unchanged.push(self.is_dry_run() || before.text == after);
        if before.is_rendered_by_tool() {
            return Ok(());
        }
        if path.is_none() && !self.is_dry_run() {
            // Standard input goes to standard output, changed or not.
            print(after)?;
        }
        if before.text == after {
            return Ok(());
        }
        if self.flags.diff {
            let diff = TextDiff::from_lines(before.text.as_str(), after);
            let (old, new) = (format!("a/{}", before.name), format!("b/{}", before.name));
            print(&printable(diff.unified_diff().header(&old, &new).to_string()))?;
        }
        if let Some(path) = path.filter(|_| !self.is_dry_run())
            && let Err(error) = write_back(path, &self.flags.inputs.paths, &before.text, after)
        {
            print_message("error", &format!("{}: not fixed: {}", before.name, describe_io_error(&error)));
            self.failed += 1;
            self.is_unchanged.last_mut().into_iter().for_each(|unchanged| *unchanged = true);
            return Ok(());
        }
        self.changed += 1;
        Ok(())
    }

    /// The files with the texts that they have after the run.
    fn final_files<'m>(&self, before: &'m LintResult, after: &'m FixResult) -> Vec<&'m LintedFile> {
        let both = before.files.iter().zip(&after.result.files).zip(&self.is_unchanged);
        both.map(|((before, after), unchanged)| if *unchanged { before } else { after }).collect()
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// The diff, on a terminal without control characters. Other programs get it as it is, to apply it.
fn printable(diff: String) -> String {
    if !io::stdout().is_terminal() {
        return diff;
    }
    let escaped = |line: &str| line.split('\t').map(escape).collect::<Vec<_>>().join("\t");
    diff.lines().map(|line| escaped(line) + "\n").collect()
}

fn outcome(writer: &FixWriter<'_>, before: &LintResult, after: &FixResult) -> ExitStatus {
    let would_change = writer.is_dry_run() && writer.changed > 0;
    if writer.failed > 0 || !before.errors.is_empty() {
        ExitStatus::Unreadable
    } else if would_change || after.result.count(Level::Error) > 0 {
        ExitStatus::Findings
    } else if before.is_nothing_to_check() {
        ExitStatus::NothingToCheck
    } else {
        ExitStatus::Clean
    }
}
