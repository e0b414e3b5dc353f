//! Fixes manifests: makes the edits of findings in the texts.

mod claims;
mod single_fix;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Value;
use sqledge_ha_policy::finding::{Fix, Safety};
use sqledge_ha_policy::json::edit::Edit;

use self::claims::Claims;
pub use self::single_fix::{Replacement, SingleFix, safe_fixes};
use crate::linter::list_items::is_in_template;
use crate::linter::{LintResult, LintedFile, LocatedFinding, lint_again};
use crate::manifest::{EditError, edit, read_span, yaml};
use crate::prefilter::Prefilter;
use crate::rendered::Rendered;

/// Which fixes may be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowedFixes {
    /// The safe ones.
    SafeOnly,
    /// Also those that can move or delete data, publish a database or stop it.
    UnsafeToo,
}

/// What happened to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixOutcome {
    /// Its edits are made.
    Applied,
    /// Its edits cannot be made in this text.
    Failed(EditError),
    /// Its edits are unsafe.
    NeedsUnsafe,
    /// Its edits belong in the sources of a chart or kustomization.
    Rendered,
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
    /// The findings that other fixes caused, and that were fixed in turn: the index of the file, and the rule.
    pub follow_ups: BTreeSet<(usize, &'static str)>,
}

/// The maximum number of passes. A second one is needed for claims that the first one adds: they need an owner.
const MAX_PASSES: usize = 4;

/// Makes all edits of the allowed fixes. Findings that result from the edits are fixed in turn, so that a second run
/// changes nothing. `result` must have the texts of all files ([`Prefilter::with_texts`]).
pub fn fix(result: &LintResult, prefilter: &Prefilter<'_>, allowed: AllowedFixes) -> FixResult {
    let check = |texts| {
        let mut checked = lint_again(texts, result, prefilter);
        for (after, before) in checked.files.iter_mut().zip(&result.files) {
            after.path.clone_from(&before.path);
            after.rendered = match &before.rendered {
                Some(rendered) if rendered.by().is_some() => Some(rendered.clone()),
                Some(_) => Rendered::from_stream(&after.text),
                None => None,
            };
        }
        if let Some(ignores) = result.ignores() {
            checked.apply_ignores(ignores);
        }
        checked
    };
    let mut fixed = vec![0; result.files.len()];
    // Only unsafe fixes need a claim.
    let mut claims = match allowed {
        AllowedFixes::SafeOnly => Claims::default(),
        AllowedFixes::UnsafeToo => Claims::in_files(&result.files),
    };
    let (mut texts, mut outcomes) = apply_fixes(result, allowed, &mut claims);
    count_fixed(result, &outcomes, &mut fixed);
    let mut checked = check(texts);
    let mut follow_ups = BTreeSet::new();
    for pass in 1.. {
        (texts, outcomes) = apply_fixes(&checked, allowed, &mut claims);
        if pass == MAX_PASSES || !outcomes.contains(&FixOutcome::Applied) {
            break;
        }
        count_fixed(&checked, &outcomes, &mut fixed);
        follow_ups.extend(applied(&checked, &outcomes).map(|located| (located.file, located.finding.rule)));
        checked = check(texts);
    }
    FixResult { result: checked, outcomes, fixed, follow_ups }
}

/// The findings whose fixes were applied.
fn applied<'r>(result: &'r LintResult, outcomes: &[FixOutcome]) -> impl Iterator<Item = &'r LocatedFinding> {
    let both = result.findings.iter().zip(outcomes);
    both.filter(|(_, outcome)| **outcome == FixOutcome::Applied).map(|(located, _)| located)
}

fn count_fixed(result: &LintResult, outcomes: &[FixOutcome], fixed: &mut [usize]) {
    for located in applied(result, outcomes) {
        if let Some(count) = fixed.get_mut(located.file) {
            *count += 1;
        }
    }
}

/// One pass: the texts with all edits, and what happened to each finding.
fn apply_fixes(
    result: &LintResult,
    allowed: AllowedFixes,
    claims: &mut Claims,
) -> (Vec<(String, String)>, Vec<FixOutcome>) {
    let mut texts: Vec<(String, String)> =
        result.files.iter().map(|file| (file.name.clone(), file.text.clone())).collect();
    let mut outcomes = Vec::with_capacity(result.findings.len());
    for findings in result.findings.chunk_by(|one, other| one.file == other.file) {
        let index = findings.first().map_or(0, |located| located.file);
        let Some((file, (_, text))) = result.files.get(index).zip(texts.get_mut(index)) else { continue };
        let mut edited = EditedText::new(file);
        outcomes.extend(findings.iter().map(|located| edited.apply(located, allowed, claims)));
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

    fn apply(&mut self, located: &LocatedFinding, allowed: AllowedFixes, claims: &mut Claims) -> FixOutcome {
        let Some(fix) = &located.finding.fix else { return FixOutcome::NoFix };
        if fix.safety == Safety::Unsafe && allowed == AllowedFixes::SafeOnly {
            return FixOutcome::NeedsUnsafe;
        }
        if self.file.is_rendered_by_tool() {
            return FixOutcome::Rendered;
        }
        match self.edit(located, fix, claims) {
            Ok(()) => FixOutcome::Applied,
            Err(error) => FixOutcome::Failed(error),
        }
    }

    fn edit(&mut self, located: &LocatedFinding, fix: &Fix, claims: &mut Claims) -> Result<(), EditError> {
        let span = located.document_span.clone();
        let text = match self.edited.get(&span.start) {
            Some((_, text)) => text,
            None => self.file.text.get(span.clone()).unwrap_or_default(),
        };
        let fix = claims.adapt(fix, &located.object, &self.file.namespace)?;
        let (text, added) = edited(text, &fix, located, &self.file.text)?;
        self.edited.insert(span.start, (span, text));
        claims.record(&fix, &located.object, &self.file.namespace);
        self.added.extend_from_slice(added);
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

/// The text of a document with the edits of one fix of a finding, and the objects to append to `file`, the text of the
/// whole file. In JSON and in Templates, new objects are added to the list.
fn edited<'x>(
    document: &str,
    fix: &'x Fix,
    located: &LocatedFinding,
    file: &str,
) -> Result<(String, &'x [Value]), EditError> {
    let list = match fix.documents.as_slice() {
        [] => None,
        _ => list_for_new_objects(document, &located.finding.pointer, file)?,
    };
    let Some(list) = list else { return Ok((edit(document, &fix.edits)?, &fix.documents)) };
    let items = fix.documents.iter().map(|item| Edit::Set { pointer: format!("/{list}/-"), value: item.clone() });
    let edits: Vec<Edit> = fix.edits.iter().cloned().chain(items).collect();
    Ok((edit(document, &edits)?, &[]))
}

/// The key of the list to which new objects are added beside the object at `pointer`; `None` if they are new documents.
fn list_for_new_objects(document: &str, pointer: &str, file: &str) -> Result<Option<&'static str>, EditError> {
    if is_in_template(pointer) {
        // Another value of the parameter gives another workload, which must not get the same claim.
        let has_parameter = name_in_template(document, pointer).is_none_or(|name| name.contains("${"));
        return if has_parameter { Err(EditError::ParameterInName) } else { Ok(Some("objects")) };
    }
    match (is_json(file), is_list(file)) {
        (false, _) => Ok(None),
        (true, true) => Ok(Some("items")),
        (true, false) => Err(EditError::JsonFile),
    }
}

/// The name of the object in a Template that `pointer` leads into, as it is written.
fn name_in_template(document: &str, pointer: &str) -> Option<String> {
    let index = pointer.split('/').nth(2)?;
    let template = read_span(document, 0..document.len(), 0).pop()?.ok()?;
    Some(
        template
            .value
            .get("objects")?
            .get(index.parse::<usize>().ok()?)?
            .pointer("/metadata/name")?
            .as_str()?
            .to_owned(),
    )
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Whether a JSON text is a list whose items can be of any kind.
fn is_list(text: &str) -> bool {
    let object: Value = serde_json::from_str(text).unwrap_or_default();
    object.get("kind").and_then(Value::as_str) == Some("List") && object.get("items").is_some_and(Value::is_array)
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
