//! The answer to an admission request, worded for the person who sent it.

use serde_json::Value;

use crate::finding::{Action, Finding, push_part};

/// The answer to one admission request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Whether the request may pass.
    pub accepted: bool,
    /// Why not.
    pub message: Option<String>,
    /// The HTTP status of a refusal.
    pub code: Option<u16>,
    /// The object with everything mended, if anything was.
    pub mutated_object: Option<Value>,
    /// For the audit log, each key once: `mended`, `refused` and `warned` list rule ids, `unchecked` says what could not
    /// be looked up.
    pub audit_annotations: Vec<(&'static str, String)>,
    /// For the person who sent the request; each at most 120 characters.
    pub warnings: Vec<String>,
}

/// Longest warning in characters: the API server advises clients so and cuts long ones.
pub const LONGEST_WARNING: usize = 120;

impl Verdict {
    /// The request passes without a word.
    pub fn accept() -> Self {
        Verdict { accepted: true, ..Verdict::default() }
    }

    /// The request is refused because the policy could not do its work.
    pub fn failure(message: impl Into<String>) -> Self {
        Verdict { message: Some(message.into()), code: Some(500), ..Verdict::default() }
    }

    /// The answer that follows from findings; `mended` is the object after their mutations.
    pub fn from_findings(findings: &[Finding], mended: Option<Value>, unchecked: &[String]) -> Self {
        let mut verdict = Verdict::accept();
        for finding in findings.iter().filter(|finding| finding.action == Action::Warn) {
            warn(finding, &mut verdict.warnings);
        }
        verdict.annotate("warned", ids(findings, Action::Warn));
        let mut lines = String::new();
        unchecked.iter().for_each(|line| push_part(&mut lines, "; ", line));
        verdict.annotate("unchecked", lines);
        if findings.iter().any(|finding| finding.action == Action::Reject) {
            verdict.accepted = false;
            verdict.code = Some(403);
            verdict.message = Some(refusal(findings));
            verdict.annotate("refused", ids(findings, Action::Reject));
        } else if mended.is_some() {
            verdict.mutated_object = mended;
            verdict.annotate("mended", ids(findings, Action::Mutate));
        }
        verdict
    }

    fn annotate(&mut self, key: &'static str, value: String) {
        if !value.is_empty() {
            self.audit_annotations.push((key, value));
        }
    }
}

/// The rules whose findings lead to `action`.
fn ids(findings: &[Finding], action: Action) -> String {
    let mut ids = String::new();
    let mut last = "";
    for finding in findings.iter().filter(|finding| finding.action == action) {
        if finding.rule != last {
            push_part(&mut ids, ",", finding.rule);
        }
        last = finding.rule;
    }
    ids
}

/// Every reason of a refusal, each with its remedy, in the order of the rules.
fn refusal(findings: &[Finding]) -> String {
    let mut message = String::from("this would not stay available, or would lose data:");
    for finding in findings.iter().filter(|finding| finding.action == Action::Reject) {
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

/// Adds a finding as warnings: as many lines as it takes.
fn warn(finding: &Finding, lines: &mut Vec<String>) {
    let longest_word = LONGEST_WARNING - finding.rule.len() - 2;
    let mut line = format!("{}:", finding.rule);
    let mut text = finding.message.to_string();
    if !finding.help.is_empty() {
        text.push_str("; ");
        text.push_str(&finding.help);
    }
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > LONGEST_WARNING {
            lines.push(std::mem::replace(&mut line, format!("{}:", finding.rule)));
        }
        line.push(' ');
        line.extend(word.chars().take(longest_word));
    }
    lines.push(line);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::node::Node;
    use crate::testing::test;

    #[test]
    fn warnings_stay_within_120_characters_and_lose_nothing() {
        let object = json!({});
        let words: Vec<String> = (0..60).map(|word| format!("word{word}")).collect();
        let mut finding = Finding::advice(&Node::root(&object), words.join(" ")).help("x".repeat(500));
        finding.rule = "some-rule";
        let mut lines = Vec::new();
        warn(&finding, &mut lines);
        assert!(lines.iter().all(|line| line.chars().count() <= LONGEST_WARNING && line.starts_with("some-rule:")));
        let all = lines.join(" ");
        assert!(words.iter().all(|word| all.contains(word)));
    }
}
