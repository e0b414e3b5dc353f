//! # What must hold
//! At most one pod runs the database: `spec.replicas` is absent, 0 or 1, and no scale request sets more. 0 is a
//! warning, because it stops the database. In files and audits, it is none for a Deployment whose pods a Rollout runs.
//! More than one replica of a SQL Server with `MSSQL_ENABLE_HADR=1` is a warning, because only an availability group
//! keeps them consistent. An update that reduces the replicas, but not to 1 yet, is also a warning.
//!
//! # Why
//! SQL Edge does not replicate data between pods. The pods of a Deployment open the same database files: the second
//! one fails on `master.mdf`, or damages it. The pods of a StatefulSet are separate databases behind one name, and
//! every new connection of a client can reach another one.
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
//! Unsafe: sets `replicas: 1`, unless a Service selects one of the pods that would go. Data that the other pods of a
//! StatefulSet wrote stays on their claims.
//!
//! # Sources
//! - Kubernetes documentation, *Run a Single-Instance Stateful Application*: "Don't scale the app"
//! - <https://github.com/helm/charts/issues/22199>: the second SQL Server fails on `master.mdf`
//! - <https://github.com/kubernetes/kubernetes/issues/60903>: several pods write one ReadWriteOnce volume on one node
//! - <https://github.com/kyverno/kyverno/issues/3118>: scale requests bypass workload rules

use super::check::{Check, CheckContext, ScaleRequest, offline};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Fix, Related, quoted};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::kubernetes::claim::ordinals;
use crate::kubernetes::kind::WorkloadKind;
use crate::kubernetes::selector::{POD_INDEX, POD_NAME, Selector};
use crate::kubernetes::service::Service;
use crate::kubernetes::volumes::VolumeSource;
use crate::view::Scope;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "single-replica",
    summary: "at most one pod runs the database",
    loss: Loss::Data,
    default_action: Action::Reject,
    fixable: Fixable::Unsafe,
    sees: &[],
    checks: &[Check::Workload(check_workload), Check::Scale(check_scale)],
    relations: offline(&[Check::Workload(check_selected_pods), Check::Workload(check_stopped_deployment)]),
};

const HELP: &str = "set `replicas: 1`; the controller replaces the pod when it fails";

fn check_workload(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if cfg!(feature = "guest") || !is_stopped_deployment(workload) {
        check(&workload.object, workload, findings);
    }
}

/// The same for a stopped Deployment, unless a Rollout runs its pods.
fn check_stopped_deployment(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if is_stopped_deployment(workload) && !context.view.is_run_by_rollout(workload) {
        check(&workload.object, workload, findings);
    }
}

fn is_stopped_deployment(workload: &Workload<'_>) -> bool {
    workload.kind == WorkloadKind::Deployment && workload.object.path(&["spec", "replicas"]).int() == Some(0)
}

/// The same without a fix, if a Service selects one of the pods that would go.
fn check_selected_pods(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if workload.kind != WorkloadKind::StatefulSet || context.scope() == Scope::Request {
        return;
    }
    let services = context.view.services_selecting(workload).known().unwrap_or_default();
    let first = workload.object.value().map_or(0, |object| ordinals(object).start).to_string();
    let selects =
        |service: &&Service<'_>| service.selector().is_some_and(|selector| selects_further_pod(&selector, &first));
    let Some(service) = services.iter().find(selects) else { return };
    let mut own = Findings::new();
    check(&workload.object, workload, &mut own);
    for finding in own.into_iter().filter(|finding| finding.fix.is_some()) {
        let name = quoted(service.name());
        let help = format!("set `replicas: 1`, once Service {name} selects none of the pods that go").into();
        let related = Related::new(&service.object, &service.spec.at("selector"), "this selects a pod that would go");
        findings.push(Finding { fix: None, help, replaces_others: true, ..finding }.related([related]));
    }
}

/// Whether a selector names a pod of a StatefulSet after the first, which has the ordinal `first`.
fn selects_further_pod(selector: &Selector<'_>, first: &str) -> bool {
    selector.pairs().any(|(key, value)| {
        let ordinal = match key {
            POD_NAME => value.as_str().and_then(|name| name.rsplit_once('-')).map(|(_, ordinal)| ordinal),
            POD_INDEX => value.as_str(),
            _ => None,
        };
        ordinal.is_some_and(|ordinal| ordinal != first)
    })
}

fn check_scale(_: &CheckContext<'_>, request: &ScaleRequest<'_>, findings: &mut Findings) {
    check(&request.scale, &request.workload, findings);
}

/// What is wrong with `spec.replicas`.
enum Problem {
    NoWholeNumber,
    SharedFiles,
    SeparateDatabases,
}

/// Checks `spec.replicas` of `object`: of the workload, or of the Scale that changes it.
fn check(object: &Cursor<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let replicas = object.path(&["spec", "replicas"]);
    if !replicas.exists() {
        return;
    }
    let unsafe_fix = |finding: Finding| finding.fix(Fix::unsafe_edits([Edit::set(&replicas, &[], 1)]));
    findings.push(match replicas.int() {
        Some(1) => return,
        Some(0) => Finding::advice(&replicas, "`replicas: 0` stops the database").help("set `replicas: 1` to start it"),
        None | Some(..0) => Finding::contradiction(&replicas, "`replicas` must be a whole number of 0 or more")
            .problem(Problem::NoWholeNumber as u8)
            .help("write a whole number without quotes: `replicas: 1`")
            .for_reports(unsafe_fix),
        Some(_) if workload.can_be_availability_group() => {
            Finding::advice(&replicas, "several replicas hold the same data only in an availability group")
                .help("make sure that an operator manages the availability group, or set `replicas: 1`")
        }
        Some(count) => Finding {
            quantity: Some(count),
            ..several_replicas(&replicas, workload, count).reason(reason(workload)).help(HELP).for_reports(unsafe_fix)
        },
    });
}

fn several_replicas(replicas: &Cursor<'_>, workload: &Workload<'_>, count: i64) -> Finding {
    let shares_files = workload.engines.iter().any(|engine| {
        let mounts = workload.storage(engine).data_mounts();
        mounts.iter().any(|mount| matches!(mount.source, VolumeSource::Claim(_)))
    });
    let (message, problem) = if shares_files {
        (format!("{count} replicas open the same database files"), Problem::SharedFiles)
    } else {
        (format!("{count} replicas are {count} separate databases behind one name"), Problem::SeparateDatabases)
    };
    Finding::contradiction(replicas, message).problem(problem as u8)
}

fn reason(workload: &Workload<'_>) -> String {
    let product = workload.product();
    if workload.engines.iter().any(|engine| engine.engine.has_availability_groups) {
        format!("{product} replicates data between pods only in an availability group")
    } else {
        format!("{product} does not replicate data between pods")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask, ask_in, closed, deployment, findings_of, service, settings, stateful_set, test};

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
    fn a_pod_that_a_service_selects_is_not_scaled_away() {
        let set = stateful_set(&[("/spec/replicas", json!(2))]);
        let is_fixed = |selector: Value| {
            let of_second = service(&[("/spec/selector", selector)]);
            let findings = findings_of(&RULE, &set, &closed([&set, &of_second]), &Settings::default());
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            finding.fix.is_some()
        };
        assert!(!is_fixed(json!({"app": "sql", "statefulset.kubernetes.io/pod-name": "sql-1"})));
        assert!(!is_fixed(json!({"app": "sql", "apps.kubernetes.io/pod-index": "1"})));
        assert!(is_fixed(json!({"app": "sql", "statefulset.kubernetes.io/pod-name": "sql-0"})));
        assert!(
            is_fixed(json!({"app": "sql"})) && is_fixed(json!({"app": "other", "apps.kubernetes.io/pod-index": "1"}))
        );
    }

    #[test]
    fn the_first_of_several_pods_stays() {
        let set = stateful_set(&[("/spec/replicas", json!(3)), ("/spec/ordinals", json!({"start": 1}))]);
        let is_fixed = |pod: &str| {
            let of_pod = service(&[("/spec/selector", json!({"app": "sql", POD_NAME: pod}))]);
            findings_of(&RULE, &set, &closed([&set, &of_pod]), &Settings::default())[0].fix.is_some()
        };
        assert_eq!((is_fixed("sql-1"), is_fixed("sql-2")), (true, false));
    }

    #[test]
    fn a_deployment_whose_pods_a_rollout_runs_is_stopped() {
        let stopped = deployment(&[("/spec/replicas", json!(0))]);
        let found = |name: &str| {
            let rollout = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "roll"},
                "spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}}});
            ask_in(&RULE, &stopped, &closed([&stopped, &rollout]), &Settings::default())
        };
        assert_eq!((found("sql"), found("web")), (vec![], vec!["warn /spec/replicas".to_owned()]));
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
        let ask = |object: &Value| ask_in(&RULE, object, &crate::view::index::ObjectIndex::default(), &both);
        assert_eq!(ask(&server("1")), ["warn /spec/replicas"]);
        assert_eq!(ask(&server("0")), ["reject /spec/replicas"]);
        let mut edge = server("1");
        edge["spec"]["template"]["spec"]["containers"][0]["image"] = json!(crate::testing::IMAGE);
        assert_eq!(ask(&edge), ["reject /spec/replicas"]);
    }
}
