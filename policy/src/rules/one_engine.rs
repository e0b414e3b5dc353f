//! # What must hold
//! A pod has one container that runs a database engine. Containers count, and init containers that keep running beside
//! them (`restartPolicy: Always`); SQL Server counts beside SQL Edge, whether the settings govern it or not. An engine
//! that they do not govern counts if its image says what it is: by its environment alone it may as well be a client.
//!
//! # Why
//! The containers of a pod share its network, its volumes and its fate. Two engines both want port 1433, and the one
//! that comes second does not start; on the same directory of a claim they both want the same files. Even with ports
//! and files of their own, every update, drain and failover stops both.
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
//! None: moving an engine with its databases into a workload of its own is for a person.
//!
//! # Sources
//! - Kubernetes documentation, *Pods*: the containers of a pod share its storage and its network, and are scheduled
//!   together
//! - Microsoft, *Configure SQL Server settings with environment variables on Linux*: `MSSQL_TCP_PORT`, 1433 by default

use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings, quoted};
use crate::subject::Subject;
use crate::volumes::Mount;
use crate::workload::{EngineContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "one-engine",
    summary: "one container of the pod runs an engine",
    default_action: Action::Warn,
    fixable: Fixable::No,
    is_relational: false,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload() else { return };
    let Some((first, further)) = workload.engines.split_first() else { return };
    for other in further.iter().chain(workload.ungoverned.iter().filter(|engine| engine.by_image)) {
        let place = other.node.first_of(&["image", "name"]).unwrap_or(other.node);
        findings.push(
            Finding::contradiction(&place, format!("the pod runs {} beside {}", describe(other), describe(first)))
                .because(reason(workload, first, other))
                .help(
                    "run each engine in a Deployment or StatefulSet of its own, with a claim and a Service of its own",
                ),
        );
    }
}

fn describe(engine: &EngineContainer<'_>) -> String {
    let product = engine.engine.product();
    engine.node.at("name").str().map_or_else(|| product.to_owned(), |name| format!("{product} in {}", quoted(name)))
}

fn reason<'a>(workload: &Workload<'a>, one: &EngineContainer<'a>, other: &EngineContainer<'a>) -> &'static str {
    let port = one.port();
    let ports_clash = port.is_some() && port == other.port();
    let mounts = workload.files(other).data_mounts();
    let files_clash =
        workload.files(one).data_mounts().iter().any(|mount| mounts.iter().any(|other| same_place(mount, other)));
    match (ports_clash, files_clash) {
        (true, true) => "both want the same port of the pod, and the same files on the claim",
        (true, false) => "both want the same port of the pod: the one that comes second does not start",
        (false, true) => "both want the same files on the claim",
        (false, false) => "they stop and move together: what replaces the pod for one interrupts the other",
    }
}

/// Whether two mounts show the same directory of the same claim.
fn same_place(one: &Mount<'_>, other: &Mount<'_>) -> bool {
    let claim = one.claim_name();
    let below = |key| one.node.at(key).str().unwrap_or_default() == other.node.at(key).str().unwrap_or_default();
    claim.is_some() && claim == other.claim_name() && below("subPath") && below("subPathExpr")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::objects::Objects;
    use crate::settings::Settings;
    use crate::testing::{IMAGE, ask, ask_in, deployment, findings_of, other_kind, settings, stateful_set, test};

    const POD: &str = "/spec/template/spec";
    const SERVER: &str = "mcr.microsoft.com/mssql/server:2022-latest";

    fn beside(container: Value) -> Value {
        deployment(&[(&format!("{POD}/containers/-"), container)])
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
    fn the_engine_that_is_not_governed_is_the_one_too_many() {
        let first = deployment(&[
            (&format!("{POD}/containers/-"), json!({"name": "edge", "image": IMAGE})),
            (&format!("{POD}/containers/0/image"), json!(SERVER)),
        ]);
        assert_eq!(ask(&RULE, &first), [format!("warn {POD}/containers/0/image")]);
        let alone = deployment(&[
            (&format!("{POD}/containers/-"), json!({"image": SERVER})),
            (&format!("{POD}/containers/0/image"), json!(SERVER)),
        ]);
        assert!(ask(&RULE, &alone).is_empty(), "nothing here is governed");
    }

    #[test]
    fn settings_can_refuse_it_and_govern_more() {
        let environment = json!([{"name": "ACCEPT_EULA"}, {"name": "SA_PASSWORD"}]);
        let object = beside(json!({"image": "own", "env": environment}));
        let all = settings(json!({"engines": ["sql-edge", "sql-server"], "rules": {"one-engine": "reject"}}));
        let found = ask_in(&RULE, &object, &Objects::default(), &all);
        assert_eq!(found, [format!("reject {POD}/containers/1/image")]);
    }

    #[test]
    fn the_reason_is_what_clashes() {
        let port = |port: &str| json!([{"name": "MSSQL_TCP_PORT", "value": port}]);
        let unseen = json!([{"name": "MSSQL_TCP_PORT", "valueFrom": {"configMapKeyRef": {}}}]);
        let shared = json!([{"name": "data", "mountPath": "/var/opt/mssql"}]);
        let apart = json!([{"name": "data", "mountPath": "/var/opt/mssql", "subPath": "b"}]);
        let cases = [
            (json!([]), shared.clone(), "both want the same port of the pod, and the same files on the claim"),
            (json!([]), apart.clone(), "both want the same port of the pod: the one that comes second does not start"),
            (port("14330"), shared, "both want the same files on the claim"),
            (port("14330"), apart, "they stop and move together: what replaces the pod for one interrupts the other"),
            (unseen, json!([]), "they stop and move together: what replaces the pod for one interrupts the other"),
        ];
        for (env, mounts, expected) in cases {
            let object = beside(json!({"name": "b", "image": SERVER, "env": env, "volumeMounts": mounts}));
            let found = findings_of(&RULE, &object, &Objects::default(), &Settings::default());
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].message, "the pod runs SQL Server in `b` beside SQL Edge in `sql`");
            assert_eq!(found[0].reason.as_deref(), Some(expected), "{env}");
        }
    }
}
