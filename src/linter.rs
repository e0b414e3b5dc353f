//! Judging manifests as one application.
//!
//! Files are read and judged side by side, the outcome is in a fixed order. Of everything that is read only what rules
//! can look at is kept: Services, and whatever runs an engine.

mod ignores;
mod judging;
pub(crate) mod parts;
mod reading;
mod related;
mod sieve;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use sqledge_ha_policy::engine::Engine;
use sqledge_ha_policy::finding::{Action, Finding};
use sqledge_ha_policy::objects::MOST_RELATIONS;
use sqledge_ha_policy::settings::Settings;

pub use self::ignores::notes_on_comments;
use self::judging::judge_relations;
use self::reading::{Half, begin, complete};
pub use self::related::RelatedPlace;
use self::sieve::Sieve;
use crate::cli::Level;
use crate::input::{MissingInput, Source};
use crate::manifest::{Document, ReadError};

/// A text with everything in it that rules can look at.
#[derive(Debug, Default)]
pub struct Manifest {
    /// How reports call it.
    pub name: String,
    /// The whole text; empty if nothing in it concerns the rules.
    pub text: String,
    /// Where the text comes from; `None` if it was at hand.
    pub source: Option<Source>,
    /// The documents whose relations matter, without whatever else is in them.
    held: Vec<Document>,
    /// The chunks of which every object was judged, in their order.
    judged: Vec<Range<usize>>,
    /// Where the comments begin that let a finding pass.
    used_comments: BTreeSet<usize>,
    /// What is wrong with single objects.
    findings: Vec<Located>,
    objects: usize,
    workloads: usize,
    /// Whether a kustomization makes something else of it.
    is_patch: bool,
    /// The engines that run here and that the rules leave alone.
    ungoverned: Vec<Engine>,
    problems: Vec<ReadError>,
}

/// A finding in a text.
#[derive(Debug)]
pub struct Located {
    /// Which of the manifests.
    pub manifest: usize,
    /// Which document in it, from 0, not counting empty ones.
    pub document: usize,
    /// Where the document stands in the text, with whatever else its chunk holds.
    pub chunk: Range<usize>,
    /// The bytes to show.
    pub span: Range<usize>,
    /// What the object is.
    pub object: Arc<Identity>,
    /// The finding; its pointers start at the document's root.
    pub finding: Finding,
    /// Where the other ends of the relation stand that it is about.
    pub related: Vec<RelatedPlace>,
}

impl Located {
    /// How grave it is: what admission would mend is an error in a file.
    pub fn level(&self) -> Level {
        if self.finding.action == Action::Warn { Level::Warning } else { Level::Error }
    }
}

/// What an object calls itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// `apiVersion`.
    pub api_version: Option<String>,
    /// `kind`.
    pub kind: Option<String>,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: Option<String>,
}

/// Something that could not be read.
#[derive(Debug)]
pub struct Unread {
    /// How reports call the text.
    pub name: String,
    /// Which of the manifests, if its text is there to show.
    pub manifest: Option<usize>,
    /// What is wrong.
    pub problem: ReadError,
}

/// Everything a report needs.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The texts that were read, by name.
    pub manifests: Vec<Manifest>,
    /// What is wrong, by text, place and rule.
    pub findings: Vec<Located>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// What else a reader should know.
    pub notes: Vec<String>,
    /// How many objects were read.
    pub objects: usize,
    /// How many of them run an engine that the rules govern.
    pub workloads: usize,
    /// How many run an engine that the rules leave alone.
    pub ungoverned: usize,
    /// How many findings comments let pass; `None` if comments are not looked at.
    pub ignored: Option<usize>,
    /// Whether some have so many relations that not all were looked at.
    has_left_out: bool,
}

impl Outcome {
    /// How many findings have `level`.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level() == level).count()
    }

    /// How many findings could be mended without asking.
    pub fn fixable(&self) -> usize {
        self.findings.iter().filter(|located| located.finding.safe_edits().is_some()).count()
    }
}

impl Manifest {
    /// Whether it holds anything that a rule can look at.
    pub fn is_judged(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether there is anything in it that calls itself an object.
    pub fn holds_objects(&self) -> bool {
        self.objects > 0
    }

    /// Whether its text is no file's own.
    pub fn is_rendered(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.rendered(&self.text).is_some())
    }
}

/// What one source came to by itself, before all others are known.
#[derive(Debug)]
pub struct Reading(Result<Box<Half>, ReadError>);

/// What reads sources, side by side, and judges what stands alone in each.
pub fn reader(settings: &Settings) -> impl Fn(&Source) -> Reading + Sync {
    let sieve = Sieve::new(settings);
    move |source| Reading(reading::read(source, &sieve).map(Box::new))
}

/// Judges what a [`reader`] has read as one application; with `partial`, as a part of one.
pub fn lint(
    texts: Vec<(Source, Reading)>,
    unreachable: Vec<MissingInput>,
    settings: &Settings,
    partial: bool,
) -> Outcome {
    let mut outcome = Outcome::default();
    let unread = |MissingInput { name, error: problem }| Unread { name, manifest: None, problem };
    outcome.unread = unreachable.into_iter().map(unread).collect();
    let mut halves = Vec::with_capacity(texts.len());
    for (source, Reading(half)) in texts {
        match half {
            Ok(mut half) => {
                half.comes_from(source);
                halves.push(*half);
            }
            Err(problem) => outcome.unread.push(unread(MissingInput { name: source.name(), error: problem })),
        }
    }
    outcome.manifests = complete(halves, settings);
    finish(&mut outcome, settings, partial);
    outcome
}

/// Gathers what the manifests hold, and judges it.
fn finish(outcome: &mut Outcome, settings: &Settings, partial: bool) {
    for (index, manifest) in outcome.manifests.iter_mut().enumerate() {
        outcome.objects += manifest.objects;
        outcome.workloads += manifest.workloads;
        outcome.ungoverned += manifest.ungoverned.len();
        let findings = std::mem::take(&mut manifest.findings).into_iter();
        outcome.findings.extend(findings.map(|located| Located { manifest: index, ..located }));
        let problems = std::mem::take(&mut manifest.problems).into_iter();
        let unread = problems.map(|problem| Unread { name: manifest.name.clone(), manifest: Some(index), problem });
        outcome.unread.extend(unread);
    }
    outcome.has_left_out = judge_relations(outcome, settings, partial);
    outcome.notes = notes(outcome, partial);
    if outcome.has_left_out {
        outcome.notes.push(format!(
            "a Service here selects more than {MOST_RELATIONS} databases, or a database is selected by as many Services: \
             only the first {MOST_RELATIONS} of each were compared"
        ));
    }
}

/// Judges texts that are at hand, each with what reports call it, as one application; with `partial`, as a part of one.
pub fn lint_texts(texts: Vec<(String, String)>, settings: &Settings, partial: bool) -> Outcome {
    let sieve = Sieve::new(settings);
    let halves = texts.into_par_iter().map(|(name, text)| begin(name, text, &sieve)).collect();
    let mut outcome = Outcome { manifests: complete(halves, settings), ..Outcome::default() };
    finish(&mut outcome, settings, partial);
    outcome
}

fn notes(outcome: &Outcome, partial: bool) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, engine) in Engine::NAMES {
        let engines = outcome.manifests.iter().flat_map(|manifest| &manifest.ungoverned);
        let count = engines.filter(|other| **other == engine).count();
        if count > 0 {
            let (runs, are) = if count == 1 { ("workload runs", "is") } else { ("workloads run", "are") };
            let product = engine.product();
            notes.push(format!(
                "{count} {runs} {product} and {are} not checked; --engine {name} or --engine all checks it"
            ));
        }
    }
    let patches = outcome.manifests.iter().filter(|manifest| manifest.is_patch).count();
    if patches > 0 {
        let are = if patches == 1 { "1 file is a patch" } else { &format!("{patches} files are patches") };
        notes.push(format!("{are} of a kustomization and not checked alone; --kustomize DIR checks what comes of it"));
    }
    let is_complete = !partial && outcome.unread.is_empty();
    if is_complete && outcome.workloads == 0 && outcome.ungoverned == 0 && patches == 0 {
        notes.push("no workload here runs SQL Edge or SQL Server".to_owned());
    }
    notes
}
