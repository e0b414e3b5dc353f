//! The registry of rules, and how a rule's findings become actions.
//!
//! Each rule is one file below `rules/`, named after its id; this list is their order everywhere.

use crate::finding::{Action, Finding, Findings, Grade, apply};
use crate::node::reach;
use crate::settings::{Mode, Settings};
use crate::subject::Subject;
use serde_json::Value;

pub mod documentation;

/// A rule: what it is called, what it does, and how it decides.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The id, which names the state that must hold.
    pub id: &'static str,
    /// One sentence: what must hold.
    pub summary: &'static str,
    /// What a violation leads to unless the settings say otherwise.
    pub default_action: Action,
    /// Whether there are edits that mend a violation, and how far they can be trusted.
    pub fixable: Fixable,
    /// Whether it looks at other objects. If so, it looks at no more of a workload than [`crate::essence::essence`] leaves.
    pub is_relational: bool,
    /// Adds what is wrong with the subject.
    pub check: fn(&Subject<'_>, &mut Findings),
}

/// Whether a rule's violations can be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixable {
    /// By mutation and by `fix`.
    Safe,
    /// By `fix --unsafe` only.
    Unsafe,
    /// Only by a person.
    No,
}

impl Fixable {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Fixable::Safe => "safe",
            Fixable::Unsafe => "unsafe",
            Fixable::No => "none",
        }
    }
}

impl Rule {
    /// Whether mutation can mend a violation, so that `mutate` is an action it can be given.
    pub fn is_mendable(&self) -> bool {
        self.fixable == Fixable::Safe
    }

    /// What a finding of this rule leads to: the settings' word, or the default, applied to the finding's grade.
    pub fn action_of(&self, finding: &Finding, settings: &Settings) -> Action {
        let chosen = settings.action(self.id);
        let action = match (chosen.unwrap_or(self.default_action), finding.grade) {
            (Action::Off, _) => Action::Off,
            (Action::Warn, _) | (_, Grade::Advice) => Action::Warn,
            (Action::Mutate, _) if finding.safe_edits().is_some() => Action::Mutate,
            // A rule that refuses by default still mends what was merely left out, unless it was told to refuse.
            (Action::Reject, Grade::Omission) if chosen.is_none() => Action::Mutate,
            _ => Action::Reject,
        };
        match (action, settings.mode) {
            (Action::Mutate, Mode::Validate) => Action::Reject,
            _ => action,
        }
    }
}

/// Lists the rules in the order of the documentation. A line here is all that a new file below `rules/` needs.
macro_rules! rules {
    ($($module:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// Every rule, in the order of the documentation.
        pub static RULES: &[Rule] = &[$($module::RULE),*];

        /// The source text of every rule's file, which carries its documentation.
        #[cfg(not(feature = "guest"))]
        static SOURCES: &[&str] = &[$(include_str!(concat!("rules/", stringify!($module), ".rs"))),*];
    };
}

rules! {
    // One writer
    single_replica,
    recreate_strategy,
    steady_controller,
    one_engine,
    // Durable data
    persistent_data,
    whole_data_root,
    writable_data,
    stable_data_path,
    // Any amd64 node
    amd64_node_selector,
    linux_node,
    unpinned_node,
    finite_tolerations,
    // Clean restart
    graceful_stop,
    volume_ownership,
    // Stable address
    load_balancer_service,
    reachable_service,
}

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// Asks every rule about a subject. The findings carry their rule and their action; those that lead to nothing are
/// left out.
pub fn judge(subject: &Subject<'_>) -> Findings {
    judge_by(subject, |_| true)
}

/// The same of the rules that look at nothing but the object itself.
pub fn judge_alone(subject: &Subject<'_>) -> Findings {
    judge_by(subject, |rule| !rule.is_relational)
}

/// The same of the rules that look at other objects as well.
pub fn judge_relations(subject: &Subject<'_>) -> Findings {
    judge_by(subject, |rule| rule.is_relational)
}

fn judge_by(subject: &Subject<'_>, is_asked: fn(&Rule) -> bool) -> Findings {
    let object = subject.object();
    let mut judged = Findings::new();
    for rule in RULES.iter().filter(|rule| is_asked(rule) && !is_exempt(object, rule.id, subject.settings)) {
        let mut findings = Findings::new();
        (rule.check)(subject, &mut findings);
        for mut finding in findings {
            finding.rule = rule.id;
            drop_inapplicable_fix(&mut finding, object);
            finding.action = rule.action_of(&finding, subject.settings);
            if finding.action != Action::Off {
                judged.push(finding);
            }
        }
    }
    judged
}

/// A value of the wrong type cannot be mended, e.g. `strategy: Recreate` where a mapping belongs.
fn drop_inapplicable_fix(finding: &mut Finding, object: &Value) {
    let fits = finding.fix.as_ref().is_none_or(|fix| fix.edits.iter().all(|edit| edit.fits(object)));
    if !fits {
        finding.fix = None;
        finding.grade = if finding.grade == Grade::Omission { Grade::Contradiction } else { finding.grade };
    }
}

/// Whether the object's annotation `sqledge-ha/ignore` switches the rule off, where the settings allow it.
fn is_exempt(object: &Value, rule: &str, settings: &Settings) -> bool {
    settings.exemptions && {
        let annotation = reach(object, &["metadata", "annotations", "sqledge-ha/ignore"]).and_then(Value::as_str);
        annotation.is_some_and(|list| list.split([',', ' ']).any(|id| id == rule))
    }
}

/// `object` with every finding that is to be mended mended; `None` if there is nothing to mend.
pub fn mended(mut object: Value, findings: &[Finding]) -> Option<Value> {
    let mut has_changed = false;
    for finding in findings.iter().filter(|finding| finding.action == Action::Mutate) {
        // `judge` has made sure that the edits fit the object.
        has_changed |= apply(&mut object, finding.safe_edits().unwrap_or_default()).is_ok();
    }
    has_changed.then_some(object)
}
