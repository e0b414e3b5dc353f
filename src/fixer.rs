//! Fixes manifests: makes the edits of findings in the texts.

mod claims;
mod single_fix;

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;
use sqledge_ha_policy::finding::{Fix, Safety};

use self::claims::Claims;
pub use self::single_fix::{Replacement, SingleFix};
use crate::linter::{LintResult, LintedFile, LocatedFinding, lint_texts};
use crate::manifest::{EditError, edit, yaml};
use crate::prefilter::Prefilter;
use crate::rendered::Rendered;

/// What happened to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixOutcome {
    /// Its edits are made.
    Applied,
    /// Its edits cannot be made in this text.
    Failed(EditError),
    /// Its edits are unsafe: they can move or delete data.
    NeedsUnsafe,
    /// It has no edits.
    NoFix,
}

/// The result of fixing.
#[derive(Debug)]
pub struct FixResult {
    /// The fixed files, checked again.
    pub result: LintResult,
    /// What happened to each finding in `result`.
    pub outcomes: Vec<FixOutcome>,
    /// The number of fixed findings in each file.
    pub fixed: Vec<usize>,
}

/// The maximum number of passes. A second one is needed for claims that the first one adds: they need an owner.
const MAX_PASSES: usize = 4;

/// Makes all safe edits; with `unsafe_too`, also the unsafe ones. Findings that result from the edits are fixed in turn, so
/// that a second run changes nothing. `result` must have the texts of all files ([`Prefilter::with_texts`]).
pub fn fix(result: &LintResult, prefilter: &Prefilter<'_>, partial: bool, unsafe_too: bool) -> FixResult {
    let check = |texts| {
        let mut checked = lint_texts(texts, prefilter, partial);
        if result.ignored.is_some() {
            checked.apply_ignores();
        }
        checked
    };
    let mut fixed = vec![0; result.files.len()];
    let mut claims = if unsafe_too { Claims::in_files(&result.files) } else { Claims::default() };
    let (mut texts, mut outcomes) = apply_fixes(result, unsafe_too, &mut claims);
    count_fixed(result, &outcomes, &mut fixed);
    let mut checked = check(texts);
    for pass in 1.. {
        (texts, outcomes) = apply_fixes(&checked, unsafe_too, &mut claims);
        if pass == MAX_PASSES || !outcomes.contains(&FixOutcome::Applied) {
            break;
        }
        count_fixed(&checked, &outcomes, &mut fixed);
        checked = check(texts);
    }
    for (after, before) in checked.files.iter_mut().zip(&result.files) {
        after.path.clone_from(&before.path);
        after.rendered = before.rendered.as_ref().and_then(|_| Rendered::from_stream(&after.text));
    }
    FixResult { result: checked, outcomes, fixed }
}

fn count_fixed(result: &LintResult, outcomes: &[FixOutcome], fixed: &mut [usize]) {
    for (located, _) in result.findings.iter().zip(outcomes).filter(|(_, outcome)| **outcome == FixOutcome::Applied) {
        fixed.get_mut(located.file).into_iter().for_each(|count| *count += 1);
    }
}

/// One pass: the texts with all edits, and what happened to each finding.
fn apply_fixes(result: &LintResult, unsafe_too: bool, claims: &mut Claims) -> (Vec<(String, String)>, Vec<FixOutcome>) {
    let mut texts: Vec<(String, String)> =
        result.files.iter().map(|file| (file.name.clone(), file.text.clone())).collect();
    let mut outcomes = Vec::with_capacity(result.findings.len());
    for findings in result.findings.chunk_by(|one, other| one.file == other.file) {
        let index = findings.first().map_or(0, |located| located.file);
        let Some((file, (_, text))) = result.files.get(index).zip(texts.get_mut(index)) else { continue };
        let mut edited = EditedText::new(file);
        outcomes.extend(findings.iter().map(|located| edited.apply(located, unsafe_too, claims)));
        *text = edited.text();
    }
    (texts, outcomes)
}

/// A text and the edited documents in it.
struct EditedText<'f> {
    file: &'f LintedFile,
    /// The new text of each edited document span, by its start.
    edited: BTreeMap<usize, (Range<usize>, String)>,
    added: Vec<Value>,
}

impl<'f> EditedText<'f> {
    fn new(file: &'f LintedFile) -> Self {
        EditedText { file, edited: BTreeMap::new(), added: Vec::new() }
    }

    fn apply(&mut self, located: &LocatedFinding, unsafe_too: bool, claims: &mut Claims) -> FixOutcome {
        let Some(fix) = &located.finding.fix else { return FixOutcome::NoFix };
        if fix.safety == Safety::Unsafe && !unsafe_too {
            return FixOutcome::NeedsUnsafe;
        }
        match self.edit(located.document_span.clone(), fix, claims) {
            Ok(()) => FixOutcome::Applied,
            Err(error) => FixOutcome::Failed(error),
        }
    }

    fn edit(&mut self, span: Range<usize>, fix: &Fix, claims: &mut Claims) -> Result<(), EditError> {
        if fix.documents.iter().any(|document| claims.contains(document)) {
            return Err(EditError::ClaimExists);
        }
        let text = match self.edited.get(&span.start) {
            Some((_, text)) => text,
            None => self.file.text.get(span.clone()).unwrap_or_default(),
        };
        let text = edited(text, fix)?;
        self.edited.insert(span.start, (span, text));
        for document in &fix.documents {
            claims.add(document);
            self.added.push(document.clone());
        }
        Ok(())
    }

    fn text(&self) -> String {
        let (mut text, mut rest) = (String::new(), 0);
        for (span, edited) in self.edited.values() {
            text.push_str(self.file.text.get(rest..span.start).unwrap_or_default());
            text.push_str(edited);
            rest = span.end;
        }
        text.push_str(self.file.text.get(rest..).unwrap_or_default());
        let appended = appended(&self.added, line_ending(&self.file.text), text.ends_with('\n'));
        text.push_str(&appended);
        text
    }
}

/// The text of a document with the edits of one fix.
fn edited(document: &str, fix: &Fix) -> Result<String, EditError> {
    if !fix.documents.is_empty() && document.trim_start().starts_with('{') {
        return Err(EditError::JsonFile);
    }
    edit(document, &fix.edits)
}

fn line_ending(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The text to append for more documents. `is_ended` says whether the last line of the text has a line ending.
fn appended(documents: &[Value], ending: &str, mut is_ended: bool) -> String {
    let mut text = String::new();
    for document in documents {
        if !is_ended {
            text.push_str(ending);
        }
        text.push_str(&["---", ending, &yaml(document).replace('\n', ending)].concat());
        is_ended = text.ends_with('\n');
    }
    text
}
