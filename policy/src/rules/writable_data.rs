//! # What must hold
//! The database can write its files: neither the mounts of the databases, the error logs and the machine key, whatever
//! their volumes are, nor their claims are `readOnly`, no claim template asks for ReadOnlyMany, and none of these
//! directories is a Secret or ConfigMap. The same holds for volumes that are mounted below the directory of the
//! databases. Files from a Secret or ConfigMap below these directories are fine. With `readOnlyRootFilesystem`, a volume
//! is mounted at `/var/opt/mssql`.
//!
//! # Why
//! SQL Edge opens its system databases for writing. On a read-only volume it does not start.
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
//! Safe, but `mutate` only if the settings say so: removes `readOnly` from the mount and from the claim's volume. The
//! access mode of a claim template is not changed.
//!
//! # Sources
//! - Kubernetes documentation, *Persistent Volumes*: access modes, and `readOnly` of a claim's volume source

use super::check::{Check, CheckContext, MAX_FINDINGS, Reported};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Fix, Related};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::volumes::{Mount, VolumeKind, VolumeSource, effective_mount, is_within};
use crate::view::Scope;
use crate::view::storage::DataStorage;
use crate::workload::claims::DataClaim;
use crate::workload::{DatabaseContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "writable-data",
    summary: "the database can write its files",
    loss: Loss::Availability,
    default_action: Action::Reject,
    fixable: Fixable::Safe,
    sees: &[Kind::Claim, Kind::Volume],
    checks: &[Check::Workload(check)],
    relations: &[Check::Workload(check_volumes)],
};

fn check(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    // Several containers may use one claim.
    let mut reported = Reported::default();
    for container in workload.containers() {
        if findings.len() >= MAX_FINDINGS {
            return;
        }
        let product = container.engine.product;
        findings.extend(check_root(&container));
        findings.extend(check_files_of_objects(&container));
        for (mount, effect) in written_mounts(&container) {
            findings.extend(check_read_only(&mount.entry, product, effect, &mut reported));
            findings.extend(match &mount.source {
                VolumeSource::Claim(source) => check_read_only(source, product, effect, &mut reported),
                VolumeSource::ClaimTemplate(template) => check_access_modes(template, product, &mut reported),
                _ => None,
            });
        }
    }
}

/// A finding if the root filesystem is read-only, and the data root is in it.
fn check_root(container: &DatabaseContainer<'_, '_>) -> Option<Finding> {
    let root = container.engine.data_root;
    let flag = container.container.path(&["securityContext", "readOnlyRootFilesystem"]);
    (flag.is_true() && effective_mount(&container.storage().mounts, root).is_none()).then(|| {
        let product = container.engine.product;
        Finding::contradiction(&flag, format!("{product} does not start: it cannot write to {root}"))
            .help(format!("mount a volume at {root}, or remove `readOnlyRootFilesystem`"))
    })
}

fn is_made_of_object(mount: &Mount<'_>) -> bool {
    mount.source.kind() == VolumeKind::OfObject
}

/// A finding if a whole directory that the database writes to comes from such an object. Where it is that of the
/// databases, the files are lost, which `persistent-data` says.
fn check_files_of_objects(container: &DatabaseContainer<'_, '_>) -> Option<Finding> {
    let storage = container.storage();
    let data = storage.data_mounts();
    let written = container.engine.required_directories.iter().map(|(directory, _)| *directory);
    written.chain([container.engine.data_root]).find_map(|directory| {
        let mount = effective_mount(&storage.mounts, directory)?;
        let kind = mount.source.field()?;
        let is_own = is_made_of_object(mount) && !data.iter().any(|data| data.path == mount.path);
        is_own.then(|| {
            let product = container.engine.product;
            Finding::contradiction(&mount.entry.at("mountPath"), format!("{product} cannot write to {directory}"))
                .reason(format!("a volume of the kind `{kind}` can only be read"))
                .help("mount single files with `subPath`, or use another directory")
        })
    })
}

/// The same for the claims and volumes behind the mounts.
fn check_volumes(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if context.scope() == Scope::Request {
        return;
    }
    let mut reported = Reported::default();
    for container in workload.containers() {
        check_volumes_of(context, &container, findings, &mut reported);
    }
}

fn check_volumes_of<'s, 'a: 's>(
    context: &'s CheckContext<'_>,
    container: &DatabaseContainer<'_, 'a>,
    findings: &mut Findings,
    reported: &mut Reported<'s>,
) {
    let product = container.engine.product;
    for (mount, _) in written_mounts(container) {
        let claim = DataClaim::from_source(&mount.source);
        let storage = claim.as_ref().and_then(|claim| context.view.storage_of(claim, container.workload));
        let Some(DataStorage { location: name, claim, is_template, volume, .. }) = storage else { continue };
        let modes = claim.object.path(&["spec", "accessModes"]);
        // Those of a template are checked alone.
        let of_claim = modes.items().find(|mode| mode.str() == Some("ReadOnlyMany")).filter(|_| !is_template);
        let of_volume = volume.and_then(|volume| Some((volume.object, volume.read_only()?)));
        let Some((object, at)) = of_claim.map(|mode| (claim.object, mode)).or(of_volume) else { continue };
        if reported.insert(&name) {
            let message = format!("{product} does not start on a volume that can only be read");
            let related = || Related::new(&object, &at, "this allows reading only");
            findings.push(
                Finding::contradiction(&name, message)
                    .help("use a volume that can be written to")
                    .for_reports(|finding| finding.related([related()])),
            );
        }
    }
}

/// The mounts that the database writes to, and what happens if it cannot: those of its files, of its error logs and of
/// its machine key, and those below its files. One mount can be several of these.
fn written_mounts<'w, 'a>(
    container: &DatabaseContainer<'w, 'a>,
) -> impl Iterator<Item = (&'w Mount<'a>, &'static str)> {
    let (storage, engine) = (container.storage(), container.engine);
    let required = engine.required_directories.iter();
    let required = required.filter_map(|(directory, _)| effective_mount(&storage.mounts, directory));
    let is_below = |path: &str| {
        let directories = storage.directories.iter().filter_map(|directory| directory.path.as_deref());
        // Other things than databases are below the data root.
        directories.into_iter().any(|data| is_within(path, data) && !is_within(engine.data_root, data))
    };
    let below = storage.mounts.iter().filter(move |mount| is_below(&mount.path));
    let others = required.chain(below).filter(|mount| !is_made_of_object(mount));
    let data = storage.data_mounts().into_iter();
    data.map(|mount| (mount, "does not start: it cannot write its system databases"))
        .chain(others.map(|mount| (mount, "cannot write to this directory")))
}

fn check_read_only<'a>(
    parent: &Cursor<'a>,
    product: &str,
    effect: &str,
    reported: &mut Reported<'a>,
) -> Option<Finding> {
    let (flag, recursive) = (parent.at("readOnly"), parent.at("recursiveReadOnly"));
    if !flag.is_true() || !reported.insert(&flag) {
        return None;
    }
    let finding = Finding::contradiction(&flag, format!("{product} {effect}")).help("remove `readOnly`");
    // The others are not looked for, and a mutation would leave them.
    if reported.is_full() {
        return Some(finding);
    }
    let mut edits = vec![Edit::remove(&flag)];
    if recursive.exists() {
        // The API server rejects it without `readOnly`.
        edits.push(Edit::remove(&recursive));
    }
    Some(finding.fix(Fix::safe(edits)))
}

fn check_access_modes<'a>(template: &Cursor<'a>, product: &str, reported: &mut Reported<'a>) -> Option<Finding> {
    let mode = template.path(&["spec", "accessModes"]).items().find(|mode| mode.str() == Some("ReadOnlyMany"))?;
    reported.insert(&mode).then(|| {
        Finding::contradiction(&mode, format!("{product} does not start on a volume that can only be read"))
            .help("set `accessModes: [ReadWriteOnce]`")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask, ask_in, deployment, settings, stateful_set, test};
    use crate::view::index::ObjectIndex;

    const MOUNT: &str = "/spec/template/spec/containers/0/volumeMounts/0/readOnly";
    const SOURCE: &str = "/spec/template/spec/volumes/0/persistentVolumeClaim/readOnly";

    #[test]
    fn read_only_is_rejected_on_the_mount_and_on_the_claim() {
        assert!(ask(&RULE, &deployment(&[(MOUNT, json!(false)), (SOURCE, json!(null))])).is_empty());
        assert_eq!(ask(&RULE, &deployment(&[(MOUNT, json!(true))])), [format!("reject {MOUNT}")]);
        assert_eq!(ask(&RULE, &deployment(&[(SOURCE, json!(true))])), [format!("reject {SOURCE}")]);
        let modes = "/spec/volumeClaimTemplates/0/spec/accessModes";
        assert_eq!(ask(&RULE, &stateful_set(&[(modes, json!(["ReadOnlyMany"]))])), [format!("reject {modes}/0")]);
        let log = json!({"name": "data", "mountPath": "/var/opt/mssql/log", "subPath": "log", "readOnly": true});
        let mounts = "/spec/template/spec/containers/0/volumeMounts";
        assert_eq!(ask(&RULE, &deployment(&[(&format!("{mounts}/-"), log)])), [format!("reject {mounts}/1/readOnly")]);
        let other = json!({"name": "conf", "mountPath": "/etc/conf", "readOnly": true});
        assert!(ask(&RULE, &deployment(&[("/spec/template/spec/containers/0/volumeMounts/-", other)])).is_empty());
    }

    #[test]
    fn a_read_only_root_needs_a_volume_at_the_data_root() {
        let flag = "/spec/template/spec/containers/0/securityContext/readOnlyRootFilesystem";
        let path = "/spec/template/spec/containers/0/volumeMounts/0/mountPath";
        assert!(ask(&RULE, &deployment(&[(flag, json!(true))])).is_empty());
        let only_data = deployment(&[(flag, json!(true)), (path, json!("/var/opt/mssql/data"))]);
        assert_eq!(ask(&RULE, &only_data), [format!("reject {flag}")]);
        assert!(ask(&RULE, &deployment(&[(flag, json!(false)), (path, json!("/var/opt/mssql/data"))])).is_empty());
    }

    #[test]
    fn a_directory_from_an_object_cannot_be_written() {
        let pod = "/spec/template/spec";
        let with = |volume: Value, path: &str, sub_path: Value| {
            let mount = json!({"name": "own", "mountPath": path, "subPath": sub_path});
            let (volumes, mounts) = (format!("{pod}/volumes/-"), format!("{pod}/containers/0/volumeMounts/-"));
            ask(&RULE, &deployment(&[(&volumes, volume), (&mounts, mount)]))
        };
        let secret = || json!({"name": "own", "secret": {"secretName": "keys"}});
        let expected = [format!("reject {pod}/containers/0/volumeMounts/1/mountPath")];
        assert_eq!(with(secret(), "/var/opt/mssql/secrets", json!(null)), expected);
        assert_eq!(
            with(json!({"name": "own", "configMap": {"name": "c"}}), "/var/opt/mssql/log", json!(null)),
            expected
        );
        assert!(with(secret(), "/var/opt/mssql/secrets/machine-key", json!("machine-key")).is_empty());
        assert!(with(json!({"name": "own", "emptyDir": {}}), "/var/opt/mssql/log", json!(null)).is_empty());
    }

    #[test]
    fn no_mount_of_what_it_writes_is_read_only() {
        let pod = "/spec/template/spec";
        let flag = format!("reject {pod}/containers/0/volumeMounts/1/readOnly");
        let (empty, path) = (|| json!({"emptyDir": {}}), json!({"hostPath": {"path": "/srv"}}));
        let object = || json!({"configMap": {"name": "c"}});
        let claim = || json!({"persistentVolumeClaim": {"claimName": "more"}});
        let cases = [
            (empty(), "log", vec![flag.clone()]),
            (path, "secrets", vec![flag.clone()]),
            (claim(), "data/sub", vec![flag.clone()]),
            (object(), "data/sub", vec![]),
            (object(), "secrets/tls", vec![]),
            (claim(), "backup", vec![]),
            (claim(), "database", vec![]),
            (object(), "log", vec![format!("reject {pod}/containers/0/volumeMounts/1/mountPath")]),
        ];
        for (mut volume, directory, expected) in cases {
            volume["name"] = json!("own");
            let mount = json!({"name": "own", "mountPath": format!("/var/opt/mssql/{directory}"), "readOnly": true});
            let (volumes, mounts) = (format!("{pod}/volumes/-"), format!("{pod}/containers/0/volumeMounts/-"));
            let with = |directory: &str| {
                let env = json!({"name": "MSSQL_DATA_DIR", "value": directory});
                let env_path = format!("{pod}/containers/0/env/-");
                let changes = [(&*volumes, volume.clone()), (&*mounts, mount.clone()), (&*env_path, env)];
                ask(&RULE, &deployment(&changes))
            };
            assert_eq!(with("/var/opt/mssql/data"), expected, "{mount}");
            assert_eq!(with("/var/opt/mssql"), expected, "{mount}");
        }
    }

    #[test]
    fn a_mutation_does_not_leave_some_of_many_flags() {
        let mount = |number: usize| json!({"name": "data", "mountPath": format!("/var/opt/mssql/data/{number}"), "readOnly": true});
        let mounts: Vec<Value> = (0..2 * MAX_FINDINGS).map(mount).collect();
        let mounts = ("/spec/template/spec/containers/0/volumeMounts", json!(mounts));
        let data = (
            "/spec/template/spec/containers/0/env/-",
            json!({"name": "MSSQL_DATA_DIR", "value": "/var/opt/mssql/data"}),
        );
        let mutate = settings(json!({"rules": {"writable-data": "mutate"}}));
        let found = ask_in(&RULE, &deployment(&[mounts, data]), &ObjectIndex::default(), &mutate);
        assert_eq!(found.len(), MAX_FINDINGS);
        assert!(found.last().is_some_and(|last| last.starts_with("reject ")), "{found:?}");
    }

    #[test]
    fn a_claim_of_several_containers_has_one_finding() {
        let pod = "/spec/template/spec";
        let mut object = deployment(&[(SOURCE, json!(true))]);
        let container = object.pointer(&format!("{pod}/containers/0")).cloned().unwrap();
        object["spec"]["template"]["spec"]["containers"] = json!([container, container]);
        assert_eq!(ask(&RULE, &object), [format!("reject {SOURCE}")]);
    }

    #[test]
    fn it_is_mutated_if_the_settings_say_so() {
        let mutate = settings(json!({"rules": {"writable-data": "mutate"}}));
        let object = deployment(&[(MOUNT, json!(true))]);
        assert_eq!(ask_in(&RULE, &object, &ObjectIndex::default(), &mutate), [format!("mutate {MOUNT}")]);
    }
}
