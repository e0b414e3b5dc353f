//! The ratchet: an UPDATE is held to what it changes.

use serde_json::Value;

use crate::engine::ENGINES;
use crate::finding::{Action, Finding, Findings};
use crate::json::cursor::push_key;
use crate::kubernetes::kind::Kind;

/// An UPDATE of an object.
pub(super) struct Update<'a> {
    pub(super) kind: Kind,
    pub(super) object: &'a Value,
    pub(super) old: &'a Value,
}

/// Turns two kinds of findings into warnings: those that the old object has, too, instead of rejecting them; and those
/// whose mutation the API server would reject, or would restart a pod that the request leaves alone.
pub(super) fn apply_ratchet(findings: &mut Findings, before: &[Finding], update: &Update<'_>) {
    let (old, new) = (Tally::new(before), Tally::new(findings));
    for finding in findings {
        let only_warns = match finding.enforced_action {
            Action::Reject => old.covers(finding, &new),
            Action::Mutate => !update.may_mutate(finding),
            Action::Warn | Action::Off => false,
        };
        if only_warns {
            finding.only_warn();
        }
    }
}

/// The number of findings of the same rule and kind, at the same place, and the greatest number in them.
struct Tally(Vec<(String, usize, Option<i64>)>);

impl Tally {
    fn new(findings: &[Finding]) -> Self {
        let mut tally: Vec<(String, usize, Option<i64>)> = Vec::new();
        for finding in findings {
            let key = key(finding);
            match tally.iter_mut().find(|(known, ..)| *known == key) {
                Some((_, count, quantity)) => (*count, *quantity) = (*count + 1, finding.quantity.max(*quantity)),
                None => tally.push((key, 1, finding.quantity)),
            }
        }
        Tally(tally)
    }

    /// Whether there are as many findings like this one as in `new`, and no smaller number in them.
    fn covers(&self, finding: &Finding, new: &Tally) -> bool {
        let key = key(finding);
        let find =
            |tally: &Tally| tally.0.iter().find(|(known, ..)| *known == key).map(|(_, count, most)| (*count, *most));
        let (Some((count, most)), Some((new_count, _))) = (find(self), find(new)) else { return false };
        count >= new_count && most >= finding.quantity
    }
}

/// What makes two findings the same: positions in arrays change when an item is inserted before.
fn key(finding: &Finding) -> String {
    let place = finding.pointer.split('/').filter(|key| !key.starts_with(|first: char| first.is_ascii_digit()));
    let reason = finding.reason.as_deref().unwrap_or_default();
    let mut key = format!("{}\n{}\n{}", finding.rule, essential(&finding.message), essential(reason));
    place.for_each(|name| key.extend(["/", name]));
    key
}

/// The kind of a finding in its text, without what an update may change in it: the product's name, because SQL Edge may be
/// replaced by SQL Server, names from the object, which are in backquotes, and numbers.
fn essential(text: &str) -> String {
    let text: String = text.split('`').step_by(2).collect();
    let text = ENGINES.iter().fold(text, |text, engine| text.replace(engine.product, ""));
    text.replace(|character: char| character.is_ascii_digit(), "")
}

impl Update<'_> {
    fn may_mutate(&self, finding: &Finding) -> bool {
        let edits = finding.safe_edits().unwrap_or_default();
        !edits.iter().any(|edit| self.cannot_change(edit.pointer()))
    }

    /// Whether the API server would reject a change at `pointer`, or a pod would restart although the request leaves the
    /// pod template alone.
    fn cannot_change(&self, pointer: &str) -> bool {
        let mut template = String::new();
        let path = self.kind.workload().map_or(&[][..], |kind| kind.template_path());
        path.iter().for_each(|key| push_key(&mut template, key));
        let in_template = !template.is_empty() && pointer.starts_with(&template);
        let unchanged = self.object.pointer(&template) == self.old.pointer(&template);
        self.kind.is_immutable(pointer) || (in_template && unchanged)
    }
}
