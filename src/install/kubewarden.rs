//! The policies for Kubewarden.

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use sqledge_ha_policy::settings::{Settings, looked_up_kinds};

use super::match_conditions::match_conditions;
use super::module::ModuleMetadata;
use super::requests::Requests;
use super::webhook_configuration::namespaces_except;
use super::{CommentedObject, FailurePolicy};

/// The kind of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Whole cluster: mutate objects that lack something, reject objects that contradict a rule
    Mutate,
    /// Whole cluster: reject objects that need a mutation; report existing objects in audit reports
    Validate,
    /// One namespace, without permissions for the cluster: like mutate, but without look-ups
    Namespaced,
}

/// Options of a policy.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The metadata of the embedded module.
    pub module: &'a ModuleMetadata,
    /// The URL from which the policy server loads the module.
    pub location: &'a str,
    /// The name of the policy server.
    pub policy_server: &'a str,
    /// What the API server does while the policy server does not answer.
    pub failure_policy: FailurePolicy,
    /// How long the API server waits for an answer, in seconds.
    pub timeout_seconds: u8,
    /// The settings, without `mode`.
    pub settings: &'a Value,
    /// The parsed settings.
    pub policy: &'a Settings,
}

impl Options<'_> {
    /// The kinds that the policy server may list: those in the settings, else all that `sqledge-ha policy access` grants.
    fn look_ups(&self) -> Vec<&'static str> {
        let named: Vec<&str> = self.policy.look_ups.iter().map(|resource| resource.name).collect();
        if named.is_empty() { looked_up_kinds() } else { named }
    }
}

/// The timeout of one evaluation, in seconds: Kubewarden's minimum. An evaluation takes less than 2 ms.
const EVALUATION_SECONDS: u8 = 2;

/// The policy for a mode.
pub fn policy(mode: Mode, options: &Options<'_>) -> CommentedObject {
    match mode {
        Mode::Mutate => CommentedObject {
            comment: "\
Mutates objects that lack something, and rejects objects that contradict a rule. Install the validating policy as well: it
also checks the changes of webhooks that run after this one, and reports existing objects in audit reports.
The setting `exposure: internal` makes the ClusterIP or NodePort Service of a database a load balancer when it is created.
It stays inside where the platform honours one of the annotations or the source ranges (see the rule
load-balancer-service). Elsewhere it can be reachable from the internet: leave the setting out, and the Service is only
warned about.

The matchConditions depend on the settings: the API server does not send a workload whose image is added only to
`settings.images`. To change the settings, run `sqledge-ha policy manifest --mode mutate --settings FILE` again.",
            object: cluster_wide(
                "sqledge-ha-mutate",
                options,
                options.module.rules(),
                "mutate",
                true,
            ),
        },
        Mode::Validate => CommentedObject {
            comment: "\
Checks the final objects, after the changes of all mutating webhooks, and reports existing objects in audit reports. Never
mutates.
It names only resources that every cluster has, because the audit scanner skips a policy that names an unknown resource.
The matchConditions depend on the settings: the API server does not send a workload whose image is added only to
`settings.images`. To change the settings, run `sqledge-ha policy manifest --mode validate --settings FILE` again.",
            object: cluster_wide(
                "sqledge-ha-validate",
                options,
                options.module.built_in_rules(),
                "validate",
                false,
            ),
        },
        Mode::Namespaced => CommentedObject {
            comment: "\
For one namespace: kubectl apply --namespace NAMESPACE -f FILE
A namespaced policy cannot look up other objects, so it does not check Services and scale requests. Since Kubewarden 1.38
it can name only the resources in `namespacedPoliciesAllowedResources` of Kubewarden's chart. By default this excludes pod
templates, Argo Rollouts, DeploymentConfigs and Knative Services; only the policies for the whole cluster check them.
The matchConditions depend on the settings: the API server does not send a workload whose image is added only to
`settings.images`. To change the settings, run `sqledge-ha policy manifest --mode namespaced --settings FILE` again.",
            object: namespaced(options),
        },
    }
}

fn cluster_wide(name: &str, options: &Options<'_>, rules: Vec<Value>, mode: &str, mutating: bool) -> Value {
    let mode = json!({"mode": mode, "lookUps": options.look_ups()});
    let mut spec = spec(options, rules, &mode, mutating);
    spec.insert("contextAwareResources".to_owned(), Value::Array(options.module.context_aware_resources()));
    spec.insert("namespaceSelector".to_owned(), json!({"matchExpressions": [namespaces_except(&["kube-system"])]}));
    object("ClusterAdmissionPolicy", name, options, spec)
}

fn namespaced(options: &Options<'_>) -> Value {
    let settings = json!({"mode": "mutate", "lookUps": []});
    let spec = spec(options, options.module.namespaced_rules(), &settings, true);
    object("AdmissionPolicy", "sqledge-ha", options, spec)
}

fn object(kind: &str, name: &str, options: &Options<'_>, spec: Map<String, Value>) -> Value {
    let annotations = ["io.kubewarden.policy.severity", "io.kubewarden.policy.category"];
    let annotations: Map<String, Value> = annotations
        .iter()
        .map(|annotation| ((*annotation).to_owned(), json!(options.module.annotation(annotation))))
        .collect();
    json!({"apiVersion": "policies.kubewarden.io/v1", "kind": kind,
        "metadata": {"name": name, "annotations": annotations}, "spec": spec})
}

fn spec(options: &Options<'_>, rules: Vec<Value>, own_settings: &Value, mutating: bool) -> Map<String, Value> {
    let mut settings = options.settings.as_object().cloned().unwrap_or_default();
    settings.extend(own_settings.as_object().cloned().unwrap_or_default());
    Map::from_iter(
        [
            ("policyServer", json!(options.policy_server)),
            ("module", json!(options.location)),
            ("mode", json!("protect")),
            ("mutating", json!(mutating)),
            ("backgroundAudit", json!(!mutating)),
            ("settings", Value::Object(settings)),
            ("rules", Value::Array(rules)),
            ("failurePolicy", json!(options.failure_policy)),
            ("timeoutSeconds", json!(options.timeout_seconds)),
            ("timeoutEvalSeconds", json!(EVALUATION_SECONDS)),
            ("matchPolicy", json!("Equivalent")),
            ("sideEffects", json!("None")),
            ("matchConditions", match_conditions(Requests::All, options.policy)),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    )
}
