//! # What must hold
//! A Deployment or a StatefulSet manages the pod. A bare Pod, a PodTemplate, a DaemonSet, a Job, a CronJob and a
//! Knative Service are rejected. A ReplicaSet, a ReplicationController
//! and a DeploymentConfig are a warning. The pod has no `activeDeadlineSeconds`, and the `restartPolicy` of the pod and
//! of the database container is `Always`.
//!
//! # Why
//! Nothing replaces a bare Pod when its node fails. A DaemonSet runs one database on every node. A Job ends, and
//! Knative scales to zero or to several pods. Kubernetes stops a pod at its deadline, and a pod that is not always
//! restarted stays down after it exits.
//!
//! # Example
//! ```yaml
//! kind: Pod
//! spec:
//!   containers:
//!     - name: sql
//!       image: mcr.microsoft.com/azure-sql-edge:1.0.7
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
//! None: the database and its claim have to be moved to another controller by hand.
//!
//! # Sources
//! - Kubernetes documentation, *Pod Lifecycle*: pods do not, by themselves, self-heal
//! - Microsoft, *High availability for Azure SQL Edge containers*: the replica set recovers the pod after a node
//!   failure

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::json::cursor::Cursor;
use crate::kubernetes::kind::WorkloadKind;
use crate::workload::{DatabaseContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "steady-controller",
    summary: "a Deployment or StatefulSet manages the pod",
    loss: Loss::Availability,
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Workload(check), Check::Container(check_container)],
    relations: &[],
};

const HELP: &str = "run it in a Deployment with `strategy.type: Recreate`, or in a StatefulSet";

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    findings.extend(check_kind(workload));
    let deadline = workload.pod.at("activeDeadlineSeconds");
    if deadline.exists() {
        findings.push(
            Finding::contradiction(&deadline, "Kubernetes stops the pod when its deadline has passed")
                .help("remove `activeDeadlineSeconds`"),
        );
    }
    let restart = workload.pod.at("restartPolicy");
    // A Job cannot have `Always`; its kind is reported above.
    if !workload.kind.runs_to_completion() && restart.exists() && !matches!(restart.str(), Some("Always" | "")) {
        findings.push(
            Finding::contradiction(&restart, "with this `restartPolicy` the database can stay down after it exits")
                .help("set `restartPolicy: Always`, or remove the field"),
        );
    }
}

fn check_container(_: &CheckContext<'_>, container: &DatabaseContainer<'_, '_>, findings: &mut Findings) {
    if !container.workload.kind.runs_to_completion() {
        findings.extend(check_restart(&container.container));
    }
}

/// A finding if the policy of a container, which comes before the pod's, can leave it down (Kubernetes 1.35 and later).
fn check_restart(container: &Cursor<'_>) -> Option<Finding> {
    let policy = container.at("restartPolicy");
    if policy.exists() && !matches!(policy.str(), Some("Always" | "")) {
        let message = "with this `restartPolicy` the container can stay down after it exits";
        return Some(Finding::contradiction(&policy, message).help("remove `restartPolicy` from the container"));
    }
    let restarts = |action: Option<&str>| matches!(action, Some("Restart" | "RestartAllContainers"));
    let rule = container.at("restartPolicyRules").items().find(|rule| !restarts(rule.at("action").str()))?;
    let message = "with this rule the container stays down after some exit codes";
    Some(Finding::contradiction(&rule.at("action"), message).help("remove the rule"))
}

fn check_kind(workload: &Workload<'_>) -> Option<Finding> {
    let kind = workload.object.at("kind");
    let contradiction = |message: &'static str| Some(Finding::contradiction(&kind, message).help(HELP));
    let advice = |message: &'static str| Some(Finding::advice(&kind, message).help(HELP));
    match workload.kind {
        // A controller that no rule knows may replace it.
        WorkloadKind::Pod if is_controlled(workload) => None,
        WorkloadKind::Pod => contradiction("nothing replaces a bare Pod when its node fails"),
        WorkloadKind::PodTemplate => contradiction("no controller runs the pod of a PodTemplate"),
        WorkloadKind::DaemonSet => contradiction("a DaemonSet runs one database on every node"),
        WorkloadKind::Job | WorkloadKind::CronJob => contradiction("the database stops when its Job ends"),
        WorkloadKind::KnativeService => {
            contradiction("Knative scales the database with traffic: to zero, or to several pods")
        }
        WorkloadKind::ReplicaSet => advice("a ReplicaSet does not roll out changes of its pod template"),
        WorkloadKind::ReplicationController => {
            advice("a ReplicationController does not roll out changes of its pod template")
        }
        WorkloadKind::DeploymentConfig => advice("DeploymentConfig is deprecated"),
        // The strategy of a Rollout is checked by `recreate-strategy`.
        WorkloadKind::Rollout | WorkloadKind::Deployment | WorkloadKind::StatefulSet => None,
    }
}

fn is_controlled(pod: &Workload<'_>) -> bool {
    pod.object.path(&["metadata", "ownerReferences"]).items().any(|owner| owner.at("controller").is_true())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{ask, deployment, other_kind, stateful_set, test};

    #[test]
    fn every_kind_has_its_verdict() {
        assert!(ask(&RULE, &deployment(&[])).is_empty());
        assert!(ask(&RULE, &stateful_set(&[])).is_empty());
        let cases = [
            ("v1", "Pod", "reject /kind"),
            ("v1", "PodTemplate", "reject /kind"),
            ("apps/v1", "DaemonSet", "reject /kind"),
            ("batch/v1", "Job", "reject /kind"),
            ("batch/v1", "CronJob", "reject /kind"),
            ("serving.knative.dev/v1", "Service", "reject /kind"),
            ("apps/v1", "ReplicaSet", "warn /kind"),
            ("v1", "ReplicationController", "warn /kind"),
            ("apps.openshift.io/v1", "DeploymentConfig", "warn /kind"),
        ];
        for (api_version, kind, expected) in cases {
            assert_eq!(ask(&RULE, &other_kind(api_version, kind, &[])), [expected], "{kind}");
        }
        let rollout = other_kind("argoproj.io/v1alpha1", "Rollout", &[("/spec/strategy/canary", json!({}))]);
        assert!(ask(&RULE, &rollout).is_empty(), "its strategy is reported by another rule");
    }

    #[test]
    fn a_pod_of_an_unknown_controller_is_not_bare() {
        let owner = json!([{"apiVersion": "apps.kruise.io/v1beta1", "kind": "StatefulSet", "controller": true}]);
        assert!(ask(&RULE, &other_kind("v1", "Pod", &[("/metadata/ownerReferences", owner)])).is_empty());
    }

    #[test]
    fn the_pod_must_stay() {
        let deadline = deployment(&[("/spec/template/spec/activeDeadlineSeconds", json!(60))]);
        assert_eq!(ask(&RULE, &deadline), ["reject /spec/template/spec/activeDeadlineSeconds"]);
        let restart = |policy: &str| deployment(&[("/spec/template/spec/restartPolicy", json!(policy))]);
        assert!(ask(&RULE, &restart("Always")).is_empty());
        assert_eq!(ask(&RULE, &restart("OnFailure")), ["reject /spec/template/spec/restartPolicy"]);
        let job = other_kind("batch/v1", "Job", &[("/spec/template/spec/restartPolicy", json!("Never"))]);
        assert_eq!(ask(&RULE, &job), ["reject /kind"]);
    }

    #[test]
    fn the_container_must_come_back() {
        let container = "/spec/template/spec/containers/0";
        let with = |field: &str, value: serde_json::Value| {
            ask(&RULE, &deployment(&[(&format!("{container}/{field}"), value)]))
        };
        assert!(with("restartPolicy", json!("Always")).is_empty());
        assert_eq!(with("restartPolicy", json!("Never")), [format!("reject {container}/restartPolicy")]);
        let rule = |action: &str| json!([{"action": action, "exitCodes": {"operator": "In", "values": [1]}}]);
        assert!(with("restartPolicyRules", rule("Restart")).is_empty());
        let other = [format!("reject {container}/restartPolicyRules/0/action")];
        assert_eq!(with("restartPolicyRules", rule("Terminate")), other);
    }
}
