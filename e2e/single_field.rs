//! Every change of one field in a correct example is an error of one rule; of two, if the row says so.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::json::edit::{Edit, apply};
use sqledge_ha_policy::kubernetes::kind::Kind;
use sqledge_ha_policy::rules::check::CheckContext;
use sqledge_ha_policy::rules::check_all;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::index::ObjectIndex;

use crate::shared::{objects, text_of};

/// The two examples.
#[derive(Clone, Copy, Debug)]
enum Example {
    /// A Deployment with a claim and a Service.
    Deployment,
    /// A StatefulSet with a claim template and a Service.
    StatefulSet,
}
use Example::{Deployment, StatefulSet};

impl Example {
    fn objects(self) -> Vec<Value> {
        let name = match self {
            Deployment => "right.yaml",
            StatefulSet => "right-stateful-set.yaml",
        };
        let mut objects = objects(&text_of(&format!("e2e/examples/{name}")));
        objects.extend(self.neighbours());
        objects
    }

    /// Objects beside it that are correct, too: an autoscaler, a Job with a claim of its own, and the default class.
    fn neighbours(self) -> [Value; 3] {
        let (kind, name) = match self {
            Deployment => ("Deployment", "harbour-sensors"),
            StatefulSet => ("StatefulSet", "harbour-ledger"),
        };
        [
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
                "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name}, "maxReplicas": 1}}),
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "export"},
                "spec": {"template": {"spec": {"containers": [{"name": "export", "image": "registry.example/export:1",
                    "volumeMounts": [{"name": "files", "mountPath": "/files"}]}],
                    "volumes": [{"name": "files", "persistentVolumeClaim": {"claimName": "export"}}]}}}}),
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "disks",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                "provisioner": "disk.csi.azure.com", "reclaimPolicy": "Retain",
                "volumeBindingMode": "WaitForFirstConsumer"}),
        ]
    }
}

/// The rules with errors in a whole application.
fn errors(objects: &[Value]) -> BTreeSet<&'static str> {
    let world = ObjectIndex::new(Scope::Application, objects);
    let settings = Settings::default();
    let contexts =
        objects.iter().filter_map(|object| CheckContext::read(object, Kind::from_object(object)?, &settings, &world));
    let findings = contexts.flat_map(|context| check_all(&context));
    findings.filter(|finding| finding.action != Action::Warn).map(|finding| finding.rule).collect()
}

/// A change: the example, the kind of object, the pointer, the new value (`None` removes the field), and the rules that
/// report it.
type Row = (Example, &'static str, String, Option<Value>, &'static [&'static str]);

const ONE_WRITER: &[&str] = &["single-replica"];
const RECREATE: &[&str] = &["recreate-strategy"];
const STEADY: &[&str] = &["steady-controller"];
const PERSISTENT: &[&str] = &["persistent-data"];
const EXISTING: &[&str] = &["existing-claim"];
const RETAINED: &[&str] = &["retained-claim"];
const WRITABLE: &[&str] = &["writable-data"];
const FIXED_SIZE: &[&str] = &["no-autoscaling"];
const ONE_USER: &[&str] = &["exclusive-claim"];
const ONE_NODE: &[&str] = &["single-node-claim"];
const PORTABLE: &[&str] = &["portable-storage"];
const AMD64: &[&str] = &["amd64-node-selector"];
const LINUX: &[&str] = &["linux-node"];
const UNPINNED: &[&str] = &["unpinned-node"];
const FINITE: &[&str] = &["finite-tolerations"];
const GRACEFUL: &[&str] = &["graceful-stop"];
const OWNED: &[&str] = &["volume-ownership"];
const BALANCED: &[&str] = &["load-balancer-service"];
const REACHABLE: &[&str] = &["reachable-service"];
/// No error: it is correct, too, or a warning.
const NO_RULE: &[&str] = &[];

const POD: &str = "/spec/template/spec";

fn required(key: &str, operator: &str, values: &[&str]) -> Value {
    let expression = json!({"key": key, "operator": operator, "values": values});
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [expression]}]}}})
}

fn variable(name: &str, value: &str) -> Option<Value> {
    Some(json!({"name": name, "value": value}))
}

/// Changes of the pod template, which mean the same in both examples.
fn pod_rows() -> Vec<(String, Option<Value>, &'static [&'static str])> {
    let pod = |end: &str| format!("{POD}/{end}");
    let engine = |end: &str| format!("{POD}/containers/0/{end}");
    let mount = |end: &str| format!("{POD}/containers/0/volumeMounts/0/{end}");
    let always = |key: &str| json!([{"key": key, "operator": "Exists", "effect": "NoExecute"}]);
    let for_seconds = |seconds: i64| {
        Some(json!([{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": seconds}]))
    };
    let by_config_map = json!({"name": "MSSQL_DATA_DIR", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}});
    vec![
        (pod("restartPolicy"), Some(json!("OnFailure")), STEADY),
        (pod("restartPolicy"), Some(json!("Always")), NO_RULE),
        (pod("activeDeadlineSeconds"), Some(json!(3600)), STEADY),
        (engine("volumeMounts"), None, PERSISTENT),
        (engine("volumeMounts"), Some(json!([])), PERSISTENT),
        (mount("mountPath"), Some(json!("/data")), PERSISTENT),
        (mount("mountPath"), Some(json!("/var/opt/mssql/backup")), PERSISTENT),
        (mount("mountPath"), Some(json!("/var/opt/mssql/data")), NO_RULE),
        (mount("mountPath"), Some(json!("/var//opt/mssql/")), NO_RULE),
        (mount("mountPath"), Some(json!("/var/opt")), NO_RULE),
        (mount("name"), Some(json!("no-such-volume")), PERSISTENT),
        (mount("subPath"), Some(json!("mssql")), NO_RULE),
        (mount("readOnly"), Some(json!(true)), WRITABLE),
        (mount("readOnly"), Some(json!(false)), NO_RULE),
        (engine("env/-"), variable("MSSQL_DATA_DIR", "/srv/data"), PERSISTENT),
        (engine("env/-"), variable("MSSQL_LOG_DIR", "/srv/log"), PERSISTENT),
        (engine("env/-"), variable("MSSQL_MASTER_DATA_FILE", "/srv/master.mdf"), PERSISTENT),
        (engine("env/-"), variable("MSSQL_MASTER_LOG_FILE", "/srv/mastlog.ldf"), PERSISTENT),
        (engine("env/-"), variable("MSSQL_DATA_DIR", "/var/opt/mssql/elsewhere"), NO_RULE),
        (engine("env/-"), variable("MSSQL_DATA_DIR", ""), NO_RULE),
        (engine("env/-"), Some(by_config_map), NO_RULE),
        (pod("nodeSelector"), None, AMD64),
        (pod("nodeSelector/kubernetes.io~1arch"), Some(json!("arm64")), AMD64),
        (pod("nodeSelector/beta.kubernetes.io~1arch"), Some(json!("arm64")), AMD64),
        (pod("nodeSelector/beta.kubernetes.io~1arch"), Some(json!("amd64")), NO_RULE),
        (pod("affinity"), Some(required("kubernetes.io/arch", "In", &["arm64"])), AMD64),
        (pod("affinity"), Some(required("kubernetes.io/arch", "NotIn", &["amd64"])), AMD64),
        (pod("affinity"), Some(required("kubernetes.io/arch", "In", &["amd64"])), NO_RULE),
        (pod("affinity"), Some(required("kubernetes.io/arch", "NotIn", &["arm64"])), NO_RULE),
        (pod("nodeSelector/kubernetes.io~1os"), Some(json!("windows")), LINUX),
        (pod("nodeSelector/kubernetes.io~1os"), Some(json!("linux")), NO_RULE),
        (pod("os"), Some(json!({"name": "windows"})), LINUX),
        (pod("affinity"), Some(required("kubernetes.io/os", "In", &["windows"])), LINUX),
        (pod("nodeName"), Some(json!("rack-1")), UNPINNED),
        (pod("nodeSelector/kubernetes.io~1hostname"), Some(json!("rack-1")), UNPINNED),
        (pod("affinity"), Some(required("kubernetes.io/hostname", "In", &["rack-1"])), UNPINNED),
        (pod("affinity"), Some(required("kubernetes.io/hostname", "In", &["rack-1", "rack-2"])), NO_RULE),
        (pod("affinity"), Some(required("kubernetes.io/hostname", "NotIn", &["rack-1"])), NO_RULE),
        (pod("nodeSelector/topology.kubernetes.io~1zone"), Some(json!("north")), NO_RULE),
        (pod("tolerations"), Some(always("node.kubernetes.io/not-ready")), FINITE),
        (pod("tolerations"), Some(always("node.kubernetes.io/unreachable")), FINITE),
        (pod("tolerations"), Some(always("node.kubernetes.io/out-of-service")), NO_RULE),
        (pod("tolerations"), Some(json!([{"operator": "Exists"}])), FINITE),
        (pod("tolerations"), Some(always("dedicated")), NO_RULE),
        (pod("tolerations"), for_seconds(60), NO_RULE),
        (pod("tolerations"), for_seconds(900), NO_RULE),
        (pod("terminationGracePeriodSeconds"), Some(json!(0)), GRACEFUL),
        (pod("terminationGracePeriodSeconds"), Some(json!(5)), NO_RULE),
        (pod("terminationGracePeriodSeconds"), None, NO_RULE),
        (pod("securityContext"), None, OWNED),
        (pod("securityContext"), Some(json!({})), OWNED),
        (pod("securityContext"), Some(json!({"runAsUser": 10001})), OWNED),
        (pod("securityContext"), Some(json!({"runAsUser": 0})), NO_RULE),
        (pod("securityContext/fsGroup"), Some(json!(2000)), NO_RULE),
        (engine("image"), Some(json!("registry.example/shop/web:1")), NO_RULE),
        (engine("image"), Some(json!("mcr.microsoft.com/azure-sql-edge@sha256:00")), NO_RULE),
        (engine("ports/0/containerPort"), Some(json!(1434)), REACHABLE),
        (engine("ports/0/name"), Some(json!("sql")), REACHABLE),
        (engine("ports/0/protocol"), Some(json!("UDP")), REACHABLE),
        (engine("env/-"), variable("MSSQL_TCP_PORT", "14330"), REACHABLE),
        (engine("env/-"), variable("MSSQL_TCP_PORT", "1433"), NO_RULE),
        ("/spec/template/metadata/labels".to_owned(), None, BALANCED),
        ("/spec/template/metadata/labels/app".to_owned(), Some(json!("other")), BALANCED),
        ("/spec/template/metadata/labels/tier".to_owned(), Some(json!("data")), NO_RULE),
        ("/apiVersion".to_owned(), Some(json!("databases.example/v1")), NO_RULE),
        ("/spec/replicas".to_owned(), Some(json!(2)), ONE_WRITER),
        ("/spec/replicas".to_owned(), Some(json!("1")), ONE_WRITER),
        ("/spec/replicas".to_owned(), Some(json!(0)), NO_RULE),
        ("/spec/replicas".to_owned(), None, NO_RULE),
    ]
}

/// Changes of the Service, which mean the same in both examples.
fn service_rows() -> Vec<(&'static str, Option<Value>, &'static [&'static str])> {
    vec![
        ("/spec/type", None, BALANCED),
        ("/spec/type", Some(json!("ClusterIP")), BALANCED),
        ("/spec/type", Some(json!("NodePort")), BALANCED),
        ("/spec/type", Some(json!("ExternalName")), BALANCED),
        ("/metadata/namespace", Some(json!("elsewhere")), BALANCED),
        ("/spec/selector", None, BALANCED),
        ("/spec/selector/app", Some(json!("other")), BALANCED),
        ("/spec/selector/tier", Some(json!("data")), BALANCED),
        ("/spec/ports", Some(json!([])), REACHABLE),
        ("/spec/ports/0/targetPort", Some(json!(1434)), REACHABLE),
        ("/spec/ports/0/targetPort", Some(json!("sql")), REACHABLE),
        ("/spec/ports/0/targetPort", Some(json!(1433)), NO_RULE),
        ("/spec/ports/0/targetPort", None, NO_RULE),
        ("/spec/ports/0/protocol", Some(json!("UDP")), REACHABLE),
        ("/spec/ports/0/port", Some(json!(31433)), NO_RULE),
        ("/metadata/annotations", None, NO_RULE),
    ]
}

/// Changes that mean something in one of the examples only.
fn other_rows() -> Vec<Row> {
    let volume = format!("{POD}/volumes/0");
    let modes = "/spec/volumeClaimTemplates/0/spec/accessModes".to_owned();
    let deployment =
        |pointer: &str, value: Option<Value>, owners| (Deployment, "Deployment", pointer.to_owned(), value, owners);
    let set =
        |pointer: &str, value: Option<Value>, owners| (StatefulSet, "StatefulSet", pointer.to_owned(), value, owners);
    vec![
        deployment("/spec/strategy", None, RECREATE),
        deployment("/spec/strategy", Some(json!({})), RECREATE),
        deployment("/spec/strategy", Some(json!("Recreate")), RECREATE),
        deployment("/spec/strategy/type", Some(json!("RollingUpdate")), RECREATE),
        deployment("/spec/strategy/rollingUpdate", Some(json!({"maxSurge": 0})), RECREATE),
        deployment("/spec/strategy/rollingUpdate", Some(json!(null)), NO_RULE),
        // Two rules: claim and Service stay behind.
        deployment("/metadata/namespace", Some(json!("elsewhere")), &["existing-claim", "load-balancer-service"]),
        set("/metadata/namespace", Some(json!("elsewhere")), BALANCED),
        deployment(&format!("{volume}/persistentVolumeClaim/claimName"), Some(json!("missing")), EXISTING),
        deployment("/kind", Some(json!("DaemonSet")), STEADY),
        deployment("/kind", Some(json!("ReplicaSet")), NO_RULE),
        deployment("/apiVersion", Some(json!("extensions/v1beta1")), NO_RULE),
        deployment(&format!("{POD}/volumes"), None, PERSISTENT),
        deployment(&volume, Some(json!({"name": "data", "emptyDir": {}})), PERSISTENT),
        deployment(&volume, Some(json!({"name": "data", "hostPath": {"path": "/srv"}})), PERSISTENT),
        deployment(&volume, Some(json!({"name": "data", "ephemeral": {}})), PERSISTENT),
        deployment(&format!("{volume}/name"), Some(json!("other")), PERSISTENT),
        deployment(&format!("{volume}/persistentVolumeClaim/readOnly"), Some(json!(true)), WRITABLE),
        (Deployment, "Service", "/spec/selector/pod-template-hash".to_owned(), Some(json!("6c5d8f7b9")), REACHABLE),
        set("/spec/volumeClaimTemplates", None, PERSISTENT),
        set("/spec/volumeClaimTemplates/0/metadata/name", Some(json!("other")), PERSISTENT),
        set(&modes, Some(json!(["ReadWriteMany"])), ONE_NODE),
        set(&modes, Some(json!(["ReadWriteOnce", "ReadWriteMany"])), ONE_NODE),
        // Two rules: the database cannot write, and every node can mount the volume.
        set(&modes, Some(json!(["ReadOnlyMany"])), &["single-node-claim", "writable-data"]),
        set(&modes, Some(json!(["ReadWriteOncePod"])), NO_RULE),
        set("/spec/serviceName", Some(json!("other")), NO_RULE),
        set("/spec/persistentVolumeClaimRetentionPolicy", Some(json!({"whenDeleted": "Delete"})), RETAINED),
        set("/spec/persistentVolumeClaimRetentionPolicy", Some(json!({"whenScaled": "Delete"})), RETAINED),
        set("/spec/persistentVolumeClaimRetentionPolicy", Some(json!({"whenDeleted": "Retain"})), NO_RULE),
        set("/spec/podManagementPolicy", Some(json!("Parallel")), NO_RULE),
        // Two rules: the default strategy of a Deployment surges, and a Deployment has no claim templates.
        set("/kind", Some(json!("Deployment")), &["recreate-strategy", "persistent-data"]),
        // The name of a pod in a StatefulSet stays; that of another set's pod selects nothing here.
        (
            StatefulSet,
            "Service",
            "/spec/selector".to_owned(),
            Some(json!({"statefulset.kubernetes.io/pod-name": "harbour-ledger-0"})),
            NO_RULE,
        ),
        (
            StatefulSet,
            "Service",
            "/spec/selector".to_owned(),
            Some(json!({"statefulset.kubernetes.io/pod-name": "harbour-sensors-0"})),
            BALANCED,
        ),
        (StatefulSet, "Service", "/spec/selector/controller-revision-hash".to_owned(), Some(json!("7d9c")), REACHABLE),
        // A StatefulSet's pods have no such label.
        (StatefulSet, "Service", "/spec/selector/pod-template-hash".to_owned(), Some(json!("6c5d8f7b9")), BALANCED),
    ]
}

/// Changes of the objects beside an example, which mean the same for both; `claim` is the claim of the database.
fn neighbour_rows(claim: &str) -> Vec<(&'static str, &'static str, Option<Value>, &'static [&'static str])> {
    const CLAIM_OF_JOB: &str = "/spec/template/spec/volumes/0/persistentVolumeClaim";
    vec![
        ("HorizontalPodAutoscaler", "/spec/maxReplicas", Some(json!(4)), FIXED_SIZE),
        ("HorizontalPodAutoscaler", "/apiVersion", Some(json!("autoscaling/v1")), NO_RULE),
        ("HorizontalPodAutoscaler", "/spec/scaleTargetRef", None, NO_RULE),
        ("HorizontalPodAutoscaler", "/spec/scaleTargetRef/name", Some(json!("web")), NO_RULE),
        ("Job", CLAIM_OF_JOB, Some(json!({"claimName": claim})), ONE_USER),
        ("Job", CLAIM_OF_JOB, Some(json!({"claimName": claim, "readOnly": true})), NO_RULE),
        ("StorageClass", "/provisioner", Some(json!("rancher.io/local-path")), PORTABLE),
        ("StorageClass", "/provisioner", None, NO_RULE),
        ("StorageClass", "/reclaimPolicy", None, NO_RULE),
        ("StorageClass", "/volumeBindingMode", None, NO_RULE),
    ]
}

fn rows() -> Vec<Row> {
    let mut rows = other_rows();
    for (example, claim) in [(Deployment, "harbour-sensors"), (StatefulSet, "data-harbour-ledger-0")] {
        let neighbours = neighbour_rows(claim).into_iter();
        rows.extend(neighbours.map(|(kind, at, value, owners)| (example, kind, at.to_owned(), value, owners)));
    }
    for (example, kind) in [(Deployment, "Deployment"), (StatefulSet, "StatefulSet")] {
        rows.extend(pod_rows().into_iter().map(|(at, value, owners)| (example, kind, at, value, owners)));
        rows.extend(
            service_rows().into_iter().map(|(at, value, owners)| (example, "Service", at.to_owned(), value, owners)),
        );
    }
    rows
}

#[test]
fn the_examples_have_no_errors() {
    for example in [Deployment, StatefulSet] {
        assert_eq!(errors(&example.objects()), BTreeSet::new(), "{example:?}");
    }
}

#[test]
fn each_change_is_an_error_of_its_rules_only() {
    let rows = rows();
    assert!(rows.len() >= 150, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for (example, kind, pointer, value, owners) in rows {
        let mut objects = example.objects();
        let object = objects.iter_mut().find(|object| object["kind"] == kind).expect("the example has such an object");
        let edit = match value.clone() {
            Some(value) => Edit::Set { pointer: pointer.clone(), value },
            None => Edit::Remove { pointer: pointer.clone() },
        };
        let before = object.clone();
        assert_eq!(apply(object, &[edit]), Ok(()), "{pointer}");
        assert_ne!(*object, before, "{example:?} {kind} {pointer}: this changes nothing");
        let (found, expected) = (errors(&objects), owners.iter().copied().collect());
        if found != expected {
            wrong.push(format!("{example:?}: {kind} {pointer} = {value:?}: {found:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_change() {
    let owned: BTreeSet<&str> = rows().into_iter().flat_map(|(.., owners)| owners).copied().collect();
    for rule in sqledge_ha_policy::rules::RULES {
        // The table is about errors without settings; and no single field makes a path that changes with the pod, or
        // the kernels of all nodes too new. The corpus shows all of them.
        let takes_several = ["stable-data-path", "kernel-compatible"].contains(&rule.id);
        let is_elsewhere = matches!(rule.default_action, Action::Warn | Action::Off) || takes_several;
        assert!(is_elsewhere || owned.contains(rule.id), "{} has no change", rule.id);
    }
}
