//! Code actions do what `fix` and ignore comments do.

use std::fs;

use serde_json::{Value, json};
use sqledge_ha::fixer::{AllowedFixes, fix};
use sqledge_ha::linter::lint_texts;
use sqledge_ha::prefilter::Prefilter;
use sqledge_ha_policy::rules::RULES;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;

use super::editor::{Editor, uri_of};
use super::text::edited;
use crate::corpus::cases;
use crate::shared::text_of;

const URI: &str = "file:///nowhere/sql.yaml";

/// The texts of the corpus that break a rule.
fn failing_texts() -> Vec<String> {
    let files = RULES.iter().flat_map(|rule| cases(rule.id, "fail"));
    files.map(|case| fs::read_to_string(case.directory.join(&case.file)).unwrap()).collect()
}

/// The text that `fix` makes of a part of an application.
fn fixed(text: &str) -> String {
    let settings = Settings::default();
    let prefilter = Prefilter::new(&settings).with_texts();
    let result = lint_texts(vec![("a.yaml".to_owned(), text.to_owned())], &prefilter, Scope::Part);
    fix(&result, &prefilter, AllowedFixes::SafeOnly).result.files.remove(0).text
}

fn whole(text: &str) -> Value {
    json!({"start": {"line": 0, "character": 0}, "end": {"line": text.lines().count(), "character": 0}})
}

fn title(action: &Value) -> &str {
    action["title"].as_str().unwrap()
}

#[test]
fn all_safe_fixes_give_the_text_of_fix() {
    let (mut editor, mut count) = (Editor::alone(), 0);
    for (number, text) in failing_texts().into_iter().enumerate() {
        let uri = format!("file:///nowhere/{number}.yaml");
        editor.open(&uri, &text);
        let actions = editor.actions(&uri, &whole(""), Some("source.fixAll.sqledge-ha"));
        let expected = fixed(&text);
        let Some(action) = actions.first() else {
            assert_eq!(expected, text, "there is no action");
            continue;
        };
        assert!(action.get("edit").is_none(), "it is computed when it is needed: {action}");
        let action = editor.request("codeAction/resolve", action.clone());
        assert_eq!(action["edit"]["documentChanges"][0]["textDocument"], json!({"uri": uri, "version": 1}));
        assert_eq!(edited(&text, &action["edit"]), expected);
        count += 1;
    }
    assert!(count > 20, "{count}");
    assert_eq!(editor.end(), 0);
}

#[test]
fn each_fix_and_each_comment_removes_its_finding() {
    let (mut editor, mut fixes, mut comments) = (Editor::alone(), 0, 0);
    for (number, text) in failing_texts().into_iter().enumerate() {
        let uri = format!("file:///nowhere/{number}.yaml");
        editor.open(&uri, &text);
        let diagnostics = editor.diagnostics(&uri, 1);
        let mut version = 1;
        for diagnostic in &diagnostics {
            let of_it = |action: &Value| action["diagnostics"][0] == *diagnostic;
            let actions = editor.actions(&uri, &diagnostic["range"], Some("quickfix"));
            for action in actions.iter().filter(|action| of_it(action)) {
                let new = edited(&text, &action["edit"]);
                version += 1;
                editor.change(&uri, version, &json!([{"text": new}]));
                let left = editor.diagnostics(&uri, version);
                let same =
                    |other: &&Value| other["code"] == diagnostic["code"] && other["message"] == diagnostic["message"];
                let before = diagnostics.iter().filter(same).count();
                assert!(left.iter().filter(same).count() < before, "{}: {left:?}\n{new}", title(action));
                *if title(action).starts_with("Fix ") { &mut fixes } else { &mut comments } += 1;
            }
            version += 1;
            editor.change(&uri, version, &json!([{"text": text}]));
            editor.diagnostics(&uri, version);
        }
        editor.close(&uri);
    }
    assert!(fixes > 50 && comments > 200, "{fixes} {comments}");
    assert_eq!(editor.end(), 0);
}

#[test]
fn unsafe_fixes_say_so_and_are_not_preferred() {
    let mut editor = Editor::alone();
    let text = text_of("e2e/examples/claim-beside-the-data.yaml");
    editor.open(URI, &text);
    let diagnostics = editor.diagnostics(URI, 1);
    let actions = editor.actions(URI, &diagnostics[0]["range"], None);
    let titles: Vec<&str> = actions.iter().map(title).collect();
    assert_eq!(
        titles,
        [
            "Fix persistent-data (unsafe): mount the claim at /var/opt/mssql",
            "Ignore persistent-data with a comment on this line",
        ]
    );
    assert!(actions.iter().all(|action| action.get("isPreferred").is_none()), "{actions:?}");
    assert!(editor.actions(URI, &diagnostics[0]["range"], Some("refactor")).is_empty());
    assert!(editor.actions(URI, &whole(""), None).is_empty(), "nothing is wrong at the start");
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_fix_uses_the_claim_of_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = text_of("e2e/examples/data-on-an-empty-dir.yaml");
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: kept-for-it}\nspec:\n  accessModes: \
                 [ReadWriteOnce]\n  resources: {requests: {storage: 8Gi}}\n";
    let path = folder.path().join("sql.yaml");
    fs::write(&path, &text).unwrap();
    fs::write(folder.path().join("claim.yaml"), claim).unwrap();
    let mut editor = Editor::in_folder(folder.path());
    let uri = uri_of(&path);
    editor.open(&uri, &text);
    let diagnostics = editor.diagnostics(&uri, 1);
    let lost = diagnostics.iter().find(|diagnostic| diagnostic["code"] == "persistent-data").unwrap();
    let actions = editor.actions(&uri, &lost["range"], Some("quickfix"));
    let fix = actions.iter().find(|action| title(action).starts_with("Fix persistent-data")).unwrap();
    let new = edited(&text, &fix["edit"]);
    assert!(new.contains("claimName: kept-for-it"), "{new}");
    assert_eq!(editor.end(), 0);
}

#[test]
fn an_action_for_an_older_text_is_not_resolved() {
    let mut editor = Editor::alone();
    let text = text_of("e2e/examples/two-replicas-rolling.yaml");
    editor.open(URI, &text);
    let action = editor.actions(URI, &whole(""), Some("source")).remove(0);
    editor.change(URI, 2, &json!([{"text": format!("# new\n{text}")}]));
    editor.diagnostics(URI, 2);
    let resolved = editor.request("codeAction/resolve", action.clone());
    assert_eq!(resolved, action);
    assert_eq!(editor.end(), 0);
}
