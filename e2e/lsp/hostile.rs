//! Hostile texts: nothing hangs the editor, memory stays bounded, and no name in a manifest is markup.

use serde_json::{Value, json};

use super::editor::Editor;
use super::rules;
use crate::shared::text_of;

const URI: &str = "file:///nowhere/sql.yaml";

/// Opens a text, asks for everything at every finding, and changes it. Returns all that the editor could show.
pub(crate) fn shown_for(text: &str) -> String {
    let mut editor = Editor::alone();
    editor.open(URI, text);
    let diagnostics = editor.diagnostics(URI, 1);
    let mut shown = vec![Value::from(diagnostics.clone())];
    for diagnostic in diagnostics.iter().take(20) {
        let position = &diagnostic["range"]["start"];
        shown.push(editor.request("textDocument/hover", json!({"textDocument": {"uri": URI}, "position": position})));
        let actions = editor.actions(URI, &diagnostic["range"], None);
        shown.extend(actions.iter().map(|action| action["title"].clone()));
        for action in actions.iter().filter(|action| action.get("edit").is_none()) {
            editor.request("codeAction/resolve", action.clone());
        }
    }
    let start = json!({"line": 0, "character": 0});
    editor.change(URI, 2, &json!([{"range": {"start": start, "end": start}, "text": "{"}]));
    shown.push(Value::from(editor.diagnostics(URI, 2)));
    assert_eq!(editor.end(), 0);
    Value::from(shown).to_string()
}

/// The example with errors, in which objects have this name.
fn called(name: &str) -> String {
    let quoted = Value::from(name).to_string();
    let text = text_of("e2e/examples/right.yaml").replace("type: LoadBalancer", "type: ClusterIP");
    let text = text.replace("mountPath: /var/opt/mssql", "mountPath: /data").replace("replicas: 1", "replicas: 2");
    ["name", "claimName"]
        .iter()
        .fold(text, |text, key| text.replace(&format!("{key}: harbour-sensors\n"), &format!("{key}: {quoted}\n")))
}

#[test]
fn names_are_no_markup() {
    let name = "</x> <img src=x onerror=alert(1)> [a](command:x) ![b](https://c) **d** www.e.f `g`";
    let mut editor = Editor::alone();
    editor.open(URI, &called(name));
    let diagnostics = editor.diagnostics(URI, 1);
    let mut named = 0;
    for diagnostic in &diagnostics {
        let position = &diagnostic["range"]["start"];
        let hover = editor.request("textDocument/hover", json!({"textDocument": {"uri": URI}, "position": position}));
        let value = hover["contents"]["value"].as_str().unwrap();
        // The documentation is ours.
        for line in value.lines().filter(|line| line.contains("onerror")) {
            let outside: String = line.split('`').step_by(2).collect();
            for markup in ["<img", "](", "**d**", "https://", "www.e"] {
                let is_escaped = outside.match_indices(markup).all(|(at, _)| outside[..at].ends_with('\\'));
                assert!(is_escaped, "{markup}: {line}");
            }
            named += 1;
        }
    }
    assert!(named > 0, "{diagnostics:?}");
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_file_with_very_many_findings_shows_the_first_ones() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: sql}\nspec: {containers: [{image: azure-sql-edge}]}\n---\n";
    let mut editor = Editor::alone();
    editor.open(URI, &pod.repeat(2000));
    let diagnostics = editor.diagnostics(URI, 1);
    assert_eq!(diagnostics.len(), 501);
    let last = diagnostics.last().unwrap();
    assert_eq!(last["message"], "only the first 500 findings are shown; `sqledge-ha lint` prints all");
    let whole = json!({"start": {"line": 0, "character": 0}, "end": {"line": 10_000, "character": 0}});
    let actions = editor.actions(URI, &whole, Some("quickfix"));
    assert!(!actions.is_empty() && actions.len() <= 100, "{}", actions.len());
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_large_text_is_not_checked_and_takes_no_memory() {
    let mut editor = Editor::alone();
    editor.open(URI, &"a: 1\n".repeat(4 << 20));
    let [diagnostic] = editor.diagnostics(URI, 1).try_into().unwrap();
    assert_eq!(
        (&diagnostic["severity"], &diagnostic["message"]),
        (&json!(3), &json!("not checked: the text is larger than 16 MiB"))
    );
    for version in 2..20 {
        editor.change(URI, version, &json!([{"text": "a: 1\n".repeat(3 << 20)}]));
        editor.diagnostics(URI, version);
    }
    assert!(editor.peak() < 800, "{} MiB", editor.peak());
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_line_as_long_as_the_file_does_not_hang() {
    let container = "{name: \"\u{1F600}\", image: azure-sql-edge}, ";
    let pods = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: [{}]}}\n",
        container.repeat(20_000)
    );
    let shown = shown_for(&pods);
    assert!(shown.contains("one-engine"), "{}", &shown[..1000]);
}

#[test]
fn many_open_files_and_edits_take_bounded_memory() {
    let text = text_of("e2e/examples/two-replicas-rolling.yaml").repeat(20);
    let mut editor = Editor::alone();
    for round in 0..30 {
        for file in 0..10 {
            let uri = format!("file:///nowhere/{file}.yaml");
            editor.open(&uri, &text);
            editor.change(&uri, round + 2, &json!([{"text": format!("# {round}\n{text}")}]));
            assert!(!editor.diagnostics(&uri, round + 2).is_empty());
            editor.close(&uri);
        }
    }
    assert!(editor.peak() < 200, "{} MiB", editor.peak());
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_broken_stream_of_messages_ends_the_server() {
    for bytes in
        [&b"hello\r\n\r\n"[..], b"Content-Length: 5\r\n\r\nhello", b"Content-Length: -1\r\n\r\n", b"\xff\xff\r\n"]
    {
        let mut editor = Editor::alone();
        editor.send_bytes(bytes);
        let code = editor.exit_code();
        assert!([1, 4].contains(&code), "{code}");
    }
}

#[test]
fn a_text_that_changes_its_kind_again_and_again_keeps_its_findings() {
    let mut editor = Editor::alone();
    let text = text_of("e2e/examples/two-replicas-rolling.yaml");
    editor.open(URI, &text);
    let expected = rules(&editor.diagnostics(URI, 1));
    for (number, other) in ["", "kind: [", "\0", "{{ x }}", "%YAML 9", "---\n...\n---", "&a *a"].iter().enumerate() {
        let version = 2 * number as i32 + 2;
        editor.change(URI, version, &json!([{"text": other}]));
        editor.diagnostics(URI, version);
        editor.change(URI, version + 1, &json!([{"text": text}]));
        assert_eq!(rules(&editor.diagnostics(URI, version + 1)), expected, "{other:?}");
    }
    assert_eq!(editor.end(), 0);
}
