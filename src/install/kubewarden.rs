//! The policies for Kubewarden.

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use sqledge_ha_policy::settings::{Settings, looked_up_kinds};

use super::CommentedObject;
use super::match_conditions::match_conditions;
use super::module::ModuleMetadata;
use super::options::FailurePolicies;
use super::requests::Requests;
use super::webhook_configuration::namespaces_except;

/// The kind of policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Whole cluster: mutate objects that lack something, reject objects that contradict a rule
    Mutate,
    /// Whole cluster: reject objects that need a mutation; report existing objects in audit reports
    Validate,
    /// One namespace, without permissions for the cluster: like mutate, but without look-ups
    Namespaced,
}

/// Options of the policies.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The metadata of the embedded module.
    pub module: &'a ModuleMetadata,
    /// The URL from which the policy server loads the module.
    pub location: &'a str,
    /// The name of the policy server.
    pub policy_server: &'a str,
    /// What the API server does while the policy server does not answer.
    pub failure_policies: FailurePolicies,
    /// How long the API server waits for an answer, in seconds.
    pub timeout_seconds: u8,
    /// The settings, without `mode`.
    pub settings: &'a Value,
    /// The parsed settings.
    pub policy: &'a Settings,
}

impl Options<'_> {
    /// The kinds that the policy server may list: those in the settings, else all that `sqledge-ha policy access`
    /// grants.
    fn look_ups(&self) -> Vec<&'static str> {
        let named: Vec<&str> = self.policy.look_ups.iter().map(|resource| resource.name).collect();
        if named.is_empty() { looked_up_kinds() } else { named }
    }
}

/// The timeout of one evaluation, in seconds: Kubewarden's minimum. An evaluation takes less than 2 ms.
const EVALUATION_SECONDS: u8 = 2;

/// The policies for a mode: for the whole cluster, one for each kind of requests.
pub fn policies(mode: Mode, options: &Options<'_>) -> Vec<CommentedObject> {
    let (comment, objects) = match mode {
        Mode::Mutate => (
            "\
These mutate objects that lack something, and reject objects that contradict a rule. Install the validating policies as well:
they also check the changes of webhooks that run after these, and report existing objects in audit reports. Workloads,
Services and scale requests have a policy each, so that each has its own failurePolicy.
The setting `exposure: internal` makes the ClusterIP or NodePort Service of a database a load balancer when it is created.
It stays inside where the platform honors one of the annotations or the source ranges (see the rule
load-balancer-service). Elsewhere it can be reachable from the internet: leave the setting out, and the Service is only
warned about.

The matchConditions depend on the settings: the API server does not send a workload whose image is added only to
`settings.images`. To change the settings, run `sqledge-ha policy manifest --mode mutate --settings FILE` again.",
            Requests::MUTATED.map(|requests| {
                cluster_wide("mutate", requests.name(), requests, options.module.rules_for(requests), options)
            })
            .to_vec(),
        ),
        Mode::Validate => (
            "\
These check the final objects, after the changes of all mutating webhooks, and report existing objects in audit reports. They
never mutate. The audit scanner skips a policy that names an unknown resource, so resources that not every cluster has (of
Argo Rollouts, KEDA, Knative, OpenShift and the VerticalPodAutoscaler) are in two policies of their own (`custom`): omit them,
or remove what is not installed.
The matchConditions depend on the settings: the API server does not send a workload whose image is added only to
`settings.images`. To change the settings, run `sqledge-ha policy manifest --mode validate --settings FILE` again.",
            validating(options),
        ),
        Mode::Namespaced => (
            "\
For one namespace: kubectl apply --namespace NAMESPACE -f FILE
A namespaced policy cannot look up other objects, so it does not check Services, scale requests and related objects. Since
Kubewarden 1.38 it can name only the resources in `namespacedPoliciesAllowedResources` of Kubewarden's chart. By default this
excludes pod templates, Argo Rollouts, DeploymentConfigs and Knative Services; only the policies for the whole cluster check
them.
The matchConditions depend on the settings: the API server does not send a workload whose image is added only to
`settings.images`. To change the settings, run `sqledge-ha policy manifest --mode namespaced --settings FILE` again.",
            vec![namespaced(options)],
        ),
    };
    let comments = [comment].into_iter().chain(std::iter::repeat(""));
    objects.into_iter().zip(comments).map(|(object, comment)| CommentedObject { comment, object }).collect()
}

/// One policy for each kind of requests, and others for resources that not every cluster has.
fn validating(options: &Options<'_>) -> Vec<Value> {
    let policy = |name: &str, requests, rules| cluster_wide("validate", name, requests, rules, options);
    let built_in = Requests::SEPARATE
        .map(|requests| policy(requests.name(), requests, options.module.built_in_rules_for(requests)));
    let custom = [Requests::Workloads, Requests::Related].map(|requests| {
        policy(&format!("custom-{}", requests.name()), requests, options.module.custom_rules_for(requests))
    });
    built_in.into_iter().chain(custom).collect()
}

fn cluster_wide(mode: &str, name: &str, requests: Requests, rules: Vec<Value>, options: &Options<'_>) -> Value {
    let mutating = mode == "mutate";
    let module = options.module;
    let settings = json!({"mode": mode, "lookUps": options.look_ups()});
    let mut spec = spec(options, requests, rules, &settings);
    spec.insert("mutating".to_owned(), json!(mutating));
    // The audit scanner cannot look up scale requests.
    spec.insert("backgroundAudit".to_owned(), json!(!mutating && requests != Requests::Scale));
    spec.insert("contextAwareResources".to_owned(), Value::Array(module.context_aware_resources()));
    spec.insert("namespaceSelector".to_owned(), json!({"matchExpressions": [namespaces_except(&["kube-system"])]}));
    object("ClusterAdmissionPolicy", &format!("sqledge-ha-{mode}-{name}"), options, spec)
}

fn namespaced(options: &Options<'_>) -> Value {
    let settings = json!({"mode": "mutate", "lookUps": []});
    let mut spec = spec(options, Requests::Workloads, options.module.namespaced_rules(), &settings);
    spec.insert("mutating".to_owned(), json!(true));
    spec.insert("backgroundAudit".to_owned(), json!(false));
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

fn spec(options: &Options<'_>, requests: Requests, rules: Vec<Value>, own_settings: &Value) -> Map<String, Value> {
    let mut settings = options.settings.as_object().cloned().unwrap_or_default();
    settings.extend(own_settings.as_object().cloned().unwrap_or_default());
    Map::from_iter(
        [
            ("policyServer", json!(options.policy_server)),
            ("module", json!(options.location)),
            ("mode", json!("protect")),
            ("settings", Value::Object(settings)),
            ("rules", Value::Array(rules)),
            ("failurePolicy", json!(options.failure_policies.of(requests))),
            ("timeoutSeconds", json!(options.timeout_seconds)),
            ("timeoutEvalSeconds", json!(EVALUATION_SECONDS)),
            ("matchPolicy", json!("Equivalent")),
            ("sideEffects", json!("None")),
            ("matchConditions", match_conditions(requests, options.policy)),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    )
}
