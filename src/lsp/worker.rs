//! The thread that checks texts, publishes diagnostics and answers requests. It takes the newest state of the editor
//! each time.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gen_lsp_types::{
    CodeActionRequest, CodeActionResolveRequest, HoverRequest, MessageType, PublishDiagnosticsParams,
    Request as RequestType, Uri,
};
use lsp_server::{ErrorCode, Request};
use serde_json::{Value, json};

use super::application::{Application, Kind};
use super::buffer::Buffer;
use super::client::Client;
use super::diagnostics::{Published, configuration, diagnostics, too_large};
use super::options::{Capabilities, Options};
use super::shared::{PendingRequest, Shared, Work};
use super::{actions, hover};
use crate::config::is_config;

/// The worker.
pub(super) struct Worker {
    client: Client,
    shared: Arc<Shared>,
    capabilities: Capabilities,
    applications: HashMap<Kind, Application>,
    options: Options,
    /// What the client shows, by URI.
    published: HashMap<String, Published>,
    /// The last message about the configuration.
    shown_error: Option<String>,
}

impl Worker {
    /// A worker that has not checked anything.
    pub(super) fn new(client: Client, shared: Arc<Shared>, capabilities: Capabilities) -> Self {
        let (applications, published) = (HashMap::new(), HashMap::new());
        let options = Options::default();
        Worker { client, shared, capabilities, applications, options, published, shown_error: None }
    }

    /// Works until the end.
    pub(super) fn run(mut self) {
        while let Some(mut work) = self.shared.next_work() {
            let client = self.client.clone();
            let is_done = client.guard(|| self.check_all(&work));
            if is_done == Some(false) {
                self.shared.give_back(work.requests);
                continue;
            }
            for pending in std::mem::take(&mut work.requests) {
                let id = pending.request.id.clone();
                if client.guard(|| self.answer(pending, &work.buffers)).is_none() {
                    client.fail(id, ErrorCode::InternalError, "internal error");
                }
            }
        }
    }

    /// Checks whatever has changed, and publishes the diagnostics. Returns false if it stopped because there is newer
    /// work.
    fn check_all(&mut self, work: &Work) -> bool {
        let must_refresh = work.files_changed || work.options != self.options;
        self.options = work.options.clone();
        let groups = self.groups(work, must_refresh);
        self.applications.retain(|kind, _| groups.contains_key(kind));
        let shared = Arc::clone(&self.shared);
        for (kind, buffers) in &groups {
            let Some(application) = self.applications.get_mut(kind) else { continue };
            if !application.check(buffers, &self.options, &|| shared.is_stale()) {
                return false;
            }
        }
        if shared.is_stale() {
            return false;
        }
        self.publish_all(work);
        self.show_config_error();
        true
    }

    /// The open texts by what they are checked with. A folder can have none: its open texts are hidden or excluded. It
    /// is kept, because it would be read again at each edit.
    fn groups(&mut self, work: &Work, must_refresh: bool) -> HashMap<Kind, Vec<Arc<Buffer>>> {
        let open: HashSet<&Path> = work.buffers.iter().filter_map(|buffer| buffer.path.as_deref()).collect();
        let mut groups: HashMap<Kind, Vec<Arc<Buffer>>> = HashMap::new();
        for buffer in &work.buffers {
            let path = buffer.path.as_deref();
            let folder = path.and_then(|path| folder_of(path, &work.folders));
            let alone =
                Kind::Alone { uri: buffer.uri.clone(), path: buffer.path.clone(), folder: folder.map(Path::to_owned) };
            for kind in folder.map(|folder| Kind::Folder(folder.to_owned())).into_iter().chain([alone]) {
                let is_first = !groups.contains_key(&kind);
                let buffers = groups.entry(kind.clone()).or_default();
                let is_new = !self.applications.contains_key(&kind);
                let application =
                    self.applications.entry(kind).or_insert_with_key(|kind| Application::new(kind.clone()));
                if is_first && (is_new || must_refresh) {
                    application.refresh(&self.options, &open);
                }
                if path.is_none_or(|path| application.includes(path)) {
                    buffers.push(Arc::clone(buffer));
                    break;
                }
            }
        }
        groups
    }

    /// Publishes the diagnostics that differ from those that the client has.
    fn publish_all(&mut self, work: &Work) {
        let mut current: HashMap<String, Published> = HashMap::new();
        for (kind, application) in &self.applications {
            let Some(checked) = application.checked() else { continue };
            let of_files = diagnostics(checked, self.capabilities).into_iter();
            // A folder can be inside another one.
            current.extend(of_files.filter(|(uri, published)| match kind {
                Kind::Folder(folder) => published.version.is_some() || is_own(uri, folder, &work.folders),
                Kind::Alone { .. } => true,
            }));
        }
        for buffer in &work.buffers {
            let path = buffer.path.as_deref();
            if let Some(path) = path.filter(|path| self.is_config(path, &buffer.text, &work.folders)) {
                current.insert(buffer.uri.clone(), configuration(buffer, path, self.capabilities));
            }
        }
        let large = work.buffers.iter().filter(|buffer| buffer.is_too_large);
        current.extend(large.map(|buffer| (buffer.uri.clone(), too_large(buffer))));
        for (uri, published) in &current {
            if self.published.get(uri) != Some(published) {
                self.publish(uri, published.clone());
            }
        }
        for uri in self.published.keys().filter(|uri| !current.contains_key(*uri)) {
            self.publish(uri, Published::default());
        }
        self.published = current;
    }

    /// Whether an open text is a configuration: the one that the settings name, or one that is found by its name.
    fn is_config(&self, path: &Path, text: &str, folders: &[PathBuf]) -> bool {
        let named = self.options.config.as_ref().map(|config| match folder_of(path, folders) {
            Some(folder) => folder.join(config),
            None => config.clone(),
        });
        named.map_or_else(|| is_config(path, text), |named| named == path)
    }

    fn publish(&self, uri: &str, Published { version, diagnostics }: Published) {
        self.client.publish(&PublishDiagnosticsParams { uri: Uri(uri.to_owned()), version, diagnostics });
    }

    /// Shows what is wrong with a configuration, once.
    fn show_config_error(&mut self) {
        let mut errors: Vec<&str> = self.applications.values().filter_map(Application::config_error).collect();
        errors.sort_unstable();
        let error = errors.first().map(|error| (*error).to_owned());
        if let Some(error) = error.as_ref().filter(|_| self.shown_error != error) {
            self.client.show(MessageType::Error, error);
        }
        self.shown_error = error;
    }

    fn answer(&self, PendingRequest { request, revision }: PendingRequest, buffers: &[Arc<Buffer>]) {
        let Request { id, method, params } = request;
        let uri = request_uri(&params).unwrap_or_default();
        let buffer = buffers.iter().find(|buffer| buffer.uri == uri);
        if buffer.map(|buffer| buffer.revision) != revision {
            return self.client.fail(id, ErrorCode::ContentModified, "the text has changed");
        }
        let is_here =
            |application: &&Application| application.checked().is_some_and(|checked| checked.open_file(uri).is_some());
        let application = self.applications.values().find(is_here);
        let checked = application.and_then(Application::checked);
        let result = match (method.as_str(), checked) {
            (method, Some(checked)) if method == HoverRequest::METHOD.to_string() => {
                let position = params.get("position").cloned().unwrap_or_default();
                let position = serde_json::from_value(position).unwrap_or_default();
                json!(hover::hover(checked, uri, position, self.capabilities))
            }
            (method, Some(checked)) if method == CodeActionRequest::METHOD.to_string() => {
                json!(actions::actions(checked, &params, self.capabilities))
            }
            (method, Some(checked)) if method == CodeActionResolveRequest::METHOD.to_string() => {
                actions::resolve(checked, params, self.capabilities)
            }
            (method, None) if method == CodeActionResolveRequest::METHOD.to_string() => params,
            _ => Value::Null,
        };
        self.client.answer(id, &result);
    }
}

/// The URI of the text that a request is about.
pub(super) fn request_uri(parameters: &Value) -> Option<&str> {
    parameters.pointer("/textDocument/uri").or_else(|| parameters.pointer("/data/uri"))?.as_str()
}

/// The innermost folder of a path.
fn folder_of<'f>(path: &Path, folders: &'f [PathBuf]) -> Option<&'f Path> {
    let containing = folders.iter().filter(|folder| path.starts_with(folder));
    containing.max_by_key(|folder| folder.components().count()).map(PathBuf::as_path)
}

/// Whether a folder is the innermost one of a file.
fn is_own(uri: &str, folder: &Path, folders: &[PathBuf]) -> bool {
    super::uri::to_path(uri).is_none_or(|path| folder_of(&path, folders).is_none_or(|own| own == folder))
}
