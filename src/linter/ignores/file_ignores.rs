//! The ignore comments of a file, and which of them apply to a finding.

use std::collections::BTreeSet;
use std::ops::Range;

use time::Date;

use super::IgnoreEffect;
use super::comment::{Comment, comments};
use crate::linter::LocatedFinding;

/// The ignore comments of a text.
pub(super) struct FileIgnores<'t> {
    text: &'t str,
    comments: Vec<Comment<'t>>,
    /// The rules that any of them names.
    rules: BTreeSet<&'t str>,
    /// The start of every comment that hides a finding, or would if it had not expired.
    pub(super) used: BTreeSet<usize>,
}

impl<'t> FileIgnores<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let comments = comments(text);
        let rules = comments.iter().flat_map(Comment::names).collect();
        FileIgnores { text, comments, rules, used: BTreeSet::new() }
    }

    /// The effect of the comments on the finding. Every one that hides it counts as used.
    pub(super) fn effect(&mut self, located: &LocatedFinding, today: Date) -> IgnoreEffect {
        let rule = located.finding.rule;
        if !self.rules.contains(rule) {
            return IgnoreEffect::No;
        }
        let (text, comments) = (self.text, self.comments.as_slice());
        let lines = lines_of(text, &located.span);
        let applying = [
            on_lines(comments, &lines),
            above(text, comments, lines.start),
            document_ignores(text, comments, &located.document_span),
        ];
        let naming = applying.iter().flatten().filter(|comment| comment.names().any(|name| name == rule));
        let mut effect = IgnoreEffect::No;
        for comment in naming {
            let Ok(validity) = &comment.validity else { continue };
            self.used.insert(comment.byte);
            effect = effect.or(if validity.has_expired(today) {
                IgnoreEffect::Expired(validity.describe_expiry("the ignore comment"))
            } else {
                IgnoreEffect::Yes
            });
        }
        effect
    }
}

/// The whole lines of a span.
pub(super) fn lines_of(text: &str, span: &Range<usize>) -> Range<usize> {
    let before = text.get(..span.start).unwrap_or_default();
    let after = text.get(span.end..).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |feed| feed + 1);
    start..span.end + after.find('\n').unwrap_or(after.len())
}

/// The comments before a byte, and the others.
fn split_at<'c, 't>(comments: &'c [Comment<'t>], byte: usize) -> (&'c [Comment<'t>], &'c [Comment<'t>]) {
    comments.split_at(comments.partition_point(|comment| comment.byte < byte))
}

/// The comments on some lines.
pub(super) fn on_lines<'c, 't>(comments: &'c [Comment<'t>], lines: &Range<usize>) -> Vec<&'c Comment<'t>> {
    let (_, following) = split_at(comments, lines.start);
    following.iter().take_while(|comment| comment.byte < lines.end).collect()
}

/// The comments that stand alone above a line, without content in between.
fn above<'c, 't>(text: &str, comments: &'c [Comment<'t>], line: usize) -> Vec<&'c Comment<'t>> {
    let (preceding, _) = split_at(comments, line);
    let mut found = Vec::new();
    let mut below = line;
    for comment in preceding.iter().rev() {
        if !has_no_content(text, comment.line.end..below) {
            break;
        }
        found.extend(comment.is_alone.then_some(comment));
        if !has_no_content(text, comment.line.clone()) {
            break;
        }
        below = comment.line.start;
    }
    found
}

/// The comments that stand alone above all content of a document.
fn document_ignores<'c, 't>(text: &str, comments: &'c [Comment<'t>], document: &Range<usize>) -> Vec<&'c Comment<'t>> {
    let (_, following) = split_at(comments, document.start);
    let mut found = Vec::new();
    let mut above = document.start;
    for comment in following.iter().take_while(|comment| comment.byte < document.end) {
        if !has_no_content(text, above..comment.line.start) {
            break;
        }
        found.extend(comment.is_alone.then_some(comment));
        if !has_no_content(text, comment.line.clone()) {
            break;
        }
        above = comment.line.end;
    }
    found
}

/// Whether a part of a text has only blanks, comments and document markers.
fn has_no_content(text: &str, range: Range<usize>) -> bool {
    let lines = text.get(range).unwrap_or_default().lines().map(str::trim);
    lines.into_iter().all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}
