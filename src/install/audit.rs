//! The manifests of a CronJob that runs `sqledge-ha audit` in its cluster.

use serde_json::{Value, json};

use super::CommentedObject;
use super::rbac::{ServiceAccount, cluster_role};
use super::webhook::{container_security_context, namespace, pod_security_context};
use crate::audit::permissions::{to_read, to_write_reports};

/// The name of all objects. The pods must not have the labels of the webhook's pods.
pub const NAME: &str = "sqledge-ha-audit";

/// The directory of the configuration in the container.
const CONFIG_DIRECTORY: &str = "/etc/sqledge-ha";

/// The name of the configuration file.
const CONFIG_FILE: &str = "sqledge-ha.yaml";

/// Options of the manifests.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The namespace of the CronJob.
    pub namespace: &'a str,
    /// The container image.
    pub image: &'a str,
    /// When to audit, as a CronJob has it.
    pub schedule: &'a str,
    /// Whether to write reports into the cluster.
    pub writes_reports: bool,
    /// The Pushgateway for metrics.
    pub push_gateway: Option<&'a str>,
    /// The text of the configuration.
    pub config: &'a str,
}

/// All objects, in the order to apply them.
pub fn manifests(options: &Options<'_>) -> Vec<CommentedObject> {
    let mut rules = to_read();
    rules.extend(options.writes_reports.then(to_write_reports).into_iter().flatten());
    let account = ServiceAccount { namespace: options.namespace.to_owned(), name: NAME.to_owned() };
    let [role, binding] = cluster_role(NAME, &rules, &account);
    let uncommented = |object: Value| CommentedObject { comment: "", object };
    vec![
        CommentedObject {
            comment: "\
A CronJob that audits the databases of its cluster. It does not need the webhook.
Printed by `sqledge-ha audit manifests`, which has options.",
            object: namespace(options.namespace),
        },
        uncommented(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(options),
            "automountServiceAccountToken": false})),
        CommentedObject {
            comment: "\
Permissions to read the databases and what decides about them, in all namespaces, and to write reports. They do not include
Secrets. Resources that the cluster does not have are not missing.",
            object: role,
        },
        uncommented(binding),
        CommentedObject {
            comment: "\
The configuration of the audit, listed by `sqledge-ha config-schema`: settings of the policy, and ignore entries.",
            object: json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(options),
                "data": {CONFIG_FILE: options.config}}),
        },
        CommentedObject {
            comment: "\
Findings do not make a job fail. It fails if something cannot be read or written; its log says what.",
            object: cron_job(options),
        },
    ]
}

fn labels() -> Value {
    json!({"app.kubernetes.io/name": NAME})
}

fn metadata(options: &Options<'_>) -> Value {
    json!({"name": NAME, "namespace": options.namespace, "labels": labels()})
}

fn cron_job(options: &Options<'_>) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata(options), "spec": {
        "schedule": options.schedule,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 600,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
        "jobTemplate": {"spec": {
            "backoffLimit": 1,
            "activeDeadlineSeconds": 1800,
            "template": {"metadata": {"labels": labels()}, "spec": pod(options)}}}}})
}

fn pod(options: &Options<'_>) -> Value {
    json!({
        "serviceAccountName": NAME,
        "automountServiceAccountToken": true,
        "enableServiceLinks": false,
        "restartPolicy": "Never",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "securityContext": pod_security_context(),
        "containers": [{
            "name": NAME,
            "image": options.image,
            "args": arguments(options),
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
            "securityContext": container_security_context(),
            "volumeMounts": [{"name": "config", "mountPath": CONFIG_DIRECTORY, "readOnly": true}]}],
        "volumes": [{"name": "config", "configMap": {"name": NAME}}]})
}

fn arguments(options: &Options<'_>) -> Vec<String> {
    let mut arguments =
        vec!["audit".to_owned(), format!("--config={CONFIG_DIRECTORY}/{CONFIG_FILE}"), "--exit-zero".to_owned()];
    arguments.extend(options.writes_reports.then(|| "--write-reports".to_owned()));
    arguments.extend(options.push_gateway.map(|url| format!("--push-gateway={url}")));
    arguments
}
