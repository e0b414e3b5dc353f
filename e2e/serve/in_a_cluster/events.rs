//! Kubernetes Events of `serve --events`, with the permissions that the manifests grant.

use std::time::{Instant, SystemTime};

use super::*;
use crate::serve::process::SOON;
use crate::webhook_configurations::manifests;

/// A password that must not get into an Event.
const SECRET: &str = "s3cret-Password";

/// A cluster with `webhook manifests --events`, and a webhook that runs as its ServiceAccount.
fn start() -> Admission {
    let cluster = Cluster::api_only();
    let (_, objects) = manifests(&["--events"]);
    cluster.must(&["apply", "-f", "-"], &list(&objects));
    let folder = TempDir::new().unwrap();
    cluster.kubeconfig_of("sqledge-ha", "sqledge-ha", folder.path());
    let server = start_replica(&folder);
    let registrations = webhook_configurations(server.reviews, server.authority.pem(), &["--events"]);
    cluster.must(&["apply", "-f", "-"], &list(&registrations));
    let admission = Admission { cluster, server, _settings: folder };
    admission.wait_until(|probed| probed.output.contains("type: Recreate"));
    admission
}

fn start_replica(folder: &TempDir) -> Server {
    let kubeconfig = folder.path().join("config");
    let server = Server::start_in(kubeconfig.to_str().unwrap(), &["--log-level=debug", "--events"]);
    server.wait_until_ready();
    server
}

/// A Deployment without optional fields, with a password.
fn deployment(name: &str, replicas: u32) -> Value {
    let mut deployment = written_by_hand();
    deployment["metadata"]["name"] = json!(name);
    deployment["spec"]["replicas"] = json!(replicas);
    let volume = &mut deployment["spec"]["template"]["spec"]["volumes"][0];
    volume["persistentVolumeClaim"]["claimName"] = json!(format!("{name}-data"));
    let environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap();
    environment.push(json!({"name": "MSSQL_SA_PASSWORD", "value": SECRET}));
    deployment
}

impl Admission {
    /// The Events about an object: reason and rule, sorted.
    fn events(&self, name: &str) -> Vec<String> {
        let events = self.all_events();
        let about = events.iter().filter(|event| event["regarding"]["name"] == name);
        let mut lines: Vec<String> = about.map(summary).collect();
        lines.sort();
        lines
    }

    fn all_events(&self) -> Vec<Value> {
        let list = self.cluster.must(&["get", "events.events.k8s.io", "-A", "-o=json"], "");
        let mut list: Value = serde_json::from_str(&list).unwrap();
        let Value::Array(events) = list["items"].take() else { panic!("{list}") };
        events.into_iter().filter(|event| event["reportingController"] == "sqledge-ha").collect()
    }

    /// Waits until an object has these Events, and no others.
    fn wait_for_events(&self, name: &str, expected: &[&str]) {
        let started = Instant::now();
        while self.events(name) != expected {
            assert!(started.elapsed() < SOON, "{name}: {:#?} {:#?}", self.all_events(), self.server.log());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    fn result(&self, result: &str) -> f64 {
        self.server.metric(&format!("sqledge_ha_events_total{{result=\"{result}\"}}"))
    }
}

fn summary(event: &Value) -> String {
    let (rule, _) = event["note"].as_str().unwrap().split_once(": ").unwrap();
    let uid = if event["regarding"]["uid"].is_string() { "" } else { ", no uid" };
    format!("{} {rule}{uid}", event["reason"].as_str().unwrap())
}

fn rejects(ran: &Ran) -> bool {
    ran.code != 0 && ran.stderr.contains("would lose data or become unavailable")
}

fn hour() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 3600
}

#[test]
fn events_tell_once_an_hour_what_happened_to_an_object() {
    let admission = start();
    let cluster = &admission.cluster;
    let dry_run = |object: Value| cluster.kubectl(&["create", "--dry-run=server", "-f", "-"], &object.to_string());

    // A dry run has no side effects.
    assert_eq!(dry_run(deployment("dry", 1)).code, 0);
    assert!(rejects(&dry_run(deployment("dry", 2))));

    // An object that was mutated at creation has Events, with its UID, so that `kubectl describe` shows them.
    assert_eq!(admission.apply(&deployment("sql", 1)).code, 0);
    let mutated = ["Mutated amd64-node-selector", "Mutated recreate-strategy", "Mutated volume-ownership"];
    admission.wait_for_events("sql", &mutated);
    let described = cluster.must(&["describe", "deployment/sql"], "");
    assert!(described.contains("recreate-strategy: set spec.strategy"), "{described}");
    let uid = admission.stored("deployment/sql")["metadata"]["uid"].clone();
    let events = admission.all_events();
    for event in events.iter().filter(|event| event["regarding"]["name"] == "sql") {
        assert_eq!(event["regarding"]["uid"], uid);
        assert_eq!((&event["type"], &event["regarding"]["kind"]), (&json!("Normal"), &json!("Deployment")));
    }

    // A rejected update and a rejected scale request are about the same object and rule.
    assert!(rejects(&cluster.kubectl(&["scale", "deployment/sql", "--replicas=2"], "")));
    assert!(rejects(&admission.apply(&deployment("sql", 2))));
    let all = [&mutated[..], &["Rejected single-replica"]].concat();
    admission.wait_for_events("sql", &all);
    assert_eq!(admission.result("repeated"), 1.0);

    // A rejected object does not exist, and has no UID.
    for _ in 0..3 {
        assert!(rejects(&admission.apply(&deployment("two", 2))));
    }
    admission.wait_for_events("two", &["Rejected single-replica, no uid"]);
    assert_eq!(admission.result("repeated"), 3.0);
    let warning = admission.all_events().into_iter().find(|event| event["regarding"]["name"] == "two").unwrap();
    assert_eq!((&warning["type"], &warning["action"]), (&json!("Warning"), &json!("Reject")));

    // Objects with generated names share an Event.
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "sql-"},
        "spec": deployment("", 1)["spec"]["template"]["spec"]});
    for _ in 0..2 {
        assert!(rejects(&cluster.kubectl(&["create", "-f", "-"], &pod.to_string())));
    }
    admission.wait_for_events("sql-", &["Rejected steady-controller, no uid"]);

    // Nothing is said about a mutation of an object that a later webhook rejects: here, one that does not answer.
    let rule =
        json!({"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]});
    let webhook = json!({"name": "later.example.com", "clientConfig": {"url": "https://127.0.0.1:1/"}, "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "closed"}},
        "failurePolicy": "Fail", "timeoutSeconds": 1, "sideEffects": "None", "admissionReviewVersions": ["v1"]});
    let later = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "zz-later"}, "webhooks": [webhook]});
    cluster.must(&["create", "namespace", "closed"], "");
    assert_eq!(admission.apply(&later).code, 0);
    let create = |flags: &[&str], name| {
        let arguments = [&["-n", "closed", "create", "-f", "-"], flags].concat();
        cluster.kubectl(&arguments, &deployment(name, 1).to_string())
    };
    admission.wait_until(|_| create(&["--dry-run=server"], "probe").code != 0);
    let created = create(&[], "refused");
    assert!(created.code != 0 && created.stderr.contains("later.example.com"), "{created:?}");
    admission.server.wait_for_metric("sqledge_ha_events_total{result=\"not_stored\"}", 3.0);

    // In a namespace that only warns, Events tell what would happen.
    cluster.must(&["create", "namespace", "soft"], "");
    cluster.must(&["label", "namespace", "soft", "sqledge-ha/mode=warn"], "");
    admission.wait_until(|_| {
        let probe = deployment("probe", 2).to_string();
        cluster.kubectl(&["-n", "soft", "create", "--dry-run=server", "-f", "-"], &probe).code == 0
    });
    cluster.must(&["-n", "soft", "apply", "-f", "-"], &deployment("later", 2).to_string());
    let would = [
        "WouldMutate amd64-node-selector",
        "WouldMutate recreate-strategy",
        "WouldMutate volume-ownership",
        "WouldReject single-replica",
    ];
    admission.wait_for_events("later", &would);

    // No Event is about a dry run or the object that was refused, and none has a value of the environment.
    let events = Value::from(admission.all_events()).to_string();
    for absent in ["\"dry\"", "\"refused\"", "\"probe\"", SECRET] {
        assert!(!events.contains(absent), "{absent}: {events}");
    }
    assert_eq!((admission.result("failed"), admission.result("dropped")), (0.0, 0.0));
    assert_eq!(admission.result("created"), admission.all_events().len() as f64);
}

#[test]
fn replicas_share_events_and_a_missing_permission_has_no_effect_on_answers() {
    let admission = start();
    let (cluster, started) = (&admission.cluster, hour());
    assert!(rejects(&admission.apply(&deployment("sql", 2))));
    admission.wait_for_events("sql", &["Rejected single-replica, no uid"]);

    // Another replica, which knows nothing of this.
    let replica = start_replica(&admission._settings);
    let request = json!({"uid": "1", "operation": "CREATE", "name": "sql", "namespace": "default",
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"}, "object": deployment("sql", 2)});
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    replica.connect().post("/mutate", &review.to_string()).unwrap();
    let result = |result: &str| replica.metric(&format!("sqledge_ha_events_total{{result=\"{result}\"}}"));
    let since = Instant::now();
    while result("repeated") + result("created") == 0.0 {
        assert!(since.elapsed() < SOON, "{:#?}", replica.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(result("repeated") == 1.0 || hour() != started);

    // Without the permission, requests are answered as before, and the log says so once.
    let role = ["patch", "clusterrole/sqledge-ha", "--type=json", "-p"];
    let last = cluster.must(&["get", "clusterrole/sqledge-ha", "-o=jsonpath={.rules[-1:].apiGroups[0]}"], "");
    assert_eq!(last, "events.k8s.io");
    let rules: Value = serde_json::from_str(&cluster.must(&["get", "clusterrole/sqledge-ha", "-o=json"], "")).unwrap();
    let index = rules["rules"].as_array().unwrap().len() - 1;
    let remove = json!([{"op": "remove", "path": format!("/rules/{index}")}]).to_string();
    cluster.must(&[&role[..], &[remove.as_str()]].concat(), "");
    for number in 0..3 {
        // The API server sees the new permissions after a moment.
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(rejects(&admission.apply(&deployment(&format!("other-{number}"), 2))));
    }
    let line = admission.server.wait_for_line(|line| line["level"] == "WARN" && line["reason"] == "403: Forbidden");
    assert_eq!(line["message"], "cannot create Kubernetes Events; requests are not affected");
    let since = Instant::now();
    while admission.result("failed") < 2.0 {
        assert!(since.elapsed() < SOON, "{:#?}", admission.server.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let warnings = admission.server.log().iter().filter(|logged| logged["message"] == line["message"]).count();
    assert_eq!(warnings, 1);
}
