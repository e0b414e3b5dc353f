//! The reports of an audit, one file each. They write to any `Write` and know no cluster. `namespaces` makes the
//! objects that `publish` writes into a cluster.

pub mod html;
pub mod human;
pub mod json;
pub mod junit;
pub mod namespaces;
pub mod prometheus;
pub mod sarif;

use std::io::{self, Write};

use super::forecast::{Failure, Forecast, Outcome};
use super::{Audit, DatabaseReport};
use crate::linter::Level;

/// The format of an audit's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditFormat {
    /// For people.
    Human,
    /// For programs; a stable contract.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// JUnit XML.
    Junit,
    /// A page that needs no server.
    Html,
    /// Metrics.
    Prometheus,
}

/// What the report for people contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportOptions {
    /// Whether it has all forecasts with their steps and evidence, and the help of findings.
    pub details: bool,
}

/// Writes a report.
///
/// # Errors
/// Errors of `output`.
pub fn write(format: AuditFormat, audit: &Audit, options: ReportOptions, output: &mut impl Write) -> io::Result<()> {
    match format {
        AuditFormat::Human => human::write(audit, options, output),
        AuditFormat::Json => json::write(audit, output),
        AuditFormat::Sarif => sarif::write(audit, output),
        AuditFormat::Junit => junit::write(audit, output),
        AuditFormat::Html => html::write(audit, output),
        AuditFormat::Prometheus => prometheus::write(audit, output),
    }
}

/// What a table cell says about a forecast.
fn cell(forecast: &Forecast) -> String {
    match (forecast.outcome, forecast.seconds) {
        (Outcome::ComesBack, Some(seconds)) => seconds.to_string(),
        (Outcome::ComesBack, None) => "comes back".to_owned(),
        (Outcome::StaysUp, _) => "stays up".to_owned(),
        (Outcome::Waits, _) => "waits".to_owned(),
        (Outcome::NeverStarts, _) => "never".to_owned(),
        (Outcome::TwoServers, _) => "2 servers".to_owned(),
        (Outcome::LosesData, _) => "loses data".to_owned(),
        (Outcome::Unknown, _) => "unknown".to_owned(),
    }
}

/// How long a forecast says that the database is away, as the end of its words: *comes back after 40 s*.
fn time_of(forecast: &Forecast) -> String {
    match (forecast.outcome, forecast.seconds) {
        (_, None) => String::new(),
        (Outcome::ComesBack, Some(seconds)) => format!(" after {seconds}"),
        (_, Some(seconds)) => format!(", up again after {seconds}"),
    }
}

/// Forecasts that say the same about several failures.
struct Group<'f> {
    outcome: Outcome,
    is_certain: bool,
    message: &'f str,
    help: Option<&'f str>,
    failures: Vec<Failure>,
}

/// The forecasts of a database that are worse than coming back, together by what they say, the worst first.
fn risks(report: &DatabaseReport) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for forecast in report.forecasts.iter().filter(|forecast| forecast.outcome > Outcome::ComesBack) {
        let (message, help) = (forecast.message.as_str(), forecast.help.as_deref());
        match groups.iter_mut().find(|group| group.outcome == forecast.outcome && group.message == message) {
            Some(group) => group.failures.push(forecast.failure),
            None => groups.push(Group {
                outcome: forecast.outcome,
                is_certain: forecast.certain,
                message,
                help,
                failures: vec![forecast.failure],
            }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.outcome));
    groups
}

/// Several events as a condition: `if the pod is deleted or the node is drained`.
fn condition(failures: &[Failure]) -> String {
    let events: Vec<&str> = failures.iter().map(|failure| failure.event()).collect();
    match events.split_last() {
        Some((last, [])) => format!("if {last}"),
        Some((last, others)) => format!("if {} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The number of findings of a level, on databases and elsewhere.
pub fn count(audit: &Audit, level: Level) -> usize {
    let elsewhere = audit.findings.iter().filter(|found| Level::from_finding(&found.finding) == level).count();
    audit.databases.iter().map(|report| report.count(level)).sum::<usize>() + elsewhere
}
