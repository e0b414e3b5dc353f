//! The language server, as an editor sees it.

mod actions;
mod documents;
pub(crate) mod editor;
pub(crate) mod hostile;
mod neovim;
mod protocol;
mod text;
mod vscode;
mod workspace;

use serde_json::Value;

use crate::ran::snapshots;

fn snapshot(name: &str, text: &str) {
    snapshots("snapshots/lsp").bind(|| insta::assert_snapshot!(name, text));
}

/// The rules of diagnostics, with their lines, from 1.
fn rules(diagnostics: &[Value]) -> Vec<String> {
    let line = |diagnostic: &Value| diagnostic["range"]["start"]["line"].as_u64().unwrap() + 1;
    let rule = |diagnostic: &Value| diagnostic["code"].as_str().unwrap_or("parse error").to_owned();
    diagnostics.iter().map(|diagnostic| format!("{}: {}", line(diagnostic), rule(diagnostic))).collect()
}
