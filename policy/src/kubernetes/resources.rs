//! The table of resources: what the rules check, and what they look up.
//!
//! Everything that depends on the resources follows from this table, or a test names the row that is missing: the
//! kinds, the field masks of look-ups, `rules` and `contextAwareResources` of `metadata.yml`, RBAC, the caches of the
//! webhook, the CEL match conditions, and the objects and fields that are kept of files.

use super::kind::{Kind, WorkloadKind};
use super::service::{ANNOTATIONS, Annotation};
use crate::json::field_mask::FieldMask;

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its kind.
    pub kind: Kind,
    /// Its API group; empty for the core group.
    pub group: &'static str,
    /// Groups under which old files and old servers know it.
    pub former_groups: &'static [&'static str],
    /// The served versions, the one for look-ups first.
    pub versions: &'static [&'static str],
    /// The kind's name in objects.
    pub name: &'static str,
    /// The resource's name in paths, RBAC and webhook rules.
    pub plural: &'static str,
    /// Whether objects belong to a namespace.
    pub is_namespaced: bool,
    /// The top-level fields that the rules read: an UPDATE that leaves them unchanged is allowed unchecked.
    pub body: &'static [&'static str],
    /// The annotations that the rules read, with the same effect.
    pub body_annotations: &'static [(&'static str, Annotation)],
    /// Whether rules check the object itself.
    pub is_checked: bool,
    /// Whether it has a `scale` sub-resource that rules check.
    pub is_scalable: bool,
    /// How rules look it up.
    pub look_up: LookUp,
    /// The fields that rules read when they look it up, as dotted paths through arrays. For workloads, the fields of
    /// the pod template come on top.
    pub fields: &'static [&'static str],
}

/// How rules look up the objects of a resource at admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// Not at all.
    No,
    /// Only in files, and in an audit of a live cluster.
    Offline,
    /// One object by name.
    Get,
    /// All objects of a namespace.
    List,
}

impl LookUp {
    /// Whether rules look objects up at admission.
    pub fn at_admission(self) -> bool {
        matches!(self, LookUp::Get | LookUp::List)
    }
}

/// The fields of a pod template that rules read when they look up a workload, at their place in a Deployment.
const POD_FIELDS: &[&str] = &[
    "spec.template.metadata.labels",
    "spec.template.spec.affinity",
    "spec.template.spec.containers.args",
    "spec.template.spec.containers.command",
    "spec.template.spec.containers.env.name",
    "spec.template.spec.containers.env.value",
    // A secret's name is not read, but that the value comes from somewhere else is.
    "spec.template.spec.containers.env.valueFrom.fieldRef",
    "spec.template.spec.containers.envFrom",
    "spec.template.spec.containers.image",
    "spec.template.spec.containers.name",
    "spec.template.spec.containers.ports",
    "spec.template.spec.containers.securityContext",
    "spec.template.spec.containers.volumeMounts",
    "spec.template.spec.initContainers.args",
    "spec.template.spec.initContainers.command",
    "spec.template.spec.initContainers.env.name",
    "spec.template.spec.initContainers.env.value",
    "spec.template.spec.initContainers.env.valueFrom.fieldRef",
    "spec.template.spec.initContainers.envFrom",
    "spec.template.spec.initContainers.image",
    "spec.template.spec.initContainers.name",
    "spec.template.spec.initContainers.ports",
    "spec.template.spec.initContainers.restartPolicy",
    "spec.template.spec.initContainers.securityContext",
    "spec.template.spec.initContainers.volumeMounts",
    "spec.template.spec.nodeSelector",
    "spec.template.spec.os",
    "spec.template.spec.securityContext",
    "spec.template.spec.tolerations",
    // Of others than claims, the kind of the volume.
    "spec.template.spec.volumes.configMap.name",
    "spec.template.spec.volumes.name",
    "spec.template.spec.volumes.persistentVolumeClaim",
    "spec.template.spec.volumes.projected.defaultMode",
    "spec.template.spec.volumes.secret.secretName",
];

/// What they start with.
const TEMPLATE: &str = "spec.template.";

/// A namespaced resource of version `v1` that rules neither check nor look up: the base of the rows below.
const UNUSED: Resource = Resource {
    kind: Kind::ConfigMap,
    group: "",
    former_groups: &[],
    versions: &["v1"],
    name: "",
    plural: "",
    is_namespaced: true,
    body: &["spec"],
    body_annotations: &[],
    is_checked: false,
    is_scalable: false,
    look_up: LookUp::No,
    fields: &[],
};

/// A workload of the group `apps`.
const APPS: Resource =
    Resource { group: "apps", former_groups: &["extensions"], is_checked: true, fields: &["spec.replicas"], ..UNUSED };

/// A workload of the core group.
const CORE: Resource = Resource { is_checked: true, ..UNUSED };

/// Every resource that the rules know, in the order of the documentation.
pub static RESOURCES: &[Resource] = &[
    Resource {
        kind: Kind::Workload(WorkloadKind::Deployment),
        name: "Deployment",
        plural: "deployments",
        is_scalable: true,
        look_up: LookUp::List,
        ..APPS
    },
    Resource {
        kind: Kind::Workload(WorkloadKind::StatefulSet),
        former_groups: &[],
        name: "StatefulSet",
        plural: "statefulsets",
        is_scalable: true,
        look_up: LookUp::List,
        fields: &["spec.ordinals.start", "spec.replicas", "spec.volumeClaimTemplates"],
        ..APPS
    },
    Resource { kind: Kind::Workload(WorkloadKind::DaemonSet), name: "DaemonSet", plural: "daemonsets", ..APPS },
    Resource {
        kind: Kind::Workload(WorkloadKind::ReplicaSet),
        name: "ReplicaSet",
        plural: "replicasets",
        is_scalable: true,
        look_up: LookUp::Get,
        ..APPS
    },
    Resource {
        kind: Kind::Workload(WorkloadKind::ReplicationController),
        name: "ReplicationController",
        plural: "replicationcontrollers",
        is_scalable: true,
        look_up: LookUp::Get,
        ..CORE
    },
    Resource { kind: Kind::Workload(WorkloadKind::Pod), name: "Pod", plural: "pods", ..CORE },
    Resource {
        kind: Kind::Workload(WorkloadKind::PodTemplate),
        name: "PodTemplate",
        plural: "podtemplates",
        body: &["template"],
        ..CORE
    },
    Resource { kind: Kind::Workload(WorkloadKind::Job), group: "batch", name: "Job", plural: "jobs", ..CORE },
    Resource {
        kind: Kind::Workload(WorkloadKind::CronJob),
        group: "batch",
        name: "CronJob",
        plural: "cronjobs",
        ..CORE
    },
    Resource {
        kind: Kind::Workload(WorkloadKind::Rollout),
        group: "argoproj.io",
        versions: &["v1alpha1"],
        name: "Rollout",
        plural: "rollouts",
        ..CORE
    },
    Resource {
        kind: Kind::Workload(WorkloadKind::DeploymentConfig),
        group: "apps.openshift.io",
        former_groups: &[""],
        name: "DeploymentConfig",
        plural: "deploymentconfigs",
        is_scalable: true,
        look_up: LookUp::Get,
        ..CORE
    },
    Resource {
        kind: Kind::Workload(WorkloadKind::KnativeService),
        group: super::kind::KNATIVE,
        name: "Service",
        plural: "services",
        ..CORE
    },
    Resource {
        kind: Kind::Service,
        body_annotations: &ANNOTATIONS,
        name: "Service",
        plural: "services",
        is_checked: true,
        look_up: LookUp::List,
        fields: &[
            "spec.clusterIP",
            "spec.externalTrafficPolicy",
            "spec.internalTrafficPolicy",
            "spec.ipFamilies",
            "spec.loadBalancerClass",
            "spec.loadBalancerIP",
            "spec.loadBalancerSourceRanges",
            "spec.ports",
            "spec.publishNotReadyAddresses",
            "spec.selector",
            "spec.type",
            "status.loadBalancer.ingress.ip",
        ],
        ..UNUSED
    },
    Resource {
        kind: Kind::Claim,
        name: "PersistentVolumeClaim",
        plural: "persistentvolumeclaims",
        is_checked: true,
        look_up: LookUp::Get,
        fields: &[
            "spec.accessModes",
            "spec.resources.requests.storage",
            "spec.selector",
            "spec.storageClassName",
            "spec.volumeMode",
            "spec.volumeName",
        ],
        ..UNUSED
    },
    Resource {
        kind: Kind::Volume,
        name: "PersistentVolume",
        plural: "persistentvolumes",
        is_namespaced: false,
        look_up: LookUp::Offline,
        ..UNUSED
    },
    Resource {
        kind: Kind::StorageClass,
        group: "storage.k8s.io",
        name: "StorageClass",
        plural: "storageclasses",
        is_namespaced: false,
        look_up: LookUp::Offline,
        body: &["allowedTopologies", "parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"],
        ..UNUSED
    },
    Resource {
        kind: Kind::Autoscaler,
        group: "autoscaling",
        versions: &["v2", "v1"],
        name: "HorizontalPodAutoscaler",
        is_checked: true,
        look_up: LookUp::Offline,
        plural: "horizontalpodautoscalers",
        ..UNUSED
    },
    Resource {
        kind: Kind::ScaledObject,
        group: "keda.sh",
        versions: &["v1alpha1"],
        name: "ScaledObject",
        is_checked: true,
        look_up: LookUp::Offline,
        plural: "scaledobjects",
        ..UNUSED
    },
    Resource {
        kind: Kind::VerticalAutoscaler,
        group: "autoscaling.k8s.io",
        name: "VerticalPodAutoscaler",
        is_checked: true,
        look_up: LookUp::Offline,
        plural: "verticalpodautoscalers",
        ..UNUSED
    },
    Resource {
        kind: Kind::DisruptionBudget,
        group: "policy",
        name: "PodDisruptionBudget",
        is_checked: true,
        plural: "poddisruptionbudgets",
        look_up: LookUp::Offline,
        ..UNUSED
    },
    Resource { kind: Kind::ConfigMap, name: "ConfigMap", plural: "configmaps", body: &["data"], ..UNUSED },
    Resource {
        kind: Kind::Node,
        name: "Node",
        plural: "nodes",
        is_namespaced: false,
        look_up: LookUp::Offline,
        ..UNUSED
    },
    Resource { kind: Kind::Gateway, group: "gateway.networking.k8s.io", name: "Gateway", plural: "gateways", ..UNUSED },
    Resource {
        kind: Kind::TcpRoute,
        group: "gateway.networking.k8s.io",
        // The only one of the releases up to 1.4, and served beside `v1` after them.
        versions: &["v1alpha2", "v1"],
        name: "TCPRoute",
        plural: "tcproutes",
        look_up: LookUp::List,
        fields: &["spec.parentRefs", "spec.rules.backendRefs"],
        ..UNUSED
    },
    // Requests for it name the resource that is scaled.
    Resource {
        kind: Kind::Scale,
        group: "autoscaling",
        // OpenShift's for a DeploymentConfig.
        former_groups: &["extensions"],
        name: "Scale",
        plural: "scale",
        is_checked: true,
        ..UNUSED
    },
];

impl Resource {
    /// Its API groups, today's first.
    pub fn groups(&self) -> impl Iterator<Item = &'static str> + use<> {
        [self.group].into_iter().chain(self.former_groups.iter().copied())
    }

    /// The `apiVersion` of its objects in look-ups.
    pub fn api_version(&self) -> String {
        let version = self.versions.first().copied().unwrap_or_default();
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// The fields that rules read when they look it up at admission, as sorted dotted paths; none for all. `metadata`
    /// is always read.
    pub fn looked_up_paths(&self) -> impl Iterator<Item = &'static str> + use<> {
        let of_pod = if self.kind.workload().is_some() { POD_FIELDS } else { &[] };
        let (before, after) = self.fields.split_at(self.fields.partition_point(|field| *field < TEMPLATE));
        before.iter().chain(of_pod).chain(after).copied()
    }

    /// The same for any resource, also for one whose pod template is elsewhere.
    fn field_paths(&self) -> Vec<String> {
        let prefix = |kind: WorkloadKind| kind.template_path().iter().flat_map(|name| [name, "."]).collect::<String>();
        let template = self.kind.workload().map(prefix);
        let moved = |path: &str| match (&template, path.strip_prefix(TEMPLATE)) {
            (Some(template), Some(below)) => format!("{template}{below}"),
            _ => path.to_owned(),
        };
        self.looked_up_paths().map(moved).collect()
    }

    /// The mask of the fields that rules read when they look it up, with those that identify the object.
    pub fn field_mask(&self) -> FieldMask {
        let paths = self.field_paths();
        if paths.is_empty() {
            return FieldMask::new([]);
        }
        FieldMask::new(paths.iter().map(String::as_str).chain(["apiVersion", "kind", "metadata"]))
    }
}

/// The resources whose `scale` sub-resource is checked.
pub fn scalable(plural: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.is_scalable && resource.plural == plural)
}

/// The API group of that name, if a resource is in it.
pub fn known_group(name: &str) -> Option<&'static str> {
    RESOURCES.iter().flat_map(Resource::groups).find(|group| *group == name)
}

/// Every path from an object to a pod's `spec`, each once.
pub fn pod_paths() -> Vec<Vec<&'static str>> {
    let mut paths: Vec<Vec<&'static str>> = Vec::new();
    for kind in RESOURCES.iter().filter_map(|resource| resource.kind.workload()) {
        let path = [kind.template_path(), &["spec"]].concat();
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn names_and_kinds_are_unique() {
        for (index, one) in RESOURCES.iter().enumerate() {
            for other in RESOURCES.iter().skip(index + 1) {
                assert_ne!(one.kind, other.kind);
                assert!(one.name != other.name || one.groups().all(|group| !other.groups().any(|own| own == group)));
            }
            assert!(!one.body.is_empty(), "{}", one.name);
        }
    }

    #[test]
    fn field_paths_of_workloads_start_at_the_pod_template() {
        let paths = |kind: WorkloadKind| Kind::Workload(kind).resource().unwrap().field_paths();
        for row in RESOURCES.iter().filter(|row| row.look_up == LookUp::List) {
            assert!(row.looked_up_paths().is_sorted() && row.looked_up_paths().eq(row.field_paths()), "{}", row.name);
        }
        assert!(paths(WorkloadKind::Pod).contains(&"spec.nodeSelector".to_owned()));
        assert!(paths(WorkloadKind::CronJob).contains(&"spec.jobTemplate.spec.template.spec.os".to_owned()));
        assert!(paths(WorkloadKind::StatefulSet).contains(&"spec.volumeClaimTemplates".to_owned()));
    }
}
