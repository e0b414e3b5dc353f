//! The webhook configurations: which requests the API server sends to `sqledge-ha serve`.

use serde_json::{Value, json};

use super::options::{DefaultMode, NAME, Options};
use super::requests::Requests;
use super::{CommentedObject, FailurePolicy, match_conditions};
use crate::webhook::decision::Stage;

/// The label of a namespace with a mode of its own: `enforce` or `warn`.
pub const MODE_LABEL: &str = "sqledge-ha/mode";

/// The mutating and the validating webhook configuration.
pub fn webhook_configurations(options: &Options<'_>) -> [CommentedObject; 2] {
    let mut mutating = Requests::MUTATED.map(|requests| enforcing(options, Stage::Mutate, requests));
    for webhook in mutating.iter_mut().filter_map(Value::as_object_mut) {
        // Other webhooks may change the object later, e.g. add a container.
        webhook.insert("reinvocationPolicy".to_owned(), json!("IfNeeded"));
    }
    let mut validating = Requests::SEPARATE.map(|requests| enforcing(options, Stage::Validate, requests)).to_vec();
    validating.push(warning(options));
    [
        CommentedObject {
            comment: "\
Mutates objects. The webhook itself writes the CA bundle (`caBundle`) here, some seconds after its first replica has
started. Until then the API server cannot call it.

failurePolicy decides about a request while no replica answers. With `Fail` the API server rejects it, with `Ignore` it
allows it unchecked. The API server sends requests that
- workloads: create or change a workload that may run a database,
- services: create or change a Service with a selector,
- scale: scale a workload above one replica, also by a HorizontalPodAutoscaler,
- related: create or change a claim for several nodes, an autoscaler, a disruption budget or a Rollout that runs the pods of
  a Deployment.
Related requests are only checked, not mutated. The API server does not send other requests: other workloads, objects that
are being deleted, and objects that a checked controller creates, such as the replacement pod of a database.",
            object: configuration("MutatingWebhookConfiguration", &mutating),
        },
        CommentedObject {
            comment: "\
Checks the final objects, after the changes of all mutating webhooks. Never mutates. The last webhook only warns, in
namespaces whose mode is `warn`. The label `sqledge-ha/mode` of a namespace is its mode.",
            object: configuration("ValidatingWebhookConfiguration", &validating),
        },
    ]
}

fn configuration(kind: &str, webhooks: &[Value]) -> Value {
    // Keeps AKS from rewriting the namespaceSelector, which the next server-side apply would conflict with
    // (Azure/AKS#4002).
    let metadata = json!({"name": NAME, "annotations": {"admissions.enforcer/disabled": "true"}});
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": metadata, "webhooks": webhooks})
}

/// The webhook for requests in namespaces whose mode is `enforce`.
fn enforcing(options: &Options<'_>, stage: Stage, requests: Requests) -> Value {
    let name = format!("{}.{}", requests.name(), stage.path().trim_start_matches('/'));
    webhook(options, &name, stage, requests, options.failure_policies.of(requests))
}

/// The webhook for requests in namespaces whose mode is `warn`. It has no effect, also while it does not answer.
fn warning(options: &Options<'_>) -> Value {
    webhook(options, "warn", Stage::Warn, Requests::All, FailurePolicy::Ignore)
}

fn webhook(
    options: &Options<'_>,
    name: &str,
    stage: Stage,
    requests: Requests,
    failure_policy: FailurePolicy,
) -> Value {
    let service = options.service;
    json!({
        "name": format!("{name}.sqledge-ha.github.io"),
        "clientConfig": {"service": {
            "namespace": service.namespace, "name": service.name, "path": stage.path(), "port": 443}},
        "rules": options.module.rules_for(requests),
        "failurePolicy": failure_policy,
        "timeoutSeconds": options.timeout_seconds,
        // Events are a side effect.
        "sideEffects": if options.events { "NoneOnDryRun" } else { "None" },
        "admissionReviewVersions": ["v1"],
        "matchPolicy": "Equivalent",
        "namespaceSelector": {"matchExpressions": [checked_namespaces(options), namespaces_in_mode(options.mode, stage)]},
        "matchConditions": match_conditions::match_conditions(requests, options.policy),
    })
}

fn checked_namespaces(options: &Options<'_>) -> Value {
    let excluded = options.excluded_namespaces.iter().map(String::as_str);
    let all: Vec<&str> = ["kube-system"].into_iter().chain(excluded).chain([&*options.service.namespace]).collect();
    namespaces_except(&all)
}

/// The namespaces for a stage. Each namespace has one mode, so that the stages `mutate` and `validate` exclude `warn`.
fn namespaces_in_mode(default: DefaultMode, stage: Stage) -> Value {
    let (other, is_default) = match default {
        DefaultMode::Enforce => ("warn", stage != Stage::Warn),
        DefaultMode::Warn => ("enforce", stage == Stage::Warn),
    };
    json!({"key": MODE_LABEL, "operator": if is_default { "NotIn" } else { "In" }, "values": [other]})
}

/// The expression of a selector for all namespaces but these.
pub fn namespaces_except(namespaces: &[&str]) -> Value {
    json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": namespaces})
}
