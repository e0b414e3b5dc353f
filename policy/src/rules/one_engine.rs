//! # What must hold
//! A pod has one container that runs a database. Containers count, and so do init containers that keep running
//! (`restartPolicy: Always`). A product that the settings do not select counts only if the name of its image says
//! what it is: by its environment alone it may be a client. No hook, and no script of the container, starts the database
//! a second time.
//!
//! # Why
//! The containers of a pod share its network, its volumes and its lifetime. Two databases listen on the same port, so
//! that one of them does not start. In the same directory of a claim they open the same files. Even with other ports
//! and files, every update, drain and failover of one database also stops the other.
//!
//! # Example
//! ```yaml
//! containers:
//!   - name: sql
//!     image: mcr.microsoft.com/azure-sql-edge:1.0.7
//!   - name: reports
//!     image: mcr.microsoft.com/azure-sql-edge:1.0.7
//! ```
//!
//! # Instead
//! ```yaml
//! containers:
//!   - name: sql
//!     image: mcr.microsoft.com/azure-sql-edge:1.0.7
//! ```
//!
//! # Fix
//! None: a database and its files have to be moved to their own workload by hand.
//!
//! # Sources
//! - Kubernetes documentation, *Pods*: the containers of a pod share its storage and its network, and are scheduled
//!   together
//! - Microsoft, *Configure SQL Server settings with environment variables on Linux*: `MSSQL_TCP_PORT`, 1433 by default

use super::check::{Check, CheckContext, MAX_FINDINGS};
use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::json::cursor::Cursor;
use crate::kubernetes::command::{argv, commands};
use crate::kubernetes::volumes::Mount;
use crate::workload::{EngineContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "one-engine",
    summary: "the pod runs one database container",
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Workload(check)],
    relations: &[],
};

/// The program of the database.
const SERVER: &str = "sqlservr";

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    findings.extend(workload.engines.iter().filter_map(check_second_server).take(MAX_FINDINGS));
    let Some((first, further)) = workload.engines.split_first() else { return };
    let others = further.iter().chain(workload.unselected_engines.iter().filter(|engine| engine.by_image));
    for other in others.take(MAX_FINDINGS) {
        let location = other.container.first_of(&["image", "name"]).unwrap_or(other.container);
        let message = format!("the pod runs a second database: {}", other.describe());
        findings.push(
            Finding::contradiction(&location, message)
                .label(format!("in addition to {}", first.describe()))
                .reason(reason(workload, first, other))
                .help("run each database in its own Deployment or StatefulSet, with its own claim and Service"),
        );
    }
}

/// A finding if a container starts its database twice: by a hook after its start, or in its own script.
fn check_second_server(engine: &EngineContainer<'_>) -> Option<Finding> {
    let container = &engine.container;
    let starts = |parent: &Cursor<'_>| commands(&argv(parent)).iter().filter(|one| one.program() == SERVER).count();
    let hook = container.path(&["lifecycle", "postStart", "exec"]);
    let location = if starts(&hook) > 0 {
        hook.at("command")
    } else if starts(container) > 1 {
        container.first_of(&["command", "args"])?
    } else {
        return None;
    };
    let message = format!("{} is started a second time on the same files", engine.engine.product);
    Some(Finding::contradiction(&location, message).help(format!("start `{SERVER}` once")))
}

fn reason<'a>(workload: &Workload<'a>, one: &EngineContainer<'a>, other: &EngineContainer<'a>) -> &'static str {
    let port = one.port();
    let ports_clash = port.is_some() && port == other.port();
    let mounts = workload.storage(other).data_mounts();
    let files_clash = workload
        .storage(one)
        .data_mounts()
        .iter()
        .any(|mount| mounts.iter().any(|other| is_same_directory(mount, other)));
    match (ports_clash, files_clash) {
        (true, true) => "both listen on the same port and use the same files on the claim",
        (true, false) => "both listen on the same port, so that one of them does not start",
        (false, true) => "both use the same files on the claim",
        (false, false) => "every update or failover of one database also stops the other",
    }
}

/// Whether two mounts are the same directory of the same claim.
fn is_same_directory(one: &Mount<'_>, other: &Mount<'_>) -> bool {
    let claim = one.claim_name();
    let is_equal = |key| one.entry.at(key).str().unwrap_or_default() == other.entry.at(key).str().unwrap_or_default();
    claim.is_some() && claim == other.claim_name() && is_equal("subPath") && is_equal("subPathExpr")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{IMAGE, ask, ask_in, deployment, findings_of, other_kind, settings, stateful_set, test};
    use crate::view::index::ObjectIndex;

    const POD: &str = "/spec/template/spec";
    const SERVER: &str = "mcr.microsoft.com/mssql/server:2022-latest";

    fn beside(container: Value) -> Value {
        deployment(&[(&format!("{POD}/containers/-"), container)])
    }

    #[test]
    fn a_pod_full_of_databases_has_a_limited_number_of_findings() {
        let containers: Vec<Value> = (0..3 * MAX_FINDINGS).map(|_| json!({"name": "b", "image": IMAGE})).collect();
        let object = deployment(&[(&format!("{POD}/containers"), json!(containers))]);
        assert_eq!(ask(&RULE, &object).len(), MAX_FINDINGS);
        assert_eq!(ask(&crate::rules::persistent_data::RULE, &object).len(), MAX_FINDINGS);
    }

    #[test]
    fn further_engines_are_shown_at_their_images() {
        let second = [format!("warn {POD}/containers/1/image")];
        let client = json!([{"name": "ACCEPT_EULA", "value": "Y"}, {"name": "MSSQL_SA_PASSWORD", "valueFrom": {}}]);
        let cases = [
            (json!({"name": "b", "image": IMAGE}), true),
            (json!({"image": IMAGE}), true),
            (json!({"name": "b", "image": SERVER}), true),
            (json!({"name": "b", "image": "backup", "env": client}), false),
            (json!({"name": "b", "image": "mcr.microsoft.com/mssql-tools", "env": client}), false),
            (json!({"name": "b", "image": "exporter"}), false),
        ];
        for (container, wrong) in cases {
            let expected: &[String] = if wrong { &second } else { &[] };
            assert_eq!(ask(&RULE, &beside(container.clone())), expected, "{container}");
        }
        assert!(ask(&RULE, &deployment(&[])).is_empty());
        assert!(ask(&RULE, &stateful_set(&[])).is_empty());
        let pod = other_kind("v1", "Pod", &[("/spec/containers/-", json!({"image": IMAGE}))]);
        assert_eq!(ask(&RULE, &pod), ["warn /spec/containers/1/image"]);
    }

    #[test]
    fn init_containers_count_if_they_keep_running() {
        let init = |container: Value| ask(&RULE, &deployment(&[(&format!("{POD}/initContainers/-"), container)]));
        assert!(init(json!({"image": IMAGE})).is_empty());
        assert_eq!(
            init(json!({"image": IMAGE, "restartPolicy": "Always"})),
            [format!("warn {POD}/initContainers/0/image")]
        );
    }

    #[test]
    fn a_product_that_is_not_selected_counts_as_the_second() {
        let first = deployment(&[
            (&format!("{POD}/containers/-"), json!({"name": "edge", "image": IMAGE})),
            (&format!("{POD}/containers/0/image"), json!(SERVER)),
        ]);
        assert_eq!(ask(&RULE, &first), [format!("warn {POD}/containers/0/image")]);
        let alone = deployment(&[
            (&format!("{POD}/containers/-"), json!({"image": SERVER})),
            (&format!("{POD}/containers/0/image"), json!(SERVER)),
        ]);
        assert!(ask(&RULE, &alone).is_empty(), "no selected product");
    }

    #[test]
    fn a_database_is_started_once() {
        let container = format!("{POD}/containers/0");
        let script = |text: &str| json!(["/bin/bash", "-c", text]);
        let hook = format!("{container}/lifecycle/postStart/exec/command");
        let with = |at: &str, text: &str| ask(&RULE, &deployment(&[(at, script(text))]));
        assert_eq!(with(&hook, "/opt/mssql/bin/sqlservr & sqlcmd -i /setup.sql"), [format!("warn {hook}")]);
        assert!(with(&hook, "until sqlcmd -Q 'select 1'; do sleep 1; done").is_empty());
        let command = format!("{container}/command");
        assert!(with(&command, "setup & exec /opt/mssql/bin/sqlservr").is_empty());
        assert_eq!(with(&command, "sqlservr & sleep 9; kill $!; sqlservr"), [format!("warn {command}")]);
    }

    #[test]
    fn settings_can_reject_it_and_select_more_products() {
        let environment = json!([{"name": "ACCEPT_EULA"}, {"name": "SA_PASSWORD"}]);
        let object = beside(json!({"image": "own", "env": environment, "ports": [{"containerPort": 1433}]}));
        let all = settings(json!({"engines": ["sql-edge", "sql-server"], "rules": {"one-engine": "reject"}}));
        let found = ask_in(&RULE, &object, &ObjectIndex::default(), &all);
        assert_eq!(found, [format!("reject {POD}/containers/1/image")]);
    }

    #[test]
    fn the_reason_names_the_conflict() {
        let port = |port: &str| json!([{"name": "MSSQL_TCP_PORT", "value": port}]);
        let unseen = json!([{"name": "MSSQL_TCP_PORT", "valueFrom": {"configMapKeyRef": {}}}]);
        let shared = json!([{"name": "data", "mountPath": "/var/opt/mssql"}]);
        let apart = json!([{"name": "data", "mountPath": "/var/opt/mssql", "subPath": "b"}]);
        let cases = [
            (json!([]), shared.clone(), "both listen on the same port and use the same files on the claim"),
            (json!([]), apart.clone(), "both listen on the same port, so that one of them does not start"),
            (port("14330"), shared, "both use the same files on the claim"),
            (port("14330"), apart, "every update or failover of one database also stops the other"),
            (unseen, json!([]), "every update or failover of one database also stops the other"),
        ];
        for (env, mounts, expected) in cases {
            let object = beside(json!({"name": "b", "image": SERVER, "env": env, "volumeMounts": mounts}));
            let found = findings_of(&RULE, &object, &ObjectIndex::default(), &Settings::default());
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].message, "the pod runs a second database: SQL Server in `b`");
            assert_eq!(found[0].reason.as_deref(), Some(expected), "{env}");
        }
    }
}
