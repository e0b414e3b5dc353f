//! The task that creates Events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use kube::api::PostParams;
use kube::{Api, Client, Error};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;
use tokio::time::{sleep, sleep_until, timeout};

use super::recent::Recent;
use crate::cluster_client;
use crate::wasm_host::{Get, LookupSource};
use crate::webhook::metrics::{EventResult, Metrics};
use crate::webhook::warning_limit::WarningLimit;

/// The timeout for creating an Event.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The pause after each Event, so that the API server gets at most 20 a second.
const PAUSE: Duration = Duration::from_millis(50);

/// How long after its mutation an object is looked up. By then it is stored, or a later webhook has rejected it.
const UNTIL_STORED: Duration = Duration::from_secs(3);

/// An Event that waits for the API server.
#[derive(Debug)]
pub(super) struct QueuedEvent {
    pub(super) event: Event,
    pub(super) key: String,
    /// Whether the object was being created, so that it must be looked up first.
    pub(super) is_new: bool,
    pub(super) queued: Instant,
}

pub(super) struct Publisher {
    pub(super) queue: Receiver<QueuedEvent>,
    pub(super) client: Client,
    pub(super) lookups: Arc<dyn LookupSource>,
    pub(super) recent: Arc<Recent>,
    pub(super) metrics: Arc<Metrics>,
}

impl Publisher {
    pub(super) async fn run(mut self) {
        let mut failures = WarningLimit::default();
        while let Some(QueuedEvent { mut event, key, is_new, queued }) = self.queue.recv().await {
            if is_new {
                sleep_until((queued + UNTIL_STORED).into()).await;
            }
            let result = if is_new && !self.add_uid(&mut event) {
                EventResult::NotStored
            } else {
                self.create(&event, &mut failures).await
            };
            if matches!(result, EventResult::NotStored | EventResult::Failed) {
                // The next request tries again.
                self.recent.remove(&key);
            }
            self.metrics.count_event(result);
        }
        // The webhook stops with a background task, and this one is not needed any more.
        std::future::pending().await
    }

    /// Adds the object's UID, by which `kubectl describe` finds its Events, if the object is in a cache. Returns
    /// whether it can exist.
    fn add_uid(&self, event: &mut Event) -> bool {
        let Some(regarding) = &mut event.regarding else { return false };
        let ObjectReference { api_version, kind, namespace, name, .. } = regarding.clone();
        let query = Get {
            api_version: api_version.unwrap_or_default(),
            kind: kind.unwrap_or_default(),
            name: name.unwrap_or_default(),
            namespace,
            disable_cache: false,
            field_masks: Vec::new(),
        };
        match self.lookups.get(&query) {
            Ok(Some(object)) => {
                regarding.uid = object.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
                true
            }
            Ok(None) => false,
            Err(_) => true,
        }
    }

    async fn create(&self, event: &Event, failures: &mut WarningLimit) -> EventResult {
        let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
        let events = Api::<Event>::namespaced(self.client.clone(), namespace);
        let created = timeout(TIMEOUT, events.create(&PostParams::default(), event)).await;
        sleep(PAUSE).await;
        match created {
            Ok(Ok(_)) => EventResult::Created,
            // Another replica, or this one before it restarted, has reported the same.
            Ok(Err(Error::Api(status))) if status.code == 409 => EventResult::Repeated,
            Ok(Err(Error::Api(status))) => log_failure(failures, &format!("{}: {}", status.code, status.reason)),
            Ok(Err(error)) => log_failure(failures, &cluster_client::describe(&error)),
            Err(_) => log_failure(failures, "timeout"),
        }
    }
}

/// Logs that the API server did not accept an Event.
fn log_failure(limit: &mut WarningLimit, reason: &str) -> EventResult {
    if let Some(events) = limit.count(Instant::now()) {
        tracing::warn!(events, reason, "cannot create Kubernetes Events; requests are not affected");
    }
    EventResult::Failed
}
