//! All objects of a kind, and how well they are known.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use kube::runtime::watcher;
use serde_json::Value;
use sqledge_ha_policy::request::parse_value;

use super::Kind;
use super::index::Index;
use super::object::Kept;
use super::reduction::Reduction;

/// What was seen longer ago than this, while the API server could not be reached, is not told any more.
const STALE: Duration = Duration::from_secs(600);

/// Why a kind cannot be watched at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The account may not list or watch it.
    Forbidden,
    /// The API server does not know the kind.
    Unknown,
    /// The API server refuses for another reason, e.g. an account that it does not know.
    Refused,
    /// The API server cannot be reached, or is not well.
    Unavailable,
}

impl ErrorClass {
    /// A word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Forbidden => "forbidden",
            ErrorClass::Unknown => "unknown",
            ErrorClass::Refused => "refused",
            ErrorClass::Unavailable => "unavailable",
        }
    }

    pub(super) fn of(error: &watcher::Error) -> Self {
        match status_code(error) {
            Some(403) => ErrorClass::Forbidden,
            Some(404) => ErrorClass::Unknown,
            Some(408 | 410 | 429) => ErrorClass::Unavailable,
            Some(400..=499) => ErrorClass::Refused,
            _ => ErrorClass::Unavailable,
        }
    }
}

/// The status with which the API server answered, if it did.
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

/// How a cache is doing.
#[derive(Clone, Debug)]
pub struct CacheState {
    /// The group and version, e.g. `apps/v1`.
    pub api_version: String,
    /// The kind, e.g. `Deployment`.
    pub kind: String,
    /// Whether look-ups are answered.
    pub synced: bool,
    /// How many objects are kept.
    pub objects: usize,
    /// How many bytes of text they take.
    pub bytes: usize,
    /// How long ago the watch last told of an object, or completed a list.
    pub since_last_event: Option<Duration>,
    /// How often a list or a watch failed.
    pub failures: u64,
    /// Why it cannot be watched at the moment; `None` if it can.
    pub last_error_class: Option<ErrorClass>,
}

/// All objects of a kind. Locks are held for as long as it takes to look something up, never while text is parsed.
pub(super) struct Shelf {
    pub(super) api_version: String,
    pub(super) kind: String,
    reduction: Option<Reduction>,
    content: RwLock<Content>,
}

#[derive(Default)]
struct Content {
    index: Option<Index>,
    problem: Option<(ErrorClass, Instant)>,
    failures: u64,
    last_event: Option<Instant>,
}

impl Shelf {
    /// An empty one. With a reduction, objects that say nothing to the rules are kept as stubs.
    pub(super) fn new(Kind { api_version, kind }: Kind, reduction: Option<Reduction>) -> Self {
        Shelf { api_version, kind, reduction, content: RwLock::default() }
    }

    /// One object, as it is kept.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Result<Option<Value>, String> {
        let text = self.known(&self.read())?.get(namespace, name);
        text.map(|text| self.parse(&text)).transpose()
    }

    /// All objects of a namespace that are kept whole. Each is read when it is its turn.
    pub(super) fn list<'s>(
        &'s self,
        namespace: &str,
    ) -> Result<impl Iterator<Item = Result<Value, String>> + use<'s>, String> {
        let texts = self.known(&self.read())?.list(namespace);
        Ok(texts.into_iter().map(|text| self.parse(&text)))
    }

    fn known<'c>(&self, content: &'c Content) -> Result<&'c Index, String> {
        let Shelf { api_version, kind, .. } = self;
        match content.problem {
            Some((ErrorClass::Forbidden, _)) => {
                Err(format!("{api_version}/{kind} is forbidden: the account may not list and watch it"))
            }
            Some((ErrorClass::Unknown, _)) => Err(format!("404: the API server does not know {api_version}/{kind}")),
            Some((class, since)) if since.elapsed() > STALE => {
                Err(format!("{api_version}/{kind} has not been seen for too long: {}", class.as_str()))
            }
            _ => content.index.as_ref().ok_or_else(|| format!("{api_version}/{kind} is not synced yet")),
        }
    }

    fn parse(&self, text: &str) -> Result<Value, String> {
        let mut object = parse_value(text, "a cached object").map_err(|error| error.to_string())?;
        if let Some(members) = object.as_object_mut() {
            members.insert("apiVersion".to_owned(), Value::from(self.api_version.as_str()));
            members.insert("kind".to_owned(), Value::from(self.kind.as_str()));
        }
        Ok(object)
    }

    /// Whether the objects are known, or it is known that the API server refuses to show them.
    pub(super) fn settled(&self) -> bool {
        let content = self.read();
        let refused = content.problem.is_some_and(|(class, _)| class != ErrorClass::Unavailable);
        refused || content.index.is_some()
    }

    pub(super) fn state(&self) -> CacheState {
        let content = self.read();
        CacheState {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            synced: self.known(&content).is_ok(),
            objects: content.index.as_ref().map_or(0, Index::objects),
            bytes: content.index.as_ref().map_or(0, Index::bytes),
            since_last_event: content.last_event.map(|at| at.elapsed()),
            failures: content.failures,
            last_error_class: content.problem.map(|(class, _)| class),
        }
    }

    /// Puts a complete list in place of all that was there.
    pub(super) fn fill(&self, index: Index) {
        let (objects, bytes) = (index.objects(), index.bytes());
        let before = self.write().index.replace(index);
        if before.is_none() {
            tracing::info!(api_version = self.api_version, kind = self.kind, objects, bytes, "cache synced");
        }
        self.working();
        drop(before);
    }

    /// Adds an object, or changes it.
    pub(super) fn put(&self, object: Kept) {
        let object = self.prepare(object);
        self.change(|index| index.insert(object));
    }

    /// Takes an object out.
    pub(super) fn take(&self, object: &Kept) {
        self.change(|index| index.remove(object));
    }

    fn change(&self, change: impl FnOnce(&mut Index)) {
        if let Some(index) = self.write().index.as_mut() {
            change(index);
        }
        self.working();
    }

    /// An object as it is to be kept: reduced, and with the text that is already kept in place of an equal one, so that
    /// a second list takes little memory.
    pub(super) fn prepare(&self, mut object: Kept) -> Kept {
        if let Some(reduction) = &self.reduction {
            object = reduction.apply(object);
        }
        let metadata = &object.metadata;
        if let (Some(index), Some(namespace), Some(name)) = (&self.read().index, &metadata.namespace, &metadata.name)
            && let Some(kept) = index.get(namespace, name).filter(|kept| *kept == object.text)
        {
            object.text = kept;
        }
        object
    }

    /// Whether the last that was heard is a failure.
    pub(super) fn failing(&self) -> bool {
        self.read().problem.is_some()
    }

    /// Notes that the watch works.
    pub(super) fn working(&self) {
        let mut content = self.write();
        content.last_event = Some(Instant::now());
        let problem = content.problem.take();
        drop(content);
        if problem.is_some() {
            tracing::info!(api_version = self.api_version, kind = self.kind, "cache recovered");
        }
    }

    /// Notes a failure. The first of its class is told.
    pub(super) fn failed(&self, error: &watcher::Error) {
        let class = ErrorClass::of(error);
        let mut content = self.write();
        content.failures += 1;
        let before = content.problem;
        content.problem = Some((class, before.map_or_else(Instant::now, |(_, since)| since)));
        drop(content);
        if before.is_none_or(|(before, _)| before != class) {
            let Shelf { api_version, kind, .. } = self;
            tracing::warn!(api_version, kind, class = class.as_str(), %error, "cache cannot be kept up to date");
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kube::core::Status;
    use serde_json::json;

    use super::*;

    fn shelf() -> Shelf {
        Shelf::new(Kind { api_version: "v1".to_owned(), kind: "Service".to_owned() }, None)
    }

    fn listed(shelf: &Shelf) -> Vec<Value> {
        shelf.list("db").unwrap().map(Result::unwrap).collect()
    }

    fn object(name: &str) -> Kept {
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": "db"}, "spec": {}})).unwrap()
    }

    fn refusal(code: u16) -> watcher::Error {
        let status = Status::failure("no", "reason").with_code(code);
        watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn nothing_is_said_before_the_first_list_is_complete() {
        let shelf = shelf();
        shelf.put(object("early"));
        assert_eq!(shelf.list("db").err().unwrap(), "v1/Service is not synced yet");
        assert!(!shelf.settled());
        let mut index = Index::default();
        index.insert(object("sql"));
        shelf.fill(index);
        let expected = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql", "namespace": "db"},
            "spec": {}});
        assert_eq!(listed(&shelf), std::slice::from_ref(&expected));
        assert_eq!(shelf.get("db", "sql").unwrap(), Some(expected));
        assert_eq!(shelf.get("db", "sqledge-ha_probe").unwrap(), None);
        assert!(shelf.settled());
    }

    #[test]
    fn refusals_settle_and_outages_do_not() {
        let cases = [
            (403, "is forbidden", true),
            (404, "404", true),
            (401, "is not synced yet", true),
            (500, "is not synced yet", false),
            (429, "is not synced yet", false),
        ];
        for (code, words, settled) in cases {
            let shelf = shelf();
            shelf.failed(&refusal(code));
            assert!(shelf.get("db", "sql").unwrap_err().contains(words), "{code}");
            assert_eq!(shelf.settled(), settled, "{code}");
        }
    }

    #[test]
    fn a_synced_cache_survives_an_outage_but_not_a_lost_right() {
        let shelf = shelf();
        shelf.fill(Index::default());
        shelf.failed(&refusal(503));
        assert_eq!(shelf.get("db", "sql").unwrap(), None);
        assert_eq!(shelf.state().last_error_class, Some(ErrorClass::Unavailable));
        shelf.failed(&refusal(403));
        assert!(shelf.get("db", "sql").unwrap_err().contains("is forbidden"));
        shelf.working();
        assert_eq!(shelf.get("db", "sql").unwrap(), None);
        let state = shelf.state();
        assert_eq!((state.synced, state.failures, state.last_error_class), (true, 2, None));
    }

    #[test]
    fn what_is_long_out_of_touch_is_not_told() {
        let shelf = shelf();
        shelf.fill(Index::default());
        let Some(long_ago) = Instant::now().checked_sub(STALE * 2) else { return };
        shelf.write().problem = Some((ErrorClass::Unavailable, long_ago));
        assert!(shelf.get("db", "sql").unwrap_err().contains("has not been seen for too long"));
    }

    #[test]
    fn a_second_list_shares_the_texts_of_the_first() {
        let shelf = shelf();
        let mut index = Index::default();
        index.insert(object("sql"));
        shelf.fill(index);
        let again = shelf.prepare(object("sql"));
        let kept = shelf.read().index.as_ref().unwrap().get("db", "sql").unwrap();
        assert!(Arc::ptr_eq(&kept, &again.text));
    }
}
