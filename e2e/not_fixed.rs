//! `fix` with errors: messages, exit codes, and unchanged files.

mod claims;
mod files;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fix::{EXAMPLE, fix};
use crate::ran::{Ran, snapshots, with_input};
use crate::shared::objects;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sqledge-ha");

/// A folder with files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn content(folder: &TempDir, name: &str) -> Vec<u8> {
    fs::read(folder.path().join(name)).unwrap()
}

fn names(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// The manifest after `fix --unsafe` without errors.
fn fixed(text: &str) -> String {
    fix(Path::new("."), &["--unsafe", "-"], text).output
}

fn snapshot(name: &str, text: &str) {
    snapshots("snapshots/not_fixed").bind(|| insta::assert_snapshot!(name, text));
}

/// The messages and the exit code.
fn shown(ran: &Ran) -> String {
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    format!("{}[exit code {}]\n", ran.stderr, ran.code)
}

/// Runs `--check` and `--diff`, which change nothing and print the same messages, and then fixes the folder. Returns
/// the messages.
fn check_diff_and_fix(folder: &TempDir, code: i32) -> String {
    let contents = || names(folder).iter().map(|name| content(folder, name)).collect::<Vec<_>>();
    let before = contents();
    let [check, diff] = ["--check", "--diff"].map(|flag| fix(folder.path(), &["--unsafe", flag], ""));
    assert!(contents() == before, "--check or --diff changed something");
    assert_eq!((check.code, diff.code, &check.stderr), (code, code, &diff.stderr));
    let fixed = fix(folder.path(), &["--unsafe"], "");
    assert_eq!(fixed.code, code, "{fixed:?}");
    format!("$ sqledge-ha fix --unsafe --check\n{}\n$ sqledge-ha fix --unsafe\n{}", shown(&check), shown(&fixed))
}

/// Fixes a folder with a broken file and one that can be fixed.
fn beside_a_broken_file(name: &str, bytes: &[u8]) {
    let folder = folder(&[(name, bytes), ("sql.yaml", EXAMPLE.as_bytes())]);
    let messages = check_diff_and_fix(&folder, 4);
    assert!(content(&folder, name) == bytes, "{name} changed");
    assert_eq!(content(&folder, "sql.yaml"), fixed(EXAMPLE).as_bytes(), "beside {name}");
    assert_eq!(names(&folder).len(), 2, "no temporary file");
    snapshot(name.split_once('.').unwrap().0, &messages);
}

#[test]
fn files_with_parse_errors_stay_and_the_others_are_fixed() {
    let wide: Vec<u8> = format!("\u{feff}{EXAMPLE}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    beside_a_broken_file("half-in-flow.yaml", b"kind: [1\n");
    beside_a_broken_file("latin-1.yaml", &[EXAMPLE.as_bytes(), b"# caf\xe9\n"].concat());
    beside_a_broken_file("utf-16.yaml", &wide);
    beside_a_broken_file(
        "template.yaml",
        EXAMPLE.replace("replicas: 2", "replicas: {{ .Values.replicas }}").as_bytes(),
    );
    beside_a_broken_file("twice.yaml", EXAMPLE.replace("replicas: 2", "replicas: 2\n  replicas: 1").as_bytes());
}

#[test]
fn hostile_files_stay_and_the_others_are_fixed() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    beside_a_broken_file("deep.yaml", EXAMPLE.replace("replicas: 2", &format!("replicas: {deep}")).as_bytes());
    let levels = (1..12).map(|level| {
        let again = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("x{level}: &a{level} [{again}]\n")
    });
    let bomb = format!("x0: &a0 [x, x, x, x, x, x, x, x, x]\n{}kind: Deployment\n", levels.collect::<String>());
    beside_a_broken_file("alias-bomb.yaml", EXAMPLE.replace("kind: Deployment\n", &bomb).as_bytes());
    beside_a_broken_file(
        "endless-quotes.yaml",
        format!("kind: Pod\nimage: \"{}", "azure-sql-edge ".repeat(1_400_000)).as_bytes(),
    );
}

#[test]
fn documents_next_to_a_broken_one_are_fixed() {
    let broken = "---\nkind: [\n  # sql\n";
    let folder = folder(&[("sql.yaml", format!("{EXAMPLE}{broken}").as_bytes())]);
    let messages = check_diff_and_fix(&folder, 4);
    assert_eq!(String::from_utf8(content(&folder, "sql.yaml")).unwrap(), fixed(EXAMPLE) + broken);
    snapshot("a-broken-document", &messages);
}

#[test]
fn empty_files_stay_empty() {
    for (name, text) in [
        ("empty", ""),
        ("only-comments", "# nothing here\n---\n# nor here"),
        ("only-a-byte-order-mark", "\u{feff}"),
        ("only-line-ends", "\r\n\r\n"),
    ] {
        let folder = folder(&[("sql.yaml", text.as_bytes())]);
        let messages = check_diff_and_fix(&folder, 3);
        assert_eq!(content(&folder, "sql.yaml"), text.as_bytes(), "{name}");
        snapshot("nothing", &messages);
        let through = fix(folder.path(), &["-"], text);
        assert_eq!((through.code, through.output.as_str()), (3, text));
    }
}

/// Manifests with a shared value that a fix would change.
fn shared() -> [(&'static str, String); 4] {
    let with = |shared: &str, spec: &str| {
        let text = EXAMPLE.replacen("kind: Deployment\n", &format!("kind: Deployment\n{shared}"), 1);
        text.replacen("spec:\n  replicas: 2\n", &format!("spec:\n{spec}"), 1)
    };
    let selected = with("x-shared: &shared {disktype: ssd}\n", "  strategy: {type: Recreate}\n");
    let selected =
        selected.replacen("nodeSelector:\n        kubernetes.io/arch: amd64\n", "nodeSelector: *shared\n", 1);
    [
        ("an-alias", with("x-shared: &shared {type: RollingUpdate}\n", "  strategy: *shared\n")),
        ("an-alias-that-lacks-a-key", selected),
        ("an-anchor", with("", "  strategy: &shared {type: RollingUpdate}\n  x-other: *shared\n")),
        ("a-merge-key", with("x-shared: &shared\n  strategy: {type: RollingUpdate}\n", "  <<: *shared\n")),
    ]
}

#[test]
fn shared_values_are_not_fixed_and_are_located() {
    for (name, text) in shared() {
        let folder = folder(&[("sql.yaml", text.as_bytes())]);
        snapshot(name, &check_diff_and_fix(&folder, 1));
        assert_eq!(String::from_utf8(content(&folder, "sql.yaml")).unwrap(), text, "{name}");
    }
}

/// The same text with other line endings, byte order marks and ends.
const ENCODINGS: [fn(&str) -> String; 4] = [
    |text| text.replace('\n', "\r\n"),
    |text| format!("\u{feff}{text}"),
    |text| text.trim_end().to_owned(),
    |text| format!("\u{feff}{}", text.trim_end().replace('\n', "\r\n")),
];

#[test]
fn line_endings_byte_order_marks_and_missing_last_line_endings_stay() {
    for encode in ENCODINGS {
        let folder = folder(&[("sql.yaml", encode(EXAMPLE).as_bytes())]);
        assert_eq!(fix(folder.path(), &["--unsafe"], "").code, 0);
        let after = String::from_utf8(content(&folder, "sql.yaml")).unwrap();
        assert_eq!(after, encode(&fixed(EXAMPLE)));
        assert_eq!(fix(folder.path(), &["--unsafe", "--check"], "").code, 0);
    }
}

#[test]
fn git_can_apply_the_diff() {
    for text in ENCODINGS.iter().map(|encode| encode(EXAMPLE)).chain([EXAMPLE.to_owned()]) {
        let folder = folder(&[("sql.yaml", text.as_bytes())]);
        let diff = fix(folder.path(), &["--unsafe", "--diff"], "");
        let mut git = Command::new("git");
        let applied = with_input(git.current_dir(folder.path()).args(["apply", "-"]), &diff.output);
        assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{}", diff.output);
        assert_eq!(String::from_utf8(content(&folder, "sql.yaml")).unwrap(), fixed(&text));
    }
}

#[test]
fn a_line_of_twenty_megabytes_stays() {
    let words = "sql ".repeat(5_000_000);
    let with = |text: &str, replicas: &str| text.replacen(replicas, &format!("{replicas}  x-long: {words}\n"), 1);
    let folder = folder(&[("sql.yaml", with(EXAMPLE, "  replicas: 2\n").as_bytes())]);
    assert_eq!(fix(folder.path(), &["--unsafe"], "").code, 0);
    assert!(content(&folder, "sql.yaml") == with(&fixed(EXAMPLE), "  replicas: 1\n").as_bytes());
}

/// The documents of a text as a List on one line.
fn in_one_line(text: &str, words: &str) -> String {
    json!({"apiVersion": "v1", "kind": "List", "x-long": words, "items": objects(text)}).to_string()
}

#[test]
fn a_file_with_one_line_of_twenty_megabytes_is_fixed() {
    let words = "sql ".repeat(5_000_000);
    let folder = folder(&[("sql.json", in_one_line(EXAMPLE, &words).as_bytes())]);
    assert_eq!(fix(folder.path(), &["--unsafe"], "").code, 0);
    let after: Value = serde_json::from_slice(&content(&folder, "sql.json")).unwrap();
    assert!(after == serde_json::from_str::<Value>(&in_one_line(&fixed(EXAMPLE), &words)).unwrap());
}

#[test]
fn other_bytes_stay_the_same() {
    let unread = "---\nkind: ConfigMap\ndata: {a: \"\u{7f}\u{1b}[31m\u{b}\"}\n";
    let text = format!("{EXAMPLE}{unread}");
    assert_eq!(fixed(&text), fixed(EXAMPLE) + unread);
}

#[test]
fn control_characters_are_escaped_in_a_diff_on_a_terminal() {
    let unread = "---\nkind: ConfigMap\ndata: {a: \"\u{1b}]0;owned\u{7}\u{202e}\"}\n";
    let (before, after) = EXAMPLE.split_at(EXAMPLE.rfind("---\n").unwrap());
    let folder = folder(&[("sql.yaml", format!("{before}{unread}{after}").as_bytes())]);
    let command = format!("{PROGRAM} fix --diff 2>/dev/null");
    let mut terminal = Command::new("script");
    let ran = with_input(terminal.current_dir(folder.path()).args(["-qec", &command, "/dev/null"]), "");
    assert!(ran.output.contains("data: {a: \"\u{fffd}]0;owned\u{fffd}\u{fffd}\"}"), "{:?}", ran.output);
    let piped = fix(folder.path(), &["--diff"], "");
    assert!(piped.output.contains("data: {a: \"\u{1b}]0;owned\u{7}\u{202e}\"}"), "{:?}", piped.output);
}
