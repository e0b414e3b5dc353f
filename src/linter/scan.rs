//! From texts to the objects and findings in them.
//!
//! There are two passes, because the prefilter can skip Services that select no database: [`scan`] checks everything else,
//! [`scan_services`] the Services that are left. Large files are scanned document by document in parallel.

use std::ops::Range;

use sqledge_ha_policy::engine::Engine;
use sqledge_ha_policy::kind::{Kind, has_judged_owner};
use sqledge_ha_policy::workload::Workload;

use super::check::check_object;
use super::list_items::objects_in;
use super::locate::ObjectLocation;
use super::{LintedFile, LocatedFinding};
use crate::input::Source;
use crate::manifest::{Document, ReadError, document_spans, read_span};
use crate::parallel;
use crate::prefilter::{DatabaseLabels, Prefilter, Relevance, ServiceMatcher};

/// The least number of documents that a thread scans at a time.
const BATCH: usize = 64;

/// A file after the first pass.
#[derive(Debug)]
pub struct FileScan {
    file: LintedFile,
    services: Vec<DeferredService>,
    labels: DatabaseLabels,
}

/// A Service for the second pass.
#[derive(Debug)]
struct DeferredService {
    span: Range<usize>,
    index: usize,
}

/// The result of the first pass for one document.
enum ScanStep {
    /// No rule reads its objects.
    Irrelevant {
        objects: usize,
    },
    /// A Service for the second pass.
    Service,
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
    objects: usize,
    workloads: usize,
    unselected_engines: Vec<Engine>,
    labels: DatabaseLabels,
}

/// The first pass over the text of one file.
pub fn scan(name: String, text: String, prefilter: &Prefilter<'_>) -> FileScan {
    let spans: Vec<Range<usize>> = document_spans(&text).collect();
    let steps = parallel::map(spans.clone(), BATCH, |span| ScanStep::new(&text, span, prefilter));
    let file = LintedFile { name, text, ..LintedFile::default() };
    let mut scan = FileScan { file, services: Vec::new(), labels: DatabaseLabels::default() };
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

/// The second pass over all files.
pub(super) fn scan_services(mut scans: Vec<FileScan>, prefilter: &Prefilter<'_>) -> Vec<LintedFile> {
    let mut labels = DatabaseLabels::default();
    for scan in &mut scans {
        labels.extend(std::mem::take(&mut scan.labels));
    }
    let matcher = ServiceMatcher::new(labels);
    parallel::map(scans, 1, |scan| scan.into_file(&matcher, prefilter))
}

impl FileScan {
    /// Adds the result for a document that starts with document number `index`. Returns the number of documents in it.
    fn add(&mut self, step: ScanStep, span: Range<usize>, index: usize) -> usize {
        match step {
            ScanStep::Irrelevant { objects } => self.file.objects += objects,
            ScanStep::Service => {
                self.file.objects += 1;
                self.services.push(DeferredService { span, index });
            }
            ScanStep::Scanned(document) => {
                let documents = document.documents;
                self.labels.extend(self.file.add(*document, index));
                return documents;
            }
        }
        1
    }

    /// Whether the file has a workload with a database, and no errors.
    pub fn has_database(&self) -> bool {
        let LintedFile { workloads, unselected_engines, errors, .. } = &self.file;
        errors.is_empty() && (*workloads > 0 || !unselected_engines.is_empty())
    }

    /// The same file, known to be a Kustomize patch: only Kustomize knows the objects that result from it.
    #[must_use]
    pub fn into_patch(self) -> Self {
        let LintedFile { name, objects, .. } = self.file;
        let file = LintedFile { name, objects, is_patch: true, ..LintedFile::default() };
        FileScan { file, services: Vec::new(), labels: DatabaseLabels::default() }
    }

    /// The same file with its source.
    #[must_use]
    pub fn with_source(mut self, source: Source) -> Self {
        self.file.source = Some(source);
        self
    }

    fn is_relevant(&self) -> bool {
        !(self.services.is_empty() && self.file.kept_documents.is_empty() && self.file.errors.is_empty())
    }

    fn into_file(self, matcher: &ServiceMatcher, prefilter: &Prefilter<'_>) -> LintedFile {
        let FileScan { mut file, services, .. } = self;
        let text = &file.text;
        let is_match =
            |service: &DeferredService| text.get(service.span.clone()).is_some_and(|text| matcher.matches(text));
        let services: Vec<DeferredService> = services.into_iter().filter(is_match).collect();
        let scans =
            parallel::map(services, BATCH, |service| (DocumentScan::new(text, service.span, prefilter), service.index));
        for (scan, index) in scans {
            // The first pass has counted it.
            file.add(DocumentScan { objects: 0, ..scan }, index);
        }
        file.kept_documents.sort_by_key(|document| document.index);
        file.checked_spans.sort_by_key(|span| span.start);
        file.errors.sort_by_key(|error| error.byte);
        file
    }
}

impl LintedFile {
    /// Adds a document that starts with document number `index`. Returns the labels of the database pods in it.
    fn add(&mut self, scan: DocumentScan, index: usize) -> DatabaseLabels {
        self.kept_documents.extend(scan.kept_documents.into_iter().map(|document| document.with_index_offset(index)));
        self.checked_spans.extend(scan.checked_span);
        let findings = scan.findings.into_iter();
        self.findings.extend(findings.map(|located| LocatedFinding { document: located.document + index, ..located }));
        self.errors.extend(scan.errors);
        self.unselected_engines.extend(scan.unselected_engines);
        self.objects += scan.objects;
        self.workloads += scan.workloads;
        scan.labels
    }
}

impl ScanStep {
    fn new(text: &str, span: Range<usize>, prefilter: &Prefilter<'_>) -> Self {
        match prefilter.relevance(text.get(span.clone()).unwrap_or_default()) {
            Relevance::Irrelevant { objects } => ScanStep::Irrelevant { objects },
            Relevance::Service => ScanStep::Service,
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
                Ok(document) => is_checked &= scan.check(document, prefilter),
                Err(error) => scan.errors.push(error),
            }
        }
        scan.checked_span = Some(span).filter(|_| is_checked && !scan.kept_documents.is_empty());
        scan
    }

    /// Checks the objects of a document, and keeps it if they have relations. Returns whether it checked every object.
    fn check(&mut self, document: Document, prefilter: &Prefilter<'_>) -> bool {
        let settings = prefilter.settings();
        let mut workloads = Vec::new();
        let mut has_service = false;
        let objects = objects_in(&document.value);
        let (count, mut checked) = (objects.len(), 0);
        for item in objects {
            let object = item.value;
            self.objects += usize::from(object.get("kind").is_some_and(|kind| !kind.is_null()));
            let Some(kind) = Kind::of_object(object) else { continue };
            // The rules report on the controller that owns the object.
            let is_checked = !has_judged_owner(object);
            if kind == Kind::Service {
                has_service = true;
                checked += usize::from(is_checked);
            }
            let Some(workload) = Workload::read(object, kind, settings) else { continue };
            if !workload.is_governed() {
                let first = workload.ungoverned.first().filter(|_| is_checked);
                self.unselected_engines.extend(first.map(|container| container.engine));
                continue;
            }
            self.labels.add(&workload);
            self.workloads += usize::from(is_checked);
            checked += usize::from(is_checked && workload.ungoverned.is_empty());
            workloads.push((item.prefix.clone(), kind));
            if is_checked {
                let findings = check_object(object, kind, settings);
                self.findings.extend(ObjectLocation { file: 0, document: &document, item }.locate(findings));
            }
        }
        if has_service || !workloads.is_empty() {
            self.kept_documents.push(prefilter.reduce(document, &workloads));
        }
        checked == count
    }
}
