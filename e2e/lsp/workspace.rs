//! The files of a workspace folder are one application, in which open texts replace files.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::editor::{Editor, able, uri_of};
use super::{rules, snapshot};
use crate::corpus::lint;
use crate::shared::text_of;

/// A folder with the example without findings in two files: the Service and everything else.
fn folder() -> (TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let text = text_of("e2e/examples/right.yaml");
    let is_service = |document: &&str| document.contains("\nkind: Service\n");
    let (services, others): (Vec<&str>, Vec<&str>) = text.split("---\n").partition(is_service);
    assert!(!services.is_empty() && !others.is_empty());
    let (service, others) = (services.join("---\n"), others.join("---\n"));
    fs::write(folder.path().join("service.yaml"), &service).unwrap();
    fs::write(folder.path().join("sql.yaml"), &others).unwrap();
    (folder, service, others)
}

fn uri(folder: &TempDir, name: &str) -> String {
    uri_of(&folder.path().join(name))
}

/// Tells the server that files have changed.
fn changed(editor: &mut Editor) {
    editor.notify("workspace/didChangeWatchedFiles", json!({"changes": []}));
}

#[test]
fn an_unsaved_service_changes_the_findings_of_the_workload_in_a_closed_file() {
    let (folder, service, _) = folder();
    let mut editor = Editor::in_folder(folder.path());
    let (open, closed) = (uri(&folder, "service.yaml"), uri(&folder, "sql.yaml"));
    editor.open(&open, &service);
    assert_eq!(editor.diagnostics(&open, 1), Vec::<Value>::new());
    editor.change(&open, 2, &json!([{"text": service.replace("app: harbour-sensors", "app: other")}]));
    let of_open = editor.diagnostics(&open, 2);
    let of_closed = editor.diagnostics_of_closed(&closed);
    let shown = format!("service.yaml: {:#}\nsql.yaml: {:#}\n", Value::from(of_open), Value::from(of_closed));
    snapshot("unsaved-service", &shown.replace(&*folder.path().to_string_lossy(), "/folder"));
    editor.change(&open, 3, &json!([{"text": service}]));
    assert_eq!(editor.diagnostics(&open, 3), Vec::<Value>::new());
    assert_eq!(editor.end(), 0);
}

#[test]
fn the_files_of_a_folder_have_the_findings_that_lint_prints_in_it() {
    let (folder, _, others) = folder();
    let broken = others.replace("type: Recreate", "type: RollingUpdate");
    fs::write(folder.path().join("sql.yaml"), &broken).unwrap();
    fs::remove_file(folder.path().join("service.yaml")).unwrap();
    let mut editor = Editor::in_folder(folder.path());
    let sql = uri(&folder, "sql.yaml");
    editor.open(&sql, &broken);
    let report: Value = serde_json::from_str(&lint(folder.path(), &["--format", "json"]).output).unwrap();
    let entry = |finding: &Value| {
        format!("{}: {}", finding["start"]["line"].as_u64().unwrap(), finding["rule"].as_str().unwrap())
    };
    let printed: Vec<String> = report["findings"].as_array().unwrap().iter().map(entry).collect();
    assert!(printed.len() > 1);
    assert_eq!(rules(&editor.diagnostics(&sql, 1)), printed);
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_closed_text_has_the_findings_of_its_file_as_long_as_another_is_open() {
    let (folder, service, others) = folder();
    let mut editor = Editor::in_folder(folder.path());
    let (other, sql) = (uri(&folder, "service.yaml"), uri(&folder, "sql.yaml"));
    editor.open(&other, &service);
    editor.open(&sql, &others.replace("type: Recreate", "type: RollingUpdate"));
    assert!(!editor.diagnostics(&sql, 1).is_empty());
    editor.close(&sql);
    assert!(editor.diagnostics_of_closed(&sql).is_empty(), "the file is right");
    fs::write(folder.path().join("sql.yaml"), others.replace("replicas: 1", "replicas: 3")).unwrap();
    changed(&mut editor);
    assert!(!editor.diagnostics_of_closed(&sql).is_empty(), "the file has changed");
    editor.close(&other);
    assert!(editor.diagnostics_of_closed(&sql).is_empty(), "nothing is open");
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_configuration_applies_as_soon_as_it_is_saved_and_a_mistake_is_shown() {
    let (folder, _, others) = folder();
    fs::remove_file(folder.path().join("service.yaml")).unwrap();
    let mut editor = Editor::in_folder(folder.path());
    let sql = uri(&folder, "sql.yaml");
    editor.open(&sql, &others);
    assert!(!editor.diagnostics(&sql, 1).is_empty());
    let config = folder.path().join("sqledge-ha.yaml");
    let write = |editor: &mut Editor, text: &str| {
        fs::write(&config, text).unwrap();
        changed(editor);
    };
    write(&mut editor, "policy: {rules: {load-balancer-service: off}}\n");
    assert_eq!(editor.diagnostics(&sql, 1), Vec::<Value>::new());
    write(&mut editor, "policy: {rules: {no-such-rule: off}}\n");
    let message = editor.notification("window/showMessage");
    let text = message["message"].as_str().unwrap();
    assert!(text.contains("no-such-rule") && text.contains("sqledge-ha.yaml:1:"), "{text}");
    // The settings before the mistake apply.
    editor.change(&sql, 2, &json!([{"text": others}]));
    assert_eq!(editor.diagnostics(&sql, 2), Vec::<Value>::new());
    write(&mut editor, "exclude: [other.yaml]\n");
    assert!(!editor.diagnostics(&sql, 2).is_empty());
    write(&mut editor, "exclude: [sql.yaml]\n");
    assert_eq!(editor.diagnostics_of_closed(&sql), Vec::<Value>::new());
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_mistake_in_an_open_configuration_is_shown_where_it_is() {
    let (folder, _, others) = folder();
    let mut editor = Editor::in_folder(folder.path());
    let config = uri(&folder, "sqledge-ha.yaml");
    let mut version = 1;
    editor.open(&config, "policy: {rules: {no-such-rule: off}}\n");
    let mut shown = |editor: &mut Editor, text: Option<&str>| {
        if let Some(text) = text {
            version += 1;
            editor.change(&config, version, &json!([{"text": text}]));
        }
        let diagnostics = editor.diagnostics(&config, version);
        let show = |diagnostic: &Value| {
            let place = |end: &str| {
                let place = &diagnostic["range"][end];
                format!("{}:{}", place["line"], place["character"])
            };
            format!("{}-{} {}", place("start"), place("end"), diagnostic["message"].as_str().unwrap())
        };
        diagnostics.iter().map(show).collect::<Vec<_>>().join("\n")
    };
    let unknown_rule = shown(&mut editor, None);
    assert!(unknown_rule.starts_with("0:17-0:29 unknown rule `no-such-rule`"), "{unknown_rule}");
    let date = shown(&mut editor, Some("ignore:\n- rules: [persistent-data]\n  until: 2027-02-30\n"));
    assert!(date.starts_with("2:9-2:19 "), "{date}");
    let syntax = shown(&mut editor, Some("policy: [\n"));
    assert!(!syntax.is_empty() && !syntax.contains("unknown"), "{syntax}");
    assert_eq!(shown(&mut editor, Some("policy: {mode: warn}\n")), "");
    // A manifest of that name is none.
    assert!(!shown(&mut editor, Some(&others)).contains("unknown key"));
    assert_eq!(editor.end(), 0);
}

#[test]
fn settings_name_a_configuration_and_a_part_of_an_application() {
    let (folder, _, others) = folder();
    fs::remove_file(folder.path().join("service.yaml")).unwrap();
    fs::create_dir(folder.path().join("ci")).unwrap();
    fs::write(folder.path().join("ci/own.yaml"), "policy: {rules: {load-balancer-service: off}}\n").unwrap();
    let severities = |options: Value| {
        let mut parameters = able(Some(folder.path()));
        parameters["initializationOptions"] = options;
        let mut editor = Editor::start(&parameters);
        // Other texts have the same settings, and no message about them.
        editor.open("untitled:1", &others);
        editor.open(&uri(&folder, ".hidden.yaml"), &others);
        let sql = uri(&folder, "sql.yaml");
        editor.open(&sql, &others);
        let diagnostics = editor.diagnostics(&sql, 1);
        let hover = json!({"textDocument": {"uri": sql}, "position": {"line": 0, "character": 0}});
        assert_eq!(editor.request("textDocument/hover", hover), Value::Null);
        assert!(!editor.has_got("window/showMessage"));
        assert_eq!(editor.end(), 0);
        diagnostics.iter().map(|diagnostic| diagnostic["severity"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(severities(json!({})), [1], "an error");
    assert_eq!(severities(json!({"partial": true})), [2], "a warning");
    assert_eq!(severities(json!({"config": "ci/own.yaml"})), [0; 0]);
}

#[test]
fn a_file_that_lint_would_not_find_is_checked_alone() {
    let (folder, service, others) = folder();
    fs::create_dir(folder.path().join(".hidden")).unwrap();
    let hidden = folder.path().join(".hidden/service.yaml");
    fs::write(&hidden, &service).unwrap();
    fs::remove_file(folder.path().join("service.yaml")).unwrap();
    let mut editor = Editor::in_folder(folder.path());
    editor.open(&uri_of(&hidden), &service);
    editor.diagnostics(&uri_of(&hidden), 1);
    let sql = uri(&folder, "sql.yaml");
    editor.open(&sql, &others);
    assert!(!editor.diagnostics(&sql, 1).is_empty(), "the Service is hidden");
    editor.close(&sql);
    assert!(editor.diagnostics_of_closed(&sql).is_empty(), "only the hidden file is open");
    // A file that does not exist yet belongs to the folder. It is opened first: the other one may be checked at once.
    let new = uri(&folder, "new.yaml");
    editor.open(&new, &service);
    editor.open(&sql, &others);
    assert!(editor.diagnostics(&sql, 1).is_empty());
    assert_eq!(editor.end(), 0);
}

#[test]
fn folders_can_be_added_removed_and_nested() {
    let (folder, service, others) = folder();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("sql.yaml");
    fs::write(&path, others.replace("replicas: 1", "replicas: 2")).unwrap();
    let mut editor = Editor::in_folder(folder.path());
    let outer = uri(&folder, "service.yaml");
    editor.open(&outer, &service);
    assert!(!editor.diagnostics_of_closed(&uri_of(&path)).is_empty(), "it belongs to the outer folder");
    let folders = |uri: &Path| json!([{"uri": uri_of(uri), "name": "inner"}]);
    let change = |editor: &mut Editor, added: Value, removed: Value| {
        let event = json!({"event": {"added": added, "removed": removed}});
        editor.notify("workspace/didChangeWorkspaceFolders", event);
    };
    change(&mut editor, folders(&inner), json!([]));
    assert!(editor.diagnostics_of_closed(&uri_of(&path)).is_empty(), "nothing of the inner folder is open");
    change(&mut editor, json!([]), folders(&inner));
    assert!(!editor.diagnostics_of_closed(&uri_of(&path)).is_empty());
    assert_eq!(editor.end(), 0);
}

#[test]
fn patches_and_templates_have_no_findings() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        uri_of(&path)
    };
    write("kustomization.yaml", "patches: [{path: patch.yaml}]\n");
    write("shop/Chart.yaml", "name: shop\n");
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: sql}\nspec: {template: {spec: {containers: \
                 [{name: sql, image: azure-sql-edge}]}}}\n";
    let template =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}}\nspec:\n{{ toYaml . }}\n";
    let patch_uri = write("patch.yaml", patch);
    let template_uri = write("shop/templates/sql.yaml", template);
    let mut editor = Editor::in_folder(folder.path());
    editor.open(&patch_uri, patch);
    assert_eq!(editor.diagnostics(&patch_uri, 1), Vec::<Value>::new());
    editor.open(&template_uri, template);
    assert_eq!(editor.diagnostics(&template_uri, 1), Vec::<Value>::new());
    let other = write("other.yaml", patch);
    editor.open(&other, patch);
    assert!(!editor.diagnostics(&other, 1).is_empty());
    assert_eq!(editor.end(), 0);
}
