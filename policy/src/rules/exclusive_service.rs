//! # What must hold
//! A Service in front of a database selects the pods of one workload only. In front of two databases it is rejected,
//! unless the settings say otherwise. The pods of Jobs count, too. Services without a port that leads to a database are
//! not checked.
//!
//! # Why
//! A Service sends each connection to any of the pods that it selects: every connection reaches another database, and
//! one that reaches another application fails.
//!
//! # Example
//! ```yaml
//! kind: Service
//! spec:
//!   selector:
//!     tier: data   # also selects the pods of the cache
//! ```
//!
//! # Instead
//! ```yaml
//! kind: Service
//! spec:
//!   selector:
//!     app: sql
//! ```
//!
//! # Fix
//! None: only a person knows which pods the clients of the Service want.
//!
//! # Sources
//! - Kubernetes documentation, *Service*: the selector determines the set of pods

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, FindingKind, Findings, Related, push_separated, quoted};
use crate::json::cursor::Cursor;
use crate::kubernetes::kind::{Kind, WorkloadKind};
use crate::kubernetes::rollout::workload_reference;
use crate::kubernetes::selector::Pods;
use crate::kubernetes::service::Service;
use crate::workload::Workload;
use crate::workload::ports::ports_to;

/// The rule.
pub const RULE: Rule = Rule {
    id: "exclusive-service",
    summary: "the Service selects the pods of one workload only",
    loss: Loss::Availability,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[Kind::DEPLOYMENT, Kind::Workload(WorkloadKind::StatefulSet)],
    checks: &[],
    relations: &[Check::Service(check)],
};

fn check(context: &CheckContext<'_>, service: &Service<'_>, findings: &mut Findings) {
    let Some(selected) = context.view.pods_selected_by(service).known() else { return };
    let is_rollout = |pods: &Pods<'_>| workload_reference(&Cursor::root(pods.object)).is_some();
    // Pods that run to completion get connections, too, while they run.
    let has_pods = |pods: &Pods<'_>| pods.kind.is_long_running() || pods.kind.runs_to_completion();
    let selected: Vec<Pods<'_>> = selected.into_iter().filter(|pods| has_pods(pods) && !is_rollout(pods)).collect();
    if selected.len() < 2 {
        return;
    }
    let read = selected.iter().map(|pods| Workload::read(pods.object, pods.kind, context.settings));
    let databases: Vec<Workload<'_>> = read.flatten().collect();
    let leads_to = |workload: &Workload<'_>| workload.has_selected_engine() && !ports_to(service, workload).is_empty();
    if !databases.iter().any(leads_to) {
        return;
    }
    let finding = Finding::contradiction(&service.spec.at("selector"), message(databases.len(), &selected))
        .help("select a label that only the pods of one database have");
    let related = |pods: &Pods<'_>| {
        let object = Cursor::root(pods.object);
        let labels = object.path(pods.kind.template_path()).path(&["metadata", "labels"]);
        Related::new(&object, &labels, "the Service selects these pods")
    };
    let finding = finding.for_reports(|finding| finding.related(selected.iter().map(related)));
    findings.push(if databases.len() > 1 { Finding { kind: FindingKind::Severe, ..finding } } else { finding });
}

fn message(databases: usize, selected: &[Pods<'_>]) -> String {
    let mut names = String::new();
    let describe = |pods: &Pods<'_>| format!("{} {}", pods.kind.name(), quoted(pods.name));
    selected.iter().take(2).for_each(|pods| push_separated(&mut names, " and ", &describe(pods)));
    let more = if selected.len() > 2 { " and others" } else { "" };
    if databases > 1 {
        format!("each connection reaches another database: the Service selects {names}{more}")
    } else {
        format!("connections also reach pods that are no database: the Service selects {names}{more}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, closed, deployment, open_index, other_kind, service, test};

    #[test]
    fn a_service_leads_to_one_database() {
        let (database, own) = (deployment(&[]), service(&[]));
        let other = deployment(&[("/metadata/name", json!("sql-2"))]);
        let web = deployment(&[
            ("/metadata/name", json!("web")),
            ("/spec/template/spec/containers", json!([{"name": "web", "image": "nginx"}])),
        ]);
        let found = |service: &Value, workloads: &[&Value]| {
            let all: Vec<&Value> = workloads.iter().copied().chain([service]).collect();
            let found = ask_in(&RULE, service, &closed(all.clone()), &Settings::default());
            assert_eq!(ask_in(&RULE, service, &open_index(all), &Settings::default()), found);
            found
        };
        assert!(found(&own, &[&database]).is_empty());
        assert_eq!(found(&own, &[&database, &other]), ["reject /spec/selector"]);
        assert_eq!(found(&own, &[&database, &web]), ["warn /spec/selector"]);
        let containers = json!([{"name": "backup", "image": "backup"}]);
        let job = other_kind("batch/v1", "Job", &[("/spec/template/spec/containers", containers)]);
        assert_eq!(found(&own, &[&database, &job]), ["warn /spec/selector"]);
        assert!(found(&own, &[&web]).is_empty(), "no database");
        let metrics = service(&[("/spec/ports", json!([{"port": 9187}]))]);
        assert!(found(&metrics, &[&database, &web]).is_empty(), "it does not lead to the database");
    }
}
