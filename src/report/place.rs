//! What reports share: where a finding stands, and what is said of it.

use std::ops::Range;

use sqledge_ha_policy::finding::Finding;

use crate::cli::Level;
use crate::exit::plain;
use crate::linter::{Identity, Located, Manifest, Outcome, RelatedPlace, Unread};
use crate::manifest::{Lines, Position};

/// Finds lines and columns. The lines of the text that was asked about last are kept: findings come text by text.
pub(super) struct Texts<'o> {
    outcome: &'o Outcome,
    last: Option<(usize, Lines<'o>)>,
}

/// A part of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'o> {
    /// The text.
    pub(super) manifest: &'o Manifest,
    /// Its first character.
    pub(super) start: Position,
    /// The character behind its last.
    pub(super) end: Position,
}

impl<'o> Texts<'o> {
    /// The texts of an outcome.
    pub(super) fn new(outcome: &'o Outcome) -> Self {
        Texts { outcome, last: None }
    }

    /// One text and its lines.
    pub(super) fn lines(&mut self, index: usize) -> Option<(&'o Manifest, &Lines<'o>)> {
        let manifest = self.outcome.manifests.get(index)?;
        if self.last.as_ref().is_none_or(|(last, _)| *last != index) {
            self.last = Some((index, Lines::new(&manifest.text)));
        }
        self.last.as_ref().map(|(_, lines)| (manifest, lines))
    }

    fn place(&mut self, index: usize, span: &Range<usize>) -> Option<Place<'o>> {
        let (manifest, lines) = self.lines(index)?;
        Some(Place { manifest, start: lines.position(span.start), end: lines.position(span.end) })
    }

    /// Where a finding stands.
    pub(super) fn finding(&mut self, located: &Located) -> Option<Place<'o>> {
        self.place(located.manifest, &located.span)
    }

    /// Where the other end of a relation stands.
    pub(super) fn related(&mut self, related: &RelatedPlace) -> Option<Place<'o>> {
        self.place(related.manifest, &related.span)
    }

    /// Where something could not be read, if its text is there.
    pub(super) fn unread(&mut self, unread: &Unread) -> Option<Position> {
        let (_, lines) = self.lines(unread.manifest?)?;
        Some(lines.position(unread.problem.byte))
    }
}

/// Words beside which a password may stand, and how letters of them may be hidden.
const DELICATE: [&str; 7] = ["value", "password", "secret", "args", "command", "token", "\\"];

/// Whether a part of a text speaks of variables, commands or secrets.
pub(super) fn is_delicate(text: &str) -> bool {
    let text = text.to_lowercase();
    DELICATE.iter().any(|word| text.contains(word))
}

/// A level as all reports but the human one call it.
pub(super) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

/// What is wrong, and why it matters.
pub(super) fn statement(finding: &Finding) -> String {
    match &finding.reason {
        Some(reason) => format!("{}: {reason}", finding.message),
        None => finding.message.to_string(),
    }
}

/// What is wrong, why it matters, and on a line of its own what to do.
pub(super) fn statement_and_help(finding: &Finding) -> String {
    format!("{}\nHelp: {}", statement(finding), finding.help)
}

/// Why something could not be read, and on a line of its own what to do.
pub(super) fn problem_and_help(unread: &Unread) -> String {
    match &unread.problem.help {
        Some(help) => format!("{}\nHelp: {help}", unread.problem.message),
        None => unread.problem.message.clone(),
    }
}

/// An object by its kind, namespace and name.
pub(super) fn object_name(object: &Identity) -> String {
    let kind = object.kind.as_deref().unwrap_or("object");
    let name = object.name.as_deref().unwrap_or("without a name");
    plain(&match &object.namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    })
}

/// A number and what it counts.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// One line that says it all.
pub(super) fn summary(outcome: &Outcome) -> String {
    let seen = format!(
        "{} among {} in {}",
        counted(outcome.workloads, "workload"),
        counted(outcome.objects, "object"),
        counted(outcome.manifests.len(), "file")
    );
    let (errors, warnings) = (outcome.count(Level::Error), outcome.count(Level::Warning));
    let unread = match outcome.unread.len() {
        0 => String::new(),
        count => format!("; {} could not be read", counted(count, "input")),
    };
    match (errors + warnings, outcome.workloads) {
        (0, 0) => return format!("nothing was checked: {seen}{unread}"),
        (0, _) => return format!("nothing is wrong: {seen}{unread}"),
        _ => {}
    }
    let fixable = match outcome.fixable() {
        0 => String::new(),
        count => format!(", {count} with a safe fix"),
    };
    format!("{}, {}{fixable}: {seen}{unread}", counted(errors, "error"), counted(warnings, "warning"))
}
