//! Checks manifests as one application.
//!
//! Files are scanned in parallel; the results are in a fixed order. Of all that is read, only documents with related
//! objects and database workloads are kept until every file is known.
//!
//! | file | holds |
//! |---|---|
//! | `check` | the rules applied to an object, without any text |
//! | `scan` | texts -> objects and the findings on each object alone |
//! | `list_items` | the objects in a document |
//! | `namespace` | the namespace of objects that name none |
//! | `resolve` | workloads that are read together with other objects |
//! | `locate`, `related` | findings -> spans in the texts |
//! | `ignores` | ignore comments and entries |

mod check;
mod ignores;
pub(crate) mod list_items;
mod locate;
mod namespace;
mod related;
mod resolve;
mod scan;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use sqledge_ha_policy::engine::{ENGINES, Engine};
use sqledge_ha_policy::finding::{Finding, quoted};
use sqledge_ha_policy::kubernetes::DEFAULT_NAMESPACE;
use sqledge_ha_policy::rules::{retired_engine, volume_ownership};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::index::{IndexEntry, MAX_RELATED, ObjectIndex};

pub use self::check::{Level, ObjectFinding, ObjectId, check_object, check_relations};
pub use self::ignores::{
    IgnoreEntry, Ignores, ObjectPattern, PathFilter, Validity, comment_notes, ignore_insertion, parse_date,
};
use self::list_items::objects_in;
pub use self::list_items::{TextObject, objects_of_text};
use self::locate::ObjectLocation;
use self::namespace::only_namespace;
pub use self::related::RelatedLocation;
use self::resolve::{Resolved, resolve_all};
pub use self::resolve::{check_rollout_of_deployment, runs_other_pods};
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
    objects: usize,
    workloads: usize,
    /// Whether any of its objects is a Service or a workload with a selected database, or has a parse error.
    is_relevant: bool,
    /// The number of workloads with a database and an API version that no API server accepts.
    former_versions: usize,
    /// The number of workloads with an image whose name resembles SQL Edge.
    resembling_images: usize,
    /// Whether a database is of a product that is retired.
    has_retired_engine: bool,
    /// The number of objects that are no workloads, but name an image of a database.
    image_names: usize,
    /// Whether one of its workloads is read together with other objects.
    has_late_workloads: bool,
    /// Whether one of its objects is of one of OpenShift's groups.
    is_for_openshift: bool,
    /// Whether it is a Kustomize patch.
    is_patch: bool,
    /// The directory of the chart that it is a template of, if it cannot be read without rendering it.
    chart: Option<String>,
    /// The databases that are not selected.
    unselected_engines: Vec<&'static Engine>,
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
    pub fn is_nothing_to_check(&self, partial: bool) -> bool {
        self.workloads == 0 && (!partial || self.unselected_workloads > 0)
    }
}

impl LintResult {
    /// Adds a note if a database is of a product that is retired, unless the settings have an action for the rule
    /// `retired-engine`.
    pub fn note_retirement(&mut self, settings: &Settings) {
        let is_news = settings.rules.action(retired_engine::RULE.id).is_none();
        if is_news && self.files.iter().any(|file| file.has_retired_engine) {
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
        self.workloads > 0
    }

    /// Whether a tool rendered it in this run, so that there is no file to write it to.
    pub fn is_rendered_by_tool(&self) -> bool {
        self.rendered.as_ref().is_some_and(|rendered| rendered.by().is_some())
    }

    /// Whether it has any objects.
    pub fn has_objects(&self) -> bool {
        self.objects > 0
    }
}

/// Checks texts with their names as one application; with `partial`, as a part of one.
pub fn lint_texts(texts: Vec<(String, String)>, prefilter: &Prefilter<'_>, partial: bool) -> LintResult {
    let scans = parallel::map(texts, 1, |(name, text)| scan(name, text, prefilter));
    lint(scans, Vec::new(), prefilter, partial)
}

/// Checks texts that take the place of `files`, each in the same application.
pub fn lint_again(
    texts: Vec<(String, String)>,
    files: &[LintedFile],
    prefilter: &Prefilter<'_>,
    partial: bool,
) -> LintResult {
    let texts: Vec<_> = texts.into_iter().zip(files).collect();
    let again = |((name, text), file): ((String, String), &LintedFile)| {
        scan(name, text, prefilter).in_application(file.application)
    };
    lint(parallel::map(texts, 1, again), Vec::new(), prefilter, partial)
}

/// Checks scanned files as one application; with `partial`, as a part of one. `errors` are those of the files that
/// could not be scanned.
pub fn lint(scans: Vec<FileScan>, errors: Vec<InputError>, prefilter: &Prefilter<'_>, partial: bool) -> LintResult {
    let mut files = scan::scan_related(scans, prefilter);
    let mut result = LintResult { errors, engines: prefilter.settings().engines.to_vec(), ..LintResult::default() };
    for (index, file) in files.iter_mut().enumerate() {
        result.objects += file.objects;
        result.workloads += file.workloads;
        result.unselected_workloads += file.unselected_engines.len() + file.resembling_images;
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
    let mut applications: BTreeMap<usize, Application> = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        applications.entry(file.application).or_default().files.push(index);
    }
    for located in std::mem::take(&mut result.findings) {
        let application = files.get(located.file).map_or(0, |file| file.application);
        applications.entry(application).or_default().findings.push(located);
    }
    let scope = if partial { Scope::Part } else { Scope::Application };
    for Application { files: members, findings } in applications.into_values() {
        let checked = check_application(&files, &members, findings, prefilter, scope);
        result.findings.extend(checked.findings);
        result.is_truncated |= checked.is_truncated;
        for member in members {
            files.get_mut(member).into_iter().for_each(|file| file.namespace.clone_from(&checked.namespace));
        }
    }
    result.findings.sort_by(|one, other| {
        let key = |located: &LocatedFinding| (located.file, located.span.start, located.finding.rule);
        key(one).cmp(&key(other))
    });
    result.files = files;
    result.notes = notes(&result, partial);
    result
}

/// The files that are applied together, by their indices, and the findings on single objects in them.
#[derive(Default)]
struct Application {
    files: Vec<usize>,
    findings: Vec<LocatedFinding>,
}

/// All findings in the files of an application.
struct CheckedApplication {
    findings: Vec<LocatedFinding>,
    /// The namespace of objects that name none.
    namespace: String,
    /// Whether some object has more relations than the rules compare.
    is_truncated: bool,
}

/// Adds the findings of the rules that look up other objects to those on single objects.
fn check_application(
    files: &[LintedFile],
    members: &[usize],
    mut findings: Vec<LocatedFinding>,
    prefilter: &Prefilter<'_>,
    scope: Scope,
) -> CheckedApplication {
    let own_files = || members.iter().filter_map(|index| Some((*index, files.get(*index)?)));
    let mut settings = Cow::Borrowed(prefilter.settings());
    if own_files().any(|(_, file)| file.is_for_openshift) {
        settings.to_mut().adapt_to_openshift();
        // When the objects were checked alone, the other files were not known.
        findings.retain(|located| located.finding.rule != volume_ownership::RULE.id);
    }
    let documents =
        own_files().flat_map(|(file, linted)| linted.kept_documents.iter().map(move |document| (file, &**document)));
    let objects: Vec<ObjectLocation<'_>> = documents
        .flat_map(|(file, document)| {
            objects_in(&document.value).into_iter().map(move |item| ObjectLocation { file, document, item })
        })
        .collect();
    let own_namespace = prefilter.namespace().or_else(|| only_namespace(&objects, &settings));
    let namespace = own_namespace.unwrap_or(DEFAULT_NAMESPACE);
    let may_be_late = |file: usize| files.get(file).is_some_and(|file| file.has_late_workloads);
    let resolved = resolve_all(&objects, namespace, may_be_late);
    let numbered = || objects.iter().enumerate().collect::<Vec<_>>();
    let for_look_ups = |at: usize| resolved.get(&at).and_then(Resolved::for_look_ups);
    let entries = parallel::map(numbered(), 64, |(at, object): (usize, &ObjectLocation<'_>)| {
        IndexEntry::read(for_look_ups(at).unwrap_or(object.item.value), namespace)
    });
    let index = ObjectIndex::from_entries(scope, namespace, entries.into_iter().flatten());
    let text = |file: usize| files.get(file).map_or("", |file| file.text.as_str());
    let found = parallel::map(numbered(), 16, |(at, object): (usize, &ObjectLocation<'_>)| {
        let mut findings = resolved.get(&at).map(|resolved| resolved.check(&settings)).unwrap_or_default();
        findings.extend(check_relations(for_look_ups(at).unwrap_or(object.item.value), &settings, &index));
        object.locate(findings, text(object.file))
    });
    let found: Vec<LocatedFinding> = found.into_iter().flatten().collect();
    remove_replaced(&mut findings, &found);
    findings.extend(found);
    CheckedApplication {
        findings: related::locate_related(&objects, &text, findings),
        namespace: namespace.to_owned(),
        is_truncated: index.is_truncated(),
    }
}

/// Removes the findings on single objects that a finding with a look-up replaces.
fn remove_replaced(findings: &mut Vec<LocatedFinding>, found: &[LocatedFinding]) {
    let key = |located: &LocatedFinding| (located.file, located.document_span.start, located.finding.rule);
    let replacing: Vec<&LocatedFinding> = found.iter().filter(|located| located.finding.replaces_others).collect();
    if !replacing.is_empty() {
        let is_replaced = |located: &LocatedFinding| {
            replacing.iter().any(|other| key(other) == key(located) && other.object == located.object)
        };
        findings.retain(|located| !is_replaced(located));
    }
}

fn notes(result: &LintResult, partial: bool) -> Vec<String> {
    let mut notes = Vec::new();
    for engine in ENGINES {
        let engines = result.files.iter().flat_map(|file| &file.unselected_engines);
        let count = engines.filter(|other| ***other == *engine).count();
        if count > 0 {
            let runs = if count == 1 { "workload runs" } else { "workloads run" };
            let Engine { name, product, .. } = engine;
            notes
                .push(format!("not checked: {count} {runs} {product}; select it with --engine {name} or --engine all"));
        }
    }
    let resembling: usize = result.files.iter().map(|file| file.resembling_images).sum();
    if resembling > 0 {
        let runs = if resembling == 1 { "workload runs an image" } else { "workloads run images" };
        notes.push(format!(
            "not checked: {resembling} {runs} whose name resembles SQL Edge; add the repository to the setting `images`"
        ));
    }
    let image_names: usize = result.files.iter().map(|file| file.image_names).sum();
    if image_names > 0 {
        let names = if image_names == 1 { "object names" } else { "objects name" };
        notes.push(format!(
            "not checked: {image_names} {names} a database image without being a workload; check what is rendered from it"
        ));
    }
    let former_versions: usize = result.files.iter().map(|file| file.former_versions).sum();
    if former_versions > 0 {
        let have = if former_versions == 1 { "workload has" } else { "workloads have" };
        notes.push(format!("{former_versions} {have} an `apiVersion` that Kubernetes 1.16 removed; write `apps/v1`"));
    }
    let patches = result.files.iter().filter(|file| file.is_patch).count();
    if patches > 0 {
        let noun = if patches == 1 { "patch" } else { "patches" };
        notes.push(format!("skipped {patches} Kustomize {noun}; use --kustomize DIR to check the result"));
    }
    let charts: BTreeSet<&str> = result.files.iter().filter_map(|file| file.chart.as_deref()).collect();
    for chart in &charts {
        notes.push(format!(
            "skipped the templates of the chart {}; check it with --render, or with --helm DIR",
            quoted(chart)
        ));
    }
    let is_complete = !partial && result.errors.is_empty() && charts.is_empty();
    if is_complete && result.workloads == 0 && result.unselected_workloads == 0 && patches == 0 {
        let advice = if result.objects > 0 { "; an image of another name needs the setting `images`" } else { "" };
        notes.push(format!("found no SQL Edge or SQL Server workload{advice}"));
    }
    if result.is_truncated {
        notes.push(format!(
            "not all Services were checked: more than {MAX_RELATED} select the same database, or one selects more than \
             {MAX_RELATED} databases"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::settings::Settings;

    use super::*;

    fn notes_of(text: &str) -> Vec<String> {
        let texts = vec![("a.yaml".to_owned(), text.to_owned())];
        lint_texts(texts, &Prefilter::new(&Settings::default()), true).notes
    }

    #[test]
    fn an_image_that_resembles_sql_edge_is_not_called_sql_server() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: sql}\nspec:\n  containers:\n  - image: team/azure-sql-edge-own\n    \
             ports: [{containerPort: 1433}]\n    env: [{name: ACCEPT_EULA, value: \"Y\"}, {name: SA_PASSWORD, value: x}]\n";
        let expected = "not checked: 1 workload runs an image whose name resembles SQL Edge; add the repository to the \
             setting `images`";
        assert_eq!(notes_of(text), [expected]);
    }

    #[test]
    fn a_removed_api_version_is_a_note() {
        let text = "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: sql}\nspec:\n  template:\n    \
             spec: {containers: [{name: sql, image: azure-sql-edge}]}\n";
        assert_eq!(notes_of(text), ["1 workload has an `apiVersion` that Kubernetes 1.16 removed; write `apps/v1`"]);
        assert!(notes_of(&text.replace("extensions/v1beta1", "apps/v1")).is_empty());
    }

    #[test]
    fn objects_without_a_namespace_are_where_the_others_are() {
        let set = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: sql}\nspec:\n  template:\n    metadata: \
             {labels: {app: sql}}\n    spec:\n      containers: [{name: sql, image: azure-sql-edge, \
             volumeMounts: [{name: data, mountPath: /var/opt/mssql}]}]\n      volumes: \
             [{name: data, persistentVolumeClaim: {claimName: data}}]\n---\n";
        let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, namespace: db}\n---\n";
        let other = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: sql-2, namespace: db-2}\nspec:\n  \
             template: {spec: {containers: [{name: sql, image: azure-sql-edge}]}}\n---\n";
        let namespace = |text: &str| {
            let texts = vec![("a.yaml".to_owned(), text.to_owned())];
            let result = lint_texts(texts, &Prefilter::new(&Settings::default()), false);
            let is_missing = result.findings.iter().any(|located| located.finding.rule == "existing-claim");
            (result.files[0].namespace.clone(), is_missing)
        };
        assert_eq!(namespace(set), ("default".to_owned(), true));
        assert_eq!(namespace(&[set, claim].concat()), ("db".to_owned(), false));
        assert_eq!(namespace(&[set, claim, other].concat()), ("db-2".to_owned(), true), "a database comes first");
    }

    #[test]
    fn an_object_that_may_be_rendered_to_a_database_is_named() {
        let text = "kind: HelmRelease\nspec: {values: {image: mcr.microsoft.com/azure-sql-edge}}\n";
        let expected = "not checked: 1 object names a database image without being a workload; check what is rendered \
             from it";
        assert_eq!(notes_of(text), [expected]);
        assert!(notes_of("kind: HelmRelease\nspec: {values: {image: nginx}}\n").is_empty());
    }
}
