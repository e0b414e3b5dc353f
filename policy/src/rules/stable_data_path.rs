//! # What must hold
//! A data directory lies at the same place of its volume for every pod: no `subPathExpr` on its mount expands a value
//! that differs from pod to pod (the pod's name or uid, the node's name, the IP of pod or host). In a StatefulSet the
//! pod's name stays and is fine; so is a fixed `subPath`.
//!
//! # Why
//! The replacement gets another name, uid and IP, so the expression leads it to a new, empty directory. The server
//! starts without databases although the volume is the right one.
//!
//! # Example
//! ```yaml
//! env:
//!   - name: POD_NAME
//!     valueFrom:
//!       fieldRef:
//!         fieldPath: metadata.name
//! volumeMounts:
//!   - name: sqldata
//!     mountPath: /var/opt/mssql
//!     subPathExpr: $(POD_NAME)
//! ```
//!
//! # Instead
//! ```yaml
//! volumeMounts:
//!   - name: sqldata
//!     mountPath: /var/opt/mssql
//!     subPath: mssql
//! ```
//!
//! # Fix
//! None: which of the directories on the volume is the right one is for a person to say.
//!
//! # Sources
//! - Kubernetes documentation, *Volumes*: `subPathExpr` with expanded environment variables
//! - Kubernetes documentation, *Downward API*: fields that differ from pod to pod

use super::{Fixable, Rule};
use crate::environment::{Environment, references};
use crate::finding::{Action, Finding, Findings};
use crate::kind::Kind;
use crate::subject::Subject;

/// The rule.
pub const RULE: Rule = Rule {
    id: "stable-data-path",
    summary: "every pod finds the database files in the same directory of the volume",
    default_action: Action::Reject,
    fixable: Fixable::No,
    is_relational: false,
    check,
};

/// Downward API fields that another pod has another value of.
const PER_POD: [&str; 7] = [
    "metadata.name",
    "metadata.uid",
    "spec.nodeName",
    "status.podIP",
    "status.podIPs",
    "status.hostIP",
    "status.hostIPs",
];

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload() else { return };
    for engine in &workload.engines {
        let environment = engine.environment();
        for mount in workload.files(engine).data_mounts() {
            let expression = mount.node.at("subPathExpr");
            let Some(field) = expression.str().and_then(|text| changing_field(text, &environment, workload.kind))
            else {
                continue;
            };
            findings.push(
                Finding::contradiction(&expression, "every new pod gets an empty directory of its own")
                    .because(format!("the path expands {field}, which the replacement has another value of"))
                    .help("use a fixed subPath, or none"),
            );
        }
    }
}

/// The first field that differs from pod to pod among those that `expression` expands, through however many variables.
fn changing_field<'a>(expression: &'a str, environment: &Environment<'a>, kind: Kind) -> Option<&'a str> {
    let mut open = references(expression);
    let mut seen = Vec::new();
    while let Some(name) = open.pop() {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let Some(entry) = environment.entry(name) else { continue };
        let field = entry.path(&["valueFrom", "fieldRef", "fieldPath"]).str();
        let is_stable_name = kind == Kind::StatefulSet && field == Some("metadata.name");
        if let Some(field) = field.filter(|field| PER_POD.contains(field) && !is_stable_name) {
            return Some(field);
        }
        open.extend(entry.at("value").str().map(references).unwrap_or_default());
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, deployment, stateful_set, test};

    const MOUNT: &str = "/spec/template/spec/containers/0/volumeMounts/0";

    fn env(field: &str) -> Value {
        json!([
            {"name": "OWN", "valueFrom": {"fieldRef": {"fieldPath": field}}},
            {"name": "DIRECTORY", "value": "sql-$(OWN)"}])
    }

    fn with(right: fn(&[(&str, Value)]) -> Value, field: &str, expression: &str) -> Vec<String> {
        ask(
            &RULE,
            &right(&[
                ("/spec/template/spec/containers/0/env", env(field)),
                (&format!("{MOUNT}/subPathExpr"), json!(expression)),
            ]),
        )
    }

    #[test]
    fn no_value_of_one_pod_in_the_path() {
        let refused = [format!("reject {MOUNT}/subPathExpr")];
        for field in PER_POD {
            assert_eq!(with(deployment, field, "$(OWN)"), refused, "{field}");
            assert_eq!(with(deployment, field, "a/$(DIRECTORY)"), refused, "{field} through another variable");
        }
        assert_eq!(with(stateful_set, "metadata.uid", "$(OWN)"), refused);
        assert!(with(stateful_set, "metadata.name", "$(OWN)").is_empty());
        assert!(with(deployment, "metadata.namespace", "$(OWN)").is_empty());
        assert!(with(deployment, "metadata.name", "$$(OWN)").is_empty());
        assert!(ask(&RULE, &deployment(&[(&format!("{MOUNT}/subPath"), json!("mssql"))])).is_empty());
    }
}
