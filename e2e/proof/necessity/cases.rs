//! A manifest for each rule that refuses or mends, with nothing wrong but this, and what has to become of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Case, Stage};
use crate::application::Application;
use crate::play::Play;
use crate::pods::update;
use crate::promises::Promise;

pub(super) fn right() -> Application {
    Application::deployment("ReadWriteOnce")
}

const POD: &str = "/spec/template/spec";

fn pod_with(pointer: &str, value: Value) -> Application {
    right().with("Deployment", &format!("{POD}{pointer}"), value)
}

/// Deletes the pod and waits for a replacement.
fn delete_pod(play: &Play<'_>) {
    let pod = play.pod();
    play.replaced_by(|| _ = play.must(&["delete", "pod", &pod, "--wait=false"]));
}

/// Nothing more happens: it is watched for a while.
fn wait(_: &Play<'_>) {
    std::thread::sleep(Duration::from_secs(5));
}

/// Every rule that refuses or mends, in the order of the registry.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case {
            rule: "single-replica",
            stage: Stage::Pods,
            says: "`replicas: 2`",
            broken: || right().with("Deployment", "/spec/replicas", json!(2)),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Promise::OneWriter),
        },
        Case {
            rule: "recreate-strategy",
            stage: Stage::Pods,
            says: "no `strategy`",
            broken: || right().without("Deployment", "/spec/strategy"),
            event: "the template changes",
            cause: |play| _ = update(play),
            breaks: Ok(Promise::OneWriter),
        },
        Case {
            rule: "steady-controller",
            stage: Stage::Pods,
            says: "a bare Pod",
            broken: Application::pod,
            event: "the pod is deleted",
            cause: |play| {
                play.event();
                play.must(&["delete", "pod", "ledger"]);
                wait(play);
            },
            breaks: Ok(Promise::ComesBack),
        },
        Case {
            rule: "persistent-data",
            stage: Stage::Pods,
            says: "an `emptyDir` at the data directory",
            broken: || pod_with("/volumes/0", json!({"name": "data", "emptyDir": {}})),
            event: "the pod is deleted",
            cause: delete_pod,
            breaks: Ok(Promise::SameData),
        },
        Case {
            rule: "writable-data",
            stage: Stage::Elsewhere,
            says: "`readOnly: true` on the data mount",
            broken: || pod_with("/containers/0/volumeMounts/0/readOnly", json!(true)),
            event: "the engine starts",
            cause: wait,
            breaks: Err("a real engine, which cannot open its files for writing and ends"),
        },
        Case {
            rule: "stable-data-path",
            stage: Stage::Pods,
            says: "`subPathExpr: $(POD_NAME)` on the data mount",
            broken: || {
                // With another access mode the pods would also meet.
                let name = json!({"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
                Application::deployment("ReadWriteOncePod")
                    .with("Deployment", &format!("{POD}/containers/0/env/-"), name)
                    .with("Deployment", &format!("{POD}/containers/0/volumeMounts/0/subPathExpr"), json!("$(POD_NAME)"))
            },
            event: "the pod is deleted",
            cause: delete_pod,
            breaks: Ok(Promise::SameData),
        },
        Case {
            rule: "amd64-node-selector",
            stage: Stage::OtherArchitecture,
            says: "no `nodeSelector`",
            broken: || right().without("Deployment", &format!("{POD}/nodeSelector")),
            event: "the last amd64 machine dies",
            cause: wait,
            breaks: Ok(Promise::Amd64Only),
        },
        Case {
            rule: "linux-node",
            stage: Stage::Pods,
            says: "`nodeSelector: kubernetes.io/os: windows`",
            broken: || pod_with("/nodeSelector/kubernetes.io~1os", json!("windows")),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Promise::ComesBack),
        },
        Case {
            rule: "unpinned-node",
            stage: Stage::Machines,
            says: "`nodeSelector: kubernetes.io/hostname: amd64-a`",
            broken: || pod_with("/nodeSelector/kubernetes.io~1hostname", json!("amd64-a")),
            event: "the machine dies and is tainted",
            cause: wait,
            breaks: Ok(Promise::ComesBack),
        },
        Case {
            rule: "finite-tolerations",
            stage: Stage::Machines,
            says: "`tolerations: [{operator: Exists, effect: NoExecute}]`",
            broken: || pod_with("/tolerations", json!([{"operator": "Exists", "effect": "NoExecute"}])),
            event: "the machine dies and is tainted",
            cause: wait,
            breaks: Ok(Promise::ComesBack),
        },
        Case {
            rule: "graceful-stop",
            stage: Stage::Elsewhere,
            says: "`terminationGracePeriodSeconds: 0`",
            broken: || pod_with("/terminationGracePeriodSeconds", json!(0)),
            event: "the pod is deleted",
            cause: wait,
            breaks: Err("a real engine, which is killed in the middle of its work and has to recover its databases"),
        },
        Case {
            rule: "volume-ownership",
            stage: Stage::Elsewhere,
            says: "no `fsGroup`",
            broken: || right().without("Deployment", &format!("{POD}/securityContext")),
            event: "the engine starts on a fresh volume",
            cause: wait,
            breaks: Err("a real disk, which belongs to root while the engine runs as uid 10001"),
        },
        Case {
            rule: "load-balancer-service",
            stage: Stage::Pods,
            says: "a Service of `type: ClusterIP`",
            broken: || right().with("Service", "/spec/type", json!("ClusterIP")),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Promise::SameAddress),
        },
        Case {
            rule: "reachable-service",
            stage: Stage::Pods,
            says: "`targetPort: 1434`",
            broken: || right().with("Service", "/spec/ports/0/targetPort", json!(1434)),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Promise::ComesBack),
        },
    ]
}
