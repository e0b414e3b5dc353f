//! The RBAC rules that an audit needs: one for each API group and set of verbs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqledge_ha_policy::kubernetes::kind::Kind;

use super::report::namespaces::ReportApi;
use super::resources::all_lists;

/// What writing reports needs: `list` to find those of the last audit, with their versions.
const WRITE_VERBS: [&str; 4] = ["list", "create", "update", "delete"];

/// The rules to read a cluster.
pub fn to_read() -> Vec<Value> {
    let mut groups: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for resource in all_lists() {
        groups.entry((resource.group, "list")).or_default().insert(resource.plural);
    }
    if let Some(config_maps) = Kind::ConfigMap.resource() {
        groups.entry((config_maps.group, "get")).or_default().insert(config_maps.plural);
    }
    let rule = |((group, verb), resources)| json!({"apiGroups": [group], "resources": resources, "verbs": [verb]});
    groups.into_iter().map(rule).collect()
}

/// The rules to write reports with whichever API the cluster has.
pub fn to_write_reports() -> Vec<Value> {
    let mut resources: Vec<(&str, &str)> = ReportApi::ALL.map(|api| (api.group, api.plural)).to_vec();
    resources.dedup();
    let rule = |(group, plural)| json!({"apiGroups": [group], "resources": [plural], "verbs": WRITE_VERBS});
    resources.into_iter().map(rule).collect()
}
