//! The protocol: the start, the end, canceled and outdated requests, and messages that no client should send.

use serde_json::{Value, json};

use super::editor::{Editor, able};
use super::{rules, snapshot};
use crate::shared::text_of;

const URI: &str = "file:///nowhere/sql.yaml";

#[test]
fn a_session_from_start_to_end() {
    let mut editor = Editor::start_only();
    let mut shown = format!("initialize: {:#}\n", editor.request("initialize", able(None)));
    editor.notify("initialized", json!({}));
    let registration = editor.wait_for("a registration", |message| message["method"] == "client/registerCapability");
    shown.push_str(&format!("registration: {:#}\n", registration["params"]));
    editor.open(URI, &text_of("e2e/examples/two-replicas-rolling.yaml"));
    let diagnostics = editor.diagnostics(URI, 1);
    shown.push_str(&format!("diagnostics: {:#}\n", Value::from(diagnostics.clone())));
    let replicas = diagnostics.iter().find(|diagnostic| diagnostic["code"] == "single-replica").unwrap();
    let position = &replicas["range"]["start"];
    let hover = editor.request("textDocument/hover", json!({"textDocument": {"uri": URI}, "position": position}));
    shown.push_str(&format!("hover at {}:\n{}\n", hover["range"], hover["contents"]["value"].as_str().unwrap()));
    let actions = editor.actions(URI, &replicas["range"], None);
    shown.push_str(&format!("actions: {:#}\n", Value::from(actions)));
    snapshot("session", &shown);
    assert_eq!(editor.end(), 0);
}

#[test]
fn the_exit_code_says_whether_the_client_shut_the_server_down() {
    let mut editor = Editor::alone();
    editor.notify("exit", Value::Null);
    assert_eq!(editor.exit_code(), 1);
    assert_eq!(Editor::alone().exit_code(), 1, "the client is gone");
    assert_eq!(Editor::start_only().exit_code(), 1, "it has never been there");
}

#[test]
fn requests_at_the_wrong_time_and_unknown_ones_are_errors() {
    let mut editor = Editor::start_only();
    let hover = json!({"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}});
    let code = |editor: &mut Editor, method: &str| {
        let id = editor.send_request(method, hover.clone());
        editor.answer(id)["error"]["code"].clone()
    };
    assert_eq!(code(&mut editor, "textDocument/hover"), -32002, "not initialized");
    editor.request("initialize", able(None));
    assert_eq!(code(&mut editor, "textDocument/nothing"), -32601);
    assert_eq!(editor.request("textDocument/hover", hover.clone()), Value::Null, "the text is not open");
    assert_eq!(editor.request("textDocument/hover", Value::Null), Value::Null);
    assert_eq!(editor.request("textDocument/codeAction", json!([1])), Value::Null);
    editor.request("shutdown", Value::Null);
    assert_eq!(code(&mut editor, "textDocument/hover"), -32600, "shut down");
    editor.notify("exit", Value::Null);
    assert_eq!(editor.exit_code(), 0);
}

#[test]
fn notifications_that_make_no_sense_are_ignored() {
    let mut editor = Editor::alone();
    for method in [
        "textDocument/didOpen",
        "textDocument/didChange",
        "textDocument/didClose",
        "workspace/didChangeConfiguration",
        "workspace/didChangeWorkspaceFolders",
        "$/cancelRequest",
        "$/setTrace",
    ] {
        for parameters in [Value::Null, json!({}), json!({"textDocument": {"uri": 1}, "id": [], "event": "?"})] {
            editor.notify(method, parameters);
        }
    }
    editor.change(URI, 2, &json!([{"text": "kind: Pod\n"}]));
    editor.open(URI, "kind: [\n");
    editor.change(URI, 2, &json!([{"range": {"start": "?"}}]));
    let log = editor.notification("window/logMessage");
    assert!(log["message"].as_str().unwrap().starts_with("unexpected change: "), "{log}");
    editor.change(URI, 3, &json!([]));
    assert_eq!(rules(&editor.diagnostics(URI, 3)), ["1: parse error"]);
    assert_eq!(editor.end(), 0);
}

#[test]
fn every_request_is_answered_also_while_the_user_types() {
    let mut editor = Editor::alone();
    let text = text_of("e2e/examples/two-replicas-rolling.yaml");
    editor.open(URI, &text.repeat(40));
    let mut ids = Vec::new();
    for version in 2..60 {
        let start = json!({"line": 0, "character": 0});
        editor.change(URI, version, &json!([{"range": {"start": start, "end": start}, "text": "\n"}]));
        let parameters = json!({"textDocument": {"uri": URI}, "position": {"line": version, "character": 0}});
        let id = editor.send_request("textDocument/hover", parameters);
        if version % 3 == 0 {
            editor.notify("$/cancelRequest", json!({"id": id}));
        }
        ids.push((id, version));
    }
    for (id, version) in ids {
        let answer = editor.answer(id);
        let code = answer["error"]["code"].as_i64();
        let is_expected = match code {
            None => answer.get("result").is_some(),
            Some(-32800) => version % 3 == 0,
            other => other == Some(-32801) && version < 59,
        };
        assert!(is_expected, "{version}: {answer}");
    }
    assert!(!editor.diagnostics(URI, 59).is_empty());
    assert_eq!(editor.end(), 0);
}

#[test]
fn settings_are_read_at_the_start_and_when_they_change() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: sql}\nspec:\n  containers:\n  - name: sql\n    image: \
                mcr.microsoft.com/mssql/server:2022-latest\n";
    let mut parameters = able(None);
    parameters["initializationOptions"] = json!({"engine": "sql-server"});
    let mut editor = Editor::start(&parameters);
    editor.open(URI, text);
    assert!(!editor.diagnostics(URI, 1).is_empty());
    let set = |editor: &mut Editor, settings: Value| {
        editor.notify("workspace/didChangeConfiguration", json!({"settings": settings}));
    };
    set(&mut editor, json!({"sqledge-ha": {"engine": "sql-edge"}}));
    assert!(editor.diagnostics(URI, 1).is_empty());
    set(&mut editor, json!({"engine": "oracle"}));
    let expected = "sqledge-ha: unknown engine `oracle`; valid engines: sql-edge, sql-server, all";
    assert_eq!(editor.notification("window/showMessage"), json!({"type": 1, "message": expected}));
    set(&mut editor, json!({"engine": "all"}));
    assert!(!editor.diagnostics(URI, 1).is_empty());
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_client_that_can_do_little_gets_what_it_understands() {
    let mut editor = Editor::start(&json!({"capabilities": {}}));
    editor.open(URI, &text_of("e2e/examples/two-replicas-rolling.yaml"));
    let diagnostics = editor.diagnostics(URI, 1);
    let unknown = ["codeDescription", "relatedInformation"];
    assert!(diagnostics.iter().all(|diagnostic| unknown.iter().all(|key| diagnostic.get(key).is_none())));
    let position = &diagnostics[0]["range"]["start"];
    let hover = editor.request("textDocument/hover", json!({"textDocument": {"uri": URI}, "position": position}));
    assert_eq!(hover["contents"]["kind"], "plaintext");
    let fix_all = editor.actions(URI, &diagnostics[0]["range"], Some("source.fixAll"));
    let edits = fix_all[0]["edit"]["changes"][URI].as_array().unwrap();
    assert!(!edits.is_empty(), "{fix_all:?}");
    assert_eq!(editor.end(), 0);
}

#[test]
fn columns_can_count_bytes() {
    let mut parameters = able(None);
    parameters["capabilities"]["general"]["positionEncodings"] = json!(["utf-8", "utf-16"]);
    let mut editor = Editor::start_only();
    let result = editor.request("initialize", parameters);
    assert_eq!(result["capabilities"]["positionEncoding"], "utf-8");
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: \u{1F600}}\nspec: {containers: [{name: é, image: \
                azure-sql-edge}]}\n";
    editor.open(URI, text);
    let image = |diagnostics: Vec<Value>| {
        let image = diagnostics.into_iter().find(|diagnostic| diagnostic["code"] == "pinned-image");
        image.unwrap_or_default()["range"]["start"]["character"].clone()
    };
    let column = text.lines().last().unwrap().find("azure").unwrap();
    assert_eq!(image(editor.diagnostics(URI, 1)), column);
    // The name, which has four bytes.
    let range = json!({"start": {"line": 2, "character": 17}, "end": {"line": 2, "character": 21}});
    editor.change(URI, 2, &json!([{"range": range, "text": "sql"}]));
    assert_eq!(image(editor.diagnostics(URI, 2)), column);
    assert_eq!(editor.end(), 0);
}
