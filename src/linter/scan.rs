//! From texts to the objects and findings in them.
//!
//! There are two passes, because the prefilter can skip objects that are related to no database: [`scan`] checks
//! everything else, [`scan_related`] the related objects. Large files are scanned document by document in parallel.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use memchr::memmem;
use serde_json::Value;
use sqledge_ha_policy::kubernetes::config_maps::config_map_names;
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind, has_checked_owner};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::workload::Workload;

use super::check::check_object;
use super::contents::Contents;
use super::list_items::{ListItem, complete, objects_in};
use super::locate::ObjectLocation;
use super::misplaced::misplaced_image;
use super::resolve::{possible_database, runs_other_pods};
use super::{LintedFile, LocatedFinding};
use crate::manifest::{Document, ReadError, document_spans, read_span};
use crate::parallel;
use crate::prefilter::{DatabaseNames, Prefilter, RelatedMatcher, Relevance};
use crate::rendered::Rendered;

/// The least number of documents that a thread scans at a time.
const BATCH: usize = 64;

/// A file after the first pass.
#[derive(Clone, Debug)]
pub struct FileScan {
    file: LintedFile,
    deferred: Vec<DeferredDocument>,
    names: DatabaseNames,
}

/// A document for the second pass.
#[derive(Clone, Debug)]
struct DeferredDocument {
    kind: Kind,
    span: Range<usize>,
    index: usize,
}

/// The result of the first pass for one document.
enum ScanStep {
    /// No rule reads its objects.
    Irrelevant {
        objects: usize,
    },
    /// No workload, but it names an image of a database.
    NamesImage,
    /// A document for the second pass.
    Deferred(Kind),
    Scanned(Box<DocumentScan>),
}

/// What is in one document. The span of a document can hold several documents.
#[derive(Default)]
struct DocumentScan {
    kept_documents: Vec<Document>,
    /// The document's span, if every object in it was checked.
    checked_span: Option<Range<usize>>,
    findings: Vec<LocatedFinding>,
    errors: Vec<ReadError>,
    documents: usize,
    contents: Contents,
    names: DatabaseNames,
}

/// What the first check of an object leaves to do.
#[derive(Default)]
struct ScannedObject {
    /// Its kind, if it is kept because it has relations.
    kept: Option<Kind>,
    /// Whether it is checked again when all files are known, which needs the whole document.
    is_late: bool,
    /// Whether every rule for it is checked, now or later.
    is_checked: bool,
}

/// The first pass over the text of one file.
pub fn scan(name: String, text: String, prefilter: &Prefilter<'_>) -> FileScan {
    let is_for_openshift = names_openshift_group(&text);
    let spans: Vec<Range<usize>> = document_spans(&text).collect();
    let steps = parallel::map(spans.clone(), BATCH, |span| ScanStep::new(&text, span, prefilter));
    let file = LintedFile { name, text, is_for_openshift, ..LintedFile::default() };
    let mut scan = FileScan { file, deferred: Vec::new(), names: DatabaseNames::default() };
    let mut index = 0;
    for (step, span) in steps.into_iter().zip(spans) {
        index += scan.add(step, span, index);
    }
    scan.file.is_relevant = scan.is_relevant();
    if !scan.file.is_relevant && !prefilter.keeps_texts() {
        scan.file.text = String::new();
    }
    scan.file.text.shrink_to_fit();
    scan
}

/// Whether the `apiVersion` of an object in a text is of one of OpenShift's groups, e.g. `route.openshift.io/v1`.
fn names_openshift_group(text: &str) -> bool {
    memmem::find_iter(text.as_bytes(), ".openshift.io/v").any(|at| {
        // Not the whole line: a long one can have many such texts.
        let start = text.floor_char_boundary(at.saturating_sub(MAX_GROUP));
        let line = text.get(start..at).map(|before| before.rsplit('\n').next().unwrap_or(before));
        line.is_some_and(|line| {
            let before = line.trim_end_matches(|letter: char| letter.is_ascii_lowercase() || letter == '.');
            !line.contains('#') && before.trim_end_matches([' ', '"', '\'', ':']).ends_with("apiVersion")
        })
    })
}

/// How far in front of its end a group and its key can begin, in bytes: a name has at most 253.
const MAX_GROUP: usize = 300;

/// The second pass over all files.
pub(super) fn scan_related(mut scans: Vec<FileScan>, prefilter: &Prefilter<'_>) -> Vec<LintedFile> {
    let mut names = DatabaseNames::default();
    for scan in &mut scans {
        names.extend(std::mem::take(&mut scan.names));
    }
    let matcher = RelatedMatcher::new(&names);
    parallel::map(scans, 1, |scan| scan.into_file(&matcher, prefilter))
}

impl FileScan {
    /// Adds the result for a document that starts with document number `index`. Returns the number of documents in it.
    fn add(&mut self, step: ScanStep, span: Range<usize>, index: usize) -> usize {
        match step {
            ScanStep::Irrelevant { objects } => self.file.contents.objects += objects,
            ScanStep::NamesImage => {
                self.file.contents.objects += 1;
                self.file.image_names += 1;
            }
            ScanStep::Deferred(kind) => {
                self.file.contents.objects += 1;
                self.deferred.push(DeferredDocument { kind, span, index });
            }
            ScanStep::Scanned(document) => {
                let documents = document.documents;
                self.names.extend(self.file.add(*document, index));
                return documents;
            }
        }
        1
    }

    /// Whether the file has a workload with a database, or one that may be, and no errors.
    pub fn has_database(&self) -> bool {
        let LintedFile { contents, errors, .. } = &self.file;
        let has_database = contents.workloads > 0 || !contents.unselected_engines.is_empty();
        errors.is_empty() && (has_database || contents.has_possible_database)
    }

    /// Whether it cannot be read in full.
    pub fn has_errors(&self) -> bool {
        !self.file.errors.is_empty()
    }

    /// The same file, known to be a Kustomize patch: only Kustomize knows the objects that result from it.
    #[must_use]
    pub fn into_patch(self) -> Self {
        let LintedFile { name, contents, .. } = self.file;
        let contents = Contents { objects: contents.objects, ..Contents::default() };
        let file = LintedFile { name, contents, is_patch: true, ..LintedFile::default() };
        FileScan { file, deferred: Vec::new(), names: DatabaseNames::default() }
    }

    /// The same file, known to be a template of the chart in this directory: only Helm knows what it renders.
    #[must_use]
    pub fn into_template(self, chart: String) -> Self {
        let LintedFile { name, .. } = self.file;
        let file = LintedFile { name, chart: Some(chart), ..LintedFile::default() };
        FileScan { file, deferred: Vec::new(), names: DatabaseNames::default() }
    }

    /// The same file with its path, if it is a file on disk.
    #[must_use]
    pub fn with_path(mut self, path: Option<PathBuf>) -> Self {
        self.file.path = path;
        self
    }

    /// The same file, as a part of the application with this number.
    #[must_use]
    pub fn in_application(mut self, application: usize) -> Self {
        self.file.application = application;
        self
    }

    /// The same file, with the origins that `rendered` finds for its text.
    #[must_use]
    pub fn with_rendered(mut self, rendered: impl FnOnce(&str) -> Option<Rendered>) -> Self {
        self.file.rendered = rendered(&self.file.text);
        self
    }

    fn is_relevant(&self) -> bool {
        !(self.deferred.is_empty() && self.file.kept_documents.is_empty() && self.file.errors.is_empty())
    }

    fn into_file(self, matcher: &RelatedMatcher, prefilter: &Prefilter<'_>) -> LintedFile {
        let FileScan { mut file, deferred, .. } = self;
        let text = &file.text;
        let is_match = |document: &DeferredDocument| {
            text.get(document.span.clone()).is_some_and(|text| matcher.matches(document.kind, text))
        };
        let deferred: Vec<DeferredDocument> = deferred.into_iter().filter(is_match).collect();
        let scans = parallel::map(deferred, BATCH, |document| {
            (DocumentScan::new(text, document.span, prefilter), document.index)
        });
        for (mut scan, index) in scans {
            // The first pass has counted it.
            scan.contents.objects = 0;
            file.add(scan, index);
        }
        file.kept_documents.sort_by_key(|document| document.index);
        file.checked_spans.sort_by_key(|span| span.start);
        file.errors.sort_by_key(|error| error.byte);
        file
    }
}

impl LintedFile {
    /// Adds a document that starts with document number `index`. Returns the names of the database pods in it.
    fn add(&mut self, scan: DocumentScan, index: usize) -> DatabaseNames {
        let kept = scan.kept_documents.into_iter().map(|document| Arc::new(document.with_index_offset(index)));
        self.kept_documents.extend(kept);
        self.checked_spans.extend(scan.checked_span);
        let findings = scan.findings.into_iter();
        self.findings.extend(findings.map(|located| LocatedFinding { document: located.document + index, ..located }));
        self.errors.extend(scan.errors);
        self.contents += scan.contents;
        scan.names
    }
}

impl ScanStep {
    fn new(text: &str, span: Range<usize>, prefilter: &Prefilter<'_>) -> Self {
        match prefilter.relevance(text.get(span.clone()).unwrap_or_default()) {
            Relevance::Irrelevant { objects } => ScanStep::Irrelevant { objects },
            Relevance::NamesImage => ScanStep::NamesImage,
            Relevance::Related(kind) => ScanStep::Deferred(kind),
            Relevance::Relevant => ScanStep::Scanned(Box::new(DocumentScan::new(text, span, prefilter))),
        }
    }
}

impl DocumentScan {
    /// Reads the documents in `span` of `text`, and checks each object alone.
    fn new(text: &str, span: Range<usize>, prefilter: &Prefilter<'_>) -> Self {
        let mut scan = DocumentScan::default();
        let mut is_checked = true;
        for document in read_span(text, span.clone(), 0) {
            scan.documents += 1;
            match document {
                Ok(mut document) => {
                    complete(&mut document.value);
                    is_checked &= scan.check(text, document, prefilter);
                }
                Err(error) => scan.errors.push(error),
            }
        }
        scan.checked_span = Some(span).filter(|_| is_checked && !scan.kept_documents.is_empty());
        scan
    }

    /// Checks the objects of a document, and keeps it if they have relations. Returns whether it checked every object.
    fn check(&mut self, text: &str, document: Document, prefilter: &Prefilter<'_>) -> bool {
        let (mut kept, mut keeps_all, mut is_checked) = (Vec::new(), false, true);
        for item in objects_in(&document.value) {
            let object = self.scan_object(text, &document, &item, prefilter);
            kept.extend(object.kept.map(|kind| (item.prefix, kind)));
            keeps_all |= object.is_late;
            is_checked &= object.is_checked;
        }
        self.contents.has_late_workloads |= keeps_all;
        if !kept.is_empty() {
            self.kept_documents.push(if keeps_all { document } else { prefilter.reduce(document, &kept) });
        }
        is_checked
    }

    /// Counts an object, and checks it alone if it is a workload with a selected database.
    fn scan_object(
        &mut self,
        text: &str,
        document: &Document,
        item: &ListItem<'_>,
        prefilter: &Prefilter<'_>,
    ) -> ScannedObject {
        let object = item.value;
        self.contents.objects += usize::from(object.get("kind").is_some_and(|kind| !kind.is_null()));
        let Some(kind) = Kind::from_object(object) else { return ScannedObject::default() };
        // The rules report on the controller that owns the object.
        let is_checked = !has_checked_owner(kind, object);
        let Some(workload_kind) = kind.workload() else {
            let kept = Some(kind).filter(|kind| prefilter.uses(*kind));
            return ScannedObject { kept, is_late: false, is_checked: is_checked && kind.is_checked() };
        };
        let Some(workload) = Workload::read(object, workload_kind, prefilter.settings()) else {
            // It can have the same claim or labels as a database.
            let is_late = self.add_possible_database(object, workload_kind, prefilter.settings())
                || runs_other_pods(object, workload_kind);
            let misplaced = misplaced_image(document, &item.prefix, object, workload_kind, prefilter.settings());
            self.errors.extend(misplaced);
            return ScannedObject { kept: Some(kind), is_late, is_checked: false };
        };
        self.contents.add(&workload, is_checked);
        if !workload.has_selected_engine() {
            return ScannedObject::default();
        }
        let config_maps = config_map_names(object, workload_kind);
        let is_late = !config_maps.is_empty();
        self.names.add(&workload);
        self.names.add_config_maps(&config_maps);
        if is_checked && !is_late {
            let findings = check_object(object, kind, prefilter.settings());
            self.findings.extend(ObjectLocation { file: 0, document, item: item.clone() }.locate(findings, text));
        }
        ScannedObject { kept: Some(kind), is_late, is_checked: is_checked && workload.unselected_engines.is_empty() }
    }

    /// Adds the names that are related to a workload that ConfigMaps may make a database. Returns whether it is one.
    fn add_possible_database(&mut self, object: &Value, kind: WorkloadKind, settings: &Settings) -> bool {
        let Some(copy) = possible_database(object, kind, settings) else { return false };
        let workload = Workload::read(&copy, kind, settings);
        workload.iter().filter(|workload| workload.has_selected_engine()).for_each(|workload| self.names.add(workload));
        self.names.add_config_maps(&config_map_names(object, kind));
        self.contents.has_possible_database = true;
        true
    }
}
