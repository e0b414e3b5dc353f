//! Mending manifests: the edits of findings, made in the text of the files that they stand in.

mod alone;

use std::ops::Range;

use serde_json::Value;
use sqledge_ha_policy::finding::{Fix, Safety};
use sqledge_ha_policy::settings::Settings;

pub use self::alone::{Alone, Replacement};
use crate::linter::{Located, Manifest, Outcome, lint_texts};
use crate::manifest::{Refusal, chunks, edit, read_chunk, yaml};

/// What became of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its edits are made.
    Fixed,
    /// Its edits cannot be made in this text.
    Refused(Refusal),
    /// It has edits that may destroy or move something, and nobody asked for those.
    Unsafe,
    /// It has none: a person has to decide.
    Left,
}

/// What fixing came to.
#[derive(Debug)]
pub struct Fixing {
    /// The files as they are in the end, judged.
    pub outcome: Outcome,
    /// What became of each finding that is left.
    pub fates: Vec<Fate>,
    /// How many findings were mended.
    pub fixed: usize,
}

/// How often is judged again: a claim that is added needs an owner, and nothing more.
const ROUNDS: usize = 4;

/// Makes the edits of every finding that has safe ones; with `unsafe_too`, also of those whose edits are not. What they
/// bring about is judged and mended in turn, so that a second run finds nothing to do.
pub fn fix(outcome: &Outcome, settings: &Settings, partial: bool, unsafe_too: bool) -> Fixing {
    let texts = outcome.manifests.iter().map(|manifest| (manifest.name.clone(), manifest.text.clone())).collect();
    let mut fixing = Fixing { outcome: lint_texts(texts, settings, partial), fates: Vec::new(), fixed: 0 };
    for _ in 0..ROUNDS {
        let (texts, fates) = mend(&fixing.outcome, unsafe_too);
        let fixed = fates.iter().filter(|fate| **fate == Fate::Fixed).count();
        fixing.fates = fates;
        if fixed == 0 {
            break;
        }
        fixing.fixed += fixed;
        fixing.outcome = lint_texts(texts, settings, partial);
    }
    fixing.fates = mend(&fixing.outcome, unsafe_too).1;
    fixing
}

/// One round: the texts with every edit made, and what became of the findings.
fn mend(outcome: &Outcome, unsafe_too: bool) -> (Vec<(String, String)>, Vec<Fate>) {
    let mut texts: Vec<(String, String)> =
        outcome.manifests.iter().map(|manifest| (manifest.name.clone(), manifest.text.clone())).collect();
    let mut fates = Vec::with_capacity(outcome.findings.len());
    for findings in outcome.findings.chunk_by(|one, other| one.manifest == other.manifest) {
        let index = findings.first().map_or(0, |located| located.manifest);
        let Some((manifest, (_, text))) = outcome.manifests.get(index).zip(texts.get_mut(index)) else { continue };
        let mut edited = EditedText::of(manifest);
        fates.extend(findings.iter().map(|located| edited.mend(located, unsafe_too)));
        *text = edited.whole();
    }
    (texts, fates)
}

/// A text in parts, of which those that are one document can be edited.
struct EditedText {
    parts: Vec<Part>,
    added: Vec<Value>,
    /// How lines end.
    ending: &'static str,
}

struct Part {
    /// The numbers of the documents in it.
    documents: Range<usize>,
    text: String,
}

impl EditedText {
    fn of(manifest: &Manifest) -> Self {
        let (mut parts, mut index, mut start) = (Vec::new(), 0, 0);
        let slice = |range: Range<usize>| manifest.text.get(range).unwrap_or_default().to_owned();
        for chunk in chunks(&manifest.text) {
            let count = read_chunk(&manifest.text, chunk.clone(), index).len();
            // What stands between chunks belongs to no document.
            parts.push(Part { documents: index..index, text: slice(start..chunk.start) });
            start = chunk.end;
            parts.push(Part { documents: index..index + count, text: slice(chunk) });
            index += count;
        }
        parts.push(Part { documents: index..index, text: slice(start..manifest.text.len()) });
        let ending = if manifest.text.contains("\r\n") { "\r\n" } else { "\n" };
        EditedText { parts, added: Vec::new(), ending }
    }

    fn mend(&mut self, located: &Located, unsafe_too: bool) -> Fate {
        let Some(fix) = &located.finding.fix else { return Fate::Left };
        if fix.safety == Safety::Unsafe && !unsafe_too {
            return Fate::Unsafe;
        }
        match self.make(located.document, fix) {
            Ok(()) => Fate::Fixed,
            Err(refusal) => Fate::Refused(refusal),
        }
    }

    fn make(&mut self, document: usize, fix: &Fix) -> Result<(), Refusal> {
        let part = self.parts.iter_mut().find(|part| part.is(document)).ok_or(Refusal::NotOneDocument)?;
        part.text = part.edited(fix)?;
        self.added.extend(
            fix.documents.iter().filter(|document| !self.added.contains(document)).cloned().collect::<Vec<_>>(),
        );
        Ok(())
    }

    fn whole(&self) -> String {
        let mut text: String = self.parts.iter().map(|part| part.text.as_str()).collect();
        let addition = addition(&self.added, self.ending, text.ends_with('\n'));
        text.push_str(&addition);
        text
    }
}

impl Part {
    /// Whether this document is all that is in it.
    fn is(&self, document: usize) -> bool {
        self.documents == (document..document + 1)
    }

    fn edited(&self, fix: &Fix) -> Result<String, Refusal> {
        if !fix.documents.is_empty() && self.text.trim_start().starts_with('{') {
            return Err(Refusal::Style); // A JSON file holds one document.
        }
        edit(&self.text, &fix.edits)
    }
}

/// What is appended to a text to hold more documents. `ended` says whether its last line has an end.
fn addition(documents: &[Value], ending: &str, mut ended: bool) -> String {
    let mut text = String::new();
    for document in documents {
        if !ended {
            text.push_str(ending);
        }
        text.push_str(&["---", ending, &yaml(document).replace('\n', ending)].concat());
        ended = text.ends_with('\n');
    }
    text
}
