//! The task that updates a cache.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{Api, ApiResource};
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Config, DefaultBackoff, Event, watcher};
use kube::{Client, runtime};

use super::cached_object::CachedObject;
use super::index::Index;
use super::kind_cache::{KindCache, status_code};

/// The number of objects in a page of a list. At most one page of unpruned objects is in memory.
const PAGE_SIZE: u32 = 200;

/// The timeout of a watch, after which it is started again, in case its connection is broken.
const WATCH_SECONDS: u32 = 120;

/// A watch without an error for this time, which is longer than the connect timeout, works. It has no event until an
/// object changes.
const HEALTHY_AFTER: Duration = Duration::from_secs(15);

const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Lists and watches a kind in all namespaces. Never returns.
pub(super) async fn watch(cache: Arc<KindCache>, client: Client, resource: ApiResource) {
    let api: Api<CachedObject> = Api::all_with(client, &resource);
    let mut backoff = DefaultBackoff::default();
    loop {
        list_and_watch(&cache, api.clone(), &mut backoff).await;
    }
}

/// Lists a kind, and watches it until a new list is needed.
async fn list_and_watch(cache: &KindCache, api: Api<CachedObject>, backoff: &mut DefaultBackoff) {
    let mut events = pin!(watcher(api, Config::default().page_size(PAGE_SIZE).timeout(WATCH_SECONDS)));
    let mut new_list = None;
    loop {
        let Ok(event) = tokio::time::timeout(HEALTHY_AFTER, events.next()).await else {
            if new_list.is_none() && cache.is_failing() {
                cache.mark_healthy();
                backoff.reset();
            }
            continue;
        };
        match event {
            Some(Ok(event)) => {
                if apply(cache, &mut new_list, event) {
                    backoff.reset();
                }
            }
            Some(Err(error)) => {
                let next = record_error(cache, &error);
                tokio::time::sleep(backoff.next().unwrap_or(MAX_BACKOFF)).await;
                if next.is_break() {
                    return;
                }
            }
            None => return,
        }
    }
}

/// Applies an event, and returns whether it proves that the watch works. A list is collected in `new_list`, so that no
/// look-up sees a part of it.
fn apply(cache: &KindCache, new_list: &mut Option<Index>, event: Event<CachedObject>) -> bool {
    match event {
        Event::Init => *new_list = Some(Index::default()),
        Event::InitApply(object) => new_list.get_or_insert_default().insert(cache.prepare(object)),
        Event::InitDone => cache.replace_all(new_list.take().unwrap_or_default()),
        Event::Apply(object) => cache.upsert(object),
        Event::Delete(object) => cache.remove(&object),
    }
    new_list.is_none()
}

/// Records an error. Breaks if a new list is needed.
fn record_error(cache: &KindCache, error: &runtime::watcher::Error) -> ControlFlow<()> {
    // 410 is normal: the API server keeps a limited history of changes.
    if status_code(error) != Some(410) {
        cache.mark_failed(error);
    }
    // kube would retry the watch from the same resource version, which the API server has just rejected.
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(_)) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}
