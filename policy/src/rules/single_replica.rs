//! # What must hold
//! At most one pod runs the engine: `spec.replicas` is absent, 0 or 1, and nobody scales the workload beyond that.
//! 0 is a warning, because the database is then deliberately off. A SQL Server with `MSSQL_ENABLE_HADR=1` runs
//! availability groups of its own; more than one replica of it is a warning. So is what is left on the way down from more.
//!
//! # Why
//! SQL Edge has no clustering. Two pods of a Deployment open the same database files, and the second one fails on
//! `master.mdf` or damages it; the pods of a StatefulSet are separate, empty servers behind one address, of which a
//! client meets a different one on every connection.
//!
//! # Example
//! ```yaml
//! kind: Deployment
//! spec:
//!   replicas: 3
//! ```
//!
//! # Instead
//! ```yaml
//! kind: Deployment
//! spec:
//!   replicas: 1
//! ```
//!
//! # Fix
//! Unsafe: sets `replicas` to 1. Whatever the other pods of a StatefulSet have written stays behind on their claims.
//!
//! # Sources
//! - Kubernetes documentation, *Run a Single-Instance Stateful Application*: "Don't scale the app"
//! - <https://github.com/helm/charts/issues/22199>: the second SQL Server fails on `master.mdf`
//! - <https://github.com/kubernetes/kubernetes/issues/60903>: several pods write one ReadWriteOnce volume on one node
//! - <https://github.com/kyverno/kyverno/issues/3118>: scale requests bypass workload rules

use serde_json::Value;

use super::{Fixable, Rule};
use crate::finding::{Action, Edit, Finding, Findings, Fix, Grade};
use crate::node::Node;
use crate::subject::{Subject, Target};
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "single-replica",
    summary: "at most one pod runs the engine",
    default_action: Action::Reject,
    fixable: Fixable::Unsafe,
    is_relational: false,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let before = subject.old.and_then(|old| old.pointer("/spec/replicas")).and_then(Value::as_i64);
    match &subject.target {
        Target::Scale { scale, parent } => judge(&scale.path(&["spec", "replicas"]), before, parent, findings),
        _ => {
            if let Some(workload) = subject.workload() {
                judge(&workload.object.path(&["spec", "replicas"]), before, workload, findings);
            }
        }
    }
}

fn judge(replicas: &Node<'_>, before: Option<i64>, workload: &Workload<'_>, findings: &mut Findings) {
    if !replicas.exists() {
        return;
    }
    let finding = match replicas.int() {
        Some(1) => return,
        Some(0) => {
            Finding::advice(replicas, "no pod runs: the database is off").help("set replicas to 1 to bring it back")
        }
        None | Some(..0) => Finding::contradiction(replicas, "this is no number of replicas")
            .help("write a whole number without quotes: replicas: 1"),
        Some(_) if workload.engines.iter().all(|engine| engine.has_availability_groups()) => {
            Finding::advice(replicas, "several replicas, which only availability groups can keep consistent")
                .help("make sure that an operator manages the availability group, or set replicas to 1")
        }
        // On the way down there may be several for a while.
        count if before >= count => Finding::advice(replicas, "there is still more than one replica")
            .help("set replicas to 1; the controller replaces the pod when it fails"),
        Some(count) => {
            Finding::contradiction(replicas, format!("{count} replicas: two servers must never share database files"))
                .because(
                    "the engine has no clustering; a second pod opens the same files, or is a separate, empty server",
                )
                .help("set replicas to 1; the controller replaces the pod when it fails")
        }
    };
    let is_wrong = finding.grade == Grade::Contradiction;
    let mend = || Fix::not_safe([Edit::set(replicas, &[], 1)]);
    findings.push(if is_wrong { finding.unsafe_fix(mend) } else { finding });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{ask, ask_in, deployment, settings, stateful_set, test};

    #[test]
    fn one_or_none() {
        let cases: [(Value, &[&str]); 7] = [
            (json!(1), &[]),
            (json!(null), &[]),
            (json!(0), &["warn /spec/replicas"]),
            (json!(2), &["reject /spec/replicas"]),
            (json!("3"), &["reject /spec/replicas"]),
            (json!(-1), &["reject /spec/replicas"]),
            (json!(1.5), &["reject /spec/replicas"]),
        ];
        for (replicas, expected) in cases {
            let changes = [("/spec/replicas", replicas.clone())];
            assert_eq!(ask(&RULE, &deployment(&changes)), expected, "{replicas}");
            assert_eq!(ask(&RULE, &stateful_set(&changes)), expected, "{replicas}");
        }
    }

    #[test]
    fn availability_groups_of_sql_server_only_warn() {
        let server = |value: &str| {
            stateful_set(&[
                ("/spec/replicas", json!(3)),
                ("/spec/template/spec/containers/0/image", json!("mcr.microsoft.com/mssql/server:2022-latest")),
                ("/spec/template/spec/containers/0/env/-", json!({"name": "MSSQL_ENABLE_HADR", "value": value})),
            ])
        };
        let both = settings(json!({"engines": ["sql-edge", "sql-server"]}));
        let ask = |object: &Value| ask_in(&RULE, object, &crate::objects::Objects::default(), &both);
        assert_eq!(ask(&server("1")), ["warn /spec/replicas"]);
        assert_eq!(ask(&server("0")), ["reject /spec/replicas"]);
        let mut edge = server("1");
        edge["spec"]["template"]["spec"]["containers"][0]["image"] = json!(crate::testing::IMAGE);
        assert_eq!(ask(&edge), ["reject /spec/replicas"]);
    }
}
