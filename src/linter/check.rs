//! Runs the rules on objects. Nothing here knows a text, so that objects of a cluster are checked in the same way.

use std::sync::Arc;

use serde_json::Value;
use sqledge_ha_policy::finding::{Action, Finding, Findings};
use sqledge_ha_policy::json::cursor::get_path;
use sqledge_ha_policy::kubernetes::kind::{Kind, has_checked_owner};
use sqledge_ha_policy::rules;
use sqledge_ha_policy::rules::check::CheckContext;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::cluster::{Cluster, NoCluster};

/// A finding on an object. Its pointers start at the object's root; `finding.related` names the other objects.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectFinding {
    /// The object.
    pub object: Arc<ObjectId>,
    /// The finding.
    pub finding: Finding,
}

/// How severe a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It can be a problem.
    Warning,
    /// Admission rejects or mutates the object.
    Error,
}

impl Level {
    /// The level of a finding.
    pub fn from_finding(finding: &Finding) -> Self {
        if finding.action == Action::Warn { Level::Warning } else { Level::Error }
    }
}

/// The identity of an object, as far as its manifest names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectId {
    /// `apiVersion`.
    pub api_version: Option<String>,
    /// `kind`.
    pub kind: Option<String>,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: Option<String>,
}

impl ObjectId {
    /// The identity of `object`.
    pub fn new(object: &Value) -> Self {
        ObjectId::from(id_fields(object).map(|field| field.map(str::to_owned)))
    }
}

impl From<[Option<String>; 4]> for ObjectId {
    /// In the order of the fields, as in [`sqledge_ha_policy::finding::Related`].
    fn from([api_version, kind, namespace, name]: [Option<String>; 4]) -> Self {
        ObjectId { api_version, kind, namespace, name }
    }
}

/// The fields of the [`ObjectId`] of `object`, in their order.
pub(super) fn id_fields(object: &Value) -> [Option<&str>; 4] {
    let text = |path: &[&str]| get_path(object, path).and_then(Value::as_str);
    [text(&["apiVersion"]), text(&["kind"]), text(&["metadata", "namespace"]), text(&["metadata", "name"])]
}

/// The findings of the rules that read no other object.
pub fn check_object(object: &Value, kind: Kind, settings: &Settings) -> Vec<ObjectFinding> {
    let context = CheckContext::read(object, kind, settings, &NoCluster);
    context.map(|context| on_object(object, rules::check_object(&context))).unwrap_or_default()
}

/// The findings of the rules that look up other objects in `cluster`. An object that a checked controller owns has
/// none: they are reported on the controller.
pub fn check_relations(object: &Value, settings: &Settings, cluster: &dyn Cluster) -> Vec<ObjectFinding> {
    let kind = Kind::from_object(object).filter(|kind| !has_checked_owner(*kind, object));
    let context = kind.and_then(|kind| CheckContext::read(object, kind, settings, cluster));
    context.map(|context| on_object(object, rules::check_relations(&context))).unwrap_or_default()
}

fn on_object(object: &Value, findings: Findings) -> Vec<ObjectFinding> {
    if findings.is_empty() {
        return Vec::new();
    }
    let object = Arc::new(ObjectId::new(object));
    findings.into_iter().map(|finding| ObjectFinding { object: Arc::clone(&object), finding }).collect()
}
