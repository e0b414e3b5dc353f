//! Generated objects: right examples with a few fields changed to values that are right, wrong, or of the wrong type.

use proptest::prelude::*;
use serde_json::{Value, json};
use sqledge_ha_policy::json::edit::{Edit, apply};

use super::{claim, deployment, service, stateful_set};

/// Places below a pod's `spec` that rules look at, and a few that they do not.
const POD: [&str; 37] = [
    "nodeSelector",
    "nodeSelector/kubernetes.io~1arch",
    "nodeSelector/beta.kubernetes.io~1arch",
    "nodeSelector/kubernetes.io~1os",
    "nodeSelector/kubernetes.io~1hostname",
    "nodeName",
    "os",
    "affinity",
    "affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms",
    "tolerations",
    "tolerations/-",
    "terminationGracePeriodSeconds",
    "activeDeadlineSeconds",
    "restartPolicy",
    "securityContext",
    "securityContext/fsGroup",
    "containers",
    "containers/0/image",
    "containers/0/env",
    "containers/0/env/-",
    "containers/0/envFrom",
    "containers/0/volumeMounts",
    "containers/0/volumeMounts/0/mountPath",
    "containers/0/volumeMounts/0/readOnly",
    "containers/0/ports/0/hostPort",
    "containers/0/livenessProbe",
    "containers/0/livenessProbe/periodSeconds",
    "containers/0/readinessProbe",
    "containers/0/resources",
    "containers/0/resources/limits/memory",
    "containers/0/securityContext",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution",
    "env",
    "hostNetwork",
    "resources",
    "volumes",
    "futureField",
];

/// Places of a workload outside its pod template, and of a Service.
const OUTSIDE: [&str; 22] = [
    "/spec/replicas",
    "/spec/strategy",
    "/spec/strategy/type",
    "/spec/strategy/rollingUpdate",
    "/spec/template",
    "/spec/template/metadata/labels",
    "/spec/volumeClaimTemplates",
    "/spec/type",
    "/spec/clusterIP",
    "/spec/selector",
    "/spec/ports",
    "/spec/ports/0/targetPort",
    "/spec/updateStrategy",
    "/spec/persistentVolumeClaimRetentionPolicy",
    "/spec/paused",
    "/spec/externalTrafficPolicy",
    "/spec/loadBalancerSourceRanges",
    "/status/loadBalancer/ingress",
    "/metadata",
    "/metadata/annotations",
    "/metadata/namespace",
    "/spec",
];

/// Places of claims, autoscalers, disruption budgets and storage.
const RELATED: [&str; 20] = [
    "/metadata/name",
    "/metadata/annotations",
    "/provisioner",
    "/reclaimPolicy",
    "/volumeBindingMode",
    "/parameters",
    "/spec",
    "/spec/accessModes",
    "/spec/accessModes/0",
    "/spec/storageClassName",
    "/spec/volumeMode",
    "/spec/volumeName",
    "/spec/selector",
    "/spec/minAvailable",
    "/spec/maxUnavailable",
    "/spec/maxReplicas",
    "/spec/scaleTargetRef",
    "/spec/scaleTargetRef/name",
    "/spec/nodeAffinity",
    "/spec/hostPath",
];

fn values() -> impl Strategy<Value = Value> {
    let strange = [
        json!(null),
        json!({}),
        json!([]),
        json!(""),
        json!("3"),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(true),
        json!([{}]),
        json!({"a": {"b": [1]}}),
    ];
    let sensible = [
        json!(1),
        json!(2),
        json!(300),
        json!("amd64"),
        json!("arm64"),
        json!("windows"),
        json!("linux"),
        json!("Recreate"),
        json!("RollingUpdate"),
        json!("ClusterIP"),
        json!("NodePort"),
        json!("LoadBalancer"),
        json!("ExternalName"),
        json!("None"),
        json!("/var/opt/mssql/data"),
        json!("/elsewhere/"),
        json!("mcr.microsoft.com/azure-sql-edge"),
        json!("nginx"),
        json!("mcr.microsoft.com/mssql/server:2022-latest"),
        json!({"app": "sql"}),
        json!({"app": "web"}),
        json!({"rollingUpdate": {"maxSurge": 1}}),
        json!({"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
        json!({"operator": "Exists"}),
        json!([{"key": "node.kubernetes.io/unreachable", "operator": "Exists"}]),
        json!([{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]}]}]),
        json!([{"name": "data", "emptyDir": {}}]),
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": "x", "readOnly": true}}]),
        json!([{"name": "MSSQL_DATA_DIR", "value": "/elsewhere"}]),
        json!({"name": "MSSQL_TCP_PORT", "value": "14330"}),
        json!({"name": "MSSQL_DATA_DIR", "value": "$(ROOT)/data"}),
        json!([{"port": 1434}]),
        json!([{"metadata": {"name": "data"}}]),
        json!(i64::MAX),
        json!("Local"),
        json!("512Mi"),
        json!("1e999"),
        json!({"limits": {"memory": "512Mi"}}),
        json!({"exec": {"command": ["/opt/mssql-tools/bin/sqlcmd"]}}),
        json!({"runAsNonRoot": true}),
        json!({"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
        json!({"whenDeleted": "Delete"}),
        json!([{"topologyKey": "topology.kubernetes.io/zone", "labelSelector": {}}]),
        json!({"name": "MSSQL_PID", "value": "Express"}),
        json!(["0.0.0.0/0"]),
        json!([{"ip": "10.0.0.1"}]),
        json!("ReadWriteMany"),
        json!(["ReadWriteOnce", "ReadWriteMany"]),
        json!("Block"),
        json!("50%"),
        json!("rancher.io/local-path"),
        json!({"matchExpressions": [{"key": "app", "operator": "Perhaps", "values": ["sql"]}]}),
        json!({"kind": "StatefulSet", "name": "sql"}),
        json!("sql-data"),
        json!("sql"),
    ];
    prop_oneof![
        1 => prop::sample::select(strange.to_vec()),
        3 => prop::sample::select(sensible.to_vec()),
    ]
}

fn base() -> impl Strategy<Value = (Value, &'static str)> {
    let other = |api_version: &str, kind: &str| {
        let mut object = deployment();
        (object["apiVersion"], object["kind"]) = (json!(api_version), json!(kind));
        object
    };
    let mut pod = other("v1", "Pod");
    pod["spec"] = pod["spec"]["template"]["spec"].clone();
    let plain = "/spec/template/spec/";
    prop::sample::select(vec![
        (deployment(), plain),
        (stateful_set(), plain),
        (other("apps/v1", "ReplicaSet"), plain),
        (other("batch/v1", "Job"), plain),
        (other("argoproj.io/v1alpha1", "Rollout"), plain),
        (pod, "/spec/"),
        (service(), plain),
    ])
}

/// Objects to which a database can be related, before their fields are changed.
fn related() -> impl Strategy<Value = Value> {
    let object = |api_version: &str, kind: &str, spec: Value| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "sql"}, "spec": spec});
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql"});
    let selector = json!({"matchLabels": {"app": "sql"}});
    prop::sample::select(vec![
        claim(),
        object("autoscaling/v2", "HorizontalPodAutoscaler", json!({"scaleTargetRef": target, "maxReplicas": 2})),
        object("keda.sh/v1alpha1", "ScaledObject", json!({"scaleTargetRef": {"name": "sql"}})),
        object("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", json!({"targetRef": target})),
        object("policy/v1", "PodDisruptionBudget", json!({"selector": selector, "minAvailable": 1})),
        object("v1", "PersistentVolume", json!({"claimRef": {"namespace": "default", "name": "sql-data"}})),
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "sql"}}),
    ])
}

/// Any object that the rules may meet.
pub(crate) fn objects() -> impl Strategy<Value = Value> {
    let changes = prop::collection::vec((prop::sample::select(RELATED.to_vec()), values()), 0..4);
    let related = (related(), changes).prop_map(|(mut object, changes)| {
        for (place, value) in changes {
            let _ = apply(&mut object, &[Edit::Set { pointer: place.to_owned(), value }]);
        }
        object
    });
    prop_oneof![3 => workloads_and_services(), 1 => related]
}

fn workloads_and_services() -> impl Strategy<Value = Value> {
    let place = prop_oneof![
        3 => prop::sample::select(POD.to_vec()).prop_map(|place| (true, place)),
        1 => prop::sample::select(OUTSIDE.to_vec()).prop_map(|place| (false, place)),
    ];
    (base(), prop::collection::vec((place, values()), 0..6)).prop_map(|((mut object, pod), changes)| {
        let is_service = object["kind"] == "Service";
        for ((in_pod, place), value) in changes {
            let pointer = if in_pod && !is_service { format!("{pod}{place}") } else { place.to_owned() };
            // A change that no longer fits the object after an earlier one is left out.
            if pointer.starts_with('/') {
                let _ = apply(&mut object, &[Edit::Set { pointer, value }]);
            }
        }
        object
    })
}
