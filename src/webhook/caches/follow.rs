//! The task that keeps a shelf up to date.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{Api, ApiResource};
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Config, DefaultBackoff, Event, watcher};
use kube::{Client, runtime};

use super::index::Index;
use super::object::Kept;
use super::shelf::{Shelf, status_code};

/// Objects in a page of a list: what is in memory as it came from the API server is at most a page.
const PAGE: u32 = 200;

/// A watch is opened anew after so many seconds, so that a connection that died in silence is noticed.
const WATCH_SECONDS: u32 = 120;

/// A watch that was opened again tells nothing until something changes. If it has not failed for this long, which is
/// longer than a connection may take, it works.
const QUIET: Duration = Duration::from_secs(15);

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Lists and watches a kind in all namespaces, for ever.
pub(super) async fn follow(shelf: Arc<Shelf>, client: Client, resource: ApiResource) {
    let api: Api<Kept> = Api::all_with(client, &resource);
    let mut backoff = DefaultBackoff::default();
    loop {
        list_and_watch(&shelf, api.clone(), &mut backoff).await;
    }
}

/// Lists once, and then watches until that must start from the beginning.
async fn list_and_watch(shelf: &Shelf, api: Api<Kept>, backoff: &mut DefaultBackoff) {
    let mut events = pin!(watcher(api, Config::default().page_size(PAGE).timeout(WATCH_SECONDS)));
    let mut arriving = None;
    loop {
        let Ok(event) = tokio::time::timeout(QUIET, events.next()).await else {
            if arriving.is_none() && shelf.failing() {
                shelf.working();
                backoff.reset();
            }
            continue;
        };
        match event {
            Some(Ok(event)) => {
                if apply(shelf, &mut arriving, event) {
                    backoff.reset();
                }
            }
            Some(Err(error)) => {
                let next = note(shelf, &error);
                tokio::time::sleep(backoff.next().unwrap_or(LONGEST_PAUSE)).await;
                if next.is_break() {
                    return;
                }
            }
            None => return,
        }
    }
}

/// Takes over what the watch tells; whether that proves that it works. A list is gathered aside, so that look-ups
/// never see half of it.
fn apply(shelf: &Shelf, arriving: &mut Option<Index>, event: Event<Kept>) -> bool {
    match event {
        Event::Init => *arriving = Some(Index::default()),
        Event::InitApply(object) => arriving.get_or_insert_default().insert(shelf.prepare(object)),
        Event::InitDone => shelf.fill(arriving.take().unwrap_or_default()),
        Event::Apply(object) => shelf.put(object),
        Event::Delete(object) => shelf.take(&object),
    }
    arriving.is_none()
}

/// Notes an error; a break if the list must be made anew.
fn note(shelf: &Shelf, error: &runtime::watcher::Error) -> ControlFlow<()> {
    let expired = status_code(error) == Some(410);
    if !expired {
        // That the API server has forgotten how far the watch had come is part of its trade.
        shelf.failed(error);
    }
    // The watch would be asked for again and again from where it was, which the API server has refused.
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(_)) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}
