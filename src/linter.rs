//! Judging manifests as one application.
//!
//! Files are read and judged side by side, the outcome is in a fixed order. Of everything that is read only what rules
//! can look at is kept: Services, and whatever runs an engine.

mod related;

use std::ops::Range;

use rayon::prelude::*;
use serde_json::Value;
use sqledge_ha_policy::engine::Engine;
use sqledge_ha_policy::finding::{Action, Edit, Finding};
use sqledge_ha_policy::kind::{Kind, has_judged_owner};
use sqledge_ha_policy::objects::Objects;
use sqledge_ha_policy::rules;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::subject::Subject;
use sqledge_ha_policy::workload::Workload;

pub use self::related::RelatedPlace;
use crate::cli::Level;
use crate::input::{Source, Unreachable};
use crate::manifest::{Document, Problem, chunks, read_chunk};

/// A text with everything in it that rules can look at.
#[derive(Debug)]
pub struct Manifest {
    /// How reports call it.
    pub name: String,
    /// The whole text.
    pub text: String,
    documents: Vec<Document>,
    objects: usize,
    problems: Vec<Problem>,
}

/// A finding in a text.
#[derive(Debug)]
pub struct Located {
    /// Which of the manifests.
    pub manifest: usize,
    /// Which document in it, from 0, not counting empty ones.
    pub document: usize,
    /// The bytes to show.
    pub span: Range<usize>,
    /// What the object is.
    pub object: Identity,
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
    pub problem: Problem,
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
        !self.documents.is_empty()
    }
}

/// Reads and judges `sources` as one application; with `partial`, as a part of one.
pub fn lint(sources: &[Source], unreachable: Vec<Unreachable>, settings: &Settings, partial: bool) -> Outcome {
    let mut outcome = Outcome::default();
    let unread = |Unreachable { name, problem }| Unread { name, manifest: None, problem };
    outcome.unread = unreachable.into_iter().map(unread).collect();
    let read: Vec<Result<Manifest, Unreachable>> = sources.par_iter().map(|source| read(source, settings)).collect();
    for manifest in read {
        match manifest {
            Ok(manifest) => outcome.manifests.push(manifest),
            Err(unreachable) => outcome.unread.push(unread(unreachable)),
        }
    }
    finish(&mut outcome, settings, partial);
    outcome
}

/// Gathers what the manifests hold, and judges it.
fn finish(outcome: &mut Outcome, settings: &Settings, partial: bool) {
    for (index, manifest) in outcome.manifests.iter_mut().enumerate() {
        outcome.objects += manifest.objects;
        let problems = std::mem::take(&mut manifest.problems).into_iter();
        let unread = problems.map(|problem| Unread { name: manifest.name.clone(), manifest: Some(index), problem });
        outcome.unread.extend(unread);
    }
    judge(outcome, settings, partial);
}

/// Judges texts that are at hand, each with what reports call it, as one application; with `partial`, as a part of one.
pub fn lint_texts(texts: Vec<(String, String)>, settings: &Settings, partial: bool) -> Outcome {
    let manifests = texts.into_par_iter().map(|(name, text)| parse(name, text, settings)).collect();
    let mut outcome = Outcome { manifests, ..Outcome::default() };
    finish(&mut outcome, settings, partial);
    outcome
}

fn read(source: &Source, settings: &Settings) -> Result<Manifest, Unreachable> {
    let name = source.name();
    match source.read() {
        Ok(text) => Ok(parse(name, text, settings)),
        Err(problem) => Err(Unreachable { name, problem }),
    }
}

fn parse(name: String, text: String, settings: &Settings) -> Manifest {
    let mut manifest = Manifest { name, text, documents: Vec::new(), objects: 0, problems: Vec::new() };
    let mut index = 0;
    for chunk in chunks(&manifest.text) {
        for read in read_chunk(&manifest.text, chunk, index) {
            index += 1;
            match read {
                Ok(document) => {
                    let parts = parts(&document.value);
                    manifest.objects += parts.iter().filter(|part| part.value.get("kind").is_some()).count();
                    if parts.iter().any(|part| matters(part.value, settings)) {
                        manifest.documents.push(document);
                    }
                }
                Err(problem) => manifest.problems.push(problem),
            }
        }
    }
    manifest
}

/// Whether a rule can look at an object.
fn matters(object: &Value, settings: &Settings) -> bool {
    Kind::of_object(object)
        .is_some_and(|kind| kind == Kind::Service || Workload::read(object, kind, settings).is_some())
}

/// An object of a document.
#[derive(Clone, Debug)]
pub(crate) struct Part<'d> {
    /// The way to it from the document's root: empty, or that of a List's item.
    pub(crate) prefix: String,
    pub(crate) value: &'d Value,
}

/// The objects of a document: itself, or the items of a List, also of Lists in Lists.
pub(crate) fn parts(document: &Value) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut open = vec![Part { prefix: String::new(), value: document }];
    while let Some(part) = open.pop() {
        let is_list = part.value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
        match part.value.get("items").and_then(Value::as_array).filter(|_| is_list) {
            Some(items) => open.extend(
                items
                    .iter()
                    .enumerate()
                    .rev()
                    .map(|(index, value)| Part { prefix: format!("{}/items/{index}", part.prefix), value }),
            ),
            None => parts.push(part),
        }
    }
    parts
}

/// One object to judge, and where it stands.
struct Place<'m> {
    manifest: usize,
    document: &'m Document,
    part: Part<'m>,
}

fn judge(outcome: &mut Outcome, settings: &Settings, partial: bool) {
    let documents = outcome
        .manifests
        .iter()
        .enumerate()
        .flat_map(|(index, manifest)| manifest.documents.iter().map(move |document| (index, document)));
    let places: Vec<Place<'_>> = documents
        .flat_map(|(manifest, document)| {
            parts(&document.value).into_iter().map(move |part| Place { manifest, document, part })
        })
        .collect();
    let objects = places.iter().map(|place| place.part.value);
    let world = if partial { Objects::partial(objects) } else { Objects::closed(objects) };
    let judged: Vec<Judged> = places.par_iter().map(|place| judge_one(place, settings, &world)).collect();
    let mut ungoverned: Vec<Engine> = Vec::new();
    let (mut workloads, mut findings) = (0, Vec::new());
    for judged in judged {
        workloads += usize::from(judged.governed);
        ungoverned.extend(judged.ungoverned);
        findings.extend(judged.findings);
    }
    findings.sort_by(|one, other| {
        let key = |located: &Located| (located.manifest, located.span.start, located.finding.rule);
        key(one).cmp(&key(other))
    });
    related::locate(&places, &mut findings);
    outcome.notes = notes(&ungoverned, workloads, !partial && outcome.unread.is_empty());
    (outcome.workloads, outcome.ungoverned, outcome.findings) = (workloads, ungoverned.len(), findings);
}

/// What came of one object.
#[derive(Default)]
struct Judged {
    governed: bool,
    ungoverned: Option<Engine>,
    findings: Vec<Located>,
}

fn judge_one(place: &Place<'_>, settings: &Settings, world: &Objects<'_>) -> Judged {
    let object = place.part.value;
    let Some(kind) = Kind::of_object(object).filter(|_| !has_judged_owner(object)) else { return Judged::default() };
    let workload = Workload::read(object, kind, settings);
    let governed = workload.as_ref().is_some_and(Workload::is_governed);
    let passed_over = workload.filter(|_| !governed);
    let ungoverned = passed_over.and_then(|workload| Some(workload.ungoverned.first()?.engine));
    let findings = match Subject::read(object, kind, settings, world) {
        Some(subject) => rules::judge(&subject).into_iter().map(|finding| place.locate(finding)).collect(),
        None => Vec::new(),
    };
    Judged { governed, ungoverned, findings }
}

impl Place<'_> {
    fn locate(&self, finding: Finding) -> Located {
        let finding = self.rooted(finding);
        Located {
            manifest: self.manifest,
            document: self.document.index,
            span: self.document.locate(&finding.pointer),
            object: identity(self.part.value),
            finding,
            related: Vec::new(),
        }
    }

    /// Lets a finding's pointers start at the document's root.
    fn rooted(&self, mut finding: Finding) -> Finding {
        let prefix = self.part.prefix.as_str();
        if !prefix.is_empty() {
            finding.pointer.insert_str(0, prefix);
            let edits = finding.fix.iter_mut().flat_map(|fix| fix.edits.iter_mut());
            edits.for_each(|(Edit::Set { pointer, .. } | Edit::Remove { pointer })| pointer.insert_str(0, prefix));
        }
        finding
    }
}

fn identity(object: &Value) -> Identity {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Identity {
        api_version: text("/apiVersion"),
        kind: text("/kind"),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
    }
}

fn notes(ungoverned: &[Engine], workloads: usize, is_complete: bool) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, engine) in Engine::NAMES {
        let count = ungoverned.iter().filter(|other| **other == engine).count();
        if count > 0 {
            let (runs, are) = if count == 1 { ("workload runs", "is") } else { ("workloads run", "are") };
            let product = engine.product();
            notes.push(format!(
                "{count} {runs} {product} and {are} not checked; --engine {name} or --engine all checks it"
            ));
        }
    }
    if is_complete && workloads == 0 && ungoverned.is_empty() {
        notes.push("no workload here runs SQL Edge or SQL Server".to_owned());
    }
    notes
}
