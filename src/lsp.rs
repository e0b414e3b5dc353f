//! The language server: diagnostics while the user types, fixes as code actions, and documentation on hover.
//!
//! One thread reads messages and keeps the open texts, so that it never waits. A worker takes the newest state, checks
//! it, publishes diagnostics, and answers requests; a text that changes meanwhile makes its result useless, and it
//! begins again. Standard output carries the protocol only.
//!
//! | file | holds |
//! |---|---|
//! | `shared` | the state of the editor and the pending requests, for both threads |
//! | `buffer`, `position`, `uri` | open texts, lines and columns, URIs and paths |
//! | `options` | settings and capabilities of the client |
//! | `worker` | the worker |
//! | `application`, `checked` | the files that are checked together, and the result |
//! | `diagnostics`, `actions`, `hover` | findings -> what the editor shows and edits |
//! | `client` | messages to the client |

mod actions;
mod application;
mod buffer;
mod checked;
mod client;
mod diagnostics;
mod hover;
mod options;
mod position;
mod shared;
mod uri;
mod worker;

use std::sync::Arc;
use std::thread;

use gen_lsp_types::{
    CodeActionKind, CodeActionOptions, HoverProvider, InitializeResult, MessageType, PositionEncodingKind,
    ServerCapabilities, ServerInfo, TextDocumentContentChangeEvent, TextDocumentSyncKind, TextDocumentSyncOptions,
    WorkspaceFoldersServerCapabilities, WorkspaceOptions,
};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId};
use serde_json::Value;

use self::buffer::Buffer;
use self::client::Client;
use self::options::{Capabilities, NAME, Options, folders};
use self::position::Encoding;
use self::shared::Shared;
use self::worker::{Worker, request_uri};
use crate::exit::{CommandError, ExitStatus};

/// Serves one client on standard input and output.
///
/// # Errors
/// [`CommandError`] if the threads that read and write cannot be started or end with an error.
pub fn run() -> Result<ExitStatus, CommandError> {
    let (connection, threads) = Connection::stdio();
    let status = serve(&connection);
    drop(connection);
    threads.join().map_err(|error| CommandError::unreadable(format!("the connection to the client broke: {error}")))?;
    Ok(status)
}

/// Serves the client until it says `exit` or is gone. The protocol asks for the exit code 1 if it did not say
/// `shutdown` before.
fn serve(connection: &Connection) -> ExitStatus {
    let Ok((id, parameters)) = connection.initialize_start() else { return ExitStatus::Findings };
    let sender = connection.sender.clone();
    let client = Client::new(move |message| {
        // A client that is gone needs no message.
        let _ = sender.send(message);
    });
    let capabilities = Capabilities::read(&parameters);
    client.answer(id, &initialize_result(capabilities));
    let shared = Arc::new(Shared::default());
    let worker = Worker::new(client.clone(), Arc::clone(&shared), capabilities);
    let worker = thread::spawn(move || worker.run());
    let mut server = Server { client, shared, capabilities, is_shut_down: false };
    server.start(&parameters);
    for message in &connection.receiver {
        let client = server.client.clone();
        if client.guard(|| server.handle(message)) == Some(false) {
            break;
        }
    }
    server.shared.end();
    // It guards its work.
    let _ = worker.join();
    if server.is_shut_down { ExitStatus::Clean } else { ExitStatus::Findings }
}

fn initialize_result(capabilities: Capabilities) -> InitializeResult {
    let encoding = match capabilities.encoding {
        Encoding::Utf8 => PositionEncodingKind::UTF8,
        Encoding::Utf16 => PositionEncodingKind::UTF16,
    };
    let sync = TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::Incremental),
        save: Some(true.into()),
        ..TextDocumentSyncOptions::default()
    };
    let code_actions = CodeActionOptions {
        code_action_kinds: Some(vec![CodeActionKind::QuickFix, CodeActionKind::from(actions::FIX_ALL)]),
        resolve_provider: Some(capabilities.resolves_edits),
        ..CodeActionOptions::default()
    };
    let workspace_folders =
        WorkspaceFoldersServerCapabilities { supported: Some(true), change_notifications: Some(true.into()) };
    InitializeResult {
        capabilities: ServerCapabilities {
            position_encoding: Some(encoding),
            text_document_sync: Some(sync.into()),
            hover_provider: Some(HoverProvider::Bool(true)),
            code_action_provider: Some(code_actions.into()),
            workspace: Some(WorkspaceOptions {
                workspace_folders: Some(workspace_folders),
                ..WorkspaceOptions::default()
            }),
            ..ServerCapabilities::default()
        },
        server_info: Some(ServerInfo { name: NAME.to_owned(), version: Some(env!("CARGO_PKG_VERSION").to_owned()) }),
    }
}

/// The thread that reads messages.
struct Server {
    client: Client,
    shared: Arc<Shared>,
    capabilities: Capabilities,
    is_shut_down: bool,
}

impl Server {
    fn start(&self, parameters: &Value) {
        let folders = folders(parameters);
        self.shared.change(|state| state.folders = folders);
        if let Some(options) = parameters.get("initializationOptions") {
            self.set_options(options);
        }
    }

    /// Handles a message. Returns whether more can follow.
    fn handle(&mut self, message: Message) -> bool {
        match message {
            Message::Request(request) => self.request(request),
            Message::Notification(notification) if notification.method == "exit" => return false,
            Message::Notification(notification) => self.notification(notification),
            // The client cannot watch files: they are read again when one is opened, saved or closed.
            Message::Response(_) => {}
        }
        true
    }

    fn request(&mut self, request: Request) {
        match request.method.as_str() {
            _ if self.is_shut_down => {
                self.client.fail(request.id, ErrorCode::InvalidRequest, "the server is shut down");
            }
            "shutdown" => {
                self.is_shut_down = true;
                self.client.answer(request.id, &Value::Null);
            }
            "textDocument/hover" | "textDocument/codeAction" | "codeAction/resolve" => {
                let uri = request_uri(&request.params).map(str::to_owned);
                self.shared.request(request, uri.as_deref());
            }
            method => {
                let message = format!("unknown method {}", crate::escape::escape(method));
                self.client.fail(request.id, ErrorCode::MethodNotFound, &message);
            }
        }
    }

    fn notification(&self, Notification { method, params }: Notification) {
        match method.as_str() {
            "initialized" if self.capabilities.watches_files => self.client.watch_files(),
            "textDocument/didOpen" => self.open(&params),
            "textDocument/didChange" => self.change(params),
            "textDocument/didClose" => self.close(&params),
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.shared.change(|state| state.files_changed = true);
            }
            "workspace/didChangeConfiguration" => {
                if let Some(options) = params.get("settings") {
                    self.set_options(options);
                }
            }
            "workspace/didChangeWorkspaceFolders" => self.change_folders(&params),
            "$/cancelRequest" => self.cancel(&params),
            _ => {}
        }
    }

    fn set_options(&self, settings: &Value) {
        match Options::read(settings) {
            Ok(options) => self.shared.change(|state| state.options = options),
            Err(message) => self.client.show(MessageType::Error, &format!("{NAME}: {message}")),
        }
    }

    fn open(&self, parameters: &Value) {
        let text = |field: &str| {
            let value = parameters.pointer(&format!("/textDocument/{field}"))?;
            value.as_str().map(str::to_owned)
        };
        let (Some(uri), Some(content)) = (text("uri"), text("text")) else { return };
        let version = version(parameters);
        self.shared.change(|state| {
            let revision = state.next_revision();
            state.buffers.insert(uri.clone(), Arc::new(Buffer::new(uri, version, revision, content)));
            state.files_changed = true;
        });
    }

    fn change(&self, mut parameters: Value) {
        let changes = parameters.get_mut("contentChanges").map(Value::take).unwrap_or_default();
        let uri = parameters.pointer("/textDocument/uri").and_then(Value::as_str).unwrap_or_default();
        let changes: Vec<TextDocumentContentChangeEvent> = match serde_json::from_value(changes) {
            Ok(changes) => changes,
            Err(error) => return self.client.log_error(&format!("unexpected change: {error}")),
        };
        self.shared.change(|state| {
            let revision = state.next_revision();
            let Some(buffer) = state.buffers.get_mut(uri) else { return };
            // The worker can have the old one.
            let buffer = Arc::make_mut(buffer);
            buffer.change(changes, self.capabilities.encoding);
            buffer.version = version(&parameters);
            buffer.revision = revision;
        });
    }

    fn close(&self, parameters: &Value) {
        let uri = request_uri(parameters).unwrap_or_default();
        self.shared.change(|state| {
            state.buffers.remove(uri);
            state.files_changed = true;
        });
    }

    fn change_folders(&self, parameters: &Value) {
        let paths = |list: &str| {
            let folders = parameters.pointer(&format!("/event/{list}")).and_then(Value::as_array);
            let uris = folders.into_iter().flatten().filter_map(|folder| folder.get("uri")?.as_str());
            uris.filter_map(uri::to_path).collect::<Vec<_>>()
        };
        let (added, removed) = (paths("added"), paths("removed"));
        self.shared.change(|state| {
            state.folders.retain(|folder| !removed.contains(folder) && !added.contains(folder));
            state.folders.extend(added);
        });
    }

    fn cancel(&self, parameters: &Value) {
        let id = parameters.get("id").cloned().unwrap_or_default();
        // No request has an id that cannot be read.
        let Ok(id) = serde_json::from_value::<RequestId>(id) else { return };
        if self.shared.cancel(&id) {
            self.client.fail(id, ErrorCode::RequestCanceled, "canceled");
        }
    }
}

/// The version of a text.
fn version(parameters: &Value) -> i32 {
    let version = parameters.pointer("/textDocument/version").and_then(Value::as_i64);
    version.and_then(|version| i32::try_from(version).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_that_no_request_can_have_cancels_none() {
        let capabilities = Capabilities::read(&Value::Null);
        let server = Server { client: Client::new(|_| ()), shared: Arc::default(), capabilities, is_shut_down: false };
        let ids = || [RequestId::from(-1), RequestId::from(7), RequestId::from("7".to_owned())];
        ids().into_iter().for_each(|id| server.shared.request(Request::new(id, String::new(), ()), None));
        for id in [json!(1_u64 << 40), json!(-1.5), json!(null), json!([7]), json!("7")] {
            server.cancel(&json!({"id": id}));
        }
        assert_eq!(ids().map(|id| server.shared.cancel(&id)), [true, true, false]);
    }
}
