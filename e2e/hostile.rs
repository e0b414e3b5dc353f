//! Invalid and malicious input: the result is a documented exit code and a message without secrets and control
//! sequences.

mod flags;
mod names;
mod paths;
mod pipes;
mod secrets;
mod shapes;
mod texts;

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::corpus::lint;
use crate::lsp::hostile::shown_for;
use crate::ran::{self, Ran, snapshots};
use crate::shared::text_of;

/// The prefix of every literal password in the corpus and in these tests.
const SECRET: &str = "Secret-of-";

/// The example without findings.
fn right() -> String {
    text_of("e2e/examples/right.yaml")
}

/// Runs the command and checks that its exit code is documented and its output is safe for a terminal.
fn run(directory: &Path, arguments: &[&str]) -> Ran {
    let ran = lint(directory, arguments);
    assert!((0..=4).contains(&ran.code), "exit code {}\n{}{}", ran.code, ran.output, ran.stderr);
    let is_json = arguments.contains(&"json");
    for text in [&ran.output, &ran.stderr] {
        let is_bad = |character: char| if is_json { character.is_ascii_control() } else { commands(character) };
        let control = text.chars().find(|character| is_bad(*character) && *character != '\n');
        assert_eq!(control, None, "{arguments:?}\n{text:?}");
        assert!(!text.contains("panicked"), "{text}");
    }
    ran
}

/// Whether a character can control a terminal or change the order of the text.
fn commands(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The output without the path of the temporary directory.
fn shown(directory: &Path, ran: &Ran) -> String {
    ran::shown(ran).replace(&*directory.to_string_lossy(), "[directory]")
}

fn snapshot(name: &str, text: &str) {
    snapshots("snapshots/hostile").bind(|| insta::assert_snapshot!(name, text));
}

/// Lints one file with these bytes, as text and JSON, and compares the output with a snapshot. Opens it in an editor,
/// too.
fn file(name: &str, bytes: impl AsRef<[u8]>, code: i32) {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join(name), &bytes).unwrap();
    let in_editor = std::str::from_utf8(bytes.as_ref()).map(shown_for).unwrap_or_default();
    assert!(!in_editor.contains(SECRET) && !in_editor.contains(commands), "{in_editor}");
    let ran = run(directory.path(), &[name]);
    assert_eq!(ran.code, code, "{}", ran.output);
    let machine = run(directory.path(), &["--format", "json", name]);
    assert_eq!(machine.code, code, "{}", machine.output);
    let report: Value = serde_json::from_str(&machine.output).expect("the report is JSON");
    assert_eq!(report["errors"].as_array().unwrap().is_empty(), code != 4, "{report:#}");
    for output in [&ran.output, &machine.output] {
        assert!(!output.contains(SECRET), "a secret is shown:\n{output}");
    }
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    snapshot(stem, &shown(directory.path(), &ran));
}
