//! # What must hold
//! Probes leave the database the time that it needs:
//! - The first probe that can kill it, the startup probe or else the liveness probe, does so after 60 seconds at the
//!   earliest: `initialDelaySeconds` and all but one of the `failureThreshold` periods together.
//! - There is a readiness probe.
//! - No probe runs `/opt/mssql-tools/bin/sqlcmd` in an image of SQL Server that does not have it.
//!
//! # Why
//! After a crash, the database recovers before it accepts connections. A probe that kills it meanwhile makes it start
//! over again, and every restart finds as much to recover. Without a readiness probe, clients are sent to a database
//! that does not answer. `sqlcmd` is in `/opt/mssql-tools18/bin` since SQL Server 2019 CU28 and 2022 CU14, and in every
//! image of 2025; with the former path, a probe always fails.
//!
//! # Example
//! ```yaml
//! livenessProbe:
//!   tcpSocket:
//!     port: 1433
//!   periodSeconds: 5
//! ```
//!
//! # Instead
//! ```yaml
//! startupProbe:
//!   tcpSocket:
//!     port: 1433
//!   periodSeconds: 10
//!   failureThreshold: 90
//! livenessProbe:
//!   tcpSocket:
//!     port: 1433
//! readinessProbe:
//!   tcpSocket:
//!     port: 1433
//! ```
//!
//! # Fix
//! None: only a person knows how long a recovery of these databases takes.
//!
//! # Sources
//! - Kubernetes documentation, *Configure Liveness, Readiness and Startup Probes*
//! - <https://github.com/microsoft/mssql-docker/issues/892>: images without `/opt/mssql-tools`

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::engine::{FORMER_TOOLS, has_former_tools};
use crate::finding::{Action, Finding, Findings};
use crate::json::cursor::Cursor;
use crate::kubernetes::command::argv;
use crate::workload::DatabaseContainer;

/// The rule.
pub const RULE: Rule = Rule {
    id: "patient-probes",
    summary: "probes let the database recover, and keep clients away until it answers",
    loss: Loss::Availability,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Container(check)],
    relations: &[],
};

/// What can be wrong with a probe.
enum Problem {
    MissingProgram,
    KillsEarly,
    NoReadiness,
}

/// The least time until a probe kills the database, in seconds.
const MIN_SECONDS_TO_KILL: i64 = 60;

fn check(_: &CheckContext<'_>, container: &DatabaseContainer<'_, '_>, findings: &mut Findings) {
    let probes = ["startupProbe", "livenessProbe", "readinessProbe"].map(|name| container.container.at(name));
    let [startup, liveness, readiness] = probes;
    let product = container.engine.product;
    for probe in probes.iter().filter(|probe| runs_missing_program(probe, container)) {
        findings.push(
            Finding::contradiction(probe, "this probe always fails")
                .problem(Problem::MissingProgram as u8)
                .reason("the image has no `/opt/mssql-tools/bin/sqlcmd`")
                .help("run `/opt/mssql-tools18/bin/sqlcmd -C`"),
        );
    }
    let killer = if startup.exists() { startup } else { liveness };
    if killer.exists() && seconds_to_kill(&killer) < MIN_SECONDS_TO_KILL {
        let message = format!("{product} is killed if it takes {} s to recover", seconds_to_kill(&killer));
        findings.push(
            Finding::contradiction(&killer, message)
                .problem(Problem::KillsEarly as u8)
                .reason("each restart begins the recovery again")
                .help(if startup.exists() {
                    "raise its `failureThreshold` so that it allows for some minutes"
                } else {
                    "add a `startupProbe` that allows for some minutes"
                }),
        );
    }
    if !readiness.exists() {
        findings.push(
            Finding::contradiction(&readiness, format!("clients are sent to {product} even if it does not answer"))
                .problem(Problem::NoReadiness as u8)
                .help("add a `readinessProbe`"),
        );
    }
}

/// The seconds from the start of the container until the last failure that a probe tolerates. The API server replaces 0
/// by the default.
fn seconds_to_kill(probe: &Cursor<'_>) -> i64 {
    let number = |name, default| probe.at(name).int().filter(|number| *number > 0).unwrap_or(default);
    let periods = (number("failureThreshold", 3) - 1).saturating_mul(number("periodSeconds", 10));
    periods.saturating_add(number("initialDelaySeconds", 0))
}

/// Whether a probe runs only a program that the image does not have.
fn runs_missing_program(probe: &Cursor<'_>, container: &DatabaseContainer<'_, '_>) -> bool {
    let words = argv(&probe.at("exec"));
    let names = |directory: &str| words.iter().any(|word| word.contains(directory));
    let image = container.container.at("image").str().unwrap_or_default();
    names(FORMER_TOOLS) && !names("/opt/mssql-tools18") && container.by_image && !has_former_tools(image)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, closed, deployment, findings_of, settings, test};

    const CONTAINER: &str = "/spec/template/spec/containers/0";
    const EDGE: &str = "mcr.microsoft.com/azure-sql-edge:1.0.7";

    /// The findings with these probes, without the pointer of the container.
    fn with(image: &str, probes: &[(&str, Value)]) -> Vec<String> {
        let mut changes = vec![(format!("{CONTAINER}/image"), json!(image))];
        changes.extend(probes.iter().map(|(name, probe)| (format!("{CONTAINER}/{name}"), probe.clone())));
        let changes: Vec<(&str, Value)> = changes.iter().map(|(at, value)| (at.as_str(), value.clone())).collect();
        let both = settings(json!({"engines": ["sql-edge", "sql-server"]}));
        let found = ask_in(&RULE, &deployment(&changes), &closed([]), &both);
        found.iter().map(|finding| finding.replace(CONTAINER, "")).collect()
    }

    #[test]
    fn a_probe_that_kills_is_patient() {
        let probe = |delay: i64, threshold: i64, period: i64| {
            json!({"tcpSocket": {"port": 1433},
                "initialDelaySeconds": delay, "failureThreshold": threshold, "periodSeconds": period})
        };
        let cases = [
            (json!({"tcpSocket": {"port": 1433}}), 1),
            (json!({"httpGet": {"port": 80}, "periodSeconds": 30}), 0),
            (json!({"grpc": {"port": 80}, "periodSeconds": "30"}), 1),
            (json!({}), 1),
            (json!("now"), 1),
            (probe(60, 1, 1), 0),
            (probe(59, 1, 10), 1),
            (probe(0, 7, 10), 0),
            (probe(0, 0, 0), 1),
            (probe(i64::MAX, i64::MAX, i64::MAX), 0),
            (probe(i64::MIN, i64::MIN, i64::MIN), 1),
        ];
        for (probe, count) in cases {
            for name in ["livenessProbe", "startupProbe"] {
                let expected: Vec<String> = std::iter::repeat_n(format!("warn /{name}"), count).collect();
                assert_eq!(with(EDGE, &[(name, probe.clone())]), expected, "{probe}");
            }
        }
        let liveness = ("livenessProbe", probe(0, 3, 10));
        assert!(with(EDGE, &[liveness.clone(), ("startupProbe", probe(0, 30, 10))]).is_empty());
        assert_eq!(with(EDGE, &[liveness, ("startupProbe", probe(0, 3, 10))]), ["warn /startupProbe"]);
    }

    #[test]
    fn a_short_startup_probe_is_made_longer() {
        let probe = || json!({"tcpSocket": {"port": 1433}});
        for (name, expected) in [("startupProbe", "raise"), ("livenessProbe", "add")] {
            let object = deployment(&[(&format!("{CONTAINER}/{name}"), probe())]);
            let findings = findings_of(&RULE, &object, &closed([]), &Settings::default());
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            assert!(finding.help.starts_with(expected), "{}", finding.help);
        }
    }

    #[test]
    fn a_readiness_probe_keeps_clients_away() {
        assert_eq!(with(EDGE, &[("readinessProbe", json!(null))]), ["warn /readinessProbe"]);
        assert!(with(EDGE, &[("readinessProbe", json!({"exec": {"command": ["true"]}}))]).is_empty());
    }

    #[test]
    fn a_probe_runs_what_the_image_has() {
        let shell = |script: &str| json!({"exec": {"command": ["/bin/sh", "-c", script]}, "failureThreshold": 60});
        let former = shell("/opt/mssql-tools/bin/sqlcmd -Q 'select 1'");
        let server = |tag: &str| format!("mcr.microsoft.com/mssql/server{tag}");
        for tag in [
            "",
            ":latest",
            ":2022-latest",
            ":2019-latest",
            ":2022-CU14-ubuntu-22.04",
            ":2019-CU28-ubuntu-20.04",
            ":2025-latest",
            ":2025-RTM-ubuntu-22.04",
            ":2025-CTP2.0-ubuntu-22.04",
            ":2025-CU1-ubuntu-22.04",
        ] {
            assert_eq!(with(&server(tag), &[("livenessProbe", former.clone())]), ["warn /livenessProbe"], "{tag}");
        }
        for tag in [":2022-CU13-ubuntu-22.04", ":2019-CU27-ubuntu-20.04", ":2017-latest", ":2022-RTM", ":15", ":é-CU1"]
        {
            assert!(with(&server(tag), &[("livenessProbe", former.clone())]).is_empty(), "{tag}");
        }
        assert!(with(EDGE, &[("livenessProbe", former.clone())]).is_empty());
        let either = shell("/opt/mssql-tools18/bin/sqlcmd -C || /opt/mssql-tools/bin/sqlcmd");
        assert!(with(&server(":2022-latest"), &[("livenessProbe", either)]).is_empty());
        let both = [("readinessProbe", former.clone()), ("livenessProbe", former)];
        assert_eq!(with(&server(":2022-latest"), &both), ["warn /livenessProbe", "warn /readinessProbe"]);
        let early = json!({"exec": {"command": ["/opt/mssql-tools/bin/sqlcmd"]}});
        let found = with(&server(":2022-latest"), &[("livenessProbe", early)]);
        assert_eq!(found, ["warn /livenessProbe", "warn /livenessProbe"], "it fails, and kills after 20 s");
    }
}
