//! # What must hold
//! The database has time for a clean shutdown: `terminationGracePeriodSeconds` is not 0. From 1 to 9 seconds are a
//! warning.
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
//! Safe: sets 30, the default of Kubernetes.
//!
//! # Sources
//! - Kubernetes documentation, *Pod Lifecycle*: termination of pods, forced deletion with a grace period of 0

use super::check::{Check, CheckContext};
use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings, Fix};
use crate::json::edit::Edit;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "graceful-stop",
    summary: "the database has time for a clean shutdown",
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    sees: &[],
    checks: &[Check::Workload(check)],
};

/// The default of Kubernetes, in seconds.
const DEFAULT_GRACE: i64 = 30;

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let grace = workload.pod.at("terminationGracePeriodSeconds");
    let help = format!("set `terminationGracePeriodSeconds: {DEFAULT_GRACE}`");
    match grace.int() {
        Some(seconds) if seconds <= 0 => {
            let message = format!("{} is killed without a clean shutdown", workload.product());
            let fix = Fix::safe([Edit::set(&grace, &[], DEFAULT_GRACE)]);
            findings.push(
                Finding::omission(&grace, message, fix)
                    .reason("it must run crash recovery before clients can connect")
                    .help(help),
            );
        }
        Some(seconds) if seconds < 10 => findings
            .push(Finding::advice(&grace, format!("{seconds} s may be too short for a clean shutdown")).help(help)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, deployment, test};

    #[test]
    fn zero_is_mutated_and_few_seconds_are_a_warning() {
        let at = "/spec/template/spec/terminationGracePeriodSeconds";
        let cases: [(Value, &str); 6] = [
            (json!(0), "mutate "),
            (json!(-1), "mutate "),
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
}
