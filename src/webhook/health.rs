//! Probes and figures, on a listener of their own: `/livez`, `/readyz`, `/metrics`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::metrics::Metrics;

/// Something that has to be there before requests are welcome.
pub struct Condition {
    /// Whether it is there.
    pub holds: Box<dyn Fn() -> bool + Send + Sync>,
    /// What to say if it is not.
    pub missing: &'static str,
}

/// What to say as long as it is not known which conditions there are.
const NOT_STARTED: &str = "the webhook has not started yet: its module is on its way, or what it needs around it";

/// Whether requests are welcome: not before the webhook has started, nor once it is stopping.
#[derive(Default)]
pub struct Readiness {
    conditions: OnceLock<Vec<Condition>>,
    stopping: AtomicBool,
}

impl Readiness {
    /// There is a module, and the webhook listens: requests are welcome as long as every condition holds.
    pub fn has_started(&self, conditions: Vec<Condition>) {
        // Nothing starts twice.
        let _ = self.conditions.set(conditions);
    }

    /// No new requests are welcome.
    pub fn is_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether no new requests are welcome any more.
    pub fn stops(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// What is missing, in words; empty if requests are welcome.
    pub fn missing(&self) -> Vec<&'static str> {
        let conditions = self.conditions.get();
        let starting = conditions.is_none().then_some(NOT_STARTED);
        let missing = conditions.into_iter().flatten().filter(|condition| !(condition.holds)());
        let stopping = self.stops().then_some("the webhook is stopping");
        starting.into_iter().chain(missing.map(|condition| condition.missing)).chain(stopping).collect()
    }
}

/// What the health listener shows.
pub struct Health {
    /// Whether requests are welcome.
    pub readiness: Arc<Readiness>,
    /// The figures.
    pub metrics: Arc<Metrics>,
}

/// The paths of the health listener.
pub fn router(health: Arc<Health>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, "there is /livez, /readyz and /metrics\n"))
        .with_state(health)
}

async fn readyz(State(health): State<Arc<Health>>) -> Response {
    let missing = health.readiness.missing();
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", missing.join("\n"))).into_response()
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    (content_type, health.metrics.text()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_welcome_between_the_last_condition_and_the_end() {
        let readiness = Readiness::default();
        assert_eq!(readiness.missing(), [NOT_STARTED]);
        let loaded = Arc::new(AtomicBool::new(false));
        let condition = Arc::clone(&loaded);
        let holds = Box::new(move || condition.load(Ordering::Relaxed));
        readiness.has_started(vec![Condition { holds, missing: "there is no certificate yet" }]);
        assert_eq!(readiness.missing(), ["there is no certificate yet"]);
        loaded.store(true, Ordering::Relaxed);
        assert!(readiness.missing().is_empty());
        readiness.is_stopping();
        assert_eq!(readiness.missing(), ["the webhook is stopping"]);
    }
}
