//! What was fixed, and what was not.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::{FixWriter, change};
use crate::counted::counted;
use crate::escape::escape;
use crate::fixer::{FixOutcome, FixResult};
use crate::linter::{LintResult, LintedFile, LocatedFinding};
use crate::manifest::{EditError, Lines, edit};
use crate::message::print_message;
use crate::report::{rendered_position, unreadable};

/// Prints what was fixed, and what was not, with the location in the final text and the reason.
pub(super) fn print_summary(writer: &FixWriter<'_>, before: &LintResult, after: &FixResult) {
    let verb = if writer.is_dry_run() { "would fix" } else { "fixed" };
    let fixed = fixed(writer, before, after);
    let count = format!("{} in {}", counted(fixed.len(), "finding"), counted(writer.changed, "file"));
    print_message(verb, &format!("{count}{}", unreadable(before)));
    fixed.iter().for_each(|line| print_message(verb, line));
    let is_unchanged = |located: &&LocatedFinding| writer.is_unchanged.get(located.file) == Some(&true);
    // Of several findings with the same key, the first one counts: it is inserted last.
    let unchanged: HashMap<Key<'_>, &LocatedFinding> =
        before.findings.iter().filter(is_unchanged).rev().map(|located| (key(located), located)).collect();
    let mut positions = Positions { last: None };
    for (located, outcome) in after.result.findings.iter().zip(&after.outcomes) {
        // A finding that results from a fix exists in the fixed text only.
        let (located, files) = match unchanged.get(&key(located)) {
            Some(unchanged) => (*unchanged, &before.files),
            None => (located, &after.result.files),
        };
        let Some(file) = files.get(located.file) else { continue };
        let rule = located.finding.rule;
        let (label, text) = match outcome {
            FixOutcome::Applied => continue,
            FixOutcome::Rendered => ("change", change::in_sources(file, located)),
            FixOutcome::Failed(error) => {
                ("not fixed", format!("{error}{}", shared_value(&mut positions, file, located, *error)))
            }
            FixOutcome::NeedsUnsafe => {
                ("not fixed", format!("the fix is unsafe: see `sqledge-ha explain {rule}`, and apply it with --unsafe"))
            }
            FixOutcome::NoFix if located.finding.help.is_empty() => {
                ("not fixed", format!("no automatic fix; see `sqledge-ha explain {rule}`"))
            }
            FixOutcome::NoFix => ("not fixed", format!("no automatic fix: {}", escape(&located.finding.help))),
        };
        print_message(label, &format!("{}: {rule}: {text}", positions.position(file, &located.span)));
    }
}

/// Each finding that is gone, with its location in the old text, and those that other fixes caused.
fn fixed(writer: &FixWriter<'_>, before: &LintResult, after: &FixResult) -> Vec<String> {
    let left: HashSet<Key<'_>> = after.result.findings.iter().map(key).collect();
    let files = before.files.iter().zip(&after.result.files).zip(&writer.is_unchanged);
    let has_changed: Vec<bool> = files
        .map(|((before, after), is_unchanged)| before.text != after.text && (writer.is_dry_run() || !is_unchanged))
        .collect();
    let is_fixed =
        |located: &&LocatedFinding| has_changed.get(located.file) == Some(&true) && !left.contains(&key(located));
    let mut positions = Positions { last: None };
    let (mut lines, mut listed) = (Vec::new(), HashSet::new());
    for located in before.findings.iter().filter(is_fixed) {
        let Some(file) = before.files.get(located.file) else { continue };
        listed.insert((located.file, located.finding.rule));
        lines.push(format!("{}: {}", positions.position(file, &located.span), located.finding.rule));
    }
    for follow_up in after.follow_ups.iter().filter(|follow_up| !listed.contains(*follow_up)) {
        let (index, rule) = *follow_up;
        if let Some(file) = before.files.get(index).filter(|_| has_changed.get(index) == Some(&true)) {
            lines.push(format!("{}: {rule}, because of another fix", escape(&file.name)));
        }
    }
    lines
}

/// Identifies a finding before and after fixing: file, document, rule and pointer.
type Key<'f> = (usize, usize, &'static str, &'f str);

fn key(located: &LocatedFinding) -> Key<'_> {
    (located.file, located.document, located.finding.rule, located.finding.pointer.as_str())
}

/// The location of the value that an alias or merge key shares, if that is why the fix failed.
fn shared_value<'m>(
    positions: &mut Positions<'m>,
    file: &'m LintedFile,
    located: &LocatedFinding,
    error: EditError,
) -> String {
    let EditError::Aliased(_) = error else { return String::new() };
    // The error has a byte of the fixed text, but the finding can be one of the old text.
    let fix = located.finding.fix.as_ref();
    let error = fix.and_then(|fix| edit(file.text.get(located.document_span.clone())?, &fix.edits).err());
    let Some(EditError::Aliased(byte)) = error else { return String::new() };
    let byte = located.document_span.start + byte;
    format!(", at {}", positions.position(file, &(byte..byte)))
}

/// Finds positions. Keeps the lines of the last text, because findings are in the order of the texts.
struct Positions<'m> {
    last: Option<(&'m LintedFile, Lines<'m>)>,
}

impl<'m> Positions<'m> {
    /// `file:line:column`.
    fn position(&mut self, file: &'m LintedFile, span: &Range<usize>) -> String {
        if file.is_rendered_by_tool() {
            return rendered_position(file, span);
        }
        let last = self.last.take().filter(|(last, _)| std::ptr::eq(*last, file));
        let (_, lines) = self.last.insert(last.unwrap_or_else(|| (file, Lines::new(&file.text))));
        let position = lines.position(span.start);
        format!("{}:{}:{}", escape(&file.name), position.line, position.column)
    }
}
