//! What mending one finding, and nothing else, changes in a text.

use std::collections::HashMap;
use std::ops::Range;

use similar::{DiffOp, TextDiff};
use sqledge_ha_policy::finding::Fix;

use super::{EditedText, Part, addition};
use crate::linter::Manifest;
use crate::manifest::Refusal;

/// A text, of which the findings are mended one at a time.
pub struct Alone {
    text: EditedText,
    /// The part that each document is all of, and the byte at which it begins.
    places: HashMap<usize, (usize, usize)>,
    length: usize,
}

/// A part of a text, and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The bytes that go, or where something is put in.
    pub range: Range<usize>,
    /// What comes instead.
    pub text: String,
}

impl Alone {
    /// A manifest as it is.
    pub fn of(manifest: &Manifest) -> Self {
        let text = EditedText::of(manifest);
        let (mut places, mut start) = (HashMap::new(), 0);
        for (index, part) in text.parts.iter().enumerate() {
            if part.is(part.documents.start) {
                places.insert(part.documents.start, (index, start));
            }
            start += part.text.len();
        }
        Alone { text, places, length: start }
    }

    /// How many bytes have to be read to mend something in a document.
    pub fn cost(&self, document: usize) -> usize {
        self.part(document).map_or(0, |(part, _)| part.text.len())
    }

    fn part(&self, document: usize) -> Option<(&Part, usize)> {
        let (index, start) = self.places.get(&document)?;
        Some((self.text.parts.get(*index)?, *start))
    }

    /// What the fix of a finding in `document` changes: what `fix` would write, were there nothing else to mend.
    ///
    /// # Errors
    /// [`Refusal`] if its edits cannot be made in this text.
    pub fn replacements(&self, document: usize, fix: &Fix) -> Result<Vec<Replacement>, Refusal> {
        let (part, start) = self.part(document).ok_or(Refusal::NotOneDocument)?;
        let edited = part.edited(fix)?;
        let mut replacements = changes(&part.text, &edited, start);
        if !fix.documents.is_empty() {
            let text = self.appended(part, &edited, fix);
            match replacements.last_mut() {
                Some(last) if last.range.end == self.length => last.text.push_str(&text),
                _ => replacements.push(Replacement { range: self.length..self.length, text }),
            }
        }
        Ok(replacements)
    }

    /// What comes at the end of the text in which one part is edited.
    fn appended(&self, part: &Part, edited: &str, fix: &Fix) -> String {
        let texts = self.text.parts.iter().map(|other| if std::ptr::eq(other, part) { edited } else { &other.text });
        let is_ended = texts.rev().find(|text| !text.is_empty()).is_some_and(|text| text.ends_with('\n'));
        addition(&fix.documents, self.text.ending, is_ended)
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
        let replacements = alone.replacements(located.document, located.finding.fix.as_ref().unwrap()).unwrap();
        let fixed = fix(&outcome, &settings, false, true);
        assert_ne!(fixed.outcome.manifests[0].text, text);
        assert_eq!(replaced(text, &replacements), fixed.outcome.manifests[0].text);
    }
}
