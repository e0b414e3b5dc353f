//! # What must hold
//! A Deployment stops the old pod before it starts the new one: `spec.strategy.type` is `Recreate`, without
//! `rollingUpdate`. Other strategies of an OpenShift DeploymentConfig, and every strategy of an Argo Rollout, are
//! rejected.
//!
//! # Why
//! The default, RollingUpdate, is wrong at one replica: `maxSurge` 25 % is rounded up to one pod and `maxUnavailable`
//! 25 % down to none, so that the new pod always starts first. On the same node both pods open the same files. On
//! another node the new pod waits for a volume that the old one does not release. `maxSurge: 0` does not help,
//! because Kubernetes does not wait until the old pod has terminated.
//!
//! # Example
//! ```yaml
//! kind: Deployment
//! spec:
//!   replicas: 1
//! ```
//!
//! # Instead
//! ```yaml
//! kind: Deployment
//! spec:
//!   replicas: 1
//!   strategy:
//!     type: Recreate
//! ```
//!
//! # Fix
//! Safe: sets `Recreate` and removes `rollingUpdate` in the same patch, because the API server rejects the two
//! together.
//!
//! # Sources
//! - Kubernetes documentation, *Run a Single-Instance Stateful Application*: use `strategy: type: Recreate`
//! - <https://github.com/kubernetes/kubernetes/issues/26567>: one replica, ReadWriteOnce, surge: blocked
//! - <https://github.com/kubernetes/kubernetes/issues/24198>: Recreate with `rollingUpdate` is rejected

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Fix};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::kubernetes::kind::WorkloadKind;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "recreate-strategy",
    summary: "an update stops the old pod before it starts the new one",
    loss: Loss::Data,
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

const HELP: &str = "set `strategy.type: Recreate`";

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let strategy = workload.object.path(&["spec", "strategy"]);
    let strategy_type = strategy.at("type");
    match workload.kind {
        WorkloadKind::Deployment => findings.extend(check_deployment(workload, &strategy)),
        WorkloadKind::DeploymentConfig if strategy_type.str() != Some("Recreate") => {
            findings.push(Finding::contradiction(&strategy_type, second_pod(workload)).help(HELP));
        }
        WorkloadKind::Rollout => findings.push(
            Finding::contradiction(&strategy, "a Rollout runs old and new pods side by side")
                .reason("every strategy of a Rollout starts the new pod while the old one still has the files open")
                .help("use a Deployment with `strategy.type: Recreate`"),
        ),
        _ => {}
    }
}

fn second_pod(workload: &Workload<'_>) -> String {
    let product = workload.product();
    match workload.object.path(&["spec", "replicas"]).int() {
        Some(2..) => format!("an update can start new {product} pods while old ones still run"),
        _ => format!("an update can start a second {product} pod while the first one still runs"),
    }
}

fn check_deployment(workload: &Workload<'_>, strategy: &Cursor<'_>) -> Option<Finding> {
    let (strategy_type, rolling_update) = (strategy.at("type"), strategy.at("rollingUpdate"));
    let mut edits = Vec::new();
    if rolling_update.exists() {
        edits.push(Edit::remove(&rolling_update));
    }
    if strategy_type.str() == Some("Recreate") {
        return (!edits.is_empty()).then(|| {
            let message = "`rollingUpdate` is set together with `type: Recreate`";
            Finding::omission(&rolling_update, message, Fix::safe(edits))
                .reason("the API server rejects this combination")
                .help("remove `rollingUpdate`")
        });
    }
    edits.push(Edit::set(&workload.object, &["spec", "strategy", "type"], "Recreate"));
    let max_surge = rolling_update.at("maxSurge");
    let reason = if max_surge.int() == Some(0) || max_surge.str() == Some("0%") {
        "with `maxSurge: 0`, Kubernetes does not wait until the old pod has terminated"
    } else if workload.data_claims().is_empty() {
        "meanwhile clients reach old and new pods, and each has databases of its own"
    } else {
        "on the same node both pods open the same files; on another node the rollout waits for the volume"
    };
    Some(Finding::omission(&strategy_type, second_pod(workload), Fix::safe(edits)).reason(reason).help(HELP))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask, deployment, findings_of, other_kind, stateful_set, test};
    use crate::view::index::ObjectIndex;

    fn with(strategy: Value) -> Value {
        deployment(&[("/spec/strategy", strategy)])
    }

    #[test]
    fn every_other_strategy_is_a_finding() {
        let rolling = json!({"maxSurge": "25%", "maxUnavailable": "25%"});
        let cases: [(Value, &[&str]); 7] = [
            (json!({"type": "Recreate"}), &[]),
            (json!({"type": "Recreate", "rollingUpdate": null}), &[]),
            (json!({}), &["mutate /spec/strategy+type"]),
            (json!({"type": "RollingUpdate", "rollingUpdate": rolling}), &["mutate /spec/strategy/type"]),
            (json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}}), &["mutate /spec/strategy/type"]),
            (json!({"type": "Recreate", "rollingUpdate": rolling}), &["mutate /spec/strategy/rollingUpdate"]),
            (json!("Recreate"), &["reject /spec/strategy+type"]),
        ];
        for (strategy, expected) in cases {
            assert_eq!(ask(&RULE, &with(strategy.clone())), expected, "{strategy}");
        }
        let mut absent = with(json!({}));
        absent["spec"].as_object_mut().expect("spec is an object").remove("strategy");
        assert_eq!(ask(&RULE, &absent), ["mutate /spec+strategy"]);
    }

    #[test]
    fn the_patch_is_valid_for_the_api_server() {
        let object = with(json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}));
        let findings = findings_of(&RULE, &object, &ObjectIndex::default(), &Settings::default());
        let mutated = crate::rules::apply_mutations(object.clone(), &findings).expect("there is a mutation");
        assert_eq!(mutated["spec"]["strategy"], json!({"type": "Recreate"}));
    }

    #[test]
    fn other_controllers() {
        assert!(ask(&RULE, &stateful_set(&[])).is_empty());
        let config = |kind: &str| {
            other_kind("apps.openshift.io/v1", "DeploymentConfig", &[("/spec/strategy/type", json!(kind))])
        };
        assert!(ask(&RULE, &config("Recreate")).is_empty());
        assert_eq!(ask(&RULE, &config("Rolling")), ["reject /spec/strategy/type"]);
        let rollout = other_kind("argoproj.io/v1alpha1", "Rollout", &[("/spec/strategy/canary", json!({}))]);
        assert_eq!(ask(&RULE, &rollout), ["reject /spec/strategy"]);
    }
}
