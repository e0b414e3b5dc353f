//! Checks manifests as one application.
//!
//! Files are scanned in parallel; the results are in a fixed order. Of all that is read, only documents with related
//! objects and database workloads are kept until every file is known.
//!
//! | file | holds |
//! |---|---|
//! | `check` | the rules applied to an object, without any text |
//! | `scan` | texts -> objects and the findings on each object alone |
//! | `contents` | the numbers of objects, and facts for notes |
//! | `application` | the findings on the objects of an application, seen together |
//! | `list_items` | the objects in a document |
//! | `namespace` | the namespace of objects that name none |
//! | `resolve` | workloads that are read together with other objects |
//! | `locate`, `related` | findings -> spans in the texts |
//! | `ignores` | ignore comments and entries |
//! | `notes` | what is said beside the findings |

mod application;
mod check;
mod contents;
mod ignores;
pub(crate) mod list_items;
mod locate;
mod misplaced;
mod namespace;
mod notes;
mod related;
mod resolve;
mod scan;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use sqledge_ha_policy::engine::Engine;
use sqledge_ha_policy::finding::Finding;
use sqledge_ha_policy::rules::retired_engine;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;

use self::application::Application;
pub use self::check::{Level, ObjectFinding, ObjectId, check_object, check_relations};
use self::contents::Contents;
pub use self::ignores::{
    IgnoreEntry, Ignores, ObjectPattern, PathFilter, Validity, comment_notes, ignore_insertion, parse_date,
};
pub use self::list_items::{TextObject, objects_of_text};
use self::notes::notes;
#[cfg(feature = "audit")]
pub(crate) use self::notes::truncation;
pub use self::related::RelatedLocation;
pub use self::resolve::{check_rollout_of_deployment, runs_other_pods};
#[cfg(feature = "audit")]
pub(crate) use self::resolve::{possible_database, shorten_to_original};
pub use self::scan::{FileScan, scan};
use crate::manifest::{Document, ReadError};
use crate::parallel;
use crate::prefilter::Prefilter;
use crate::rendered::Rendered;

/// A file that was checked.
#[derive(Clone, Debug, Default)]
pub struct LintedFile {
    /// The name in reports.
    pub name: String,
    /// The whole text; empty if the prefilter found nothing to check in it and dropped it.
    pub text: String,
    /// The path, if it is a file on disk.
    pub path: Option<PathBuf>,
    /// The origins of its documents, if it is a rendered manifest.
    pub rendered: Option<Rendered>,
    /// The number of its application. Files with different numbers are not seen together: they are variants of an
    /// application.
    pub application: usize,
    /// The namespace of its objects that name none, once [`lint`] knows the other files.
    pub(crate) namespace: String,
    /// The documents whose objects have relations, reduced to what these depend on. Shared, because scans are checked
    /// again and again with others.
    kept_documents: Vec<Arc<Document>>,
    /// The spans of the documents in which every object was checked, in order.
    checked_spans: Vec<Range<usize>>,
    /// The start of every ignore comment that hides a finding, or would if it had not expired.
    used_comments: BTreeSet<usize>,
    /// Findings on single objects, until [`lint`] collects them.
    findings: Vec<LocatedFinding>,
    contents: Contents,
    /// Whether any of its objects is a Service or a workload with a selected database, or has a parse error.
    is_relevant: bool,
    /// The number of objects that are no workloads, but name an image of a database.
    image_names: usize,
    /// Whether one of its objects is of one of OpenShift's groups.
    is_for_openshift: bool,
    /// Whether it is a Kustomize patch.
    is_patch: bool,
    /// The directory of the chart that it is a template of, if it cannot be read without rendering it.
    chart: Option<String>,
    errors: Vec<ReadError>,
}

/// A finding with its location in a text.
#[derive(Clone, Debug)]
pub struct LocatedFinding {
    /// Index in [`LintResult::files`].
    pub file: usize,
    /// Index of the document in the file, from 0, not counting empty ones.
    pub document: usize,
    /// The bytes of the document in the text.
    pub document_span: Range<usize>,
    /// The bytes to show.
    pub span: Range<usize>,
    /// The object.
    pub object: Arc<ObjectId>,
    /// The finding; its pointers start at the document's root.
    pub finding: Finding,
    /// Related locations.
    pub related: Vec<RelatedLocation>,
    /// When the ignore comment or entry for it expired, and the reason of that.
    pub expired_ignore: Option<String>,
}

impl LocatedFinding {
    /// The level of the finding.
    pub fn level(&self) -> Level {
        Level::from_finding(&self.finding)
    }
}

/// An unreadable input, or a parse error in one.
#[derive(Debug)]
pub struct InputError {
    /// The name in reports.
    pub name: String,
    /// Index in [`LintResult::files`], if the text is there to show.
    pub file: Option<usize>,
    /// Whether it is a directory that cannot be searched or rendered.
    pub is_directory: bool,
    /// The error.
    pub error: ReadError,
}

/// Everything that a report needs.
#[derive(Debug, Default)]
pub struct LintResult {
    /// The files that were read, by name.
    pub files: Vec<LintedFile>,
    /// The findings, by file, span and rule.
    pub findings: Vec<LocatedFinding>,
    /// Unreadable inputs and parse errors.
    pub errors: Vec<InputError>,
    /// How much of the application the files are: a part, or all.
    pub scope: Scope,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// The selected products.
    pub engines: Vec<&'static Engine>,
    /// The number of objects in the files.
    pub objects: usize,
    /// The number of workloads with a selected database.
    pub workloads: usize,
    /// The number of workloads with a database that is not selected.
    pub unselected_workloads: usize,
    /// The number of ignored findings; `None` if ignore comments and entries have no effect.
    pub ignored: Option<usize>,
    /// What hides findings; `None` if nothing does.
    ignores: Option<Ignores>,
    /// The indices of the ignore entries that hide a finding, or would if they had not expired.
    used_entries: BTreeSet<usize>,
    /// Whether some object has more relations than the rules compare.
    is_truncated: bool,
}

impl LintResult {
    /// The number of findings of `level`.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level() == level).count()
    }

    /// The number of findings with a safe fix.
    pub fn fixable(&self) -> usize {
        self.findings.iter().filter(|located| located.finding.safe_edits().is_some()).count()
    }

    /// Whether nothing was checked: there is no workload. A part of an application may have none, unless the databases
    /// in it are not selected.
    pub fn is_nothing_to_check(&self) -> bool {
        self.workloads == 0 && (self.scope.is_complete() || self.unselected_workloads > 0)
    }

    /// Adds a note if a database is of a product that is retired, unless the settings have an action for the rule
    /// `retired-engine`.
    pub fn note_retirement(&mut self, settings: &Settings) {
        let is_news = settings.rules.action(retired_engine::RULE.id).is_none();
        if is_news && self.files.iter().any(|file| file.contents.has_retired_engine) {
            let note = "Microsoft retired SQL Edge on 2025-09-30; see `sqledge-ha explain retired-engine`";
            self.notes.push(note.to_owned());
        }
    }

    /// What hides findings; `None` if nothing does.
    pub fn ignores(&self) -> Option<&Ignores> {
        self.ignores.as_ref()
    }
}

impl LintedFile {
    /// Whether it has a workload with a selected database.
    pub fn has_workloads(&self) -> bool {
        self.contents.workloads > 0
    }

    /// Whether a tool rendered it in this run, so that there is no file to write it to.
    pub fn is_rendered_by_tool(&self) -> bool {
        self.rendered.as_ref().is_some_and(|rendered| rendered.by().is_some())
    }

    /// Whether it has any objects.
    pub fn has_objects(&self) -> bool {
        self.contents.objects > 0
    }
}

/// Checks texts with their names as an application, or a part of one.
pub fn lint_texts(texts: Vec<(String, String)>, prefilter: &Prefilter<'_>, scope: Scope) -> LintResult {
    let scans = parallel::map(texts, 1, |(name, text)| scan(name, text, prefilter));
    lint(scans, Vec::new(), prefilter, scope)
}

/// Checks texts that take the place of the files of `before`, each in the same application.
pub fn lint_again(texts: Vec<(String, String)>, before: &LintResult, prefilter: &Prefilter<'_>) -> LintResult {
    let texts: Vec<_> = texts.into_iter().zip(&before.files).collect();
    let again = |((name, text), file): ((String, String), &LintedFile)| {
        scan(name, text, prefilter).in_application(file.application)
    };
    lint(parallel::map(texts, 1, again), Vec::new(), prefilter, before.scope)
}

/// Checks scanned files as an application, or a part of one. `errors` are those of the files that could not be scanned.
pub fn lint(scans: Vec<FileScan>, errors: Vec<InputError>, prefilter: &Prefilter<'_>, scope: Scope) -> LintResult {
    let mut files = scan::scan_related(scans, prefilter);
    let mut result =
        LintResult { errors, engines: prefilter.settings().engines.to_vec(), scope, ..LintResult::default() };
    for (index, file) in files.iter_mut().enumerate() {
        let findings = std::mem::take(&mut file.findings).into_iter();
        result.findings.extend(findings.map(|located| LocatedFinding { file: index, ..located }));
        let errors = std::mem::take(&mut file.errors).into_iter();
        result.errors.extend(errors.map(|error| InputError {
            name: file.name.clone(),
            file: Some(index),
            is_directory: false,
            error,
        }));
    }
    for application in Application::all(&files, std::mem::take(&mut result.findings)) {
        let checked = application.check(&files, prefilter, scope);
        result.findings.extend(checked.findings);
        result.is_truncated |= checked.is_truncated;
        for (index, contents) in checked.new_databases {
            files.get_mut(index).into_iter().for_each(|file| file.contents += contents.clone());
        }
        for index in checked.files {
            files.get_mut(index).into_iter().for_each(|file| file.namespace.clone_from(&checked.namespace));
        }
    }
    result.findings.sort_by(|one, other| {
        let key = |located: &LocatedFinding| (located.file, located.span.start, located.finding.rule);
        key(one).cmp(&key(other))
    });
    for LintedFile { contents, .. } in &files {
        result.objects += contents.objects;
        result.workloads += contents.workloads;
        result.unselected_workloads += contents.unselected_workloads();
    }
    result.files = files;
    result.notes = notes(&result);
    result
}
