//! # What must hold
//! The engine gets time to stop: `terminationGracePeriodSeconds` is not 0. From 1 to 9 seconds are a warning.
//!
//! # Why
//! With 0 the engine is killed at once, on every update and drain; the next start has to recover the databases from
//! their logs, which takes longer than the stop that was saved.
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

use super::{Fixable, Rule};
use crate::finding::{Action, Edit, Finding, Findings, Fix};
use crate::subject::Subject;

/// The rule.
pub const RULE: Rule = Rule {
    id: "graceful-stop",
    summary: "the engine gets time to stop",
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    is_relational: false,
    check,
};

/// What Kubernetes fills in, in seconds.
const DEFAULT_GRACE: i64 = 30;

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload() else { return };
    let grace = workload.pod.at("terminationGracePeriodSeconds");
    match grace.int() {
        Some(seconds) if seconds <= 0 => findings.push(
            Finding::omission(
                &grace,
                "the engine is killed without time to stop",
                Fix::safe([Edit::set(&grace, &[], DEFAULT_GRACE)]),
            )
            .because("the replacement has to recover the databases before it answers")
            .help(format!("set terminationGracePeriodSeconds to {DEFAULT_GRACE}")),
        ),
        Some(seconds) if seconds < 10 => findings.push(
            Finding::advice(&grace, format!("{seconds} s is little time for the engine to stop"))
                .help(format!("set terminationGracePeriodSeconds to {DEFAULT_GRACE}")),
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, deployment, test};

    #[test]
    fn zero_is_mended_and_little_is_a_warning() {
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
