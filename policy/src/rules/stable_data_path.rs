//! # What must hold
//! Every pod finds the database files in the same directory of the volume: no `subPathExpr` of a data mount expands a
//! value that changes from pod to pod (name or uid of the pod, name of the node, IP of the pod or host). In a
//! StatefulSet the pod's name is stable and allowed. A fixed `subPath` is allowed.
//!
//! # Why
//! The replacement pod has another name, uid and IP, so that the expression names a new, empty directory. The
//! database starts without its files, although the volume is the right one.
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
//! None: only a person knows which directory of the volume is the right one.
//!
//! # Sources
//! - Kubernetes documentation, *Volumes*: `subPathExpr` with expanded environment variables
//! - Kubernetes documentation, *Downward API*: fields that differ from pod to pod

use super::check::{Check, CheckContext};
use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::kubernetes::environment::{Environment, references};
use crate::kubernetes::kind::WorkloadKind;
use crate::workload::DatabaseContainer;

/// The rule.
pub const RULE: Rule = Rule {
    id: "stable-data-path",
    summary: "every pod finds the database files in the same directory of the volume",
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Container(check)],
};

/// Downward API fields with another value in every pod.
const POD_SPECIFIC_FIELDS: [&str; 7] = [
    "metadata.name",
    "metadata.uid",
    "spec.nodeName",
    "status.podIP",
    "status.podIPs",
    "status.hostIP",
    "status.hostIPs",
];

fn check(_: &CheckContext<'_>, container: &DatabaseContainer<'_, '_>, findings: &mut Findings) {
    let environment = container.environment();
    for mount in container.storage().data_mounts() {
        let expression = mount.entry.at("subPathExpr");
        let field = expression.str().and_then(|text| pod_specific_field(text, &environment, container.workload.kind));
        if let Some(field) = field {
            findings.push(
                Finding::contradiction(&expression, "every replacement pod starts with an empty directory")
                    .reason(format!("`subPathExpr` uses {field}, which changes from pod to pod"))
                    .help("use a fixed `subPath`, or none"),
            );
        }
    }
}

/// The first pod-specific field that `expression` expands, directly or through variables.
fn pod_specific_field<'a>(expression: &'a str, environment: &Environment<'a>, kind: WorkloadKind) -> Option<&'a str> {
    let mut open = references(expression);
    let mut seen = Vec::new();
    while let Some(name) = open.pop() {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let Some(entry) = environment.entry(name) else { continue };
        let field = entry.path(&["valueFrom", "fieldRef", "fieldPath"]).str();
        let is_stable_name = kind == WorkloadKind::StatefulSet && field == Some("metadata.name");
        if let Some(field) = field.filter(|field| POD_SPECIFIC_FIELDS.contains(field) && !is_stable_name) {
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
        let rejected = [format!("reject {MOUNT}/subPathExpr")];
        for field in POD_SPECIFIC_FIELDS {
            assert_eq!(with(deployment, field, "$(OWN)"), rejected, "{field}");
            assert_eq!(with(deployment, field, "a/$(DIRECTORY)"), rejected, "{field} through another variable");
        }
        assert_eq!(with(stateful_set, "metadata.uid", "$(OWN)"), rejected);
        assert!(with(stateful_set, "metadata.name", "$(OWN)").is_empty());
        assert!(with(deployment, "metadata.namespace", "$(OWN)").is_empty());
        assert!(with(deployment, "metadata.name", "$$(OWN)").is_empty());
        assert!(ask(&RULE, &deployment(&[(&format!("{MOUNT}/subPath"), json!("mssql"))])).is_empty());
    }
}
