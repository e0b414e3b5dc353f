//! Edits that put database files on a persistent volume claim. They are never safe: files in the old place stay there.

use serde_json::{Value, json};

use crate::finding::{Edit, Fix};
use crate::kind::Kind;
use crate::node::Node;
use crate::volumes::{Backing, DATA_ROOT, DataDirectory, Mount};
use crate::workload::{EngineContainer, Workload};

/// A claim that a pod declares.
#[derive(Clone, Debug)]
pub struct Declared<'a> {
    /// The name of its volume.
    pub volume: &'a str,
    /// Where the claim is named.
    pub place: Node<'a>,
}

/// The claims that the pod declares for `engine`, mounted or not: one that another engine mounts is not for it, because
/// two servers must never share files.
pub fn declared<'a>(workload: &Workload<'a>, engine: &EngineContainer<'a>) -> Vec<Declared<'a>> {
    let others = workload.engines.iter().filter(|other| other.node.pointer() != engine.node.pointer());
    let is_free = |claim: &Declared<'a>| {
        !others.clone().any(|other| {
            other.node.at("volumeMounts").items().any(|mount| mount.at("name").str() == Some(claim.volume))
        })
    };
    let volume = |volume: Node<'a>| {
        let place = volume.path(&["persistentVolumeClaim", "claimName"]);
        Some(Declared { volume: volume.at("name").str()?, place: place.exists().then_some(place)? })
    };
    let template = |template: Node<'a>| {
        let place = template.path(&["metadata", "name"]);
        Some(Declared { volume: place.str()?, place })
    };
    let templates = workload.claim_templates();
    let claims = workload.pod.at("volumes").items().filter_map(volume);
    claims
        .chain(templates.into_iter().flat_map(|templates| templates.items()).filter_map(template))
        .filter(is_free)
        .collect()
}

/// Puts every lost directory of `engine` on a claim: the one that the pod declares where nothing was mounted, a new one in
/// place of each volume that is no claim. Left to a person are directories that a variable chose and nothing is mounted
/// at, because an edit would show the variable's value, and the choice between several claims. `size` is a Kubernetes
/// quantity.
pub fn add<'a>(
    workload: &Workload<'a>,
    engine: &EngineContainer<'a>,
    lost: &[(&DataDirectory, Option<&Mount<'_>>)],
    size: &str,
) -> Fix {
    let mut fix = Fix::not_safe([]);
    let mut replaced: Vec<&str> = Vec::new();
    for mount in lost.iter().filter_map(|(_, mount)| *mount) {
        if !replaced.contains(&mount.volume) {
            replaced.push(mount.volume);
            replace_volume(workload, mount, size, &mut fix);
        }
    }
    if lost.iter().any(|(directory, mount)| mount.is_none() && directory.variable.is_none()) {
        let volume = match declared(workload, engine).as_slice() {
            [claim] => claim.volume.to_owned(),
            [] => new_volume(workload, engine, size, &mut fix),
            [_, ..] => return fix,
        };
        let mount = json!({"name": volume, "mountPath": DATA_ROOT});
        fix.edits.push(Edit::append(&engine.node, &["volumeMounts"], mount));
    }
    fix
}

fn replace_volume(workload: &Workload<'_>, mount: &Mount<'_>, size: &str, fix: &mut Fix) {
    let volumes = workload.pod.at("volumes");
    let volume = volumes.items().find(|volume| volume.at("name").str() == Some(mount.volume));
    if workload.kind == Kind::StatefulSet {
        // A claim template wins over a volume of the same name.
        fix.edits.push(claim_template(workload, mount.volume, size));
        return;
    }
    let claim = format!("{}-{}", workload.name(), mount.volume);
    let source = json!({"claimName": claim});
    match (volume, &mount.backing) {
        (Some(volume), Backing::Other(field)) => {
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

/// Adds a volume on a new claim and returns its name. Each engine of a pod has one of its own.
fn new_volume(workload: &Workload<'_>, engine: &EngineContainer<'_>, size: &str, fix: &mut Fix) -> String {
    let volumes = workload.pod.at("volumes");
    let is_taken = |name: &str| volumes.items().any(|volume| volume.at("name").str() == Some(name));
    let is_this = |other: &EngineContainer<'_>| other.node.pointer() == engine.node.pointer();
    let mut name = "mssql-data".to_owned();
    let before = workload.engines.iter().take_while(|other| !is_this(other));
    let without = before.filter(|other| declared(workload, other).is_empty()).count();
    if without > 0 {
        name.push_str(&format!("-{}", without + 1));
    }
    while is_taken(&name) {
        name.push_str("-1");
    }
    if workload.kind == Kind::StatefulSet {
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
