//! `sqledge-ha serve` in a cluster, without any other component.

use serde_json::{Value, json};
use sqledge_ha_policy::settings::Settings;

use super::access::{Account, IN_VIEW, cluster_role, look_ups, subject};
use super::module::Module;
use super::registration::registrations;
use super::remote_module::RemoteModule;
use super::{FailurePolicy, Manifest};
use crate::webhook::self_signed::Service;

/// What everything is called.
pub const NAME: &str = "sqledge-ha";
/// Where the container image is published.
pub const IMAGE_REPOSITORY: &str = "ghcr.io/sqledge-ha/sqledge-ha";
/// Every address of a pod, of whichever family: on Linux this listens for IPv4 as well.
const EVERYWHERE: &str = "[::]";
const PORT: u16 = 8443;
const HEALTH_PORT: u16 = 8080;
/// A user that has no name and owns nothing.
const USER: u32 = 65532;

/// What can be chosen.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// What the embedded module says about itself.
    pub module: &'a Module,
    /// The Service that the API server calls, called [`NAME`]; everything else is in its namespace.
    pub service: &'a Service,
    /// The container image.
    pub image: &'a str,
    /// The module that the pods pull, unless it is the one inside the image.
    pub remote_module: Option<RemoteModule<'a>>,
    /// How many replicas answer.
    pub replicas: u16,
    /// What happens to a request while none of them does.
    pub failure_policy: FailurePolicy,
    /// How long the API server waits for an answer, in seconds.
    pub timeout_seconds: u8,
    /// The policy's settings, as the file says them.
    pub settings: &'a str,
    /// The same, understood.
    pub policy: &'a Settings,
}

/// The container image that is published with this version.
pub fn published_image() -> String {
    format!("{IMAGE_REPOSITORY}:v{}", env!("CARGO_PKG_VERSION"))
}

/// Everything to apply, in an order that works.
pub fn manifests(options: &Options<'_>) -> Vec<Manifest> {
    let [role, role_binding] = cluster_access(options);
    let [own_role, own_role_binding] = own_access(options);
    let mut manifests = vec![
        Manifest {
            comment: "\
The rules of sqledge-ha at admission, without any other component. Needs Kubernetes 1.30 or later.
Written by `sqledge-ha webhook manifests`, which has options.",
            object: namespace(options),
        },
        Manifest { comment: "", object: service_account(options) },
        Manifest {
            comment: "\
Look-ups, so that the rules see whether clients reach the database, and what a scale request scales; and the
certificate in the two registrations below, by which the API server knows the webhook.",
            object: role,
        },
        Manifest { comment: "", object: role_binding },
        Manifest {
            comment: "The webhook's own certificate, which all replicas share. What is created has no name to restrict.",
            object: own_role,
        },
        Manifest { comment: "", object: own_role_binding },
        Manifest {
            comment: "\
The settings of the policy; `sqledge-ha policy settings-schema` lists them. Change them in a file of your own and print
all of this anew, with `sqledge-ha webhook manifests --settings FILE`: the matchConditions of the registrations below
are made from the setting `images`, and a workload whose image is only added here is not sent to the webhook.",
            object: config_map(options),
        },
        Manifest { comment: "", object: service(options) },
        Manifest {
            comment: "\
One replica after the other is replaced, each only when its successor answers. The annotation repeats the settings,
so that applying others starts the pods anew.",
            object: deployment(options),
        },
        Manifest { comment: "", object: disruption_budget(options) },
    ];
    manifests.extend(registrations(options));
    manifests
}

fn metadata(options: &Options<'_>) -> Value {
    json!({"name": NAME, "namespace": options.service.namespace, "labels": labels()})
}

fn labels() -> Value {
    json!({"app.kubernetes.io/name": NAME})
}

fn account(options: &Options<'_>) -> Account {
    Account { namespace: options.service.namespace.clone(), name: NAME.to_owned() }
}

fn namespace(options: &Options<'_>) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": options.service.namespace, "labels": {
        "app.kubernetes.io/name": NAME,
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted"}}})
}

fn service_account(options: &Options<'_>) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(options),
        "automountServiceAccountToken": false})
}

fn cluster_access(options: &Options<'_>) -> [Value; 2] {
    let mut rules = look_ups(options.module, IN_VIEW);
    rules.push(json!({
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
        "resourceNames": [NAME],
        "verbs": ["get", "patch"]}));
    cluster_role(NAME, &rules, &account(options))
}

fn own_access(options: &Options<'_>) -> [Value; 2] {
    let api_version = "rbac.authorization.k8s.io/v1";
    [
        json!({"apiVersion": api_version, "kind": "Role", "metadata": metadata(options), "rules": [
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [options.service.secret_name()],
                "verbs": ["get", "update"]}]}),
        json!({"apiVersion": api_version, "kind": "RoleBinding", "metadata": metadata(options),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
            "subjects": [subject(&account(options))]}),
    ]
}

fn config_map(options: &Options<'_>) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(options),
        "data": {"settings.yaml": options.settings}})
}

fn service(options: &Options<'_>) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(options), "spec": {
        "selector": labels(),
        "ports": [{"name": "webhook", "port": 443, "targetPort": "webhook"}]}})
}

fn disruption_budget(options: &Options<'_>) -> Value {
    json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata(options), "spec": {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": labels()}}})
}

fn deployment(options: &Options<'_>) -> Value {
    let settings = options.settings.lines().filter(|line| !line.trim_start().starts_with('#'));
    let settings: Vec<&str> = settings.map(str::trim_end).filter(|line| !line.is_empty()).collect();
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(options), "spec": {
        "replicas": options.replicas,
        "selector": {"matchLabels": labels()},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": labels(), "annotations": {"sqledge-ha/settings": settings.join("\n")}},
            "spec": pod(options)}}})
}

fn pod(options: &Options<'_>) -> Value {
    let mut volumes = vec![json!({"name": "settings", "configMap": {"name": NAME}})];
    volumes.extend(options.remote_module.iter().flat_map(RemoteModule::volumes));
    json!({
        "serviceAccountName": NAME,
        "automountServiceAccountToken": true,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 30,
        "nodeSelector": node_selector(),
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels()},
            "matchLabelKeys": ["pod-template-hash"]}],
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container(options)],
        "volumes": volumes})
}

/// The nodes that a pod may run on.
pub(super) fn node_selector() -> Value {
    json!({"kubernetes.io/os": "linux"})
}

/// What a pod may use.
pub(super) fn resources() -> Value {
    json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}})
}

fn container(options: &Options<'_>) -> Value {
    let probe = |path: &str| json!({"path": path, "port": "health"});
    let mut mounts = vec![json!({"name": "settings", "mountPath": "/etc/sqledge-ha", "readOnly": true})];
    mounts.extend(options.remote_module.iter().flat_map(RemoteModule::mounts));
    let mut container = json!({
        "name": NAME,
        "image": options.image,
        "args": arguments(options),
        "ports": [{"name": "webhook", "containerPort": PORT}, {"name": "health", "containerPort": HEALTH_PORT}],
        "livenessProbe": {"httpGet": probe("/livez"), "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        "readinessProbe": {"httpGet": probe("/readyz"), "periodSeconds": 2, "timeoutSeconds": 2},
        "resources": resources(),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts});
    let environment: Vec<Value> = options.remote_module.iter().flat_map(RemoteModule::environment).collect();
    if let Some(container) = container.as_object_mut().filter(|_| !environment.is_empty()) {
        container.insert("env".to_owned(), json!(environment));
    }
    container
}

fn arguments(options: &Options<'_>) -> Vec<String> {
    let mut arguments = vec![
        "serve".to_owned(),
        format!("--listen={EVERYWHERE}:{PORT}"),
        format!("--health-listen={EVERYWHERE}:{HEALTH_PORT}"),
        "--self-signed".to_owned(),
        format!("--service={}", options.service),
        format!("--webhook-configuration={NAME}"),
        "--settings=/etc/sqledge-ha/settings.yaml".to_owned(),
        "--log-format=json".to_owned(),
    ];
    arguments.extend(options.remote_module.iter().flat_map(RemoteModule::arguments));
    arguments
}
