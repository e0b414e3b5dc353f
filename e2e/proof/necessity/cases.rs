//! For each rule that rejects or mutates, a manifest that breaks only this rule, and the failure that it causes.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Case, Stage};
use crate::application::Application;
use crate::guarantees::Guarantee;
use crate::pods::update;
use crate::scenario::Scenario;

pub(super) fn right() -> Application {
    Application::deployment("ReadWriteOnce")
}

const POD: &str = "/spec/template/spec";

fn pod_with(pointer: &str, value: Value) -> Application {
    right().with("Deployment", &format!("{POD}{pointer}"), value)
}

/// The application with one more object.
fn beside(object: Value) -> Application {
    let mut application = right();
    application.objects.push(object);
    application
}

fn autoscaler(replicas: u32) -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "ledger"}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "ledger"},
        "minReplicas": replicas, "maxReplicas": replicas}})
}

/// The application with a second database on the same claim, and its Service.
fn with_second_database() -> Application {
    let mut application = right();
    for kind in ["Service", "Deployment"] {
        let mut second = application.objects.iter().find(|object| object["kind"] == kind).unwrap().clone();
        second["metadata"]["name"] = json!("archive");
        let selector = if kind == "Service" { "/spec/selector/app" } else { "/spec/selector/matchLabels/app" };
        *second.pointer_mut(selector).unwrap() = json!("archive");
        if let Some(label) = second.pointer_mut("/spec/template/metadata/labels/app") {
            *label = json!("archive");
        }
        application.objects.push(second);
    }
    application
}

fn volume_of_a_node() -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "of-a-node"}, "spec": {
        "capacity": {"storage": "8Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/srv/ledger"}}})
}

/// Deletes the pod and waits for a replacement.
fn delete_pod(scenario: &Scenario<'_>) {
    let pod = scenario.pod();
    scenario.replaced_by(|| _ = scenario.must(&["delete", "pod", &pod, "--wait=false"]));
}

/// Scales the StatefulSet to 0, and to 1 again when its pod and what belongs to it are gone.
fn scale_down_and_up(scenario: &Scenario<'_>) {
    let scale = |replicas: &str| _ = scenario.must(&["scale", "statefulset/ledger", &format!("--replicas={replicas}")]);
    scenario.replaced_by(|| {
        scale("0");
        scenario.wait("its pod is deleted", |database, view| database.pods(view).is_empty());
        wait(scenario);
        scale("1");
    });
}

/// Waits without an event.
fn wait(_: &Scenario<'_>) {
    std::thread::sleep(Duration::from_secs(5));
}

/// Every rule that rejects or mutates, in the order of the registry. Some have several cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case {
            rule: "single-replica",
            stage: Stage::Pods,
            says: "`replicas: 2`",
            broken: || right().with("Deployment", "/spec/replicas", json!(2)),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Guarantee::OneWriter),
        },
        Case {
            rule: "single-replica",
            stage: Stage::Pods,
            says: "a StatefulSet with `replicas: 2`",
            broken: || Application::stateful_set().with("StatefulSet", "/spec/replicas", json!(2)),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Guarantee::SameData),
        },
        Case {
            rule: "no-autoscaling",
            stage: Stage::Pods,
            says: "a HorizontalPodAutoscaler with `minReplicas: 2`",
            broken: || beside(autoscaler(2)),
            event: "it is applied",
            // The controller looks every 15 seconds.
            cause: |_| std::thread::sleep(Duration::from_secs(30)),
            breaks: Ok(Guarantee::OneWriter),
        },
        Case {
            rule: "recreate-strategy",
            stage: Stage::Pods,
            says: "no `strategy`",
            broken: || right().without("Deployment", "/spec/strategy"),
            event: "the template changes",
            cause: |scenario| _ = update(scenario),
            breaks: Ok(Guarantee::OneWriter),
        },
        Case {
            rule: "steady-controller",
            stage: Stage::Pods,
            says: "a bare Pod",
            broken: Application::pod,
            event: "the pod is deleted",
            cause: |scenario| {
                scenario.event();
                scenario.must(&["delete", "pod", "ledger"]);
                wait(scenario);
            },
            breaks: Ok(Guarantee::ComesBack),
        },
        Case {
            rule: "exclusive-claim",
            stage: Stage::Pods,
            says: "a second database that mounts the claim, too",
            broken: with_second_database,
            event: "it is applied",
            cause: wait,
            breaks: Err("files, which two servers damage"),
        },
        Case {
            rule: "single-node-claim",
            stage: Stage::Elsewhere,
            says: "`accessModes: [ReadWriteMany]`",
            broken: || right().with("PersistentVolumeClaim", "/spec/accessModes", json!(["ReadWriteMany"])),
            event: "the node is cut off, and still runs the old pod",
            cause: wait,
            breaks: Err("a node that is cut off from the cluster, but not from the storage"),
        },
        Case {
            rule: "persistent-data",
            stage: Stage::Pods,
            says: "an `emptyDir` at the data directory",
            broken: || pod_with("/volumes/0", json!({"name": "data", "emptyDir": {}})),
            event: "the pod is deleted",
            cause: delete_pod,
            breaks: Ok(Guarantee::SameData),
        },
        Case {
            rule: "writable-data",
            stage: Stage::Elsewhere,
            says: "`readOnly: true` on the data mount",
            broken: || pod_with("/containers/0/volumeMounts/0/readOnly", json!(true)),
            event: "SQL Edge starts",
            cause: wait,
            breaks: Err("SQL Edge, which exits because it cannot write its database files"),
        },
        Case {
            rule: "stable-data-path",
            stage: Stage::Pods,
            says: "`subPathExpr: $(POD_NAME)` on the data mount",
            broken: || {
                // With another access mode the pods would also overlap.
                let name = json!({"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
                Application::deployment("ReadWriteOncePod")
                    .with("Deployment", &format!("{POD}/containers/0/env/-"), name)
                    .with("Deployment", &format!("{POD}/containers/0/volumeMounts/0/subPathExpr"), json!("$(POD_NAME)"))
            },
            event: "the pod is deleted",
            cause: delete_pod,
            breaks: Ok(Guarantee::SameData),
        },
        Case {
            rule: "stable-data-path",
            stage: Stage::Pods,
            says: "`subPathExpr: $(REVISION)`, the label `pod-template-hash`",
            broken: || {
                let label = "metadata.labels['pod-template-hash']";
                let revision = json!({"name": "REVISION", "valueFrom": {"fieldRef": {"fieldPath": label}}});
                Application::deployment("ReadWriteOncePod")
                    .with("Deployment", &format!("{POD}/containers/0/env/-"), revision)
                    .with("Deployment", &format!("{POD}/containers/0/volumeMounts/0/subPathExpr"), json!("$(REVISION)"))
            },
            event: "the template changes",
            cause: |scenario| _ = update(scenario),
            breaks: Ok(Guarantee::SameData),
        },
        Case {
            rule: "existing-claim",
            stage: Stage::Pods,
            says: "a claim that does not exist",
            broken: || pod_with("/volumes/0/persistentVolumeClaim/claimName", json!("missing")),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Guarantee::ComesBack),
        },
        Case {
            rule: "retained-claim",
            stage: Stage::Pods,
            says: "`whenScaled: Delete`",
            broken: || {
                Application::stateful_set().with(
                    "StatefulSet",
                    "/spec/persistentVolumeClaimRetentionPolicy",
                    json!({"whenScaled": "Delete"}),
                )
            },
            event: "it is scaled to 0 and to 1",
            cause: scale_down_and_up,
            breaks: Ok(Guarantee::SameData),
        },
        Case {
            rule: "portable-storage",
            stage: Stage::Elsewhere,
            says: "a PersistentVolume with `hostPath`",
            broken: || beside(volume_of_a_node()).with("PersistentVolumeClaim", "/spec/volumeName", json!("of-a-node")),
            event: "the node fails",
            cause: wait,
            breaks: Err("files that stay on the node"),
        },
        Case {
            rule: "amd64-node-selector",
            stage: Stage::OtherArchitecture,
            says: "no `nodeSelector`",
            broken: || right().without("Deployment", &format!("{POD}/nodeSelector")),
            event: "the last amd64 node fails",
            cause: wait,
            breaks: Ok(Guarantee::Amd64Only),
        },
        Case {
            rule: "linux-node",
            stage: Stage::Pods,
            says: "`nodeSelector: kubernetes.io/os: windows`",
            broken: || pod_with("/nodeSelector/kubernetes.io~1os", json!("windows")),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Guarantee::ComesBack),
        },
        Case {
            rule: "unpinned-node",
            stage: Stage::Nodes,
            says: "`nodeSelector: kubernetes.io/hostname: amd64-a`",
            broken: || pod_with("/nodeSelector/kubernetes.io~1hostname", json!("amd64-a")),
            event: "the node fails and is tainted",
            cause: wait,
            breaks: Ok(Guarantee::ComesBack),
        },
        Case {
            rule: "finite-tolerations",
            stage: Stage::Nodes,
            says: "`tolerations: [{operator: Exists, effect: NoExecute}]`",
            broken: || pod_with("/tolerations", json!([{"operator": "Exists", "effect": "NoExecute"}])),
            event: "the node fails and is tainted",
            cause: wait,
            breaks: Ok(Guarantee::ComesBack),
        },
        Case {
            rule: "graceful-stop",
            stage: Stage::Elsewhere,
            says: "`terminationGracePeriodSeconds: 0`",
            broken: || pod_with("/terminationGracePeriodSeconds", json!(0)),
            event: "the pod is deleted",
            cause: wait,
            breaks: Err("SQL Edge, which is killed and must run crash recovery"),
        },
        Case {
            rule: "volume-ownership",
            stage: Stage::Elsewhere,
            says: "no `fsGroup`",
            broken: || right().without("Deployment", &format!("{POD}/securityContext")),
            event: "SQL Edge starts on a new volume",
            cause: wait,
            breaks: Err("a real disk, which root owns while SQL Edge runs as uid 10001"),
        },
        Case {
            rule: "load-balancer-service",
            stage: Stage::Pods,
            says: "a Service of `type: ClusterIP`",
            broken: || right().with("Service", "/spec/type", json!("ClusterIP")),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Guarantee::SameAddress),
        },
        Case {
            rule: "reachable-service",
            stage: Stage::Pods,
            says: "`targetPort: 1434`",
            broken: || right().with("Service", "/spec/ports/0/targetPort", json!(1434)),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Guarantee::ComesBack),
        },
    ]
}
