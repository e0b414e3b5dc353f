//! The answer to an admission request, with the texts for the user who sent it.

use serde_json::Value;

use crate::finding::{Action, Finding, push_separated};
use crate::json::edit::Edit;
use crate::rules::{self, Loss};

/// The answer to one admission request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Whether the request is allowed.
    pub allowed: bool,
    /// Why it is rejected.
    pub message: Option<String>,
    /// The HTTP status of a rejection.
    pub code: Option<u16>,
    /// The object after all mutations, if there are any.
    pub mutated_object: Option<Value>,
    /// For the audit log, each key once: those of [`RuleAction`] list rule ids, and [`UNCHECKED`] the look-ups that
    /// failed.
    pub audit_annotations: Vec<(&'static str, String)>,
    /// For the user who sent the request; each at most [`MAX_WARNING`] characters.
    pub warnings: Vec<String>,
}

/// What is done because of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// The object is mutated.
    Mutated,
    /// The request is rejected.
    Rejected,
    /// The object would be mutated without the mode `warn`.
    WouldMutate,
    /// The request would be rejected without the mode `warn`.
    WouldReject,
    /// The user is warned.
    Warned,
}

impl RuleAction {
    /// All actions.
    pub const ALL: [RuleAction; 5] = [
        RuleAction::Mutated,
        RuleAction::Rejected,
        RuleAction::WouldMutate,
        RuleAction::WouldReject,
        RuleAction::Warned,
    ];

    /// The key of the audit annotation that lists the rules.
    pub fn annotation(self) -> &'static str {
        match self {
            RuleAction::Mutated => "mutated",
            RuleAction::Rejected => "rejected",
            RuleAction::WouldMutate => "would-mutate",
            RuleAction::WouldReject => "would-reject",
            RuleAction::Warned => "warned",
        }
    }
}

/// The key of the audit annotation that lists the look-ups that failed.
pub const UNCHECKED: &str = "unchecked";

/// The longest warning, in characters. The Kubernetes documentation asks for at most 120, and API servers truncate
/// longer ones.
pub const MAX_WARNING: usize = 120;

impl Verdict {
    /// The request is allowed without a finding.
    pub fn allow() -> Self {
        Verdict { allowed: true, ..Verdict::default() }
    }

    /// The request is rejected because the policy cannot check it.
    pub fn failure(message: impl Into<String>) -> Self {
        Verdict { message: Some(message.into()), code: Some(500), ..Verdict::default() }
    }

    /// The answer to `findings`; `mutated` is the object after their mutations, and `announce` says whether the user is
    /// told of them. Without such an object, they are warnings.
    pub fn from_findings(findings: &[Finding], mutated: Option<Value>, unchecked: &[String], announce: bool) -> Self {
        let mut verdict = Verdict::allow();
        let is_mutated = mutated.is_some();
        let only_warns = |finding: &Finding| match finding.action {
            Action::Warn => true,
            Action::Mutate => !is_mutated,
            Action::Reject | Action::Off => false,
        };
        for finding in findings.iter().filter(|finding| only_warns(finding)) {
            warn(finding, &mut verdict.warnings);
        }
        verdict.list(RuleAction::Warned, findings, &only_warns);
        verdict.list(RuleAction::WouldMutate, findings, &|finding| would(finding, Action::Mutate));
        verdict.list(RuleAction::WouldReject, findings, &|finding| would(finding, Action::Reject));
        let mut lines = String::new();
        unchecked.iter().for_each(|line| push_separated(&mut lines, "; ", line));
        verdict.annotate(UNCHECKED, lines);
        if findings.iter().any(|finding| finding.action == Action::Reject) {
            verdict.allowed = false;
            verdict.code = Some(403);
            verdict.message = Some(rejection(findings));
            verdict.list(RuleAction::Rejected, findings, &|finding| finding.action == Action::Reject);
        } else if mutated.is_some() {
            verdict.mutated_object = mutated;
            for finding in findings.iter().filter(|finding| announce && finding.action == Action::Mutate) {
                announce_mutation(finding, &mut verdict.warnings);
            }
            verdict.list(RuleAction::Mutated, findings, &|finding| finding.action == Action::Mutate);
        }
        verdict
    }

    /// Lists the rules with some of the findings.
    fn list(&mut self, action: RuleAction, findings: &[Finding], is_listed: &dyn Fn(&Finding) -> bool) {
        self.annotate(action.annotation(), ids(findings, is_listed));
    }

    fn annotate(&mut self, key: &'static str, value: String) {
        if !value.is_empty() {
            self.audit_annotations.push((key, value));
        }
    }
}

/// Whether only the mode `warn` keeps a finding from leading to `action`.
fn would(finding: &Finding, action: Action) -> bool {
    finding.action == Action::Warn && finding.enforced_action == action
}

/// The ids of the rules with some of the findings.
fn ids(findings: &[Finding], is_listed: &dyn Fn(&Finding) -> bool) -> String {
    let mut ids = String::new();
    let mut last = "";
    for finding in findings.iter().filter(|finding| is_listed(finding)) {
        if finding.rule != last {
            push_separated(&mut ids, ",", finding.rule);
        }
        last = finding.rule;
    }
    ids
}

/// Every finding that rejects, with reason and help, in the order of the rules.
fn rejection(findings: &[Finding]) -> String {
    let rejecting = || findings.iter().filter(|finding| finding.action == Action::Reject);
    let is_operation = |finding: &Finding| rules::find(finding.rule).is_some_and(|rule| rule.loss == Loss::Operation);
    let mut message = String::from(if rejecting().all(is_operation) {
        "the policy rejects this object:"
    } else {
        "the database would lose data or become unavailable:"
    });
    for finding in rejecting() {
        message.push_str("\n- ");
        message.push_str(finding.rule);
        message.push_str(": ");
        message.push_str(&finding.message);
        for part in finding.reason.iter().chain([&finding.help]).filter(|part| !part.is_empty()) {
            message.push_str("; ");
            message.push_str(part);
        }
        message.push_str(" (at ");
        message.push_str(if finding.pointer.is_empty() { "/" } else { &finding.pointer });
        message.push(')');
    }
    message
}

/// Says what a mutation changed, so that the user can write it into the manifest.
fn announce_mutation(finding: &Finding, lines: &mut Vec<String>) {
    let edits = finding.safe_edits().unwrap_or_default();
    let what_is_set = edits.iter().find(|edit| matches!(edit, Edit::Set { .. })).or(edits.first());
    let mut text = what_is_set.map(Edit::describe).unwrap_or_default();
    if edits.len() > 1 {
        text.push_str(&format!(", and {} more", edits.len() - 1));
    }
    let advice = "; put it in the manifest (sqledge-ha fix)";
    if finding.rule.len() + 2 + text.chars().count() + advice.len() <= MAX_WARNING {
        text.push_str(advice);
    }
    wrap(finding.rule, &text, lines);
}

/// Adds a finding as warnings: its message and its help, in one line if they fit, else in one line each. Only a single
/// sentence that is too long is wrapped.
fn warn(finding: &Finding, lines: &mut Vec<String>) {
    let Finding { rule, message, help, .. } = finding;
    let joined = format!("{rule}: {message}; {help}");
    if help.is_empty() || joined.chars().count() > MAX_WARNING {
        [message, help].into_iter().filter(|text| !text.is_empty()).for_each(|text| wrap(rule, text, lines));
    } else {
        lines.push(joined);
    }
}

/// The fewest bytes that shortening leaves of a name.
const MIN_NAME_BYTES: usize = 20;

/// A text with the middle of its longest names, which are between backquotes, left out, so that it has at most `max`
/// characters if possible.
fn shortened(text: &str, max: usize) -> String {
    let mut text = text.to_owned();
    // Each round shortens the longest name. A sentence has few names, so four rounds are enough, and the loop ends.
    for _ in 0..4 {
        let excess = text.chars().count().saturating_sub(max);
        let (start, length) = longest_name(&text);
        if excess == 0 || length <= MIN_NAME_BYTES + 1 {
            break;
        }
        // The ellipsis is one character.
        let cut = (excess + 1).min(length - MIN_NAME_BYTES);
        let from = text.floor_char_boundary(start + (length - cut) / 2);
        let to = text.ceil_char_boundary(from + cut);
        text.replace_range(from..to, "…");
    }
    text
}

/// Where the longest name in a text starts, and its length in bytes.
fn longest_name(text: &str) -> (usize, usize) {
    let (mut longest, mut start) = ((0, 0), 0);
    for (number, part) in text.split('`').enumerate() {
        if number % 2 == 1 && part.len() > longest.1 {
            longest = (start, part.len());
        }
        start += part.len() + 1;
    }
    longest
}

/// Adds a text in lines that start with the rule's id.
fn wrap(rule: &str, text: &str, lines: &mut Vec<String>) {
    if rule.len() + 2 + text.chars().count() <= MAX_WARNING {
        lines.push([rule, ": ", text].concat());
        return;
    }
    let text = shortened(text, MAX_WARNING - rule.len() - 2);
    let max_word = MAX_WARNING - rule.len() - 2;
    let mut line = format!("{rule}:");
    for word in text.split(' ') {
        let is_empty = line.len() == rule.len() + 1;
        if !is_empty && line.chars().count() + 1 + word.chars().count() > MAX_WARNING {
            lines.push(std::mem::replace(&mut line, format!("{rule}:")));
        }
        line.push(' ');
        line.extend(word.chars().take(max_word));
    }
    lines.push(line);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json::cursor::Cursor;
    use crate::testing::test;

    #[test]
    fn long_names_are_shortened_in_the_middle_so_that_a_sentence_fits() {
        let text = "the pod stays Pending until claim `mssql-data-production-europe-central` exists in namespace \
                    `databases-production-europe-central`";
        let mut lines = Vec::new();
        wrap("existing-claim", text, &mut lines);
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(line.chars().count() <= MAX_WARNING, "{line}");
        assert!(line.contains("`mssql-") && line.contains("central` exists in namespace `databases"), "{line}");
        assert_eq!(shortened("`a` and `b`", 5), "`a` and `b`");
    }

    #[test]
    fn long_warnings_are_wrapped_without_loss() {
        let object = json!({});
        let words: Vec<String> = (0..60).map(|word| format!("word{word}")).collect();
        let mut finding = Finding::advice(&Cursor::root(&object), words.join(" ")).help("do this");
        finding.rule = "some-rule";
        let mut lines = Vec::new();
        warn(&finding, &mut lines);
        assert!(lines.iter().all(|line| line.chars().count() <= MAX_WARNING && line.starts_with("some-rule:")));
        let all = lines.join(" ");
        assert!(words.iter().all(|word| all.contains(word)) && all.contains("do this"));
    }

    #[test]
    fn a_rejection_says_what_would_be_lost() {
        let object = json!({});
        let reject = |rules: &[&'static str]| {
            let finding = |rule| Finding {
                rule,
                action: Action::Reject,
                ..Finding::advice(&Cursor::root(&object), "it is wrong")
            };
            rejection(&rules.iter().map(|rule| finding(*rule)).collect::<Vec<_>>())
        };
        assert!(reject(&["retired-engine"]).starts_with("the policy rejects this object:"));
        let lost = "the database would lose data or become unavailable:";
        assert!(
            reject(&["single-replica"]).starts_with(lost)
                && reject(&["retired-engine", "one-engine"]).starts_with(lost)
        );
    }

    #[test]
    fn a_mutation_that_is_not_made_is_a_warning() {
        let object = json!({});
        let mut finding = Finding::advice(&Cursor::root(&object), "the strategy is wrong");
        finding.rule = "some-rule";
        finding.action = Action::Mutate;
        let verdict =
            |mutated: Option<Value>| Verdict::from_findings(std::slice::from_ref(&finding), mutated, &[], false);
        let unchanged = verdict(None);
        assert_eq!((unchanged.allowed, unchanged.warnings.len()), (true, 1));
        assert_eq!(unchanged.audit_annotations, [("warned", "some-rule".to_owned())]);
        assert_eq!(verdict(Some(json!({}))).audit_annotations, [("mutated", "some-rule".to_owned())]);
    }

    #[test]
    fn a_word_longer_than_a_warning_is_cut() {
        let mut lines = Vec::new();
        wrap("some-rule", &"x".repeat(500), &mut lines);
        assert_eq!(lines, [format!("some-rule: {}", "x".repeat(MAX_WARNING - 11))]);
    }
}
