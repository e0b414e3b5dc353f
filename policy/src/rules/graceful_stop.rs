//! # What must hold
//! The database has time for a clean shutdown: `terminationGracePeriodSeconds` is not 0. From 1 to 9 seconds are a
//! warning, also on a liveness or startup probe, whose own period counts when it kills the container.
//!
//! # Why
//! With 0, every update and every drain kills the database without a clean shutdown. At the next start it must run
//! crash recovery before clients can connect, which takes longer than the shutdown.
//!
//! # Example
//! ```yaml
//! spec:
//!   terminationGracePeriodSeconds: 0
//! ```
//!
//! # Instead
//! ```yaml
//! spec:
//!   terminationGracePeriodSeconds: 30
//! ```
//!
//! # Fix
//! Safe, but `mutate` only if the settings say so: sets 30, the default of Kubernetes. The period of a probe is not
//! changed.
//!
//! # Sources
//! - Kubernetes documentation, *Pod Lifecycle*: termination of pods, forced deletion with a grace period of 0

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Fix};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::workload::{DatabaseContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "graceful-stop",
    summary: "the database has time for a clean shutdown",
    loss: Loss::Availability,
    default_action: Action::Reject,
    fixable: Fixable::Safe,
    sees: &[],
    checks: &[Check::Workload(check), Check::Container(check_probes)],
    relations: &[],
};

/// The default of Kubernetes, in seconds.
const DEFAULT_GRACE: i64 = 30;

/// Fewer seconds are a warning.
const SHORT_GRACE: i64 = 10;

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let grace = workload.pod.at("terminationGracePeriodSeconds");
    let help = format!("set `terminationGracePeriodSeconds: {DEFAULT_GRACE}`");
    match grace.int() {
        Some(seconds) if seconds <= 0 => {
            let message = format!("{} is killed without a clean shutdown", workload.product());
            let fix = Fix::safe([Edit::set(&grace, &[], DEFAULT_GRACE)]);
            findings.push(
                Finding::contradiction(&grace, message)
                    .reason("it must run crash recovery before clients can connect")
                    .help(help)
                    .fix(fix),
            );
        }
        Some(seconds) if seconds < SHORT_GRACE => findings
            .push(Finding::advice(&grace, format!("{seconds} s may be too short for a clean shutdown")).help(help)),
        _ => {}
    }
}

fn check_probes(_: &CheckContext<'_>, container: &DatabaseContainer<'_, '_>, findings: &mut Findings) {
    for probe in ["livenessProbe", "startupProbe"] {
        findings.extend(check_probe(&container.container.at(probe)));
    }
}

/// A finding if a probe that kills the container leaves it little time.
fn check_probe(probe: &Cursor<'_>) -> Option<Finding> {
    let grace = probe.at("terminationGracePeriodSeconds");
    let seconds = grace.int().filter(|seconds| *seconds < SHORT_GRACE)?;
    let message = format!("after a failed probe, {seconds} s may be too short for a clean shutdown");
    Some(Finding::advice(&grace, message).help("remove it: then the period of the pod counts"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, deployment, test};

    #[test]
    fn zero_is_rejected_and_few_seconds_are_a_warning() {
        let at = "/spec/template/spec/terminationGracePeriodSeconds";
        let cases: [(Value, &str); 6] = [
            (json!(0), "reject "),
            (json!(-1), "reject "),
            (json!(1), "warn "),
            (json!(9), "warn "),
            (json!(10), ""),
            (json!(null), ""),
        ];
        for (seconds, action) in cases {
            let expected: Vec<String> = (!action.is_empty()).then(|| format!("{action}{at}")).into_iter().collect();
            assert_eq!(ask(&RULE, &deployment(&[(at, seconds.clone())])), expected, "{seconds}");
        }
    }

    #[test]
    fn a_probe_has_a_period_of_its_own() {
        let probe = |name: &str, seconds: i64| {
            let at = format!("/spec/template/spec/containers/0/{name}/terminationGracePeriodSeconds");
            (ask(&RULE, &deployment(&[(&at, json!(seconds))])), format!("warn {at}"))
        };
        for name in ["livenessProbe", "startupProbe"] {
            let (found, expected) = probe(name, 1);
            assert_eq!(found, [expected]);
            assert!(probe(name, 30).0.is_empty());
        }
    }
}
