//! Notes on ignore comments and entries: errors in comments, and what is unused.

use std::ops::Range;

use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::rules;
use sqledge_ha_policy::settings::Settings;

use super::comment::{Comment, comments};
use super::near_miss::near_misses;
use crate::linter::{LintResult, LintedFile};
use crate::manifest::{self, Lines, document_spans};
use crate::parallel;

/// The number of unused comments that the note locates.
const MAX_LOCATIONS: usize = 5;

/// Notes on the ignore comments in files that have any object to check: errors in them and, with `is_complete`, unused
/// ones.
pub fn comment_notes(files: &[&LintedFile], settings: &Settings, is_complete: bool) -> Vec<String> {
    let files: Vec<&LintedFile> = files.iter().copied().filter(|file| file.is_relevant).collect();
    let read = parallel::map(files.clone(), 1, |file| (comments(&file.text), near_misses(&file.text)));
    let (mut notes, mut locations, mut count) = (Vec::new(), Vec::new(), 0);
    for (file, (comments, near_misses)) in files.iter().zip(&read) {
        if comments.is_empty() && near_misses.is_empty() {
            continue;
        }
        let lines = Lines::new(&file.text);
        let location = |byte: usize| {
            let position = lines.position(byte);
            format!("{}:{}:{}", file.name, position.line, position.column)
        };
        let mut wrong: Vec<(usize, String)> =
            comments.iter().filter_map(|comment| Some((comment.byte, comment_error(comment)?))).collect();
        wrong.extend(in_comments(&file.text, near_misses).into_iter().map(|byte| (byte, NEAR_MISS.to_owned())));
        wrong.sort_unstable();
        notes.extend(wrong.into_iter().map(|(byte, error)| format!("{}: {error}", location(byte))));
        if is_complete {
            let unused = unused(file, comments, settings);
            count += unused.len();
            let free = MAX_LOCATIONS.saturating_sub(locations.len());
            locations.extend(unused.into_iter().take(free).map(|comment| location(comment.byte)));
        }
    }
    notes.extend(unused_note("comment", "comments", count, &locations));
    notes
}

/// The note on a comment that looks like an ignore comment.
const NEAR_MISS: &str = "this is not an ignore comment; write `# sqledge-ha: ignore[RULE]`";

impl LintResult {
    /// A note on the ignore entries that hide no finding, if the check is complete.
    pub fn unused_entries_note(&self, settings: &Settings, is_complete: bool) -> Option<String> {
        let ignores = self.ignores.as_ref()?;
        // With other values, a template can render to a manifest that needs the entry.
        if !is_complete || !ignores.has_all_paths || self.files.iter().any(|file| file.rendered.is_some()) {
            return None;
        }
        let entries = ignores.entries.iter().enumerate();
        let unused = entries.filter(|(index, entry)| {
            !self.used_entries.contains(index) && entry.rules.iter().all(|rule| is_active(rule, settings))
        });
        let locations: Vec<String> = unused.map(|(_, entry)| entry.location.clone()).collect();
        let first: Vec<String> = locations.iter().take(MAX_LOCATIONS).cloned().collect();
        unused_note("entry", "entries", locations.len(), &first)
    }
}

fn unused_note(one: &str, many: &str, count: usize, locations: &[String]) -> Option<String> {
    let subject = match count {
        0 => return None,
        1 => format!("unused ignore {one}"),
        _ => format!("{count} unused ignore {many}"),
    };
    let more = if count > locations.len() { format!(" and {} more", count - locations.len()) } else { String::new() };
    Some(format!("{subject}: {}{more}", locations.join(", ")))
}

/// Those bytes of a text at which the parser sees a comment.
fn in_comments(text: &str, bytes: &[usize]) -> Vec<usize> {
    let mut found = Vec::new();
    for span in document_spans(text) {
        let until = |byte: usize| bytes.partition_point(|other| *other < byte);
        let within = bytes.get(until(span.start)..until(span.end)).unwrap_or_default();
        if !within.is_empty() {
            let parsed = parsed_comments(text, &span);
            found.extend(within.iter().copied().filter(|byte| contains(&parsed, *byte)));
        }
    }
    found
}

/// The comments of a file that hide no finding, in documents in which every object was checked.
fn unused<'c, 't>(file: &LintedFile, comments: &'c [Comment<'t>], settings: &Settings) -> Vec<&'c Comment<'t>> {
    let is_unused =
        |comment: &&Comment<'_>| !file.used_comments.contains(&comment.byte) && names_active_rules(comment, settings);
    let unused: Vec<&Comment<'_>> = comments.iter().filter(is_unused).collect();
    // With other values, a template can render to a manifest that needs the comment.
    if unused.is_empty() || file.rendered.is_some() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for span in &file.checked_spans {
        let until = |byte: usize| unused.partition_point(|comment| comment.byte < byte);
        let within = unused.get(until(span.start)..until(span.end)).unwrap_or_default();
        if !within.is_empty() {
            let parsed = parsed_comments(&file.text, span);
            found.extend(within.iter().copied().filter(|comment| contains(&parsed, comment.byte)));
        }
    }
    found
}

/// The comments in a document as the parser sees them: a line of a script can look like one.
fn parsed_comments(text: &str, span: &Range<usize>) -> Vec<Range<usize>> {
    let comments = manifest::comments(text.get(span.clone()).unwrap_or_default());
    comments.into_iter().map(|range| span.start + range.start..span.start + range.end).collect()
}

/// Whether one of the ranges, which are in order, contains a byte.
fn contains(ranges: &[Range<usize>], byte: usize) -> bool {
    let after = ranges.partition_point(|range| range.start <= byte);
    after.checked_sub(1).and_then(|last| ranges.get(last)).is_some_and(|range| range.contains(&byte))
}

/// Whether the date of the comment is right, and all rules that it names exist and are not off.
fn names_active_rules(comment: &Comment<'_>, settings: &Settings) -> bool {
    comment.rules.is_some() && comment.validity.is_ok() && comment.names().all(|name| is_active(name, settings))
}

/// Whether a rule exists and is not off.
fn is_active(rule: &str, settings: &Settings) -> bool {
    rules::find(rule).is_some_and(|rule| !rule.is_off(settings))
}

fn comment_error(comment: &Comment<'_>) -> Option<String> {
    if comment.rules.is_none() {
        return Some("the ignore comment names no rule; write `# sqledge-ha: ignore[RULE]`".to_owned());
    }
    if let Some(unknown) = comment.names().find(|name| rules::find(name).is_none()) {
        return Some(format!("unknown rule {}; `sqledge-ha rules` lists the rules", quoted(unknown)));
    }
    let error = comment.validity.as_ref().err()?;
    Some(format!("the ignore comment hides nothing: {error}"))
}
