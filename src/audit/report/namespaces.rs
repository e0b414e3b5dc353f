//! One report for each namespace with databases, as the APIs of [OpenReports](https://openreports.io) and of the
//! Kubernetes policy working group have them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use sqledge_ha_policy::rules::{Loss, find};

use crate::audit::forecast::{Forecast, Outcome};
use crate::audit::inventory::Unread;
use crate::audit::{Audit, DatabaseReport};
use crate::escape::escape;
use crate::linter::{Level, ObjectFinding, ObjectId};

/// The name of every report, and the source that it names.
pub const NAME: &str = "sqledge-ha";

/// The label that says who writes a report.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The most results in a report. The others are counted only.
pub const MAX_RESULTS: usize = 1000;

/// The most bytes of a report's results: etcd stores objects of at most 1.5 MiB.
const MAX_BYTES: usize = 1 << 20;

/// The most characters of a text.
const MAX_TEXT: usize = 1024;

/// An API for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportApi {
    /// The group.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The name in paths.
    pub plural: &'static str,
}

impl ReportApi {
    /// The APIs, the preferred one first.
    pub const ALL: [ReportApi; 3] = [
        ReportApi { group: "openreports.io", version: "v1alpha1", kind: "Report", plural: "reports" },
        ReportApi { group: "wgpolicyk8s.io", version: "v1alpha2", kind: "PolicyReport", plural: "policyreports" },
        ReportApi { group: "wgpolicyk8s.io", version: "v1beta1", kind: "PolicyReport", plural: "policyreports" },
    ];

    /// Its `apiVersion`.
    pub fn api_version(&self) -> String {
        format!("{}/{}", self.group, self.version)
    }

    /// The resource with its group.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }

    /// Whether a report names its source and its largest size.
    fn has_configuration(&self) -> bool {
        self.group == "openreports.io"
    }
}

/// The report of a namespace.
#[derive(Debug)]
pub struct NamespaceReport {
    /// The namespace.
    pub namespace: String,
    results: Vec<PolicyResult>,
    /// How many results there are of each status, with those that were left out.
    summary: BTreeMap<Status, usize>,
    left_out: usize,
}

/// What a result says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Fail,
    Error,
    Warn,
    Skip,
    Pass,
}

impl Status {
    const ALL: [Status; 5] = [Status::Fail, Status::Error, Status::Warn, Status::Skip, Status::Pass];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Critical,
    High,
    Medium,
    Low,
    Info,
}

#[derive(Debug, Serialize)]
struct PolicyResult {
    source: &'static str,
    policy: String,
    category: &'static str,
    result: Status,
    severity: Severity,
    scored: bool,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<BTreeMap<&'static str, String>>,
    properties: BTreeMap<&'static str, String>,
    timestamp: Timestamp,
}

/// The time of the audit: seconds since 1970.
#[derive(Clone, Copy, Debug, Serialize)]
struct Timestamp {
    seconds: i64,
    nanos: i32,
}

/// The reports of an audit at a time, in seconds since 1970.
pub fn reports(audit: &Audit, seconds: i64) -> Vec<NamespaceReport> {
    let time = Timestamp { seconds, nanos: 0 };
    let mut by_namespace: BTreeMap<&str, Vec<PolicyResult>> = BTreeMap::new();
    for report in &audit.databases {
        by_namespace.entry(report.namespace()).or_default().extend(of_database(report, time));
    }
    for found in &audit.findings {
        // Nobody looks for a database in other namespaces.
        if let Some(results) = found.object.namespace.as_deref().and_then(|name| by_namespace.get_mut(name)) {
            results.push(of_finding(found, time));
        }
    }
    for (namespace, results) in &mut by_namespace {
        let concerns = |unread: &&Unread| unread.namespace.as_deref().is_none_or(|name| name == *namespace);
        results.extend(audit.unread.iter().filter(concerns).map(|unread| of_unread(unread, time)));
    }
    let reports = by_namespace.into_iter();
    reports.map(|(namespace, results)| NamespaceReport::new(namespace.to_owned(), results, time)).collect()
}

impl NamespaceReport {
    /// Keeps the worst results.
    fn new(namespace: String, mut results: Vec<PolicyResult>, time: Timestamp) -> Self {
        let mut summary: BTreeMap<Status, usize> = Status::ALL.into_iter().map(|status| (status, 0)).collect();
        results.iter().for_each(|result| *summary.entry(result.result).or_default() += 1);
        results.sort_by_key(|result| (result.result, result.severity));
        let mut bytes = 0;
        let fits = |result: &PolicyResult| {
            bytes += serde_json::to_vec(result).map_or(0, |text| text.len());
            bytes <= MAX_BYTES
        };
        let fitting = results.iter().map(fits).take_while(|fits| *fits).count();
        let kept =
            if fitting == results.len() && fitting <= MAX_RESULTS { fitting } else { fitting.min(MAX_RESULTS - 1) };
        let left_out = results.len() - kept;
        results.truncate(kept);
        if left_out > 0 {
            let message =
                format!("{left_out} more results are left out: run `sqledge-ha audit --namespace {namespace}`");
            results.push(of_audit(Status::Skip, Severity::Info, &message, time));
        }
        NamespaceReport { namespace, results, summary, left_out }
    }

    /// The object.
    pub fn to_object(&self, api: &ReportApi) -> Value {
        let mut metadata = json!({"name": NAME, "namespace": self.namespace, "labels": {MANAGED_BY: NAME}});
        if self.left_out > 0 {
            insert(&mut metadata, "annotations", json!({"sqledge-ha/left-out": self.left_out.to_string()}));
        }
        let mut object = json!({
            "apiVersion": api.api_version(),
            "kind": api.kind,
            "metadata": metadata,
            "scope": {"apiVersion": "v1", "kind": "Namespace", "name": self.namespace},
            "summary": self.summary,
            "results": self.results,
        });
        if api.has_configuration() {
            insert(&mut object, "source", json!(NAME));
            insert(&mut object, "configuration", json!({"limits": {"maxResults": MAX_RESULTS}}));
        }
        object
    }
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

fn of_database(report: &DatabaseReport, time: Timestamp) -> Vec<PolicyResult> {
    let of_findings = report.findings.iter().map(|found| of_finding(found, time));
    let of_forecasts = report.forecasts.iter().map(|forecast| of_forecast(forecast, report, time));
    let mut results: Vec<PolicyResult> = of_findings.chain(of_forecasts).collect();
    if report.forecasts.is_empty() {
        let message = "no pod of the database is on a node, so nothing is predicted";
        let mut result = of_audit(Status::Skip, Severity::Info, message, time);
        "forecast".clone_into(&mut result.policy);
        result.resources = vec![reference(&report.object)];
        results.push(result);
    }
    results
}

/// What would be rejected or mutated fails.
fn of_finding(found: &ObjectFinding, time: Timestamp) -> PolicyResult {
    let finding = &found.finding;
    let loss = find(finding.rule).map_or(Loss::Operation, |rule| rule.loss);
    let (result, severity) = match (Level::from_finding(finding), loss) {
        (Level::Error, Loss::Data) => (Status::Fail, Severity::High),
        (Level::Error, _) => (Status::Fail, Severity::Medium),
        (Level::Warning, _) => (Status::Warn, Severity::Low),
    };
    PolicyResult {
        policy: finding.rule.to_owned(),
        category: loss.name(),
        resources: vec![reference(&found.object)],
        properties: properties([
            ("action", finding.action.name()),
            ("help", &finding.help),
            ("pointer", &finding.pointer),
        ]),
        ..of_audit(result, severity, &finding.message, time)
    }
}

fn of_forecast(forecast: &Forecast, report: &DatabaseReport, time: Timestamp) -> PolicyResult {
    let (result, severity) = match (forecast.outcome, forecast.certain) {
        (Outcome::LosesData | Outcome::TwoServers, true) => (Status::Fail, Severity::Critical),
        (Outcome::LosesData | Outcome::TwoServers, false) | (Outcome::NeverStarts | Outcome::Waits, true) => {
            (Status::Fail, Severity::High)
        }
        (Outcome::NeverStarts | Outcome::Waits, false) => (Status::Fail, Severity::Medium),
        (Outcome::Unknown, _) => (Status::Warn, Severity::Low),
        (Outcome::ComesBack | Outcome::StaysUp, _) => (Status::Pass, Severity::Info),
    };
    let loss = match forecast.outcome {
        Outcome::LosesData | Outcome::TwoServers => Loss::Data,
        _ => Loss::Availability,
    };
    let words = forecast.outcome.words(forecast.certain);
    let message = format!("{words} if {}: {}", forecast.failure.event(), forecast.message);
    let seconds = forecast.seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
    PolicyResult {
        policy: format!("forecast/{}", forecast.failure.name()),
        category: loss.name(),
        resources: vec![reference(&report.object)],
        properties: properties([
            ("certain", if forecast.certain { "true" } else { "false" }),
            ("help", forecast.help.as_deref().unwrap_or_default()),
            ("outcome", forecast.outcome.name()),
            ("time", &seconds),
        ]),
        ..of_audit(result, severity, &message, time)
    }
}

/// What could not be read may change every other result.
fn of_unread(unread: &Unread, time: Timestamp) -> PolicyResult {
    let message = format!("not read: {}: {}", unread.resource, unread.reason);
    of_audit(Status::Error, Severity::Medium, &message, time)
}

/// A result of the audit itself.
fn of_audit(result: Status, severity: Severity, message: &str, time: Timestamp) -> PolicyResult {
    PolicyResult {
        source: NAME,
        policy: "audit".to_owned(),
        category: Loss::Operation.name(),
        result,
        severity,
        scored: true,
        message: bounded(message),
        resources: Vec::new(),
        properties: BTreeMap::new(),
        timestamp: time,
    }
}

/// The properties that have a value.
fn properties<const N: usize>(values: [(&'static str, &str); N]) -> BTreeMap<&'static str, String> {
    let values = values.into_iter().filter(|(_, value)| !value.is_empty());
    values.map(|(name, value)| (name, bounded(value))).collect()
}

/// A reference to an object.
fn reference(object: &ObjectId) -> BTreeMap<&'static str, String> {
    let ObjectId { api_version, kind, namespace, name } = object;
    let text = |field: &'_ Option<String>| field.clone().unwrap_or_default();
    properties([
        ("apiVersion", &text(api_version)),
        ("kind", &text(kind)),
        ("name", &text(name)),
        ("namespace", &text(namespace)),
    ])
}

/// A text without control characters, and not longer than other programs can show.
fn bounded(text: &str) -> String {
    if text.chars().count() <= MAX_TEXT {
        return escape(text);
    }
    escape(&text.chars().take(MAX_TEXT - 1).chain(['…']).collect::<String>())
}
