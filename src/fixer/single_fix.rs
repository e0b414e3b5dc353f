//! The changes of one fix in a text.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use similar::{DiffOp, TextDiff};
use sqledge_ha_policy::finding::Fix;

use super::claims::Claims;
use super::{AllowedFixes, EditedText, appended, edited, line_ending};
use crate::linter::{LintResult, LintedFile, LocatedFinding};
use crate::manifest::EditError;

/// A text in which each finding is fixed as if it were the only one.
pub struct SingleFix<'f> {
    file: &'f LintedFile,
    ending: &'static str,
    /// The files that can have claims.
    files: &'f [LintedFile],
    /// The claims in the files, read for the first fix that needs one.
    claims: OnceCell<Claims>,
}

/// A part of a text and its replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The bytes to replace; empty to insert.
    pub range: Range<usize>,
    /// The new text.
    pub text: String,
}

impl<'f> SingleFix<'f> {
    /// For the findings in `file`, as if there was no other file.
    pub fn new(file: &'f LintedFile) -> Self {
        SingleFix::with_claims(file, std::slice::from_ref(file))
    }

    /// For the findings in the file at an index of [`LintResult::files`], with the claims of all files; `None` if there
    /// is no such file.
    pub fn in_application(result: &'f LintResult, file: usize) -> Option<Self> {
        let file = result.files.get(file)?;
        Some(SingleFix::with_claims(file, &result.files))
    }

    fn with_claims(file: &'f LintedFile, files: &'f [LintedFile]) -> Self {
        SingleFix { file, ending: line_ending(&file.text), files, claims: OnceCell::new() }
    }

    /// The changes that the command `fix` would make if there was no other finding.
    ///
    /// # Errors
    /// [`EditError`] if its edits cannot be made in this text.
    pub fn replacements(&self, located: &LocatedFinding, fix: &Fix) -> Result<Vec<Replacement>, EditError> {
        let text = self.file.text.as_str();
        let (span, length) = (&located.document_span, text.len());
        let claims = || Claims::in_files(self.files);
        let needs_claim = fix.on_free_claim.is_some() || !fix.documents.is_empty();
        let fix = if needs_claim {
            Cow::Owned(self.claims.get_or_init(claims).adapt(fix, &located.object, &self.file.namespace)?)
        } else {
            Cow::Borrowed(fix)
        };
        let old = text.get(span.clone()).unwrap_or_default();
        let (new, added) = edited(old, &fix, located, text)?;
        let mut replacements = changes(old, &new, span.start);
        if !added.is_empty() {
            let last = if span.end == length { new.as_str() } else { text };
            let text = appended(added, self.ending, last.ends_with('\n'));
            match replacements.last_mut() {
                Some(last) if last.range.end == length => last.text.push_str(&text),
                _ => replacements.push(Replacement { range: length..length, text }),
            }
        }
        Ok(replacements)
    }
}

/// The changes that the command `fix` would make in one pass over the file at an index of [`LintResult::files`], with
/// its safe fixes only.
pub fn safe_fixes(result: &LintResult, file: usize) -> Vec<Replacement> {
    let Some(linted) = result.files.get(file) else { return Vec::new() };
    let (mut edited, mut claims) = (EditedText::new(linted), Claims::default());
    for located in result.findings.iter().filter(|located| located.file == file) {
        // A finding that is not fixed stays a finding.
        let _ = edited.apply(located, AllowedFixes::SafeOnly, &mut claims);
    }
    changes(&linted.text, &edited.text(), 0)
}

/// The differences of two texts; `start` is the position of the first one in the whole text. Only the differing part of
/// a line is replaced: the rest of the line can be a password.
fn changes(old: &str, new: &str, start: usize) -> Vec<Replacement> {
    let diff = TextDiff::from_lines(old, new);
    let lines = |slices: &[&str], range: Range<usize>| slices.get(range).unwrap_or_default().concat();
    let mut changes = Vec::new();
    let mut at = start;
    for operation in diff.ops() {
        let removed = lines(diff.old_slices(), operation.old_range());
        if !matches!(operation, DiffOp::Equal { .. }) {
            changes.push(difference(&removed, &lines(diff.new_slices(), operation.new_range()), at));
        }
        at += removed.len();
    }
    changes
}

/// The difference of two texts without their common start and end.
fn difference(old: &str, new: &str, start: usize) -> Replacement {
    let shared = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        pairs.take_while(|(one, other)| one == other).map(|(character, _)| character.len_utf8()).sum()
    };
    let head = shared(&mut old.chars().zip(new.chars()));
    let (old_rest, new_rest) = (old.get(head..).unwrap_or_default(), new.get(head..).unwrap_or_default());
    let tail = shared(&mut old_rest.chars().rev().zip(new_rest.chars().rev()));
    let text = new_rest.get(..new_rest.len() - tail).unwrap_or_default().to_owned();
    Replacement { range: start + head..start + old.len() - tail, text }
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::rules::{RULES, set_action};
    use sqledge_ha_policy::settings::Settings;
    use sqledge_ha_policy::view::Scope;

    use super::*;
    use crate::fixer::fix;
    use crate::linter::lint_texts;
    use crate::prefilter::Prefilter;

    fn replaced(text: &str, replacements: &[Replacement]) -> String {
        let mut whole = text.to_owned();
        for replacement in replacements.iter().rev() {
            whole.replace_range(replacement.range.clone(), &replacement.text);
        }
        whole
    }

    fn lint(text: &str, prefilter: &Prefilter<'_>) -> LintResult {
        lint_texts(vec![("a.yaml".to_owned(), text.to_owned())], prefilter, Scope::Application)
    }

    #[test]
    fn edits_and_adds_a_document_at_the_end_of_a_text_without_line_ending() {
        let text = "apiVersion: v1\r\nkind: Pod\r\nmetadata: {name: sql}\r\nspec:\r\n  nodeSelector: {kubernetes.io/arch: amd64}\r\n  containers: [{name: sql, image: azure-sql-edge}]";
        let mut settings = Settings::default();
        for rule in RULES.iter().filter(|rule| rule.id != "persistent-data") {
            set_action(&mut settings, rule.id, "off").unwrap();
        }
        let prefilter = Prefilter::new(&settings);
        let result = lint(text, &prefilter);
        let [located] = result.findings.as_slice() else { panic!("{:?}", result.findings) };
        let single = SingleFix::new(&result.files[0]);
        let replacements = single.replacements(located, located.finding.fix.as_ref().unwrap()).unwrap();
        let fixed = fix(&result, &prefilter, AllowedFixes::UnsafeToo);
        assert_ne!(fixed.result.files[0].text, text);
        assert_eq!(replaced(text, &replacements), fixed.result.files[0].text);
    }
}
