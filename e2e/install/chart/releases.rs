//! Releases in a cluster: they adopt the objects of `kubectl apply`, and upgrades keep the CA bundle.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Helm, values_file};
use crate::kubernetes::Cluster;
use crate::shared::root;

/// UID and CA bundles of all objects of the webhook.
fn identities(cluster: &Cluster) -> BTreeMap<String, (Value, Vec<Value>)> {
    let kinds = "serviceaccount,clusterrole,clusterrolebinding,role,rolebinding,configmap,service,deployment,\
                 poddisruptionbudget,mutatingwebhookconfiguration,validatingwebhookconfiguration";
    let found = kinds.split(',').map(|kind| {
        let text = cluster.must(&["get", kind, "sqledge-ha", "-n", "sqledge-ha", "-o", "json"], "");
        let object: Value = serde_json::from_str(&text).unwrap();
        let webhooks = object["webhooks"].as_array().into_iter().flatten();
        let bundles = webhooks.map(|webhook| webhook["clientConfig"]["caBundle"].clone()).collect();
        (kind.to_owned(), (object["metadata"]["uid"].clone(), bundles))
    });
    found.collect()
}

/// Writes a CA bundle into the webhook configurations, like the webhook.
fn publish(cluster: &Cluster) {
    for (kind, webhooks) in [("mutatingwebhookconfiguration", 3), ("validatingwebhookconfiguration", 4)] {
        let path = |index| format!("/webhooks/{index}/clientConfig/caBundle");
        let patch: Vec<Value> =
            (0..webhooks).map(|index| json!({"op": "add", "path": path(index), "value": "LS0tLS0="})).collect();
        cluster.must(&["patch", kind, "sqledge-ha", "--type=json", "-p", &json!(patch).to_string()], "");
    }
}

#[test]
fn helm_adopts_the_objects_of_kubectl() {
    let cluster = Cluster::api_only();
    cluster.must(&["apply", "-f", &root().join("artifacthub/webhook").display().to_string()], "");
    publish(&cluster);
    let before = identities(&cluster);
    let helm = Helm::of(&cluster);
    let install = ["install", "sqledge-ha", "chart", "--namespace", "sqledge-ha"];
    let rejected = helm.run(&install);
    assert!(rejected.code != 0 && rejected.stderr.contains("exists and cannot be imported"), "{}", rejected.stderr);
    helm.must(&[&install[..], &["--take-ownership", "--server-side=false"]].concat());
    assert_eq!(identities(&cluster), before);
    let replicas = |cluster: &Cluster| {
        cluster.must(&["get", "deployment", "sqledge-ha", "-n", "sqledge-ha", "-o=jsonpath={.spec.replicas}"], "")
    };
    assert_eq!(replicas(&cluster), "2");
    // Later upgrades need no special flags.
    helm.must(&["upgrade", "sqledge-ha", "chart", "--namespace", "sqledge-ha", "--set", "replicas=3"]);
    assert_eq!((replicas(&cluster), identities(&cluster)), ("3".to_owned(), before));
    helm.must(&["uninstall", "sqledge-ha", "--namespace", "sqledge-ha"]);
    let left = cluster.must(
        &[
            "get",
            "deployment,service,configmap",
            "-n",
            "sqledge-ha",
            "-l=app.kubernetes.io/name=sqledge-ha",
            "-o",
            "name",
        ],
        "",
    );
    assert_eq!(left, "");
}

#[test]
fn an_upgrade_keeps_the_ca_bundle() {
    let cluster = Cluster::api_only();
    let helm = Helm::of(&cluster);
    helm.must(&["install", "guard", "chart", "--namespace", "sqledge-ha", "--create-namespace"]);
    publish(&cluster);
    let before = identities(&cluster);
    let everything = values_file("everything");
    let other = ["--values", everything.as_str(), "--set", "podMonitor.enabled=false"];
    helm.must(&[&["upgrade", "guard", "chart", "--namespace", "sqledge-ha"][..], &other].concat());
    assert_eq!(identities(&cluster), before);
    // A cluster can have only one release.
    let second = helm.run(&["install", "other", "chart", "--namespace", "other", "--create-namespace"]);
    assert!(second.code != 0 && second.stderr.contains("invalid ownership metadata"), "{}", second.stderr);
}
