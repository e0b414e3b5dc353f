//! What there is to say about the comments themselves: that one cannot be understood, or lets nothing pass.

use std::ops::Range;

use rayon::prelude::*;
use sqledge_ha_policy::finding::{Action, quoted};
use sqledge_ha_policy::rules;
use sqledge_ha_policy::settings::Settings;

use super::comment::{Comment, comments};
use crate::linter::Manifest;
use crate::manifest::{self, Lines};

/// So many of the comments that let nothing pass are named.
const MOST_NAMED: usize = 5;

/// Says which comments in texts cannot be understood; with `unused_too`, also which let nothing pass.
pub fn notes_on_comments(manifests: &[&Manifest], settings: &Settings, unused_too: bool) -> Vec<String> {
    let read: Vec<Vec<Comment<'_>>> = manifests.par_iter().map(|manifest| comments(&manifest.text)).collect();
    let (mut notes, mut places, mut count) = (Vec::new(), Vec::new(), 0);
    for (manifest, comments) in manifests.iter().zip(&read).filter(|(_, comments)| !comments.is_empty()) {
        let lines = Lines::new(&manifest.text);
        let place = |comment: &Comment<'_>| {
            let position = lines.position(comment.byte);
            format!("{}:{}:{}", manifest.name, position.line, position.column)
        };
        let wrong = comments.iter().filter_map(|comment| Some((comment, complaint(comment)?)));
        notes.extend(wrong.map(|(comment, complaint)| format!("{}: {complaint}", place(comment))));
        if unused_too {
            let unused = unused(manifest, comments, settings);
            count += unused.len();
            places.extend(unused.into_iter().take(MOST_NAMED.saturating_sub(places.len())).map(place));
        }
    }
    notes.extend(about_unused(count, &places));
    notes
}

/// Says that so many comments let nothing pass, if there are such, and where the first of them stand.
fn about_unused(count: usize, places: &[String]) -> Option<String> {
    let lets = match count {
        0 => return None,
        1 => "comment lets",
        _ => "comments let",
    };
    let more = if count > places.len() { format!(" and {} more", count - places.len()) } else { String::new() };
    Some(format!("{count} ignore {lets} nothing pass: {}{more}", places.join(", ")))
}

/// The comments of a text that let nothing pass, although all was judged that they could be there for.
fn unused<'c, 't>(manifest: &Manifest, comments: &'c [Comment<'t>], settings: &Settings) -> Vec<&'c Comment<'t>> {
    let is_unused =
        |comment: &&Comment<'_>| !manifest.used_comments.contains(&comment.byte) && is_asked_for(comment, settings);
    let unused: Vec<&Comment<'_>> = comments.iter().filter(is_unused).collect();
    // With other values a template may come out such that it needs the comment.
    if unused.is_empty() || manifest.is_rendered() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for chunk in &manifest.judged {
        let until = |byte: usize| unused.partition_point(|comment| comment.byte < byte);
        let within = unused.get(until(chunk.start)..until(chunk.end)).unwrap_or_default();
        if !within.is_empty() {
            let real = real_comments(&manifest.text, chunk);
            found.extend(within.iter().copied().filter(|comment| holds(&real, comment.byte)));
        }
    }
    found
}

/// Where comments stand in a chunk, as the parser sees it: what looks like one may be a line of a script.
fn real_comments(text: &str, chunk: &Range<usize>) -> Vec<Range<usize>> {
    let comments = manifest::comments(text.get(chunk.clone()).unwrap_or_default());
    comments.into_iter().map(|range| chunk.start + range.start..chunk.start + range.end).collect()
}

/// Whether one of some ranges, which are in order, holds a byte.
fn holds(ranges: &[Range<usize>], byte: usize) -> bool {
    let after = ranges.partition_point(|range| range.start <= byte);
    after.checked_sub(1).and_then(|last| ranges.get(last)).is_some_and(|range| range.contains(&byte))
}

/// Whether all rules that it names are known, and none of them is off.
fn is_asked_for(comment: &Comment<'_>, settings: &Settings) -> bool {
    let is_asked = |name| {
        let rule = rules::find(name);
        rule.is_some_and(|rule| settings.action(rule.id).unwrap_or(rule.default_action) != Action::Off)
    };
    comment.rules.is_some() && comment.names().all(is_asked)
}

/// Says what is wrong with the comment itself.
fn complaint(comment: &Comment<'_>) -> Option<String> {
    if comment.rules.is_none() {
        return Some("say which rules to ignore, e.g. ignore[whole-data-root]".to_owned());
    }
    let unknown = comment.names().find(|name| rules::find(name).is_none())?;
    Some(format!("there is no rule {}; `sqledge-ha rules` lists them", quoted(unknown)))
}
