//! The unsafe fix of `persistent-data`: edits that put database files on a persistent volume claim. Files in the old
//! directory stay there.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::super::check::CheckContext;
use super::super::{is_active, single_replica, steady_controller};
use super::Unprotected;
use super::declared_claims::{DeclaredClaim, containers_without_claim, declared_claims};
use crate::finding::{FindingKind, Findings, Fix};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::kubernetes::kind::WorkloadKind;
use crate::kubernetes::volumes::{Mount, VolumeSource, effective_mount, is_within};
use crate::workload::DatabaseContainer;

/// Puts all unprotected directories of `container` on claims, and the rest of the data root with them: on the claim
/// that the pod declares without mounting it, else on new ones. `None` if that takes a choice, shows the value of a
/// variable, or helps nobody, because the workload is rejected anyway.
pub(super) fn claim_fix<'a>(
    context: &CheckContext<'_>,
    container: &DatabaseContainer<'_, 'a>,
    unprotected: &[Unprotected<'_, 'a>],
) -> Option<Fix> {
    if is_rejected(context) {
        return None;
    }
    let plan = |is_new| Plan { container, size: &context.settings.claim_size, is_new, fix: Fix::unsafe_edits([]) };
    let fix = plan(true).make(unprotected)?;
    let adds_claim = !fix.documents.is_empty() || fix.edits.iter().any(|edit| edit.pointer() == CLAIM_TEMPLATES);
    let on_free_claim = plan(false).make(unprotected).filter(|_| adds_claim).map(Box::new);
    Some(Fix { on_free_claim, ..fix })
}

const CLAIM_TEMPLATES: &str = "/spec/volumeClaimTemplates/-";

/// Whether a rule rejects the whole workload, so that its files are lost or overwritten on a claim, too.
fn is_rejected(context: &CheckContext<'_>) -> bool {
    let object = context.object.value();
    let rules = [&steady_controller::RULE, &single_replica::RULE];
    rules.into_iter().filter(|rule| is_active(rule, object, context.settings)).any(|rule| {
        let mut findings = Findings::new();
        rule.checks.iter().for_each(|check| check.run(context, &mut findings));
        findings.iter().any(|finding| finding.kind == FindingKind::Contradiction)
    })
}

/// The fix in the making.
struct Plan<'p, 'w, 'a> {
    container: &'p DatabaseContainer<'w, 'a>,
    /// The size of a new claim, a Kubernetes quantity.
    size: &'p str,
    /// Whether the next claim is a new one, and not the application's own with the name to be filled in.
    is_new: bool,
    fix: Fix,
}

impl<'a> Plan<'_, '_, 'a> {
    fn make(mut self, unprotected: &[Unprotected<'_, 'a>]) -> Option<Fix> {
        let engine = self.container.engine;
        let mut replaced: Vec<&Mount<'a>> = Vec::new();
        for (directory, mount) in unprotected {
            match mount {
                Some(mount) if !replaced.iter().any(|known| known.volume == mount.volume) => replaced.push(mount),
                Some(_) => {}
                // A mount there would show the value of the variable.
                None if !directory.path.as_ref().is_some_and(|path| is_within(path, engine.data_root)) => return None,
                None => {}
            }
        }
        let raised = self.is_root_open(unprotected).then(|| {
            replaced.iter().find(|mount| mount.path != engine.data_root && is_within(&mount.path, engine.data_root))
        });
        let mut declared = self.free_claim()?.into_iter();
        for mount in &replaced {
            match declared.next() {
                Some(claim) => self.mount_instead(mount, claim.volume),
                None => self.replace_volume(mount)?,
            }
        }
        match raised {
            None => {}
            Some(Some(mount)) => self.fix.edits.push(Edit::set(&mount.entry, &["mountPath"], engine.data_root)),
            Some(None) => {
                let beside = if replaced.is_empty() { self.claims_beside() } else { Vec::new() };
                let volume = match (declared.next().as_ref(), beside.as_slice()) {
                    (Some(claim), _) | (None, [claim]) => claim.volume.to_owned(),
                    (None, []) => self.add_volume(),
                    (None, [_, _, ..]) => return None,
                };
                let mount = json!({"name": volume, "mountPath": engine.data_root});
                self.fix.edits.push(Edit::append(&self.container.container, &["volumeMounts"], mount));
            }
        }
        Some(self.fix)
    }

    /// Whether nothing is mounted at a directory of the data root that has to survive the pod.
    fn is_root_open(&self, unprotected: &[Unprotected<'_, '_>]) -> bool {
        let mounts = &self.container.storage().mounts;
        let required = self.container.engine.required_directories.iter();
        unprotected.iter().any(|(_, mount)| mount.is_none())
            || required.into_iter().any(|(directory, _)| effective_mount(mounts, directory).is_none())
    }

    /// The claim that the pod declares, writable, and that no container mounts. `None` for a choice: between several
    /// claims, or between several database containers.
    fn free_claim(&self) -> Option<Option<DeclaredClaim<'a>>> {
        let workload = self.container.workload;
        let containers = ["containers", "initContainers"].map(|list| workload.pod.at(list).items());
        let mut used: HashSet<&str> = containers.into_iter().flatten().flat_map(mounted_volumes).collect();
        let volumes = workload.pod.at("volumes").items();
        let read_only = volumes.filter(|volume| volume.path(&["persistentVolumeClaim", "readOnly"]).is_true());
        used.extend(read_only.filter_map(|volume| volume.at("name").str()));
        let mut free = declared_claims(self.container).into_iter().filter(|claim| !used.contains(claim.volume));
        let claim = free.next();
        let is_choice = free.next().is_some() || claim.is_some() && workload.engines.len() > 1;
        (!is_choice).then_some(claim)
    }

    /// The claims that the container mounts beside the data. In a pod with one database, also those that others mount.
    fn claims_beside(&self) -> Vec<DeclaredClaim<'a>> {
        let is_alone = self.container.workload.engines.len() == 1;
        let mounted: HashSet<&str> = mounted_volumes(self.container.container).collect();
        let mut claims = declared_claims(self.container);
        claims.retain(|claim| is_alone || mounted.contains(claim.volume));
        claims
    }

    /// Mounts another volume wherever the container mounts this one.
    fn mount_instead(&mut self, mount: &Mount<'a>, volume: &str) {
        let mounts = self.container.storage().mounts.iter().filter(|other| other.volume == mount.volume);
        self.fix.edits.extend(mounts.map(|mount| Edit::set(&mount.entry, &["name"], volume)));
    }

    /// Makes a volume a claim. `None` if another database has its files there, too, or the volume's name is not valid.
    fn replace_volume(&mut self, mount: &Mount<'a>) -> Option<()> {
        let workload = self.container.workload;
        let mut others = workload.engines.iter().filter(|other| !other.container.is_same(&self.container.container));
        if others.any(|other| workload.storage(other).mounts.iter().any(|other| other.volume == mount.volume)) {
            return None;
        }
        let volumes = workload.pod.at("volumes");
        let volume = volumes.items().find(|volume| volume.at("name").str() == Some(mount.volume));
        if volume.is_none() && !is_label(mount.volume) {
            return None;
        }
        let Some(source) = self.claim_source(mount.volume) else { return Some(()) };
        match (volume, &mount.source) {
            (Some(volume), VolumeSource::Other(field)) => self
                .fix
                .edits
                .extend([Edit::remove(&volume.at(field)), Edit::set(&volume, &["persistentVolumeClaim"], source)]),
            (Some(volume), _) => self.fix.edits.push(Edit::set(&volume, &["persistentVolumeClaim"], source)),
            (None, _) => self.append_volume(mount.volume, &source),
        }
        Some(())
    }

    /// Adds a volume with a claim and returns its name. Each database container of a pod gets its own.
    fn add_volume(&mut self) -> String {
        let workload = self.container.workload;
        let volumes = workload.pod.at("volumes");
        let templates = workload.claim_templates();
        let is_taken = |name: &String| {
            let mut templates = templates.into_iter().flat_map(|templates| templates.items());
            volumes.items().any(|volume| volume.at("name").str() == Some(name))
                || templates.any(|template| template.path(&["metadata", "name"]).str() == Some(name))
        };
        let without = containers_without_claim(self.container);
        let names = (without + 1..).map(|number| match number {
            1 => "mssql-data".to_owned(),
            _ => format!("mssql-data-{number}"),
        });
        let name = { names }.find(|name| !is_taken(name)).unwrap_or_default();
        if let Some(source) = self.claim_source(&name) {
            self.append_volume(&name, &source);
        }
        name
    }

    fn append_volume(&mut self, name: &str, source: &Value) {
        let volume = json!({"name": name, "persistentVolumeClaim": source});
        self.fix.edits.push(Edit::append(&self.container.workload.pod, &["volumes"], volume));
    }

    /// The source of the volume `volume`, with its claim. `None` if it comes from a new claim template, which also
    /// replaces a volume of the same name.
    fn claim_source(&mut self, volume: &str) -> Option<Value> {
        let workload = self.container.workload;
        if !std::mem::replace(&mut self.is_new, true) {
            return Some(json!({"claimName": ""}));
        }
        let is_stateful_set = workload.kind == WorkloadKind::StatefulSet;
        // A StatefulSet waits until the old pod is gone.
        let mode = if is_stateful_set { "ReadWriteOnce" } else { "ReadWriteOncePod" };
        let spec = json!({"accessModes": [mode], "resources": {"requests": {"storage": self.size}}});
        if is_stateful_set {
            let template = json!({"metadata": {"name": volume}, "spec": spec});
            self.fix.edits.push(Edit::Set { pointer: CLAIM_TEMPLATES.to_owned(), value: template });
            return None;
        }
        let metadata = workload.object.at("metadata");
        let name = claim_name(&metadata, volume);
        let source = json!({"claimName": name});
        let metadata = match metadata.at("namespace").str() {
            Some(namespace) => json!({"name": name, "namespace": namespace}),
            None => json!({"name": name}),
        };
        self.fix
            .documents
            .push(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}));
        Some(source)
    }
}

/// The names of the volumes that a container mounts.
fn mounted_volumes<'a>(container: Cursor<'a>) -> impl Iterator<Item = &'a str> {
    container.at("volumeMounts").items().filter_map(|mount| mount.at("name").str())
}

/// The name of a new claim: that of the workload, and that of the volume. A long one leaves room for a number, which
/// makes it unique.
fn claim_name(metadata: &Cursor<'_>, volume: &str) -> String {
    const MAX_LENGTH: usize = 253 - "-9999".len();
    let prefix = metadata.first_of(&["name", "generateName"]).and_then(|name| name.str()).unwrap_or_default();
    let end = prefix.floor_char_boundary(MAX_LENGTH.saturating_sub(volume.len() + 1));
    match prefix.get(..end).unwrap_or_default().trim_end_matches(['-', '.']) {
        "" => volume.to_owned(),
        prefix => format!("{prefix}-{volume}"),
    }
}

/// Whether a name is a DNS label, as volumes need it.
fn is_label(name: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(is_valid) && !name.starts_with('-') && !name.ends_with('-')
}
