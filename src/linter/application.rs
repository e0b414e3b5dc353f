//! An application: the files that are applied together. Their objects are seen together by the rules that look up others.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use sqledge_ha_policy::kubernetes::DEFAULT_NAMESPACE;
use sqledge_ha_policy::kubernetes::kind::{Kind, has_checked_owner};
use sqledge_ha_policy::rules::volume_ownership;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::index::{IndexEntry, ObjectIndex};

use super::check::check_relations;
use super::contents::Contents;
use super::list_items::objects_in;
use super::locate::ObjectLocation;
use super::namespace::only_namespace;
use super::resolve::{Resolved, resolve_all, shorten_to_original};
use super::{LintedFile, LocatedFinding, ObjectId, related};
use crate::parallel;
use crate::prefilter::Prefilter;

/// The files of an application, by their indices, and the findings on single objects in them.
#[derive(Default)]
pub(super) struct Application {
    files: Vec<usize>,
    findings: Vec<LocatedFinding>,
}

/// All findings in the files of an application.
pub(super) struct CheckedApplication {
    /// The indices of the files.
    pub(super) files: Vec<usize>,
    pub(super) findings: Vec<LocatedFinding>,
    /// The databases in a file that ConfigMaps make of workloads, by the index of the file.
    pub(super) new_databases: Vec<(usize, Contents)>,
    /// The namespace of objects that name none.
    pub(super) namespace: String,
    /// Whether some object has more relations than the rules compare.
    pub(super) is_truncated: bool,
}

impl Application {
    /// Divides files and findings into applications.
    pub(super) fn all(files: &[LintedFile], findings: Vec<LocatedFinding>) -> impl Iterator<Item = Self> + use<> {
        let mut all: BTreeMap<usize, Application> = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            all.entry(file.application).or_default().files.push(index);
        }
        for located in findings {
            let application = files.get(located.file).map_or(0, |file| file.application);
            all.entry(application).or_default().findings.push(located);
        }
        all.into_values()
    }

    /// Adds the findings of the rules that look up other objects to those on single objects.
    pub(super) fn check(self, files: &[LintedFile], prefilter: &Prefilter<'_>, scope: Scope) -> CheckedApplication {
        let Application { files: members, mut findings } = self;
        let own_files = || members.iter().filter_map(|index| Some((*index, files.get(*index)?)));
        let mut settings = Cow::Borrowed(prefilter.settings());
        if own_files().any(|(_, file)| file.is_for_openshift) {
            settings.to_mut().adapt_to_openshift();
            // When the objects were checked alone, the other files were not known.
            findings.retain(|located| located.finding.rule != volume_ownership::RULE.id);
        }
        let documents = own_files()
            .flat_map(|(file, linted)| linted.kept_documents.iter().map(move |document| (file, &**document)));
        let objects: Vec<ObjectLocation<'_>> = documents
            .flat_map(|(file, document)| {
                objects_in(&document.value).into_iter().map(move |item| ObjectLocation { file, document, item })
            })
            .collect();
        let own_namespace = prefilter.namespace().or_else(|| only_namespace(&objects, &settings));
        let namespace = own_namespace.unwrap_or(DEFAULT_NAMESPACE);
        let may_be_late = |file: usize| files.get(file).is_some_and(|file| file.contents.has_late_workloads);
        let resolved = resolve_all(&objects, namespace, &settings, may_be_late);
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
            if let Some(copy) = for_look_ups(at) {
                for found in &mut findings {
                    shorten_to_original(&mut found.finding.pointer, copy, object.item.value);
                }
            }
            object.locate(findings, text(object.file))
        });
        let new_database = |(at, object): (usize, &ObjectLocation<'_>)| {
            let workload = resolved.get(&at)?.new_database(object.item.value, &settings)?;
            let mut contents = Contents::default();
            contents.add(&workload, !has_checked_owner(Kind::Workload(workload.kind), object.item.value));
            Some((object.file, contents))
        };
        let new_databases = numbered().into_iter().filter_map(new_database).collect();
        let found: Vec<LocatedFinding> = found.into_iter().flatten().collect();
        remove_replaced(&mut findings, &found);
        findings.extend(found);
        CheckedApplication {
            files: members,
            new_databases,
            findings: related::locate_related(&objects, &text, findings),
            namespace: namespace.to_owned(),
            is_truncated: index.is_truncated(),
        }
    }
}

/// Removes the findings on single objects that a finding with a look-up replaces.
fn remove_replaced(findings: &mut Vec<LocatedFinding>, found: &[LocatedFinding]) {
    fn key(located: &LocatedFinding) -> (usize, usize, &str, &ObjectId) {
        (located.file, located.document_span.start, located.finding.rule, &located.object)
    }
    let replaced: HashSet<_> = found.iter().filter(|located| located.finding.replaces_others).map(key).collect();
    findings.retain(|located| !replaced.contains(&key(located)));
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::settings::Settings;
    use sqledge_ha_policy::view::Scope;

    use crate::linter::{lint, scan};
    use crate::prefilter::Prefilter;

    #[test]
    fn openshift_assigns_the_group_in_its_own_applications_only() {
        let settings = Settings::default();
        let prefilter = Prefilter::new(&settings);
        let database = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: sql}\nspec:\n  template:\n    spec:\n      \
             containers: [{name: sql, image: azure-sql-edge, volumeMounts: [{name: data, mountPath: /var/opt/mssql}]}]\n      \
             volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]\n";
        let route = "apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: web}\n";
        let texts = [("a.yaml", database, 0), ("b.yaml", database, 1), ("c.yaml", route, 1)];
        let scans = texts.map(|(name, text, application)| {
            scan(name.to_owned(), text.to_owned(), &prefilter).in_application(application)
        });
        let result = lint(scans.into(), Vec::new(), &prefilter, Scope::Application);
        let found = result.findings.iter().filter(|located| located.finding.rule == "volume-ownership");
        assert_eq!(found.map(|located| located.file).collect::<Vec<_>>(), [0]);
    }
}
