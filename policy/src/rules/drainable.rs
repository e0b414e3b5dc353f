//! # What must hold
//! A PodDisruptionBudget that selects the pods of a database lets them be evicted: `maxUnavailable` is at least 1, and
//! `minAvailable` is 0, or below the number of replicas of an availability group.
//!
//! # Why
//! There is only one pod. A budget that always wants one available forbids every eviction: `kubectl drain` does not
//! end, and neither do upgrades of the cluster.
//!
//! # Example
//! ```yaml
//! kind: PodDisruptionBudget
//! spec:
//!   minAvailable: 1
//! ```
//!
//! # Instead
//! ```yaml
//! kind: PodDisruptionBudget
//! spec:
//!   maxUnavailable: 1
//! ```
//!
//! # Fix
//! Unsafe: replaces `minAvailable` by `maxUnavailable: 1`. Draining the node then stops the database for a moment.
//!
//! # Sources
//! - Kubernetes documentation, *Specifying a Disruption Budget for your Application*: a budget of 100 % or of all
//!   replicas forbids evictions; percentages of `minAvailable` are rounded up
//! - <https://github.com/Azure/AKS/issues/4860>: upgrades that hang

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Fix};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::objects::DisruptionBudget;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "drainable",
    summary: "a node with the database can be drained",
    loss: Loss::Operation,
    default_action: Action::Warn,
    fixable: Fixable::Unsafe,
    sees: &[Kind::DisruptionBudget],
    checks: &[],
    relations: &[Check::DisruptionBudget(check)],
};

fn check(context: &CheckContext<'_>, budget: &DisruptionBudget<'_>, findings: &mut Findings) {
    let spec = budget.object.at("spec");
    let (least, most) = (spec.at("minAvailable"), spec.at("maxUnavailable"));
    let is_positive = amount(&least).is_some_and(|amount| amount > 0);
    let at = if is_positive { least } else { most };
    if !is_positive && amount(&most) != Some(0) {
        return;
    }
    let databases = context.view.databases_in_budget(budget);
    let is_blocked = |workload: &&Workload<'_>| {
        let is_enough = is_positive && keeps_enough_replicas(workload, &least);
        !is_enough && !context.exempts(&RULE, &workload.object)
    };
    let Some(database) = databases.iter().find(is_blocked) else { return };
    let fix = || {
        let remove = least.exists().then(|| Edit::remove(&least));
        Fix::unsafe_edits(remove.into_iter().chain([Edit::set(&spec, &["maxUnavailable"], 1)]).collect::<Vec<_>>())
    };
    findings.push(
        Finding::contradiction(&at, "no node with this pod can be drained, and upgrades of the cluster hang")
            .help("set `maxUnavailable: 1`, without `minAvailable`")
            .for_reports(|finding| {
                finding.label(format!("this protects the only pod of {}", database.describe())).fix(fix())
            }),
    );
}

/// Whether one of the replicas of an availability group can be evicted while `least` are available.
fn keeps_enough_replicas(workload: &Workload<'_>, least: &Cursor<'_>) -> bool {
    let replicas = workload.object.path(&["spec", "replicas"]).int().unwrap_or(1);
    let amount = amount(least).unwrap_or_default();
    let is_percentage = least.str().is_some_and(|text| text.ends_with('%'));
    // Percentages are rounded up.
    let needed = if is_percentage { (amount.saturating_mul(replicas).saturating_add(99)) / 100 } else { amount };
    needed < replicas && workload.can_be_availability_group()
}

/// A number of pods or a percentage, without its unit.
fn amount(field: &Cursor<'_>) -> Option<i64> {
    field.int().or_else(|| field.str()?.trim_end_matches('%').parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::json::edit::apply;
    use crate::settings::Settings;
    use crate::testing::{ask_in, closed, deployment, findings_of, settings, stateful_set, test};

    fn found(spec: Value) -> Vec<String> {
        let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "sql"},
            "spec": spec});
        let database = deployment(&[]);
        ask_in(&RULE, &budget, &closed([&database, &budget]), &Settings::default())
    }

    #[test]
    fn the_fix_keeps_the_selector() {
        let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "sql"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "sql"}}}});
        let database = deployment(&[]);
        let findings = findings_of(&RULE, &budget, &closed([&database, &budget]), &Settings::default());
        let fix = findings[0].fix.as_ref().unwrap();
        let mut fixed = budget.clone();
        assert_eq!(apply(&mut fixed, &fix.edits), Ok(()));
        assert_eq!(fixed["spec"], json!({"selector": budget["spec"]["selector"], "maxUnavailable": 1}));
    }

    #[test]
    fn one_replica_of_an_availability_group_can_be_evicted() {
        const CONTAINER: &str = "/spec/template/spec/containers/0";
        let group = stateful_set(&[
            ("/spec/replicas", json!(3)),
            (&format!("{CONTAINER}/image"), json!("mcr.microsoft.com/mssql/server:2022-latest")),
            (&format!("{CONTAINER}/env/-"), json!({"name": "MSSQL_ENABLE_HADR", "value": "1"})),
        ]);
        let found = |least: Value| {
            let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "sql"},
                "spec": {"minAvailable": least, "selector": {"matchLabels": {"app": "sql"}}}});
            ask_in(&RULE, &budget, &closed([&group, &budget]), &settings(json!({"engines": ["sql-server"]}))).len()
        };
        assert_eq!((found(json!(2)), found(json!("50%"))), (0, 0));
        assert_eq!((found(json!(3)), found(json!("67%"))), (1, 1));
    }

    #[test]
    fn an_empty_selector_of_the_beta_version_selects_nothing() {
        let found = |selector: Value| {
            let budget = json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget",
                "metadata": {"name": "sql"}, "spec": {"minAvailable": 1, "selector": selector}});
            let database = deployment(&[]);
            ask_in(&RULE, &budget, &closed([&database, &budget]), &Settings::default()).len()
        };
        assert_eq!((found(json!({})), found(json!({"matchLabels": {}}))), (0, 0));
        let by_expression = json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]});
        assert_eq!((found(json!({"matchLabels": {"app": "sql"}})), found(by_expression)), (1, 1));
    }

    #[test]
    fn a_budget_allows_evictions() {
        let selector = json!({"matchLabels": {"app": "sql"}});
        for (field, value) in [
            ("minAvailable", json!(1)),
            ("minAvailable", json!("1%")),
            ("minAvailable", json!("100%")),
            ("maxUnavailable", json!(0)),
            ("maxUnavailable", json!("0%")),
        ] {
            assert_eq!(found(json!({"selector": selector, field: value})), [format!("warn /spec/{field}")], "{value}");
        }
        for (field, value) in [
            ("minAvailable", json!(0)),
            ("minAvailable", json!("0%")),
            ("maxUnavailable", json!(1)),
            ("maxUnavailable", json!("50%")),
            ("maxUnavailable", json!("many")),
        ] {
            assert!(found(json!({"selector": selector, field: value})).is_empty(), "{value}");
        }
        assert!(found(json!({"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1})).is_empty());
        let by_expression = json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["sql"]}]});
        assert_eq!(found(json!({"selector": by_expression, "minAvailable": 1})).len(), 1);
        assert_eq!(found(json!({"selector": {}, "minAvailable": 1})).len(), 1, "it selects all");
        assert!(found(json!({"minAvailable": 1})).is_empty(), "it selects nothing");
    }
}
