//! Findings: the problems of an object, why they matter, what to do, and the edits that fix them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::json::cursor::{Cursor, get_path};
use crate::json::edit::Edit;

/// What a finding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing: the rule does not run.
    Off,
    /// The request is allowed with a warning.
    Warn,
    /// The object is mutated at admission.
    Mutate,
    /// The request is rejected.
    Reject,
}

impl Action {
    /// Every action with its name in settings and output.
    pub const NAMES: [(&'static str, Action); 4] =
        [("mutate", Action::Mutate), ("reject", Action::Reject), ("warn", Action::Warn), ("off", Action::Off)];

    /// The name in settings and output.
    pub fn name(self) -> &'static str {
        match self {
            Action::Off => "off",
            Action::Warn => "warn",
            Action::Mutate => "mutate",
            Action::Reject => "reject",
        }
    }
}

/// The kind of a finding: omissions are mutated, contradictions are rejected, advice is a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// A field is missing, or has an API default. The finding has a safe fix.
    Omission,
    /// A field says the opposite of what must hold.
    Contradiction,
    /// The same, and so severe that a rule that warns by default rejects it.
    Severe,
    /// A field may be wrong, but does not prevent failover. Never more than a warning.
    Advice,
}

/// A text for users, often a constant.
pub type Text = Cow<'static, str>;

/// One problem of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The id of the rule, set by the registry.
    pub rule: &'static str,
    /// The action under the settings, set by the registry.
    pub action: Action,
    /// The action if the mode were not `warn`, set by the registry.
    pub enforced_action: Action,
    /// Its kind, on which the action depends.
    pub kind: FindingKind,
    /// Which of the rule's problems it is, if the rule has several at one place: a value of an enum of the rule.
    pub problem: u8,
    /// JSON Pointer of the value that it is about, or of its nearest existing ancestor.
    pub pointer: String,
    /// The missing key below `pointer`, if it is about an absent field.
    pub missing: Option<String>,
    /// One sentence: what is wrong, or what happens. Never contains an environment value or a secret.
    pub message: Text,
    /// What the marked text is.
    pub label: Option<Text>,
    /// Why it matters in this object.
    pub reason: Option<Text>,
    /// The number that is wrong, if it is one of which less is better: an update may lower it.
    pub quantity: Option<i64>,
    /// What to do.
    pub help: Text,
    /// Whether it says better what other findings of the rule on this object say without a look-up: they are left out.
    pub replaces_others: bool,
    /// The edits that fix it.
    pub fix: Option<Fix>,
    /// Related locations in other objects.
    pub related: Vec<Related>,
}

/// A location in another object that a finding is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    /// The object's `apiVersion`, `kind`, `metadata.namespace` and `metadata.name`.
    pub object: [Option<String>; 4],
    /// JSON Pointer of an existing value.
    pub pointer: String,
    /// How the value is related to the finding.
    pub label: Text,
}

impl Related {
    /// The value at `at` in `object`.
    pub fn new(object: &Cursor<'_>, at: &Cursor<'_>, label: impl Into<Text>) -> Self {
        let text = |path: &[&'static str]| get_path(object.value()?, path)?.as_str().map(str::to_owned);
        let identity = [&["apiVersion"][..], &["kind"], &["metadata", "namespace"], &["metadata", "name"]];
        Related { object: identity.map(text), pointer: at.pointer(), label: label.into() }
    }
}

/// The most related locations of one finding.
pub const MAX_RELATED_LOCATIONS: usize = 10;

// Rules call these so often that inlined copies would be a fiftieth of the module.
impl Finding {
    /// A missing field: mutated with `fix`, unless the settings say otherwise.
    pub fn omission(at: &Cursor<'_>, message: impl Into<Text>, fix: Fix) -> Self {
        Finding::new(FindingKind::Omission, at, message.into()).fix(fix)
    }

    /// A field that says the opposite of what must hold: rejected, unless the settings say otherwise.
    #[inline(never)]
    pub fn contradiction(at: &Cursor<'_>, message: impl Into<Text>) -> Self {
        Finding::new(FindingKind::Contradiction, at, message.into())
    }

    /// Advice: a warning, whatever the settings say.
    pub fn advice(at: &Cursor<'_>, message: impl Into<Text>) -> Self {
        Finding::new(FindingKind::Advice, at, message.into())
    }

    fn new(kind: FindingKind, at: &Cursor<'_>, message: Text) -> Self {
        Finding {
            rule: "",
            action: Action::Off,
            enforced_action: Action::Off,
            kind,
            problem: 0,
            pointer: at.pointer(),
            missing: at.missing().map(str::to_owned),
            message,
            label: None,
            reason: None,
            quantity: None,
            help: Text::default(),
            replaces_others: false,
            fix: None,
            related: Vec::new(),
        }
    }

    /// Adds which of the rule's problems it is.
    #[must_use]
    pub fn problem(mut self, problem: u8) -> Self {
        self.problem = problem;
        self
    }

    /// Adds what the marked text is.
    #[must_use]
    pub fn label(mut self, label: impl Into<Text>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds why it matters in this object.
    #[must_use]
    #[inline(never)]
    pub fn reason(mut self, reason: impl Into<Text>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    #[inline(never)]
    pub fn help(mut self, help: impl Into<Text>) -> Self {
        self.help = help.into();
        self
    }

    /// Adds the edits that fix it.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Adds what only reports on files and clusters show: labels, related locations, unsafe fixes. The module leaves it
    /// out, to stay small.
    #[must_use]
    pub fn for_reports(self, add: impl FnOnce(Self) -> Self) -> Self {
        if cfg!(feature = "guest") { self } else { add(self) }
    }

    /// Adds related locations, up to ten.
    #[must_use]
    pub fn related(mut self, related: impl IntoIterator<Item = Related>) -> Self {
        self.related = related.into_iter().take(MAX_RELATED_LOCATIONS).collect();
        self
    }

    /// Makes it a warning in every mode.
    pub fn only_warn(&mut self) {
        self.action = Action::Warn;
        self.enforced_action = Action::Warn;
    }

    /// The edits of a safe fix.
    pub fn safe_edits(&self) -> Option<&[Edit]> {
        self.fix.as_ref().filter(|fix| fix.safety == Safety::Safe).map(|fix| fix.edits.as_slice())
    }
}

/// Findings on one object: of one rule, or of all in their order.
pub type Findings = Vec<Finding>;

/// Whether a fix may be applied without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// Applied at admission and by `fix`.
    Safe,
    /// Applied by `fix --unsafe` only: it may move or delete data.
    Unsafe,
}

/// Edits that belong together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fix {
    /// Whether they may be applied without asking.
    pub safety: Safety,
    /// The edits, applied in order.
    pub edits: Vec<Edit>,
    /// New objects that the edits refer to. They are added to files only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Value>,
    /// The fix for an application with a claim that nothing mounts: with it in place of the first new one. The edits
    /// have an empty `claimName` to fill in.
    #[serde(skip)]
    pub on_free_claim: Option<Box<Fix>>,
}

impl Fix {
    /// Edits that are applied at admission and by `fix`.
    pub fn safe(edits: impl Into<Vec<Edit>>) -> Self {
        Fix { safety: Safety::Safe, edits: edits.into(), documents: Vec::new(), on_free_claim: None }
    }

    /// Edits that only `fix --unsafe` applies.
    pub fn unsafe_edits(edits: impl Into<Vec<Edit>>) -> Self {
        Fix { safety: Safety::Unsafe, edits: edits.into(), documents: Vec::new(), on_free_claim: None }
    }
}

/// Appends an item to an enumeration, with a separator before all but the first.
pub fn push_separated(text: &mut String, separator: &str, item: &str) {
    if !text.is_empty() {
        text.push_str(separator);
    }
    text.push_str(item);
}

/// Whether a character moves the cursor of a terminal, or changes the direction of the text around it.
pub fn is_control_or_bidi(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name from an object for a message: in backquotes, on one line, at most 80 characters.
pub fn quoted(name: &str) -> String {
    const MAX_LENGTH: usize = 80;
    let mut text = String::from("`");
    for (count, character) in name.chars().enumerate() {
        if count == MAX_LENGTH {
            text.push('…');
            break;
        }
        text.push(if is_control_or_bidi(character) { '\u{fffd}' } else { character });
    }
    text.push('`');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_quoted_name_stays_on_one_line() {
        assert_eq!(quoted("a\nb"), "`a\u{fffd}b`");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), 83);
    }
}
