//! The webhook configurations: which requests the API server sends to `sqledge-ha serve`.

use serde_json::{Value, json};

use super::options::{NAME, Options};
use super::{CommentedObject, match_conditions};

/// The mutating and the validating webhook configuration.
pub fn webhook_configurations(options: &Options<'_>) -> [CommentedObject; 2] {
    let mut mutating = webhook(options, "mutate");
    if let Some(webhook) = mutating.as_object_mut() {
        // Other webhooks may change the object later, e.g. add a container.
        webhook.insert("reinvocationPolicy".to_owned(), json!("IfNeeded"));
    }
    [
        CommentedObject {
            comment: "\
Mutates objects. The webhook itself writes the CA bundle (`caBundle`) here, some seconds after its first replica has
started. Until then the API server cannot call it.

failurePolicy decides about a request while no replica answers. With `Fail` the API server rejects it, but only if it
- creates or changes a workload that may run a database,
- creates or changes a Service with a selector, or
- scales a workload above one replica.
The API server does not send other requests: other workloads, objects that are being deleted, and objects that a checked
controller creates, such as the replacement pod of a database. With `Ignore` the API server allows the request unchecked.",
            object: configuration("MutatingWebhookConfiguration", &mutating),
        },
        CommentedObject {
            comment: "Checks the final objects, after the changes of all mutating webhooks. Never mutates.",
            object: configuration("ValidatingWebhookConfiguration", &webhook(options, "validate")),
        },
    ]
}

fn configuration(kind: &str, webhook: &Value) -> Value {
    // Keeps AKS from rewriting the namespaceSelector, which the next server-side apply would conflict with
    // (Azure/AKS#4002).
    let metadata = json!({"name": NAME, "annotations": {"admissions.enforcer/disabled": "true"}});
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": metadata, "webhooks": [webhook]})
}

fn webhook(options: &Options<'_>, path: &str) -> Value {
    json!({
        "name": format!("{path}.sqledge-ha.github.io"),
        "clientConfig": {"service": {
            "namespace": options.service.namespace, "name": options.service.name, "path": format!("/{path}"), "port": 443}},
        "rules": options.module.rules(),
        "failurePolicy": options.failure_policy,
        "timeoutSeconds": options.timeout_seconds,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "matchPolicy": "Equivalent",
        "namespaceSelector": namespaces_except(&["kube-system", &options.service.namespace]),
        "matchConditions": match_conditions::match_conditions(options.policy),
    })
}

/// A selector of all namespaces but these.
pub fn namespaces_except(namespaces: &[&str]) -> Value {
    json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": namespaces}]})
}
