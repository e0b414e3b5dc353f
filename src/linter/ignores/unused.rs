//! Notes on ignore comments: errors in them, and unused ones.

use std::ops::Range;

use sqledge_ha_policy::finding::{Action, quoted};
use sqledge_ha_policy::rules;
use sqledge_ha_policy::settings::Settings;

use super::comment::{Comment, comments};
use crate::linter::LintedFile;
use crate::manifest::{self, Lines};
use crate::parallel;

/// The number of unused comments that the note locates.
const MAX_LOCATIONS: usize = 5;

/// Notes on the ignore comments in files that have any object to check: errors in them and, with `is_complete`, unused ones.
pub fn comment_notes(files: &[&LintedFile], settings: &Settings, is_complete: bool) -> Vec<String> {
    let files: Vec<&LintedFile> = files.iter().copied().filter(|file| file.is_relevant).collect();
    let read = parallel::map(files.clone(), 1, |file| comments(&file.text));
    let (mut notes, mut locations, mut count) = (Vec::new(), Vec::new(), 0);
    for (file, comments) in files.iter().zip(&read).filter(|(_, comments)| !comments.is_empty()) {
        let lines = Lines::new(&file.text);
        let location = |comment: &Comment<'_>| {
            let position = lines.position(comment.byte);
            format!("{}:{}:{}", file.name, position.line, position.column)
        };
        let wrong = comments.iter().filter_map(|comment| Some((comment, comment_error(comment)?)));
        notes.extend(wrong.map(|(comment, error)| format!("{}: {error}", location(comment))));
        if is_complete {
            let unused = unused(file, comments, settings);
            count += unused.len();
            locations.extend(unused.into_iter().take(MAX_LOCATIONS.saturating_sub(locations.len())).map(location));
        }
    }
    notes.extend(unused_note(count, &locations));
    notes
}

fn unused_note(count: usize, locations: &[String]) -> Option<String> {
    let subject = match count {
        0 => return None,
        1 => "unused ignore comment".to_owned(),
        _ => format!("{count} unused ignore comments"),
    };
    let more = if count > locations.len() { format!(" and {} more", count - locations.len()) } else { String::new() };
    Some(format!("{subject}: {}{more}", locations.join(", ")))
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

/// Whether all rules that the comment names exist and are not off.
fn names_active_rules(comment: &Comment<'_>, settings: &Settings) -> bool {
    let is_active = |name| {
        let rule = rules::find(name);
        rule.is_some_and(|rule| settings.rules.action(rule.id).unwrap_or(rule.default_action) != Action::Off)
    };
    comment.rules.is_some() && comment.names().all(is_active)
}

fn comment_error(comment: &Comment<'_>) -> Option<String> {
    if comment.rules.is_none() {
        return Some("the ignore comment names no rule; write `# sqledge-ha: ignore[RULE]`".to_owned());
    }
    let unknown = comment.names().find(|name| rules::find(name).is_none())?;
    Some(format!("unknown rule {}; `sqledge-ha rules` lists the rules", quoted(unknown)))
}
