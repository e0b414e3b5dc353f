//! The language server: from an edit to the diagnostics for it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::conditions;
use crate::editor::{Editor, uri_of};

/// The number of edits.
const EDITS: i32 = 101;

/// Prints the table.
pub(crate) fn measure() {
    println!("language server: from didChange to publishDiagnostics, {EDITS} edits of one character");
    conditions::print();
    println!(
        "\n{:<44} {:>8} {:>12} {:>10} {:>10} {:>9}",
        "", "lines", "diagnostics", "median ms", "max ms", "peak MiB"
    );
    let example =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/examples/two-replicas-rolling.yaml"));
    let example = example.unwrap();
    for lines in [200, 5_000] {
        let copies = (lines / example.lines().count()).max(1);
        let text: String = (0..copies).map(|copy| format!("{}---\n", renamed(&example, copy))).collect();
        row(&format!("{copies} copies of an application, in one file"), &text, None);
    }
    row("one container with many variables", &one_document(&example, 5_000), None);
    for files in [1_000, 10_000] {
        let folder = tempfile::tempdir().unwrap();
        for file in 0..files {
            fs::write(folder.path().join(format!("{file}.yaml")), renamed(&example, file)).unwrap();
        }
        row(&format!("one of {files} files, all with a database"), &renamed(&example, 0), Some(folder.path()));
    }
}

/// The example as another application.
fn renamed(text: &str, number: usize) -> String {
    text.replace("till-sales", &format!("till-sales-{number}"))
}

/// The example with so many variables that it has this many lines.
fn one_document(example: &str, lines: usize) -> String {
    let (before, after) = example.split_once("            - name: MSSQL_PID\n").unwrap();
    let count = (lines - example.lines().count()) / 2;
    let variables =
        (0..count).map(|number| format!("            - name: OTHER_{number}\n              value: \"1\"\n"));
    format!("{before}{}            - name: MSSQL_PID\n{after}", variables.collect::<String>())
}

fn row(name: &str, text: &str, folder: Option<&Path>) {
    let folder_or = |file: &str| folder.unwrap_or(Path::new("/nowhere")).join(file);
    let uri = uri_of(&folder_or("0.yaml"));
    let mut editor = match folder {
        Some(folder) => Editor::in_folder(folder),
        None => Editor::alone(),
    };
    editor.open(&uri, text);
    let diagnostics = editor.diagnostics(&uri, 1).len();
    let mut times: Vec<Duration> = (0..EDITS).map(|edit| time(&mut editor, &uri, edit + 2)).collect();
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name:<44} {:>8} {diagnostics:>12} {:>10.1} {:>10.1} {:>9}",
        text.lines().count(),
        milliseconds(times[times.len() / 2]),
        milliseconds(times[times.len() - 1]),
        editor.peak()
    );
    assert_eq!(editor.end(), 0);
}

/// Adds a character to a comment at the start.
fn time(editor: &mut Editor, uri: &str, version: i32) -> Duration {
    let start = json!({"line": 0, "character": 0});
    let change: Value = json!([{"range": {"start": start, "end": start}, "text": "#"}]);
    let started = Instant::now();
    editor.change(uri, version, &change);
    editor.diagnostics(uri, version);
    started.elapsed()
}
