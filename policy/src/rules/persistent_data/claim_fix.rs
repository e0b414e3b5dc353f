//! The unsafe fix of `persistent-data`: edits that put database files on a persistent volume claim. Files in the old
//! directory stay there.

use serde_json::{Value, json};

use super::Unprotected;
use crate::finding::Fix;
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::kubernetes::kind::WorkloadKind;
use crate::kubernetes::volumes::{Mount, VolumeSource};
use crate::workload::{DatabaseContainer, Workload};

/// A claim in a pod's `volumes` or in the claim templates.
#[derive(Clone, Debug)]
pub(super) struct DeclaredClaim<'a> {
    /// The name of its volume.
    pub(super) volume: &'a str,
    /// The claim's name in the object.
    pub(super) location: Cursor<'a>,
}

/// The claims that the pod declares for `container`, mounted or not. A claim that another database container mounts is
/// not for it, because two databases must not share files.
pub(super) fn declared_claims<'a>(container: &DatabaseContainer<'_, 'a>) -> Vec<DeclaredClaim<'a>> {
    let workload = container.workload;
    let others = workload.engines.iter().filter(|other| !other.container.is_same(&container.container));
    let is_free = |claim: &DeclaredClaim<'a>| {
        !others.clone().any(|other| {
            other.container.at("volumeMounts").items().any(|mount| mount.at("name").str() == Some(claim.volume))
        })
    };
    let of_volume = |volume: Cursor<'a>| {
        let location = volume.path(&["persistentVolumeClaim", "claimName"]);
        Some(DeclaredClaim { volume: volume.at("name").str()?, location: location.exists().then_some(location)? })
    };
    let of_template = |template: Cursor<'a>| {
        let location = template.path(&["metadata", "name"]);
        Some(DeclaredClaim { volume: location.str()?, location })
    };
    let templates = workload.claim_templates().into_iter().flat_map(|templates| templates.items());
    let claims = workload.pod.at("volumes").items().filter_map(of_volume).chain(templates.filter_map(of_template));
    claims.filter(is_free).collect()
}

/// Puts every unprotected directory of `container` on a claim: the one that the pod declares if nothing was mounted, a
/// new one in place of each other volume. Not fixed are a directory from a variable without a mount, because an edit
/// would show the variable's value, and a choice between several claims. `size` is a Kubernetes quantity.
pub(super) fn claim_fix(container: &DatabaseContainer<'_, '_>, unprotected: &[Unprotected<'_, '_>], size: &str) -> Fix {
    let workload = container.workload;
    let mut fix = Fix::unsafe_edits([]);
    let mut replaced: Vec<&str> = Vec::new();
    for mount in unprotected.iter().filter_map(|(_, mount)| *mount) {
        if !replaced.contains(&mount.volume) {
            replaced.push(mount.volume);
            replace_volume(workload, mount, size, &mut fix);
        }
    }
    if unprotected.iter().any(|(directory, mount)| mount.is_none() && directory.variable.is_none()) {
        let volume = match declared_claims(container).as_slice() {
            [claim] => claim.volume.to_owned(),
            [] => add_volume(container, size, &mut fix),
            [_, ..] => return fix,
        };
        let mount = json!({"name": volume, "mountPath": container.engine.data_root});
        fix.edits.push(Edit::append(&container.container, &["volumeMounts"], mount));
    }
    fix
}

fn replace_volume(workload: &Workload<'_>, mount: &Mount<'_>, size: &str, fix: &mut Fix) {
    let volumes = workload.pod.at("volumes");
    let volume = volumes.items().find(|volume| volume.at("name").str() == Some(mount.volume));
    if workload.kind == WorkloadKind::StatefulSet {
        // A claim template replaces a volume of the same name.
        fix.edits.push(claim_template(workload, mount.volume, size));
        return;
    }
    let claim = format!("{}-{}", workload.name(), mount.volume);
    let source = json!({"claimName": claim});
    match (volume, &mount.source) {
        (Some(volume), VolumeSource::Other(field)) => {
            fix.edits.extend([Edit::remove(&volume.at(field)), Edit::set(&volume, &["persistentVolumeClaim"], source)])
        }
        (Some(volume), _) => fix.edits.push(Edit::set(&volume, &["persistentVolumeClaim"], source)),
        (None, _) => {
            let volume = json!({"name": mount.volume, "persistentVolumeClaim": source});
            fix.edits.push(Edit::append(&workload.pod, &["volumes"], volume));
        }
    }
    fix.documents.push(claim_document(workload, &claim, size));
}

/// Adds a volume with a new claim and returns its name. Each database container of a pod gets its own.
fn add_volume(container: &DatabaseContainer<'_, '_>, size: &str, fix: &mut Fix) -> String {
    let workload = container.workload;
    let volumes = workload.pod.at("volumes");
    let is_taken = |name: &str| volumes.items().any(|volume| volume.at("name").str() == Some(name));
    let mut name = "mssql-data".to_owned();
    let before = workload.containers().take_while(|other| !other.container.is_same(&container.container));
    let without = before.filter(|other| declared_claims(other).is_empty()).count();
    if without > 0 {
        name.push_str(&format!("-{}", without + 1));
    }
    while is_taken(&name) {
        name.push_str("-1");
    }
    if workload.kind == WorkloadKind::StatefulSet {
        fix.edits.push(claim_template(workload, &name, size));
    } else {
        let claim = format!("{}-{name}", workload.name());
        let volume = json!({"name": name, "persistentVolumeClaim": {"claimName": claim}});
        fix.edits.push(Edit::append(&workload.pod, &["volumes"], volume));
        fix.documents.push(claim_document(workload, &claim, size));
    }
    name
}

fn claim_spec(size: &str) -> Value {
    json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}})
}

fn claim_template(workload: &Workload<'_>, name: &str, size: &str) -> Edit {
    let template = json!({"metadata": {"name": name}, "spec": claim_spec(size)});
    Edit::append(&workload.object, &["spec", "volumeClaimTemplates"], template)
}

fn claim_document(workload: &Workload<'_>, name: &str, size: &str) -> Value {
    let mut metadata = json!({"name": name});
    let namespace = workload.object.path(&["metadata", "namespace"]);
    if let (Some(members), Some(namespace)) = (metadata.as_object_mut(), namespace.str()) {
        members.insert("namespace".to_owned(), Value::from(namespace));
    }
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim_spec(size)})
}
