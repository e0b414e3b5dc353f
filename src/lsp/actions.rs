//! Code actions: the fix of a finding, a comment that ignores it, and all safe fixes of a file.

use std::collections::HashMap;
use std::sync::Arc;

use gen_lsp_types::{
    CodeAction, CodeActionKind, Edit, OptionalVersionedTextDocumentIdentifier, Range, TextDocumentEdit,
    TextDocumentIdentifier, TextEdit, Uri, WorkspaceEdit,
};
use serde_json::{Value, json};

use super::buffer::Buffer;
use super::checked::Checked;
use super::diagnostics;
use super::options::{Capabilities, NAME};
use crate::fixer::{Replacement, SingleFix, safe_fixes};
use crate::linter::LocatedFinding;
use crate::quick_fix::QuickFix;

/// The kind of the action that applies all safe fixes.
pub(super) const FIX_ALL: &str = "source.fixAll.sqledge-ha";
/// The kind of the other actions.
const QUICK_FIX: &str = "quickfix";

/// The maximum number of findings in a range that have actions.
const MAX_FINDINGS: usize = 50;
/// The maximum number of bytes to read for the fixes at a position, which clients ask for whenever the cursor moves:
/// the size of the document of each finding. There are no actions for further findings.
const MAX_BYTES_OF_FIXES: usize = 4 << 20;
/// The same for all safe fixes, which a user asks for.
const MAX_BYTES_OF_ALL: usize = 32 << 20;

/// The code actions of an open text for the parameters of `textDocument/codeAction`.
pub(super) fn actions(checked: &Checked, parameters: &Value, capabilities: Capabilities) -> Vec<CodeAction> {
    let uri = parameters.pointer("/textDocument/uri").and_then(Value::as_str).unwrap_or_default();
    let Some((file, buffer)) = checked.open_file(uri) else { return Vec::new() };
    let requested = Requested::read(parameters);
    let mut actions = Vec::new();
    if requested.includes(QUICK_FIX) {
        let is_selected = |located: &&LocatedFinding| requested.selects(checked, located, capabilities);
        let findings: Vec<&LocatedFinding> = checked.findings(file).filter(is_selected).take(MAX_FINDINGS).collect();
        let fixes = SingleFix::in_application(&checked.result, file);
        for located in findings.iter().take(count_within(&findings, MAX_BYTES_OF_FIXES)) {
            let edits = Edits { buffer, capabilities };
            let fix = fixes.as_ref().and_then(|fixes| fix(fixes, located, &edits));
            let diagnostics = diagnostics::finding(checked, located, capabilities).map(|diagnostic| vec![diagnostic]);
            let both = fix.into_iter().chain(ignore(located, &edits));
            actions.extend(both.map(|action| CodeAction { diagnostics: diagnostics.clone(), ..action }));
        }
        // What an editor applies by itself comes first.
        actions.sort_by_key(|action| action.is_preferred != Some(true));
    }
    if requested.includes(FIX_ALL) && checked.findings(file).any(|located| located.finding.safe_edits().is_some()) {
        actions.push(fix_all(checked, file, buffer, capabilities));
    }
    actions
}

/// The action of `codeAction/resolve` with its edit; unchanged if the text is another one by now.
pub(super) fn resolve(checked: &Checked, mut action: Value, capabilities: Capabilities) -> Value {
    let (uri, version) = (action.pointer("/data/uri"), action.pointer("/data/version").and_then(Value::as_i64));
    let open = uri.and_then(Value::as_str).and_then(|uri| checked.open_file(uri));
    if let Some((file, buffer)) = open.filter(|(_, buffer)| version == Some(i64::from(buffer.version))) {
        let edit = all_safe_edits(checked, file, buffer, capabilities);
        if let (Some(edit), Some(fields)) = (edit, action.as_object_mut()) {
            fields.insert("edit".to_owned(), json!(edit));
        }
    }
    action
}

/// What a request asks for.
struct Requested {
    /// The kinds of actions; `None` for all.
    only: Option<Vec<String>>,
    range: Range,
    /// The rules and ranges of the diagnostics that the client shows there.
    diagnostics: Vec<(String, Range)>,
}

impl Requested {
    fn read(parameters: &Value) -> Self {
        let list = |path: &str| parameters.pointer(path).and_then(Value::as_array);
        let range = |value: Option<&Value>| value.and_then(|value| serde_json::from_value(value.clone()).ok());
        let own = list("/context/diagnostics")
            .into_iter()
            .flatten()
            .filter(|other| other.get("source").and_then(Value::as_str) == Some(NAME));
        let diagnostic = |value: &Value| Some((value.get("code")?.as_str()?.to_owned(), range(value.get("range"))?));
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Requested {
            only: list("/context/only").map(|kinds| kinds.iter().filter_map(text).collect()),
            range: range(parameters.get("range")).unwrap_or_default(),
            diagnostics: own.filter_map(diagnostic).collect(),
        }
    }

    /// Whether a kind, or one above it, is asked for.
    fn includes(&self, kind: &str) -> bool {
        let is_below = |above: &str| {
            kind.strip_prefix(above).is_some_and(|rest| above.is_empty() || rest.is_empty() || rest.starts_with('.'))
        };
        self.only.as_ref().is_none_or(|only| only.iter().any(|above| is_below(above)))
    }

    /// Whether a finding is in the range, or among the diagnostics.
    fn selects(&self, checked: &Checked, located: &LocatedFinding, capabilities: Capabilities) -> bool {
        let Some(range) = checked.range(located.file, &located.span, capabilities.encoding) else { return false };
        let is_shown = |(rule, other): &(String, Range)| *rule == located.finding.rule && *other == range;
        let touches = range.start <= self.range.end && self.range.start <= range.end;
        touches || self.diagnostics.iter().any(is_shown)
    }
}

/// How many of the findings can be fixed if this many bytes can be read.
fn count_within(findings: &[&LocatedFinding], maximum: usize) -> usize {
    let mut bytes = 0_usize;
    let is_within = |located: &&&LocatedFinding| {
        bytes = bytes.saturating_add(located.document_span.len());
        bytes <= maximum
    };
    findings.iter().take_while(is_within).count()
}

/// The action that fixes a finding; `None` if it has no fix, or one that cannot be applied.
fn fix(fixes: &SingleFix<'_>, located: &LocatedFinding, edits: &Edits<'_>) -> Option<CodeAction> {
    let fix = QuickFix::from_finding(fixes, located).ok()??;
    let is_safe = located.finding.safe_edits().is_some();
    Some(CodeAction { is_preferred: is_safe.then_some(true), ..quick_fix(fix, edits)? })
}

/// The action that adds a comment; `None` if the line cannot have one.
fn ignore(located: &LocatedFinding, edits: &Edits<'_>) -> Option<CodeAction> {
    quick_fix(QuickFix::ignore(&edits.buffer.text, located)?, edits)
}

/// The action for a fix; `None` if nothing changes.
fn quick_fix(fix: QuickFix, edits: &Edits<'_>) -> Option<CodeAction> {
    Some(CodeAction {
        title: fix.title,
        kind: Some(CodeActionKind::QuickFix),
        edit: Some(edits.workspace(&fix.replacements)?),
        ..CodeAction::default()
    })
}

/// The action that applies all safe fixes of a file. The edit takes longer than that of one fix, and clients ask for
/// actions whenever the cursor moves.
fn fix_all(checked: &Checked, file: usize, buffer: &Arc<Buffer>, capabilities: Capabilities) -> CodeAction {
    let data = json!({"uri": buffer.uri, "version": buffer.version});
    let edit = || all_safe_edits(checked, file, buffer, capabilities);
    CodeAction {
        title: format!("Fix all findings that have a safe fix ({NAME})"),
        kind: Some(CodeActionKind::from(FIX_ALL)),
        edit: if capabilities.resolves_edits { None } else { edit() },
        data: capabilities.resolves_edits.then_some(data),
        ..CodeAction::default()
    }
}

fn all_safe_edits(
    checked: &Checked,
    file: usize,
    buffer: &Arc<Buffer>,
    capabilities: Capabilities,
) -> Option<WorkspaceEdit> {
    let findings: Vec<&LocatedFinding> =
        checked.findings(file).filter(|located| located.finding.safe_edits().is_some()).collect();
    let is_possible = count_within(&findings, MAX_BYTES_OF_ALL) == findings.len();
    let replacements = if is_possible { safe_fixes(&checked.result, file) } else { Vec::new() };
    Edits { buffer, capabilities }.workspace(&replacements)
}

/// Makes edits of an open text.
struct Edits<'b> {
    buffer: &'b Arc<Buffer>,
    capabilities: Capabilities,
}

impl Edits<'_> {
    /// The edit of the client's workspace; `None` if nothing changes.
    fn workspace(&self, replacements: &[Replacement]) -> Option<WorkspaceEdit> {
        let Edits { buffer, capabilities } = self;
        let edit = |replacement: &Replacement| TextEdit {
            range: buffer.lines.range(&buffer.text, &replacement.range, capabilities.encoding),
            new_text: replacement.text.clone(),
        };
        let edits: Vec<TextEdit> = replacements.iter().map(edit).collect();
        if edits.is_empty() {
            return None;
        }
        let uri = Uri(buffer.uri.clone());
        if !capabilities.has_versioned_edits {
            return Some(WorkspaceEdit { changes: Some(HashMap::from([(uri, edits)])), ..WorkspaceEdit::default() });
        }
        let text_document = OptionalVersionedTextDocumentIdentifier {
            version: Some(buffer.version),
            text_document_identifier: TextDocumentIdentifier { uri },
        };
        let edits = edits.into_iter().map(Edit::TextEdit).collect();
        let change = TextDocumentEdit { text_document, edits };
        Some(WorkspaceEdit { document_changes: Some(vec![change.into()]), ..WorkspaceEdit::default() })
    }
}
