//! Mending manifests: the edits of findings, made in the text of the files that they stand in.

mod alone;
mod claims;

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;
use sqledge_ha_policy::finding::{Fix, Safety};
use sqledge_ha_policy::settings::Settings;

pub use self::alone::{Alone, Replacement};
use self::claims::Claims;
use crate::linter::{Located, Manifest, Outcome, lint_texts};
use crate::manifest::{EditError, edit, yaml};

/// What became of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its edits are made.
    Fixed,
    /// Its edits cannot be made in this text.
    Refused(EditError),
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
    /// How many findings were mended in each of the files.
    pub fixed: Vec<usize>,
}

/// How often is judged again: a claim that is added needs an owner, and nothing more.
const ROUNDS: usize = 4;

/// Makes the edits of every finding that has safe ones; with `unsafe_too`, also of those whose edits are not. What they
/// bring about is judged and mended in turn, so that a second run finds nothing to do.
pub fn fix(outcome: &Outcome, settings: &Settings, partial: bool, unsafe_too: bool) -> Fixing {
    let judge = |texts| {
        let mut judged = lint_texts(texts, settings, partial);
        if outcome.ignored.is_some() {
            judged.drop_ignored();
        }
        judged
    };
    let mut fixed = vec![0; outcome.manifests.len()];
    let mut claims = if unsafe_too { Claims::of(&outcome.manifests) } else { Claims::default() };
    let (mut texts, mut fates) = mend(outcome, unsafe_too, &mut claims);
    count_fixed(outcome, &fates, &mut fixed);
    let mut judged = judge(texts);
    for round in 1.. {
        (texts, fates) = mend(&judged, unsafe_too, &mut claims);
        if round == ROUNDS || !fates.contains(&Fate::Fixed) {
            break;
        }
        count_fixed(&judged, &fates, &mut fixed);
        judged = judge(texts);
    }
    for (after, before) in judged.manifests.iter_mut().zip(&outcome.manifests) {
        after.source.clone_from(&before.source);
    }
    Fixing { outcome: judged, fates, fixed }
}

/// Adds up by files what was mended.
fn count_fixed(outcome: &Outcome, fates: &[Fate], fixed: &mut [usize]) {
    for (located, _) in outcome.findings.iter().zip(fates).filter(|(_, fate)| **fate == Fate::Fixed) {
        fixed.get_mut(located.manifest).into_iter().for_each(|count| *count += 1);
    }
}

/// One round: the texts with every edit made, and what became of the findings.
fn mend(outcome: &Outcome, unsafe_too: bool, claims: &mut Claims) -> (Vec<(String, String)>, Vec<Fate>) {
    let mut texts: Vec<(String, String)> =
        outcome.manifests.iter().map(|manifest| (manifest.name.clone(), manifest.text.clone())).collect();
    let mut fates = Vec::with_capacity(outcome.findings.len());
    for findings in outcome.findings.chunk_by(|one, other| one.manifest == other.manifest) {
        let index = findings.first().map_or(0, |located| located.manifest);
        let Some((manifest, (_, text))) = outcome.manifests.get(index).zip(texts.get_mut(index)) else { continue };
        let mut edited = EditedText::of(manifest);
        fates.extend(findings.iter().map(|located| edited.mend(located, unsafe_too, claims)));
        *text = edited.whole();
    }
    (texts, fates)
}

/// A text, and the documents in it that were edited.
struct EditedText<'m> {
    manifest: &'m Manifest,
    /// The new texts of chunks, by where these begin.
    edited: BTreeMap<usize, (Range<usize>, String)>,
    added: Vec<Value>,
}

impl<'m> EditedText<'m> {
    fn of(manifest: &'m Manifest) -> Self {
        EditedText { manifest, edited: BTreeMap::new(), added: Vec::new() }
    }

    fn mend(&mut self, located: &Located, unsafe_too: bool, claims: &mut Claims) -> Fate {
        let Some(fix) = &located.finding.fix else { return Fate::Left };
        if fix.safety == Safety::Unsafe && !unsafe_too {
            return Fate::Unsafe;
        }
        match self.make(located.chunk.clone(), fix, claims) {
            Ok(()) => Fate::Fixed,
            Err(refusal) => Fate::Refused(refusal),
        }
    }

    fn make(&mut self, chunk: Range<usize>, fix: &Fix, claims: &mut Claims) -> Result<(), EditError> {
        if fix.documents.iter().any(|document| claims.has(document)) {
            return Err(EditError::ClaimExists);
        }

        let text = match self.edited.get(&chunk.start) {
            Some((_, text)) => text,
            None => self.manifest.text.get(chunk.clone()).unwrap_or_default(),
        };
        let text = edited(text, fix)?;
        self.edited.insert(chunk.start, (chunk, text));
        for document in &fix.documents {
            claims.add(document);
            self.added.push(document.clone());
        }
        Ok(())
    }

    fn whole(&self) -> String {
        let (mut text, mut rest) = (String::new(), 0);
        for (chunk, edited) in self.edited.values() {
            text.push_str(self.manifest.text.get(rest..chunk.start).unwrap_or_default());
            text.push_str(edited);
            rest = chunk.end;
        }
        text.push_str(self.manifest.text.get(rest..).unwrap_or_default());
        let addition = addition(&self.added, ending(&self.manifest.text), text.ends_with('\n'));
        text.push_str(&addition);
        text
    }
}

/// A chunk's text with the edits of one fix.
fn edited(chunk: &str, fix: &Fix) -> Result<String, EditError> {
    if !fix.documents.is_empty() && chunk.trim_start().starts_with('{') {
        return Err(EditError::JsonFile);
    }
    edit(chunk, &fix.edits)
}

/// How the lines of a text end.
fn ending(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
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
