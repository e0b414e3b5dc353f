//! Messages to the client.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use gen_lsp_types::{
    DidChangeWatchedFilesNotification, LogMessageNotification, LogMessageParams, MessageType,
    Notification as NotificationType, PublishDiagnosticsNotification, PublishDiagnosticsParams, RegistrationRequest,
    Request as RequestType, ShowMessageNotification, ShowMessageParams,
};
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::Serialize;
use serde_json::json;

/// The client.
#[derive(Clone)]
pub(super) struct Client {
    send: Arc<dyn Fn(Message) + Send + Sync>,
}

/// The files that can change the result of a check.
const WATCHED: [&str; 4] = ["**/*.{yaml,yml,json}", "**/.gitignore", "**/.ignore", "**/Kustomization"];

impl Client {
    /// The client to which `send` sends a message.
    pub(super) fn new(send: impl Fn(Message) + Send + Sync + 'static) -> Self {
        Client { send: Arc::new(send) }
    }

    fn notify<N: NotificationType>(&self, parameters: &N::Params) {
        let params = serde_json::to_value(parameters).unwrap_or_default();
        (self.send)(Message::Notification(Notification { method: N::METHOD.to_string(), params }));
    }

    /// Answers a request.
    pub(super) fn answer(&self, id: RequestId, result: &impl Serialize) {
        let result = serde_json::to_value(result).unwrap_or_default();
        (self.send)(Response::new_ok(id, result).into());
    }

    /// Answers a request with an error.
    pub(super) fn fail(&self, id: RequestId, code: ErrorCode, message: &str) {
        (self.send)(Response::new_err(id, code as i32, message.to_owned()).into());
    }

    /// Replaces the diagnostics of a file.
    pub(super) fn publish(&self, parameters: &PublishDiagnosticsParams) {
        self.notify::<PublishDiagnosticsNotification>(parameters);
    }

    /// Shows a message to the user.
    pub(super) fn show(&self, kind: MessageType, message: &str) {
        self.notify::<ShowMessageNotification>(&ShowMessageParams { kind, message: message.to_owned() });
    }

    /// Writes an error to the log of the client.
    pub(super) fn log_error(&self, message: &str) {
        let message = message.to_owned();
        self.notify::<LogMessageNotification>(&LogMessageParams { kind: MessageType::Error, message });
    }

    /// Asks to be told about changed files.
    pub(super) fn watch_files(&self) {
        let watchers = WATCHED.map(|pattern| json!({"globPattern": pattern}));
        let method = DidChangeWatchedFilesNotification::METHOD.to_string();
        let registration = json!({"id": "files", "method": method, "registerOptions": {"watchers": watchers}});
        (self.send)(Message::Request(Request {
            id: RequestId::from(1),
            method: RegistrationRequest::METHOD.to_string(),
            params: json!({"registrations": [registration]}),
        }));
    }

    /// Runs `work`. A panic is a bug, which is logged; then there is no result.
    pub(super) fn guard<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|panic| self.log_error(&describe(panic.as_ref()))).ok()
    }
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().copied();
    let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    format!("internal error; please report it with the text that caused it: {message}")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_panic_is_logged_to_the_client() {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let client = {
            let sent = Arc::clone(&sent);
            Client::new(move |message| sent.lock().unwrap().push(message))
        };
        assert_eq!(client.guard(|| 1), Some(1));
        assert_eq!(client.guard(|| -> u8 { panic!("five is {}", 6) }), None);
        let sent = sent.lock().unwrap();
        let [Message::Notification(log)] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!(log.method, "window/logMessage");
        let message = "internal error; please report it with the text that caused it: five is 6";
        assert_eq!(log.params, json!({"type": 1, "message": message}));
    }
}
