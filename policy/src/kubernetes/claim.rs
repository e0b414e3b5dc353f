//! PersistentVolumeClaims, and the claims that the pods of a workload use.

use std::ops::Range;

use serde_json::Value;

use super::kind::WorkloadKind;
use super::name_of;
use super::selector::Pods;
use crate::json::cursor::{Cursor, get_path};

/// A PersistentVolumeClaim.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

impl<'a> Claim<'a> {
    /// Reads a claim.
    pub fn read(object: &'a Value) -> Self {
        Claim { object: Cursor::root(object) }
    }

    /// The PersistentVolume that it is bound to.
    pub fn volume_name(&self) -> Option<&'a str> {
        self.object.path(&["spec", "volumeName"]).str().filter(|name| !name.is_empty())
    }

    /// The name of its StorageClass; `None` if the cluster's default applies, empty if no class does.
    pub fn class_name(&self) -> Option<&'a str> {
        class_name(&self.object)
    }

    /// The name of the StorageClass that it names.
    pub fn named_class(&self) -> Option<&'a str> {
        self.class_name().filter(|name| !name.is_empty())
    }
}

/// The StorageClass of a claim or PersistentVolume. The annotation is the former field.
pub(super) fn class_name<'a>(object: &Cursor<'a>) -> Option<&'a str> {
    let annotation = ["metadata", "annotations", "volume.beta.kubernetes.io/storage-class"];
    object.path(&annotation).str().or_else(|| object.path(&["spec", "storageClassName"]).str())
}

/// The most replicas of a StatefulSet whose claims are looked at.
const MAX_REPLICAS: i64 = 10;

/// The ordinals of the pods of a StatefulSet. A stopped one is started again.
pub fn ordinals(stateful_set: &Value) -> Range<i64> {
    let number = |path: &[&str], default| get_path(stateful_set, path).and_then(Value::as_i64).unwrap_or(default);
    let start = number(&["spec", "ordinals", "start"], 0);
    start..start.saturating_add(number(&["spec", "replicas"], 1).max(1))
}

/// The names of the claims that a StatefulSet makes of a template, for its first replicas.
pub fn claims_of_template(template: &str, stateful_set: &Value) -> impl Iterator<Item = String> {
    let Range { start, end } = ordinals(stateful_set);
    let name = name_of(stateful_set);
    (start..end.min(start.saturating_add(MAX_REPLICAS))).map(move |ordinal| format!("{template}-{name}-{ordinal}"))
}

/// The names of the claims that pods mount. A claim template makes one claim for each replica.
pub fn claim_names(pods: &Pods<'_>) -> Vec<String> {
    let template = get_path(pods.object, pods.kind.template_path());
    let volumes = template.and_then(|template| get_path(template, &["spec", "volumes"])).and_then(Value::as_array);
    let named = volumes
        .into_iter()
        .flatten()
        .filter_map(|volume| get_path(volume, &["persistentVolumeClaim", "claimName"])?.as_str().map(str::to_owned));
    named.chain(made_claim_names(pods)).collect()
}

/// The names of the claims that the controller makes from claim templates.
pub fn made_claim_names<'a>(pods: &Pods<'a>) -> impl Iterator<Item = String> + use<'a> {
    let (object, is_set) = (pods.object, pods.kind == WorkloadKind::StatefulSet);
    let templates = get_path(object, &["spec", "volumeClaimTemplates"]).and_then(Value::as_array);
    let templates = templates.into_iter().flatten().filter(move |_| is_set);
    let names = templates.filter_map(|template| get_path(template, &["metadata", "name"])?.as_str());
    names.flat_map(|name| claims_of_template(name, object))
}
