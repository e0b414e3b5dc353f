//! A real API server: accounts that may read all, some or nothing, and namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::stand_in::{Received, StandIn, deployments};
use super::{audit, parsed, run};
use crate::serve::client::Authority;
use crate::shared::{objects, text_of};
use crate::webhook_cluster::{Account, apply, cluster, create_namespace};

/// The RBAC rules in a page of the documentation.
fn documented_rules(page: &str) -> Value {
    let text = text_of(page);
    let mut blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let block = blocks.find(|block| block.contains("kind: ClusterRole\n")).expect(page);
    objects(block).into_iter().find(|object| object["kind"] == "ClusterRole").unwrap()["rules"].take()
}

pub(super) fn create_database(namespace: &str) {
    create_namespace(namespace);
    let image = "--image=mcr.microsoft.com/azure-sql-edge:2.0.0";
    cluster().must(&["create", "deployment", "sql", "-n", namespace, image], "");
}

/// Group, resource and verb of a request.
pub(super) fn permission(request: &Received) -> Option<[String; 3]> {
    let path = request.path.split('?').next()?;
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return None,
    };
    let rest = if let ["namespaces", _, rest @ ..] = rest { rest } else { rest };
    let verb = match request.method.as_str() {
        "POST" => "create",
        "PUT" => "update",
        "DELETE" => "delete",
        _ if rest.len() > 1 => "get",
        _ => "list",
    };
    Some([group, rest.first()?, verb].map(str::to_owned))
}

#[test]
fn the_documented_permissions_are_those_that_an_audit_uses() {
    let server =
        StandIn::start(|path| path.starts_with("/apis/apps/v1/deployments").then(|| deployments(&["sql"], "")));
    assert_eq!(audit(&server.kubeconfig(), &[]).code, 1);
    let used: BTreeSet<[String; 3]> = server.received().iter().filter_map(permission).collect();
    let documented = permissions(&documented_rules("docs/audit.md"));
    assert_eq!(documented, used, "{}", as_rules(&used));
}

/// Group, resource and verb of everything that RBAC rules permit.
pub(super) fn permissions(rules: &Value) -> BTreeSet<[String; 3]> {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut permissions = BTreeSet::new();
    for rule in rules.as_array().unwrap() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                permissions
                    .extend(texts(&rule["verbs"]).into_iter().map(|verb| [group.clone(), resource.clone(), verb]));
            }
        }
    }
    permissions
}

/// The rules that allow these requests, for the page.
fn as_rules(used: &BTreeSet<[String; 3]>) -> String {
    let mut groups: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for [group, resource, verb] in used {
        groups.entry((group, verb)).or_default().push(resource);
    }
    let rule = |((group, verb), resources): (&(&str, &str), &Vec<&str>)| {
        format!("  - {{apiGroups: [\"{group}\"], resources: [{}], verbs: [{verb}]}}\n", resources.join(", "))
    };
    groups.iter().map(rule).collect()
}

#[tokio::test]
async fn the_documented_permissions_suffice() {
    create_database("audit-reader");
    let account = Account::new("audit-reader", "auditor", &documented_rules("docs/audit.md"));
    for more in [&["--namespace", "audit-reader"][..], &[]] {
        let ran = audit(&account.kubeconfig, &[&["--format", "json"], more].concat());
        let report = parsed(&ran.output);
        assert_eq!((ran.code, &report["unread"]), (1, &json!([])), "{}", ran.stderr);
        let names: Vec<&Value> =
            report["databases"].as_array().unwrap().iter().map(|database| &database["object"]["namespace"]).collect();
        assert!(names.contains(&&json!("audit-reader")) && (more.is_empty() || names.len() == 1), "{names:?}");
    }
}

#[tokio::test]
async fn what_an_account_may_not_list_is_named() {
    create_database("audit-some");
    let rules = json!([{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}]);
    let account = Account::new("audit-some", "developer", &rules);
    let ran = audit(&account.kubeconfig, &["--namespace", "audit-some"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (4, ""));
    assert!(ran.output.contains("error[persistent-data]: all databases are lost"), "{}", ran.output);
    // A Service that could not be read may exist.
    assert!(!ran.output.contains("error[load-balancer-service]"), "{}", ran.output);
    for (resource, place) in [("nodes", ""), ("statefulsets.apps", " in namespace audit-some"), ("pods", "")] {
        let line = format!("not read: {resource}{place}: forbidden: no permission to list it\n");
        assert!(ran.output.contains(&line), "{line}{}", ran.output);
    }
    assert!(!ran.output.contains("not read: deployments"), "{}", ran.output);
    // APIs that the cluster does not have are not missing.
    assert!(!ran.output.contains("longhorn") && !ran.output.contains("velero"), "{}", ran.output);
}

#[test]
fn a_token_that_is_wrong_or_has_expired() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let text = cluster().must(&["config", "view", "--raw", "-o", "json"], "");
    let mut config = parsed(&text);
    for user in config["users"].as_array_mut().unwrap() {
        user["user"] = json!({"token": "s3cr3t-t0ken"});
    }
    fs::write(&path, config.to_string()).unwrap();
    let ran = audit(&path, &[]);
    let server = cluster().description["server"].as_str().unwrap();
    let expected = "the API server rejects the credentials: they are wrong or have expired";
    assert_eq!((ran.code, ran.stderr), (4, format!("error: {server}: {expected}\n")));
    assert_eq!(ran.output, "");
    // Another certificate authority.
    let mut config = parsed(&text);
    let file = folder.path().join("ca.crt");
    fs::write(&file, Authority::new().pem()).unwrap();
    let cluster = config["clusters"][0]["cluster"].as_object_mut().unwrap();
    cluster.remove("certificate-authority-data");
    cluster.insert("certificate-authority".to_owned(), json!(file));
    fs::write(&path, config.to_string()).unwrap();
    let ran = audit(&path, &[]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot reach the API server: invalid peer certificate: "), "{}", ran.stderr);
}

#[test]
fn a_namespace_without_a_database_is_not_green() {
    create_namespace("audit-empty");
    let kubeconfig = cluster().kubeconfig();
    for namespace in ["audit-empty", "audit-missing"] {
        let ran = run(&["audit", "--kubeconfig", kubeconfig, "--namespace", namespace]);
        assert_eq!(ran.code, 3, "{}", ran.output);
        assert!(ran.output.starts_with("nothing checked: no database in "), "{}", ran.output);
    }
}

/// A node that stopped long ago, with a pod of a database.
fn create_failed_node(name: &str, namespace: &str) {
    create_database(namespace);
    // The API server alone does not create it.
    cluster().must(&["create", "serviceaccount", "default", "-n", namespace], "");
    let labels = json!({"app": "sql", "pod-template-hash": "1"});
    let of_set = json!({"name": "sql-1", "namespace": namespace, "labels": labels});
    let database = cluster().must(&["get", "deployment", "sql", "-n", namespace, "-o", "json"], "");
    let owner = |kind: &str, name: &str, uid: &Value| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true}]);
    let mut metadata = of_set.clone();
    metadata["ownerReferences"] = owner("Deployment", "sql", &parsed(&database)["metadata"]["uid"]);
    let containers = json!({"containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge:2.0.0"}]});
    let template = json!({"metadata": {"labels": labels}, "spec": containers});
    let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata,
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}});
    apply(&set);
    let set = parsed(&cluster().must(&["get", "replicaset", "sql-1", "-n", namespace, "-o", "json"], ""));
    let mut metadata = of_set;
    metadata["name"] = json!("sql-1-x");
    metadata["ownerReferences"] = owner("ReplicaSet", "sql-1", &set["metadata"]["uid"]);
    let mut spec = containers;
    spec["nodeName"] = json!(name);
    apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}));
    apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}));
    let condition = json!({"type": "Ready", "status": "Unknown", "lastHeartbeatTime": "2026-01-01T00:00:00Z"});
    let patch = json!({"status": {"conditions": [condition]}}).to_string();
    cluster().must(&["patch", "node", name, "--subresource=status", "--type=merge", "--patch", &patch], "");
}

#[tokio::test]
async fn the_documented_permissions_suffice_to_recover() {
    create_failed_node("recovered", "audit-recover");
    let pages = ["docs/audit.md", "docs/after-a-node-failure.md"].map(documented_rules);
    let rules: Vec<&Value> = pages.iter().flat_map(|rules| rules.as_array().unwrap()).collect();
    let account = Account::new("audit-recover", "operator", &json!(rules));
    let kubeconfig = account.kubeconfig.to_str().unwrap();
    let recover = |more: &[&str]| run(&[&["recover", "recovered", "--kubeconfig", kubeconfig], more].concat());
    let ran = recover(&["--dry-run"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.output);
    assert!(ran.output.contains("database audit-recover/sql: ") && ran.output.ends_with("nothing was changed\n"));
    // Without a terminal, only the flag says that the machine is off.
    let ran = recover(&[]);
    assert!(ran.code == 2 && ran.stderr.contains("--machine-is-off"), "{}", ran.stderr);
    let taints = || cluster().must(&["get", "node", "recovered", "-o", "jsonpath={.spec.taints[*].key}"], "");
    assert!(!taints().contains("out-of-service"));
    // Nothing replaces pods here.
    let ran = recover(&["--machine-is-off", "--timeout", "1s"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{}", ran.output);
    assert!(ran.output.contains("tainted node `recovered` with node.kubernetes.io/out-of-service\n"), "{}", ran.output);
    assert!(ran.output.ends_with("1 database not back; see `sqledge-ha audit --details`\n"), "{}", ran.output);
    assert!(taints().contains("node.kubernetes.io/out-of-service"));
    for message in ["removed the taint", "nothing to undo"] {
        let ran = recover(&["--undo"]);
        assert!(ran.code == 0 && ran.output.contains(message), "{}{}", ran.output, ran.stderr);
    }
    assert!(!taints().contains("out-of-service"));
}

#[tokio::test]
async fn recovery_without_permissions_changes_nothing() {
    create_failed_node("forbidden", "audit-forbidden");
    let rules = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]);
    let account = Account::new("audit-forbidden", "reader", &rules);
    let kubeconfig = account.kubeconfig.to_str().unwrap();
    let ran = run(&["recover", "forbidden", "--kubeconfig", kubeconfig, "--machine-is-off"]);
    assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("error: forbidden: ") && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    let ran = run(&["recover", "no-such-node", "--kubeconfig", cluster().kubeconfig()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (2, "error: there is no node `no-such-node`\n"));
}
