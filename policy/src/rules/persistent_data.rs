//! # What must hold
//! Every directory with database files is on a persistent volume claim. The directories are those of
//! `MSSQL_MASTER_DATA_FILE` and `MSSQL_MASTER_LOG_FILE`, `MSSQL_DATA_DIR` and `MSSQL_LOG_DIR`, or else
//! `/var/opt/mssql/data`. The deepest mount at or above a directory counts: it must name a volume with a
//! `persistentVolumeClaim`, whose `claimName` is not empty, or a claim template of the StatefulSet. `tempdb` may be
//! elsewhere. A mounted `mssql.conf` can set the directories, too. While the contents of this file or of `envFrom` are
//! not known, a default directory outside the mounted claim is a warning.
//!
//! # Why
//! Files outside a claim are lost with the pod. The replacement pod starts without databases, and it starts without
//! an error, so that the application is the first to notice. A claim that no container mounts, or that is mounted
//! beside the data directory, protects nothing. A `hostPath` stays on the failed node.
//!
//! # Example
//! ```yaml
//! containers:
//!   - name: sql
//!     image: mcr.microsoft.com/azure-sql-edge:1.0.7
//!     volumeMounts:
//!       - name: sqldata
//!         mountPath: /var/lib/data/
//! ```
//!
//! # Instead
//! ```yaml
//! containers:
//!   - name: sql
//!     image: mcr.microsoft.com/azure-sql-edge:1.0.7
//!     volumeMounts:
//!       - name: sqldata
//!         mountPath: /var/opt/mssql
//! ```
//!
//! # Fix
//! Unsafe: puts all directories, and the rest of `/var/opt/mssql`, on the claim of the pod or of the application that
//! nothing mounts, or adds a claim, a volume and a mount (in a StatefulSet a claim template). A claim is not used if
//! its PersistentVolume stays on one node. The setting `claimSize` is the size of a new one. Existing databases are not
//! moved. Nothing is fixed while `steady-controller` or `single-replica` rejects the workload, and where several claims
//! could be meant.
//!
//! # Sources
//! - Microsoft, *High availability for Azure SQL Edge containers*: the replacement reconnects to the same persistent
//!   storage
//! - Kubernetes documentation, *Volumes*: what each kind of volume outlives
//! - Microsoft, *Configure SQL Server settings with environment variables on Linux*: the directories

#[cfg(not(feature = "guest"))]
mod claim_fix;
mod declared_claims;
mod loss;

#[cfg(not(feature = "guest"))]
use self::claim_fix::claim_fix;
use self::declared_claims::declared_claims;
use self::loss::describe_losses;
use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, quoted};
use crate::json::cursor::Cursor;
use crate::kubernetes::volumes::{Mount, VolumeKind, VolumeSource, effective_mount};
use crate::workload::DatabaseContainer;
use crate::workload::storage::{ContainerStorage, DataDirectory};

/// The rule.
pub const RULE: Rule = Rule {
    id: "persistent-data",
    summary: "the database files are on a persistent volume claim",
    loss: Loss::Data,
    default_action: Action::Reject,
    fixable: Fixable::Unsafe,
    sees: &[],
    checks: &[Check::Container(check)],
    relations: &[],
};

/// A data directory that is not on a claim, with its mount.
type Unprotected<'d, 'a> = (&'d DataDirectory, Option<&'d Mount<'a>>);

fn check(context: &CheckContext<'_>, container: &DatabaseContainer<'_, '_>, findings: &mut Findings) {
    let ContainerStorage { mounts, directories } = container.storage();
    let mut unprotected: Vec<Unprotected<'_, '_>> = Vec::new();
    for directory in directories {
        let Some(path) = &directory.path else { continue };
        let mount = effective_mount(mounts, path);
        if !mount.is_some_and(is_named_claim) {
            unprotected.push((directory, mount));
        }
    }
    let Some((directory, mount)) = unprotected.first() else {
        findings.extend(unresolved_directory(container, directories));
        return;
    };
    let (at, place) = location(container, mounts, directory, *mount);
    let (message, reason) = describe_losses(&unprotected, container.engine.product);
    let problem = Problem::new(*mount);
    // Variables from `envFrom`, or an `mssql.conf`, may move the default directories to a mounted claim.
    let may_be_moved = container.may_have_more()
        && !matches!(problem, Problem::ReadOnlyVolume)
        && mounts.iter().any(is_named_claim)
        && unprotected.iter().all(|(directory, _)| directory.variable.is_none());
    let finding = if may_be_moved {
        Finding::advice(&at, message).help(if container.environment().has_env_from() {
            "make sure that variables from `envFrom` move them to the claim, and name them in `env`"
        } else {
            "make sure that `mssql.conf` moves them to the claim, and name the directories in `env`"
        })
    } else {
        let fix = claim_fix(context, container, &unprotected);
        Finding { fix, ..Finding::contradiction(&at, message).help(help(container, &unprotected)) }
            .problem(problem as u8)
    };
    let finding =
        Finding { reason: reason.map(Into::into), quantity: i64::try_from(unprotected.len()).ok(), ..finding };
    findings.push(finding.for_reports(|finding| match place {
        Some(place) => finding.label(place.describe()),
        None => finding,
    }));
}

/// Whether a volume is a claim; the API server rejects one without a name.
fn is_named_claim(mount: &Mount<'_>) -> bool {
    mount.source.is_claim() && mount.claim_name().is_some_and(|name| !name.is_empty())
}

/// The module applies safe fixes only.
#[cfg(feature = "guest")]
fn claim_fix(
    _: &CheckContext<'_>,
    _: &DatabaseContainer<'_, '_>,
    _: &[Unprotected<'_, '_>],
) -> Option<crate::finding::Fix> {
    None
}

/// Advice if a directory is set by a variable whose value is outside the manifest.
fn unresolved_directory(container: &DatabaseContainer<'_, '_>, directories: &[DataDirectory]) -> Option<Finding> {
    let variable = directories.iter().find(|directory| directory.path.is_none())?.variable?;
    let entry = container.environment().entry(variable)?;
    let message = format!("the value of {variable} is not in this manifest, so its directory cannot be checked");
    Some(Finding::advice(&entry.at("name"), message).help("write the directory into the manifest as a plain value"))
}

/// What is at the location of a finding.
enum Place<'p> {
    /// The mount of a volume that is no claim.
    Mount(&'p str),
    /// The variable with a directory at which nothing is mounted.
    Variable,
    /// The mount of a claim at another directory.
    ClaimMount(&'p str),
    /// A claim that a container of this name does not mount.
    Claim(Option<&'p str>),
}

impl Place<'_> {
    fn describe(&self) -> String {
        match self {
            Place::Mount(volume) => format!("volume {} is mounted here", quoted(volume)),
            Place::Variable => "nothing is mounted at this directory".to_owned(),
            Place::ClaimMount(claim) => format!("the claim {} is mounted here", quoted(claim)),
            Place::Claim(Some(container)) => format!("container {} does not mount this claim", quoted(container)),
            Place::Claim(None) => "the container does not mount this claim".to_owned(),
        }
    }
}

/// The most specific location of an unprotected directory, and what it is.
fn location<'m, 'a>(
    container: &DatabaseContainer<'_, 'a>,
    mounts: &'m [Mount<'a>],
    directory: &DataDirectory,
    mount: Option<&Mount<'a>>,
) -> (Cursor<'a>, Option<Place<'m>>)
where
    'a: 'm,
{
    if let Some(mount) = mount {
        if let VolumeSource::Claim(source) = &mount.source {
            return (source.at("claimName"), None);
        }
        return (mount.entry.at("mountPath"), Some(Place::Mount(mount.volume)));
    }
    if let Some(entry) = directory.variable.and_then(|variable| container.environment().entry(variable)) {
        return (entry.at("name"), Some(Place::Variable));
    }
    if let Some((mount, claim)) = mounts.iter().find_map(|mount| Some((mount, mount.claim_name()?))) {
        return (mount.entry.at("mountPath"), Some(Place::ClaimMount(claim)));
    }
    if let Some(claim) = declared_claims(container).into_iter().next() {
        return (claim.location, Some(Place::Claim(container.container.at("name").str())));
    }
    (container.container.at("volumeMounts"), None)
}

/// Where the files of a directory are.
#[derive(Clone, Copy)]
enum Problem {
    ContainerFileSystem,
    NoSuchVolume,
    PodVolume,
    NodeVolume,
    ReadOnlyVolume,
    UnclaimedVolume,
}

impl Problem {
    fn new(mount: Option<&Mount<'_>>) -> Self {
        match mount.map(|mount| mount.source.kind()) {
            None => Problem::ContainerFileSystem,
            Some(VolumeKind::Missing) => Problem::NoSuchVolume,
            Some(VolumeKind::OfPod) => Problem::PodVolume,
            Some(VolumeKind::OfNode) => Problem::NodeVolume,
            Some(VolumeKind::OfObject) => Problem::ReadOnlyVolume,
            Some(VolumeKind::Other | VolumeKind::Claim) => Problem::UnclaimedVolume,
        }
    }
}

fn help(container: &DatabaseContainer<'_, '_>, unprotected: &[Unprotected<'_, '_>]) -> String {
    let data_root = container.engine.data_root;
    if unprotected.iter().any(|(_, mount)| mount.is_some_and(|mount| mount.source.is_claim())) {
        return "set `claimName` to the name of a claim".to_owned();
    }
    let is_default = unprotected.iter().all(|(directory, mount)| directory.variable.is_none() && mount.is_none());
    match (is_default, declared_claims(container).len()) {
        (true, 1) => format!("mount the claim at {data_root}"),
        (true, 2..) => format!("mount the claim for the databases at {data_root}"),
        (true, 0) => format!("mount a persistent volume claim at {data_root}"),
        (false, _) => "mount a persistent volume claim there".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask, deployment, findings_of, stateful_set, test};
    use crate::view::index::ObjectIndex;

    const MOUNTS: &str = "/spec/template/spec/containers/0/volumeMounts";
    const VOLUMES: &str = "/spec/template/spec/volumes";
    const ENV: &str = "/spec/template/spec/containers/0/env";

    fn reject_at(pointer: &str) -> Vec<String> {
        vec![format!("reject {pointer}")]
    }

    #[test]
    fn claims_and_claim_templates_are_right() {
        assert!(ask(&RULE, &deployment(&[])).is_empty());
        assert!(ask(&RULE, &stateful_set(&[])).is_empty());
        let doubled = deployment(&[(&format!("{MOUNTS}/0/mountPath"), json!("/var//opt/mssql/"))]);
        assert!(ask(&RULE, &doubled).is_empty());
        let above = deployment(&[(&format!("{MOUNTS}/0/mountPath"), json!("/var/opt"))]);
        assert!(ask(&RULE, &above).is_empty());
        let template_wins = stateful_set(&[(VOLUMES, json!([{"name": "data", "emptyDir": {}}]))]);
        assert!(ask(&RULE, &template_wins).is_empty());
    }

    #[test]
    fn every_other_kind_of_volume_has_its_own_message() {
        let cases = [
            (json!({"emptyDir": {}}), "is on an emptyDir"),
            (json!({}), "is on a volume without a source, which is an emptyDir"),
            (json!({"persistentVolumeClaim": null}), "is on a volume without a source, which is an emptyDir"),
            (json!({"ephemeral": {}}), "on an ephemeral volume"),
            (json!({"csi": {"driver": "x"}}), "on an inline CSI volume"),
            (json!({"hostPath": {"path": "/x"}}), "hostPath"),
            (json!({"configMap": {"name": "x"}}), "configMap"),
            (json!({"secret": {}}), "secret"),
            (json!({"projected": {}}), "projected"),
            (json!({"image": {}}), "image"),
            (json!({"nfs": {"path": "/"}}), "on an inline nfs volume"),
        ];
        for (mut volume, words) in cases {
            volume["name"] = json!("data");
            let object = deployment(&[(VOLUMES, json!([volume]))]);
            let findings = findings_of(&RULE, &object, &ObjectIndex::default(), &Settings::default());
            let [finding] = findings.as_slice() else { panic!("one finding for {volume}") };
            assert_eq!(finding.pointer, format!("{MOUNTS}/0/mountPath"));
            assert!(finding.message.contains(words), "{volume}: {finding:?}");
        }
        assert_eq!(ask(&RULE, &deployment(&[(VOLUMES, json!([]))])), reject_at(&format!("{MOUNTS}/0/mountPath")));
    }

    #[test]
    fn only_the_mount_that_the_data_directory_is_in_counts() {
        let beside = deployment(&[(&format!("{MOUNTS}/0/mountPath"), json!("/var/lib/data/"))]);
        assert_eq!(ask(&RULE, &beside), reject_at(&format!("{MOUNTS}/0/mountPath")));
        let unmounted = deployment(&[(MOUNTS, json!([]))]);
        assert_eq!(ask(&RULE, &unmounted), reject_at(&format!("{VOLUMES}/0/persistentVolumeClaim/claimName")));
        let nothing = deployment(&[(MOUNTS, json!(null)), (VOLUMES, json!(null))]);
        assert_eq!(ask(&RULE, &nothing), reject_at(MOUNTS));
        let below = json!({"name": "scratch", "mountPath": "/var/opt/mssql/data"});
        let scratch = json!({"name": "scratch", "emptyDir": {}});
        let shadowed = deployment(&[(&format!("{MOUNTS}/-"), below), (&format!("{VOLUMES}/-"), scratch.clone())]);
        assert_eq!(ask(&RULE, &shadowed), reject_at(&format!("{MOUNTS}/1/mountPath")));
        let config = json!({"name": "scratch", "mountPath": "/var/opt/mssql/mssql.conf", "subPath": "mssql.conf"});
        let harmless = deployment(&[(&format!("{MOUNTS}/-"), config), (&format!("{VOLUMES}/-"), scratch)]);
        assert!(ask(&RULE, &harmless).is_empty());
    }

    #[test]
    fn variables_move_the_files() {
        let set = |name: &str, value: &str| (format!("{ENV}/-"), json!({"name": name, "value": value}));
        let ask_with = |changes: &[(String, Value)]| {
            let changes: Vec<(&str, Value)> = changes.iter().map(|(at, value)| (at.as_str(), value.clone())).collect();
            ask(&RULE, &deployment(&changes))
        };
        assert_eq!(ask_with(&[set("MSSQL_DATA_DIR", "/elsewhere")]), reject_at(&format!("{ENV}/1/name")));
        assert!(ask_with(&[set("MSSQL_DATA_DIR", "/var/opt/mssql/user")]).is_empty());
        assert!(ask_with(&[set("MSSQL_BACKUP_DIR", "/elsewhere"), set("MSSQL_DATA_DIR", "")]).is_empty());
        let from = json!({"name": "MSSQL_LOG_DIR", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}});
        assert_eq!(ask_with(&[(format!("{ENV}/-"), from)]), [format!("warn {ENV}/1/name")]);
    }

    #[test]
    fn files_that_env_from_may_move_are_only_a_warning() {
        let source = ("/spec/template/spec/containers/0/envFrom", json!([{"configMapRef": {"name": "c"}}]));
        assert!(ask(&RULE, &deployment(std::slice::from_ref(&source))).is_empty());
        let elsewhere = (&*format!("{MOUNTS}/0/mountPath"), json!("/data"));
        assert_eq!(ask(&RULE, &deployment(&[source.clone(), elsewhere])), [format!("warn {MOUNTS}/0/mountPath")]);
        let unmounted = (MOUNTS, json!([]));
        assert_eq!(ask(&RULE, &deployment(&[source, unmounted])).len(), 1);
    }

    #[test]
    fn files_that_a_mounted_configuration_may_move_are_only_a_warning() {
        let with = |path: &str| {
            let mount = json!({"name": "conf", "mountPath": path});
            let volume = json!({"name": "conf", "secret": {"secretName": "c"}});
            deployment(&[
                (&format!("{MOUNTS}/0/mountPath"), json!("/sqldata")),
                (&format!("{MOUNTS}/-"), mount),
                (&format!("{VOLUMES}/-"), volume),
            ])
        };
        for path in ["/var/opt/mssql/mssql.conf", "/var/opt//mssql/mssql.conf/"] {
            let findings = findings_of(&RULE, &with(path), &ObjectIndex::default(), &Settings::default());
            let [finding] = findings.as_slice() else { panic!("one finding for {path}") };
            assert_eq!(finding.action, Action::Warn);
            assert!(finding.help.contains("`mssql.conf` moves"), "{finding:?}");
        }
        assert_eq!(ask(&RULE, &with("/var/opt/mssql")), reject_at(&format!("{MOUNTS}/1/mountPath")), "read-only");
    }

    #[test]
    fn a_claim_without_a_name_is_rejected() {
        let name = format!("{VOLUMES}/0/persistentVolumeClaim/claimName");
        assert_eq!(ask(&RULE, &deployment(&[(&name, json!(""))])), reject_at(&name));
        assert_eq!(ask(&RULE, &deployment(&[(&name, json!(null))])), reject_at(&name));
    }

    #[test]
    fn the_unsafe_fix_puts_the_files_on_a_claim() {
        for right in [deployment, stateful_set] {
            for change in [(MOUNTS, json!([])), (VOLUMES, json!([{"name": "data", "emptyDir": {}}]))] {
                let mut object = right(&[("/spec/volumeClaimTemplates", json!(null)), change]);
                let findings = findings_of(&RULE, &object, &ObjectIndex::default(), &Settings::default());
                for finding in &findings {
                    let fix = finding.fix.as_ref().expect("there is a fix");
                    assert_eq!(crate::json::edit::apply(&mut object, &fix.edits), Ok(()));
                }
                assert_eq!((findings.len(), ask(&RULE, &object)), (1, vec![]), "{object}");
            }
        }
    }

    #[test]
    fn a_directory_from_a_variable_without_a_mount_has_no_fix() {
        let object = deployment(&[(
            "/spec/template/spec/containers/0/env/-",
            json!({"name": "MSSQL_DATA_DIR", "value": "/srv"}),
        )]);
        let findings = findings_of(&RULE, &object, &ObjectIndex::default(), &Settings::default());
        assert_eq!(findings.iter().map(|finding| &finding.fix).collect::<Vec<_>>(), [&None]);
    }

    #[test]
    fn control_characters_in_the_kind_of_a_volume_are_replaced() {
        let object = deployment(&[(VOLUMES, json!([{"name": "data", "\u{1b}[2J": {}}]))]);
        let findings = findings_of(&RULE, &object, &ObjectIndex::default(), &Settings::default());
        assert!(findings[0].message.contains("on an inline \u{fffd}[2J volume"), "{findings:?}");
    }
}
