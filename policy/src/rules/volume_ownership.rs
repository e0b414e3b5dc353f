//! # What must hold
//! The database can write to a new volume. Where its files are on a claim, the pod's `securityContext.fsGroup` is set,
//! or the container runs as root (uid 0, or an image of SQL Server 2017), or an init container that runs as root gives
//! the mounted directory to uid 10001, or lets its group or all write to it. A new group alone does not. If an init
//! container runs a script that is not in the manifest, the rule assumes that the script does so. OpenShift assigns a
//! group itself: nothing is checked in files with an object of one of its API groups (`*.openshift.io`), nor in its
//! clusters by the webhook. For Kubewarden, set `fsGroup: none`. On a volume of a node's path (`hostPath`) or of in-tree
//! NFS, `fsGroup` has no effect: a warning, where the volume is in view.
//!
//! # Why
//! The images run as uid 10001, and root owns a new volume: the first start fails with `Permission denied`. So does
//! the first start after the volume was restored or replaced.
//!
//! # Example
//! ```yaml
//! spec:
//!   containers:
//!     - name: sql
//!       image: mcr.microsoft.com/azure-sql-edge:1.0.7
//! ```
//!
//! # Instead
//! ```yaml
//! spec:
//!   securityContext:
//!     fsGroup: 10001
//!   containers:
//!     - name: sql
//!       image: mcr.microsoft.com/azure-sql-edge:1.0.7
//! ```
//!
//! # Fix
//! Safe: sets `securityContext.fsGroup` to the group in the settings (10001), and `fsGroupChangePolicy: OnRootMismatch`
//! unless it is set, so that a failover does not wait until the group of every file is changed.
//!
//! # Sources
//! - <https://github.com/Azure/AKS/issues/1319>, <https://github.com/microsoft/mssql-docker/issues/735>: permission
//!   denied
//! - Kubernetes documentation, *Configure a Security Context*: `fsGroup` and volume ownership

use super::check::{Check, CheckContext, offline};
use super::{Fixable, Loss, Rule};
use crate::engine::{Engine, is_2017};
use crate::finding::{Action, Finding, Findings, Fix, Related};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::kubernetes::command::{Command, argv, commands};
use crate::kubernetes::kind::{Kind, WorkloadKind};
use crate::kubernetes::volumes::{Mount, is_within, normalized};
use crate::view::Scope;
use crate::view::storage::DataStorage;
use crate::workload::claims::DataClaim;
use crate::workload::{EngineContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "volume-ownership",
    summary: "the database can write to a new volume",
    loss: Loss::Availability,
    default_action: Action::Mutate,
    fixable: Fixable::Safe,
    sees: &[Kind::Claim, Kind::Volume],
    checks: &[Check::Workload(check)],
    relations: offline(&[Check::Workload(check_volume)]),
};

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let Some(group) = context.settings.fs_group else { return };
    // OpenShift assigns a group to each namespace, and rejects another one.
    if workload.kind == WorkloadKind::DeploymentConfig {
        return;
    }
    let current = workload.pod.path(&["securityContext", "fsGroup"]);
    if current.exists() {
        return;
    }
    let Some(container) = workload.engines.iter().find(|engine| lacks_ownership(workload, engine).is_some()) else {
        return;
    };
    let (product, uid) = (container.engine.product, container.engine.uid);
    let message =
        format!("{product} does not start on a new volume: root owns it, and the container runs as uid {uid}");
    let mut edits = vec![Edit::set(&workload.pod, &["securityContext", "fsGroup"], group)];
    if !workload.pod.path(&["securityContext", "fsGroupChangePolicy"]).exists() {
        // Otherwise the kubelet changes the group of every file at each start.
        edits.push(Edit::set(&workload.pod, &["securityContext", "fsGroupChangePolicy"], "OnRootMismatch"));
    }
    let help = format!("set `securityContext.fsGroup: {group}` in the pod");
    findings.push(Finding::omission(&current, message, Fix::safe(edits)).help(help));
}

/// Adds a finding if the volume behind a claim is one on which `fsGroup` has no effect, in place of the advice to set
/// it.
fn check_volume(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if context.scope() != Scope::Request && context.settings.fs_group.is_some() {
        findings.extend(workload.engines.iter().find_map(|engine| volume_finding(context, workload, engine)));
    }
}

fn volume_finding<'a>(
    context: &CheckContext<'_>,
    workload: &Workload<'a>,
    engine: &EngineContainer<'a>,
) -> Option<Finding> {
    let mount = lacks_ownership(workload, engine)?;
    let claim = DataClaim::from_source(&mount.source)?;
    let DataStorage { location: name, volume, .. } = context.view.storage_of(&claim, workload)?;
    let volume = volume?;
    let at = volume.source_without_ownership()?;
    let Engine { product, uid, .. } = engine.engine;
    let message = format!("{product} runs as uid {uid}, and `fsGroup` does not give it the files of this volume");
    let related = || Related::new(&volume.object, &at, "the kubelet leaves the owner of these files as it is");
    Some(Finding {
        replaces_others: true,
        ..Finding::advice(&name, message)
            .help(format!("let an init container that runs as root `chown {uid}` the directory"))
            .for_reports(|finding| finding.related([related()]))
    })
}

/// The claim that the container's user may not write to: of those of the database files, or of any if these are on
/// none, because the files have to move to one.
fn lacks_ownership<'w, 'a>(workload: &'w Workload<'a>, engine: &'w EngineContainer<'a>) -> Option<&'w Mount<'a>> {
    let storage = workload.storage(engine);
    let mut claims: Vec<&Mount<'a>> = storage.data_mounts();
    claims.retain(|mount| mount.source.is_claim());
    if claims.is_empty() {
        claims.extend(storage.mounts.iter().filter(|mount| mount.source.is_claim()));
    }
    let unprepared = claims.into_iter().find(|mount| !is_prepared(workload, engine.engine, mount));
    unprepared.filter(|_| !runs_as_root(workload, engine))
}

/// Whether the database runs as uid 0: by its security context, or because its image is of SQL Server 2017
/// (<https://learn.microsoft.com/sql/linux/sql-server-linux-docker-container-security>).
fn runs_as_root<'a>(workload: &Workload<'a>, engine: &EngineContainer<'a>) -> bool {
    match security(workload, &engine.container, "runAsUser").int() {
        Some(user) => user == 0,
        None => is_2017(engine.container.at("image").str().unwrap_or_default()),
    }
}

/// A field of the security context: the container's own, or the pod's.
fn security<'a>(workload: &Workload<'a>, container: &Cursor<'a>, field: &'static str) -> Cursor<'a> {
    let own = container.path(&["securityContext", field]);
    if own.exists() { own } else { workload.pod.path(&["securityContext", field]) }
}

/// Whether an init container that runs as root lets the database write to the volume of `mount`.
fn is_prepared(workload: &Workload<'_>, engine: &Engine, mount: &Mount<'_>) -> bool {
    let sub_path = sub_path(&mount.entry);
    workload.pod.at("initContainers").items().any(|container| {
        let user = security(workload, &container, "runAsUser");
        let must_not_be_root = security(workload, &container, "runAsNonRoot").is_true();
        let is_root = user.int().map_or(!must_not_be_root, |user| user == 0);
        let mounts = container
            .at("volumeMounts")
            .items()
            .filter(|other| other.at("name").str() == Some(mount.volume) && !other.at("readOnly").is_true());
        let paths: Vec<String> = mounts.filter_map(|other| path_in(&other, &sub_path)).collect();
        let directory = Directory { paths, may_be_below: sub_path.contains('$') };
        is_root
            && !directory.paths.is_empty()
            && commands(&argv(&container)).iter().any(|one| gives_access(one, engine, &directory))
    })
}

/// The directory of the volume that a mount shows.
fn sub_path(mount: &Cursor<'_>) -> String {
    normalized(mount.first_of(&["subPath", "subPathExpr"]).and_then(|path| path.str()).unwrap_or_default())
}

/// The path at which a mount shows a directory of its volume, if it does: where variables name one of the two, it is
/// assumed to.
fn path_in(mount: &Cursor<'_>, directory: &str) -> Option<String> {
    let (path, shown) = (mount.at("mountPath").str()?, sub_path(mount));
    let below = if is_within(directory, &shown) {
        directory.strip_prefix(shown.as_str()).unwrap_or_default()
    } else if shown.contains('$') || directory.contains('$') {
        ""
    } else {
        return None;
    };
    // What the variables stand for is not known.
    Some(normalized(&[path, "/", below.split('$').next().unwrap_or_default()].concat()))
}

/// Where an init container finds the directory that the database uses.
struct Directory {
    /// Its paths.
    paths: Vec<String>,
    /// Whether it can be below these.
    may_be_below: bool,
}

/// Whether a command lets the database write to a directory. A script that the manifest does not show is believed.
fn gives_access(command: &Command, engine: &Engine, directory: &Directory) -> bool {
    if command.runs_unseen_script() {
        return true;
    }
    let words: Vec<&str> = command.arguments().collect();
    if !matches!(command.program(), "find" | "xargs") {
        return changes(command.program(), &words, engine) && directory.is_among(command.program(), &words);
    }
    // They run another program, for the files below the first operands of `find`, or for those that `xargs` reads.
    let own =
        words.iter().position(|word| matches!(*word, "chown" | "chmod")).and_then(|at| words.split_at_checked(at));
    own.is_some_and(|(before, own)| {
        let (program, words) = own.split_first().map_or(("", own), |(program, words)| (*program, words));
        let mut roots = before.iter().take_while(|word| !word.starts_with('-'));
        changes(program, words, engine)
            && (command.program() == "xargs" || roots.any(|root| directory.is_at(root, true)))
    })
}

/// Whether a program with these arguments lets the database write to its operands. A group alone may not write.
fn changes(program: &str, words: &[&str], engine: &Engine) -> bool {
    let first = words.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
    match program {
        "chown" => {
            let user = first.split([':', '.']).next().unwrap_or_default();
            is_user(user, engine) || words.iter().any(|word| word.starts_with("--reference"))
        }
        "chmod" => lets_others_write(first),
        "install" => {
            let mut previous = "";
            words.iter().any(|word| {
                let flag = std::mem::replace(&mut previous, word);
                let value = |short: &str, long: &str| if flag == short { Some(*word) } else { word.strip_prefix(long) };
                value("-o", "--owner=").is_some_and(|user| is_user(user, engine))
                    || value("-m", "--mode=").is_some_and(lets_others_write)
            })
        }
        _ => false,
    }
}

impl Directory {
    /// Whether it is among the operands of a program.
    fn is_among(&self, program: &str, words: &[&str]) -> bool {
        let is_recursive = words.iter().any(|word| {
            *word == "--recursive" || word.starts_with('-') && !word.starts_with("--") && word.contains('R')
        });
        let mut operands: Vec<&str> = words.iter().filter(|word| !word.starts_with('-')).copied().collect();
        // Of `install`, the last operand; of the others, all after the owner or the mode.
        let first = if program == "install" { operands.len().saturating_sub(1) } else { 1 };
        operands.drain(..first.min(operands.len()));
        operands.into_iter().any(|operand| self.is_at(operand, is_recursive))
    }

    /// Whether an operand is it, or above it and `is_recursive`, or not known.
    fn is_at(&self, operand: &str, is_recursive: bool) -> bool {
        let is_known = operand.starts_with('/') && !operand.contains(['$', '`']);
        // What a pattern such as `/data/*` matches is not known, but where.
        let pattern = operand.split_once(['*', '?', '[', '{']);
        let operand = normalized(operand);
        let is_it = |path: &String| {
            *path == operand
                || pattern.is_some_and(|(before, _)| path.starts_with(before))
                || is_recursive && is_within(path, &operand)
                || self.may_be_below && is_within(&operand, path)
        };
        !is_known || self.paths.iter().any(is_it)
    }
}

fn is_user(name: &str, engine: &Engine) -> bool {
    name == "mssql" || name.contains('$') || name.parse() == Ok(engine.uid)
}

/// Whether a mode lets the group or others write.
fn lets_others_write(mode: &str) -> bool {
    if let Ok(bits) = u32::from_str_radix(mode, 8) {
        return bits & 0o022 != 0;
    }
    mode.contains('$')
        || mode.split(',').any(|part| {
            let (who, what) = part.split_at(part.find(['+', '-', '=']).unwrap_or(part.len()));
            !what.starts_with('-') && what.contains(['w', 'u']) && (who.is_empty() || who.contains(['a', 'g', 'o']))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask, ask_in, claim, closed, deployment, settings, stateful_set, test};
    use crate::view::index::ObjectIndex;

    const POD: &str = "/spec/template/spec";

    fn without_group(changes: &[(&str, Value)]) -> Value {
        let group = format!("{POD}/securityContext/fsGroup");
        deployment(&[&[(group.as_str(), json!(null))], changes].concat())
    }

    #[test]
    fn any_group_is_right_and_a_missing_one_is_mutated() {
        let expected = [format!("mutate {POD}/securityContext/fsGroup")];
        assert!(ask(&RULE, &deployment(&[])).is_empty());
        assert!(ask(&RULE, &deployment(&[(&format!("{POD}/securityContext/fsGroup"), json!(0))])).is_empty());
        assert_eq!(ask(&RULE, &without_group(&[])), expected);
        assert_eq!(
            ask(&RULE, &stateful_set(&[(&format!("{POD}/securityContext"), json!({}))])),
            [format!("mutate {POD}/securityContext+fsGroup")]
        );
        let unmounted = without_group(&[(&format!("{POD}/containers/0/volumeMounts"), json!([]))]);
        assert!(ask(&RULE, &unmounted).is_empty(), "no claim is mounted");
        // After writable-data is fixed, the group is needed.
        let read_only = without_group(&[(&format!("{POD}/containers/0/volumeMounts/0/readOnly"), json!(true))]);
        assert_eq!(ask(&RULE, &read_only), expected);
        let open_shift = settings(json!({"fsGroup": "none"}));
        assert!(ask_in(&RULE, &without_group(&[]), &ObjectIndex::default(), &open_shift).is_empty());
    }

    #[test]
    fn root_needs_no_group() {
        let own = format!("{POD}/containers/0/securityContext/runAsUser");
        let pods = format!("{POD}/securityContext/runAsUser");
        assert!(ask(&RULE, &without_group(&[(&own, json!(0))])).is_empty());
        assert!(ask(&RULE, &without_group(&[(&pods, json!(0))])).is_empty());
        assert_eq!(ask(&RULE, &without_group(&[(&pods, json!(0)), (&own, json!(10001))])).len(), 1);
    }

    #[test]
    fn an_init_container_may_prepare_the_volume() {
        let init = |volume: &str, command: &str, more: Value| {
            let mut container = json!({"name": "own", "image": "busybox", "command": ["sh", "-c", command],
                "volumeMounts": [{"name": volume, "mountPath": "/v"}]});
            container["securityContext"] = more;
            ask(&RULE, &without_group(&[(&format!("{POD}/initContainers"), json!([container]))])).is_empty()
        };
        let right = [
            "chown -R 10001:0 /v",
            "chown 10001 /v/",
            "chown -R mssql /",
            "busybox chown 10001 /v",
            "find /v -exec chown 10001 {} +",
            "find /v -print0 | xargs -0 chown 10001",
            "chgrp -R 0 /v && chmod -R g=u /v",
            "cd /v; chown -R 10001 .",
            "chown -R $OWNER /v",
            "chmod -R 777 /v",
            "chmod -R a+rwX /v",
            "install -d -o 10001 -g 0 /v",
            "install -d --owner=10001 --group=0 /v",
            "install -d --mode=0775 /v",
            "# Don't run as root\nchown -R 10001:0 /v\n",
            "/scripts/prepare.sh",
        ];
        for command in right {
            assert!(init("data", command, json!({})), "{command}");
        }
        let wrong = [
            "ls /v",
            "echo chown 10001 /v",
            "chown -R 1000:1000 /v",
            "chown -R 10001 /other",
            "chown 10001 /",
            "chown -R 10001 /v/data",
            "chown -R :10001 /v",
            "chgrp -R 0 /v",
            "find /other -exec chown 10001 {} +",
            "chmod 755 /v",
            "chmod o-w /v",
            "install -d /v/data",
            "install -d --owner=1000 -m 755 /v",
            "# chown -R 10001:0 /v",
        ];
        for command in wrong {
            assert!(!init("data", command, json!({})), "{command}");
        }
        assert!(!init("other", "chown -R 10001:0 /v", json!({})));
        assert!(init("data", "chown -R 10001:0 /v", json!({"runAsUser": 0})));
        assert!(!init("data", "chown -R 10001:0 /v", json!({"runAsUser": 1000})));
        assert!(!init("data", "chown -R 10001:0 /v", json!({"runAsNonRoot": true})));
    }

    #[test]
    fn the_mounted_directory_is_prepared() {
        let is_prepared = |engine: Value, init: Value, command: &str| {
            let mounted = |more: &Value| {
                let mut mount = json!({"name": "data", "mountPath": "/var/opt/mssql"});
                more.as_object().into_iter().flatten().for_each(|(key, value)| mount[key] = value.clone());
                json!([mount])
            };
            let container = json!({"image": "busybox", "command": command.split(' ').collect::<Vec<_>>(),
                "volumeMounts": mounted(&init)});
            let object = without_group(&[
                (&format!("{POD}/initContainers"), json!([container])),
                (&format!("{POD}/containers/0/volumeMounts"), mounted(&engine)),
            ]);
            ask(&RULE, &object).is_empty()
        };
        let whole = || json!({"mountPath": "/v"});
        let part = |path: &str| json!({"mountPath": "/v", "subPath": path});
        let named = |path: &str| json!({"mountPath": "/v", "subPathExpr": path});
        let engine = |field: &str, path: &str| json!({field: path});
        let cases = [
            (json!({}), part("backups"), "chown -R 10001:0 /v", false),
            (json!({}), part("./"), "chown 10001 /v", true),
            (engine("subPath", "sql"), part("sql/"), "chown 10001 /v", true),
            (engine("subPath", "sql"), part("backups"), "chown -R 10001 /v", false),
            (engine("subPath", "sql"), whole(), "chown 10001 /v/sql", true),
            (engine("subPath", "sql"), whole(), "chown -R 10001 /v", true),
            (engine("subPath", "sql"), whole(), "chown -R 10001 /v/backups", false),
            (engine("subPath", "sql"), whole(), "chown 10001 /v/s*", true),
            (engine("subPath", "sql"), whole(), "chown 10001 /v/b*", false),
            (engine("subPath", "sql"), whole(), "sh -c chown\t10001\t/v/{log,sql}", true),
            (json!({}), whole(), "chown 10001 /v/*", false),
            (engine("subPath", "a/sql"), part("a"), "chown 10001 /v/sql", true),
            (engine("subPath", "sql"), named("$(X)"), "chown 10001 /v", true),
            (engine("subPathExpr", "$(X)"), named("$(X)"), "chown 10001 /v", true),
            (engine("subPathExpr", "$(X)"), part("a"), "chown 10001 /v", true),
            (engine("subPathExpr", "$(X)"), whole(), "chown -R 10001:0 /v/db", true),
            (engine("subPathExpr", "a/$(X)"), whole(), "chown -R 10001:0 /v/db", false),
        ];
        for (engine, init, command, right) in cases {
            assert_eq!(is_prepared(engine.clone(), init.clone(), command), right, "{engine} {init} {command}");
        }
    }

    #[test]
    fn a_group_has_no_effect_on_the_path_of_a_node() {
        let found = |volume_class: &str, workload: &Value| {
            let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
                "spec": {"storageClassName": volume_class, "hostPath": {"path": "/srv"}}});
            let claim = claim("sql-data", &[("/spec/storageClassName", json!("manual"))]);
            ask_in(&RULE, workload, &closed([workload, &claim, &volume]), &Settings::default())
        };
        let warning = [format!("warn {POD}/volumes/0/persistentVolumeClaim/claimName")];
        assert_eq!(found("manual", &without_group(&[])), warning, "in place of the advice to set a group");
        assert_eq!(found("manual", &deployment(&[])), warning);
        assert!(found("other", &deployment(&[])).is_empty());
        let class = ("/spec/volumeClaimTemplates/0/spec/storageClassName", json!("manual"));
        let of_template = ["warn /spec/volumeClaimTemplates/0/metadata/name"];
        assert_eq!(found("manual", &stateful_set(&[class])), of_template);
    }

    #[test]
    fn sql_server_2017_runs_as_root() {
        let all = settings(json!({"engines": ["sql-server"]}));
        let with = |image: &str| {
            let object = without_group(&[(&format!("{POD}/containers/0/image"), json!(image))]);
            ask_in(&RULE, &object, &ObjectIndex::default(), &all).len()
        };
        assert_eq!(with("mcr.microsoft.com/mssql/server:2017-latest"), 0);
        assert_eq!(with("mcr.microsoft.com/mssql/rhel/server:2017-CU20"), 0);
        assert_eq!(with("mcr.microsoft.com/mssql/server:2019-latest"), 1);
    }
}
