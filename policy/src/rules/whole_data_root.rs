//! # What must hold
//! Everything the engine keeps is on claims, not the databases alone: `/var/opt/mssql` itself, or all of its
//! directories `data`, `log` and `secrets`.
//!
//! # Why
//! With only `/var/opt/mssql/data` on a claim, the machine key in `secrets`, the error logs and `.system` end with the
//! pod. The replacement makes a new machine key, and what was encrypted with the old one (credentials, linked servers)
//! can no longer be read.
//!
//! # Example
//! ```yaml
//! volumeMounts:
//!   - name: sqldata
//!     mountPath: /var/opt/mssql/data
//! ```
//!
//! # Instead
//! ```yaml
//! volumeMounts:
//!   - name: sqldata
//!     mountPath: /var/opt/mssql
//! ```
//!
//! # Fix
//! None: on a claim that already holds data, another mount path hides the databases until they are moved.
//!
//! # Sources
//! - Microsoft, *Persist your data* for SQL Server containers: mount `/var/opt/mssql`, or `data`, `log` and `secrets`

use super::{Fixable, Rule};
use crate::finding::{Action, Finding, Findings, push_part};
use crate::subject::Subject;
use crate::volumes::{DATA_ROOT, Files, Mount, deciding_mount};

/// The rule.
pub const RULE: Rule = Rule {
    id: "whole-data-root",
    summary: "logs and the machine key are kept with the databases",
    default_action: Action::Warn,
    fixable: Fixable::No,
    is_relational: false,
    check,
};

/// What has to survive beside the databases, and where it lies.
const PARTS: [(&str, &str); 2] =
    [("/var/opt/mssql/log", "error logs"), ("/var/opt/mssql/secrets", "the machine key, with what it encrypted,")];

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload() else { return };
    for engine in &workload.engines {
        let Files { mounts, directories } = workload.files(engine);
        let lost = lost_parts(mounts);
        // Databases that are on no claim are persistent-data's to report.
        let mut paths = directories.iter().filter_map(|directory| directory.path.as_deref());
        let Some(mount) = paths.clone().find_map(|path| decided_by_claim(mounts, path)) else { continue };
        if !lost.is_empty() && paths.all(|path| decided_by_claim(mounts, path).is_some()) {
            findings.push(
                Finding::contradiction(&mount.node.at("mountPath"), "not everything the engine keeps is on a claim")
                    .because(format!("{lost} end with the pod"))
                    .help(format!(
                        "mount a claim at {DATA_ROOT}, after moving files that are on it to where it then shows them"
                    )),
            );
        }
    }
}

/// What is on no claim.
fn lost_parts(mounts: &[Mount<'_>]) -> String {
    let mut lost = String::new();
    for (part, holds) in PARTS {
        if decided_by_claim(mounts, part).is_none() {
            push_part(&mut lost, " and ", holds);
        }
    }
    lost
}

fn decided_by_claim<'m, 'a>(mounts: &'m [Mount<'a>], path: &str) -> Option<&'m Mount<'a>> {
    deciding_mount(mounts, path).filter(|mount| mount.backing.is_claim())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{ask, deployment, test};

    const MOUNTS: &str = "/spec/template/spec/containers/0/volumeMounts";

    #[test]
    fn the_root_or_all_of_its_parts() {
        let at = |paths: &[&str]| {
            let mounts: Vec<_> = paths.iter().map(|path| json!({"name": "data", "mountPath": path})).collect();
            ask(&RULE, &deployment(&[(MOUNTS, json!(mounts))]))
        };
        assert!(at(&["/var/opt/mssql"]).is_empty());
        assert!(at(&["/var/opt"]).is_empty());
        assert!(at(&["/var/opt/mssql/data", "/var/opt/mssql/log", "/var/opt/mssql/secrets"]).is_empty());
        assert_eq!(at(&["/var/opt/mssql/data"]), [format!("warn {MOUNTS}/0/mountPath")]);
        assert_eq!(at(&["/var/opt/mssql/data", "/var/opt/mssql/log"]), [format!("warn {MOUNTS}/0/mountPath")]);
        assert!(at(&["/elsewhere"]).is_empty(), "persistent-data reports this");
    }

    #[test]
    fn a_hole_in_the_claim_is_found() {
        let secrets = json!({"name": "scratch", "mountPath": "/var/opt/mssql/secrets"});
        let scratch = json!({"name": "scratch", "emptyDir": {}});
        let object = deployment(&[(&format!("{MOUNTS}/-"), secrets), ("/spec/template/spec/volumes/-", scratch)]);
        assert_eq!(ask(&RULE, &object), [format!("warn {MOUNTS}/0/mountPath")]);
    }
}
