//! `fix`: the fixed texts, the messages, and the lines that must not change.

use std::fs;
use std::iter::{once, zip};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use similar::{ChangeTag, TextDiff};
use sqledge_ha::manifest::{Document, read};
use sqledge_ha_policy::admission::review::validate;
use sqledge_ha_policy::json::cursor::keys;
use sqledge_ha_policy::kubernetes::group_of;
use sqledge_ha_policy::rules::RULES;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::index::ObjectIndex;

use crate::corpus::{Case, cases};
use crate::ran::{Ran, with_input};
use crate::shared::{folder, real_manifests, root};

/// Runs `sqledge-ha fix` in a directory, with `input` on standard input.
pub(crate) fn fix<A: AsRef<std::ffi::OsStr>>(directory: &Path, arguments: &[A], input: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    with_input(command.current_dir(directory).arg("fix").args(arguments), input)
}

/// A folder with one manifest that can be fixed.
fn folder_with_a_manifest() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sql.yaml");
    fs::write(&path, EXAMPLE).unwrap();
    (folder, path)
}

/// Two replicas, and an update that starts a third: one fix is safe, the other is not.
pub(crate) const EXAMPLE: &str = include_str!("examples/two-replicas-rolling.yaml");

#[test]
fn check_and_diff_change_nothing_and_fix_is_idempotent() {
    let (folder, path) = folder_with_a_manifest();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let diff = fix(folder.path(), &["--unsafe", "--diff"], "");
    assert_eq!(diff.code, 1);
    assert!(diff.output.starts_with("--- a/sql.yaml\n+++ b/sql.yaml\n@@ "), "{}", diff.output);
    assert_eq!(fix(folder.path(), &["--unsafe", "--check"], "").code, 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), EXAMPLE, "unchanged");

    let fixed = fix(folder.path(), &["--unsafe"], "");
    assert_eq!((fixed.code, fixed.output.as_str()), (0, ""), "{fixed:?}");
    assert!(fixed.stderr.starts_with("fixed: "), "{}", fixed.stderr);
    let text = fs::read_to_string(&path).unwrap();
    assert_ne!(text, EXAMPLE);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file");

    assert_eq!(fix(folder.path(), &["--unsafe", "--check"], "").code, 0);
    let again = fix(folder.path(), &["--unsafe"], "");
    assert_eq!((again.code, fs::read_to_string(&path).unwrap()), (0, text));
}

#[test]
fn standard_input_goes_to_standard_output() {
    let fixed = fix(root(), &["--unsafe", "-"], EXAMPLE);
    let last = "            claimName: till-sales\n";
    let expected = EXAMPLE.replacen("replicas: 2", "replicas: 1", 1).replacen(
        last,
        &format!("{last}  strategy:\n    type: Recreate\n"),
        1,
    );
    assert_eq!((fixed.code, fixed.output), (0, expected.clone()));
    let again = fix(root(), &["--unsafe", "-"], &expected);
    assert_eq!((again.code, again.output), (0, expected));
}

#[test]
fn unsafe_fixes_need_a_flag() {
    let (folder, path) = folder_with_a_manifest();
    let ran = fix(folder.path(), &["sql.yaml"], "");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("not fixed: sql.yaml:18:13: single-replica: the fix is unsafe"), "{}", ran.stderr);
    assert!(fs::read_to_string(&path).unwrap().contains("replicas: 2"));
}

/// Two applications: a fix adds lines to the first one, and the second one has an unused ignore comment.
fn two_applications() -> String {
    let other = EXAMPLE.replace("till-sales", "till-orders");
    let other = other.replacen("replicas: 2\n", "replicas: 2 # sqledge-ha: ignore[linux-node]\n", 1);
    format!("{EXAMPLE}---\n{other}")
}

#[test]
fn locations_are_those_in_the_final_text() {
    let (folder, path) = folder_with_a_manifest();
    fs::write(&path, two_applications()).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(&path, elsewhere.path().join("sql.yaml")).unwrap();
    let check = |directory: &Path, flags: &[&str], line: usize| {
        let ran = fix(directory, flags, "");
        let left = format!("not fixed: sql.yaml:{line}:13: single-replica: ");
        let note = format!("note: unused ignore comment: sql.yaml:{line}:15\n");
        assert!(ran.stderr.contains(&left) && ran.stderr.contains(&note), "{flags:?}: {}", ran.stderr);
    };
    check(folder.path(), &["--check"], 94);
    check(folder.path(), &["--diff"], 94);
    check(elsewhere.path(), &["."], 94);
    check(folder.path(), &["."], 96);
    check(folder.path(), &["--check"], 96);
}

#[test]
fn values_from_an_alias_are_not_fixed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sql.yaml");
    let shared = "kind: Deployment\nx-shared: &shared {type: RollingUpdate}\n";
    let text = EXAMPLE.replacen("kind: Deployment\n", shared, 1).replacen(
        "spec:\n  replicas: 2\n",
        "spec:\n  strategy: *shared\n",
        1,
    );
    fs::write(&path, &text).unwrap();
    let ran = fix(folder.path(), &["sql.yaml"], "");
    assert_eq!(ran.code, 1);
    let message = "not fixed: sql.yaml:15:26: recreate-strategy: ";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn links_to_files_outside_of_the_given_paths_are_not_followed() {
    let (outside, path) = folder_with_a_manifest();
    let inside = tempfile::tempdir().unwrap();
    symlink(&path, inside.path().join("link.yaml")).unwrap();
    let ran = fix(inside.path(), &["."], "");
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(
        ran.stderr.contains("link.yaml: not fixed: the symbolic link points outside of the given paths"),
        "{}",
        ran.stderr
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), EXAMPLE);
    // A link to a file inside stays a link.
    symlink("sql.yaml", outside.path().join("link.yaml")).unwrap();
    assert_eq!(fix(outside.path(), &["--unsafe"], "").code, 0);
    assert!(fs::symlink_metadata(outside.path().join("link.yaml")).unwrap().is_symlink());
    assert_ne!(fs::read_to_string(&path).unwrap(), EXAMPLE);
}

#[test]
fn unreadable_files_do_not_keep_others_from_being_fixed() {
    let (folder, path) = folder_with_a_manifest();
    fs::write(folder.path().join("broken.yaml"), "kind: [1\n").unwrap();
    let ran = fix(folder.path(), &["--unsafe"], "");
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stderr.contains("broken.yaml"), "{}", ran.stderr);
    assert_ne!(fs::read_to_string(&path).unwrap(), EXAMPLE);
}

/// Every document of a text.
fn documents(text: &str) -> Vec<Document> {
    read(text).into_iter().filter_map(Result::ok).collect()
}

/// Every value of a text.
fn values(text: &str) -> Vec<Value> {
    documents(text).into_iter().map(|document| document.value).collect()
}

/// Flags for a whole application on standard input.
const ALONE: &[&str] = &["--engine", "all", "-"];
/// Flags for a part of an application on standard input.
const PARTIAL: &[&str] = &["--engine", "all", "--partial", "-"];

/// The findings of `lint` that have a safe fix.
fn findings_with_a_safe_fix(flags: &[&str], text: &str) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    let ran = with_input(command.args(["lint", "--format", "json"]).args(flags), text);
    let report: Value = serde_json::from_str(&ran.output).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.filter(|finding| finding["fix"]["safety"] == "safe").cloned().collect()
}

/// Whether a finding is on a line, counted from 0.
fn names_line(finding: &Value, line: usize) -> bool {
    let number = |end: &str| finding[end]["line"].as_u64().unwrap();
    (number("start")..=number("end")).contains(&(line as u64 + 1))
}

/// Every key and every scalar of a value, without nulls.
fn words(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Object(members) => {
            members.iter().flat_map(|(key, value)| once(Value::from(key.as_str())).chain(words(value))).collect()
        }
        Value::Array(items) => items.iter().flat_map(words).collect(),
        scalar => vec![scalar.clone()],
    }
}

/// Whether a line has only words from the edits of a finding.
fn is_from_edits(line: &str, finding: &Value) -> bool {
    let edits = finding["fix"]["edits"].as_array().unwrap().iter();
    let edited: Vec<Value> = edits
        .flat_map(|edit| keys(edit["pointer"].as_str().unwrap()).map(Value::from).chain(words(&edit["value"])))
        .collect();
    let words_of_line: Vec<Value> = values(line.trim()).iter().flat_map(words).collect();
    !words_of_line.is_empty() && words_of_line.iter().all(|word| edited.contains(word))
}

#[test]
fn only_lines_with_findings_change_in_published_manifests() {
    for (path, flags) in real_manifests().flat_map(|path| [(path.clone(), ALONE), (path, PARTIAL)]) {
        let before = fs::read_to_string(&path).unwrap();
        let after = fix(Path::new("."), flags, &before).output;
        let (findings, documents) = (findings_with_a_safe_fix(flags, &before), documents(&after));
        let changes = TextDiff::from_lines(&before, &after);
        let mut at = 0;
        for change in changes.iter_all_changes() {
            let context = || format!("{}: {change}{findings:#?}", path.display());
            match change.tag() {
                ChangeTag::Equal => {}
                ChangeTag::Delete => {
                    let line = change.old_index().unwrap();
                    assert!(findings.iter().any(|finding| names_line(finding, line)), "{}", context());
                }
                ChangeTag::Insert => {
                    let document = documents.iter().find(|document| document.span().contains(&at)).unwrap();
                    let mut here = findings.iter().filter(|finding| finding["document"] == document.index);
                    assert!(here.any(|finding| is_from_edits(change.value(), finding)), "{}", context());
                }
            }
            if change.tag() != ChangeTag::Delete {
                at += change.value().len();
            }
        }
        let shown = fix(Path::new("."), &[flags, &["--diff"][..]].concat(), &before).output;
        let diff = changes.unified_diff().header("a/<stdin>", "b/<stdin>").to_string();
        assert_eq!(shown, diff, "{}: the diff differs from the written text", path.display());
    }
}

/// The keys whose values fixes replace or remove.
const REPLACED: [&str; 8] = [
    "maxSurge",
    "maxUnavailable",
    "readOnly",
    "replicas",
    "rollingUpdate",
    "targetPort",
    "terminationGracePeriodSeconds",
    "type",
];

/// Findings that result from unsafe fixes are fixed as well, so not every change belongs to a finding of `lint`.
#[test]
fn unsafe_fixes_remove_only_replaced_lines_in_published_manifests() {
    for path in real_manifests() {
        let before = fs::read_to_string(&path).unwrap();
        let flags = [PARTIAL, &["--unsafe"][..]].concat();
        let fixed = fix(Path::new("."), &flags, &before);
        assert!(!fixed.stderr.contains("YAML"), "{}: {}", path.display(), fixed.stderr);
        assert_eq!(fix(Path::new("."), &flags, &fixed.output).output, fixed.output, "{}", path.display());
        let changes = TextDiff::from_lines(&before, &fixed.output);
        for change in changes.iter_all_changes().filter(|change| change.tag() == ChangeTag::Delete) {
            let line = change.value().trim();
            let Some((key, value)) = line.split_once(':') else {
                assert!(line.contains("ReadWrite"), "{}: no access mode: {line}", path.display());
                continue;
            };
            let is_filled = value.trim() == "{}";
            assert!(is_filled || REPLACED.contains(&key), "{}: {}", path.display(), change.value());
        }
    }
}

/// The object as admission mutates it, with all other objects known. Rules that reject are set to warn, because `fix`
/// fixes the findings of the other rules anyway.
fn mutated(object: &Value, all: &[Value]) -> Value {
    let group = group_of(object["apiVersion"].as_str().unwrap());
    let kind = json!({"group": group, "version": "v1", "kind": object["kind"]});
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
    let request = json!({"uid": "u", "kind": kind, "operation": "CREATE", "namespace": namespace, "object": object});
    let mut rules = Map::new();
    loop {
        let settings = json!({"engines": ["sql-edge", "sql-server"], "rules": rules});
        let payload = json!({"request": request, "settings": settings}).to_string();
        let verdict = validate(payload.as_bytes(), &ObjectIndex::new(Scope::Application, all));
        if verdict.allowed {
            return verdict.mutated_object.unwrap_or_else(|| object.clone());
        }
        let rejected = verdict.audit_annotations.iter().find(|(key, _)| *key == "rejected");
        for rule in rejected.unwrap_or_else(|| panic!("{verdict:?}")).1.split(',') {
            assert!(rules.insert(rule.to_owned(), json!("warn")).is_none(), "{rule} still rejects: {verdict:?}");
        }
    }
}

#[test]
fn fix_and_admission_change_published_manifests_in_the_same_way() {
    let mut compared = 0;
    for path in real_manifests() {
        let text = fs::read_to_string(&path).unwrap();
        let before = values(&text);
        let after = values(&fix(Path::new("."), ALONE, &text).output);
        assert_eq!(before.len(), after.len(), "{}", path.display());
        for (object, after) in zip(&before, &after) {
            assert_eq!(*after, mutated(object, &before), "{}", path.display());
            compared += 1;
        }
    }
    assert!(compared > 100 || folder("wild").is_none(), "{compared}");
}

/// The fixed text of a manifest in the corpus. It must have safe or unsafe fixes, not both, so that the text shows what
/// either does.
fn corpus_fixed(case: &Case, text: &str) -> String {
    let fixed = |more: &[&str]| {
        let flags: Vec<&str> = case.flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let ran = fix(&case.directory, &flags, text);
        assert_eq!(fix(&case.directory, &flags, &ran.output).output, ran.output, "{} changes again", case.file);
        ran.output
    };
    let (safe, all) = (fixed(&["-"]), fixed(&["--unsafe", "-"]));
    assert!(safe == text || safe == all, "{} has safe and unsafe fixes: split it", case.file);
    all
}

#[test]
fn the_corpus_is_fixed_byte_for_byte() {
    let update = std::env::var_os("UPDATE_GENERATED").is_some();
    for rule in RULES {
        for case in cases(rule.id, "fail") {
            let before = fs::read_to_string(case.directory.join(&case.file)).unwrap();
            let path = case.directory.join(case.file.replace("fail/", "fixed/"));
            let after = corpus_fixed(&case, &before);
            if after == before {
                assert!(!path.exists(), "{} has no fix anymore", path.display());
                continue;
            }
            if update {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &after).unwrap();
            }
            let held = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(held, after, "{} is stale: run `make generate`", path.display());
        }
        for case in cases(rule.id, "fixed") {
            let path = case.directory.join(case.file.replace("fixed/", "fail/"));
            assert!(path.exists(), "{}/{} has no manifest in `fail` anymore: remove it", rule.id, case.file);
        }
    }
}

#[test]
fn pipes_are_not_written_back() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.yaml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, EXAMPLE).unwrap()
    });
    let ran = fix(folder.path(), &["pipe.yaml"], "");
    writer.join().unwrap();
    assert_eq!(ran.code, 4, "{ran:?}");
    let message = "pipe.yaml: not fixed: a pipe or device cannot be written back";
    assert!(ran.stderr.contains(message) && ran.stderr.contains("fixed: 0 findings in 0 files"), "{}", ran.stderr);
}
