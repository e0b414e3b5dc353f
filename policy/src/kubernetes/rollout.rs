//! An Argo Rollout that runs the pods of another workload, in place of a template of its own
//! (<https://argo-rollouts.readthedocs.io/en/stable/migrating/#reference-deployment-from-rollout>).

use serde_json::Value;

use crate::json::cursor::{Cursor, get_path};

/// The field of a Rollout that names the workload.
pub const REFERENCE: &str = "workloadRef";

/// The workload whose pods a Rollout runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkloadReference<'a> {
    /// Its kind, such as `Deployment`.
    pub kind: &'a str,
    /// Its name. It is in the namespace of the Rollout.
    pub name: &'a str,
}

/// `spec.workloadRef` of a Rollout; `None` if the object has a template of its own.
pub fn workload_reference<'a>(object: &Cursor<'a>) -> Option<WorkloadReference<'a>> {
    let reference = object.path(&["spec", REFERENCE]);
    let text = |field: &'static str| reference.at(field).str().unwrap_or_default();
    reference.exists().then(|| WorkloadReference { kind: text("kind"), name: text("name") })
}

/// The name of the Deployment whose pods a Rollout runs.
pub fn referenced_deployment<'a>(rollout: &Cursor<'a>) -> Option<&'a str> {
    workload_reference(rollout).filter(|reference| reference.kind == "Deployment").map(|reference| reference.name)
}

/// A copy of a Rollout with the pod template of the Deployment that it names.
#[must_use]
pub fn with_pods_of(rollout: &Value, deployment: &Value) -> Value {
    let mut rollout = rollout.clone();
    let template = get_path(deployment, &["spec", "template"]).cloned().unwrap_or_default();
    if let Some(spec) = rollout.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("template".to_owned(), template);
    }
    rollout
}

/// Whether a place in such a copy is one of the Deployment, where it is reported.
pub fn is_of_deployment(pointer: &str) -> bool {
    pointer.starts_with("/spec/template")
}
