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
    for finding in findings {
        let only_warns = match finding.action {
            Action::Reject => before.iter().any(|old| is_same_finding(old, finding)),
            Action::Mutate => !update.may_mutate(finding),
            Action::Warn | Action::Off => false,
        };
        if only_warns {
            finding.action = Action::Warn;
        }
    }
}

fn is_same_finding(one: &Finding, other: &Finding) -> bool {
    one.rule == other.rule
        && without_product(&one.message) == without_product(&other.message)
        && one.reason.as_deref().map(without_product) == other.reason.as_deref().map(without_product)
        && names(&one.pointer).eq(names(&other.pointer))
}

/// A text without the product's name: an update may replace SQL Edge by SQL Server.
fn without_product(text: &str) -> String {
    ENGINES.iter().fold(text.to_owned(), |text, engine| text.replace(engine.product, ""))
}

/// The keys of a pointer without positions in arrays, which change when an item is inserted before.
fn names(pointer: &str) -> impl Iterator<Item = &str> {
    pointer.split('/').filter(|key| !key.starts_with(|first: char| first.is_ascii_digit()))
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
