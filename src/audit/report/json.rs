//! The report as JSON, a stable contract that `docs/reference/audit.md` describes.

use std::io::{self, Write};

use serde::Serialize;
use sqledge_ha_policy::finding::Action;

use super::count;
use crate::audit::database::State;
use crate::audit::forecast::{Forecast, Outcome};
use crate::audit::inventory::Unread;
use crate::audit::{Audit, DatabaseReport};
use crate::linter::{Level, ObjectFinding, ObjectId};
use crate::report::{escaped_json, level_name};

/// The version of the contract.
const VERSION: u8 = 1;

/// Writes a report.
///
/// # Errors
/// Errors of `output`.
pub fn write(audit: &Audit, output: &mut impl Write) -> io::Result<()> {
    let report = Report {
        version: VERSION,
        cluster: Cluster {
            source: &audit.source,
            version: audit.minor_version.map(|minor| format!("1.{minor}")),
            nodes: audit.nodes,
        },
        summary: Summary {
            objects: audit.objects_read,
            databases: audit.databases.len(),
            errors: count(audit, Level::Error),
            warnings: count(audit, Level::Warning),
        },
        databases: audit.databases.iter().map(Database::new).collect(),
        findings: audit.findings.iter().map(Finding::new).collect(),
        unread: &audit.unread,
        notes: &audit.notes,
    };
    escaped_json::write(&report, output)
}

#[derive(Serialize)]
struct Report<'a> {
    version: u8,
    cluster: Cluster<'a>,
    summary: Summary,
    databases: Vec<Database<'a>>,
    findings: Vec<Finding<'a>>,
    unread: &'a [Unread],
    notes: &'a [String],
}

#[derive(Serialize)]
struct Cluster<'a> {
    source: &'a str,
    version: Option<String>,
    nodes: usize,
}

#[derive(Serialize)]
struct Summary {
    objects: usize,
    databases: usize,
    errors: usize,
    warnings: usize,
}

#[derive(Serialize)]
struct Database<'a> {
    object: &'a ObjectId,
    operator: Option<&'a str>,
    product: &'static str,
    image: &'a str,
    state: State,
    node: Option<&'a str>,
    worst: Option<Outcome>,
    forecasts: &'a [Forecast],
    findings: Vec<Finding<'a>>,
    notes: &'a [String],
}

impl<'a> Database<'a> {
    fn new(report: &'a DatabaseReport) -> Self {
        Database {
            object: &report.object,
            operator: report.operator.as_deref(),
            product: report.product,
            image: &report.image,
            state: report.now.state,
            node: report.now.node.as_deref(),
            worst: report.worst(),
            forecasts: &report.forecasts,
            findings: report.findings.iter().map(Finding::new).collect(),
            notes: &report.notes,
        }
    }
}

#[derive(Serialize)]
struct Finding<'a> {
    rule: &'static str,
    level: &'static str,
    action: Action,
    message: &'a str,
    help: &'a str,
    object: &'a ObjectId,
    pointer: &'a str,
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    object: ObjectId,
    pointer: &'a str,
    message: &'a str,
}

impl<'a> Finding<'a> {
    fn new(found: &'a ObjectFinding) -> Self {
        let finding = &found.finding;
        let related = finding.related.iter().map(|related| Related {
            object: ObjectId::from(related.object.clone()),
            pointer: &related.pointer,
            message: &related.label,
        });
        Finding {
            rule: finding.rule,
            level: level_name(Level::from_finding(finding)),
            action: finding.action,
            message: &finding.message,
            help: &finding.help,
            object: &found.object,
            pointer: &finding.pointer,
            related: related.collect(),
        }
    }
}
