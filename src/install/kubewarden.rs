//! The policies for Kubewarden, all from the one module.

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use sqledge_ha_policy::settings::Settings;

use super::match_conditions::match_conditions;
use super::module::Module;
use super::registration::elsewhere;
use super::{FailurePolicy, Manifest};

/// Which policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// For the whole cluster: mends what was left out, refuses what contradicts
    Mutate,
    /// For the whole cluster: patches nothing, refuses what the other would have mended, and reports what is running
    Validate,
    /// For one namespace, by those who may not install for the cluster: mends, without a look at other objects
    Namespaced,
}

/// What can be chosen.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// What the embedded module says about itself.
    pub module: &'a Module,
    /// Where the policy server finds the module.
    pub location: &'a str,
    /// The policy server to run it.
    pub policy_server: &'a str,
    /// What happens to a request while that does not answer.
    pub failure_policy: FailurePolicy,
    /// How long the API server waits for an answer, in seconds.
    pub timeout_seconds: u8,
    /// The policy's settings as they are handed over, without `mode`.
    pub settings: &'a Value,
    /// The same, understood.
    pub policy: &'a Settings,
}

/// One evaluation may take this long, in seconds: Kubewarden's least, and a thousand times what one takes.
const EVALUATION_SECONDS: u8 = 2;

/// The policy for a mode.
pub fn policy(mode: Mode, options: &Options<'_>) -> Manifest {
    match mode {
        Mode::Mutate => Manifest {
            comment: "\
Mends what was left out, refuses what contradicts availability. Install the validating policy as well: Kubewarden asks
this one before other webhooks may have changed the object. The audit scanner is the other's.
The matchConditions are made from the settings. A workload whose image is only added to `settings.images` is not sent:
print the policy anew, with `sqledge-ha policy manifest --mode mutate --settings FILE`.",
            object: cluster_wide(
                "sqledge-ha-mutate",
                options,
                options.module.rules(),
                &json!({"mode": "mutate"}),
                true,
            ),
        },
        Mode::Validate => Manifest {
            comment: "\
Patches nothing, judges what came of all webhooks, and whatever is running already (background audit).
The audit scanner passes over a policy with a rule for a resource that the cluster does not know; therefore only
resources that every cluster has are named here.
The matchConditions are made from the settings. A workload whose image is only added to `settings.images` is not sent:
print the policy anew, with `sqledge-ha policy manifest --mode validate --settings FILE`.",
            object: cluster_wide(
                "sqledge-ha-validate",
                options,
                options.module.built_in_rules(),
                &json!({"mode": "validate"}),
                false,
            ),
        },
        Mode::Namespaced => Manifest {
            comment: "\
For one namespace: kubectl apply --namespace NAMESPACE -f FILE. A namespaced policy may not look at other objects, so
that Services and scale requests, which tell nothing by themselves, are left out. It may only name what the value
`namespacedPoliciesAllowedResources` of Kubewarden's chart lists (1.38 and later), or it is rejected as a whole: pod
templates, Argo Rollouts, DeploymentConfigs and Knative's Services, which are not listed by default, are left to the
policies for the whole cluster.
The matchConditions are made from the settings. A workload whose image is only added to `settings.images` is not sent:
print the policy anew, with `sqledge-ha policy manifest --mode namespaced --settings FILE`.",
            object: namespaced(options),
        },
    }
}

fn cluster_wide(name: &str, options: &Options<'_>, rules: Vec<Value>, mode: &Value, mutating: bool) -> Value {
    let mut spec = spec(options, rules, mode, mutating);
    spec.insert("contextAwareResources".to_owned(), Value::Array(options.module.context_aware_resources()));
    spec.insert("namespaceSelector".to_owned(), elsewhere(&["kube-system"]));
    object("ClusterAdmissionPolicy", name, options, spec)
}

fn namespaced(options: &Options<'_>) -> Value {
    let spec = spec(options, options.module.namespaced_rules(), &json!({"mode": "mutate"}), true);
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

fn spec(options: &Options<'_>, rules: Vec<Value>, mode: &Value, mutating: bool) -> Map<String, Value> {
    let mut settings = options.settings.as_object().cloned().unwrap_or_default();
    settings.extend(mode.as_object().cloned().unwrap_or_default());
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
            ("matchConditions", match_conditions(options.policy)),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    )
}
