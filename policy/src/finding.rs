//! What a rule has to say, and the edits that would mend it.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

pub use crate::edit::{Edit, Inapplicable, apply};
use crate::node::{Node, reach};

/// What a rule, or one finding of it, leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing: the rule is not asked.
    Off,
    /// The request passes with a warning.
    Warn,
    /// The object is mended on its way in.
    Mutate,
    /// The request is refused.
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

/// The principle a finding falls under: omissions are mended, contradictions are refused, advice is a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Something was left out, or filled in by an API default; a safe fix comes with it.
    Omission,
    /// A field says the opposite of what must hold.
    Contradiction,
    /// What may be wrong but need not break failover; never more than a warning.
    Advice,
}

/// What a rule says: mostly fixed words.
pub type Words = Cow<'static, str>;

/// One thing that is wrong with one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The id of the rule, filled in by the registry.
    pub rule: &'static str,
    /// What it leads to under the settings, filled in by the registry.
    pub action: Action,
    /// The principle it falls under.
    pub grade: Grade,
    /// JSON Pointer of the place that is shown: always one that exists.
    pub pointer: String,
    /// The key that is missing there, if the finding is about an absence.
    pub missing: Option<String>,
    /// One sentence: what is wrong. Never an environment value, never a secret.
    pub message: Words,
    /// What the marked text is.
    pub label: Option<Words>,
    /// Why it matters here.
    pub reason: Option<Words>,
    /// What to do.
    pub help: Words,
    /// The edits that would mend it.
    pub fix: Option<Fix>,
    /// The other ends of the relation that it is about. The module leaves them out.
    pub related: Vec<Related>,
}

/// A place in another object that a finding is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    /// The object's `apiVersion`, `kind`, `metadata.namespace` and `metadata.name`.
    pub object: [Option<String>; 4],
    /// JSON Pointer of the place: always one that exists.
    pub pointer: String,
    /// What it has to do with the finding.
    pub label: Words,
}

impl Related {
    /// Most places that one finding names.
    const MOST: usize = 10;

    /// Adds a place in `object`, unless there are many already. For readers of files only: the module does nothing.
    pub fn add(places: &mut Vec<Related>, object: &Node<'_>, at: &Node<'_>, label: impl Into<Words>) {
        if cfg!(feature = "guest") || places.len() >= Related::MOST {
            return;
        }
        let text = |path: &[&'static str]| reach(object.value()?, path)?.as_str().map(str::to_owned);
        let identity = [&["apiVersion"][..], &["kind"], &["metadata", "namespace"], &["metadata", "name"]];
        places.push(Related { object: identity.map(text), pointer: at.pointer(), label: label.into() });
    }
}

impl Finding {
    /// A field that was left out: mended with `fix` unless the settings say otherwise.
    pub fn omission(at: &Node<'_>, message: impl Into<Words>, fix: Fix) -> Self {
        Finding::new(Grade::Omission, at, message.into()).fix(fix)
    }

    /// A field that says the opposite of what must hold: refused unless the settings say otherwise.
    pub fn contradiction(at: &Node<'_>, message: impl Into<Words>) -> Self {
        Finding::new(Grade::Contradiction, at, message.into())
    }

    /// Something to know: a warning whatever the settings say.
    pub fn advice(at: &Node<'_>, message: impl Into<Words>) -> Self {
        Finding::new(Grade::Advice, at, message.into())
    }

    fn new(grade: Grade, at: &Node<'_>, message: Words) -> Self {
        Finding {
            rule: "",
            action: Action::Off,
            grade,
            pointer: at.pointer(),
            missing: at.missing().map(str::to_owned),
            message,
            label: None,
            reason: None,
            help: Words::default(),
            fix: None,
            related: Vec::new(),
        }
    }

    /// Says what the marked text is.
    #[must_use]
    pub fn label(mut self, label: impl Into<Words>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says why it matters here.
    #[must_use]
    pub fn because(mut self, reason: impl Into<Words>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<Words>) -> Self {
        self.help = help.into();
        self
    }

    /// Adds the edits that would mend it.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Names the other ends of the relation that it is about.
    #[must_use]
    pub fn about(mut self, related: Vec<Related>) -> Self {
        self.related = related;
        self
    }

    /// Adds edits that only `fix --unsafe` applies. Admission never does: the module leaves out what makes them.
    #[must_use]
    pub fn unsafe_fix(self, make: impl FnOnce() -> Fix) -> Self {
        if cfg!(feature = "guest") {
            return self;
        }
        let fix = make();
        // Where nothing can be done there is no fix.
        if fix.edits.is_empty() && fix.documents.is_empty() { self } else { self.fix(fix) }
    }

    /// Whether a machine may mend this without asking.
    pub fn safe_edits(&self) -> Option<&[Edit]> {
        self.fix.as_ref().filter(|fix| fix.safety == Safety::Safe).map(|fix| fix.edits.as_slice())
    }
}

/// The findings of one rule on one object.
pub type Findings = Vec<Finding>;

/// Whether a fix may be applied without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// Applied by mutation and by `fix`.
    Safe,
    /// Applied by `fix --unsafe` only: it may move or destroy something.
    Unsafe,
}

/// Edits that belong together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fix {
    /// Whether they may be applied without asking.
    pub safety: Safety,
    /// The edits, applied in order.
    pub edits: Vec<Edit>,
    /// Whole objects that have to exist beside the edited one, for files only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Value>,
}

impl Fix {
    /// Edits that mutation and `fix` apply.
    pub fn safe(edits: impl Into<Vec<Edit>>) -> Self {
        Fix { safety: Safety::Safe, edits: edits.into(), documents: Vec::new() }
    }

    /// Edits that only `fix --unsafe` applies.
    pub fn not_safe(edits: impl Into<Vec<Edit>>) -> Self {
        Fix { safety: Safety::Unsafe, edits: edits.into(), documents: Vec::new() }
    }
}

/// Appends one part of an enumeration: a separator goes before all but the first.
pub fn push_part(text: &mut String, separator: &str, part: &str) {
    if !text.is_empty() {
        text.push_str(separator);
    }
    text.push_str(part);
}

/// Whether a character would move the cursor, or turn the direction of the text around it.
pub fn may_mislead(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name from an object, fit for a message: in backquotes, on one line, cut where it would flood the reader.
pub fn quoted(name: &str) -> String {
    const LONGEST: usize = 80;
    let mut text = String::from("`");
    for (count, character) in name.chars().enumerate() {
        if count == LONGEST {
            text.push('…');
            break;
        }
        text.push(if may_mislead(character) { '\u{fffd}' } else { character });
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
