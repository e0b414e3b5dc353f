//! The webhook in front of a real API server.

mod events;
pub(crate) mod monitoring;

use std::fs;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::Server;
use crate::kubernetes::Cluster;
use crate::ran::Ran;
use crate::shared::text_of;
use crate::webhook_configurations::{list, webhook_configurations};

fn example(name: &str) -> String {
    text_of(&format!("e2e/examples/{name}.yaml"))
}

/// A Deployment without optional fields.
fn written_by_hand() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sql"}, "spec": {
        "selector": {"matchLabels": {"app": "sql"}},
        "template": {"metadata": {"labels": {"app": "sql"}}, "spec": {
            "containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge:1.0.7",
                "env": [{"name": "ACCEPT_EULA", "value": "Y"}], "ports": [{"containerPort": 1433}],
                "volumeMounts": [{"name": "data", "mountPath": "/var/opt/mssql"}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}}}})
}

struct Admission {
    cluster: Cluster,
    server: Server,
    /// The folder of the settings.
    _settings: TempDir,
}

impl Admission {
    /// Starts a cluster that calls the webhook.
    fn start() -> Self {
        let admission = Admission::with(&[]);
        admission.wait_until(|probed| probed.output.contains("type: Recreate"));
        admission
    }

    /// Starts a cluster with the webhook configurations that `webhook manifests` prints with these flags.
    fn with(flags: &[&str]) -> Self {
        let cluster = Cluster::api_only();
        let folder = TempDir::new().unwrap();
        let settings = folder.path().join("settings.yaml");
        fs::write(&settings, "exposure: internal\n").unwrap();
        let settings = format!("--settings={}", settings.display());
        let server = Server::start_in(cluster.kubeconfig(), &["--log-level=debug", &settings]);
        server.wait_until_ready();
        let registrations = webhook_configurations(server.reviews, server.authority.pem(), flags);
        cluster.must(&["apply", "-f", "-"], &list(&registrations));
        Admission { cluster, server, _settings: folder }
    }

    /// Waits until the answer to a dry run of an incomplete database shows the wanted effect: the API server sees new
    /// webhook configurations and labels of namespaces after a moment.
    fn wait_until(&self, has_effect: impl Fn(&Ran) -> bool) {
        let probe = written_by_hand().to_string().replace("\"sql\"", "\"probe\"");
        for _ in 0..100 {
            if has_effect(&self.cluster.kubectl(&["create", "--dry-run=server", "-o=yaml", "-f", "-"], &probe)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the webhook configurations have no effect: {:#?}", self.server.log());
    }

    fn apply(&self, object: &Value) -> Ran {
        self.cluster.kubectl(&["apply", "-f", "-"], &object.to_string())
    }

    fn stored(&self, resource: &str) -> Value {
        serde_json::from_str(&self.cluster.must(&["get", resource, "-o=json"], "")).unwrap()
    }
}

#[test]
fn on_openshift_no_group_is_set() {
    let cluster = Cluster::api_only();
    let constraints = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "securitycontextconstraints.security.openshift.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in"}},
        "spec": {"group": "security.openshift.io", "scope": "Cluster",
            "names": {"kind": "SecurityContextConstraints", "plural": "securitycontextconstraints"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
    cluster.must(&["apply", "-f", "-"], &constraints.to_string());
    cluster.must(&["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"], "");
    let server = Server::start_in(cluster.kubeconfig(), &[]);
    server.wait_until_ready();
    let registrations = webhook_configurations(server.reviews, server.authority.pem(), &[]);
    cluster.must(&["apply", "-f", "-"], &list(&registrations));
    let settings = TempDir::new().unwrap();
    let admission = Admission { cluster, server, _settings: settings };
    admission.wait_until(|probed| probed.output.contains("type: Recreate"));
    admission.apply(&written_by_hand());
    let pod = &admission.stored("deployment/sql")["spec"]["template"]["spec"];
    assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/arch": "amd64"}));
    assert_eq!(pod["securityContext"].get("fsGroup"), None);
    assert!(admission.server.log().iter().any(|line| line.to_string().contains("OpenShift")));
}

#[test]
fn applied_objects_are_mutated_or_rejected() {
    let admission = Admission::start();
    let deployment = written_by_hand();

    // Missing fields are added.
    let applied = admission.apply(&deployment);
    assert_eq!(applied.code, 0, "{applied:?}");
    let stored = admission.stored("deployment/sql");
    assert_eq!(stored["spec"]["strategy"], json!({"type": "Recreate"}));
    let pod = &stored["spec"]["template"]["spec"];
    assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/arch": "amd64"}));
    assert_eq!(pod["securityContext"]["fsGroup"], 10001);

    // Applied again, nothing changes.
    assert!(admission.apply(&deployment).output.contains("unchanged"));
    assert_eq!(admission.stored("deployment/sql")["metadata"]["generation"], stored["metadata"]["generation"]);

    // A second replica is rejected, also in a scale request, which needs a look-up.
    let mut two = deployment.clone();
    two["spec"]["replicas"] = json!(2);
    let rejected = admission.apply(&two);
    assert!(rejected.code != 0 && rejected.stderr.contains("single-replica"), "{rejected:?}");
    let rejected = admission.cluster.kubectl(&["scale", "deployment/sql", "--replicas=2"], "");
    assert!(rejected.code != 0 && rejected.stderr.contains("single-replica"), "{rejected:?}");
    admission.cluster.must(&["scale", "deployment/sql", "--replicas=1"], "");

    // A Service is mutated because of the workload that it selects.
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql"},
        "spec": {"selector": {"app": "sql"}, "ports": [{"port": 1433}]}});
    assert_eq!(admission.apply(&service).code, 0);
    assert_eq!(admission.stored("service/sql")["spec"]["type"], "LoadBalancer");

    // Applied again, as it was or with its type written out, it stays a load balancer.
    let before = admission.stored("service/sql");
    let mut written_out = service.clone();
    written_out["spec"]["type"] = json!("ClusterIP");
    for manifest in [&service, &written_out, &written_out] {
        let again = admission.apply(manifest);
        assert_eq!(again.code, 0, "{again:?}");
    }
    let after = admission.stored("service/sql");
    assert_eq!((&after["spec"], &after["metadata"]["uid"]), (&before["spec"], &before["metadata"]["uid"]));

    assert_eq!(
        admission.server.metric("sqledge_ha_cache_synced{group=\"apps\",version=\"v1\",kind=\"Deployment\"}"),
        1.0
    );
    assert!(
        admission.server.metric("sqledge_ha_cache_age_seconds{group=\"apps\",version=\"v1\",kind=\"Deployment\"}")
            < 60.0
    );
    assert_eq!(admission.server.metric("sqledge_ha_module_failures_total{reason=\"trap\"}"), 0.0);
}

#[test]
fn in_warn_mode_nothing_is_mutated_or_rejected_and_what_would_be_is_counted() {
    let admission = Admission::with(&["--mode=warn"]);
    let warns = |ran: &Ran, rule: &str| ran.code == 0 && ran.stderr.contains(&format!("Warning: {rule}: "));
    admission.wait_until(|probed| warns(probed, "recreate-strategy"));

    // A database that lacks something and contradicts a rule, its Service, and a scale request.
    let mut two = written_by_hand();
    two["spec"]["replicas"] = json!(2);
    let applied = admission.apply(&two);
    assert!(warns(&applied, "single-replica") && warns(&applied, "recreate-strategy"), "{applied:?}");
    let spec = &admission.stored("deployment/sql")["spec"];
    assert_eq!((&spec["strategy"]["type"], &spec["replicas"]), (&json!("RollingUpdate"), &json!(2)));
    assert_eq!(spec["template"]["spec"]["nodeSelector"], Value::Null);
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql"},
        "spec": {"selector": {"app": "sql"}, "ports": [{"port": 1433}]}});
    let applied = admission.apply(&service);
    assert!(warns(&applied, "load-balancer-service"), "{applied:?}");
    assert_eq!(admission.stored("service/sql")["spec"]["type"], "ClusterIP");
    let scaled = admission.cluster.kubectl(&["scale", "deployment/sql", "--replicas=3"], "");
    assert!(warns(&scaled, "single-replica"), "{scaled:?}");
    assert_eq!(admission.stored("deployment/sql")["spec"]["replicas"], 3);

    // Metrics and log tell what enforcing would have done.
    let hits = |rule: &str, action: &str| {
        admission.server.metric(&format!("sqledge_ha_rule_hits_total{{rule=\"{rule}\",action=\"{action}\"}}"))
    };
    assert_eq!((hits("single-replica", "would_reject"), hits("load-balancer-service", "would_mutate")), (2.0, 1.0));
    assert!(hits("recreate-strategy", "would_mutate") >= 1.0);
    let (_, metrics) = admission.server.probe("/metrics");
    assert!(!metrics.contains("action=\"mutated\"") && !metrics.contains("action=\"rejected\""), "{metrics}");
    admission.server.wait_for_line(|line| {
        line["name"] == "sql"
            && line["level"] == "INFO"
            && line["rules"].to_string().contains("would_reject: single-replica")
    });

    // A label enforces the rules in one namespace.
    let shop = ["create", "-n", "shop", "--dry-run=server", "-f", "-"];
    let create = || admission.cluster.kubectl(&shop, &two.to_string());
    admission.cluster.must(&["create", "namespace", "shop"], "");
    assert!(warns(&create(), "single-replica"));
    admission.cluster.must(&["label", "namespace", "shop", "sqledge-ha/mode=enforce"], "");
    admission.wait_until(|_| create().code != 0);
    let rejected = create();
    assert!(rejected.stderr.contains("would lose data or become unavailable"), "{rejected:?}");

    // While no replica answers, only the namespace that is enforced notices.
    admission.server.kill();
    assert!(create().stderr.contains("failed calling webhook \"workloads.mutate.sqledge-ha.github.io\""));
    admission.cluster.must(&["scale", "deployment/sql", "--replicas=4"], "");
    admission.cluster.must(&["delete", "deployment/sql", "service/sql"], "");
    admission.cluster.must(&["create", "-f", "-"], &two.to_string());
    admission.cluster.must(&["create", "-f", "-"], &service.to_string());

    // Without the webhook configurations, nothing is left of it.
    admission
        .cluster
        .must(&["delete", "mutatingwebhookconfiguration,validatingwebhookconfiguration", "sqledge-ha"], "");
    admission.wait_until(|_| create().code == 0);
}

#[test]
fn a_correct_application_is_stored_unchanged() {
    let admission = Admission::start();
    let before = admission.cluster.must(&["apply", "-f", "-"], &example("right"));
    assert!(before.lines().all(|line| line.ends_with(" created")), "{before}");
    let again = admission.cluster.must(&["apply", "-f", "-"], &example("right"));
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
    assert_eq!(admission.cluster.must(&["diff", "-f", "-"], &example("right")), "");
}

#[test]
fn a_self_signed_webhook_publishes_its_ca() {
    let cluster = Cluster::api_only();
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/artifacthub/webhook");
    cluster.must(&["apply", "-f", manifests], "");
    let arguments = ["--service=sqledge-ha.sqledge-ha.svc", "--webhook-configuration=sqledge-ha"];
    let replicas = [0, 1].map(|_| Server::start_self_signed(cluster.kubeconfig(), &arguments));
    replicas.iter().for_each(Server::wait_until_ready);
    let secret: Secret =
        serde_json::from_str(&cluster.must(&["get", "secret/sqledge-ha-tls", "--namespace=sqledge-ha", "-o=json"], ""))
            .unwrap();
    for kind in ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] {
        let path = "-o=jsonpath={.webhooks[*].clientConfig.caBundle}";
        let bundles = cluster.must(&["get", &format!("{kind}/sqledge-ha"), path], "");
        assert!(bundles.split(' ').all(|bundle| bundle == secret.data.bundle), "{kind}: {bundles}");
    }
    for replica in &replicas {
        assert!(replica.metric("sqledge_ha_certificate_expiry_timestamp_seconds") > 0.0);
    }
}

#[derive(Deserialize)]
struct Secret {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "ca.crt")]
    bundle: String,
}
