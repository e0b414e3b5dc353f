//! What each failure does, as tables.

use serde_json::{Value, json};
use sqledge_ha_policy::json::edit::{Edit, apply};
use sqledge_ha_policy::settings::Settings;

use super::{Failure, Forecast, Outcome};
use crate::audit::inventory::Inventory;
use crate::audit::timers::Timers;
use crate::audit::{Audit, WhatIf, audit};

/// Three nodes in two zones; a Deployment without findings, its pod on the first node, and its volume attached there.
fn world() -> Value {
    let node = |name: &str, zone: &str, arch: &str| {
        json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/arch": arch, "kubernetes.io/hostname": name,
                "topology.kubernetes.io/zone": zone}},
            "status": {"allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"},
                "conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kernelVersion": "5.15.0"}}})
    };
    let pod = json!({
        "nodeSelector": {"kubernetes.io/arch": "amd64"}, "terminationGracePeriodSeconds": 20,
        "containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge:2.0.0",
            "resources": {"requests": {"memory": "2Gi"}},
            "volumeMounts": [{"name": "data", "mountPath": "/var/opt/mssql"}]}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]});
    let mut live = pod.clone();
    live["nodeName"] = json!("a");
    live["tolerations"] = json!([{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
        "tolerationSeconds": 300}]);
    let labels = json!({"app": "sql"});
    json!({
        "a": node("a", "1", "amd64"), "b": node("b", "1", "amd64"), "c": node("c", "2", "amd64"),
        "workload": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sql", "namespace": "db"},
            "spec": {"replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod}}},
        "set": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "sql-1", "namespace": "db",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql", "controller": true}]}},
        "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sql-1-x", "namespace": "db", "labels": labels,
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "sql-1", "controller": true}]},
            "spec": live, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}},
        "claim": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "db"},
            "spec": {"accessModes": ["ReadWriteOncePod"], "volumeName": "v"}},
        "volume": {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"},
            "spec": {"csi": {"driver": "disk.csi.azure.com"}}},
        "attachment": {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": "x"},
            "spec": {"attacher": "disk.csi.azure.com", "nodeName": "a", "source": {"persistentVolumeName": "v"}}},
        "service": {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql", "namespace": "db"},
            "spec": {"type": "LoadBalancer", "selector": labels, "ports": [{"port": 1433}]}},
    })
}

/// The audit of the world after changes: pointer and value, or null to remove.
fn audit_after(changes: &[(&str, Value)], what_if: Option<&WhatIf>) -> Audit {
    let mut world = world();
    for (pointer, value) in changes {
        let pointer = (*pointer).to_owned();
        let edit = match value {
            Value::Null => Edit::Remove { pointer },
            value => Edit::Set { pointer, value: value.clone() },
        };
        apply(&mut world, &[edit]).unwrap();
    }
    let objects = world.as_object().unwrap().values().cloned().collect();
    let settings = Settings::default();
    audit(&Inventory::from_objects("test".to_owned(), objects, &settings), &settings, Timers::default(), what_if)
}

fn forecast_after(changes: &[(&str, Value)], failure: Failure) -> Forecast {
    let audit = audit_after(changes, None);
    let report = audit.databases.first().expect("there is a database");
    report.forecasts.iter().find(|forecast| forecast.failure == failure).unwrap().clone()
}

/// A StatefulSet in place of the Deployment, with the same claim.
fn stateful_set() -> Vec<(&'static str, Value)> {
    let owner = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "sql", "controller": true}]);
    vec![
        ("/workload/kind", json!("StatefulSet")),
        ("/workload/spec/strategy", Value::Null),
        ("/pod/metadata/ownerReferences", owner),
        ("/pod/metadata/name", json!("sql-0")),
    ]
}

/// A pod without a controller.
fn bare_pod() -> Vec<(&'static str, Value)> {
    vec![("/workload", Value::Null), ("/pod/metadata/ownerReferences", Value::Null)]
}

fn budget(allowed: i64) -> Value {
    json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "one", "namespace": "db"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "sql"}}},
        "status": {"disruptionsAllowed": allowed}})
}

fn health_check() -> Value {
    json!({"apiVersion": "remediation.medik8s.io/v1alpha1", "kind": "NodeHealthCheck", "metadata": {"name": "all"},
        "spec": {"selector": {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "Exists"}]},
            "unhealthyConditions": [{"type": "Ready", "status": "Unknown", "duration": "60s"}],
            "remediationTemplate": {"kind": "SelfNodeRemediationTemplate"}}})
}

const MODE: &str = "/claim/spec/accessModes";
const VOLUMES: [&str; 2] = ["/workload/spec/template/spec/volumes", "/pod/spec/volumes"];

fn both(value: &Value) -> Vec<(&'static str, Value)> {
    VOLUMES.iter().map(|pointer| (*pointer, value.clone())).collect()
}

type Row<'r> = (&'r str, Vec<(&'static str, Value)>, Failure, Outcome, bool, &'r str);

fn check(rows: Vec<Row<'_>>) {
    for (name, changes, failure, outcome, is_certain, message) in rows {
        let forecast = forecast_after(&changes, failure);
        assert_eq!((forecast.outcome, forecast.certain), (outcome, is_certain), "{name}: {forecast:#?}");
        assert!(forecast.message.contains(message), "{name}: {}", forecast.message);
        assert!(forecast.possible.contains(&outcome), "{name}");
    }
}

#[test]
fn a_right_database_comes_back_from_what_a_cluster_can_handle() {
    use Failure::{ContainerExit, Drain, NodeFailure, PodDeletion, Reboot, Rollout, ZoneFailure};
    use Outcome::{ComesBack, Unknown, Waits};
    check(vec![
        ("container", vec![], ContainerExit, ComesBack, true, "restarts the container"),
        ("deletion", vec![], PodDeletion, ComesBack, true, "when the volume is free"),
        ("rollout", vec![], Rollout, ComesBack, true, "when the old one is gone"),
        ("drain", vec![], Drain, ComesBack, true, "moves to another node"),
        ("reboot", vec![], Reboot, ComesBack, true, "when the node is back"),
        ("node", vec![], NodeFailure, Waits, true, "is for one pod"),
        ("node, with a health check", vec![("/check", health_check())], NodeFailure, ComesBack, true, "another node"),
        ("zone", vec![], ZoneFailure, Waits, true, "is for one pod"),
        ("zone, with a health check", vec![("/check", health_check())], ZoneFailure, ComesBack, true, "another zone"),
        (
            "new image",
            vec![],
            Failure::NodeReplacement,
            Unknown,
            false,
            "crashes if the new image has a kernel after 6.6",
        ),
        ("network", vec![], Failure::NodeIsolation, Waits, true, "cannot reach it"),
        (
            "a cloud",
            vec![("/a/spec", json!({"providerID": "azure:///1"}))],
            NodeFailure,
            Unknown,
            true,
            "until the cloud (azure) deletes the machine",
        ),
    ]);
}

#[test]
fn files_that_end_with_the_container_the_pod_or_the_node_are_lost() {
    use Failure::{ContainerExit, Drain, NodeReplacement, PodDeletion, Reboot, Rollout};
    use Outcome::{ComesBack, LosesData};
    let empty = json!([{"name": "data", "emptyDir": {}}]);
    let memory = json!([{"name": "data", "emptyDir": {"medium": "Memory"}}]);
    let path = json!([{"name": "data", "hostPath": {"path": "/sql"}}]);
    let mount = "/workload/spec/template/spec/containers/0/volumeMounts";
    let local = json!({"local": {"path": "/disk"}, "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": ["a"]}]}]}}});
    let cordoned = || [both(&path), vec![("/a/spec", json!({"unschedulable": true}))]].concat();
    let on_disk = || vec![("/volume/spec", local.clone()), ("/attachment", Value::Null)];
    check(vec![
        ("container filesystem", vec![(mount, json!([]))], ContainerExit, LosesData, true, "container filesystem"),
        ("emptyDir, container", both(&empty), ContainerExit, ComesBack, true, ""),
        ("emptyDir, pod", both(&empty), PodDeletion, LosesData, true, "volume `data` ends with the pod"),
        ("emptyDir, reboot", both(&empty), Reboot, ComesBack, true, ""),
        ("memory, reboot", both(&memory), Reboot, LosesData, true, "in the node's memory"),
        ("hostPath, pod", both(&path), PodDeletion, LosesData, false, "can start empty on another node"),
        ("hostPath, rollout", both(&path), Rollout, LosesData, false, "can start empty on another node"),
        ("hostPath, cordoned, pod", cordoned(), PodDeletion, LosesData, true, "starts empty on another node"),
        ("hostPath, cordoned, rollout", cordoned(), Rollout, LosesData, true, "starts empty on another node"),
        ("hostPath, drain", both(&path), Drain, LosesData, true, "starts empty on another node"),
        (
            "local, drain",
            on_disk(),
            Drain,
            Outcome::Waits,
            true,
            "2 nodes are not where volume `v` of claim `data` can be used",
        ),
        ("local, new nodes", on_disk(), NodeReplacement, LosesData, true, "on the disk of its node"),
    ]);
}

#[test]
fn two_pods_run_at_once_where_the_claim_allows_it() {
    use Failure::{NodeFailure, NodeIsolation, PodDeletion, Rollout};
    use Outcome::{ComesBack, TwoServers, Waits};
    let once = || (MODE, json!(["ReadWriteOnce"]));
    let rolling = || ("/workload/spec/strategy", json!({"type": "RollingUpdate"}));
    let shared = || vec![once(), ("/volume/spec", json!({"nfs": {"server": "x"}})), ("/attachment", Value::Null)];
    let with = |mut changes: Vec<(&'static str, Value)>, more: Vec<(&'static str, Value)>| {
        changes.extend(more);
        changes
    };
    let without_surge = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
    check(vec![
        ("deletion", vec![once()], PodDeletion, TwoServers, false, "for up to 20 s"),
        ("deletion, StatefulSet", with(stateful_set(), vec![once()]), PodDeletion, ComesBack, true, ""),
        ("rolling update", vec![once(), rolling()], Rollout, TwoServers, false, "beside the old one"),
        ("rolling update, shared", with(shared(), vec![rolling()]), Rollout, TwoServers, true, "beside the old one"),
        ("rolling update, one pod", vec![rolling()], Rollout, Waits, true, "its claim is for one pod"),
        (
            "no surge",
            vec![once(), ("/workload/spec/strategy", without_surge)],
            Rollout,
            TwoServers,
            false,
            "while the old pod stops",
        ),
        ("shared, node fails", shared(), NodeFailure, ComesBack, true, ""),
        ("shared, network", shared(), NodeIsolation, TwoServers, true, "both can write"),
        ("attached, network", vec![once()], NodeIsolation, Waits, true, "stays attached to node `a`"),
    ]);
}

#[test]
fn pods_on_two_nodes_share_no_files_of_a_node_or_pod() {
    use Failure::{Drain, NodeIsolation, PodDeletion, Rollout};
    let empty = || both(&json!([{"name": "data", "emptyDir": {}}]));
    let path = || both(&json!([{"name": "data", "hostPath": {"path": "/sql"}}]));
    let other = || both(&json!([{"name": "data", "flexVolume": {"driver": "x"}}]));
    let in_container = || vec![("/workload/spec/template/spec/containers/0/volumeMounts", json!([]))];
    let only_on_others = |mut changes: Vec<(&'static str, Value)>| {
        changes.push(("/a/spec", json!({"unschedulable": true})));
        changes
    };
    let rolling = |mut changes: Vec<(&'static str, Value)>| {
        changes.push(("/workload/spec/strategy", json!({"type": "RollingUpdate"})));
        changes
    };
    let rows = [
        ("container filesystem, network", in_container(), NodeIsolation, false),
        ("emptyDir, network", empty(), NodeIsolation, false),
        ("hostPath, network", path(), NodeIsolation, false),
        ("hostPath, drain", path(), Drain, false),
        ("hostPath, deletion, another node", only_on_others(path()), PodDeletion, false),
        ("hostPath, rollout, another node", only_on_others(rolling(path())), Rollout, false),
        ("hostPath, deletion, the same node", path(), PodDeletion, true),
        ("not known, network", other(), NodeIsolation, true),
        ("not known, drain", other(), Drain, true),
    ];
    for (name, changes, failure, is_shared) in rows {
        let forecast = forecast_after(&changes, failure);
        assert_eq!(forecast.possible.contains(&Outcome::TwoServers), is_shared, "{name}: {forecast:#?}");
    }
    assert!(!forecast_after(&other(), NodeIsolation).certain, "the files may be on a disk");
}

#[test]
fn a_database_waits_where_nothing_and_nobody_helps() {
    use Failure::{ContainerExit, Drain, NodeFailure, PodDeletion, Rollout};
    use Outcome::{ComesBack, StaysUp, Waits};
    let forever = json!([{"operator": "Exists"}]);
    let limited = json!({"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
        "tolerationSeconds": 300});
    let cordoned = json!({"unschedulable": true});
    let full = |memory: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "big", "namespace": "other"},
            "spec": {"nodeName": "b", "containers": [{"resources": {"requests": {"memory": memory}}}]}})
    };
    let only_b = || vec![("/c/spec", cordoned.clone())];
    let with = |mut changes: Vec<(&'static str, Value)>, more: Vec<(&'static str, Value)>| {
        changes.extend(more);
        changes
    };
    check(vec![
        ("bare pod", bare_pod(), PodDeletion, Waits, true, "nothing creates the pod again"),
        ("bare pod, container", bare_pod(), ContainerExit, ComesBack, true, ""),
        ("bare pod, rollout", bare_pod(), Rollout, StaysUp, true, "has no template"),
        (
            "restart policy",
            with(bare_pod(), vec![("/pod/spec/restartPolicy", json!("Never"))]),
            ContainerExit,
            Waits,
            true,
            "`restartPolicy` is Never",
        ),
        ("budget", vec![("/budget", budget(0))], Drain, Waits, true, "PodDisruptionBudget `one` rejects"),
        ("budget with room", vec![("/budget", budget(1))], Drain, ComesBack, true, ""),
        ("patient", vec![("/pod/spec/tolerations", forever)], NodeFailure, Waits, true, "has no `tolerationSeconds`"),
        (
            "the first of two tolerations decides",
            vec![("/pod/spec/tolerations", json!([{"operator": "Exists"}, limited]))],
            NodeFailure,
            Waits,
            true,
            "has no `tolerationSeconds`",
        ),
        ("StatefulSet", stateful_set(), NodeFailure, Waits, true, "creates no replacement while the old pod exists"),
        ("cordoned", with(only_b(), vec![("/b/spec", cordoned.clone())]), Drain, Waits, true, "2 nodes are cordoned"),
        ("full", with(only_b(), vec![("/big", full("15Gi"))]), Drain, Waits, true, "has too little memory left"),
        ("not full", with(only_b(), vec![("/big", full("14Gi"))]), Drain, ComesBack, true, ""),
        (
            "tainted",
            vec![("/b/spec", json!({"taints": [{"key": "dedicated", "effect": "NoSchedule"}]})), ("/c", Value::Null)],
            Drain,
            Waits,
            true,
            "has the taint `dedicated`",
        ),
        ("paused", vec![("/workload/spec/paused", json!(true))], Rollout, StaysUp, true, "paused"),
    ]);
}

#[test]
fn it_never_starts_on_nodes_where_the_database_does_not_work() {
    use Failure::{Drain, NodeReplacement};
    use Outcome::{ComesBack, NeverStarts};
    let new_kernel = |node: &'static str| (node, json!("6.8.0-1021-azure"));
    let (b, c) = ("/b/status/nodeInfo/kernelVersion", "/c/status/nodeInfo/kernelVersion");
    let selectors = ["/workload/spec/template/spec/nodeSelector", "/pod/spec/nodeSelector"];
    let mut any = selectors.map(|pointer| (pointer, Value::Null)).to_vec();
    any.push(("/b/metadata/labels/kubernetes.io~1arch", json!("arm64")));
    check(vec![
        (
            "one of two",
            vec![new_kernel(b)],
            Drain,
            NeverStarts,
            false,
            "may choose node `b`: SQL Edge crashes on its kernel",
        ),
        ("all", vec![new_kernel(b), new_kernel(c)], Drain, NeverStarts, true, "on none of the 2 nodes"),
        ("architecture", any, Drain, NeverStarts, false, "its architecture is arm64"),
        (
            "its own node works",
            vec![("/a/status/nodeInfo/kernelVersion", json!("6.8.0"))],
            Failure::Reboot,
            ComesBack,
            true,
            "",
        ),
        ("new nodes", vec![new_kernel(b)], NodeReplacement, NeverStarts, true, "as some nodes already have"),
    ]);
}

#[test]
fn times_have_parts_and_sources() {
    let forecast = forecast_after(&[("/check", health_check())], Failure::NodeFailure);
    let steps: Vec<&str> = forecast.steps.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(
        steps,
        [
            "the node counts as failed",
            "the node is remediated",
            "its pods are removed",
            "the volume is detached",
            "the volume is attached",
            "the image is pulled, where it is missing",
            "SQL Edge starts"
        ]
    );
    let seconds = forecast.seconds.unwrap();
    assert!((seconds.min - forecast.steps.iter().map(|step| step.seconds.min).sum::<f64>()).abs() < 1e-9);
    assert_eq!(forecast.steps[1].source, "NodeHealthCheck `all`");
}

#[test]
fn one_event_concerns_the_databases_of_its_node_or_zone() {
    let outcome = |what_if: WhatIf| audit_after(&[], Some(&what_if)).databases[0].worst().unwrap();
    assert_eq!(outcome(WhatIf::Node("a".to_owned())), Outcome::Waits);
    assert_eq!(outcome(WhatIf::Node("b".to_owned())), Outcome::StaysUp);
    assert_eq!(outcome(WhatIf::Drain("a".to_owned())), Outcome::ComesBack);
    assert_eq!(outcome(WhatIf::Zone("2".to_owned())), Outcome::StaysUp);
}

#[test]
fn a_quota_holds_a_rolling_update_back() {
    let outcome = |key: &str, used: &str, hard: &str| {
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small", "namespace": "db"},
            "status": {"hard": {key: hard}, "used": {key: used}}});
        let mut changes = on_nfs();
        changes.extend([("/quota", quota), ("/workload/spec/strategy", json!({"type": "RollingUpdate"}))]);
        forecast_after(&changes, Failure::Rollout).possible.contains(&Outcome::Waits)
    };
    assert!(outcome("pods", "1", "1") && outcome("requests.memory", "2Gi", "3Gi") && outcome("memory", "1Gi", "2Gi"));
    assert!(
        !outcome("pods", "1", "2")
            && !outcome("requests.memory", "2Gi", "4Gi")
            && !outcome("limits.memory", "2Gi", "2Gi")
    );
}

/// The files on a volume that every node can use at any time.
fn on_nfs() -> Vec<(&'static str, Value)> {
    vec![
        ("/claim/spec/accessModes", json!(["ReadWriteMany"])),
        ("/volume/spec", json!({"nfs": {"server": "nfs.example.com", "path": "/sql"}})),
        ("/attachment", Value::Null),
    ]
}

/// A second pod, on the second node.
fn second_pod() -> Value {
    let mut second = world()["pod"].clone();
    second["metadata"]["name"] = json!("sql-1-y");
    second["spec"]["nodeName"] = json!("b");
    second
}

#[test]
fn of_several_pods_each_counts() {
    let second = ("/second", second_pod());
    let of =
        |what_if: WhatIf| audit_after(std::slice::from_ref(&second), Some(&what_if)).databases[0].forecasts[0].clone();
    let forecast = of(WhatIf::Node("b".to_owned()));
    assert_eq!(forecast.outcome, Outcome::Waits);
    assert!(forecast.message.starts_with("pod `sql-1-y`: "), "{}", forecast.message);
    assert_eq!(of(WhatIf::Drain("c".to_owned())).message, "its pods are on other nodes");
    // The worst of them is the outcome, and what is different for others is said.
    let mut patient = second_pod();
    patient["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    let mut changes = on_nfs();
    changes.push(("/second", patient));
    let forecast = forecast_after(&changes, Failure::NodeFailure);
    assert_eq!(forecast.outcome, Outcome::Waits);
    assert!(forecast.message.starts_with("pod `sql-1-y`: Kubernetes does not evict the pod"), "{}", forecast.message);
    assert!(forecast.also.iter().any(|other| other.starts_with("pod `sql-1-x`: comes back")), "{:?}", forecast.also);
}

#[test]
fn the_pods_of_a_deployment_that_a_rollout_runs_are_its_pods() {
    let rollout = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "r", "namespace": "db"},
        "spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql"}}});
    let owner = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "r", "controller": true});
    let changes =
        [("/rollout", rollout), ("/set/metadata/ownerReferences/0", owner), ("/workload/spec/replicas", json!(0))];
    let report = &audit_after(&changes, None).databases[0];
    assert_eq!(report.now.node.as_deref(), Some("a"));
    assert!(!report.forecasts.is_empty());
}

#[test]
fn a_database_without_a_placed_pod_has_no_forecast_but_says_why() {
    let audit = audit_after(&[("/pod", Value::Null), ("/workload/spec/replicas", json!(0))], None);
    let report = &audit.databases[0];
    assert!(report.forecasts.is_empty());
    assert!(report.notes.iter().any(|note| note == "it is stopped: `replicas` is 0"), "{:?}", report.notes);
}

#[test]
fn constraints_that_are_not_evaluated_are_named() {
    let also = |kind: &str, term: &Value| {
        let affinity = json!({kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
        forecast_after(&[("/pod/spec/affinity", affinity)], Failure::Drain).also.concat()
    };
    let near = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}});
    let mut elsewhere = near.clone();
    elsewhere["namespaces"] = json!(["web"]);
    assert_eq!(also("podAffinity", &near), "not evaluated: the pod affinity");
    assert_eq!(also("podAntiAffinity", &elsewhere), "not evaluated: the pod anti-affinity to pods of named namespaces");
    assert_eq!(also("podAntiAffinity", &near), "");
}
