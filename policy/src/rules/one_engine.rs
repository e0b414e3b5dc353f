//! # What must hold
//! A pod has one container that runs a database. Containers count, and so do init containers that keep running
//! (`restartPolicy: Always`). A product that the settings do not select counts only if the name of its image says what
//! it is: by its environment alone it may be a client. No hook starts the database a second time, and no script of the
//! container that starts programs in the background. Two databases with a data directory in the same directory of the
//! same claim are rejected, unless the settings say otherwise; the rest is a warning.
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
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, FindingKind, Findings};
use crate::json::cursor::Cursor;
use crate::kubernetes::command::{argv, commands, has_background};
use crate::kubernetes::volumes::{effective_mount, normalized};
use crate::workload::storage::ContainerStorage;
use crate::workload::{EngineContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "one-engine",
    summary: "the pod runs one database container",
    loss: Loss::Data,
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
    let mut earlier = vec![(first, directories_on_claims(workload.storage(first)))];
    for other in others.take(MAX_FINDINGS) {
        let location = other.container.first_of(&["image", "name"]).unwrap_or(other.container);
        let message = format!("the pod runs a second database: {}", other.describe());
        let directories = directories_on_claims(workload.storage(other));
        let sharer = earlier.iter().find(|(_, known)| directories.iter().any(|directory| known.contains(directory)));
        let shares_files = sharer.is_some();
        let one = sharer.map_or(first, |(one, _)| one);
        let finding = Finding::contradiction(&location, message)
            .for_reports(|finding| finding.label(format!("in addition to {}", one.describe())))
            .reason(reason(one, other, shares_files))
            .help("run each database in its own Deployment or StatefulSet, with its own claim and Service");
        findings.push(if shares_files { Finding { kind: FindingKind::Severe, ..finding } } else { finding });
        earlier.push((other, directories));
    }
}

/// A finding if a container starts its database twice: by a hook after its start, or in its own script, unless that
/// starts one program after the other.
fn check_second_server(engine: &EngineContainer<'_>) -> Option<Finding> {
    let container = &engine.container;
    let starts = |parent: &Cursor<'_>| commands(&argv(parent)).iter().filter(|one| one.program() == SERVER).count();
    let hook = container.path(&["lifecycle", "postStart", "exec"]);
    let location = if starts(&hook) > 0 {
        hook.at("command")
    } else if starts(container) > 1 && has_background(&argv(container)) {
        container.first_of(&["command", "args"])?
    } else {
        return None;
    };
    let message = format!("{} is started a second time on the same files", engine.engine.product);
    Some(Finding::contradiction(&location, message).help(format!("start `{SERVER}` once")))
}

fn reason(one: &EngineContainer<'_>, other: &EngineContainer<'_>, shares_files: bool) -> &'static str {
    let port = one.port();
    let ports_clash = port.is_some() && port == other.port();
    match (ports_clash, shares_files) {
        (true, true) => "both listen on the same port and use the same files on the claim",
        (true, false) => "both listen on the same port, so that one of them does not start",
        (false, true) => "both use the same files on the claim",
        (false, false) => "every update or failover of one database also stops the other",
    }
}

/// A directory of a claim: the name of the claim, and the path in it.
type ClaimDirectory<'s> = (&'s str, String);

/// The data directories that are on claims.
fn directories_on_claims<'s>(storage: &'s ContainerStorage<'_>) -> Vec<ClaimDirectory<'s>> {
    let paths = storage.directories.iter().filter_map(|directory| directory.path.as_deref());
    let on_claim = |path: &str| {
        let mount = effective_mount(&storage.mounts, path)?;
        let below = path.strip_prefix(mount.path.trim_end_matches('/')).unwrap_or_default();
        let within = mount.entry.first_of(&["subPath", "subPathExpr"]).and_then(|path| path.str()).unwrap_or_default();
        Some((mount.claim_name()?, normalized(&format!("{within}/{below}"))))
    };
    paths.filter_map(on_claim).collect()
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
        let one_of_two = "if test -e /flag; then exec sqlservr --reset >/log 2>&1; else exec sqlservr; fi";
        assert!(with(&command, one_of_two).is_empty(), "one after the other");
        assert!(with(&command, "setup & # then\n# (sqlservr)\nexec /opt/mssql/bin/sqlservr\n").is_empty(), "a comment");
        assert_eq!(with(&command, "# can't wait\nsqlservr &\nsqlservr\n"), [format!("warn {command}")]);
        let strict = json!(["/bin/bash", "-ce", "/opt/mssql/bin/sqlservr &"]);
        assert_eq!(ask(&RULE, &deployment(&[(&hook, strict)])), [format!("warn {hook}")]);
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
    fn two_databases_on_the_same_files_are_rejected() {
        let found = |mount: Value, env: Value| {
            let mounts = json!([{"name": "data", "mountPath": "/var/opt/mssql"}]);
            let mounts = if mount.is_null() { mounts } else { json!([mount]) };
            let object = beside(json!({"name": "b", "image": IMAGE, "env": env, "volumeMounts": mounts}));
            ask(&RULE, &object)
        };
        let (rejected, warned) =
            ([format!("reject {POD}/containers/1/image")], [format!("warn {POD}/containers/1/image")]);
        let at = |path: &str, sub_path: &str| json!({"name": "data", "mountPath": path, "subPath": sub_path});
        assert_eq!(found(json!(null), json!([])), rejected);
        assert_eq!(found(at("/var/opt/mssql/data", "data/"), json!([])), rejected, "the same directory in other words");
        assert_eq!(found(at("/var/opt/mssql/data", ""), json!([])), warned);
        assert_eq!(found(at("/var/opt/mssql", "b"), json!([])), warned);
        let moved = ["DATA_FILE", "LOG_FILE"]
            .map(|file| json!({"name": format!("MSSQL_MASTER_{file}"), "value": "/var/opt/mssql/b/f"}));
        let data = json!({"name": "MSSQL_DATA_DIR", "value": "/var/opt/mssql/b"});
        assert_eq!(found(json!(null), json!([moved[0], moved[1]])), rejected, "the data directory is still the same");
        assert_eq!(found(json!(null), json!([moved[0], moved[1], data])), warned);
        let mounts = json!([{"name": "data", "mountPath": "/var/opt/mssql"}]);
        let mut object = beside(json!({"image": IMAGE, "volumeMounts": mounts}));
        for (action, expected) in [("warn", &warned), ("reject", &rejected)] {
            let settings = settings(json!({"rules": {"one-engine": action}}));
            assert_eq!(ask_in(&RULE, &object, &ObjectIndex::default(), &settings), expected);
        }
        object["spec"]["template"]["spec"]["volumes"][0] = json!({"name": "data", "emptyDir": {}});
        assert_eq!(ask(&RULE, &object), warned, "persistent-data rejects these files");
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
