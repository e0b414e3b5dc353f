//! # What must hold
//! Every directory that holds database files is backed by a persistent volume claim: the directories of
//! `MSSQL_MASTER_DATA_FILE` and `MSSQL_MASTER_LOG_FILE`, `MSSQL_DATA_DIR` and `MSSQL_LOG_DIR`, and where these are not
//! set `/var/opt/mssql/data`. For each directory the deepest mount above it decides; it must lead to a volume with a
//! `persistentVolumeClaim` or to a claim template of the StatefulSet. `tempdb` may lie elsewhere.
//!
//! # Why
//! Everything outside a claim ends with the pod: the replacement starts with no databases, and starts successfully, so
//! that nobody notices before the application does. A claim that is declared but never mounted, or mounted beside the
//! data directory, protects nothing. `hostPath` stays behind on the node that failed.
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
//! Unsafe: mounts the claim that the pod already has at `/var/opt/mssql`, or adds a claim, a volume and a mount (in a
//! StatefulSet a claim template), of the size that the settings give. Databases in the old place are not moved.
//!
//! # Sources
//! - Microsoft, *High availability for Azure SQL Edge containers*: the replacement reconnects to the same persistent storage
//! - Kubernetes documentation, *Volumes*: what each kind of volume outlives
//! - Microsoft, *Configure SQL Server settings with environment variables on Linux*: the directories

use super::{Fixable, Rule};
use crate::claims;
use crate::finding::{Action, Finding, Findings, push_part, quoted};
use crate::node::Node;
use crate::subject::Subject;
use crate::volumes::{Backing, DATA_ROOT, DataDirectory, Files, Mount, deciding_mount};
use crate::workload::{EngineContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "persistent-data",
    summary: "the database files are on a persistent volume claim",
    default_action: Action::Reject,
    fixable: Fixable::Unsafe,
    is_relational: false,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(workload) = subject.workload() else { return };
    for engine in &workload.engines {
        findings.extend(judge(subject, workload, engine));
    }
}

fn judge<'a>(subject: &Subject<'_>, workload: &Workload<'a>, engine: &EngineContainer<'a>) -> Option<Finding> {
    let Files { mounts, directories } = workload.files(engine);
    let mut lost = Vec::new();
    for directory in directories {
        let Some(path) = &directory.path else { continue };
        let mount = deciding_mount(mounts, path);
        if !mount.is_some_and(|mount| mount.backing.is_claim()) {
            lost.push((directory, mount));
        }
    }
    let Some((directory, mount)) = lost.first() else { return unseen(engine, directories) };
    let (place, label) = place(workload, engine, mounts, directory, *mount);
    let message = "the database files are not on a persistent volume claim";
    // What envFrom brings may move the default directories onto a claim that is mounted.
    let may_be_moved = engine.environment().has_unseen_source()
        && mounts.iter().any(|mount| mount.backing.is_claim())
        && lost.iter().all(|(directory, _)| directory.variable.is_none());
    let finding = if may_be_moved {
        Finding::advice(&place, message)
            .help("make sure that the variables from envFrom move them there, and name them in env")
    } else {
        Finding::contradiction(&place, message)
            .help(help(workload, engine, &lost))
            .unsafe_fix(|| claims::add(workload, engine, &lost, &subject.settings.claim_size))
    };
    Some(Finding { label: label.map(Into::into), ..finding.because(reasons(&lost)) })
}

/// Directories that are chosen by variables whose values lie elsewhere.
fn unseen(engine: &EngineContainer<'_>, directories: &[DataDirectory]) -> Option<Finding> {
    let variable = directories.iter().find(|directory| directory.path.is_none())?.variable?;
    let entry = engine.environment().entry(variable)?;
    Some(
        Finding::advice(&entry.at("name"), format!("{variable} names a directory that cannot be seen here"))
            .because("whether that directory is on a claim depends on a value from elsewhere")
            .help("write the directory into the manifest as a plain value"),
    )
}

/// The place that tells most about what is wrong, and what it is.
fn place<'a>(
    workload: &Workload<'a>,
    engine: &EngineContainer<'a>,
    mounts: &[Mount<'a>],
    directory: &DataDirectory,
    mount: Option<&Mount<'a>>,
) -> (Node<'a>, Option<String>) {
    if let Some(mount) = mount {
        return (mount.node.at("mountPath"), Some(format!("volume {} is mounted here", quoted(mount.volume))));
    }
    if let Some(entry) = directory.variable.and_then(|variable| engine.environment().entry(variable)) {
        return (entry.at("name"), Some("this moves files to where nothing is mounted".to_owned()));
    }
    let elsewhere = mounts.iter().find_map(|mount| Some((mount, mount.claim_name()?)));
    if let Some((mount, claim)) = elsewhere {
        return (mount.node.at("mountPath"), Some(format!("the claim {} is mounted here", quoted(claim))));
    }
    if let Some(claim) = claims::declared(workload, engine).into_iter().next() {
        return (claim.place, Some("no mount of the engine's container uses this claim".to_owned()));
    }
    (engine.node.at("volumeMounts"), None)
}

/// What becomes of each directory, directories with the same fate together.
fn reasons(lost: &[(&DataDirectory, Option<&Mount<'_>>)]) -> String {
    let mut fates: Vec<Fate> = Vec::new();
    for (directory, mount) in lost {
        let fate = mount.map_or_else(
            || "is in the container's own layer: a replaced pod starts with no databases".to_owned(),
            |mount| fate(mount),
        );
        match fates.iter_mut().find(|known| known.fate == fate) {
            Some(shared) => {
                push_part(&mut shared.directories, ", ", &directory.describe());
                shared.verb = ": each ";
            }
            None => fates.push(Fate { directories: directory.describe(), verb: " ", fate }),
        }
    }
    let mut sentences = String::new();
    for Fate { directories, verb, fate } in fates {
        push_part(&mut sentences, "; ", &directories);
        sentences.push_str(verb);
        sentences.push_str(&fate);
    }
    sentences
}

/// What becomes of some directories.
struct Fate {
    directories: String,
    /// What stands between the directories and their fate.
    verb: &'static str,
    fate: String,
}

fn fate(mount: &Mount<'_>) -> String {
    match mount.backing {
        Backing::NoSuchVolume => format!("is on volume {}, which does not exist", quoted(mount.volume)),
        Backing::NoSource | Backing::Other("emptyDir") => "is on an emptyDir, which is deleted with the pod".to_owned(),
        Backing::Other("ephemeral") => "is on an ephemeral volume, whose claim is deleted with the pod".to_owned(),
        Backing::Other("csi") => "is on an inline CSI volume, which is deleted with the pod".to_owned(),
        Backing::Other("hostPath") => {
            "is on one node's own disk (hostPath): on another node a pod starts with no databases".to_owned()
        }
        Backing::Other(name @ ("configMap" | "secret" | "projected" | "downwardAPI" | "image")) => {
            format!("is on a volume of kind {name}, which the engine cannot write")
        }
        Backing::Other(name) => {
            format!(
                "is on a volume named in the pod itself ({}): persistent, but no claim keeps it",
                quoted(name).trim_matches('`')
            )
        }
        Backing::Claim(_) | Backing::ClaimTemplate(_) => "is on a claim".to_owned(),
    }
}

fn help<'a>(
    workload: &Workload<'a>,
    engine: &EngineContainer<'a>,
    lost: &[(&DataDirectory, Option<&Mount<'_>>)],
) -> String {
    let is_default = lost.iter().all(|(directory, mount)| directory.variable.is_none() && mount.is_none());
    match (is_default, claims::declared(workload, engine).len()) {
        (true, 1) => format!("mount the claim at {DATA_ROOT}"),
        (true, 2..) => format!("mount the claim that is for the databases at {DATA_ROOT}"),
        (true, 0) => format!("mount a persistent volume claim at {DATA_ROOT}"),
        (false, _) => "mount a persistent volume claim there".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::objects::Objects;
    use crate::settings::Settings;
    use crate::testing::{ask, deployment, findings_of, stateful_set, test};

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
    fn everything_else_has_its_own_words() {
        let cases = [
            (json!({"emptyDir": {}}), "is on an emptyDir"),
            (json!({}), "is on an emptyDir"),
            (json!({"ephemeral": {}}), "ephemeral volume"),
            (json!({"csi": {"driver": "x"}}), "inline CSI"),
            (json!({"hostPath": {"path": "/x"}}), "hostPath"),
            (json!({"configMap": {"name": "x"}}), "configMap"),
            (json!({"secret": {}}), "secret"),
            (json!({"projected": {}}), "projected"),
            (json!({"image": {}}), "image"),
            (json!({"nfs": {"path": "/"}}), "(nfs)"),
        ];
        for (mut volume, words) in cases {
            volume["name"] = json!("data");
            let object = deployment(&[(VOLUMES, json!([volume]))]);
            let findings = findings_of(&RULE, &object, &Objects::default(), &Settings::default());
            let [finding] = findings.as_slice() else { panic!("one finding for {volume}") };
            assert_eq!(finding.pointer, format!("{MOUNTS}/0/mountPath"));
            assert!(finding.reason.as_deref().unwrap_or_default().contains(words), "{volume}: {finding:?}");
        }
        assert_eq!(ask(&RULE, &deployment(&[(VOLUMES, json!([]))])), reject_at(&format!("{MOUNTS}/0/mountPath")));
    }

    #[test]
    fn what_is_mounted_beside_or_below_decides_nothing_or_everything() {
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
    fn the_environment_moves_the_files() {
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
    fn what_env_from_may_move_is_only_a_warning() {
        let source = ("/spec/template/spec/containers/0/envFrom", json!([{"configMapRef": {"name": "c"}}]));
        assert!(ask(&RULE, &deployment(std::slice::from_ref(&source))).is_empty());
        let elsewhere = (&*format!("{MOUNTS}/0/mountPath"), json!("/data"));
        assert_eq!(ask(&RULE, &deployment(&[source.clone(), elsewhere])), [format!("warn {MOUNTS}/0/mountPath")]);
        let unmounted = (MOUNTS, json!([]));
        assert_eq!(ask(&RULE, &deployment(&[source, unmounted])).len(), 1);
    }

    #[test]
    fn the_unsafe_fix_puts_the_files_on_a_claim() {
        for right in [deployment, stateful_set] {
            for change in [(MOUNTS, json!([])), (VOLUMES, json!([{"name": "data", "emptyDir": {}}]))] {
                let mut object = right(&[("/spec/volumeClaimTemplates", json!(null)), change]);
                let findings = findings_of(&RULE, &object, &Objects::default(), &Settings::default());
                for finding in &findings {
                    let fix = finding.fix.as_ref().expect("there is a fix");
                    assert_eq!(crate::finding::apply(&mut object, &fix.edits), Ok(()));
                }
                assert_eq!((findings.len(), ask(&RULE, &object)), (1, vec![]), "{object}");
            }
        }
    }

    #[test]
    fn what_only_a_person_can_mend_has_no_fix() {
        let object = deployment(&[(
            "/spec/template/spec/containers/0/env/-",
            json!({"name": "MSSQL_DATA_DIR", "value": "/srv"}),
        )]);
        let findings = findings_of(&RULE, &object, &Objects::default(), &Settings::default());
        assert_eq!(findings.iter().map(|finding| &finding.fix).collect::<Vec<_>>(), [&None]);
    }

    #[test]
    fn what_an_unknown_volume_calls_itself_does_not_command_a_terminal() {
        let object = deployment(&[(VOLUMES, json!([{"name": "data", "\u{1b}[2J": {}}]))]);
        let findings = findings_of(&RULE, &object, &Objects::default(), &Settings::default());
        let reason = findings[0].reason.as_ref().expect("there is a reason");
        assert!(reason.contains("named in the pod itself (\u{fffd}[2J)"), "{reason}");
    }
}
