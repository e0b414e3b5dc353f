//! All fields of the manifests exist in their kinds. The API server would ignore or reject a misspelled field.

use std::fs;

use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqledge_ha::install::module::NAMESPACED;

use super::printed;
use crate::shared::objects;

/// The webhook with the module in the values file `module-in-a-registry`.
pub(super) const WITH_A_REMOTE_MODULE: [&str; 5] = [
    "webhook",
    "manifests",
    "--module=registry://registry.local:5000/policies/sqledge-ha@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "--registry-ca-secret=registry-authority",
    "--registry-credentials-secret=registry-login",
];

/// Deserializes an object as its Kubernetes type and serializes it.
fn round_trip<T: DeserializeOwned + Serialize>(object: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(object.clone()).unwrap()).unwrap()
}

/// Checks that the kind of an object has all its fields.
pub(super) fn assert_all_fields_are_known(object: &Value) {
    let kind = object["kind"].as_str().unwrap();
    let typed = match kind {
        "Namespace" => round_trip::<Namespace>(object),
        "ServiceAccount" => round_trip::<ServiceAccount>(object),
        "ClusterRole" => round_trip::<ClusterRole>(object),
        "ClusterRoleBinding" => round_trip::<ClusterRoleBinding>(object),
        "Role" => round_trip::<Role>(object),
        "RoleBinding" => round_trip::<RoleBinding>(object),
        "ConfigMap" => round_trip::<ConfigMap>(object),
        "Service" => round_trip::<Service>(object),
        "Deployment" => round_trip::<Deployment>(object),
        "CronJob" => round_trip::<CronJob>(object),
        "PodDisruptionBudget" => round_trip::<PodDisruptionBudget>(object),
        "MutatingWebhookConfiguration" => round_trip::<MutatingWebhookConfiguration>(object),
        "ValidatingWebhookConfiguration" => round_trip::<ValidatingWebhookConfiguration>(object),
        _ => panic!("add the type of {kind}"),
    };
    assert_eq!(&typed, object);
}

#[test]
fn kubernetes_has_all_fields_of_the_audit() {
    let all = objects(&printed(&["audit", "manifests"]));
    assert_eq!(all.len(), 6);
    all.iter().for_each(assert_all_fields_are_known);
}

#[test]
fn kubernetes_has_all_fields_of_the_webhook() {
    let all = objects(&printed(&["webhook", "manifests"]));
    assert_eq!(all.len(), 12);
    all.iter().for_each(assert_all_fields_are_known);
    objects(&printed(&WITH_A_REMOTE_MODULE)).iter().for_each(assert_all_fields_are_known);
    objects(&printed(&["policy", "access"])).iter().for_each(assert_all_fields_are_known);
}

/// The fields of `spec` in ClusterAdmissionPolicy, policies.kubewarden.io/v1: kubewarden/kubewarden-controller,
/// charts/kubewarden-crds/templates/crds/policies.kubewarden.io_clusteradmissionpolicies.yaml at d33e1dd6.
const CLUSTER_WIDE: [&str; 18] = [
    "allowInsideAdmissionControllerNamespace",
    "backgroundAudit",
    "contextAwareResources",
    "failurePolicy",
    "matchConditions",
    "matchPolicy",
    "message",
    "mode",
    "module",
    "mutating",
    "namespaceSelector",
    "objectSelector",
    "policyServer",
    "rules",
    "settings",
    "sideEffects",
    "timeoutEvalSeconds",
    "timeoutSeconds",
];

/// Fields that AdmissionPolicy does not have: kubewarden/kubewarden-controller,
/// api/policies/v1/admissionpolicy_types.go at 815b486e, next to clusteradmissionpolicy_types.go at 0915fa0f.
const NOT_NAMESPACED: [&str; 3] =
    ["allowInsideAdmissionControllerNamespace", "contextAwareResources", "namespaceSelector"];

/// The policies for a mode: for workloads, Services and scale requests.
fn policies(mode: &str) -> Vec<Value> {
    objects(&printed(&["policy", "manifest", "--mode", mode]))
}

#[test]
fn kubewarden_has_all_fields_of_the_policies() {
    let all = ["mutate", "validate", "namespaced"].map(policies);
    assert_eq!(all.each_ref().map(Vec::len), [3, 6, 1]);
    for policy in all.iter().flatten() {
        let is_namespaced = policy["metadata"]["name"] == "sqledge-ha";
        let kind = if is_namespaced { "AdmissionPolicy" } else { "ClusterAdmissionPolicy" };
        assert_eq!((&policy["apiVersion"], &policy["kind"]), (&"policies.kubewarden.io/v1".into(), &kind.into()));
        let spec = policy["spec"].as_object().unwrap();
        for field in spec.keys() {
            assert!(CLUSTER_WIDE.contains(&field.as_str()), "{field}");
            assert!(kind != "AdmissionPolicy" || !NOT_NAMESPACED.contains(&field.as_str()), "{field}");
        }
        let has_only = |list: &str, fields: &[&str]| {
            let items = spec.get(list).and_then(Value::as_array).into_iter().flatten();
            let mut keys = items.flat_map(|item| item.as_object().unwrap().keys());
            assert!(keys.all(|key| fields.contains(&key.as_str())), "{list}");
        };
        has_only("rules", &["apiGroups", "apiVersions", "resources", "operations", "scope"]);
        has_only("contextAwareResources", &["apiVersion", "kind"]);
        has_only("matchConditions", &["name", "expression"]);
        // The range in the CustomResourceDefinition; an evaluation cannot take longer than the call.
        let seconds = |field: &str| spec[field].as_i64().unwrap();
        let (evaluation, call) = (seconds("timeoutEvalSeconds"), seconds("timeoutSeconds"));
        assert!(2 <= evaluation && evaluation <= call && call <= 30);
    }
}

#[test]
fn kubewarden_allows_all_resources_of_the_namespaced_policy() {
    let policy = policies("namespaced").remove(0);
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    for rule in policy["spec"]["rules"].as_array().unwrap() {
        // Kubewarden checks every pair of group and resource, without the subresource.
        for group in texts(&rule["apiGroups"]) {
            let allowed = NAMESPACED.iter().find(|(known, _)| *known == group);
            let (_, allowed) = allowed.unwrap_or_else(|| panic!("{rule}"));
            for resource in texts(&rule["resources"]) {
                let resource = resource.split('/').next().unwrap();
                assert!(allowed.contains(&resource), "{resource}: {rule}");
            }
        }
    }
}

#[test]
fn namespaces_of_the_cluster_are_rejected() {
    for namespace in ["default", "kube-node-lease", "kube-public", "kube-system", "Guard", "a.b", ""] {
        let mut program = assert_cmd::Command::cargo_bin("sqledge-ha").unwrap();
        let output = program.args(["webhook", "manifests", "--namespace", namespace]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{namespace}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        let reason = if stderr.contains("lower-case") { "use lower-case letters" } else { "this namespace belongs to" };
        assert!(stderr.contains(&format!("--namespace {namespace}: {reason}")), "{stderr}");
        assert_eq!(reason == "use lower-case letters", !namespace.starts_with(['d', 'k']), "{stderr}");
    }
}

#[test]
fn the_reference_of_a_module_is_normalized_or_rejected() {
    let webhook = |arguments: &[&str]| {
        let mut program = assert_cmd::Command::cargo_bin("sqledge-ha").unwrap();
        program.args(["webhook", "manifests"]).args(arguments).output().unwrap()
    };
    // In the form of `policy push`, and of Kubewarden.
    for reference in ["registry.local/policy:v1", "registry://registry.local/policy:v1"] {
        let output = String::from_utf8(webhook(&["--module", reference]).stdout).unwrap();
        assert!(output.contains("--module=registry://registry.local/policy:v1"), "{output}");
        assert!(output.contains("emptyDir") && !output.contains("secretName") && !output.contains("env:"), "{output}");
    }
    for (arguments, error) in [
        (["--module", "policy.wasm"], "policy.wasm: the reference has no registry host"),
        (["--module", "registry.local/policy"], "the reference has no tag or digest"),
        (["--registry-ca-secret", "authority"], "--module <REFERENCE>"),
        (["--registry-credentials-secret", "login"], "--module <REFERENCE>"),
    ] {
        let output = webhook(&arguments);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(error), "{stderr}");
    }
}

#[test]
fn validating_policies_for_audits_name_only_built_in_resources() {
    let audited = |mode: &str| -> Vec<Value> {
        policies(mode).iter().map(|policy| policy["spec"]["backgroundAudit"].clone()).collect()
    };
    assert_eq!(audited("mutate"), [false, false, false]);
    // The audit scanner cannot look up scale requests.
    assert_eq!(audited("validate"), [true, true, false, true, true, true]);
    let validating = policies("validate");
    assert!(validating.iter().all(|policy| policy["spec"]["mutating"] == false));
    let is_custom = |policy: &Value| policy["metadata"]["name"].as_str().unwrap().contains("-custom-");
    let rules = validating.iter().flat_map(|policy| {
        policy["spec"]["rules"].as_array().unwrap().iter().map(move |rule| (is_custom(policy), rule))
    });
    for (is_custom, rule) in rules {
        let groups = rule["apiGroups"].as_array().unwrap();
        assert!(groups.iter().all(|group| is_custom == group.as_str().unwrap().contains('.')), "{rule}");
        let creates = rule["operations"].as_array().unwrap().contains(&"CREATE".into());
        let scales = |resource: &Value| resource.as_str().unwrap().contains('/');
        assert!(!creates || !rule["resources"].as_array().unwrap().iter().any(scales), "{rule}");
    }
}

#[test]
fn policies_have_the_match_conditions_and_failure_policies_of_the_webhooks() {
    let all = objects(&printed(&["webhook", "manifests"]));
    let webhooks: Vec<&Value> = all.iter().filter_map(|object| object["webhooks"].as_array()).flatten().collect();
    let [mutating, validating] = ["mutate", "validate"].map(policies);
    let cluster_wide: Vec<&Value> = mutating.iter().chain(&validating).map(|policy| &policy["spec"]).collect();
    assert_eq!((webhooks.len(), cluster_wide.len()), (8, 9));
    let [.., custom_workloads, custom_related] = &cluster_wide[..] else { panic!("{cluster_wide:?}") };
    let of_custom = [(webhooks[3], *custom_workloads), (webhooks[6], *custom_related)];
    for (webhook, policy) in webhooks.iter().copied().zip(cluster_wide.iter().copied()).take(7).chain(of_custom) {
        for field in ["matchConditions", "failurePolicy"] {
            assert_eq!(webhook[field], policy[field], "{field}");
        }
    }
    let namespaced = &policies("namespaced")[0]["spec"];
    assert_eq!(namespaced["matchConditions"], mutating[0]["spec"]["matchConditions"]);
    // The limit of the API server.
    assert!(webhooks.iter().all(|webhook| webhook["matchConditions"].as_array().unwrap().len() <= 64));
}

/// The webhooks that the manifests with these flags print: name, path, failure policy, and the expression for the label
/// of the namespace.
fn webhooks(flags: &[&str]) -> Vec<[String; 4]> {
    let all = objects(&printed(&[&["webhook", "manifests"], flags].concat()));
    let webhooks = all.iter().filter_map(|object| object["webhooks"].as_array()).flatten();
    let summary = |webhook: &Value| {
        let label = &webhook["namespaceSelector"]["matchExpressions"][1];
        let mode = label["values"][0].as_str().unwrap();
        let text = |pointer: &str| webhook.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let name = text("/name").trim_end_matches(".sqledge-ha.github.io").to_owned();
        assert_eq!(label["key"], "sqledge-ha/mode");
        let selected = format!("{} {mode}", label["operator"].as_str().unwrap());
        [name, text("/clientConfig/service/path"), text("/failurePolicy"), selected]
    };
    webhooks.map(summary).collect()
}

#[test]
fn each_kind_of_requests_has_a_webhook_and_each_namespace_a_mode() {
    let expected = |label: &str, warn_label: &str, failure_policies: [&str; 4]| {
        let entry = |name: &str, path: &str, failure_policy: &str, label: &str| {
            [name, path, failure_policy, label].map(str::to_owned)
        };
        let mut all = Vec::new();
        for stage in ["mutate", "validate"] {
            let all_requests = ["workloads", "services", "scale", "related"].iter().zip(failure_policies);
            for (requests, failure_policy) in all_requests.filter(|(one, _)| stage == "validate" || **one != "related")
            {
                all.push(entry(&format!("{requests}.{stage}"), &format!("/{stage}"), failure_policy, label));
            }
        }
        all.push(entry("warn", "/warn", "Ignore", warn_label));
        all
    };
    let default = ["Fail", "Ignore", "Ignore", "Ignore"];
    assert_eq!(webhooks(&[]), expected("NotIn warn", "In warn", default));
    assert_eq!(webhooks(&["--mode=warn"]), expected("In enforce", "NotIn enforce", default));
    let flags = [
        "--failure-policy=ignore",
        "--services-failure-policy=Fail",
        "--scale-failure-policy=Fail",
        "--related-failure-policy=Fail",
    ];
    assert_eq!(webhooks(&flags), expected("NotIn warn", "In warn", ["Ignore", "Fail", "Fail", "Fail"]));
}

#[test]
fn options_are_used_in_all_objects() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.yaml");
    let settings = "# ours\nimages: [{repository: team/edge, engine: sql-edge}]\n";
    fs::write(&file, settings).unwrap();
    let all = objects(&printed(&[
        "webhook",
        "manifests",
        "--namespace=guard",
        "--image=registry.local/sqledge-ha:1",
        "--replicas=3",
        "--exclude-namespace=build",
        "--exclude-namespace=ci",
        "--timeout-seconds=7",
        "--settings",
        file.to_str().unwrap(),
    ]));
    let of = |kind: &str| all.iter().find(|object| object["kind"] == kind).unwrap();
    assert_eq!(of("Namespace")["metadata"]["name"], "guard");
    let names: Vec<_> = all.iter().filter_map(|object| object["metadata"]["namespace"].as_str()).collect();
    assert!(names.len() == 7 && names.iter().all(|name| *name == "guard"), "{names:?}");
    assert_eq!(of("ClusterRoleBinding")["subjects"][0]["namespace"], "guard");
    assert_eq!(of("ConfigMap")["data"]["settings.yaml"], settings);
    let deployment = of("Deployment");
    assert_eq!(deployment["spec"]["replicas"], 3);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "registry.local/sqledge-ha:1");
    assert!(container["args"].as_array().unwrap().contains(&"--service=sqledge-ha.guard.svc".into()));
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        for webhook in of(kind)["webhooks"].as_array().unwrap() {
            assert_eq!(webhook["timeoutSeconds"], 7);
            assert_eq!(webhook["clientConfig"]["service"]["namespace"], "guard");
            let excluded = &webhook["namespaceSelector"]["matchExpressions"][0]["values"];
            assert_eq!(excluded, &serde_json::json!(["kube-system", "build", "ci", "guard"]));
            let name = webhook["name"].as_str().unwrap();
            let is_of_workloads = name.starts_with("workloads.") || name.starts_with("warn.");
            assert_eq!(webhook["matchConditions"].to_string().contains("'team/edge'"), is_of_workloads, "{webhook}");
        }
    }
    let policy = objects(&printed(&[
        "policy",
        "manifest",
        "--mode=validate",
        "--module=registry://registry.local/policy:1",
        "--settings",
        file.to_str().unwrap(),
    ]));
    assert_eq!(policy[0]["spec"]["module"], "registry://registry.local/policy:1");
    assert_eq!(policy[0]["spec"]["settings"]["mode"], "validate");
    assert_eq!(policy[0]["spec"]["settings"]["images"][0]["repository"], "team/edge");
}

#[test]
fn invalid_settings_are_reported_with_their_file() {
    let folder = tempfile::tempdir().unwrap();
    for (settings, error) in [
        ("engine: [sql-edge]\n", "unknown setting `engine`; did you mean `engines`?\n --> settings.yaml:1:1\n"),
        ("engines: [sql-edge\n", "settings.yaml"),
    ] {
        fs::write(folder.path().join("settings.yaml"), settings).unwrap();
        for command in [&["webhook", "manifests"][..], &["policy", "manifest", "--mode=mutate"]] {
            let mut program = assert_cmd::Command::cargo_bin("sqledge-ha").unwrap();
            let output =
                program.current_dir(&folder).args(command).args(["--settings", "settings.yaml"]).output().unwrap();
            assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(stderr.contains(error), "{stderr}");
        }
    }
}
