//! The rules on the objects of a cluster.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;
use sqledge_ha_policy::kubernetes::kind::{Kind, has_checked_owner};
use sqledge_ha_policy::kubernetes::{DEFAULT_NAMESPACE, namespace_of};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::index::ObjectIndex;
use sqledge_ha_policy::workload::Workload;

use super::configuration::configured;
use super::inventory::{Inventory, Objects};
use super::resources::is_of_rules;
use crate::linter::{
    ObjectFinding, check_object, check_relations, check_rollout_of_deployment, runs_other_pods, shorten_to_original,
    truncation,
};

/// The findings on all objects, each workload read with the ConfigMaps that configure it. Objects that a checked
/// controller owns have none: they are reported on the controller. With a note, if not all relations were checked.
pub(super) fn check_all(
    inventory: &Inventory,
    objects: &Objects<'_>,
    settings: &Settings,
) -> (Vec<ObjectFinding>, Option<String>) {
    let mut settings = Cow::Borrowed(settings);
    if inventory.is_openshift {
        settings.to_mut().adapt_to_openshift();
    }
    let is_checked = |object: &&Value| {
        let kind = Kind::from_object(object);
        kind.is_some_and(|kind| !has_checked_owner(kind, object))
    };
    let originals = || inventory.objects.iter().filter(is_checked);
    let checked: Vec<Cow<'_, Value>> = originals().map(|object| configured(object, objects)).collect();
    // What could not be read may exist.
    let is_whole = !inventory.unread.iter().any(|unread| is_of_rules(&unread.resource));
    let scope = if is_whole { Scope::LiveCluster } else { Scope::Part };
    let index = ObjectIndex::new(scope, checked.iter().map(AsRef::as_ref));
    let mut findings = Vec::new();
    for (object, original) in checked.iter().zip(originals()) {
        let mut found = check(object, &settings, &index, objects);
        found.iter_mut().for_each(|found| shorten_to_original(&mut found.finding.pointer, object, original));
        findings.append(&mut found);
    }
    (findings, index.is_truncated().then(truncation))
}

fn check(object: &Value, settings: &Settings, index: &ObjectIndex<'_>, objects: &Objects<'_>) -> Vec<ObjectFinding> {
    let mut findings = Vec::new();
    let kind = Kind::from_object(object);
    if kind.and_then(Kind::workload).is_some_and(|kind| runs_other_pods(object, kind)) {
        let namespace = namespace_of(object).unwrap_or(DEFAULT_NAMESPACE);
        let find = |name: &str| objects.get("Deployment", namespace, name);
        findings = check_rollout_of_deployment(object, settings, find);
    } else if let Some(kind) = kind
        && let Some(workload) = kind.workload().and_then(|kind| Workload::read(object, kind, settings))
        && workload.has_selected_engine()
    {
        findings = check_object(object, kind, settings);
    }
    let related = check_relations(object, settings, index);
    let replaced: HashSet<&str> =
        related.iter().filter(|found| found.finding.replaces_others).map(|found| found.finding.rule).collect();
    findings.retain(|found| !replaced.contains(found.finding.rule));
    findings.extend(related);
    findings
}
