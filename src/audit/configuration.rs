//! Workloads with the contents of the ConfigMaps that configure them.

use std::borrow::Cow;

use serde_json::Value;
use sqledge_ha_policy::kubernetes::config_maps::{config_map_names, resolve};
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind};
use sqledge_ha_policy::kubernetes::{DEFAULT_NAMESPACE, namespace_of};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::workload::Workload;

use super::inventory::{Inventory, Objects};
use crate::linter::possible_database;

/// Whether an object runs a database of a selected product, or does so if ConfigMaps have the variables that mark one.
pub(super) fn may_run_database(object: &Value, settings: &Settings) -> bool {
    let Some(kind) = Kind::from_object(object).and_then(Kind::workload) else { return false };
    let is_database =
        |object: &Value| Workload::read(object, kind, settings).is_some_and(|workload| workload.has_selected_engine());
    is_database(object) || possible_database(object, kind, settings).is_some_and(|copy| is_database(&copy))
}

/// Writes the contents of ConfigMaps into the workloads that are databases only with them, so that everything that
/// follows sees databases.
pub(super) fn resolve_possible_databases(inventory: &mut Inventory, settings: &Settings) {
    let objects = Objects::new(inventory);
    let resolved = inventory.objects.iter().enumerate().filter_map(|(at, object)| {
        let kind = Kind::from_object(object)?.workload()?;
        possible_database(object, kind, settings)?;
        Some((at, with_config_maps(object, kind, &objects)))
    });
    let resolved: Vec<(usize, Value)> = resolved.collect();
    for (at, copy) in resolved {
        inventory.objects.get_mut(at).into_iter().for_each(|object| object.clone_from(&copy));
    }
}

/// A workload with the contents of the ConfigMaps that it names; any other object as it is.
pub(super) fn configured<'o>(object: &'o Value, objects: &Objects<'o>) -> Cow<'o, Value> {
    match Kind::from_object(object).and_then(Kind::workload) {
        Some(kind) if !config_map_names(object, kind).is_empty() => Cow::Owned(with_config_maps(object, kind, objects)),
        _ => Cow::Borrowed(object),
    }
}

fn with_config_maps(object: &Value, kind: WorkloadKind, objects: &Objects<'_>) -> Value {
    let namespace = namespace_of(object).unwrap_or(DEFAULT_NAMESPACE);
    let mut copy = object.clone();
    resolve(&mut copy, kind, &mut |name| objects.get("ConfigMap", namespace, name));
    copy
}
