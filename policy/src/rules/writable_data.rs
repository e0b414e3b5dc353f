//! # What must hold
//! The engine can write its files: no `readOnly` on the mount of a data directory or on the claim's volume source, and
//! no `ReadOnlyMany` among the access modes of a claim template.
//!
//! # Why
//! The engine opens its system databases for writing when it starts. On a read-only file system it never comes up, and
//! the first time may well be the failover after someone "just" changed the mount.
//!
//! # Example
//! ```yaml
//! volumes:
//!   - name: sqldata
//!     persistentVolumeClaim:
//!       claimName: mssql-data
//!       readOnly: true
//! ```
//!
//! # Instead
//! ```yaml
//! volumes:
//!   - name: sqldata
//!     persistentVolumeClaim:
//!       claimName: mssql-data
//! ```
//!
//! # Fix
//! Safe: removes `readOnly`. Access modes are for a person: those of an existing claim cannot be changed.
//!
//! # Sources
//! - Kubernetes documentation, *Persistent Volumes*: access modes, and `readOnly` of a claim's volume source

use super::{Fixable, Rule};
use crate::finding::{Action, Edit, Finding, Findings, Fix};
use crate::node::Node;
use crate::subject::Subject;
use crate::volumes::Backing;

/// The rule.
pub const RULE: Rule = Rule {
    id: "writable-data",
    summary: "the engine can write its files",
    default_action: Action::Reject,
    fixable: Fixable::Safe,
    is_relational: false,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload() else { return };
    for engine in &workload.engines {
        for mount in workload.files(engine).data_mounts() {
            let of_mount = read_only(&mount.node);
            let of_claim = match &mount.backing {
                Backing::Claim(source) => read_only(source),
                Backing::ClaimTemplate(template) => read_only_mode(template),
                _ => None,
            };
            for finding in of_mount.into_iter().chain(of_claim) {
                // Several engines may use one claim.
                if !findings.iter().any(|known| known.pointer == finding.pointer) {
                    findings.push(finding);
                }
            }
        }
    }
}

fn read_only(holder: &Node<'_>) -> Option<Finding> {
    let (flag, recursive) = (holder.at("readOnly"), holder.at("recursiveReadOnly"));
    flag.is_true().then(|| {
        let mut edits = vec![Edit::remove(&flag)];
        if recursive.exists() {
            // The API allows it only beside readOnly.
            edits.push(Edit::remove(&recursive));
        }
        Finding::contradiction(&flag, "the database files are mounted read-only")
            .because("the engine opens its system databases for writing and does not start without")
            .help("remove readOnly")
            .fix(Fix::safe(edits))
    })
}

fn read_only_mode(template: &Node<'_>) -> Option<Finding> {
    let mode = template.path(&["spec", "accessModes"]).items().find(|mode| mode.str() == Some("ReadOnlyMany"))?;
    Some(
        Finding::contradiction(&mode, "the claim for the database files may be one that can only be read")
            .help("set accessModes to [ReadWriteOnce]"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::Objects;
    use crate::testing::{ask, ask_in, deployment, settings, stateful_set, test};

    const MOUNT: &str = "/spec/template/spec/containers/0/volumeMounts/0/readOnly";
    const SOURCE: &str = "/spec/template/spec/volumes/0/persistentVolumeClaim/readOnly";

    #[test]
    fn read_only_anywhere_on_the_way_is_refused() {
        assert!(ask(&RULE, &deployment(&[(MOUNT, json!(false)), (SOURCE, json!(null))])).is_empty());
        assert_eq!(ask(&RULE, &deployment(&[(MOUNT, json!(true))])), [format!("reject {MOUNT}")]);
        assert_eq!(ask(&RULE, &deployment(&[(SOURCE, json!(true))])), [format!("reject {SOURCE}")]);
        let modes = "/spec/volumeClaimTemplates/0/spec/accessModes";
        assert_eq!(ask(&RULE, &stateful_set(&[(modes, json!(["ReadOnlyMany"]))])), [format!("reject {modes}/0")]);
        let other = json!({"name": "conf", "mountPath": "/etc/conf", "readOnly": true});
        assert!(ask(&RULE, &deployment(&[("/spec/template/spec/containers/0/volumeMounts/-", other)])).is_empty());
    }

    #[test]
    fn it_is_mended_where_the_settings_say_so() {
        let mutate = settings(json!({"rules": {"writable-data": "mutate"}}));
        let object = deployment(&[(MOUNT, json!(true))]);
        assert_eq!(ask_in(&RULE, &object, &Objects::default(), &mutate), [format!("mutate {MOUNT}")]);
    }
}
