//! What mending one finding, and nothing else, changes in a text.

use std::ops::Range;

use similar::{DiffOp, TextDiff};
use sqledge_ha_policy::finding::Fix;

use super::{addition, edited, ending};
use crate::linter::{Located, Manifest};
use crate::manifest::EditError;

/// A text, of which the findings are mended one at a time.
pub struct Alone<'m> {
    text: &'m str,
    ending: &'static str,
}

/// A part of a text, and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The bytes that go, or where something is put in.
    pub range: Range<usize>,
    /// What comes instead.
    pub text: String,
}

impl<'m> Alone<'m> {
    /// A manifest as it is.
    pub fn of(manifest: &'m Manifest) -> Self {
        Alone { text: &manifest.text, ending: ending(&manifest.text) }
    }

    /// What the fix of a finding changes: what `fix` would write, were there nothing else to mend.
    ///
    /// # Errors
    /// [`EditError`] if its edits cannot be made in this text.
    pub fn replacements(&self, located: &Located, fix: &Fix) -> Result<Vec<Replacement>, EditError> {
        let (chunk, length) = (&located.chunk, self.text.len());
        let old = self.text.get(chunk.clone()).unwrap_or_default();
        let new = edited(old, fix)?;
        let mut replacements = changes(old, &new, chunk.start);
        if !fix.documents.is_empty() {
            let last = if chunk.end == length { new.as_str() } else { self.text };
            let text = addition(&fix.documents, self.ending, last.ends_with('\n'));
            match replacements.last_mut() {
                Some(last) if last.range.end == length => last.text.push_str(&text),
                _ => replacements.push(Replacement { range: length..length, text }),
            }
        }
        Ok(replacements)
    }
}

/// Where two texts differ; `start` is where the first begins in the whole. Lines are compared, and of those that differ
/// only what differs is replaced: what else stands on them may be a password.
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

/// What is between the beginning and the end that two texts share.
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
    use sqledge_ha_policy::settings::Settings;

    use super::*;
    use crate::fixer::fix;
    use crate::linter::{Outcome, lint_texts};

    /// The text with the replacements made.
    fn replaced(text: &str, replacements: &[Replacement]) -> String {
        let mut whole = text.to_owned();
        for replacement in replacements.iter().rev() {
            whole.replace_range(replacement.range.clone(), &replacement.text);
        }
        whole
    }

    fn lint(text: &str, settings: &Settings) -> Outcome {
        lint_texts(vec![("a.yaml".to_owned(), text.to_owned())], settings, false)
    }

    #[test]
    fn an_edit_and_a_document_at_the_end_of_a_text_without_an_end_of_line() {
        let text = "apiVersion: v1\r\nkind: Pod\r\nmetadata: {name: sql}\r\nspec:\r\n  nodeSelector: {kubernetes.io/arch: amd64}\r\n  containers: [{name: sql, image: azure-sql-edge}]";
        let mut settings = Settings::default();
        for rule in sqledge_ha_policy::rules::RULES.iter().filter(|rule| rule.id != "persistent-data") {
            settings.set_action(rule.id, "off").unwrap();
        }
        let outcome = lint(text, &settings);
        let [located] = outcome.findings.as_slice() else { panic!("{:?}", outcome.findings) };
        let alone = Alone::of(&outcome.manifests[0]);
        let replacements = alone.replacements(located, located.finding.fix.as_ref().unwrap()).unwrap();
        let fixed = fix(&outcome, &settings, false, true);
        assert_ne!(fixed.outcome.manifests[0].text, text);
        assert_eq!(replaced(text, &replacements), fixed.outcome.manifests[0].text);
    }
}
