//! Metrics for Prometheus. No label takes its values from requests.

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
use sqledge_ha_policy::admission::verdict::RuleAction;
use sqledge_ha_policy::kubernetes::resources::known_group;
use sqledge_ha_policy::rules;
use sqledge_ha_policy::view::unavailable::Unavailable;

use super::decision::{Answer, Stage, action_name};
use crate::wasm_host::RequestInfo;

/// Upper bounds of the duration buckets in seconds. Most answers take less than a millisecond.
const BUCKETS: [f64; 17] =
    [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const OPERATIONS: [&str; 4] = ["CREATE", "UPDATE", "DELETE", "CONNECT"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    path: &'static str,
    operation: &'static str,
    group: &'static str,
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    path: &'static str,
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: &'static str,
    action: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// What became of a Kubernetes Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventResult {
    /// The API server has stored it.
    Created,
    /// The same was reported in the last hour.
    Repeated,
    /// The mutated object was not stored, because something else rejected it.
    NotStored,
    /// Too many Events were waiting.
    Dropped,
    /// The API server did not accept it.
    Failed,
}

impl EventResult {
    const ALL: [EventResult; 5] = [
        EventResult::Created,
        EventResult::Repeated,
        EventResult::NotStored,
        EventResult::Dropped,
        EventResult::Failed,
    ];

    fn name(self) -> &'static str {
        match self {
            EventResult::Created => "created",
            EventResult::Repeated => "repeated",
            EventResult::NotStored => "not_stored",
            EventResult::Dropped => "dropped",
            EventResult::Failed => "failed",
        }
    }

    fn label(self) -> ResultLabel {
        ResultLabel { result: self.name() }
    }
}

/// Why a check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// The module ended the call with an error.
    Trap,
    /// The module ran for too long.
    Timeout,
    /// The module cannot be started.
    Start,
    /// The module's answer cannot be used.
    Answer,
    /// The host of the module panicked.
    Panic,
}

impl FailureReason {
    const ALL: [FailureReason; 5] = [
        FailureReason::Trap,
        FailureReason::Timeout,
        FailureReason::Start,
        FailureReason::Answer,
        FailureReason::Panic,
    ];

    /// The name in the log and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            FailureReason::Trap => "trap",
            FailureReason::Timeout => "timeout",
            FailureReason::Start => "start",
            FailureReason::Answer => "answer",
            FailureReason::Panic => "panic",
        }
    }

    fn label(self) -> ReasonLabel {
        ReasonLabel { reason: self.name() }
    }
}

/// Why a connection was closed before its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Too many connections are open.
    Limit,
    /// Too many connections of the client's address are open.
    Peer,
    /// The TLS handshake failed.
    Handshake,
    /// The client does not trust the certificate.
    Untrusted,
    /// The client sent a request without TLS.
    PlainHttp,
    /// The TLS handshake took too long.
    Timeout,
    /// The operating system did not accept the connection.
    Accept,
}

impl CloseReason {
    const ALL: [CloseReason; 7] = [
        CloseReason::Limit,
        CloseReason::Peer,
        CloseReason::Handshake,
        CloseReason::Untrusted,
        CloseReason::PlainHttp,
        CloseReason::Timeout,
        CloseReason::Accept,
    ];

    fn name(self) -> &'static str {
        match self {
            CloseReason::Limit => "limit",
            CloseReason::Peer => "peer",
            CloseReason::Handshake => "handshake",
            CloseReason::Untrusted => "untrusted",
            CloseReason::PlainHttp => "plain_http",
            CloseReason::Timeout => "timeout",
            CloseReason::Accept => "accept",
        }
    }

    fn label(self) -> ReasonLabel {
        ReasonLabel { reason: self.name() }
    }
}

/// All metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram, fn() -> Histogram>,
    rule_hits: Family<RuleLabels, Counter>,
    not_checked: Family<ReasonLabel, Counter>,
    module_failures: Family<ReasonLabel, Counter>,
    http_errors: Family<ReasonLabel, Counter>,
    /// Requests in flight, each from its head to its answer.
    pub in_flight: Gauge<i64, AtomicI64>,
    /// Open connections.
    pub connections: Gauge<i64, AtomicI64>,
    connections_rejected: Family<ReasonLabel, Counter>,
    events: Family<ResultLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sqledge_ha");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of sqledge-ha", version);
        let durations: Family<_, _, fn() -> Histogram> = Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let metrics = Metrics {
            requests: Family::default(),
            durations,
            rule_hits: Family::default(),
            not_checked: Family::default(),
            module_failures: Family::default(),
            http_errors: Family::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            connections_rejected: Family::default(),
            events: Family::default(),
            registry: Mutex::new(registry),
        };
        metrics.register()
    }
}

impl Metrics {
    fn register(mut self) -> Self {
        let registry = self.registry.get_mut().unwrap_or_else(PoisonError::into_inner);
        let requests = "Answered AdmissionReviews by path, operation, API group of the kind, and decision";
        registry.register("requests", requests, self.requests.clone());
        let durations = "Time from the head of a request to its answer";
        registry.register_with_unit("request_duration", durations, Unit::Seconds, self.durations.clone());
        let rule_hits = format!("Findings by rule and action: {}", RuleAction::ALL.map(action_name).join(", "));
        registry.register("rule_hits", rule_hits, self.rule_hits.clone());
        let not_checked = "Failed look-ups that rules need, by reason";
        registry.register("not_checked", not_checked, self.not_checked.clone());
        let failures = format!("Failed checks by reason: {}", FailureReason::ALL.map(FailureReason::name).join(", "));
        registry.register("module_failures", failures, self.module_failures.clone());
        registry.register("http_errors", "Requests with an HTTP error, by status", self.http_errors.clone());
        registry.register("requests_in_flight", "Requests without an answer yet", self.in_flight.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        let reasons = CloseReason::ALL.map(CloseReason::name).join(", ");
        let rejected = format!("Connections closed before a request, by reason: {reasons}");
        registry.register("connections_rejected", rejected, self.connections_rejected.clone());
        let events = format!("Kubernetes Events by result: {}", EventResult::ALL.map(EventResult::name).join(", "));
        registry.register("events", events, self.events.clone());
        // A counter that starts at zero makes the first failure visible as an increase.
        for reason in FailureReason::ALL {
            self.module_failures.get_or_create_owned(&reason.label());
        }
        self.http_errors.get_or_create_owned(&ReasonLabel { reason: "429" });
        self.connections_rejected.get_or_create_owned(&CloseReason::Untrusted.label());
        self
    }

    /// Starts the counters of Kubernetes Events, which are missing if none are created.
    pub fn start_events(&self) {
        for result in EventResult::ALL {
            self.events.get_or_create_owned(&result.label());
        }
    }

    /// Counts a Kubernetes Event.
    pub fn count_event(&self, result: EventResult) {
        self.events.get_or_create(&result.label()).inc();
    }

    /// Adds metrics whose values are collected at each scrape.
    pub fn add_collector(&self, collector: Box<dyn Collector>) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).register_collector(collector);
    }

    /// Records an answered review.
    pub fn record_answer(&self, stage: Stage, request: &RequestInfo, answer: &Answer, duration: Duration) {
        let (path, decision) = (stage.path(), answer.decision.name());
        let operation = OPERATIONS.into_iter().find(|known| *known == request.operation).unwrap_or("other");
        let group = known_group(&request.group).map_or("other", |group| if group.is_empty() { "core" } else { group });
        self.requests.get_or_create(&RequestLabels { path, operation, group, decision }).inc();
        self.durations.get_or_create(&DurationLabels { path, decision }).observe(duration.as_secs_f64());
        for (action, ids) in &answer.rules {
            for rule in ids.split(',').filter_map(|id| rules::find(id)) {
                self.rule_hits.get_or_create(&RuleLabels { rule: rule.id, action: action_name(*action) }).inc();
            }
        }
        for line in answer.unchecked.iter().flat_map(|lines| lines.split("; ")) {
            let reason = Unavailable::from_line(line).map_or("other", Unavailable::name);
            self.not_checked.get_or_create(&ReasonLabel { reason }).inc();
        }
    }

    /// Counts a request with an HTTP error.
    pub fn count_http_error(&self, status: &'static str) {
        self.http_errors.get_or_create(&ReasonLabel { reason: status }).inc();
    }

    /// Counts a failed check.
    pub fn count_module_failure(&self, reason: FailureReason) {
        self.module_failures.get_or_create(&reason.label()).inc();
    }

    /// Counts a connection that was closed before its first request.
    pub fn count_rejected_connection(&self, reason: CloseReason) {
        self.connections_rejected.get_or_create(&reason.label()).inc();
    }

    /// All metrics in the OpenMetrics text format.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }
}
