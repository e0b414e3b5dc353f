//! The values of the chart: where they are used, and that the webhook and the cluster accept them.

use std::path::PathBuf;

use clap::Parser;
use serde::Deserialize;
use serde_json::{Value, json};
use sqledge_ha::cli::{self, Cli};
use sqledge_ha::config::checked_text;
use sqledge_ha::install::match_conditions::match_conditions;
use sqledge_ha::install::requests::Requests;
use sqledge_ha_policy::rules::parse_settings;

use super::{container, of, rendered, values_file};

#[test]
fn values_are_used_in_all_objects() {
    let all = rendered(&["--values", &values_file("everything")]);
    assert_eq!(all.len(), 17);
    let deployment = &of(&all, "Deployment")["spec"];
    let pod = &deployment["template"]["spec"];
    assert_eq!((&deployment["replicas"], &pod["priorityClassName"]), (&json!(3), &json!("system-cluster-critical")));
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!((&pod["hostNetwork"], &pod["dnsPolicy"]), (&json!(true), &json!("ClusterFirstWithHostNet")));
    assert_eq!(pod["nodeSelector"]["example.com/pool"], "control");
    assert_eq!(pod["tolerations"][0]["key"], "example.com/control");
    assert!(pod["affinity"]["nodeAffinity"].is_object());
    assert_eq!(deployment["template"]["metadata"]["annotations"]["example.com/team"], "databases");
    let container = container(&all);
    let image = container["image"].as_str().unwrap();
    assert!(image.starts_with("registry.local/guard/sqledge-ha@sha256:e3b0"), "{image}");
    let ports: Vec<&Value> = container["ports"].as_array().unwrap().iter().map(|port| &port["containerPort"]).collect();
    assert_eq!(ports, [&json!(18443), &json!(18080)]);
    assert_eq!(container["imagePullPolicy"], "IfNotPresent");
    assert_eq!(container["resources"]["requests"]["memory"], "96Mi");
    // Helm merges the defaults.
    assert_eq!(container["resources"]["limits"]["memory"], "512Mi");
    let arguments = container["args"].as_array().unwrap();
    assert_eq!(arguments[arguments.len() - 2..], [json!("--log-level=debug"), json!("--deadline=1s")]);
    let settings = of(&all, "ConfigMap")["data"]["settings.yaml"].as_str().unwrap();
    let settings: Value = serde_saphyr::from_str(settings).unwrap();
    let policy = parse_settings(&settings).unwrap();
    assert_eq!((policy.failover_seconds, policy.fs_group, policy.images.len()), (Some(60), None, 2));
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        let webhooks = of(&all, kind)["webhooks"].as_array().unwrap();
        let failure_policies: Vec<&Value> = webhooks.iter().map(|webhook| &webhook["failurePolicy"]).collect();
        assert_eq!(failure_policies[..3], ["Ignore", "Fail", "Fail"]);
        let requests = Requests::SEPARATE.into_iter().chain([Requests::All]);
        for (webhook, requests) in webhooks.iter().zip(requests) {
            assert_eq!((&webhook["timeoutSeconds"], &webhook["sideEffects"]), (&json!(7), &json!("NoneOnDryRun")));
            let excluded = &webhook["namespaceSelector"]["matchExpressions"][0]["values"];
            assert_eq!(excluded, &json!(["kube-system", "123", "sqledge-ha"]));
            assert_eq!(webhook["matchConditions"], match_conditions(requests, &policy));
        }
    }
}

#[test]
fn the_audit_uses_the_values_of_the_webhook_and_its_own() {
    let all = rendered(&["--values", &values_file("everything")]);
    let job = &of(&all, "CronJob")["spec"];
    assert_eq!(job["schedule"], "*/30 6-20 * * *");
    let template = &job["jobTemplate"]["spec"]["template"];
    let (pod, container) = (&template["spec"], &template["spec"]["containers"][0]);
    let webhook = &of(&all, "Deployment")["spec"]["template"]["spec"];
    for field in ["affinity", "imagePullSecrets", "nodeSelector", "securityContext", "tolerations"] {
        assert!(!pod[field].is_null() && pod[field] == webhook[field], "{field}");
    }
    assert_eq!(container["image"], webhook["containers"][0]["image"]);
    assert_eq!(container["resources"]["limits"]["memory"], "1Gi");
    // The Service of the webhook must not select the pods.
    assert_eq!(template["metadata"]["labels"], json!({"app.kubernetes.io/name": "sqledge-ha-audit"}));
    let flags = container["args"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap());
    let cli = Cli::try_parse_from(["sqledge-ha"].into_iter().chain(flags)).unwrap();
    let cli::Command::Audit(audit) = cli.command else { panic!("the container audits") };
    assert!(audit.publishing.write_reports && audit.exit_zero && audit.timers.len() == 1);
    assert_eq!(audit.publishing.push_gateway.as_deref(), Some("http://pushgateway.monitoring:9091"));
    // The command reads the configuration.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sqledge-ha.yaml");
    let of_audit =
        all.iter().find(|object| object["kind"] == "ConfigMap" && object["metadata"]["name"] == "sqledge-ha-audit");
    std::fs::write(&path, of_audit.unwrap()["data"]["sqledge-ha.yaml"].as_str().unwrap()).unwrap();
    let text = checked_text(&path).unwrap();
    let config: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(
        (&config["policy"]["failoverSeconds"], &config["ignore"][0]["rules"]),
        (&json!(60), &json!(["enough-memory"]))
    );
}

#[test]
fn new_settings_restart_the_pods() {
    let annotation = |arguments: &[&str]| {
        let all = rendered(arguments);
        of(&all, "Deployment")["spec"]["template"]["metadata"]["annotations"]["sqledge-ha/settings"].clone()
    };
    assert_ne!(annotation(&[]), annotation(&["--set", "settings.mode=validate"]));
}

#[test]
fn openshift_assigns_the_group_of_the_files() {
    let settings = |arguments: &[&str]| {
        let all = rendered(arguments);
        let text = of(&all, "ConfigMap")["data"]["settings.yaml"].as_str().unwrap();
        serde_saphyr::from_str::<Value>(text).unwrap()
    };
    let own = ["--set", "settings.fsGroup=2000"];
    let on_openshift = settings(&[&own[..], &["--api-versions", "security.openshift.io/v1"]].concat());
    assert_eq!(on_openshift, json!({"engines": ["sql-edge"], "exposure": "internal", "fsGroup": "none"}));
    assert_eq!(settings(&own), json!({"engines": ["sql-edge"], "exposure": "internal", "fsGroup": 2000}));
}

#[test]
fn the_image_has_a_digest_or_a_tag() {
    let image = |arguments: &[&str]| container(&rendered(arguments))["image"].clone();
    let published = concat!("ghcr.io/sqledge-ha/sqledge-ha:v", env!("CARGO_PKG_VERSION"));
    assert_eq!(image(&[]), published);
    assert_eq!(image(&["--set", "image.tag=edge"]), "ghcr.io/sqledge-ha/sqledge-ha:edge");
}

#[test]
fn the_flags_for_a_module_in_a_registry_match_the_volumes() {
    let all = rendered(&["--values", &values_file("module-in-a-registry")]);
    let arguments = container(&all)["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap());
    let cli = Cli::try_parse_from(["sqledge-ha"].into_iter().chain(arguments)).unwrap();
    let cli::Command::Serve(serve) = cli.command else { panic!("the container serves") };
    let module = serve.module.unwrap().display().to_string();
    assert!(module.starts_with("registry://registry.local:5000/policies/sqledge-ha@sha256:e3b0"), "{module}");
    let folder = |volume: &str| {
        let mounts = container(&all)["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["name"] == volume).unwrap();
        (PathBuf::from(mount["mountPath"].as_str().unwrap()), mount["readOnly"] == true)
    };
    assert_eq!((serve.registry.module_cache.unwrap(), false), folder("module-cache"));
    let (authority, is_read_only) = folder("registry-ca");
    assert_eq!((serve.registry.access.ca_cert.unwrap(), true), (authority.join("ca.crt"), is_read_only));
    let (credentials, is_read_only) = folder("registry-credentials");
    let environment = json!([{"name": "DOCKER_CONFIG", "value": credentials}]);
    assert_eq!((&container(&all)["env"], true), (&environment, is_read_only));
}

#[test]
fn with_your_own_certificate_the_webhook_has_look_up_permissions_only() {
    for (name, trusted) in [("own-certificate", "caBundle"), ("cert-manager", "annotations")] {
        let all = rendered(&["--values", &values_file(name)]);
        assert!(
            !all.iter().any(|object| ["Role", "RoleBinding"].contains(&object["kind"].as_str().unwrap())),
            "{name}"
        );
        let rules = of(&all, "ClusterRole")["rules"].to_string();
        assert!(rules.contains("deployments") && !rules.contains("admissionregistration"), "{rules}");
        let arguments = container(&all)["args"].to_string();
        assert!(arguments.contains("--tls-cert=/etc/sqledge-ha-tls/tls.crt") && !arguments.contains("--self-signed"));
        let volumes = &of(&all, "Deployment")["spec"]["template"]["spec"]["volumes"];
        assert_eq!(volumes[1]["secret"]["secretName"], "sqledge-ha-certificate");
        for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
            let configuration = of(&all, kind);
            for webhook in configuration["webhooks"].as_array().unwrap() {
                let bundle = webhook["clientConfig"]["caBundle"].as_str();
                assert_eq!(bundle.is_some_and(|bundle| bundle.starts_with("LS0tLS1CRUdJTi")), trusted == "caBundle");
            }
            let annotations = &configuration["metadata"]["annotations"];
            assert_eq!(annotations["cert-manager.io/inject-ca-from"] == "guard/sqledge-ha", trusted == "annotations");
        }
    }
}

/// The fields of a PodMonitor that the chart uses: prometheus-operator/prometheus-operator,
/// `pkg/apis/monitoring/v1/podmonitor_types.go`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodMonitorSpec {
    selector: Value,
    pod_metrics_endpoints: Vec<PodMetricsEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodMetricsEndpoint {
    port: String,
    path: String,
    interval: String,
}

#[test]
fn the_pod_monitor_names_a_port_of_the_pods() {
    let all = rendered(&["--values", &values_file("everything")]);
    let monitor = of(&all, "PodMonitor");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    let spec: PodMonitorSpec = serde_json::from_value(monitor["spec"].clone()).unwrap();
    assert_eq!(spec.selector, of(&all, "Deployment")["spec"]["selector"]);
    let [endpoint] = &spec.pod_metrics_endpoints[..] else { panic!("one endpoint") };
    assert_eq!((endpoint.path.as_str(), endpoint.interval.as_str()), ("/metrics", "30s"));
    let ports = container(&all)["ports"].as_array().unwrap();
    assert!(ports.iter().any(|port| port["name"] == endpoint.port.as_str()));
}
