//! An Argo Rollout that runs the pods of another workload, in place of a template of its own
//! (<https://argo-rollouts.readthedocs.io/en/stable/migrating/#reference-deployment-from-rollout>).

use crate::json::cursor::Cursor;

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
    let reference = object.path(&["spec", "workloadRef"]);
    let text = |field: &'static str| reference.at(field).str().unwrap_or_default();
    reference.exists().then(|| WorkloadReference { kind: text("kind"), name: text("name") })
}

/// The name of the Deployment whose pods a Rollout runs.
pub fn referenced_deployment<'a>(rollout: &Cursor<'a>) -> Option<&'a str> {
    workload_reference(rollout).filter(|reference| reference.kind == "Deployment").map(|reference| reference.name)
}
