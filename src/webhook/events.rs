//! Kubernetes Events on the objects whose requests were rejected or mutated, or would be without the mode `warn`.
//!
//! | file | contents |
//! |---|---|
//! | `effect` | what an Event reports, and which stage reports it |
//! | `subject` | the object that it is about |
//! | `recent` | what was reported in the last hour |
//! | `publisher` | the task that creates Events |
//!
//! A review only puts Events into a queue. If the queue is full, they are dropped and counted.

mod effect;
mod publisher;
mod recent;
mod subject;

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use sqledge_ha_policy::rules;
use tokio::sync::mpsc;

use self::effect::Effect;
use self::publisher::{Publisher, QueuedEvent};
use self::recent::Recent;
use self::subject::Subject;
use super::decision::{Answer, Stage};
use super::lifecycle::BackgroundTask;
use super::metrics::{EventResult, Metrics};
use crate::install::options::NAME;
use crate::registry::Digest;
use crate::wasm_host::{AdmissionReview, LookupSource};

/// The maximum number of Events that wait for the API server.
const QUEUE: usize = 1024;

/// The shortest time between two Events for the same object, rule and effect.
const INTERVAL: Duration = Duration::from_secs(3600);

/// The longest note, in bytes: the limit of the API server.
const MAX_NOTE: usize = 1024;

/// Reports the effects of answers.
#[derive(Debug)]
pub struct Events {
    recent: Arc<Recent>,
    queue: mpsc::Sender<QueuedEvent>,
    metrics: Arc<Metrics>,
    /// The pod.
    instance: String,
}

impl Events {
    /// Prepares to report. The task creates the Events; `lookups` finds the UID of an object that was mutated at
    /// creation.
    pub fn new(client: Client, lookups: Arc<dyn LookupSource>, metrics: &Arc<Metrics>) -> (Self, BackgroundTask) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let recent = Arc::new(Recent::new(INTERVAL));
        metrics.start_events();
        let publisher = Publisher { queue, client, lookups, recent: Arc::clone(&recent), metrics: Arc::clone(metrics) };
        let instance = env::var("HOSTNAME").ok().filter(|name| (1..=128).contains(&name.len()));
        let instance = instance.unwrap_or_else(|| NAME.to_owned());
        (Events { recent, queue: sender, metrics: Arc::clone(metrics), instance }, Box::pin(publisher.run()))
    }

    /// Reports the effects of an answer, but not of a dry run, and each effect of a rule on an object once an hour.
    pub fn record(&self, stage: Stage, review: &AdmissionReview, answer: &Answer) {
        if review.info.dry_run {
            return;
        }
        for (action, ids) in &answer.rules {
            let Some(effect) = Effect::new(stage, *action) else { continue };
            let Some(subject) = Subject::read(review, effect) else { continue };
            for rule in ids.split(',').filter_map(rules::find) {
                self.record_one(&subject, effect, rule, answer);
            }
        }
    }

    fn record_one(&self, subject: &Subject, effect: Effect, rule: &rules::Rule, answer: &Answer) {
        let key = subject.key(rule.id, effect.reason());
        if !self.recent.insert(&key, Instant::now()) {
            return self.metrics.count_event(EventResult::Repeated);
        }
        let text = effect.text(rule.id, answer).unwrap_or_else(|| rule.summary.to_owned());
        let event = self.event(subject, effect, &key, format!("{}: {text}", rule.id));
        // An object that is created has no UID yet. If it is mutated, a later webhook can still reject it.
        let is_new = effect == Effect::Mutated && subject.uid.is_none() && !subject.is_prefix;
        let queued = QueuedEvent { event, key, is_new, queued: Instant::now() };
        if let Err(error) = self.queue.try_send(queued) {
            self.recent.remove(&error.into_inner().key);
            self.metrics.count_event(EventResult::Dropped);
        }
    }

    fn event(&self, subject: &Subject, effect: Effect, key: &str, mut note: String) -> Event {
        note.truncate(note.floor_char_boundary(MAX_NOTE));
        let Subject { api_version, kind, namespace, name, uid, .. } = subject.clone();
        Event {
            metadata: ObjectMeta {
                name: Some(event_name(&name, key)),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            regarding: Some(ObjectReference {
                api_version: Some(api_version),
                kind: Some(kind),
                namespace: Some(namespace),
                name: Some(name),
                uid,
                ..ObjectReference::default()
            }),
            type_: Some(effect.event_type().to_owned()),
            reason: Some(effect.reason().to_owned()),
            action: Some(effect.action().to_owned()),
            note: Some(note),
            event_time: Some(MicroTime(Timestamp::now())),
            reporting_controller: Some(NAME.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        }
    }
}

/// The name of an Event. All replicas choose the same one in an hour, so that the API server accepts only one of them.
fn event_name(object: &str, key: &str) -> String {
    /// Leaves room for the digest.
    const MAX_OBJECT_NAME: usize = 230;
    let hour = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / 3600;
    let digest = Digest::from_content(format!("{key}\n{hour}").as_bytes());
    let object = object.get(..object.floor_char_boundary(MAX_OBJECT_NAME)).unwrap_or_default();
    // A generated name starts with a text that can end with a hyphen, which must not precede a dot.
    let object = object.trim_end_matches(['-', '.']);
    format!("{object}.{}", digest.hex().get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_events_are_valid_and_differ_by_key() {
        let [long, kept] = [253, 230].map(|length| "x".repeat(length));
        for (object, start) in [("sql", "sql."), ("sql-", "sql."), (&long, &kept)] {
            let name = event_name(object, "a");
            assert!(name.starts_with(start) && name.len() <= 253, "{name}");
            assert_ne!(name, event_name(object, "b"));
        }
    }
}
