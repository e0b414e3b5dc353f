//! # What must hold
//! Every claim that holds database files exists in the namespace of the workload. Claims from `volumeClaimTemplates`
//! are made by the StatefulSet. Where objects arrive one by one, at admission and with `--partial`, the claim may still
//! come, and a missing one is a warning.
//!
//! # Why
//! A pod whose claim does not exist stays Pending. Pods find claims only in their own namespace, so a claim in another
//! one, or with another name, does not help.
//!
//! # Example
//! ```yaml
//! kind: PersistentVolumeClaim
//! metadata:
//!   name: sqldata
//! ---
//! kind: Deployment
//! spec:
//!   template:
//!     spec:
//!       volumes:
//!         - name: data
//!           persistentVolumeClaim:
//!             claimName: sql-data
//! ```
//!
//! # Instead
//! ```yaml
//! kind: PersistentVolumeClaim
//! metadata:
//!   name: sqldata
//! ---
//! kind: Deployment
//! spec:
//!   template:
//!     spec:
//!       volumes:
//!         - name: data
//!           persistentVolumeClaim:
//!             claimName: sqldata
//! ```
//!
//! # Fix
//! None: only a person knows whether the claim is missing, or its name is wrong.
//!
//! # Sources
//! - Kubernetes documentation, *Persistent Volumes*: claims must exist in the same namespace as the pod that uses them

use super::check::{Check, CheckContext, MAX_FINDINGS};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, quoted};
use crate::kubernetes::claim::made_claim_names;
use crate::kubernetes::kind::Kind;
use crate::view::Scope;
use crate::view::cluster::Lookup;
use crate::workload::Workload;
use crate::workload::claims::DataClaim;

/// The rule.
pub const RULE: Rule = Rule {
    id: "existing-claim",
    summary: "the claim exists in the workload's own namespace",
    loss: Loss::Availability,
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[Kind::Claim],
    checks: &[],
    relations: &[Check::Workload(check)],
};

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    for claim in workload.data_claims() {
        let DataClaim::Named(claim_name) = *claim else { continue };
        if findings.len() >= MAX_FINDINGS {
            return;
        }
        let name = claim_name.str().unwrap_or_default();
        if matches!(context.view.claim(name), Lookup::Known(None)) && !is_made_later(context, name) {
            let place = match workload.object.path(&["metadata", "namespace"]).str() {
                Some(namespace) => format!("namespace {}", quoted(namespace)),
                None => "its namespace".to_owned(),
            };
            let claim = quoted(name);
            let finding = if context.scope().is_complete() {
                let message = format!("the pod stays Pending: claim {claim} does not exist in {place}");
                Finding::contradiction(&claim_name, message)
            } else {
                Finding::advice(&claim_name, format!("the pod stays Pending until claim {claim} exists in {place}"))
            };
            findings.push(finding.help("create it, or correct the name"));
        }
    }
}

/// Whether a StatefulSet in the files makes the claim from a template.
fn is_made_later(context: &CheckContext<'_>, name: &str) -> bool {
    if cfg!(feature = "guest") || !matches!(context.scope(), Scope::Part | Scope::Application) {
        return false;
    }
    let users = context.view.users_of_claim(name).known().unwrap_or_default();
    users.iter().any(|pods| made_claim_names(pods).any(|made| made == name))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, closed, deployment, findings_of, open_index, settings, stateful_set, test};
    use crate::view::Scope;
    use crate::view::cluster::NoCluster;
    use crate::view::index::ObjectIndex;

    const POD: &str = "/spec/template/spec";
    const NAME: &str = "/spec/template/spec/volumes/0/persistentVolumeClaim/claimName";

    fn claim(namespace: &str, name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace}})
    }

    fn with_action(action: &str) -> Settings {
        settings(json!({"rules": {"existing-claim": action}}))
    }

    /// The findings on an object in a complete application, with the action `reject`.
    fn found(object: &Value, others: &[Value]) -> Vec<String> {
        ask_in(&RULE, object, &closed(others.iter().chain([object])), &with_action("reject"))
    }

    #[test]
    fn the_claim_exists_in_the_same_namespace() {
        let named = |namespace: &str| deployment(&[("/metadata/namespace", json!(namespace))]);
        assert!(found(&named("db"), &[claim("db", "sql-data")]).is_empty());
        assert_eq!(found(&named("db"), &[claim("web", "sql-data")]), [format!("reject {NAME}")]);
        assert_eq!(found(&named("db"), &[claim("db", "sql")]), [format!("reject {NAME}")]);
        assert!(found(&deployment(&[]), &[claim("default", "sql-data")]).is_empty());
        assert_eq!(found(&deployment(&[]), &[]), [format!("reject {NAME}")]);
    }

    #[test]
    fn the_settings_can_change_its_action() {
        let object = deployment(&[]);
        let ask = |settings: &Settings| ask_in(&RULE, &object, &closed([&object]), settings);
        assert_eq!(ask(&Settings::default()), [format!("reject {NAME}")]);
        assert_eq!(ask(&with_action("warn")), [format!("warn {NAME}")]);
        assert!(ask(&with_action("off")).is_empty());
    }

    #[test]
    fn a_claim_that_may_still_come_is_a_warning() {
        let (object, claim) = (deployment(&[]), claim("default", "sql-data"));
        for scope in [Scope::Request, Scope::Part] {
            let ask = |objects: &[&Value]| {
                let index = ObjectIndex::new(scope, objects.iter().copied());
                ask_in(&RULE, &object, &index, &with_action("reject"))
            };
            assert_eq!(ask(&[&object]), [format!("warn {NAME}")], "{scope:?}");
            assert!(ask(&[&object, &claim]).is_empty(), "{scope:?}");
        }
    }

    #[test]
    fn nothing_is_known_if_the_look_up_fails() {
        let (object, settings) = (deployment(&[]), with_action("reject"));
        let kind = Kind::from_object(&object).unwrap();
        let context = CheckContext::read(&object, kind, &settings, &NoCluster).unwrap();
        let findings = crate::rules::check_relations(&context);
        assert!(findings.iter().all(|finding| finding.rule != RULE.id), "{findings:?}");
        assert!(context.view.unchecked().iter().any(|line| line.starts_with("persistentvolumeclaims: ")));
    }

    #[test]
    fn only_claims_that_hold_database_files_are_looked_up() {
        assert!(found(&stateful_set(&[]), &[]).is_empty(), "the claims of templates are made");
        let template_wins = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "none"}}]);
        assert!(found(&stateful_set(&[(&format!("{POD}/volumes"), template_wins)]), &[]).is_empty());
        let backup = json!({"name": "backup", "persistentVolumeClaim": {"claimName": "backup"}});
        let mount = json!({"name": "backup", "mountPath": "/backup"});
        let object = deployment(&[
            (&format!("{POD}/volumes/-"), backup),
            (&format!("{POD}/containers/0/volumeMounts/-"), mount),
        ]);
        assert!(found(&object, &[claim("default", "sql-data")]).is_empty());
        for name in [json!(null), json!(""), json!(5)] {
            assert!(found(&deployment(&[(NAME, name)]), &[]).is_empty());
        }
    }

    #[test]
    fn a_claim_that_a_stateful_set_in_the_files_makes_is_not_missing() {
        let of_set = |name: &str| {
            let (database, set) = (deployment(&[(NAME, json!(name))]), stateful_set(&[]));
            ask_in(&RULE, &database, &closed([&database, &set]), &with_action("reject")).len()
        };
        assert_eq!(of_set("data-sql-0"), 0);
        assert_eq!(of_set("data-sql-1"), 1, "the set has one replica");
    }

    #[test]
    fn each_missing_claim_is_named_once() {
        let mounts = json!([
            {"name": "data", "mountPath": "/var/opt/mssql/data", "subPath": "data"},
            {"name": "data", "mountPath": "/var/opt/mssql/log", "subPath": "log"}]);
        let log = json!({"name": "MSSQL_LOG_DIR", "value": "/var/opt/mssql/log"});
        let container = |field: &str| format!("{POD}/containers/0/{field}");
        let object = deployment(&[(&container("volumeMounts"), mounts), (&container("env/-"), log)]);
        assert_eq!(found(&object, &[]), [format!("reject {NAME}")]);
    }

    #[test]
    fn the_message_names_the_namespace_if_the_object_does() {
        let message = |object: &Value, index: &ObjectIndex<'_>| {
            let findings = findings_of(&RULE, object, index, &with_action("reject"));
            findings.first().map(|finding| finding.message.to_string()).unwrap_or_default()
        };
        let (named, plain) = (deployment(&[("/metadata/namespace", json!("db"))]), deployment(&[]));
        assert_eq!(
            message(&named, &closed([])),
            "the pod stays Pending: claim `sql-data` does not exist in namespace `db`"
        );
        assert_eq!(
            message(&plain, &closed([])),
            "the pod stays Pending: claim `sql-data` does not exist in its namespace"
        );
        assert_eq!(
            message(&named, &open_index([])),
            "the pod stays Pending until claim `sql-data` exists in namespace `db`"
        );
    }
}
