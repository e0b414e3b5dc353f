//! What came of an admission request, in plain words.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::kind::{Kind, has_judged_owner};
use sqledge_ha_policy::request::{Request, parse_value};
use sqledge_ha_policy::review::concerns;
use sqledge_ha_policy::rules;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::workload::Workload;

use crate::escape::escape;

const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[1;32m";
const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

/// Tells what an AdmissionRequest asked and what its AdmissionReview answers, given the policy's settings. Colours are
/// in it; whoever prints it strips them where they do not belong.
pub fn text(request: &Value, answer: &Value, settings: &Settings) -> String {
    let response = answer.get("response").unwrap_or(&Value::Null);
    let allowed = response.get("allowed").and_then(Value::as_bool).unwrap_or_default();
    let patch = patch(response);
    let mut text = format!("{BOLD}{}{PLAIN}\n", asked(request));
    let verdict = match (allowed, patch.is_empty()) {
        (false, _) => format!("{RED}refused{PLAIN}"),
        (true, false) => format!("{GREEN}accepted and mended{PLAIN}"),
        (true, true) => format!("{GREEN}accepted as it is{PLAIN}"),
    };
    text.push_str(&verdict);
    text.push('\n');
    let judged = judged(response);
    let warnings = response.get("warnings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if allowed && judged.is_empty() && warnings.is_empty() {
        section(&mut text, "why", [silence(request, settings).to_owned()]);
    }
    section(&mut text, "rules", judged);
    let message = response.pointer("/status/message").and_then(Value::as_str).unwrap_or_default();
    section(&mut text, "message", message.lines().map(str::to_owned));
    section(&mut text, "patch", patch);
    section(&mut text, "warnings", warnings.iter().filter_map(Value::as_str).map(str::to_owned));
    section(&mut text, "not looked up", annotation(response, "unchecked").split("; ").map(str::to_owned));
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

/// What was asked, in one line.
fn asked(request: &Value) -> String {
    let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let operation = text("/operation").unwrap_or("an unknown operation");
    let mut asked = format!("{operation} {}", text("/kind/kind").unwrap_or("of an unknown kind"));
    if let Some(group) = text("/kind/group") {
        let _ = write!(asked, " ({group})");
    }
    match text("/name").or(text("/object/metadata/name")) {
        Some(name) => asked.push_str(&format!(" {}", quoted(name))),
        None => asked.push_str(" without a name yet"),
    }
    if let Some(namespace) = text("/namespace").or(text("/object/metadata/namespace")) {
        let _ = write!(asked, " in namespace {}", quoted(namespace));
    }
    if let Some(sub_resource) = text("/subResource") {
        let _ = write!(asked, ", subresource {sub_resource}");
    }
    escape(&asked)
}

/// One line for each rule that spoke up: what became of it, and what must hold.
fn judged(response: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for outcome in ["mended", "refused", "warned"] {
        for id in annotation(response, outcome).split(',').filter(|id| !id.is_empty()) {
            let summary = rules::find(id).map_or("", |rule| rule.summary);
            lines.push(format!("{outcome:7}  {id}: {summary}"));
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

/// Why nothing was said about a request that was accepted.
fn silence(request: &Value, settings: &Settings) -> &'static str {
    let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let object = request.get("object").unwrap_or(&Value::Null);
    let Some(kind) = Kind::of(text("/kind/group"), text("/kind/kind")) else {
        return "no rule is about objects of this kind";
    };
    if let Some(why) = not_judged(text("/operation"), text("/subResource"), kind) {
        return why;
    }
    if object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null()) {
        return "the object is being deleted";
    }
    if has_judged_owner(object) {
        return "the controller that owns the object was judged in its place";
    }
    let unchanged = |part: &str| request.pointer(&format!("/oldObject/{part}")) == object.get(part);
    if text("/operation") == "UPDATE" && unchanged("spec") && unchanged("template") {
        return "nothing changes that the rules look at";
    }
    match kind {
        Kind::Service => "the Service leads to no governed engine as far as can be seen, or does so rightly",
        Kind::Scale => "the workload runs no governed engine, or is scaled to one replica at most",
        _ => match Workload::read(object, kind, settings) {
            Some(workload) if !workload.is_governed() => {
                "it runs an engine that the settings do not govern (see the setting `engines`)"
            }
            Some(_) if is_looked_into(request, settings) => "everything that the rules ask for is there",
            // What was not looked into may lack everything.
            Some(_) => "the request is not judged: it is not of the form in which the API server sends one",
            None => "nothing in it runs a database engine",
        },
    }
}

/// Why the rules are not asked about such a request, whatever it carries.
fn not_judged(operation: &str, sub_resource: &str, kind: Kind) -> Option<&'static str> {
    match (operation, sub_resource, kind) {
        ("CREATE" | "UPDATE", "", Kind::Scale) => Some(
            "the request is not judged: a Scale is what the subresource `scale` carries, and no subresource is named",
        ),
        ("CREATE" | "UPDATE", "scale", Kind::Scale) | ("CREATE" | "UPDATE", "", _) => None,
        ("CREATE" | "UPDATE", "scale", _) => {
            Some("the request is not judged: the subresource `scale` carries a Scale, and this is none")
        }
        _ => Some("only what creates, changes or scales an object is judged"),
    }
}

/// Whether the rules were asked at all.
fn is_looked_into(request: &Value, settings: &Settings) -> bool {
    let text = request.to_string();
    Request::parse(&text).and_then(|request| concerns(&request, settings)).unwrap_or_default()
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
    fn a_request_that_passes_without_a_word_is_told_why() {
        let pod = |image: &str| json!({"spec": {"containers": [{"image": image}]}});
        let cases = [
            (json!({"kind": {"kind": "ConfigMap"}}), "no rule is about objects of this kind"),
            (json!({"kind": {"kind": "Pod"}, "operation": "DELETE"}), "only what creates"),
            (json!({"kind": {"kind": "Pod"}, "operation": "CREATE", "object": pod("web")}), "no"),
            (json!({"kind": {"kind": "Pod"}, "operation": "CREATE", "object": pod("mssql/server")}), "do not govern"),
            (
                json!({"kind": {"kind": "Pod"}, "operation": "UPDATE", "object": pod("web"), "oldObject": pod("web")}),
                "nothing changes",
            ),
            (
                json!({"kind": {"kind": "Pod"}, "operation": "UPDATE", "object": {"metadata": {"deletionTimestamp": "x"}}}),
                "being deleted",
            ),
            (
                json!({"kind": {"kind": "Pod"}, "operation": "CREATE", "object": pod("azure-sql-edge")}),
                "everything that the rules ask for is there",
            ),
            (
                json!({"kind": {"group": "apps", "kind": "Deployment"}, "operation": "UPDATE", "subResource": "scale",
                    "object": {"spec": {"replicas": 3, "template": pod("azure-sql-edge")}}}),
                "not judged: the subresource `scale` carries a Scale",
            ),
            (
                json!({"kind": {"group": "autoscaling", "kind": "Scale"}, "operation": "UPDATE",
                    "object": {"spec": {"replicas": 3}}}),
                "not judged: a Scale is what",
            ),
            (
                json!({"kind": {"group": "apps", "kind": "Deployment"}, "operation": "UPDATE", "subResource": "status",
                    "object": {"spec": {"template": pod("azure-sql-edge")}}}),
                "only what creates",
            ),
        ];
        for (request, expected) in cases {
            let text = explained(&request, &json!({"allowed": true}));
            assert!(text.contains("accepted as it is\n\nwhy\n") && text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_refusal_is_told_with_its_rules_and_reasons() {
        let request = json!({"kind": {"group": "apps", "kind": "Deployment"}, "operation": "CREATE",
            "name": "sql\u{1b}[2J", "namespace": "shop"});
        let response = json!({"allowed": false, "status": {"message": "because:\n- single-replica: two"},
            "auditAnnotations": {"refused": "single-replica", "unchecked": "services: a; workloads: b"}});
        let expected = "\
CREATE Deployment (apps) `sql\u{fffd}[2J` in namespace `shop`
refused

rules
  refused  single-replica: at most one pod runs the engine

message
  because:
  - single-replica: two

not looked up
  services: a
  workloads: b
";
        assert_eq!(explained(&request, &response), expected);
    }
}
