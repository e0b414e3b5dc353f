//! What the thread that reads messages and the worker share.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lsp_server::{Request, RequestId};

use super::buffer::Buffer;
use super::options::Options;

/// The state of the editor, and the requests that the worker has to answer.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// Whether something has changed since the worker took its work, so that it need not finish.
    is_stale: AtomicBool,
}

/// The state of the editor.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The open texts by their URIs.
    pub(super) buffers: HashMap<String, Arc<Buffer>>,
    /// The workspace folders.
    pub(super) folders: Vec<PathBuf>,
    /// The settings.
    pub(super) options: Options,
    /// Whether files on disk may have changed.
    pub(super) files_changed: bool,
    requests: VecDeque<PendingRequest>,
    has_changed: bool,
    is_ending: bool,
    last_revision: u64,
}

/// A request that the worker has to answer.
#[derive(Debug)]
pub(super) struct PendingRequest {
    /// The request.
    pub(super) request: Request,
    /// The revision of the text that it is about, when it arrived.
    pub(super) revision: Option<u64>,
}

/// What the worker has to do.
#[derive(Debug)]
pub(super) struct Work {
    /// The open texts.
    pub(super) buffers: Vec<Arc<Buffer>>,
    /// The workspace folders.
    pub(super) folders: Vec<PathBuf>,
    /// The settings.
    pub(super) options: Options,
    /// Whether files on disk may have changed.
    pub(super) files_changed: bool,
    /// The requests to answer.
    pub(super) requests: VecDeque<PendingRequest>,
}

impl State {
    /// A number that no other state of a text has.
    pub(super) fn next_revision(&mut self) -> u64 {
        self.last_revision += 1;
        self.last_revision
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, which makes the present work of the worker stale.
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.has_changed = true;
        self.is_stale.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Adds a request about the text at a URI.
    pub(super) fn request(&self, request: Request, uri: Option<&str>) {
        let mut state = self.lock();
        let revision = uri.and_then(|uri| state.buffers.get(uri)).map(|buffer| buffer.revision);
        state.requests.push_back(PendingRequest { request, revision });
        self.wake.notify_one();
    }

    /// Removes a request that is not answered yet. Returns whether there was one.
    pub(super) fn cancel(&self, id: &RequestId) -> bool {
        let mut state = self.lock();
        let before = state.requests.len();
        state.requests.retain(|pending| pending.request.id != *id);
        state.requests.len() < before
    }

    /// Lets the worker end.
    pub(super) fn end(&self) {
        self.change(|state| state.is_ending = true);
    }

    /// Waits for work; `None` at the end.
    pub(super) fn next_work(&self) -> Option<Work> {
        let mut state = self.lock();
        while !state.is_ending && !state.has_changed && state.requests.is_empty() {
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_ending {
            return None;
        }
        state.has_changed = false;
        self.is_stale.store(false, Ordering::Relaxed);
        let mut buffers: Vec<Arc<Buffer>> = state.buffers.values().cloned().collect();
        buffers.sort_by(|one, other| one.uri.cmp(&other.uri));
        Some(Work {
            buffers,
            folders: state.folders.clone(),
            options: state.options.clone(),
            files_changed: std::mem::take(&mut state.files_changed),
            requests: std::mem::take(&mut state.requests),
        })
    }

    /// Gives back requests that were not answered because the work became stale.
    pub(super) fn give_back(&self, mut requests: VecDeque<PendingRequest>) {
        let mut state = self.lock();
        requests.append(&mut state.requests);
        state.requests = requests;
    }

    /// Whether the worker can stop, because there is newer work.
    pub(super) fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
    }
}
