//! The answer to an admission request, explained for people.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sqledge_ha_policy::admission::exit::Reason;
use sqledge_ha_policy::admission::request::Request;
use sqledge_ha_policy::admission::review::{Outcome, review};
use sqledge_ha_policy::admission::verdict::{RuleAction, UNCHECKED};
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::json::parse::parse_value;
use sqledge_ha_policy::rules;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::cluster::NoCluster;
use sqledge_ha_policy::view::index::ObjectIndex;

use crate::escape::escape;
use crate::wasm_host::AdmissionReview;

const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[1;32m";
const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

/// Explains an AdmissionReview and the one that answers it, under the policy's settings. `objects` are those in the
/// cluster; `None` if look-ups fail. The text contains colors; the caller strips them if the output is not a terminal.
pub fn text(review: &AdmissionReview, answer: &Value, settings: &Settings, objects: Option<&[Value]>) -> String {
    let request = review.request();
    let response = answer.get("response").unwrap_or(&Value::Null);
    let allowed = response.get("allowed").and_then(Value::as_bool).unwrap_or_default();
    let patch = patch(response);
    let mut text = format!("{BOLD}{}{PLAIN}\n", summary(&request));
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
        section(&mut text, "reason", [no_findings_reason(&request, settings, objects)]);
    }
    section(&mut text, "rules", findings);
    let message = response.pointer("/status/message").and_then(Value::as_str).unwrap_or_default();
    section(&mut text, "message", message.lines().map(str::to_owned));
    section(&mut text, "patch", patch);
    section(&mut text, "warnings", warnings.iter().filter_map(Value::as_str).map(str::to_owned));
    section(&mut text, "not checked", unchecked(response, objects.is_some()));
    text
}

/// The look-ups that failed, and why.
fn unchecked(response: &Value, has_objects: bool) -> Vec<String> {
    let lines = annotation(response, UNCHECKED).split("; ").filter(|line| !line.is_empty());
    if has_objects {
        return lines.map(str::to_owned).collect();
    }
    let subjects: Vec<&str> = lines.filter_map(|line| line.split(':').next()).collect();
    if subjects.is_empty() {
        return Vec::new();
    }
    vec![format!("what depends on {}: give their manifests with --cluster PATH", subjects.join(", "))]
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
fn summary(request: &Request<'_>) -> String {
    let or = |text: &str, alternative: &str| if text.is_empty() { alternative.to_owned() } else { text.to_owned() };
    let object = request.object.and_then(|object| parse_value(object, "the object").ok()).unwrap_or_default();
    let in_object = |key: &str| object.get("metadata")?.get(key)?.as_str().map(str::to_owned);
    let own = |text: &str, key: &str| Some(text.to_owned()).filter(|text| !text.is_empty()).or_else(|| in_object(key));
    let operation = or(&request.operation, "an unknown operation");
    let mut summary = format!("{operation} {}", or(&request.kind, "of an unknown kind"));
    if !request.group.is_empty() {
        let _ = write!(summary, " ({})", request.group);
    }
    match own(&request.name, "name") {
        Some(name) => summary.push_str(&format!(" {}", quoted(&name))),
        None => summary.push_str(" without a name"),
    }
    if let Some(namespace) = own(&request.namespace, "namespace") {
        let _ = write!(summary, " in namespace {}", quoted(&namespace));
    }
    if !request.sub_resource.is_empty() {
        let _ = write!(summary, ", sub-resource {}", request.sub_resource);
    }
    escape(&summary)
}

/// One line for each rule with findings: the outcome, the rule, and what must hold.
fn findings(response: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for outcome in RuleAction::ALL.map(RuleAction::annotation) {
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
fn no_findings_reason(request: &Request<'_>, settings: &Settings, objects: Option<&[Value]>) -> String {
    let outcome = match objects {
        Some(objects) => review(request, settings.clone(), &ObjectIndex::new(Scope::Request, objects)),
        None => review(request, settings.clone(), &NoCluster),
    };
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
        let mut request = request.clone();
        request["uid"] = json!("1");
        let review = AdmissionReview::read(request.to_string().into()).unwrap();
        let text = text(&review, &json!({"response": response}), &Settings::default(), None);
        [BOLD, GREEN, RED, PLAIN].iter().fold(text, |text, color| text.replace(color, ""))
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
                    "object": {"metadata": {"deletionTimestamp": "x"}}, "oldObject": {"spec": {"type": "NodePort"}}}),
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
    fn the_reason_depends_on_the_objects_in_the_cluster() {
        let service = json!({"uid": "1", "kind": {"kind": "Service"}, "operation": "CREATE", "namespace": "db",
            "object": {"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer", "selector": {"app": "web"}}}});
        let review = AdmissionReview::read(service.to_string().into()).unwrap();
        let reason = |objects| no_findings_reason(&review.request(), &Settings::default(), objects);
        let expected = super::review(&review.request(), Settings::default(), &ObjectIndex::new(Scope::Request, []));
        let Ok(Outcome::Passed(expected)) = expected else { panic!("{expected:?}") };
        assert_eq!(reason(Some(&[])), expected.to_string());
        assert_eq!(reason(None), Reason::NoFindings.to_string());
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
  what depends on services, workloads: give their manifests with --cluster PATH
";
        assert_eq!(explained(&request, &response), expected);
    }
}
