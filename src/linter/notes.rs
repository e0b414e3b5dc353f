//! What the user is told beside the findings: what was not checked, and why.

use std::collections::BTreeSet;

use sqledge_ha_policy::engine::{ENGINES, Engine};
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::view::index::MAX_RELATED;

use super::LintResult;

/// The notes on a result.
pub(super) fn notes(result: &LintResult) -> Vec<String> {
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
    let is_complete = result.scope.is_complete() && result.errors.is_empty() && charts.is_empty();
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
    fn an_object_that_may_be_rendered_to_a_database_is_named() {
        let text = "kind: HelmRelease\nspec: {values: {image: mcr.microsoft.com/azure-sql-edge}}\n";
        let expected = "not checked: 1 object names a database image without being a workload; check what is rendered \
             from it";
        assert_eq!(notes_of(text), [expected]);
        assert!(notes_of("kind: HelmRelease\nspec: {values: {image: nginx}}\n").is_empty());
    }
}
