//! # What must hold
//! The engine runs under a controller that replaces its pod for as long as the workload exists, and one at a time: a
//! Deployment or a StatefulSet. A bare Pod, a pod template on its own, a DaemonSet, a Job, a CronJob, a Knative
//! Service and a Rollout with a canary or blue-green strategy are refused; a ReplicaSet, a ReplicationController and a
//! DeploymentConfig are a warning. No pod sets `activeDeadlineSeconds`, and `restartPolicy` is `Always`.
//!
//! # Why
//! Nothing replaces a bare Pod when its node dies. A DaemonSet runs one server per node. A Job ends, Knative scales to
//! zero and up again side by side. A pod with a deadline is killed by it, a pod that is not always restarted stays down
//! after the first crash.
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
//! None: moving a database under another controller is for a person.
//!
//! # Sources
//! - Kubernetes documentation, *Pod Lifecycle*: pods do not, by themselves, self-heal
//! - Microsoft, *High availability for Azure SQL Edge containers*: the replica set recovers the pod after a node failure

use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::kind::Kind;
use crate::subject::Subject;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "steady-controller",
    summary: "a Deployment or StatefulSet replaces the pod for as long as it exists",
    default_action: Action::Reject,
    fixable: Fixable::No,
    is_relational: false,
    check,
};

const HELP: &str = "run it in a Deployment with strategy type Recreate, or in a StatefulSet";

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload() else { return };
    findings.extend(controller(workload));
    let deadline = workload.pod.at("activeDeadlineSeconds");
    if deadline.exists() {
        findings.push(
            Finding::contradiction(&deadline, "the pod is killed when its deadline has passed")
                .help("remove activeDeadlineSeconds"),
        );
    }
    let restart = workload.pod.at("restartPolicy");
    // A Job cannot say Always; that it is a Job has been said above.
    if !workload.kind.runs_to_completion() && restart.exists() && !matches!(restart.str(), Some("Always" | "")) {
        findings.push(
            Finding::contradiction(&restart, "the engine is not restarted after every kind of exit")
                .help("set restartPolicy to Always, or leave it out"),
        );
    }
}

fn controller(workload: &Workload<'_>) -> Option<Finding> {
    let kind = workload.object.at("kind");
    let refused = |message: &'static str| Some(Finding::contradiction(&kind, message).help(HELP));
    let discouraged = |message: &'static str| Some(Finding::advice(&kind, message).help(HELP));
    match workload.kind {
        // Somebody else's controller, which no rule knows, may replace it.
        Kind::Pod if is_controlled(workload) => None,
        Kind::Pod => refused("nothing replaces a bare Pod when its node fails"),
        Kind::PodTemplate => refused("a PodTemplate has no controller that would run its pod"),
        Kind::DaemonSet => refused("a DaemonSet runs one server on every node"),
        Kind::Job | Kind::CronJob => refused("the engine's pod ends with its Job"),
        Kind::KnativeService => refused("Knative starts and stops servers with the traffic"),
        Kind::Rollout => {
            let strategy = workload.object.path(&["spec", "strategy"]);
            let shown = strategy.first_of(&["canary", "blueGreen"])?;
            Some(Finding::contradiction(&shown, "a Rollout runs two servers side by side").help(HELP))
        }
        Kind::ReplicaSet => discouraged("a ReplicaSet alone never rolls out a change of its pod"),
        Kind::ReplicationController => discouraged("a ReplicationController never rolls out a change of its pod"),
        Kind::DeploymentConfig => discouraged("DeploymentConfig is deprecated"),
        Kind::Deployment | Kind::StatefulSet | Kind::Service | Kind::Scale => None,
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
        let rollout = |name: &str| {
            other_kind("argoproj.io/v1alpha1", "Rollout", &[(&format!("/spec/strategy/{name}"), json!({}))])
        };
        assert_eq!(ask(&RULE, &rollout("canary")), ["reject /spec/strategy/canary"]);
        assert_eq!(ask(&RULE, &rollout("blueGreen")), ["reject /spec/strategy/blueGreen"]);
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
}
