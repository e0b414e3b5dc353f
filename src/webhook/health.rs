//! Probes and metrics on a listener of their own: `/livez`, `/readyz`, `/metrics`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::metrics::Metrics;

/// A condition for readiness.
pub struct ReadinessCheck {
    /// What `/readyz` says if the condition is not met; `None` if it is.
    pub problem: Box<dyn Fn() -> Option<&'static str> + Send + Sync>,
}

/// What `/readyz` says before the checks are known.
const STARTING: &str = "starting: waiting for the module, the certificate or the cluster";

/// What `/readyz` says, and what requests get, during shutdown.
pub(super) const SHUTTING_DOWN: &str = "the webhook is shutting down";

/// Whether the webhook is ready for requests: between startup and shutdown, while all checks are met.
#[derive(Default)]
pub struct Readiness {
    checks: OnceLock<Vec<ReadinessCheck>>,
    is_stopping: AtomicBool,
}

impl Readiness {
    /// Marks the end of startup. Only the first call has an effect.
    pub fn set_started(&self, checks: Vec<ReadinessCheck>) {
        let _ = self.checks.set(checks);
    }

    /// Marks the beginning of shutdown.
    pub fn set_stopping(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    /// Whether shutdown has begun.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Why the webhook is not ready; empty if it is.
    pub fn problems(&self) -> Vec<&'static str> {
        let checks = self.checks.get();
        let starting = checks.is_none().then_some(STARTING);
        let unmet = checks.into_iter().flatten().filter_map(|check| (check.problem)());
        let stopping = self.is_stopping().then_some(SHUTTING_DOWN);
        starting.into_iter().chain(unmet).chain(stopping).collect()
    }
}

/// What the health listener serves.
pub struct Health {
    /// For `/readyz`.
    pub readiness: Arc<Readiness>,
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
}

/// The routes of the health listener.
pub fn router(health: Arc<Health>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, "not found; the paths are /livez, /readyz and /metrics\n"))
        .with_state(health)
}

async fn readyz(State(health): State<Arc<Health>>) -> Response {
    let problems = health.readiness.problems();
    if problems.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", problems.join("\n"))).into_response()
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    (content_type, health.metrics.to_text()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_webhook_is_ready_while_all_checks_are_met_and_until_shutdown() {
        let readiness = Readiness::default();
        assert_eq!(readiness.problems(), [STARTING]);
        let loaded = Arc::new(AtomicBool::new(false));
        let is_loaded = Arc::clone(&loaded);
        let problem = Box::new(move || (!is_loaded.load(Ordering::Relaxed)).then_some("no certificate"));
        readiness.set_started(vec![ReadinessCheck { problem }]);
        assert_eq!(readiness.problems(), ["no certificate"]);
        loaded.store(true, Ordering::Relaxed);
        assert!(readiness.problems().is_empty());
        readiness.set_stopping();
        assert_eq!(readiness.problems(), [SHUTTING_DOWN]);
    }
}
