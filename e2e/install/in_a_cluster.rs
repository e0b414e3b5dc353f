//! The manifests with a real API server and no running webhook: it rejects the requests that it sends, and allows
//! others.

use serde_json::{Value, json};

use super::printed;
use crate::kubernetes::Cluster;
use crate::shared::text_of;

#[test]
fn applying_the_manifests_twice_changes_nothing() {
    let cluster = Cluster::api_only();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/artifacthub/webhook");
    let first = cluster.must(&["apply", "-f", folder], "");
    assert!(first.lines().all(|line| line.ends_with(" created")), "{first}");
    // kubectl prints `configured` for some, but the stored objects are unchanged.
    let versions = r#"-o=jsonpath={range .items[*]}{.kind} {.metadata.resourceVersion}{"\n"}{end}"#;
    let stored = cluster.must(&["get", "-f", folder, versions], "");
    assert_eq!(stored.lines().count(), first.lines().count(), "{stored}");
    cluster.must(&["apply", "-f", folder], "");
    assert_eq!(cluster.must(&["get", "-f", folder, versions], ""), stored);
    assert_eq!(cluster.must(&["diff", "-f", folder], ""), "");
    cluster.must(&["apply", "--server-side", "--force-conflicts", "-f", folder], "");
    // The cluster does not have the kinds of Kubewarden.
    cluster.must(&["apply", "-f", concat!(env!("CARGO_MANIFEST_DIR"), "/artifacthub/kubewarden/access.yaml")], "");
}

/// Whether the request is allowed; otherwise it must fail because the webhook does not answer.
fn is_allowed(cluster: &Cluster, arguments: &[&str], object: &Value) -> bool {
    let input = if object.is_null() { String::new() } else { object.to_string() };
    let ran = cluster.kubectl(arguments, &input);
    let unanswered = ran.stderr.contains("failed calling webhook") && ran.stderr.contains(".sqledge-ha.github.io\"");
    assert!(ran.code == 0 || unanswered, "{object}: {}", ran.stderr);
    ran.code == 0
}

fn pod(image: &str) -> Value {
    json!({"containers": [{"name": "main", "image": image}]})
}

fn named(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": spec})
}

fn deployment(name: &str, image: &str) -> Value {
    let labels = json!({"app": name});
    named(
        "apps/v1",
        "Deployment",
        name,
        json!({"selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod(image)}}),
    )
}

fn claim(name: &str, access_modes: &[&str]) -> Value {
    let spec = json!({"accessModes": access_modes, "resources": {"requests": {"storage": "8Gi"}}});
    named("v1", "PersistentVolumeClaim", name, spec)
}

fn autoscaler(name: &str) -> Value {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name});
    named("autoscaling/v1", "HorizontalPodAutoscaler", name, json!({"maxReplicas": 3, "scaleTargetRef": target}))
}

fn budget(name: &str) -> Value {
    let spec = json!({"minAvailable": 1, "selector": {"matchLabels": {"app": name}}});
    named("policy/v1", "PodDisruptionBudget", name, spec)
}

/// The `spec` of a Rollout that runs the pods of a Deployment.
fn runs_old_web() -> Value {
    json!({"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "old-web"}})
}

/// The CustomResourceDefinition of Argo Rollouts, without its schema.
fn rollouts() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "rollouts.argoproj.io"}, "spec": {
            "group": "argoproj.io", "scope": "Namespaced",
            "names": {"kind": "Rollout", "listKind": "RolloutList", "plural": "rollouts", "singular": "rollout"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

const ENGINE: &str = "mcr.microsoft.com/azure-sql-edge:1.0.7";

/// A cluster with some objects and the manifests, applied in this order. The webhook does not run.
fn without_a_webhook(flags: &[&str]) -> Cluster {
    let cluster = Cluster::api_only();
    cluster.must(&["create", "namespace", "shop"], "");
    cluster.must(&["create", "serviceaccount", "default", "-n", "shop"], "");
    cluster.must(&["create", "-f", "-"], &rollouts().to_string());
    cluster.must(&["wait", "--for=condition=Established", "crd/rollouts.argoproj.io"], "");
    let mut leaving = deployment("leaving", ENGINE);
    leaving["metadata"]["finalizers"] = json!(["example.com/keep"]);
    let service = json!({"selector": {"app": "sql"}, "ports": [{"port": 1433}]});
    for object in [deployment("old-web", "web"), leaving, named("v1", "Service", "old", service)] {
        cluster.must(&["create", "-f", "-"], &object.to_string());
    }
    let manifests = printed(&[&["webhook", "manifests", "--timeout-seconds=1"], flags].concat());
    cluster.must(&["apply", "-f", "-"], &manifests);
    wait_until_configured(&cluster);
    cluster
}

/// The API server uses webhook configurations shortly after they are stored.
fn wait_until_configured(cluster: &Cluster) {
    for _ in 0..100 {
        if !is_allowed(cluster, &["create", "--dry-run=server", "-f", "-"], &deployment("probe", ENGINE)) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the webhook configurations have no effect");
}

#[test]
fn without_a_webhook_only_requests_for_databases_are_rejected() {
    let cluster = without_a_webhook(&[
        "--services-failure-policy=Fail",
        "--scale-failure-policy=Fail",
        "--related-failure-policy=Fail",
    ]);
    let creates = |object: Value| is_allowed(&cluster, &["create", "-f", "-"], &object);
    let runs = |arguments: &[&str]| is_allowed(&cluster, arguments, &Value::Null);
    let owned = |controller: bool| {
        let mut pod = named("v1", "Pod", "replacement", pod(ENGINE));
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "sql-1",
            "uid": "1c0b7d1e-7a3c-4b5d-8a39-5f5d9a0f6b11", "controller": controller}]);
        pod
    };
    let job = |image: &str| {
        let mut pod = pod(image);
        pod["restartPolicy"] = json!("Never");
        json!({"template": {"spec": pod}})
    };
    let nightly = |image: &str| json!({"schedule": "0 0 * * *", "jobTemplate": {"spec": job(image)}});

    // A replacement pod.
    assert!(!creates(owned(false)));
    assert!(creates(owned(true)));

    // Workloads of every shape.
    for (image, passes) in [("web", true), (ENGINE, false), ("registry.local/mssql/server:1", false)] {
        assert_eq!(creates(deployment("main", image)), passes, "{image}");
        assert_eq!(creates(named("v1", "Pod", "main", pod(image))), passes, "{image}");
        assert_eq!(creates(named("batch/v1", "Job", "main", job(image))), passes, "{image}");
        assert_eq!(creates(named("batch/v1", "CronJob", "main", nightly(image))), passes, "{image}");
        let rollout = json!({"template": {"spec": pod(image)}});
        assert_eq!(creates(named("argoproj.io/v1alpha1", "Rollout", "main", rollout)), passes, "{image}");
        let mut template = json!({"apiVersion": "v1", "kind": "PodTemplate", "template": {"spec": pod(image)}});
        template["metadata"] = json!({"name": "main", "namespace": "shop"});
        assert_eq!(creates(template), passes, "{image}");
    }
    let by_environment = json!([{"name": "ACCEPT_EULA", "value": "Y"}]);
    let mut custom = deployment("custom", "ours");
    custom["spec"]["template"]["spec"]["containers"][0]["env"] = by_environment;
    assert!(!creates(custom));
    for (name, spec) in [
        ("no-template", json!({})),
        ("null-containers", json!({"template": {"spec": {"containers": null}}})),
        ("null-template", json!({"template": null})),
        ("null-fields", json!({"template": {"spec": {"containers": [{"image": null, "env": null}, null]}}})),
    ] {
        assert!(creates(named("argoproj.io/v1alpha1", "Rollout", name, spec)), "{name}");
    }
    assert!(!creates(named("argoproj.io/v1alpha1", "Rollout", "other-pods", runs_old_web())));

    // Scaling.
    assert!(!runs(&["scale", "-n", "shop", "deployment/old-web", "--replicas=2"]));
    assert!(runs(&["scale", "-n", "shop", "deployment/old-web", "--replicas=0"]));
    assert!(runs(&["scale", "-n", "shop", "deployment/old-web", "--replicas=1"]));

    // Services.
    let ports = json!([{"port": 1433}]);
    assert!(!creates(named("v1", "Service", "new", json!({"selector": {"app": "sql"}, "ports": ports}))));
    assert!(creates(named(
        "v1",
        "Service",
        "elsewhere",
        json!({"type": "ExternalName", "externalName": "db.example.com"})
    )));
    assert!(creates(named("v1", "Service", "manual", json!({"ports": ports}))));
    assert!(runs(&["annotate", "-n", "shop", "service/old", "example.com/seen=yes"]));
    let patch = |spec: &str| runs(&["patch", "-n", "shop", "service/old", "--type=merge", "-p", spec]);
    assert!(!patch(r#"{"spec": {"type": "LoadBalancer"}}"#));
    assert!(!patch(r#"{"spec": {"selector": null}}"#));

    // Claims, autoscalers and budgets.
    assert!(creates(claim("one-node", &["ReadWriteOnce"])) && creates(claim("one-pod", &["ReadWriteOncePod"])));
    assert!(!creates(claim("all-nodes", &["ReadWriteOnce", "ReadWriteMany"])));
    assert!(runs(&["annotate", "-n", "shop", "pvc/one-node", "example.com/seen=yes"]));
    assert!(!creates(autoscaler("main")) && !creates(budget("main")));

    // Deletion.
    assert!(runs(&["delete", "-n", "shop", "deployment/leaving", "--wait=false"]));
    assert!(runs(&[
        "patch",
        "-n",
        "shop",
        "deployment/leaving",
        "--type=merge",
        "-p",
        r#"{"metadata": {"finalizers": null}}"#
    ]));

    // The webhook's namespace.
    let mut own = deployment("own", ENGINE);
    own["metadata"]["namespace"] = json!("sqledge-ha");
    assert!(creates(own));
}

/// The request by which a HorizontalPodAutoscaler scales a Deployment in a namespace.
fn autoscaled(cluster: &Cluster, namespace: &str, name: &str, replicas: u32) -> bool {
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale");
    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": {"name": name, "namespace": namespace}, "spec": {"replicas": replicas}});
    let account = "--as=system:serviceaccount:kube-system:horizontal-pod-autoscaler";
    is_allowed(cluster, &["replace", account, "--raw", &path, "-f", "-"], &scale)
}

/// The rows of the table in the documentation, with their outcomes in this cluster.
fn outage_table(cluster: &Cluster) -> Vec<(&'static str, &'static str, bool)> {
    let creates = |object: Value| is_allowed(cluster, &["create", "-f", "-"], &object);
    let runs = |arguments: &[&str]| is_allowed(cluster, arguments, &Value::Null);
    let mut replacement = named("v1", "Pod", "replacement", pod(ENGINE));
    replacement["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet",
        "name": "sql-1", "uid": "1c0b7d1e-7a3c-4b5d-8a39-5f5d9a0f6b11", "controller": true}]);
    let service =
        |name: &str| named("v1", "Service", name, json!({"selector": {"app": "a"}, "ports": [{"port": 1433}]}));
    let manual = named("v1", "Service", "manual", json!({"ports": [{"port": 1433}]}));
    let change =
        ["patch", "-n", "shop", "service/old", "--type=merge", "-p", r#"{"spec": {"selector": {"app": "b"}}}"#];
    let in_trial = |mut object: Value| {
        object["metadata"]["namespace"] = json!("trial");
        object
    };
    let new = creates(deployment("new", ENGINE));
    let changed = runs(&["set", "image", "-n", "shop", "deployment/leaving", "main=azure-sql-edge:2.0.0"]);
    assert_eq!(new, changed);
    vec![
        ("a controller replaces a failed database pod", "none", creates(replacement)),
        (
            "an object is deleted, or scaled to one replica or none",
            "none",
            runs(&["scale", "-n", "shop", "deployment/old-web", "--replicas=0"])
                && autoscaled(cluster, "shop", "old-web", 1)
                && runs(&["delete", "-n", "shop", "deployment/leaving", "--wait=false"]),
        ),
        (
            "a workload without an image or a variable that may be a database's is created or changed",
            "none",
            creates(deployment("web", "web"))
                && runs(&["set", "image", "-n", "shop", "deployment/old-web", "main=web:2"]),
        ),
        (
            "a Service without a selector is created or changed, or the `spec` of a Service stays the same",
            "none",
            creates(manual) && runs(&["annotate", "-n", "shop", "service/old", "example.com/seen=yes"]),
        ),
        ("a workload that may run a database is created or changed", "`workloads`", new),
        (
            "a Service with a selector is created, or its `spec` is changed",
            "`services`",
            creates(service("new")) && runs(&change),
        ),
        (
            "any workload is scaled above one replica, also by a HorizontalPodAutoscaler",
            "`scale`",
            autoscaled(cluster, "shop", "old-web", 2)
                && runs(&["scale", "-n", "shop", "deployment/old-web", "--replicas=3"]),
        ),
        (
            "a claim for several nodes, an autoscaler, a disruption budget or a Rollout that runs the pods of a Deployment \
             is created, or its `spec` is changed",
            "`related`",
            creates(claim("new", &["ReadWriteMany"]))
                && creates(autoscaler("new"))
                && creates(budget("new"))
                && creates(named("argoproj.io/v1alpha1", "Rollout", "new", runs_old_web())),
        ),
        (
            "all of these, in a namespace whose mode is `warn`",
            "`warn`",
            creates(in_trial(deployment("sql", ENGINE)))
                && creates(in_trial(service("sql")))
                && autoscaled(cluster, "trial", "sql", 2),
        ),
    ]
}

#[test]
fn without_a_webhook_the_table_in_the_documentation_holds() {
    let cluster = without_a_webhook(&[]);
    let trial = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "trial", "labels": {"sqledge-ha/mode": "warn"}}});
    cluster.must(&["create", "-f", "-"], &trial.to_string());
    let page = text_of("docs/install-webhook.md");
    for (request, webhook, is_allowed) in outage_table(&cluster) {
        let outcome = match (is_allowed, webhook) {
            (false, _) => "rejected",
            (true, "none") => "allowed",
            (true, _) => "allowed unchecked",
        };
        let row = format!("\n| {request} | {webhook} | {outcome} |\n");
        assert!(page.contains(&row), "{row}");
    }
}
