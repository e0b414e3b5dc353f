//! The kinds of objects that the rules know.
//!
//! A kind is always matched together with its API group: a `Service` of `serving.knative.dev` is not a core Service,
//! and a custom resource with the name `Deployment` is not a Deployment.

use serde_json::Value;

use super::group_of;
use super::resources::{RESOURCES, Resource};
use crate::json::cursor::get_path;

/// The API group of Knative.
pub const KNATIVE: &str = "serving.knative.dev";

/// A kind of object that the rules know. Each has a row in [`RESOURCES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// It runs pods, or is one.
    Workload(WorkloadKind),
    /// The core Service.
    Service,
    /// PersistentVolumeClaim.
    Claim,
    /// PersistentVolume.
    Volume,
    /// StorageClass.
    StorageClass,
    /// HorizontalPodAutoscaler.
    Autoscaler,
    /// ScaledObject of KEDA.
    ScaledObject,
    /// VerticalPodAutoscaler.
    VerticalAutoscaler,
    /// PodDisruptionBudget.
    DisruptionBudget,
    /// ConfigMap.
    ConfigMap,
    /// Node.
    Node,
    /// Gateway of the Gateway API.
    Gateway,
    /// TCPRoute of the Gateway API.
    TcpRoute,
    /// The object of the `scale` sub-resource of workloads.
    Scale,
}

/// A kind of object that runs pods, or is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of the Kubernetes kinds")]
pub enum WorkloadKind {
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
    /// Service of `serving.knative.dev`.
    KnativeService,
}

impl Kind {
    /// Deployment.
    pub const DEPLOYMENT: Kind = Kind::Workload(WorkloadKind::Deployment);
    /// Rollout of Argo Rollouts.
    pub const ROLLOUT: Kind = Kind::Workload(WorkloadKind::Rollout);

    /// The kind with this API group (empty for the core group) and name.
    pub fn from_group(group: &str, name: &str) -> Option<Kind> {
        let is_meant = |resource: &&Resource| resource.name == name && resource.groups().any(|known| known == group);
        RESOURCES.iter().find(is_meant).map(|resource| resource.kind)
    }

    /// The kind that an object's own `apiVersion` and `kind` name.
    pub fn from_object(object: &Value) -> Option<Kind> {
        let name = object.get("kind")?.as_str()?;
        Kind::from_group(group_of(object.get("apiVersion")?.as_str()?), name)
    }

    /// The kind's own name, as in an object's `kind`.
    pub fn name(self) -> &'static str {
        self.resource().map_or("", |resource| resource.name)
    }

    /// The kind's row in the table of resources. A test makes sure that each kind has one.
    pub fn resource(self) -> Option<&'static Resource> {
        RESOURCES.iter().find(|resource| resource.kind == self)
    }

    /// The kind of workload, if it is one.
    pub fn workload(self) -> Option<WorkloadKind> {
        match self {
            Kind::Workload(kind) => Some(kind),
            Kind::Service
            | Kind::Claim
            | Kind::Volume
            | Kind::StorageClass
            | Kind::Autoscaler
            | Kind::ScaledObject
            | Kind::VerticalAutoscaler
            | Kind::DisruptionBudget
            | Kind::ConfigMap
            | Kind::Node
            | Kind::Gateway
            | Kind::TcpRoute
            | Kind::Scale => None,
        }
    }

    /// Whether the rules check objects of this kind, in files and at admission.
    pub fn is_checked(self) -> bool {
        self.resource().is_some_and(|resource| resource.is_checked)
    }

    /// Whether the API server rejects a change of the field at `pointer` on UPDATE.
    pub fn is_immutable(self, pointer: &str) -> bool {
        match self {
            Kind::Workload(WorkloadKind::Pod | WorkloadKind::Job) => pointer.starts_with("/spec/"),
            Kind::Workload(WorkloadKind::StatefulSet) => pointer.starts_with("/spec/volumeClaimTemplates"),
            Kind::Claim => pointer.starts_with("/spec/") && !pointer.starts_with("/spec/resources"),
            Kind::StorageClass => !pointer.starts_with("/metadata") && !pointer.starts_with("/allowVolumeExpansion"),
            Kind::Workload(_)
            | Kind::Service
            | Kind::Volume
            | Kind::Autoscaler
            | Kind::ScaledObject
            | Kind::VerticalAutoscaler
            | Kind::DisruptionBudget
            | Kind::ConfigMap
            | Kind::Node
            | Kind::Gateway
            | Kind::TcpRoute
            | Kind::Scale => false,
        }
    }
}

impl WorkloadKind {
    /// The kind's own name, as in an object's `kind`.
    pub fn name(self) -> &'static str {
        Kind::Workload(self).name()
    }

    /// The path from the object to the value that holds a pod's `metadata` and `spec`.
    pub fn template_path(self) -> &'static [&'static str] {
        match self {
            WorkloadKind::Pod => &[],
            WorkloadKind::PodTemplate => &["template"],
            WorkloadKind::CronJob => &["spec", "jobTemplate", "spec", "template"],
            WorkloadKind::Deployment
            | WorkloadKind::StatefulSet
            | WorkloadKind::DaemonSet
            | WorkloadKind::ReplicaSet
            | WorkloadKind::ReplicationController
            | WorkloadKind::Job
            | WorkloadKind::Rollout
            | WorkloadKind::DeploymentConfig
            | WorkloadKind::KnativeService => &["spec", "template"],
        }
    }

    /// Whether its pods run once and end.
    pub fn runs_to_completion(self) -> bool {
        matches!(self, WorkloadKind::Job | WorkloadKind::CronJob)
    }

    /// Whether its pods stay, so that clients can look for them.
    pub fn is_long_running(self) -> bool {
        !self.runs_to_completion() && !matches!(self, WorkloadKind::PodTemplate | WorkloadKind::KnativeService)
    }

    /// The kinds whose controllers make objects of this kind, as API group and name. They are checked in its place.
    pub fn owners(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let kinds: &[WorkloadKind] = match self {
            WorkloadKind::Pod => &[
                WorkloadKind::ReplicaSet,
                WorkloadKind::StatefulSet,
                WorkloadKind::DaemonSet,
                WorkloadKind::Job,
                WorkloadKind::ReplicationController,
            ],
            WorkloadKind::ReplicaSet => &[WorkloadKind::Deployment, WorkloadKind::Rollout],
            WorkloadKind::ReplicationController => &[WorkloadKind::DeploymentConfig],
            WorkloadKind::Job => &[WorkloadKind::CronJob],
            WorkloadKind::Deployment
            | WorkloadKind::StatefulSet
            | WorkloadKind::DaemonSet
            | WorkloadKind::PodTemplate
            | WorkloadKind::CronJob
            | WorkloadKind::Rollout
            | WorkloadKind::DeploymentConfig
            | WorkloadKind::KnativeService => &[],
        };
        let rows = kinds.iter().filter_map(|kind| Kind::Workload(*kind).resource());
        let of_table = rows.flat_map(|row| row.groups().map(move |group| (group, row.name)));
        // The Deployment of a Knative Service is made for one of its Revisions.
        of_table.chain((self == WorkloadKind::Deployment).then_some((KNATIVE, "Revision")))
    }
}

/// Whether the controller that makes such objects owns this one, and is checked in its place. A child is not checked
/// again: rejecting it would be an outage. Any other owner, such as an operator, does not exempt the object.
pub fn has_checked_owner(kind: Kind, object: &Value) -> bool {
    let Some(kind) = kind.workload() else { return false };
    controller_of(object).is_some_and(|(group, name, _)| kind.owners().any(|known| known == (group, name)))
}

/// Whether an operator made the object for a custom resource. It would undo a mutation, and repeat what is rejected.
pub fn is_of_operator(object: &Value) -> bool {
    controller_of(object).is_some_and(|(group, name, _)| {
        let is_built_in = matches!((group, name), ("apps.openshift.io" | KNATIVE, _) | ("argoproj.io", "Rollout"));
        group.contains('.') && !is_built_in
    })
}

/// Whether it is the mirror of a Pod that the kubelet runs from a file on its node, whatever the API server says.
pub fn is_mirror_pod(kind: Kind, object: &Value) -> bool {
    kind == Kind::Workload(WorkloadKind::Pod) && matches!(controller_of(object), Some(("", "Node", _)))
}

/// The owner that controls an object: its API group, kind and name.
pub fn controller_of(object: &Value) -> Option<(&str, &str, &str)> {
    let owners = get_path(object, &["metadata", "ownerReferences"]).and_then(Value::as_array);
    let owner = owners?.iter().find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))?;
    let text = |key| owner.get(key).and_then(Value::as_str).unwrap_or_default();
    Some((group_of(text("apiVersion")), text("kind"), text("name")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    #[test]
    fn a_kind_counts_only_in_its_own_group() {
        let cases = [
            ("apps/v1", "Deployment", Some(Kind::Workload(WorkloadKind::Deployment))),
            ("apps/v1beta1", "Deployment", Some(Kind::Workload(WorkloadKind::Deployment))),
            ("extensions/v1beta1", "Deployment", Some(Kind::Workload(WorkloadKind::Deployment))),
            ("example.com/v1", "Deployment", None),
            ("v1", "Deployment", None),
            ("v1", "Service", Some(Kind::Service)),
            ("serving.knative.dev/v1", "Service", Some(Kind::Workload(WorkloadKind::KnativeService))),
            ("v1", "DeploymentConfig", Some(Kind::Workload(WorkloadKind::DeploymentConfig))),
            ("storage.k8s.io/v1", "StorageClass", Some(Kind::StorageClass)),
            ("mssql.microsoft.com/v1", "SqlServer", None),
        ];
        for (api_version, kind, expected) in cases {
            let object = json!({"apiVersion": api_version, "kind": kind});
            assert_eq!(Kind::from_object(&object), expected, "{api_version} {kind}");
        }
    }

    #[test]
    fn only_the_controller_that_makes_such_objects_exempts_them() {
        let owned = |kind: WorkloadKind, owner: Value| {
            has_checked_owner(Kind::Workload(kind), &json!({"metadata": {"ownerReferences": [owner]}}))
        };
        let owner =
            |api_version: &str, kind: &str| json!({"apiVersion": api_version, "kind": kind, "controller": true});
        let (pod, deployment) = (WorkloadKind::Pod, WorkloadKind::Deployment);
        assert!(owned(pod, owner("apps/v1", "ReplicaSet")) && owned(pod, owner("extensions/v1beta1", "ReplicaSet")));
        assert!(owned(deployment, owner("serving.knative.dev/v1", "Revision")));
        assert!(owned(WorkloadKind::ReplicaSet, owner("argoproj.io/v1alpha1", "Rollout")));
        assert!(!owned(pod, json!({"apiVersion": "apps/v1", "kind": "ReplicaSet"})), "not its controller");
        assert!(!owned(pod, owner("example.com/v1", "ReplicaSet")) && !owned(pod, owner("apps/v1", "Deployment")));
        assert!(!owned(deployment, owner("apps/v1", "Deployment")), "of an operator");
        assert!(!owned(WorkloadKind::StatefulSet, owner("serving.knative.dev/v1", "Revision")));
        assert!(!has_checked_owner(Kind::Workload(pod), &json!({"metadata": {"ownerReferences": "none"}})));
        let of_revision = json!({"metadata": {"ownerReferences": [owner("serving.knative.dev/v1", "Revision")]}});
        assert!(!has_checked_owner(Kind::Service, &of_revision));
    }
}
