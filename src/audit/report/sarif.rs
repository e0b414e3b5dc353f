//! The report as SARIF 2.1.0. Objects of a cluster have no file: a result has a logical location only. Forecasts that
//! are worse than coming back are results of rules of their own, `forecast/OUTCOME`.

use std::io::{self, Write};

use serde_json::{Value, json};
use sqledge_ha_policy::rules::RULES;

use crate::audit::forecast::Outcome;
use crate::audit::{Audit, DatabaseReport};
use crate::linter::{Level, ObjectFinding, ObjectId};
use crate::report::sarif::log::{Message, SCHEMA};
use crate::report::{escaped_json, level_name};
use crate::rule_docs::url;

/// Writes a report.
///
/// # Errors
/// Errors of `output`.
pub fn write(audit: &Audit, output: &mut impl Write) -> io::Result<()> {
    let findings = audit.databases.iter().flat_map(|report| &report.findings).chain(&audit.findings).map(of_finding);
    let results: Vec<Value> = audit.databases.iter().flat_map(of_forecasts).chain(findings).collect();
    let notifications: Vec<Value> = audit
        .unread
        .iter()
        .map(|unread| {
            let text = format!("not read: {}: {}", unread.resource, unread.reason);
            json!({"level": "error", "message": Message::new(&text)})
        })
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION"), "rules": rules()}},
            "invocations": [{"executionSuccessful": audit.unread.is_empty(), "toolExecutionNotifications": notifications}],
            "results": results,
        }],
    });
    escaped_json::write(&log, output)
}

fn rules() -> Vec<Value> {
    let of_rules = RULES
        .iter()
        .map(|rule| json!({"id": rule.id, "shortDescription": Message::new(rule.summary), "helpUri": url(rule.id)}));
    let of_outcomes = Outcome::WORST_FIRST.iter().filter(|outcome| **outcome > Outcome::ComesBack).map(|outcome| {
        let text = format!("a failure after which a database {}", after(*outcome));
        json!({"id": rule_of(*outcome), "shortDescription": Message::new(&text)})
    });
    of_rules.chain(of_outcomes).collect()
}

/// The outcome as the end of a sentence.
fn after(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::TwoServers => "may run twice on the same files",
        Outcome::Unknown => "may or may not come back",
        other => other.words(true),
    }
}

fn rule_of(outcome: Outcome) -> String {
    format!("forecast/{}", outcome.name())
}

fn of_forecasts(report: &DatabaseReport) -> Vec<Value> {
    let worse = report.forecasts.iter().filter(|forecast| forecast.outcome > Outcome::ComesBack);
    let result = worse.map(|forecast| {
        let level = match forecast.outcome {
            Outcome::Unknown => "warning",
            _ => "error",
        };
        let text = format!("{} if {}: {}", forecast.outcome.words_before_if(forecast.certain), forecast.failure.event(), forecast.message);
        json!({
            "ruleId": rule_of(forecast.outcome),
            "level": level,
            "message": Message::new(&text),
            "locations": [location(&report.object, "")],
            "partialFingerprints": {"failureAndObject/v1": format!("{}:{}", forecast.failure.name(), path(&report.object))},
            "properties": {"forecast": forecast},
        })
    });
    result.collect()
}

fn of_finding(found: &ObjectFinding) -> Value {
    let finding = &found.finding;
    let text = format!("{}\nHelp: {}", finding.message, finding.help);
    json!({
        "ruleId": finding.rule,
        "level": level_name(Level::from_finding(finding)),
        "message": Message::new(&text),
        "locations": [location(&found.object, &finding.pointer)],
        "partialFingerprints": {"ruleAndObject/v1": format!("{}:{}#{}", finding.rule, path(&found.object), finding.pointer)},
    })
}

/// The object's API version, kind, namespace and name.
fn path(object: &ObjectId) -> String {
    let parts = [&object.api_version, &object.kind, &object.namespace, &object.name];
    parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("/")
}

fn location(object: &ObjectId, pointer: &str) -> Value {
    json!({"logicalLocations": [{
        "name": object.name,
        "fullyQualifiedName": format!("{}#{pointer}", path(object)),
        "kind": "resource",
    }]})
}
