//! Which kinds of object are judged, and where each keeps its pod template.
//!
//! A kind is always matched together with its API group: a `Service` of `serving.knative.dev` is not a core Service,
//! and a custom resource that happens to be called Deployment is nothing.

use serde_json::Value;

use crate::node::reach;

/// A kind of object that the rules know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of the Kubernetes kinds")]
pub enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ReplicationController,
    Pod,
    PodTemplate,
    Job,
    CronJob,
    /// Argo Rollouts.
    Rollout,
    /// OpenShift.
    DeploymentConfig,
    /// `serving.knative.dev`.
    KnativeService,
    /// The core Service.
    Service,
    /// `autoscaling/v1`: what the `scale` subresource of a workload carries.
    Scale,
}

/// Every kind with its API groups (the first is today's) and its name there.
const KINDS: [(Kind, &[&str], &str); 14] = [
    (Kind::Deployment, &["apps", "extensions"], "Deployment"),
    (Kind::StatefulSet, &["apps"], "StatefulSet"),
    (Kind::DaemonSet, &["apps", "extensions"], "DaemonSet"),
    (Kind::ReplicaSet, &["apps", "extensions"], "ReplicaSet"),
    (Kind::ReplicationController, &[""], "ReplicationController"),
    (Kind::Pod, &[""], "Pod"),
    (Kind::PodTemplate, &[""], "PodTemplate"),
    (Kind::Job, &["batch"], "Job"),
    (Kind::CronJob, &["batch"], "CronJob"),
    (Kind::Rollout, &["argoproj.io"], "Rollout"),
    (Kind::DeploymentConfig, &["apps.openshift.io", ""], "DeploymentConfig"),
    (Kind::KnativeService, &[KNATIVE], "Service"),
    (Kind::Service, &[""], "Service"),
    (Kind::Scale, &["autoscaling"], "Scale"),
];

impl Kind {
    /// The kind with this API group (empty for the core group) and name.
    pub fn of(group: &str, name: &str) -> Option<Kind> {
        KINDS.iter().find(|(_, groups, known)| *known == name && groups.contains(&group)).map(|(kind, ..)| *kind)
    }

    /// The kind that an object's own `apiVersion` and `kind` name.
    pub fn of_object(object: &Value) -> Option<Kind> {
        let name = object.get("kind")?.as_str()?;
        Kind::of(group_of(object.get("apiVersion")?.as_str()?), name)
    }

    /// Whether one of the kinds has this name, in whatever group.
    pub fn is_name(name: &str) -> bool {
        KINDS.iter().any(|(.., known)| *known == name)
    }

    /// The kind's own name.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(.., name)| name)
    }

    /// The way from the object to what holds a pod's `metadata` and `spec`; `None` for kinds that run no pods.
    pub fn pod_template(self) -> Option<&'static [&'static str]> {
        match self {
            Kind::Service | Kind::Scale => None,
            Kind::Pod => Some(&[]),
            Kind::PodTemplate => Some(&["template"]),
            Kind::CronJob => Some(&["spec", "jobTemplate", "spec", "template"]),
            _ => Some(&["spec", "template"]),
        }
    }

    /// Whether its pods run once and end.
    pub fn runs_to_completion(self) -> bool {
        matches!(self, Kind::Job | Kind::CronJob)
    }

    /// Whether its pods are meant to stay, so that clients may look for them.
    pub fn keeps_running(self) -> bool {
        !self.runs_to_completion()
            && !matches!(self, Kind::PodTemplate | Kind::KnativeService | Kind::Service | Kind::Scale)
    }

    /// Whether the API server refuses to change `pointer` on UPDATE, so that only CREATE may be mended.
    pub fn is_immutable(self, pointer: &str) -> bool {
        match self {
            Kind::Pod | Kind::Job => pointer.starts_with("/spec/"),
            Kind::StatefulSet => pointer.starts_with("/spec/volumeClaimTemplates"),
            _ => false,
        }
    }
}

/// The API group of that name, if one of the kinds is in it.
pub fn known_group(name: &str) -> Option<&'static str> {
    KINDS.iter().flat_map(|(_, groups, _)| groups.iter().copied()).find(|group| *group == name)
}

/// The group of an `apiVersion`: `apps` of `apps/v1`, empty for `v1`.
pub fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The API group whose every kind counts as judged where it is an owner: Knative's Service owns its Deployment through
/// a Configuration and a Revision.
pub const KNATIVE: &str = "serving.knative.dev";

/// The API groups and names of the kinds that are judged together with what they control.
pub fn judged_owners() -> impl Iterator<Item = (&'static str, &'static str)> {
    let owners = KINDS.iter().filter(|(kind, ..)| kind.pod_template().is_some());
    owners.flat_map(|(_, groups, name)| groups.iter().map(move |group| (*group, *name)))
}

/// Every way from an object to a pod's `spec`, each once.
pub fn pod_paths() -> Vec<Vec<&'static str>> {
    let mut paths: Vec<Vec<&'static str>> = Vec::new();
    for template in KINDS.iter().filter_map(|(kind, ..)| kind.pod_template()) {
        let path = [template, &["spec"]].concat();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// Whether a controller that is itself judged owns this object: its verdict was given with the owner, and a refused
/// child is an outage.
pub fn has_judged_owner(object: &Value) -> bool {
    let owners = reach(object, &["metadata", "ownerReferences"]).and_then(Value::as_array);
    owners.into_iter().flatten().any(|owner| {
        let text = |key| owner.get(key).and_then(Value::as_str).unwrap_or_default();
        let group = group_of(text("apiVersion"));
        let judged =
            group == KNATIVE || Kind::of(group, text("kind")).is_some_and(|kind| kind.pod_template().is_some());
        judged && owner.get("controller").and_then(Value::as_bool) == Some(true)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    #[test]
    fn a_kind_counts_only_in_its_own_group() {
        let cases = [
            ("apps/v1", "Deployment", Some(Kind::Deployment)),
            ("apps/v1beta1", "Deployment", Some(Kind::Deployment)),
            ("extensions/v1beta1", "Deployment", Some(Kind::Deployment)),
            ("example.com/v1", "Deployment", None),
            ("v1", "Deployment", None),
            ("v1", "Service", Some(Kind::Service)),
            ("serving.knative.dev/v1", "Service", Some(Kind::KnativeService)),
            ("v1", "DeploymentConfig", Some(Kind::DeploymentConfig)),
            ("mssql.microsoft.com/v1", "SqlServer", None),
        ];
        for (api_version, kind, expected) in cases {
            let object = json!({"apiVersion": api_version, "kind": kind});
            assert_eq!(Kind::of_object(&object), expected, "{api_version} {kind}");
        }
    }

    #[test]
    fn only_a_controller_that_is_judged_excuses_its_child() {
        let owned = |owner: Value| has_judged_owner(&json!({"metadata": {"ownerReferences": [owner]}}));
        assert!(owned(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true})));
        assert!(owned(json!({"apiVersion": "serving.knative.dev/v1", "kind": "Revision", "controller": true})));
        assert!(!owned(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet"})));
        assert!(!owned(json!({"apiVersion": "example.com/v1", "kind": "ReplicaSet", "controller": true})));
        assert!(!owned(json!({"apiVersion": "v1", "kind": "Service", "controller": true})));
        assert!(!has_judged_owner(&json!({"metadata": {"ownerReferences": "none"}})));
    }
}
