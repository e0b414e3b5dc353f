//! # What must hold
//! No autoscaler can start a second replica: no HorizontalPodAutoscaler with `maxReplicas` above 1, and no KEDA
//! ScaledObject with `maxReplicaCount` above 1 (100 if it is not set), targets the workload. A ScaledObject that can
//! scale to zero, and a VerticalPodAutoscaler that restarts the pod to resize it, are warnings.
//!
//! # Why
//! An autoscaler adds replicas when the database is busy. A second replica opens the same files, or is an empty
//! database behind the same name. At zero replicas the database is down until KEDA sees load again, which it never does
//! if the load is the connections themselves.
//!
//! # Example
//! ```yaml
//! kind: HorizontalPodAutoscaler
//! spec:
//!   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: sql}
//!   maxReplicas: 4
//! ```
//!
//! # Instead
//! No autoscaler for the database: raise its memory and processor limits instead.
//!
//! # Fix
//! None: remove the autoscaler by hand.
//!
//! # Sources
//! - Kubernetes documentation, *Run a Single-Instance Stateful Application*: do not scale the application
//! - KEDA documentation, *ScaledObject specification*: `minReplicaCount` is 0 and `maxReplicaCount` is 100 by default
//! - Kubernetes autoscaler, *Vertical Pod Autoscaler*: update modes

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Related, quoted};
use crate::json::cursor::Cursor;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::objects::Autoscaler;
use crate::view::Scope;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "no-autoscaling",
    summary: "no autoscaler starts a second replica",
    loss: Loss::Data,
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[Kind::Autoscaler, Kind::ScaledObject, Kind::VerticalAutoscaler],
    checks: &[],
    relations: &[Check::Autoscaler(check_autoscaler), Check::Workload(check_workload)],
};

/// What an autoscaler does to a database.
struct Problem<'a> {
    field: Cursor<'a>,
    message: String,
    help: &'static str,
    is_advice: bool,
    /// The most replicas.
    quantity: Option<i64>,
}

/// Where files are checked, the finding is on the workload, with all that is wrong with it.
fn is_reported_on_workload(context: &CheckContext<'_>) -> bool {
    matches!(context.scope(), Scope::Part | Scope::Application)
}

fn check_workload(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if cfg!(feature = "guest") || !is_reported_on_workload(context) || workload.name().is_empty() {
        return;
    }
    let name = workload.object.path(&["metadata", "name"]);
    for autoscaler in context.view.autoscalers_of(workload).known().unwrap_or_default() {
        let problem = problem_of(&autoscaler).filter(|_| !context.exempts(&RULE, &autoscaler.object));
        if let Some(problem) = problem {
            let label = "this decides the number of replicas, or restarts the pod";
            let related = || Related::new(&autoscaler.object, &problem.field, label);
            findings.push(problem.at(&name).for_reports(|finding| finding.related([related()])));
        }
    }
}

fn check_autoscaler(context: &CheckContext<'_>, autoscaler: &Autoscaler<'_>, findings: &mut Findings) {
    if is_reported_on_workload(context) {
        return;
    }
    let Some(problem) = problem_of(autoscaler) else { return };
    let Some(workload) = context.view.target_of(autoscaler) else { return };
    if !context.exempts(&RULE, &workload.object) {
        let label = || format!("it scales {}, a database", workload.describe());
        findings.push(problem.at(&problem.field).for_reports(|finding| finding.label(label())));
    }
}

impl Problem<'_> {
    fn at(&self, field: &Cursor<'_>) -> Finding {
        let message = self.message.clone();
        let finding =
            if self.is_advice { Finding::advice(field, message) } else { Finding::contradiction(field, message) };
        Finding { quantity: self.quantity, ..finding.help(self.help) }
    }
}

fn problem_of<'a>(autoscaler: &Autoscaler<'a>) -> Option<Problem<'a>> {
    let (object, spec) = (autoscaler.object, autoscaler.object.at("spec"));
    let kind = object.at("kind").str()?;
    let name = quoted(object.path(&["metadata", "name"]).str().unwrap_or_default());
    if kind == "VerticalPodAutoscaler" {
        let field = spec.path(&["updatePolicy", "updateMode"]);
        let restarts = matches!(field.str(), None | Some("Auto" | "Recreate" | "InPlaceOrRecreate"));
        return (restarts && !leaves_containers_alone(&spec)).then(|| Problem {
            field,
            message: format!("VerticalPodAutoscaler {name} restarts the pod to resize it"),
            help: "set `updateMode: \"Off\"` and read its recommendations",
            is_advice: true,
            quantity: None,
        });
    }
    let is_of_keda = kind == "ScaledObject";
    let (most, default) = if is_of_keda { (spec.at("maxReplicaCount"), 100) } else { (spec.at("maxReplicas"), 1) };
    let count = most.int().unwrap_or(default);
    if count > 1 {
        return Some(Problem {
            field: most,
            message: format!("{kind} {name} can start a second replica"),
            help: "remove the autoscaler: one replica is all there can be",
            is_advice: false,
            quantity: Some(count),
        });
    }
    let (least, idle) = (spec.at("minReplicaCount"), spec.at("idleReplicaCount"));
    let field = if idle.int() == Some(0) { idle } else { least };
    (is_of_keda && field.int().unwrap_or(0) < 1).then(|| Problem {
        field,
        message: format!("ScaledObject {name} stops the database when there is no load"),
        help: "set `minReplicaCount: 1`, without `idleReplicaCount`",
        is_advice: true,
        quantity: None,
    })
}

/// Whether a VerticalPodAutoscaler is off for each container.
fn leaves_containers_alone(spec: &Cursor<'_>) -> bool {
    let policies = || spec.path(&["resourcePolicy", "containerPolicies"]).items();
    policies().any(|policy| policy.at("containerName").str() == Some("*"))
        && policies().all(|policy| policy.at("mode").str() == Some("Off"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, closed, deployment, open_index, test};

    fn found(api_version: &str, kind: &str, mut spec: Value) -> Vec<String> {
        if spec.get("targetRef").is_none() && spec.get("scaleTargetRef").is_none() {
            spec["scaleTargetRef"] = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql"});
        }
        let autoscaler = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "scale"}, "spec": spec});
        let database = deployment(&[]);
        let found = ask_in(&RULE, &database, &closed([&database, &autoscaler]), &Settings::default());
        assert!(ask_in(&RULE, &database, &open_index([&autoscaler]), &Settings::default()).is_empty());
        found
    }

    #[test]
    fn the_autoscaler_of_a_rollout_counts_for_the_deployment_whose_pods_it_runs() {
        let database = deployment(&[]);
        let rollout = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "roll"},
            "spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql"}}});
        let target = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "roll"});
        let autoscaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "scale"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3}});
        let found = |others: &[&Value]| {
            let all = others.iter().copied().chain([&database, &autoscaler]);
            ask_in(&RULE, &database, &closed(all), &Settings::default())
        };
        assert_eq!(found(&[&rollout]), ["reject /metadata/name"]);
        assert!(found(&[]).is_empty());
    }

    #[test]
    fn at_admission_and_in_audits_the_autoscaler_is_reported() {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql"});
        let autoscaler = |most: i64| {
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "scale"},
                "spec": {"scaleTargetRef": target, "maxReplicas": most}})
        };
        let database = deployment(&[]);
        let found = |most| ask_in(&RULE, &autoscaler(most), &open_index([&database]), &Settings::default());
        assert_eq!(found(2), ["reject /spec/maxReplicas"]);
        assert!(found(1).is_empty());
        assert!(ask_in(&RULE, &autoscaler(2), &open_index([]), &Settings::default()).is_empty());
    }

    #[test]
    fn no_autoscaler_starts_a_second_replica() {
        const REJECT: [&str; 1] = ["reject /metadata/name"];
        const WARN: [&str; 1] = ["warn /metadata/name"];
        let horizontal = |spec: Value| found("autoscaling/v2", "HorizontalPodAutoscaler", spec);
        assert_eq!(horizontal(json!({"maxReplicas": 2})), REJECT);
        assert!(horizontal(json!({"maxReplicas": 1})).is_empty());
        assert!(horizontal(json!({})).is_empty(), "the API server rejects it");
        let web = json!({"kind": "Deployment", "name": "web"});
        assert!(horizontal(json!({"maxReplicas": 2, "scaleTargetRef": web})).is_empty());
        let of_another_group = json!({"apiVersion": "example.com/v1", "kind": "Deployment", "name": "sql"});
        assert!(horizontal(json!({"maxReplicas": 2, "scaleTargetRef": of_another_group})).is_empty());
        assert_eq!(found("autoscaling/v1", "HorizontalPodAutoscaler", json!({"maxReplicas": 9})), REJECT);
        let keda = |spec: Value| found("keda.sh/v1alpha1", "ScaledObject", spec);
        assert_eq!(keda(json!({"scaleTargetRef": {"name": "sql"}})), REJECT);
        assert_eq!(keda(json!({"maxReplicaCount": 1})), WARN);
        assert!(keda(json!({"maxReplicaCount": 1, "minReplicaCount": 1})).is_empty());
        assert_eq!(keda(json!({"maxReplicaCount": 1, "minReplicaCount": 1, "idleReplicaCount": 0})), WARN);
        let target = json!({"kind": "Deployment", "name": "sql"});
        let vertical = |mode: Value| {
            let spec = json!({"targetRef": target, "updatePolicy": {"updateMode": mode}});
            found("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", spec)
        };
        assert_eq!(vertical(json!("Auto")), WARN);
        assert_eq!(vertical(json!("Recreate")), WARN);
        assert_eq!(vertical(json!("InPlaceOrRecreate")), WARN);
        assert_eq!(vertical(json!(null)), WARN);
        assert!(vertical(json!("Off")).is_empty() && vertical(json!("Initial")).is_empty());
        let policies = |policies: Value| {
            let spec = json!({"targetRef": target, "resourcePolicy": {"containerPolicies": policies}});
            found("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", spec)
        };
        let (all, own) = (json!({"containerName": "*", "mode": "Off"}), json!({"containerName": "sql"}));
        assert!(policies(json!([all])).is_empty());
        assert_eq!(policies(json!([all, own])), WARN);
        assert_eq!(policies(json!([{"containerName": "proxy", "mode": "Off"}])), WARN);
    }
}
