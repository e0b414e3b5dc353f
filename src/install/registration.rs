//! The two webhook configurations: what the API server sends to `sqledge-ha serve`, and what it does without an answer.

use serde_json::{Value, json};

use super::webhook::{NAME, Options};
use super::{Manifest, match_conditions};

/// The mutating and the validating webhook configuration.
pub fn registrations(options: &Options<'_>) -> [Manifest; 2] {
    let mut mutating = webhook(options, "mutate");
    if let Some(webhook) = mutating.as_object_mut() {
        // What another webhook changes after this one, such as a container that it adds, is looked at again.
        webhook.insert("reinvocationPolicy".to_owned(), json!("IfNeeded"));
    }
    [
        Manifest {
            comment: "\
Mends what was left out. The certificate that the API server has to trust (`caBundle`) is entered by the webhook
itself, some seconds after its first replica has started; until then nobody answers.

failurePolicy decides what becomes of a request while no replica answers. With `Fail` it is refused, but only if it
creates or changes something that may run an engine, scales a workload beyond one replica, or changes a Service that
selects pods. Everything else never leaves the API server: other workloads, what is being deleted, and whatever
a controller creates. A failed database pod is replaced whether the webhook is up or not. With `Ignore` nothing is
held up, and what is wrong gets in.",
            object: configuration("MutatingWebhookConfiguration", &mutating),
        },
        Manifest {
            comment: "\
Judges what came of it, other webhooks' changes included, and patches nothing.",
            object: configuration("ValidatingWebhookConfiguration", &webhook(options, "validate")),
        },
    ]
}

fn configuration(kind: &str, webhook: &Value) -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": NAME}, "webhooks": [webhook]})
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
        "namespaceSelector": elsewhere(&["kube-system", &options.service.namespace]),
        "matchConditions": match_conditions::match_conditions(options.policy),
    })
}

/// Selects all namespaces but these.
pub fn elsewhere(namespaces: &[&str]) -> Value {
    json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": namespaces}]})
}
