//! The ratchet: an UPDATE is held to what it changes.

use serde_json::Value;

use crate::finding::{Action, Finding, FindingKind, Findings};
use crate::json::cursor::push_key;
use crate::kubernetes::kind::Kind;

/// An UPDATE of an object.
pub(super) struct Update<'a> {
    pub(super) kind: Kind,
    pub(super) object: &'a Value,
    pub(super) old: &'a Value,
    /// The findings on the old object.
    pub(super) before: Findings,
}

/// Turns the findings into warnings that the request is not held to: all of them if `only_warn`, otherwise those that
/// the ratchet covers.
pub(super) fn turn_into_warnings(findings: &mut Findings, update: Option<&Update<'_>>, only_warn: bool) {
    if let Some(update) = update {
        apply_ratchet(findings, update);
    }
    if only_warn {
        findings.iter_mut().for_each(Finding::only_warn);
    }
}

/// Turns two kinds of findings into warnings: those that the old object has, too, instead of rejecting them; and those
/// whose mutation the API server would reject, or would restart a pod that the request leaves alone.
fn apply_ratchet(findings: &mut Findings, update: &Update<'_>) {
    let (old, new) = (Tally::new(&update.before), Tally::new(&*findings));
    let only_warns = |finding: &Finding| match finding.enforced_action {
        Action::Reject => old.covers(finding, &new),
        Action::Mutate => !update.may_mutate(finding),
        Action::Warn | Action::Off => false,
    };
    let only_warns: Vec<bool> = findings.iter().map(only_warns).collect();
    for (finding, _) in findings.iter_mut().zip(only_warns).filter(|(_, only_warns)| *only_warns) {
        finding.only_warn();
    }
}

/// What makes two findings the same: their texts may differ.
#[derive(PartialEq)]
struct Key<'f> {
    rule: &'static str,
    kind: FindingKind,
    problem: u8,
    /// The keys that lead to the location, without positions in arrays, which change when an item is inserted before.
    location: Vec<&'f str>,
}

impl<'f> Key<'f> {
    fn new(finding: &'f Finding) -> Self {
        let is_position = |key: &str| key.starts_with(|first: char| first.is_ascii_digit());
        let existing = finding.pointer.split('/').filter(|key| !is_position(key));
        Key {
            rule: finding.rule,
            kind: finding.kind,
            problem: finding.problem,
            location: existing.chain(finding.missing.as_deref()).collect(),
        }
    }
}

/// The number of findings of each key, and the greatest number in them.
struct Tally<'f>(Vec<(Key<'f>, usize, Option<i64>)>);

impl<'f> Tally<'f> {
    fn new(findings: impl IntoIterator<Item = &'f Finding>) -> Self {
        let mut tally: Vec<(Key<'f>, usize, Option<i64>)> = Vec::new();
        for finding in findings {
            let key = Key::new(finding);
            match tally.iter_mut().find(|(known, ..)| *known == key) {
                Some((_, count, quantity)) => (*count, *quantity) = (*count + 1, finding.quantity.max(*quantity)),
                None => tally.push((key, 1, finding.quantity)),
            }
        }
        Tally(tally)
    }

    /// Whether there are as many findings like this one as in `new`, and no smaller number in them.
    fn covers(&self, finding: &Finding, new: &Tally<'_>) -> bool {
        let key = Key::new(finding);
        let find = |tally: &Tally<'_>| {
            tally.0.iter().find(|(known, ..)| *known == key).map(|(_, count, most)| (*count, *most))
        };
        let (Some((count, most)), Some((new_count, _))) = (find(self), find(new)) else { return false };
        count >= new_count && most >= finding.quantity
    }
}

impl Update<'_> {
    fn may_mutate(&self, finding: &Finding) -> bool {
        let edits = finding.safe_edits().unwrap_or_default();
        !edits.iter().any(|edit| self.cannot_change(edit.pointer()))
    }

    /// Whether the API server would reject a change at `pointer`, or a pod would restart although the request leaves
    /// the pod template alone.
    fn cannot_change(&self, pointer: &str) -> bool {
        let mut template = String::new();
        let path = self.kind.workload().map_or(&[][..], |kind| kind.template_path());
        path.iter().for_each(|key| push_key(&mut template, key));
        let in_template = !template.is_empty() && pointer.starts_with(&template);
        let unchanged = self.object.pointer(&template) == self.old.pointer(&template);
        self.kind.is_immutable(pointer) || (in_template && unchanged)
    }
}
