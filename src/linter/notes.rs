//! The notes of a report: what was not checked, and why.

use std::collections::BTreeSet;

use sqledge_ha_policy::engine::{ENGINES, Engine};
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::view::index::{MAX_RELATED, MAX_SEARCHED};

use super::{LintResult, LintedFile};
use crate::counted::counted;

/// The notes on a result.
pub(super) fn notes(result: &LintResult) -> Vec<String> {
    let mut notes: Vec<String> = ENGINES.iter().filter_map(|engine| unselected_engine(result, engine)).collect();
    notes.extend(resembling_images(result));
    notes.extend(image_names(result));
    notes.extend(former_versions(result));
    notes.extend(patches(result));
    notes.extend(charts(result).into_iter().map(chart));
    notes.extend(no_workload(result));
    notes.extend(truncated(result));
    notes
}

/// A count of things and what they do, e.g. `1 workload runs`; `None` if there are none.
fn count_phrase(count: usize, singular: &str, plural: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {singular}")),
        _ => Some(format!("{count} {plural}")),
    }
}

/// How many things there are in all files, and the names of the first files with some: `in a.yaml, b.yaml`.
fn count_in_files(result: &LintResult, count: impl Fn(&LintedFile) -> usize) -> (usize, String) {
    const MAX_NAMES: usize = 3;
    let names: Vec<&str> = result.files.iter().filter(|file| count(file) > 0).map(|file| file.name.as_str()).collect();
    let shown = names.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    let more = match names.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        more => format!(", and {}", counted(more, "more file")),
    };
    (result.files.iter().map(count).sum(), format!("in {shown}{more}"))
}

fn unselected_engine(result: &LintResult, engine: &Engine) -> Option<String> {
    let engines = result.files.iter().flat_map(|file| &file.contents.unselected_engines);
    let count = engines.filter(|other| **other == engine).count();
    let workloads = count_phrase(count, "workload runs", "workloads run")?;
    let Engine { name, product, .. } = engine;
    Some(format!("not checked: {workloads} {product}; select it with --engine {name} or --engine all"))
}

fn resembling_images(result: &LintResult) -> Option<String> {
    let (count, files) = count_in_files(result, |file| file.contents.resembling_images);
    let workloads = count_phrase(count, "workload runs an image", "workloads run images")?;
    Some(format!(
        "not checked: {workloads} whose name resembles SQL Edge ({files}); add the repository to the setting `images`"
    ))
}

fn image_names(result: &LintResult) -> Option<String> {
    let (count, files) = count_in_files(result, |file| file.image_names);
    let objects = count_phrase(count, "object names", "objects name")?;
    Some(format!(
        "not checked: {objects} a database image without being a workload ({files}); check what is rendered from it"
    ))
}

fn former_versions(result: &LintResult) -> Option<String> {
    let (count, files) = count_in_files(result, |file| file.contents.former_versions);
    let workloads = count_phrase(count, "workload has", "workloads have")?;
    Some(format!("{workloads} an `apiVersion` that Kubernetes 1.16 removed ({files}); write `apps/v1`"))
}

fn patches(result: &LintResult) -> Option<String> {
    let count = result.files.iter().filter(|file| file.is_patch).count();
    let patches = count_phrase(count, "Kustomize patch", "Kustomize patches")?;
    Some(format!("skipped {patches}; use --kustomize DIR to check the result"))
}

/// The charts whose templates were skipped.
fn charts(result: &LintResult) -> BTreeSet<&str> {
    result.files.iter().filter_map(|file| file.chart.as_deref()).collect()
}

fn chart(directory: &str) -> String {
    format!("skipped the templates of the chart {}; check it with --render, or with --helm DIR", quoted(directory))
}

fn no_workload(result: &LintResult) -> Option<String> {
    let is_complete = result.scope.is_complete() && result.errors.is_empty();
    let has_skipped = result.files.iter().any(|file| file.is_patch || file.chart.is_some());
    if !is_complete || has_skipped || result.workloads > 0 || result.unselected_workloads > 0 {
        return None;
    }
    if result.files.is_empty() {
        let note = "found no manifests: directories are searched for .yaml, .yml and .json files that are not ignored";
        return Some(note.to_owned());
    }
    let owned = result.files.iter().map(|file| file.contents.owned_workloads).sum();
    if let Some(workloads) = count_phrase(owned, "workload belongs", "workloads belong") {
        return Some(format!(
            "not checked: {workloads} to another one, as a ReplicaSet to a Deployment; check that one"
        ));
    }
    let advice = if result.objects > 0 { "; an image of another name needs the setting `images`" } else { "" };
    Some(format!("found no SQL Edge or SQL Server workload{advice}"))
}

fn truncated(result: &LintResult) -> Option<String> {
    result.is_truncated.then(truncation)
}

/// What is said if an object has more relations than are checked.
pub(crate) fn truncation() -> String {
    format!(
        "not all relations were checked: an object is compared with {MAX_RELATED} others at most, and {MAX_SEARCHED} of \
         a namespace are searched for them"
    )
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::settings::Settings;
    use sqledge_ha_policy::view::Scope;

    use crate::linter::lint_texts;
    use crate::prefilter::Prefilter;

    fn notes_of(text: &str) -> Vec<String> {
        let texts = vec![("a.yaml".to_owned(), text.to_owned())];
        lint_texts(texts, &Prefilter::new(&Settings::default()), Scope::Part).notes
    }

    #[test]
    fn an_image_that_resembles_sql_edge_is_not_called_sql_server() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: sql}\nspec:\n  containers:\n  - image: team/azure-sql-edge-own\n    \
             ports: [{containerPort: 1433}]\n    env: [{name: ACCEPT_EULA, value: \"Y\"}, {name: SA_PASSWORD, value: x}]\n";
        let expected = "not checked: 1 workload runs an image whose name resembles SQL Edge (in a.yaml); add the \
             repository to the setting `images`";
        assert_eq!(notes_of(text), [expected]);
    }

    #[test]
    fn a_removed_api_version_is_a_note() {
        let text = "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: sql}\nspec:\n  template:\n    \
             spec: {containers: [{name: sql, image: azure-sql-edge}]}\n";
        assert_eq!(
            notes_of(text),
            ["1 workload has an `apiVersion` that Kubernetes 1.16 removed (in a.yaml); write `apps/v1`"]
        );
        assert!(notes_of(&text.replace("extensions/v1beta1", "apps/v1")).is_empty());
    }

    #[test]
    fn a_workload_without_the_one_that_it_belongs_to_is_named() {
        let owned = "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata:\n  name: sql-1\n  ownerReferences: [{apiVersion: \
             apps/v1, kind: Deployment, name: sql, uid: u, controller: true}]\nspec:\n  template:\n    spec: {containers: \
             [{name: sql, image: mcr.microsoft.com/azure-sql-edge}]}\n";
        let notes = |text: &str| {
            lint_texts(
                vec![("a.yaml".to_owned(), text.to_owned())],
                &Prefilter::new(&Settings::default()),
                Scope::Application,
            )
            .notes
        };
        let expected =
            "not checked: 1 workload belongs to another one, as a ReplicaSet to a Deployment; check that one";
        assert_eq!(notes(owned), [expected]);
        let owner = owned.replace("ReplicaSet", "Deployment").replace("ownerReferences", "finalizers");
        assert!(notes(&format!("{owned}---\n{owner}")).is_empty());
    }

    #[test]
    fn an_object_that_may_be_rendered_to_a_database_is_named() {
        let text = "kind: HelmRelease\nspec: {values: {image: mcr.microsoft.com/azure-sql-edge}}\n";
        let expected = "not checked: 1 object names a database image without being a workload (in a.yaml); check what is \
             rendered from it";
        assert_eq!(notes_of(text), [expected]);
        let five = (1..=5).map(|number| (format!("{number}.yaml"), text.to_owned())).collect();
        let notes = lint_texts(five, &Prefilter::new(&Settings::default()), Scope::Part).notes;
        assert!(notes.concat().contains("5 objects name a database image"), "{notes:?}");
        assert!(notes.concat().contains("(in 1.yaml, 2.yaml, 3.yaml, and 2 more files)"), "{notes:?}");
        assert!(notes_of("kind: HelmRelease\nspec: {values: {image: nginx}}\n").is_empty());
    }
}
