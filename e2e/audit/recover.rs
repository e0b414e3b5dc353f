//! `sqledge-ha recover` at a terminal, where it asks, and with a cluster that can no longer be read.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::cluster::create_database;
use super::stand_in::{Answer, Received, StandIn, deployments};
use crate::ran::{Ran, with_input};
use crate::webhook_cluster::cluster;

const NODE: &str = "recover-asks";

/// A node that is silent since long ago, with the pod of a database.
fn failed_node() {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}});
    cluster().must(&["create", "-f", "-"], &node.to_string());
    let ready = json!({"type": "Ready", "status": "Unknown", "lastHeartbeatTime": "2026-01-01T00:00:00Z"});
    let status = json!({"status": {"conditions": [ready]}}).to_string();
    cluster().must(&["patch", "node", NODE, "--subresource=status", "-p", &status], "");
    create_database(NODE);
    // Without it, no pod is accepted; here no controller creates it.
    cluster().must(&["-n", NODE, "create", "serviceaccount", "default"], "");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sql-1-x", "namespace": NODE,
            "labels": {"app": "sql", "pod-template-hash": "1"}, "ownerReferences": [{"apiVersion": "apps/v1",
                "kind": "ReplicaSet", "name": "sql-1", "uid": "7", "controller": true}]},
        "spec": {"nodeName": NODE, "containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge:2.0.0"}]}});
    cluster().must(&["create", "-f", "-"], &pod.to_string());
}

/// Runs it in a terminal of its own, with what a person types.
fn at_a_terminal(typed: &str) -> Ran {
    let program = env!("CARGO_BIN_EXE_sqledge-ha");
    let kubeconfig = cluster().kubeconfig();
    let line = format!("'{program}' recover {NODE} --kubeconfig='{kubeconfig}' --no-config --grace=1s --timeout=1s");
    with_input(Command::new("script").args(["--quiet", "--return", "--command", &line, "/dev/null"]), typed)
}

fn taints() -> String {
    cluster().must(&["get", "node", NODE, "-o", "jsonpath={.spec.taints[*].key}"], "")
}

#[test]
fn a_person_confirms_that_the_machine_is_off() {
    failed_node();
    for typed in ["yes\n", "\n", "other-node\n"] {
        let ran = at_a_terminal(typed);
        assert!(ran.output.contains("type the name of the node: "), "{}", ran.output);
        assert!(ran.output.contains("error: not confirmed; nothing was changed"), "{}", ran.output);
        assert_eq!((ran.code, taints().contains("out-of-service")), (2, false), "{}", ran.output);
    }
    let ran = at_a_terminal(&format!("{NODE}\n"));
    assert!(ran.output.contains(&format!("database {NODE}/sql: ")), "{}", ran.output);
    assert!(ran.output.contains("1 database not back"), "{}", ran.output);
    assert_eq!((ran.code, taints().contains("out-of-service")), (1, true), "{}", ran.output);
    cluster().must(&["delete", "node", NODE], "");
}

/// A node that is silent, with the pod of a database, on a server that hides the pods once the node is tainted.
fn answer_until_tainted(request: &Received, is_tainted: &AtomicBool) -> Option<Answer> {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"conditions": [
        {"type": "Ready", "status": "Unknown", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]}});
    let pod = json!({"metadata": {"name": "sql-1-x", "namespace": "shop",
            "labels": {"app": "sql", "pod-template-hash": "1"}, "ownerReferences": [{"apiVersion": "apps/v1",
                "kind": "ReplicaSet", "name": "sql-1", "uid": "7", "controller": true}]},
        "spec": {"nodeName": "n1", "containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge:2.0.0"}]}});
    let path = request.path.split('?').next()?;
    match (path, request.method.as_str()) {
        ("/api/v1/nodes/n1", "PATCH") => {
            is_tainted.store(true, Ordering::Relaxed);
            Some(Answer::json(&node))
        }
        ("/api/v1/nodes/n1", _) => Some(Answer::json(&node)),
        (path, _) if path.contains("/leases/") => Some(Answer::json(&json!({"metadata": {"name": "n1"}}))),
        (path, _) if path.ends_with("/deployments") => Some(deployments(&["sql"], "")),
        (path, _) if path.ends_with("/pods") && is_tainted.load(Ordering::Relaxed) => {
            Some(Answer::error(403, "pods is forbidden", &json!({})))
        }
        (path, _) if path.ends_with("/pods") => {
            Some(Answer::json(&json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod]})))
        }
        _ => None,
    }
}

#[test]
fn a_cluster_that_cannot_be_read_any_more_is_no_database_that_is_not_back() {
    let is_tainted = AtomicBool::new(false);
    let server = StandIn::answering(move |request| answer_until_tainted(request, &is_tainted));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    command.args(["recover", "n1", "--no-config", "--machine-is-off", "--grace=1s", "--timeout=3s", "--kubeconfig"]);
    let ran = with_input(command.arg(server.kubeconfig()), "");
    let reason = "cannot read the cluster: pods: forbidden: no permission to list it; trying again";
    assert_eq!(ran.output.matches(reason).count(), 1, "said once: {ran:?}");
    let error = "error: cannot read the cluster: pods: forbidden: no permission to list it; whether the databases are \
        back is not known\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (4, error), "{}", ran.output);
}
