//! The events in a cluster, recorded with watches only.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::facts::{Fact, claim, endpoints, node, pod, service};

/// An object by kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// A change of an object.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The time since the journal was opened.
    pub(crate) at: Duration,
    pub(crate) key: Key,
    /// `None` if it was deleted.
    pub(crate) fact: Option<Fact>,
}

/// The relevant objects at one time.
pub(crate) type View = BTreeMap<Key, Fact>;

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    view: View,
}

/// All changes since it was opened, until it is dropped.
pub(crate) struct Journal {
    opened: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

impl Journal {
    /// Opens a journal of a cluster on the current tokio runtime.
    pub(crate) fn open(client: &Client) -> Arc<Self> {
        let journal = Arc::new(Journal { opened: Instant::now(), state: Mutex::default(), changed: Condvar::new() });
        journal.follow::<Pod>("pod", client, pod);
        journal.follow::<Node>("node", client, node);
        journal.follow::<PersistentVolumeClaim>("claim", client, claim);
        journal.follow::<Service>("service", client, service);
        journal.follow::<EndpointSlice>("endpoints", client, endpoints);
        journal
    }

    fn follow<K>(self: &Arc<Self>, kind: &'static str, client: &Client, fact: fn(&K) -> Fact)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let events = watch(Api::<K>::all(client.clone()), watcher::Config::default()).default_backoff();
        let journal = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut events = std::pin::pin!(events);
            let mut listed = BTreeMap::new();
            while let Some(event) = events.next().await {
                let Some(journal) = journal.upgrade() else { return };
                let key = |object: &K| Key {
                    kind,
                    namespace: object.namespace().unwrap_or_default(),
                    name: object.name_any(),
                };
                match event {
                    Ok(Event::Init) => listed.clear(),
                    Ok(Event::InitApply(object)) => _ = listed.insert(key(&object), fact(&object)),
                    Ok(Event::InitDone) => journal.replace(kind, std::mem::take(&mut listed)),
                    Ok(Event::Apply(object)) => journal.write(key(&object), Some(fact(&object))),
                    Ok(Event::Delete(object)) => journal.write(key(&object), None),
                    // The watch restarts.
                    Err(_) => {}
                }
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn write(&self, key: Key, fact: Option<Fact>) {
        let at = self.opened.elapsed();
        let mut state = self.lock();
        let before = match &fact {
            Some(fact) => state.view.insert(key.clone(), fact.clone()),
            None => state.view.remove(&key),
        };
        if before != fact {
            state.entries.push(Entry { at, key, fact });
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Applies a new list. Objects that are not in it were deleted while the watch was interrupted.
    fn replace(&self, kind: &str, listed: BTreeMap<Key, Fact>) {
        let known = |key: &&Key| key.kind == kind && !listed.contains_key(key);
        let gone: Vec<Key> = self.lock().view.keys().filter(known).cloned().collect();
        gone.into_iter().for_each(|key| self.write(key, None));
        listed.into_iter().for_each(|(key, fact)| self.write(key, Some(fact)));
    }

    /// The time since the journal was opened.
    pub(crate) fn now(&self) -> Duration {
        self.opened.elapsed()
    }

    /// All entries so far.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// Waits for a condition and returns the elapsed time; `None` if it does not become true in time.
    pub(crate) fn wait(&self, at_most: Duration, is_true: impl Fn(&View) -> bool) -> Option<Duration> {
        let started = Instant::now();
        let state = self.lock();
        let (_state, outcome) = self.changed.wait_timeout_while(state, at_most, |state| !is_true(&state.view)).unwrap();
        (!outcome.timed_out()).then(|| started.elapsed())
    }

    /// Reads the current objects.
    pub(crate) fn look<T>(&self, at: impl Fn(&View) -> T) -> T {
        at(&self.lock().view)
    }
}

/// The entries of a namespace and of all nodes as text.
pub(crate) fn timeline(entries: &[Entry], namespace: &str) -> String {
    let mut text = String::new();
    let mut last: BTreeMap<&Key, String> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.key.namespace == namespace || entry.key.kind == "node") {
        let what = entry.fact.as_ref().map_or_else(|| "gone".to_owned(), ToString::to_string);
        if last.get(&entry.key) != Some(&what) {
            let seconds = entry.at.as_secs_f64();
            let _ = writeln!(text, "{seconds:>9.3} s  {:<9} {}: {what}", entry.key.kind, entry.key.name);
            last.insert(&entry.key, what);
        }
    }
    text
}
