//! # What must hold
//! Every pod finds the database files in the same directory of the volume: no `subPathExpr` of a data mount, and no
//! variable that moves the database files, expands a value that changes from pod to pod, from revision to revision or
//! from node to node (name or uid of the pod, name of the node, IP of the pod or host, the labels `pod-template-hash`,
//! `controller-revision-hash` and `topology.kubernetes.io/*`). In a StatefulSet the pod's name is stable and allowed. A
//! fixed `subPath` is allowed. Every variable in `subPathExpr` exists: with another one the pod does not start.
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

use serde_json::{Map, Value};

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::engine::variables::{DATA_DIRECTORY, LOG_DIRECTORY, MASTER_DATA_FILE, MASTER_LOG_FILE};
use crate::finding::{Action, Finding, Findings, quoted};
use crate::json::cursor::Cursor;
use crate::kubernetes::environment::references;
use crate::kubernetes::kind::WorkloadKind;
use crate::kubernetes::selector::{CONTROLLER_REVISION_HASH, POD_TEMPLATE_HASH};
use crate::workload::DatabaseContainer;

/// The rule.
pub const RULE: Rule = Rule {
    id: "stable-data-path",
    summary: "every pod finds the database files in the same directory of the volume",
    loss: Loss::Data,
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Container(check)],
    relations: &[],
};

/// The variables that move the database files.
const DIRECTORY_VARIABLES: [&str; 4] = [DATA_DIRECTORY, LOG_DIRECTORY, MASTER_DATA_FILE, MASTER_LOG_FILE];

/// Labels with another value in each revision or on each node.
const CHANGING_LABELS: [&str; 3] = [POD_TEMPLATE_HASH, CONTROLLER_REVISION_HASH, "topology.kubernetes.io/"];

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

/// What is wrong with a `subPathExpr`.
enum Problem {
    ChangingField,
    UndefinedVariable,
}

fn check(_: &CheckContext<'_>, container: &DatabaseContainer<'_, '_>, findings: &mut Findings) {
    let variables = Variables::read(&container.container);
    for mount in container.storage().data_mounts() {
        let expression = mount.entry.at("subPathExpr");
        let Some(text) = expression.str() else { continue };
        if let Some(field) = changing_field(references(text), &variables, container.workload.kind) {
            findings.push(
                Finding::contradiction(&expression, CONSEQUENCE)
                    .problem(Problem::ChangingField as u8)
                    .reason(format!("`subPathExpr` uses {field}, which changes"))
                    .help("use a fixed `subPath`, or none"),
            );
        } else if let Some(name) = variables.undefined(text).filter(|_| !container.environment().has_env_from()) {
            // One from `envFrom` is not in the manifest.
            findings.push(
                Finding::contradiction(&expression, format!("the pod does not start: {} is not set", quoted(name)))
                    .problem(Problem::UndefinedVariable as u8)
                    .help("set it in `env`, or use a fixed `subPath`"),
            );
        }
    }
    for variable in DIRECTORY_VARIABLES {
        let Some((_, entry)) = variables.last(variable) else { continue };
        if let Some(field) = changing_field(vec![variable], &variables, container.workload.kind) {
            findings.push(
                Finding::contradiction(&entry.at("name"), CONSEQUENCE)
                    .reason(format!("{variable} uses {field}, which changes"))
                    .help("set a fixed directory"),
            );
        }
    }
}

const CONSEQUENCE: &str = "every replacement pod starts with an empty directory";

/// The variables of a container by name, so that one with many references takes linear time.
struct Variables<'a> {
    /// The entries of `env`.
    entries: Vec<Cursor<'a>>,
    /// The position of the last entry of each name.
    positions: Map<String, Value>,
}

impl<'a> Variables<'a> {
    fn read(container: &Cursor<'a>) -> Self {
        let entries: Vec<Cursor<'a>> = container.at("env").items().collect();
        let mut positions = Map::new();
        for (position, entry) in entries.iter().enumerate() {
            if let Some(name) = entry.at("name").str() {
                positions.insert(name.to_owned(), Value::from(position));
            }
        }
        Variables { entries, positions }
    }

    /// The last entry that sets a variable, and its position.
    fn last(&self, name: &str) -> Option<(usize, Cursor<'a>)> {
        let position = usize::try_from(self.positions.get(name)?.as_u64()?).ok()?;
        Some((position, *self.entries.get(position)?))
    }

    /// The first variable in `expression` that is not set.
    fn undefined<'e>(&self, expression: &'e str) -> Option<&'e str> {
        references(expression).into_iter().find(|name| !self.positions.contains_key(*name))
    }
}

/// The first field with another value in each pod, revision or node that the variables `open` expand, directly or
/// through others.
fn changing_field<'a>(open: Vec<&'a str>, variables: &Variables<'a>, kind: WorkloadKind) -> Option<&'a str> {
    let mut seen = Map::new();
    // A reference sees only the variables before its own.
    let mut open: Vec<(&str, usize)> = open.into_iter().map(|name| (name, usize::MAX)).collect();
    while let Some((name, end)) = open.pop() {
        let Some((position, entry)) = variables.last(name).filter(|(position, _)| *position < end) else { continue };
        if seen.insert(name.to_owned(), Value::Null).is_some() {
            continue;
        }
        let field = entry.path(&["valueFrom", "fieldRef", "fieldPath"]).str();
        let is_stable_name = kind == WorkloadKind::StatefulSet && field == Some("metadata.name");
        let changes = |field: &&str| {
            POD_SPECIFIC_FIELDS.contains(field)
                || label(field).is_some_and(|label| CHANGING_LABELS.iter().any(|changing| label.starts_with(changing)))
        };
        if let Some(field) = field.filter(|field| changes(field) && !is_stable_name) {
            return Some(field);
        }
        let references = entry.at("value").str().map(references).unwrap_or_default();
        open.extend(references.into_iter().map(|name| (name, position)));
    }
    None
}

/// The label that a Downward API field such as `metadata.labels['app']` names.
fn label(field: &str) -> Option<&str> {
    let key = field.strip_prefix("metadata.labels[")?.strip_suffix(']')?;
    Some(key.trim_matches(['\'', '"']))
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
        for label in ["pod-template-hash", "topology.kubernetes.io/zone"] {
            assert_eq!(with(deployment, &format!("metadata.labels['{label}']"), "$(OWN)"), rejected, "{label}");
        }
        assert!(with(deployment, "metadata.labels['app']", "$(OWN)").is_empty());
        assert_eq!(with(deployment, "metadata.namespace", "$(OTHER)"), rejected, "no such variable");
        assert!(with(stateful_set, "metadata.name", "$(OWN)").is_empty());
        assert!(with(deployment, "metadata.namespace", "$(OWN)").is_empty());
        assert!(with(deployment, "metadata.name", "$$(OWN)").is_empty());
        assert!(ask(&RULE, &deployment(&[(&format!("{MOUNT}/subPath"), json!("mssql"))])).is_empty());
    }

    #[test]
    fn no_value_of_one_pod_in_a_directory() {
        let with = |field: &str, value: &str| {
            let mut variables = env(field);
            variables.as_array_mut().unwrap().push(json!({"name": "MSSQL_DATA_DIR", "value": value}));
            ask(&RULE, &deployment(&[("/spec/template/spec/containers/0/env", variables)]))
        };
        let rejected = ["reject /spec/template/spec/containers/0/env/2/name"];
        assert_eq!(with("metadata.name", "/var/opt/mssql/$(OWN)"), rejected);
        assert!(with("metadata.namespace", "/var/opt/mssql/$(OWN)").is_empty());
        assert!(with("metadata.name", "/var/opt/mssql/other").is_empty());
    }

    #[test]
    fn a_chain_of_references_takes_linear_time() {
        let mut variables = env("metadata.name");
        let chain = variables.as_array_mut().unwrap();
        let names = ["OWN".to_owned()].into_iter().chain((0..100_000).map(|index| format!("V{index}")));
        let last = names.reduce(|previous, name| {
            chain.push(json!({"name": name, "value": format!("$({previous})")}));
            name
        });
        let expression = format!("$({})", last.unwrap());
        let object = deployment(&[
            ("/spec/template/spec/containers/0/env", variables),
            (&format!("{MOUNT}/subPathExpr"), json!(expression)),
        ]);
        assert_eq!(ask(&RULE, &object), [format!("reject {MOUNT}/subPathExpr")]);
    }

    #[test]
    fn a_reference_sees_only_preceding_variables() {
        let mut variables = env("metadata.name");
        variables.as_array_mut().unwrap().reverse();
        let object = deployment(&[
            ("/spec/template/spec/containers/0/env", variables),
            (&format!("{MOUNT}/subPathExpr"), json!("$(DIRECTORY)")),
        ]);
        assert!(ask(&RULE, &object).is_empty());
    }
}
