//! Figures for Prometheus. Labels take few values, whatever requests say.

use std::sync::atomic::AtomicI64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use sqledge_ha_policy::kind::known_group;
use sqledge_ha_policy::rules;

use super::incoming::About;
use super::routes::Stage;
use super::workers::Answer;

/// Upper bounds of the latency buckets in seconds: most answers take far less than a millisecond.
const BUCKETS: [f64; 17] =
    [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    path: &'static str,
    operation: &'static str,
    group: &'static str,
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Latency {
    path: &'static str,
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleHit {
    rule: &'static str,
    action: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    /// Told of more while it is already asked for what there is.
    registry: Mutex<Registry>,
    requests: Family<Request, Counter>,
    latency: Family<Latency, Histogram, fn() -> Histogram>,
    rule_hits: Family<RuleHit, Counter>,
    failures: Family<Reason, Counter>,
    turned_away: Family<Reason, Counter>,
    /// Requests between their head and their answer.
    pub in_flight: Gauge<i64, AtomicI64>,
    /// Open connections.
    pub connections: Gauge<i64, AtomicI64>,
    connections_refused: Family<Reason, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sqledge_ha");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of this program", version);
        let latency = Family::<Latency, Histogram, fn() -> Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let metrics = Metrics {
            requests: Family::default(),
            latency,
            rule_hits: Family::default(),
            failures: Family::default(),
            turned_away: Family::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            connections_refused: Family::default(),
            registry: Mutex::new(registry),
        };
        metrics.register()
    }
}

impl Metrics {
    fn register(mut self) -> Self {
        let registry = self.registry.get_mut().unwrap_or_else(PoisonError::into_inner);
        let requests = "AdmissionReviews answered, by path, operation, API group of the kind, and decision";
        registry.register("requests", requests, self.requests.clone());
        let latency = "Time from the head of a request to its answer";
        registry.register_with_unit("request_duration", latency, Unit::Seconds, self.latency.clone());
        registry.register("rule_hits", "Findings by rule and what became of them", self.rule_hits.clone());
        let failures = "Calls of the module that gave no answer: trap, timeout, start, answer, panic";
        registry.register("module_failures", failures, self.failures.clone());
        let turned_away = "Requests that were not AdmissionReviews or found no room, by HTTP status";
        registry.register("requests_turned_away", turned_away, self.turned_away.clone());
        registry.register("requests_in_flight", "Requests between their head and their answer", self.in_flight.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        let refused = "Connections closed before a request: limit, peer, handshake, plain_http, time_out, accept";
        registry.register("connections_refused", refused, self.connections_refused.clone());
        // What has not happened yet is shown as zero, so that a first trap is seen as an increase.
        for reason in ["trap", "timeout", "start", "answer", "panic"] {
            self.failures.get_or_create_owned(&Reason { reason });
        }
        self
    }

    /// Adds figures that are gathered when they are asked for.
    pub fn collect_from(&self, collector: Box<dyn Collector>) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).register_collector(collector);
    }

    /// Counts an answered review.
    pub fn answered(&self, stage: Stage, about: &About, answer: &Answer, took: Duration) {
        let (path, decision) = (stage.path(), answer.decision.name());
        // Whatever else requests name counts as one, so that they cannot make labels.
        let group = known_group(&about.group).map_or("other", |group| if group.is_empty() { "core" } else { group });
        self.requests.get_or_create(&Request { path, operation: about.operation, group, decision }).inc();
        self.latency.get_or_create(&Latency { path, decision }).observe(took.as_secs_f64());
        for (action, ids) in &answer.rules {
            for rule in ids.split(',').filter_map(|id| rules::find(id)) {
                self.rule_hits.get_or_create(&RuleHit { rule: rule.id, action }).inc();
            }
        }
    }

    /// Counts a request that got an HTTP error.
    pub fn turned_away(&self, status: &'static str) {
        self.turned_away.get_or_create(&Reason { reason: status }).inc();
    }

    /// Counts a failed call of the module.
    pub fn failed(&self, reason: &'static str) {
        self.failures.get_or_create(&Reason { reason }).inc();
    }

    /// Counts a connection that was closed before it brought a request.
    pub fn connection_refused(&self, reason: &'static str) {
        self.connections_refused.get_or_create(&Reason { reason }).inc();
    }

    /// All figures in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }
}
