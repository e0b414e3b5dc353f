//! The namespace of objects that name none: `kubectl -n`, Helm and Kustomize put them where the others are.

use std::collections::BTreeSet;

use serde_json::Value;
use sqledge_ha_policy::kubernetes::claim::claim_names;
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind};
use sqledge_ha_policy::kubernetes::objects::{Autoscaler, DisruptionBudget};
use sqledge_ha_policy::kubernetes::selector::Pods;
use sqledge_ha_policy::kubernetes::service::Service;
use sqledge_ha_policy::kubernetes::{name_of, namespace_of};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::index::MAX_RELATED;
use sqledge_ha_policy::workload::Workload;

use super::locate::ObjectLocation;
use super::resolve::possible_database;

/// The namespace that the databases name, if all that name one name the same. If none does, that of the objects that
/// belong to them. Others do not count: the prefilter leaves them out. Without databases, workloads that ConfigMaps may
/// make some take their place.
pub(super) fn only_namespace<'d>(objects: &[ObjectLocation<'d>], settings: &Settings) -> Option<&'d str> {
    let workloads =
        || objects.iter().filter_map(|object| Some((object, Kind::from_object(object.item.value)?.workload()?)));
    let is_database = |(object, kind): &(&ObjectLocation<'d>, WorkloadKind)| {
        Workload::read(object.item.value, *kind, settings).is_some()
    };
    let may_be_database = |(object, kind): &(&ObjectLocation<'d>, WorkloadKind)| {
        possible_database(object.item.value, *kind, settings).is_some()
    };
    let named = |object: &ObjectLocation<'d>| namespace_of(object.item.value);
    let mut databases: Vec<&ObjectLocation<'d>> = workloads().filter(is_database).map(|(object, _)| object).collect();
    if databases.is_empty() {
        databases = workloads().filter(may_be_database).map(|(object, _)| object).collect();
    }
    if databases.iter().any(|object| named(object).is_some()) {
        return only(databases.into_iter().filter_map(named));
    }
    let pods: Vec<Pods<'d>> =
        databases.iter().take(MAX_RELATED).filter_map(|object| Pods::read(object.item.value)).collect();
    let claims: BTreeSet<String> = pods.iter().flat_map(claim_names).collect();
    let belongs = |object: &&ObjectLocation<'d>| belongs(object.item.value, &pods, &claims);
    only(objects.iter().filter(belongs).filter_map(named))
}

/// Whether an object is a Service, a disruption budget or an autoscaler of some pods, one of their claims, or a
/// workload that mounts one of them.
fn belongs(object: &Value, pods: &[Pods<'_>], claims: &BTreeSet<String>) -> bool {
    match Kind::from_object(object) {
        Some(Kind::Service) => {
            let service = Service::read(object);
            pods.iter().any(|pods| service.selects(pods))
        }
        Some(Kind::Claim) => claims.contains(name_of(object)),
        Some(Kind::DisruptionBudget) => {
            let budget = DisruptionBudget::read(object);
            budget.selector().is_some_and(|selector| pods.iter().any(|pods| selector.matches(pods)))
        }
        Some(Kind::Autoscaler | Kind::ScaledObject | Kind::VerticalAutoscaler) => {
            let target = Autoscaler::read(object).target();
            pods.iter().any(|pods| target == Some((pods.kind.name(), pods.name)))
        }
        Some(Kind::Workload(_)) => {
            Pods::read(object).is_some_and(|other| claim_names(&other).iter().any(|claim| claims.contains(claim)))
        }
        _ => false,
    }
}

fn only<'n>(mut names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::settings::Settings;
    use sqledge_ha_policy::view::Scope;

    use crate::linter::lint_texts;
    use crate::prefilter::Prefilter;

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
            let result = lint_texts(texts, &Prefilter::new(&Settings::default()), Scope::Application);
            let is_missing = result.findings.iter().any(|located| located.finding.rule == "existing-claim");
            (result.files[0].namespace.clone(), is_missing)
        };
        assert_eq!(namespace(set), ("default".to_owned(), true));
        assert_eq!(namespace(&[set, claim].concat()), ("db".to_owned(), false));
        assert_eq!(namespace(&[set, claim, other].concat()), ("db-2".to_owned(), true), "a database comes first");
    }
}
