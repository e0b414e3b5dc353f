//! One text: the editor shows what `lint` prints, at the right columns, after any edits.

use std::fs;
use std::path::Path;
use std::time::Instant;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sqledge_ha::linter::Level;
use sqledge_ha::manifest::Lines;
use sqledge_ha_policy::rules::RULES;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;

use super::editor::{Editor, SOON, uri_of};
use super::rules;
use super::text::{part, position, replacement};
use crate::corpus::cases;
use crate::prefilter::FRAGMENTS;
use crate::shared::{lint_file, manifests, real_manifests, root, text_of};

const URI: &str = "file:///nowhere/sql.yaml";

/// What `lint --partial` prints for a file: level, rule and text, and parse errors.
fn printed(path: &Path, text: &str) -> Vec<(u64, String, String)> {
    let result = lint_file(path, &Settings::default(), Scope::Part);
    let lines = Lines::new(text);
    let errors = result.errors.iter().map(|error| {
        let line = lines.position(error.error.byte).line as u64;
        (line, "error".to_owned(), error.error.message.clone())
    });
    let findings = result.findings.iter().map(|located| {
        let level = if located.level() == Level::Error { "error" } else { "warning" };
        let line = lines.position(located.span.start).line as u64;
        let shown = format!("{}: {}", located.finding.rule, &text[located.span.clone()]);
        (line, level.to_owned(), shown)
    });
    errors.chain(findings).collect()
}

/// The same from the diagnostics of an editor.
fn shown(diagnostics: &[Value], text: &str) -> Vec<(u64, String, String)> {
    let entry = |diagnostic: &Value| {
        let level = if diagnostic["severity"] == 1 { "error" } else { "warning" };
        let message = diagnostic["message"].as_str().unwrap();
        let shown = match diagnostic["code"].as_str() {
            Some(rule) => format!("{rule}: {}", part(text, &diagnostic["range"])),
            None => message.split("\nHelp: ").next().unwrap().to_owned(),
        };
        (diagnostic["range"]["start"]["line"].as_u64().unwrap() + 1, level.to_owned(), shown)
    };
    diagnostics.iter().map(entry).collect()
}

#[test]
fn an_editor_shows_what_lint_prints() {
    let corpus = RULES.iter().flat_map(|rule| ["pass", "fail"].map(|verdict| cases(rule.id, verdict))).flatten();
    let corpus = corpus.map(|case| case.directory.join(&case.file));
    let paths = manifests(&root().join("e2e/examples")).into_iter().chain(corpus).chain(real_manifests());
    let (mut editor, mut count) = (Editor::alone(), 0);
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        // Lines that end with CR only are one line for `lint`, and several for editors. The published manifests have
        // none.
        if text.replace("\r\n", "").contains('\r') {
            continue;
        }
        let uri = uri_of(&path);
        editor.open(&uri, &text);
        let diagnostics = editor.diagnostics(&uri, 1);
        assert_eq!(shown(&diagnostics, &text), printed(&path, &text), "{}", path.display());
        editor.close(&uri);
        count += diagnostics.len();
    }
    assert!(count > 200, "{count}");
    assert_eq!(editor.end(), 0);
}

#[test]
fn columns_are_right_behind_emoji_tabs_and_byte_order_marks() {
    let mut editor = Editor::alone();
    let pod =
        |image: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: sql}}\nspec: {{containers: [{image}]}}\n");
    for (version, text) in [
        pod("{name: \"\u{1F600}é\u{1F600}\", image: azure-sql-edge}"),
        pod("{name: \"\t\u{301}\u{FEFF}\", image: azure-sql-edge}").replace('\n', "\r\n"),
        format!("\u{FEFF}{}", pod("{name: sql, image: azure-sql-edge}")),
        format!("\u{FEFF}{}", pod("{name: sql, image: azure-sql-edge}").replace('\n', "\r")),
        format!("# \u{1F600}\r# é\n{}", pod("{name: sql, image: azure-sql-edge}")),
    ]
    .into_iter()
    .enumerate()
    {
        let uri = format!("untitled:{version}");
        editor.open(&uri, &text);
        let diagnostics = editor.diagnostics(&uri, 1);
        let image = diagnostics.iter().find(|diagnostic| diagnostic["code"] == "pinned-image").unwrap();
        assert_eq!(part(&text, &image["range"]), "azure-sql-edge", "{text:?}");
        let hover = json!({"textDocument": {"uri": uri}, "position": image["range"]["end"]});
        let hover = editor.request("textDocument/hover", hover);
        assert!(hover["contents"]["value"].as_str().unwrap().contains("pinned-image"), "{hover}");
    }
    assert_eq!(editor.end(), 0);
}

#[test]
fn after_any_edits_the_editor_shows_what_it_would_for_the_new_text() {
    let texts: Vec<String> = manifests(&root().join("e2e/examples"))
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .chain(["\r\u{1F600}\r\n\u{FEFF}é: \u{1F600}\n".to_owned()])
        .collect();
    let edit = (any::<Index>(), 0..40_usize, select(&FRAGMENTS[..]), any::<bool>());
    let edits = prop::collection::vec(prop::collection::vec(edit, 0..4), 1..8);
    let mut runner = TestRunner::new(Config { cases: 60, max_shrink_iters: 200, ..Config::default() });
    runner
        .run(&(select(texts), edits), |(mut text, edits)| {
            let mut editor = Editor::alone();
            editor.open(URI, &text);
            let mut version = 1;
            for changes in edits {
                let changes: Vec<Value> = changes
                    .into_iter()
                    .map(|(at, length, new, is_emoji)| {
                        let new = if is_emoji { "\u{1F600}" } else { new };
                        let boundaries: Vec<usize> =
                            text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
                        let first = at.index(boundaries.len());
                        let range = boundaries[first]..boundaries[(first + length).min(boundaries.len() - 1)];
                        // An editor never leaves the cursor between CR and LF.
                        let is_inside = |byte: usize| byte > 0 && text.as_bytes()[byte - 1..].starts_with(b"\r\n");
                        let range = if is_inside(range.start) || is_inside(range.end) { 0..0 } else { range };
                        let change = replacement(&text, range.clone(), new);
                        text.replace_range(range, new);
                        change
                    })
                    .collect();
                version += 1;
                editor.change(URI, version, &Value::from(changes));
            }
            let after_edits = Value::from(editor.diagnostics(URI, version)).to_string();
            let other = "file:///nowhere/other.yaml";
            editor.open(other, &text);
            let opened = Value::from(editor.diagnostics(other, 1)).to_string();
            prop_assert_eq!(after_edits, opened.replace(other, URI), "{:?}", text);
            prop_assert_eq!(editor.end(), 0);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_large_file_is_checked_while_the_user_types() {
    let text = text_of("e2e/examples/two-replicas-rolling.yaml");
    let text = format!("{text}---\n").repeat(5000 / text.lines().count() + 1);
    let mut editor = Editor::alone();
    editor.open(URI, &text);
    editor.diagnostics(URI, 1);
    // The time is measured by the benchmark; this only shows that it does not grow with each change.
    let started = Instant::now();
    for version in 2..200 {
        let at = position(&text, 0);
        editor.change(URI, version, &json!([{"range": {"start": at, "end": at}, "text": "#"}]));
    }
    assert!(rules(&editor.diagnostics(URI, 199)).len() > 100);
    assert!(started.elapsed() < SOON / 2, "{:?}", started.elapsed());
    assert_eq!(editor.end(), 0);
}
