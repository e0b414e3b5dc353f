//! Texts to what rules can look at in them.
//!
//! In two steps: first whatever may run an engine is parsed, then the Services that may stand in front of one. The
//! documents of a large text are read side by side, as files are.

use std::ops::Range;

use rayon::prelude::*;
use sqledge_ha_policy::engine::Engine;
use sqledge_ha_policy::essence::essence;
use sqledge_ha_policy::kind::{Kind, has_judged_owner};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::workload::Workload;

use super::judging::judge_alone;
use super::parts::parts;
use super::sieve::{Concern, Labels, Selecting, Sieve};
use super::{Located, Manifest};
use crate::input::Source;
use crate::manifest::{Document, ReadError, document_spans, read_span};

/// So many documents are enough work for one thread.
const DOCUMENTS_AT_ONCE: usize = 64;

/// A text after the first step.
#[derive(Debug)]
pub(super) struct Half {
    manifest: Manifest,
    services: Vec<Unparsed>,
    labels: Labels,
}

/// A document that is left for the second step.
#[derive(Debug)]
struct Unparsed {
    chunk: Range<usize>,
    index: usize,
}

/// What one chunk of a text is.
enum Chunk {
    /// Nothing that concerns the rules, and so many objects.
    Idle { objects: usize },
    /// A Service, which is left for the second step.
    Service,
    /// Anything else has been read.
    Read(Box<Piece>),
}

/// What one chunk of a text came to.
#[derive(Default)]
struct Piece {
    held: Vec<Document>,
    /// The chunk, if every object in it is judged.
    judged: Option<Range<usize>>,
    findings: Vec<Located>,
    problems: Vec<ReadError>,
    /// How many documents it is, whether they are held or not.
    count: usize,
    objects: usize,
    workloads: usize,
    ungoverned: Vec<Engine>,
    labels: Labels,
}

/// Reads a source, as far as the first step.
pub(super) fn read(source: &Source, sieve: &Sieve<'_>) -> Result<Half, ReadError> {
    let mut half = begin(source.name(), source.read()?, sieve);
    if half.runs_engine() && source.path().is_some_and(|path| sieve.patches().contains(path)) {
        return Ok(Half::of_patch(half.manifest));
    }
    // Of most files nothing is looked at again; what came in on standard input may have to go out.
    if half.is_idle() && source.path().is_some() {
        half.manifest.text = String::new();
    } else {
        half.manifest.text.shrink_to_fit();
    }
    Ok(half)
}

/// The first step.
pub(super) fn begin(name: String, text: String, sieve: &Sieve<'_>) -> Half {
    let ranges: Vec<Range<usize>> = document_spans(&text).collect();
    let look = |range: &Range<usize>| Chunk::look(&text, range.clone(), sieve);
    let chunks: Vec<Chunk> = if ranges.len() <= DOCUMENTS_AT_ONCE {
        ranges.iter().map(look).collect()
    } else {
        ranges.par_iter().with_min_len(DOCUMENTS_AT_ONCE).map(look).collect()
    };
    let mut half = Half { manifest: Manifest::new(name, text), services: Vec::new(), labels: Labels::default() };
    let mut index = 0;
    for (chunk, range) in chunks.into_iter().zip(ranges) {
        index += half.take(chunk, range, index);
    }
    half
}

/// The second step, with the labels of all texts.
pub(super) fn complete(halves: Vec<Half>, settings: &Settings) -> Vec<Manifest> {
    let mut labels = Labels::default();
    let mut halves = halves;
    for half in &mut halves {
        labels.extend(std::mem::take(&mut half.labels));
    }
    let selecting = labels.selecting();
    halves.into_par_iter().map(|half| half.complete(&selecting, settings)).collect()
}

impl Half {
    /// Takes what a chunk is, whose first document is number `index`; gives how many documents it is.
    fn take(&mut self, chunk: Chunk, range: Range<usize>, index: usize) -> usize {
        match chunk {
            Chunk::Idle { objects } => self.manifest.objects += objects,
            Chunk::Service => {
                self.manifest.objects += 1;
                self.services.push(Unparsed { chunk: range, index });
            }
            Chunk::Read(piece) => {
                let count = piece.count;
                self.labels.extend(self.manifest.take(*piece, index));
                return count;
            }
        }
        1
    }

    /// Whether there is an engine in it, and nothing that could not be read.
    fn runs_engine(&self) -> bool {
        let Manifest { workloads, ungoverned, problems, .. } = &self.manifest;
        problems.is_empty() && (*workloads > 0 || !ungoverned.is_empty())
    }

    /// Of a patch only is known that it is one: what it makes of an object, Kustomize knows.
    fn of_patch(manifest: Manifest) -> Self {
        let Manifest { name, objects, .. } = manifest;
        let manifest = Manifest { name, objects, is_patch: true, ..Manifest::default() };
        Half { manifest, services: Vec::new(), labels: Labels::default() }
    }

    /// Says where it comes from.
    pub(super) fn comes_from(&mut self, source: Source) {
        self.manifest.source = Some(source);
    }

    fn is_idle(&self) -> bool {
        let manifest = &self.manifest;
        let is_empty = manifest.held.is_empty() && manifest.findings.is_empty() && manifest.problems.is_empty();
        self.services.is_empty() && is_empty
    }

    fn complete(mut self, selecting: &Selecting, settings: &Settings) -> Manifest {
        let text = &self.manifest.text;
        let wanted: Vec<&Unparsed> = self
            .services
            .iter()
            .filter(|service| text.get(service.chunk.clone()).is_some_and(|chunk| selecting.may_be(chunk)))
            .collect();
        let pieces: Vec<Piece> = wanted
            .par_iter()
            .with_min_len(DOCUMENTS_AT_ONCE)
            .map(|service| Piece::parse(text, service.chunk.clone(), settings))
            .collect();
        let indices: Vec<usize> = wanted.iter().map(|service| service.index).collect();
        for (piece, index) in pieces.into_iter().zip(indices) {
            // The first step has counted it.
            self.manifest.take(Piece { objects: 0, ..piece }, index);
        }
        self.manifest.held.sort_by_key(|document| document.index);
        self.manifest.judged.sort_by_key(|chunk| chunk.start);
        self.manifest.problems.sort_by_key(|problem| problem.byte);
        self.manifest
    }
}

impl Manifest {
    fn new(name: String, text: String) -> Self {
        Manifest { name, text, ..Manifest::default() }
    }

    /// Takes what a chunk came to, whose first document is number `index`; gives the labels of the pods in it.
    fn take(&mut self, piece: Piece, index: usize) -> Labels {
        self.held.extend(piece.held.into_iter().map(|document| document.with_index_offset(index)));
        self.judged.extend(piece.judged);
        let located = |located: Located| Located { document: located.document + index, ..located };
        self.findings.extend(piece.findings.into_iter().map(located));
        self.problems.extend(piece.problems);
        self.ungoverned.extend(piece.ungoverned);
        self.objects += piece.objects;
        self.workloads += piece.workloads;
        piece.labels
    }
}

impl Chunk {
    fn look(text: &str, range: Range<usize>, sieve: &Sieve<'_>) -> Self {
        match sieve.concern(text.get(range.clone()).unwrap_or_default()) {
            Concern::Nothing { objects } => Chunk::Idle { objects },
            Concern::Service => Chunk::Service,
            Concern::Engine => Chunk::Read(Box::new(Piece::parse(text, range, sieve.settings()))),
        }
    }
}

impl Piece {
    fn parse(text: &str, chunk: Range<usize>, settings: &Settings) -> Self {
        let mut piece = Piece::default();
        let mut is_judged = true;
        for read in read_span(text, chunk.clone(), 0) {
            piece.count += 1;
            match read {
                Ok(document) => is_judged &= piece.look(document, settings),
                Err(problem) => piece.problems.push(problem),
            }
        }
        piece.judged = Some(chunk).filter(|_| is_judged && !piece.held.is_empty());
        piece
    }

    /// Judges what stands alone in a document, and holds what has relations until all is read. Says whether every object
    /// in it is judged.
    fn look(&mut self, mut document: Document, settings: &Settings) -> bool {
        let mut essences = Vec::new();
        let mut has_service = false;
        let parts = parts(&document.value);
        let is_list = parts.len() > 1;
        let (objects, mut judged) = (parts.len(), 0);
        for part in parts {
            self.objects += usize::from(part.value.get("kind").is_some());
            let Some(kind) = Kind::of_object(part.value) else { continue };
            let is_judged = !has_judged_owner(part.value);
            if kind == Kind::Service {
                has_service = true;
                judged += usize::from(is_judged);
            }
            let Some(workload) = Workload::read(part.value, kind, settings) else { continue };
            if !workload.is_governed() {
                let first = workload.ungoverned.first().filter(|_| is_judged);
                self.ungoverned.extend(first.map(|container| container.engine));
                continue;
            }
            self.labels.add(&workload);
            self.workloads += usize::from(is_judged);
            judged += usize::from(is_judged && workload.ungoverned.is_empty());
            essences.push((part.prefix.clone(), kind));
            if is_judged {
                self.findings.extend(judge_alone(&document, part, kind, settings));
            }
        }
        if has_service || !essences.is_empty() {
            for (prefix, kind) in essences {
                if let Some(object) = document.value.pointer_mut(&prefix) {
                    *object = essence(std::mem::take(object), kind);
                }
            }
            // Few have findings that lie between objects: reading one object again takes less than keeping all places, but
            // a list would be read once for each item.
            self.held.push(if is_list { document.compact() } else { document.without_spans() });
        }
        judged == objects
    }
}
