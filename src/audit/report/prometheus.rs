//! The report as metrics for Prometheus: only gauges, so that Prometheus, the textfile collector of the node exporter
//! and a Pushgateway read the same text.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::audit::clock::now;
use crate::audit::database::State;
use crate::audit::{Audit, DatabaseReport};
use crate::escape::escape;
use crate::linter::{Level, ObjectFinding};
use crate::report::level_name;

/// Writes a report.
///
/// # Errors
/// Errors of `output`.
pub fn write(audit: &Audit, output: &mut impl Write) -> io::Result<()> {
    output.write_all(text(audit).as_bytes())
}

/// The metrics as text.
pub fn text(audit: &Audit) -> String {
    let mut registry = Registry::with_prefix("sqledge_ha_audit");
    registry.register_collector(Box::new(Metrics::new(audit)));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct DatabaseLabels {
    product: &'static str,
    state: &'static str,
}

/// `database` is the namespace and the name. Prometheus itself sets a label `namespace`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct ForecastLabels {
    database: String,
    kind: String,
    failure: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct FindingLabels {
    rule: &'static str,
    level: &'static str,
}

/// The values, in an order that does not change.
#[derive(Debug, Default)]
struct Metrics {
    databases: BTreeMap<DatabaseLabels, i64>,
    forecasts: BTreeMap<ForecastLabels, i64>,
    findings: BTreeMap<FindingLabels, i64>,
    unread: i64,
    seconds: f64,
}

impl Metrics {
    fn new(audit: &Audit) -> Self {
        let unread = i64::try_from(audit.unread.len()).unwrap_or(i64::MAX);
        let mut metrics = Metrics { unread, seconds: now(), ..Metrics::default() };
        for report in &audit.databases {
            let labels = DatabaseLabels { product: report.product, state: report.now.state.name() };
            *metrics.databases.entry(labels).or_default() += 1;
            metrics.add_forecasts(report);
        }
        let of_databases = audit.databases.iter().flat_map(|report| &report.findings);
        for ObjectFinding { finding, .. } in of_databases.chain(&audit.findings) {
            let labels = FindingLabels { rule: finding.rule, level: level_name(Level::from_finding(finding)) };
            *metrics.findings.entry(labels).or_default() += 1;
        }
        metrics
    }

    fn add_forecasts(&mut self, report: &DatabaseReport) {
        for forecast in &report.forecasts {
            let labels = ForecastLabels {
                database: escape(&report.full_name()),
                kind: escape(report.object.kind.as_deref().unwrap_or_default()),
                failure: forecast.failure.name(),
                outcome: forecast.outcome.name(),
            };
            self.forecasts.insert(labels, 1);
        }
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let states = State::ALL.map(State::name).join(", ");
        family(&mut encoder, "databases", &format!("Databases by product and state: {states}"), &self.databases)?;
        family(
            &mut encoder,
            "forecast",
            "1 for the worst outcome of each failure for each database; the label database is its namespace and name",
            &self.forecasts,
        )?;
        family(&mut encoder, "findings", "Findings by rule and level", &self.findings)?;
        gauge(&mut encoder, "unread", "Lists of objects that could not be read", None, ConstGauge::new(self.unread))?;
        let seconds = ConstGauge::new(self.seconds);
        gauge(&mut encoder, "timestamp", "When the audit ended", Some(&Unit::Seconds), seconds)
    }
}

fn family<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: &BTreeMap<L, i64>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        ConstGauge::new(*value).encode(family.encode_family(labels)?)?;
    }
    Ok(())
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    metric: impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, unit, metric.metric_type())?)
}
