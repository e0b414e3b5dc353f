//! All objects of a kind, and the state of their watch.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use kube::runtime::watcher;
use serde_json::Value;
use sqledge_ha_policy::json::parse::parse_value;

use super::ResourceKind;
use super::cached_object::CachedObject;
use super::index::Index;
use super::stub_filter::StubFilter;

/// How long look-ups are answered while the API server is unavailable.
const MAX_OUTAGE: Duration = Duration::from_secs(600);

/// Why a kind cannot be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The account may not list or watch it.
    Forbidden,
    /// The API server rejects the request for another reason, for example an unknown account.
    Rejected,
    /// The API server cannot be reached, or has an internal error.
    Unavailable,
}

impl ErrorClass {
    /// The name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Forbidden => "forbidden",
            ErrorClass::Rejected => "rejected",
            ErrorClass::Unavailable => "unavailable",
        }
    }

    fn from_error(error: &watcher::Error) -> Self {
        match status_code(error) {
            Some(403) => ErrorClass::Forbidden,
            Some(408 | 410 | 429) => ErrorClass::Unavailable,
            Some(400..=499) => ErrorClass::Rejected,
            _ => ErrorClass::Unavailable,
        }
    }
}

/// The HTTP status of the API server's answer, if there is one.
pub(super) fn status_code(error: &watcher::Error) -> Option<u16> {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status))
        | WatchError(status) => Some(status.code),
        _ => None,
    }
}

/// The state of a cache.
#[derive(Clone, Debug)]
pub struct CacheState {
    /// The group and version, for example `apps/v1`.
    pub api_version: String,
    /// The kind, for example `Deployment`.
    pub kind: String,
    /// Whether look-ups are answered.
    pub synced: bool,
    /// The number of objects.
    pub objects: usize,
    /// The size of their texts in bytes.
    pub bytes: usize,
    /// The time since the last event of the watch.
    pub since_last_event: Option<Duration>,
    /// How often a list or a watch failed.
    pub failures: u64,
    /// Why the kind cannot be watched now; `None` if it can.
    pub last_error_class: Option<ErrorClass>,
}

/// All objects of a kind. Text is parsed without holding the lock.
pub(super) struct KindCache {
    pub(super) api_version: String,
    pub(super) kind: String,
    stub_filter: Option<StubFilter>,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    index: Option<Index>,
    error: Option<(ErrorClass, Instant)>,
    failures: u64,
    last_event: Option<Instant>,
}

impl KindCache {
    /// An empty cache, which uses stubs if there is a filter.
    pub(super) fn new(ResourceKind { api_version, kind }: ResourceKind, stub_filter: Option<StubFilter>) -> Self {
        KindCache { api_version, kind, stub_filter, state: RwLock::default() }
    }

    /// An object, or its stub.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Result<Option<Value>, String> {
        let text = self.index(&self.read())?.get(namespace, name);
        text.map(|text| self.parse(&text)).transpose()
    }

    /// The objects of a namespace without stubs. Each is parsed when the iterator reaches it.
    pub(super) fn list<'s>(
        &'s self,
        namespace: &str,
    ) -> Result<impl Iterator<Item = Result<Value, String>> + use<'s>, String> {
        let texts = self.index(&self.read())?.list(namespace);
        Ok(texts.into_iter().map(|text| self.parse(&text)))
    }

    /// The texts of the objects of a namespace without stubs, if they are pruned.
    pub(super) fn pruned_texts(&self, namespace: &str) -> Option<Result<Vec<Arc<str>>, String>> {
        self.stub_filter.as_ref()?;
        Some(self.index(&self.read()).map(|index| index.list(namespace)))
    }

    fn index<'s>(&self, state: &'s State) -> Result<&'s Index, String> {
        let KindCache { api_version, kind, .. } = self;
        match state.error {
            Some((ErrorClass::Forbidden, _)) => {
                Err(format!("{api_version}/{kind} is forbidden: no permission to list and watch it"))
            }
            Some((class, since)) if since.elapsed() > MAX_OUTAGE => {
                Err(format!("{api_version}/{kind} is out of date: {}", class.as_str()))
            }
            _ => state.index.as_ref().ok_or_else(|| format!("{api_version}/{kind} is not synced yet")),
        }
    }

    /// The object with this text.
    pub(super) fn parse(&self, text: &str) -> Result<Value, String> {
        let mut object = parse_value(text, "a cached object").map_err(|error| error.to_string())?;
        if let Some(members) = object.as_object_mut() {
            members.insert("apiVersion".to_owned(), Value::from(self.api_version.as_str()));
            members.insert("kind".to_owned(), Value::from(self.kind.as_str()));
        }
        Ok(object)
    }

    /// Whether the kind is synced, or rejected by the API server.
    pub(super) fn is_ready(&self) -> bool {
        let state = self.read();
        let is_rejected = state.error.is_some_and(|(class, _)| class != ErrorClass::Unavailable);
        is_rejected || state.index.is_some()
    }

    pub(super) fn state(&self) -> CacheState {
        let state = self.read();
        CacheState {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            synced: self.index(&state).is_ok(),
            objects: state.index.as_ref().map_or(0, Index::objects),
            bytes: state.index.as_ref().map_or(0, Index::bytes),
            since_last_event: state.last_event.map(|at| at.elapsed()),
            failures: state.failures,
            last_error_class: state.error.map(|(class, _)| class),
        }
    }

    /// Replaces all objects by those of a new list.
    pub(super) fn replace_all(&self, index: Index) {
        let (objects, bytes) = (index.objects(), index.bytes());
        let before = self.write().index.replace(index);
        if before.is_none() {
            tracing::info!(api_version = self.api_version, kind = self.kind, objects, bytes, "cache synced");
        }
        self.mark_healthy();
        drop(before);
    }

    /// Adds or replaces an object.
    pub(super) fn upsert(&self, object: CachedObject) {
        let object = self.prepare(object);
        self.change(|index| index.insert(object));
    }

    /// Removes an object.
    pub(super) fn remove(&self, object: &CachedObject) {
        self.change(|index| index.remove(object));
    }

    fn change(&self, change: impl FnOnce(&mut Index)) {
        if let Some(index) = self.write().index.as_mut() {
            change(index);
        }
        self.mark_healthy();
    }

    /// Prepares an object for the cache: applies the stub filter, and shares the text with an equal object in the
    /// cache, so that a new list needs little memory.
    pub(super) fn prepare(&self, mut object: CachedObject) -> CachedObject {
        if let Some(stub_filter) = &self.stub_filter {
            object = stub_filter.apply(object);
        }
        let metadata = &object.metadata;
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        if let (Some(index), Some(name)) = (&self.read().index, &metadata.name)
            && let Some(cached) = index.get(namespace, name).filter(|cached| *cached == object.text)
        {
            object.text = cached;
        }
        object
    }

    /// Whether the last event was an error.
    pub(super) fn is_failing(&self) -> bool {
        self.read().error.is_some()
    }

    /// Records that the watch works.
    pub(super) fn mark_healthy(&self) {
        let mut state = self.write();
        state.last_event = Some(Instant::now());
        let error = state.error.take();
        drop(state);
        if error.is_some() {
            tracing::info!(api_version = self.api_version, kind = self.kind, "cache recovered");
        }
    }

    /// Records an error, and logs it if its class is new. A kind that is not installed has no objects.
    pub(super) fn mark_failed(&self, error: &watcher::Error) {
        if status_code(error) == Some(404) {
            self.replace_all(Index::default());
            return;
        }
        let class = ErrorClass::from_error(error);
        let mut state = self.write();
        state.failures += 1;
        let before = state.error;
        state.error = Some((class, before.map_or_else(Instant::now, |(_, since)| since)));
        drop(state);
        if before.is_none_or(|(before, _)| before != class) {
            let KindCache { api_version, kind, .. } = self;
            tracing::warn!(api_version, kind, class = class.as_str(), %error, "cannot update the cache");
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kube::core::Status;
    use serde_json::json;

    use super::*;

    fn cache() -> KindCache {
        KindCache::new(ResourceKind { api_version: "v1".to_owned(), kind: "Service".to_owned() }, None)
    }

    fn listed(cache: &KindCache) -> Vec<Value> {
        cache.list("db").unwrap().map(Result::unwrap).collect()
    }

    fn object(name: &str) -> CachedObject {
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": "db"}, "spec": {}})).unwrap()
    }

    fn api_error(code: u16) -> watcher::Error {
        let status = Status::failure("no", "reason").with_code(code);
        watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn look_ups_are_errors_until_the_first_list_is_complete() {
        let cache = cache();
        cache.upsert(object("early"));
        assert_eq!(cache.list("db").err().unwrap(), "v1/Service is not synced yet");
        assert!(!cache.is_ready());
        let mut index = Index::default();
        index.insert(object("sql"));
        cache.replace_all(index);
        let expected = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql", "namespace": "db"},
            "spec": {}});
        assert_eq!(listed(&cache), std::slice::from_ref(&expected));
        assert_eq!(cache.get("db", "sql").unwrap(), Some(expected));
        assert_eq!(cache.get("db", "sqledge-ha_probe").unwrap(), None);
        assert!(cache.is_ready());
    }

    #[test]
    fn a_cluster_scoped_object_is_found_without_a_namespace() {
        let cache = KindCache::new(ResourceKind { api_version: "v1".to_owned(), kind: "Node".to_owned() }, None);
        let mut index = Index::default();
        index.insert(serde_json::from_value(json!({"metadata": {"name": "worker"}})).unwrap());
        cache.replace_all(index);
        assert!(cache.get("", "worker").unwrap().is_some());
        assert!(cache.get("db", "worker").unwrap().is_none());
    }

    #[test]
    fn a_cache_is_ready_after_a_rejection_but_not_after_an_outage() {
        let cases = [
            (403, "is forbidden", true),
            (401, "is not synced yet", true),
            (500, "is not synced yet", false),
            (429, "is not synced yet", false),
        ];
        for (code, message, is_ready) in cases {
            let cache = cache();
            cache.mark_failed(&api_error(code));
            assert!(cache.get("db", "sql").unwrap_err().contains(message), "{code}");
            assert_eq!(cache.is_ready(), is_ready, "{code}");
        }
    }

    #[test]
    fn a_kind_that_is_not_installed_has_no_objects() {
        let cache = cache();
        cache.mark_failed(&api_error(404));
        assert!(cache.is_ready() && listed(&cache).is_empty());
        let state = cache.state();
        assert!(state.synced && state.failures == 0 && state.last_error_class.is_none(), "{state:?}");
    }

    #[test]
    fn a_synced_cache_answers_during_an_outage_but_not_without_permission() {
        let cache = cache();
        cache.replace_all(Index::default());
        cache.mark_failed(&api_error(503));
        assert_eq!(cache.get("db", "sql").unwrap(), None);
        assert_eq!(cache.state().last_error_class, Some(ErrorClass::Unavailable));
        cache.mark_failed(&api_error(403));
        assert!(cache.get("db", "sql").unwrap_err().contains("is forbidden"));
        cache.mark_healthy();
        assert_eq!(cache.get("db", "sql").unwrap(), None);
        let state = cache.state();
        assert_eq!((state.synced, state.failures, state.last_error_class), (true, 2, None));
    }

    #[test]
    fn look_ups_are_errors_after_a_long_outage() {
        let cache = cache();
        cache.replace_all(Index::default());
        let Some(long_ago) = Instant::now().checked_sub(MAX_OUTAGE * 2) else { return };
        cache.write().error = Some((ErrorClass::Unavailable, long_ago));
        assert!(cache.get("db", "sql").unwrap_err().contains("is out of date"));
    }

    #[test]
    fn a_new_list_shares_equal_texts() {
        let cache = cache();
        let mut index = Index::default();
        index.insert(object("sql"));
        cache.replace_all(index);
        let again = cache.prepare(object("sql"));
        let cached = cache.read().index.as_ref().unwrap().get("db", "sql").unwrap();
        assert!(Arc::ptr_eq(&cached, &again.text));
    }
}
