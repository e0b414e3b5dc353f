//! # What must hold
//! A Deployment replaces its pod by stopping the old one first: `spec.strategy.type` is `Recreate`, without leftovers
//! of a rolling update. Rolling strategies of OpenShift's DeploymentConfig and of Argo's Rollout are refused.
//!
//! # Why
//! The default is RollingUpdate, and at one replica it is the worst case: `maxSurge` 25 % rounds up to one pod,
//! `maxUnavailable` 25 % rounds down to none, so that a second server always starts before the first one stops. On one
//! node both open the same files; on two nodes the new pod waits for a volume that the old one never releases.
//! `maxSurge: 0` does not help, because it does not wait for a pod that is still stopping.
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
//! Safe: sets `Recreate` and removes `rollingUpdate` in the same patch, because the API server refuses the two together.
//!
//! # Sources
//! - Kubernetes documentation, *Run a Single-Instance Stateful Application*: use `strategy: type: Recreate`
//! - <https://github.com/kubernetes/kubernetes/issues/26567>: one replica, ReadWriteOnce, surge: blocked
//! - <https://github.com/kubernetes/kubernetes/issues/24198>: Recreate with a leftover `rollingUpdate` is refused

use super::{Fixable, Rule};
use crate::finding::{Action, Edit, Finding, Findings, Fix};
use crate::kind::Kind;
use crate::node::Node;
use crate::subject::Subject;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "recreate-strategy",
    summary: "an update stops the old pod before it starts the new one",
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    is_relational: false,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload() else { return };
    let strategy = workload.object.path(&["spec", "strategy"]);
    match workload.kind {
        Kind::Deployment => findings.extend(deployment(workload, &strategy)),
        Kind::DeploymentConfig if strategy.at("type").str() != Some("Recreate") => findings.push(
            Finding::contradiction(
                &strategy.at("type"),
                "this strategy starts a second server before the first one stops",
            )
            .help("set strategy.type to Recreate"),
        ),
        Kind::Rollout => findings.push(
            Finding::contradiction(&strategy, "a Rollout runs old and new pods side by side")
                .because("every strategy of a Rollout starts the new server while the old one still holds the files")
                .help("use a Deployment with strategy type Recreate"),
        ),
        _ => {}
    }
}

fn deployment(workload: &Workload<'_>, strategy: &Node<'_>) -> Option<Finding> {
    let (kind, leftover) = (strategy.at("type"), strategy.at("rollingUpdate"));
    let mut edits = Vec::new();
    if leftover.exists() {
        edits.push(Edit::remove(&leftover));
    }
    let is_recreate = kind.str() == Some("Recreate");
    if is_recreate && edits.is_empty() {
        return None;
    }
    if is_recreate {
        return Some(
            Finding::omission(&leftover, "strategy Recreate with leftovers of a rolling update", Fix::safe(edits))
                .because("the API server refuses rollingUpdate next to Recreate")
                .help("remove rollingUpdate"),
        );
    }
    edits.push(Edit::set(&workload.object, &["spec", "strategy", "type"], "Recreate"));
    Some(
        Finding::omission(&kind, "an update starts a second server before the first one stops", Fix::safe(edits))
            .because("at one replica the default strategy RollingUpdate surges to two pods on the same files")
            .help("set strategy.type to Recreate"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::objects::Objects;
    use crate::settings::Settings;
    use crate::testing::{ask, deployment, findings_of, other_kind, stateful_set, test};

    fn with(strategy: Value) -> Value {
        deployment(&[("/spec/strategy", strategy)])
    }

    #[test]
    fn only_recreate_will_do() {
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
    fn the_patch_never_leaves_what_the_api_server_refuses() {
        let object = with(json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}));
        let findings = findings_of(&RULE, &object, &Objects::default(), &Settings::default());
        let mended = crate::rules::mended(object.clone(), &findings).expect("there is something to mend");
        assert_eq!(mended["spec"]["strategy"], json!({"type": "Recreate"}));
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
