//! The manifests that run `sqledge-ha serve` in a cluster.

use serde_json::{Value, json};

use super::CommentedObject;
use super::options::{NAME, Options};
use super::rbac::{ServiceAccount, WATCH_VERBS, cluster_role, look_up_rules, subject};
use super::remote_module::RemoteModule;
use super::webhook_configuration::webhook_configurations;

/// All IPv6 addresses. On Linux this includes all IPv4 addresses.
const ANY_ADDRESS: &str = "[::]";
const PORT: u16 = 8443;
const HEALTH_PORT: u16 = 8080;
/// A user id without a name or files, usually called `nonroot`.
const USER: u32 = 65532;

/// All objects, in the order to apply them.
pub fn manifests(options: &Options<'_>) -> Vec<CommentedObject> {
    let [cluster_role, cluster_role_binding] = cluster_permissions(options);
    let [role, role_binding] = secret_permissions(options);
    let mut objects = vec![
        CommentedObject {
            comment: "\
The admission webhook of sqledge-ha. It needs Kubernetes 1.30 or later, and does not need Kubewarden.
Printed by `sqledge-ha webhook manifests`, which has options.",
            object: namespace(&options.service.namespace),
        },
        CommentedObject { comment: "", object: service_account(options) },
        CommentedObject {
            comment: if options.events {
                "\
Permissions to look up the workloads, Services, PersistentVolumeClaims and TCPRoutes that a request is related to, to publish
the CA bundle in the two webhook configurations below, and to create Kubernetes Events."
            } else {
                "\
Permissions to look up the workloads, Services, PersistentVolumeClaims and TCPRoutes that a request is related to, and to
publish the CA bundle in the two webhook configurations below."
            },
            object: cluster_role,
        },
        CommentedObject { comment: "", object: cluster_role_binding },
        CommentedObject {
            comment: "\
Permissions for the Secret with the webhook's certificate, which all replicas share. RBAC cannot restrict `create` to one
name.",
            object: role,
        },
        CommentedObject { comment: "", object: role_binding },
        CommentedObject {
            comment: "\
The policy's settings, listed by `sqledge-ha policy settings-schema`. To change them, edit a file of your own and run
`sqledge-ha webhook manifests --settings FILE` again, because the matchConditions below depend on the setting `images`: the
API server does not send a workload whose image is added only here.",
            object: config_map(options),
        },
        CommentedObject { comment: "", object: service(options) },
        CommentedObject {
            comment: "\
Updates replace one replica at a time, after the new one is ready. The annotation repeats the settings, so that new
settings restart the pods.",
            object: deployment(options),
        },
        CommentedObject { comment: "", object: disruption_budget(options) },
    ];
    objects.extend(webhook_configurations(options));
    objects
}

fn metadata(options: &Options<'_>) -> Value {
    json!({"name": NAME, "namespace": options.service.namespace, "labels": labels()})
}

fn labels() -> Value {
    json!({"app.kubernetes.io/name": NAME})
}

fn account(options: &Options<'_>) -> ServiceAccount {
    ServiceAccount { namespace: options.service.namespace.clone(), name: NAME.to_owned() }
}

/// The namespace, which accepts only pods without privileges.
pub(super) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {
        "app.kubernetes.io/name": NAME,
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted"}}})
}

fn service_account(options: &Options<'_>) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(options),
        "automountServiceAccountToken": false})
}

fn cluster_permissions(options: &Options<'_>) -> [Value; 2] {
    let mut rules = look_up_rules(options.module, WATCH_VERBS);
    rules.push(json!({
        "apiGroups": ["admissionregistration.k8s.io"],
        "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
        "resourceNames": [NAME],
        "verbs": ["get", "patch"]}));
    if options.events {
        rules.push(json!({"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]}));
    }
    cluster_role(NAME, &rules, &account(options))
}

fn secret_permissions(options: &Options<'_>) -> [Value; 2] {
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
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels()},
            "matchLabelKeys": ["pod-template-hash"]}],
        "securityContext": pod_security_context(),
        "containers": [container(options)],
        "volumes": volumes})
}

/// A user without privileges.
pub(super) fn pod_security_context() -> Value {
    json!({"runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}})
}

/// No privileges, and nothing to write to.
pub(super) fn container_security_context() -> Value {
    json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
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
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": container_security_context(),
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
        format!("--listen={ANY_ADDRESS}:{PORT}"),
        format!("--health-listen={ANY_ADDRESS}:{HEALTH_PORT}"),
        "--self-signed".to_owned(),
        format!("--service={}", options.service),
        format!("--webhook-configuration={NAME}"),
        "--settings=/etc/sqledge-ha/settings.yaml".to_owned(),
        "--log-format=json".to_owned(),
    ];
    arguments.extend(options.events.then(|| "--events".to_owned()));
    arguments.extend(options.remote_module.iter().flat_map(RemoteModule::arguments));
    arguments
}
