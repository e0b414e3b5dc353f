//! # What must hold
//! No autoscaler can start a second replica: no HorizontalPodAutoscaler with `maxReplicas` above 1, and no KEDA ScaledObject
//! with `maxReplicaCount` above 1 (100 if it is not set), targets the workload. A ScaledObject that can scale to zero, and a
//! VerticalPodAutoscaler that restarts the pod to resize it, are warnings. Checked in files and in audits.
//!
//! # Why
//! An autoscaler adds replicas when the database is busy. A second replica opens the same files, or is an empty database
//! behind the same name. At zero replicas the database is down until KEDA sees load again, which it never does if the load
//! is the connections themselves.
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

use super::check::{Check, CheckContext, offline};
use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings, Related, quoted};
use crate::kubernetes::kind::Kind;
use crate::kubernetes::objects::Autoscaler;
use crate::view::Scope;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "no-autoscaling",
    summary: "no autoscaler starts a second replica",
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[Kind::Autoscaler, Kind::ScaledObject, Kind::VerticalAutoscaler],
    checks: &[],
    relations: offline(&[Check::Workload(check)]),
};

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if context.scope() == Scope::Request || workload.name().is_empty() {
        return;
    }
    for autoscaler in context.view.autoscalers_of(workload).known().unwrap_or_default() {
        if !context.exempts(&RULE, &autoscaler.object) {
            findings.extend(finding_of(&autoscaler, workload));
        }
    }
}

fn finding_of(autoscaler: &Autoscaler<'_>, workload: &Workload<'_>) -> Option<Finding> {
    let at = workload.object.path(&["metadata", "name"]);
    let object = autoscaler.object;
    let kind = object.at("kind").str()?;
    let name = quoted(object.path(&["metadata", "name"]).str().unwrap_or_default());
    let spec = object.at("spec");
    let (field, finding) = match kind {
        "VerticalPodAutoscaler" => {
            let mode = spec.path(&["updatePolicy", "updateMode"]);
            matches!(mode.str(), None | Some("Auto" | "Recreate")).then_some(())?;
            let message = format!("VerticalPodAutoscaler {name} restarts the pod to resize it");
            (mode, Finding::advice(&at, message).help("set `updateMode: Off` and read its recommendations"))
        }
        _ => {
            let (most, default) =
                if kind == "ScaledObject" { (spec.at("maxReplicaCount"), 100) } else { (spec.at("maxReplicas"), 1) };
            let least = spec.at("minReplicaCount");
            if most.int().unwrap_or(default) > 1 {
                let message = format!("{kind} {name} can start a second replica");
                (
                    most,
                    Finding::contradiction(&at, message).help("remove the autoscaler: one replica is all there can be"),
                )
            } else if kind == "ScaledObject" && least.int().unwrap_or(0) < 1 {
                let message = format!("ScaledObject {name} stops the database when there is no load");
                (least, Finding::advice(&at, message).help("set `minReplicaCount: 1`"))
            } else {
                return None;
            }
        }
    };
    Some(finding.related([Related::new(&object, &field, "this decides the number of replicas, or restarts the pod")]))
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
    fn no_autoscaler_starts_a_second_replica() {
        const REJECT: [&str; 1] = ["reject /metadata/name"];
        const WARN: [&str; 1] = ["warn /metadata/name"];
        let horizontal = |spec: Value| found("autoscaling/v2", "HorizontalPodAutoscaler", spec);
        assert_eq!(horizontal(json!({"maxReplicas": 2})), REJECT);
        assert!(horizontal(json!({"maxReplicas": 1})).is_empty());
        assert!(horizontal(json!({})).is_empty(), "the API server rejects it");
        let web = json!({"kind": "Deployment", "name": "web"});
        assert!(horizontal(json!({"maxReplicas": 2, "scaleTargetRef": web})).is_empty());
        assert_eq!(found("autoscaling/v1", "HorizontalPodAutoscaler", json!({"maxReplicas": 9})), REJECT);
        let keda = |spec: Value| found("keda.sh/v1alpha1", "ScaledObject", spec);
        assert_eq!(keda(json!({"scaleTargetRef": {"name": "sql"}})), REJECT);
        assert_eq!(keda(json!({"maxReplicaCount": 1})), WARN);
        assert!(keda(json!({"maxReplicaCount": 1, "minReplicaCount": 1})).is_empty());
        let target = json!({"kind": "Deployment", "name": "sql"});
        let vertical = |mode: Value| {
            let spec = json!({"targetRef": target, "updatePolicy": {"updateMode": mode}});
            found("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", spec)
        };
        assert_eq!(vertical(json!("Auto")), WARN);
        assert_eq!(vertical(json!("Recreate")), WARN);
        assert_eq!(vertical(json!(null)), WARN);
        assert!(vertical(json!("Off")).is_empty() && vertical(json!("Initial")).is_empty());
    }
}
