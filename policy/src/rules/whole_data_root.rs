//! # What must hold
//! Everything that the database keeps is on claims: `/var/opt/mssql`, or all of its directories `data`, `log` and
//! `secrets`.
//!
//! # Why
//! With only `/var/opt/mssql/data` on a claim, the machine key in `secrets`, the error logs and `.system` are lost
//! with the pod. The replacement pod generates a new machine key, and credentials that were encrypted with the old
//! one, for example of linked servers, become unreadable.
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
//! None: on a claim with databases, another mount path hides them until the files are moved.
//!
//! # Sources
//! - Microsoft, *Persist your data* for SQL Server containers: mount `/var/opt/mssql`, or `data`, `log` and `secrets`

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, push_separated};
use crate::kubernetes::volumes::{Mount, effective_mount};
use crate::workload::DatabaseContainer;
use crate::workload::storage::ContainerStorage;

/// The rule.
pub const RULE: Rule = Rule {
    id: "whole-data-root",
    summary: "error logs and the machine key are kept with the databases",
    loss: Loss::Data,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Container(check)],
    relations: &[],
};

fn check(_: &CheckContext<'_>, container: &DatabaseContainer<'_, '_>, findings: &mut Findings) {
    let ContainerStorage { mounts, directories } = container.storage();
    // Database files that are not on a claim are reported by persistent-data.
    let mut paths = directories.iter().filter_map(|directory| directory.path.as_deref());
    let Some(mount) = paths.clone().find_map(|path| claim_mount(mounts, path)) else { return };
    if !paths.all(|path| claim_mount(mounts, path).is_some()) {
        return;
    }
    let (mut losses, mut missing) = (String::new(), String::new());
    for (directory, loss) in container.engine.required_directories {
        if claim_mount(mounts, directory).is_none() {
            push_separated(&mut losses, " and ", loss);
            push_separated(&mut missing, " and ", directory);
        }
    }
    if !missing.is_empty() {
        let data_root = container.engine.data_root;
        let verb = if losses == "the machine key" { "is" } else { "are" };
        findings.push(
            Finding::contradiction(
                &mount.entry.at("mountPath"),
                format!("{losses} {verb} lost when the pod is replaced"),
            )
            .reason(format!("not on a claim: {missing}"))
            .help(format!("move the files on the claim into a directory `data`, then mount the claim at {data_root}")),
        );
    }
}

/// The mount of a claim that `path` is in.
fn claim_mount<'m, 'a>(mounts: &'m [Mount<'a>], path: &str) -> Option<&'m Mount<'a>> {
    effective_mount(mounts, path).filter(|mount| mount.source.is_claim())
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
