//! Workloads that are read together with other objects: with the ConfigMaps that configure them, or with the pods that
//! they run. They are checked when all files are known.

use std::collections::HashMap;

use serde_json::Value;
use sqledge_ha_policy::json::cursor::Cursor;
use sqledge_ha_policy::kubernetes::config_maps::{
    config_map_names, resolve, shorten_to_container, with_marking_variables,
};
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind, has_checked_owner};
use sqledge_ha_policy::kubernetes::rollout::{
    is_of_deployment, referenced_deployment, with_pods_of, workload_reference,
};
use sqledge_ha_policy::kubernetes::{name_of, namespace_of};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::workload::Workload;

use super::ObjectFinding;
use super::check::check_object;
use super::locate::ObjectLocation;

/// A copy of a workload with what other objects add. Pointers are those of the workload.
pub(super) enum Resolved {
    /// With the contents of ConfigMaps.
    Configured(WorkloadKind, Value),
    /// A Rollout with the pod template of the Deployment that it names.
    Rollout(Value),
}

impl Resolved {
    /// The findings of the rules that read no other object. Those on the pods of a Rollout are reported on the
    /// Deployment.
    pub(super) fn check(&self, settings: &Settings) -> Vec<ObjectFinding> {
        match self {
            Resolved::Configured(kind, object) if has_checked_owner(Kind::Workload(*kind), object) => Vec::new(),
            Resolved::Configured(kind, object) => check_object(object, Kind::Workload(*kind), settings),
            Resolved::Rollout(object) => check_rollout(object, settings),
        }
    }

    /// The database that ConfigMaps make of a workload, `object`, which is none without them.
    pub(super) fn new_database(&self, object: &Value, settings: &Settings) -> Option<Workload<'_>> {
        let Resolved::Configured(kind, copy) = self else { return None };
        Workload::read(copy, *kind, settings).filter(|_| Workload::read(object, *kind, settings).is_none())
    }

    /// The object for look-ups, if it is another than the original. The pods of a Rollout are found as the
    /// Deployment's.
    pub(super) fn for_look_ups(&self) -> Option<&Value> {
        match self {
            Resolved::Configured(_, object) => Some(object),
            Resolved::Rollout(_) => None,
        }
    }
}

/// Shortens the JSON Pointer of a finding in a copy to a value that the original has: ConfigMaps add variables, and
/// replace references.
pub(crate) fn shorten_to_original(pointer: &mut String, copy: &Value, original: &Value) {
    shorten_to_container(pointer, copy);
    while !pointer.is_empty() && original.pointer(pointer).is_none() {
        pointer.truncate(pointer.rfind('/').unwrap_or_default());
    }
}

/// Whether a workload is a Rollout that names another workload in place of a pod template.
pub fn runs_other_pods(object: &Value, kind: WorkloadKind) -> bool {
    kind == WorkloadKind::Rollout && workload_reference(&Cursor::root(object)).is_some()
}

/// The findings on a Rollout that runs the pods of a Deployment, if `find` finds it by its name.
pub fn check_rollout_of_deployment<'o>(
    rollout: &Value,
    settings: &Settings,
    find: impl FnOnce(&str) -> Option<&'o Value>,
) -> Vec<ObjectFinding> {
    let deployment = referenced_deployment(&Cursor::root(rollout)).and_then(find);
    deployment.map(|deployment| check_rollout(&with_pods_of(rollout, deployment), settings)).unwrap_or_default()
}

fn check_rollout(object: &Value, settings: &Settings) -> Vec<ObjectFinding> {
    let mut findings = check_object(object, Kind::ROLLOUT, settings);
    findings.retain(|found| !is_of_deployment(&found.finding.pointer));
    findings
}

/// Every workload that needs it, by its position. `namespace` is that of objects that name none; `may_be_late` whether
/// a file has such workloads.
pub(super) fn resolve_all(
    objects: &[ObjectLocation<'_>],
    namespace: &str,
    settings: &Settings,
    may_be_late: impl Fn(usize) -> bool,
) -> HashMap<usize, Resolved> {
    let in_files = objects.iter().enumerate().filter(|(_, object)| may_be_late(object.file));
    let late: Vec<(usize, &Value)> =
        in_files.map(|(at, object)| (at, object.object())).filter(|(_, object)| is_late(object, settings)).collect();
    if late.is_empty() {
        return HashMap::new();
    }
    let sources = Sources::new(objects, namespace);
    late.into_iter().filter_map(|(at, object)| Some((at, resolve_one(object, &sources)?))).collect()
}

fn is_late(object: &Value, settings: &Settings) -> bool {
    let is_database = |kind: WorkloadKind| {
        Workload::read(object, kind, settings).is_some() || possible_database(object, kind, settings).is_some()
    };
    let kind = Kind::from_object(object).and_then(Kind::workload);
    kind.is_some_and(|kind| {
        runs_other_pods(object, kind) || !config_map_names(object, kind).is_empty() && is_database(kind)
    })
}

/// A copy of a workload that runs a database only if ConfigMaps have the variables that mark one, with these variables.
pub(crate) fn possible_database(object: &Value, kind: WorkloadKind, settings: &Settings) -> Option<Value> {
    let is_database = |object: &Value| Workload::read(object, kind, settings).is_some();
    with_marking_variables(object, kind).filter(is_database).filter(|_| !is_database(object))
}

fn resolve_one(object: &Value, sources: &Sources<'_>) -> Option<Resolved> {
    let kind = Kind::from_object(object)?.workload()?;
    let namespace = sources.namespace_of(object);
    if runs_other_pods(object, kind) {
        let deployment = sources.find(Kind::DEPLOYMENT, namespace, referenced_deployment(&Cursor::root(object))?)?;
        return Some(Resolved::Rollout(with_pods_of(object, deployment)));
    }
    let mut copy = object.clone();
    resolve(&mut copy, kind, &mut |name| sources.find(Kind::ConfigMap, namespace, name));
    Some(Resolved::Configured(kind, copy))
}

/// The objects that workloads are read with, by kind, namespace and name.
struct Sources<'o> {
    objects: HashMap<(Kind, &'o str, &'o str), &'o Value>,
    default_namespace: &'o str,
}

impl<'o> Sources<'o> {
    fn new(objects: &'o [ObjectLocation<'_>], default_namespace: &'o str) -> Self {
        let mut sources = Sources { objects: HashMap::new(), default_namespace };
        for object in objects.iter().map(ObjectLocation::object) {
            let kind = Kind::from_object(object).filter(|kind| matches!(*kind, Kind::ConfigMap | Kind::DEPLOYMENT));
            if let Some(kind) = kind {
                let namespace = sources.namespace_of(object);
                sources.objects.entry((kind, namespace, name_of(object))).or_insert(object);
            }
        }
        sources
    }

    fn namespace_of<'v>(&self, object: &'v Value) -> &'v str
    where
        'o: 'v,
    {
        namespace_of(object).unwrap_or(self.default_namespace)
    }

    fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<&'o Value> {
        self.objects.get(&(kind, namespace, name)).copied()
    }
}
