//! An editor that talks to the language server, and checks that it keeps the protocol.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long any answer may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// An editor with its language server.
pub(crate) struct Editor {
    server: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// Messages that nobody has waited for yet.
    waiting: VecDeque<Value>,
    last_id: i32,
}

impl Editor {
    /// Starts a server and initializes it.
    pub(crate) fn start(parameters: &Value) -> Self {
        let mut editor = Editor::start_only();
        let result = editor.request("initialize", parameters.clone());
        assert!(result["capabilities"]["positionEncoding"].is_string(), "{result}");
        editor.notify("initialized", json!({}));
        editor
    }

    /// Starts a server for a folder, for a client that can do everything.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Editor::start(&able(Some(folder)))
    }

    /// Starts a server for files outside of any folder.
    pub(crate) fn alone() -> Self {
        Editor::start(&able(None))
    }

    /// Starts a server without initializing it.
    pub(crate) fn start_only() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
        command.arg("lsp").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut server = command.spawn().unwrap();
        let (sender, messages) = mpsc::channel();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Editor { input: server.stdin.take(), server, messages, waiting: VecDeque::new(), last_id: 0 }
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        // The server may have ended.
        let _ = self.input.as_mut().unwrap().write_all(bytes);
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        self.send_bytes(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    pub(crate) fn notify(&mut self, method: &str, parameters: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": parameters}));
    }

    /// Sends a request, and returns its id.
    pub(crate) fn send_request(&mut self, method: &str, parameters: Value) -> i32 {
        self.last_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": parameters}));
        self.last_id
    }

    /// Waits for the whole answer to a request.
    pub(crate) fn answer(&mut self, id: i32) -> Value {
        self.wait_for(&format!("an answer to {id}"), |message| message["id"] == id && message.get("method").is_none())
    }

    /// The result of a request, which must succeed.
    pub(crate) fn request(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.send_request(method, parameters);
        let mut answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// Waits for the parameters of a notification.
    pub(crate) fn notification(&mut self, method: &str) -> Value {
        self.wait_for(method, |message| message["method"] == method)["params"].take()
    }

    /// Whether a notification has come that nobody has waited for.
    pub(crate) fn has_got(&self, method: &str) -> bool {
        self.waiting.iter().any(|message| message["method"] == method)
    }

    /// Waits for a message, and keeps the others.
    pub(crate) fn wait_for(&mut self, description: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&is_it) {
            return self.waiting.remove(at).unwrap();
        }
        let started = Instant::now();
        loop {
            let left = SOON.saturating_sub(started.elapsed());
            let message = self.messages.recv_timeout(left);
            let message = message.unwrap_or_else(|error| panic!("{description}: {error}: {:?}", self.waiting));
            if is_it(&message) {
                return message;
            }
            self.waiting.push_back(message);
        }
    }

    pub(crate) fn open(&mut self, uri: &str, text: &str) {
        let document = json!({"uri": uri, "languageId": "yaml", "version": 1, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document}));
    }

    pub(crate) fn change(&mut self, uri: &str, version: i32, changes: &Value) {
        let document = json!({"uri": uri, "version": version});
        self.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": changes}));
    }

    pub(crate) fn close(&mut self, uri: &str) {
        self.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    }

    /// Waits for the diagnostics of a version of a text.
    pub(crate) fn diagnostics(&mut self, uri: &str, version: i32) -> Vec<Value> {
        self.published(uri, &json!(version))
    }

    /// Waits for the diagnostics of a file that is not open.
    pub(crate) fn diagnostics_of_closed(&mut self, uri: &str) -> Vec<Value> {
        self.published(uri, &Value::Null)
    }

    fn published(&mut self, uri: &str, version: &Value) -> Vec<Value> {
        let message = self.wait_for(&format!("diagnostics of {uri}, version {version}"), |message| {
            let parameters = &message["params"];
            message["method"] == "textDocument/publishDiagnostics"
                && parameters["uri"] == uri
                && parameters["version"] == *version
        });
        message["params"]["diagnostics"].as_array().unwrap().clone()
    }

    /// The code actions in a range.
    pub(crate) fn actions(&mut self, uri: &str, range: &Value, only: Option<&str>) -> Vec<Value> {
        let mut context = json!({"diagnostics": []});
        if let Some(only) = only {
            context["only"] = json!([only]);
        }
        let parameters = json!({"textDocument": {"uri": uri}, "range": range, "context": context});
        self.request("textDocument/codeAction", parameters).as_array().unwrap().clone()
    }

    /// Ends the server as the protocol says, and returns its exit code.
    pub(crate) fn end(mut self) -> i32 {
        assert_eq!(self.request("shutdown", Value::Null), Value::Null);
        self.notify("exit", Value::Null);
        self.exit_code()
    }

    /// Waits for the end of the server.
    pub(crate) fn exit_code(&mut self) -> i32 {
        self.input = None;
        let started = Instant::now();
        loop {
            if let Some(status) = self.server.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(started.elapsed() < SOON, "the server does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The peak of the server's memory, in MiB.
    pub(crate) fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // It has ended, unless the test fails.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Reads a message. Panics at anything that is no message.
fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.strip_suffix("\r\n").unwrap_or_else(|| panic!("no header: {line:?}"));
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Content-Length" {
            length = value.parse().ok();
        }
    }
    let mut bytes = vec![0; length.unwrap()];
    output.read_exact(&mut bytes).ok()?;
    let message: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(message["jsonrpc"], "2.0", "{message}");
    Some(message)
}

/// The parameters of a client that can do everything that the server uses, except columns in UTF-8.
pub(crate) fn able(folder: Option<&Path>) -> Value {
    let folders = folder.map(|folder| json!([{"uri": uri_of(folder), "name": "folder"}]));
    json!({
        "processId": null,
        "rootUri": null,
        "workspaceFolders": folders,
        "capabilities": {
            "general": {"positionEncodings": ["utf-16"]},
            "workspace": {
                "workspaceEdit": {"documentChanges": true},
                "didChangeWatchedFiles": {"dynamicRegistration": true},
            },
            "textDocument": {
                "hover": {"contentFormat": ["markdown", "plaintext"]},
                "publishDiagnostics": {"relatedInformation": true, "codeDescriptionSupport": true},
                "codeAction": {"dataSupport": true, "resolveSupport": {"properties": ["edit"]}},
            },
        },
    })
}

/// The URI of a path without special characters.
pub(crate) fn uri_of(path: &Path) -> String {
    format!("file://{}", path.display())
}
