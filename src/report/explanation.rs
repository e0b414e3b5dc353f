//! The answer to an admission request, explained for people.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sqledge_ha_policy::admission::exit::Reason;
use sqledge_ha_policy::admission::request::Request;
use sqledge_ha_policy::admission::review::{Outcome, review};
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::json::parse::parse_value;
use sqledge_ha_policy::rules;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::cluster::NoCluster;

use crate::escape::escape;

const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[1;32m";
const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

/// Explains an AdmissionRequest and the AdmissionReview that answers it, under the policy's settings. The text contains
/// colors; the caller strips them if the output is not a terminal.
pub fn text(request: &Value, answer: &Value, settings: &Settings) -> String {
    let response = answer.get("response").unwrap_or(&Value::Null);
    let allowed = response.get("allowed").and_then(Value::as_bool).unwrap_or_default();
    let patch = patch(response);
    let mut text = format!("{BOLD}{}{PLAIN}\n", summary(request));
    let verdict = match (allowed, patch.is_empty()) {
        (false, _) => format!("{RED}rejected{PLAIN}"),
        (true, false) => format!("{GREEN}allowed and mutated{PLAIN}"),
        (true, true) => format!("{GREEN}allowed{PLAIN}"),
    };
    text.push_str(&verdict);
    text.push('\n');
    let findings = findings(response);
    let warnings = response.get("warnings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if allowed && findings.is_empty() && warnings.is_empty() {
        section(&mut text, "reason", [no_findings_reason(request, settings)]);
    }
    section(&mut text, "rules", findings);
    let message = response.pointer("/status/message").and_then(Value::as_str).unwrap_or_default();
    section(&mut text, "message", message.lines().map(str::to_owned));
    section(&mut text, "patch", patch);
    section(&mut text, "warnings", warnings.iter().filter_map(Value::as_str).map(str::to_owned));
    section(&mut text, "not checked", annotation(response, "unchecked").split("; ").map(str::to_owned));
    text
}

/// Adds lines under a heading, unless there are none.
fn section(text: &mut String, heading: &str, lines: impl IntoIterator<Item = String>) {
    let mut lines = lines.into_iter().filter(|line| !line.is_empty()).peekable();
    if lines.peek().is_some() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{BOLD}{heading}{PLAIN}");
    }
    lines.for_each(|line| {
        let _ = writeln!(text, "  {}", escape(&line));
    });
}

/// The request in one line.
fn summary(request: &Value) -> String {
    let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let operation = text("/operation").unwrap_or("an unknown operation");
    let mut summary = format!("{operation} {}", text("/kind/kind").unwrap_or("of an unknown kind"));
    if let Some(group) = text("/kind/group") {
        let _ = write!(summary, " ({group})");
    }
    match text("/name").or(text("/object/metadata/name")) {
        Some(name) => summary.push_str(&format!(" {}", quoted(name))),
        None => summary.push_str(" without a name"),
    }
    if let Some(namespace) = text("/namespace").or(text("/object/metadata/namespace")) {
        let _ = write!(summary, " in namespace {}", quoted(namespace));
    }
    if let Some(sub_resource) = text("/subResource") {
        let _ = write!(summary, ", sub-resource {sub_resource}");
    }
    escape(&summary)
}

/// One line for each rule with findings: the outcome, the rule, and what must hold.
fn findings(response: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for outcome in ["mutated", "rejected", "warned"] {
        for id in annotation(response, outcome).split(',').filter(|id| !id.is_empty()) {
            let summary = rules::find(id).map_or("", |rule| rule.summary);
            lines.push(format!("{outcome:8}  {id}: {summary}"));
        }
    }
    lines
}

fn annotation<'a>(response: &'a Value, key: &str) -> &'a str {
    response.get("auditAnnotations").and_then(|all| all.get(key)).and_then(Value::as_str).unwrap_or_default()
}

/// The operations of the patch, one line each.
fn patch(response: &Value) -> Vec<String> {
    let encoded = response.get("patch").and_then(Value::as_str).unwrap_or_default();
    let decoded = BASE64_STANDARD.decode(encoded).unwrap_or_default();
    let operations = parse_value(&String::from_utf8_lossy(&decoded), "the patch").unwrap_or_default();
    let text = |operation: &Value, key| operation.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let line = |operation: &Value| {
        let value = operation.get("value").map(|value| format!(" = {value}")).unwrap_or_default();
        format!("{:7}  {}{value}", text(operation, "op"), text(operation, "path"))
    };
    operations.as_array().into_iter().flatten().map(line).collect()
}

/// Why a request is allowed without a finding.
fn no_findings_reason(request: &Value, settings: &Settings) -> String {
    let text = request.to_string();
    let outcome = Request::parse(&text).and_then(|request| review(&request, settings.clone(), &NoCluster));
    match outcome {
        Ok(Outcome::Passed(reason)) => reason.to_string(),
        // Look-ups failed, but no rule has a finding.
        Ok(Outcome::Decided(_)) | Err(_) => Reason::NoFindings.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn explained(request: &Value, response: &Value) -> String {
        let text = text(request, &json!({"response": response}), &Settings::default());
        [BOLD, GREEN, RED, PLAIN].iter().fold(text, |text, colour| text.replace(colour, ""))
    }

    #[test]
    fn an_allowed_request_is_explained() {
        let pod = |image: &str| json!({"spec": {"containers": [{"image": image}]}});
        let cases = [
            (json!({"kind": {"kind": "ConfigMap"}}), "no rule checks objects of this kind"),
            (json!({"kind": {"kind": "Pod"}, "operation": "DELETE"}), "create, change or scale"),
            (json!({"kind": {"kind": "Pod"}, "operation": "CREATE", "object": pod("web")}), "runs a database"),
            (json!({"kind": {"kind": "Pod"}, "operation": "CREATE", "object": pod("mssql/server")}), "do not select"),
            (
                json!({"kind": {"kind": "Pod"}, "operation": "UPDATE", "object": pod("mssql/server"),
                    "oldObject": pod("mssql/server")}),
                "changes nothing",
            ),
            (
                json!({"kind": {"kind": "Service"}, "operation": "UPDATE",
                    "object": {"metadata": {"deletionTimestamp": "x"}}}),
                "being deleted",
            ),
            (
                json!({"kind": {"group": "apps", "kind": "Deployment"}, "operation": "UPDATE", "subResource": "scale",
                    "object": {"spec": {"replicas": 3, "template": pod("azure-sql-edge")}}}),
                "but its object is not a Scale",
            ),
            (
                json!({"kind": {"group": "autoscaling", "kind": "Scale"}, "operation": "UPDATE",
                    "object": {"spec": {"replicas": 3}}}),
                "only in requests for the sub-resource `scale`",
            ),
            (
                json!({"kind": {"group": "apps", "kind": "Deployment"}, "operation": "UPDATE", "subResource": "status",
                    "object": {"spec": {"template": pod("azure-sql-edge")}}}),
                "no rule checks this sub-resource",
            ),
        ];
        for (request, expected) in cases {
            let text = explained(&request, &json!({"allowed": true}));
            assert!(text.contains("allowed\n\nreason\n") && text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_rejection_is_explained_with_its_rules_and_reasons() {
        let request = json!({"kind": {"group": "apps", "kind": "Deployment"}, "operation": "CREATE",
            "name": "sql\u{1b}[2J", "namespace": "shop"});
        let response = json!({"allowed": false, "status": {"message": "because:\n- single-replica: two"},
            "auditAnnotations": {"rejected": "single-replica", "unchecked": "services: a; workloads: b"}});
        let expected = "\
CREATE Deployment (apps) `sql\u{fffd}[2J` in namespace `shop`
rejected

rules
  rejected  single-replica: at most one pod runs the database

message
  because:
  - single-replica: two

not checked
  services: a
  workloads: b
";
        assert_eq!(explained(&request, &response), expected);
    }
}
