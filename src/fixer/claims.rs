//! The claims in the files, so that a fix uses one that nothing mounts, and adds none with the name of another.

use std::collections::HashSet;

use serde_json::Value;
use sqledge_ha_policy::finding::Fix;
use sqledge_ha_policy::json::edit::Edit;
use sqledge_ha_policy::kubernetes::claim::{Claim, claim_names};
use sqledge_ha_policy::kubernetes::kind::Kind;
use sqledge_ha_policy::kubernetes::objects::Volume;
use sqledge_ha_policy::kubernetes::selector::Pods;
use sqledge_ha_policy::kubernetes::{name_of, namespace_of};

use crate::linter::list_items::objects_in;
use crate::linter::{LintedFile, ObjectId};
use crate::manifest::{EditError, document_spans, read_span};

/// A namespace and a name in it.
type Id = [String; 2];

/// The claims in the files, the claims that pods mount, and the workloads.
#[derive(Debug, Default)]
pub(super) struct Claims {
    claims: HashSet<Id>,
    /// Those that can hold the files of a database, with how they choose their volumes.
    writable: Vec<(Id, VolumeChoice)>,
    node_volumes: NodeVolumes,
    mounted: HashSet<Id>,
    workloads: HashSet<Id>,
}

/// How a claim chooses its PersistentVolume.
#[derive(Debug)]
struct VolumeChoice {
    volume: Option<String>,
    /// The StorageClass; empty for volumes without one, and `None` for the default.
    class: Option<String>,
}

/// The PersistentVolumes that stay on one node.
#[derive(Debug, Default)]
struct NodeVolumes {
    names: HashSet<String>,
    /// The claims that some of them are reserved for.
    reserved: HashSet<Id>,
    /// The StorageClasses of the others; empty for none.
    classes: HashSet<String>,
}

impl NodeVolumes {
    fn add(&mut self, volume: &Volume<'_>, name: &str) {
        self.names.insert(name.to_owned());
        if let Some((namespace, claim)) = volume.reserved_for() {
            self.reserved.insert([namespace, claim].map(str::to_owned));
        } else {
            self.classes.insert(volume.class_name().to_owned());
        }
    }

    /// Whether a claim can be bound to one of them.
    fn fit(&self, claim: &Id, choice: &VolumeChoice) -> bool {
        match &choice.volume {
            Some(name) => self.names.contains(name),
            None => {
                self.reserved.contains(claim) || choice.class.as_ref().is_some_and(|class| self.classes.contains(class))
            }
        }
    }
}

impl Claims {
    /// The claims in `files`.
    pub(super) fn in_files(files: &[LintedFile]) -> Self {
        let mut claims = Claims::default();
        files.iter().for_each(|file| claims.add_all(&file.text, &file.namespace));
        claims
    }

    /// Adds the objects of a text. Those that name no namespace are in `default_namespace`.
    fn add_all(&mut self, text: &str, default_namespace: &str) {
        const WORDS: [&str; 2] = ["PersistentVolume", "containers"];
        let is_relevant = |document: &str| WORDS.iter().any(|word| document.contains(word));
        let spans = document_spans(text).filter(|span| text.get(span.clone()).is_some_and(is_relevant));
        for document in spans.flat_map(|span| read_span(text, span, 0)).flatten() {
            objects_in(&document.value).into_iter().for_each(|object| self.add(object.value, default_namespace));
        }
    }

    fn add(&mut self, object: &Value, default_namespace: &str) {
        let namespace = namespace_of(object).unwrap_or(default_namespace).to_owned();
        match Kind::from_object(object) {
            Some(Kind::Claim) => {
                let id = [namespace, name_of(object).to_owned()];
                if is_writable(object) && self.claims.insert(id.clone()) {
                    let claim = Claim::read(object);
                    let [volume, class] = [claim.volume_name(), claim.class_name()].map(|name| name.map(str::to_owned));
                    self.writable.push((id, VolumeChoice { volume, class }));
                } else {
                    self.claims.insert(id);
                }
            }
            Some(Kind::Volume) => {
                let volume = Volume::read(object);
                if volume.node().is_some() {
                    self.node_volumes.add(&volume, name_of(object));
                }
            }
            Some(Kind::Workload(_)) => {
                let Some(pods) = Pods::read(object) else { return };
                self.mounted.extend(claim_names(&pods).into_iter().map(|claim| [namespace.clone(), claim]));
                self.workloads.insert([namespace, name_of(object).to_owned()]);
            }
            _ => {}
        }
    }

    /// The fix with the claims of the application: one that nothing mounts in place of a new one, and new ones with
    /// names of their own. Objects that name no namespace are in `default_namespace`.
    ///
    /// # Errors
    /// [`EditError::SeveralClaims`] if there are several that nothing mounts.
    pub(super) fn adapt(&self, fix: &Fix, object: &ObjectId, default_namespace: &str) -> Result<Fix, EditError> {
        let namespace = object.namespace.as_deref().unwrap_or(default_namespace);
        let mut fix = match (&fix.on_free_claim, self.free(object, namespace).as_slice()) {
            (None, _) | (Some(_), []) => fix.clone(),
            (Some(fix), [name]) => renamed(fix, "", name),
            (Some(_), [_, _, ..]) => return Err(EditError::SeveralClaims),
        };
        let mut taken: HashSet<Id> = HashSet::new();
        for document in fix.documents.clone() {
            let id = [namespace_of(&document).unwrap_or(default_namespace), name_of(&document)].map(str::to_owned);
            let is_free = |id: &Id| ![&self.claims, &self.mounted, &taken].iter().any(|ids| ids.contains(id));
            let numbered = |number: usize| [id[0].clone(), format!("{}-{number}", id[1])];
            let own = std::iter::once(id.clone()).chain((2..).map(numbered)).find(is_free).unwrap_or_default();
            fix = renamed(&fix, &id[1], &own[1]);
            taken.insert(own);
        }
        Ok(fix)
    }

    /// Records the claims that an applied fix adds and mounts.
    pub(super) fn record(&mut self, fix: &Fix, object: &ObjectId, default_namespace: &str) {
        let namespace = object.namespace.as_deref().unwrap_or(default_namespace);
        for edit in &fix.edits {
            let Edit::Set { value, .. } = edit else { continue };
            let source = value.get("persistentVolumeClaim").unwrap_or(value);
            if let Some(claim) = source.get("claimName").and_then(Value::as_str) {
                self.mounted.insert([namespace, claim].map(str::to_owned));
            }
        }
        fix.documents.iter().for_each(|document| self.add(document, default_namespace));
    }

    /// The claims for `object` that nothing mounts and whose volume can move to another node. If there are several,
    /// those that have its name in theirs.
    fn free(&self, object: &ObjectId, namespace: &str) -> Vec<&str> {
        let own = object.name.as_deref().unwrap_or_default();
        let is_of_other = |claim: &str| {
            let others = self.workloads.iter().filter(|[other, name]| other == namespace && name != own);
            !contains_name(claim, own) && { others }.any(|[_, name]| contains_name(claim, name))
        };
        let in_namespace = self.writable.iter().filter(|(id, choice)| {
            id[0] == namespace && !self.mounted.contains(id) && !self.node_volumes.fit(id, choice)
        });
        let free: Vec<&str> = in_namespace.map(|(id, _)| id[1].as_str()).filter(|claim| !is_of_other(claim)).collect();
        match free.iter().filter(|claim| contains_name(claim, own)).collect::<Vec<_>>().as_slice() {
            [one] => vec![one],
            _ => free,
        }
    }
}

/// Whether the words of a name, between dashes and dots, are in another one.
fn contains_name(name: &str, part: &str) -> bool {
    let with_ends = |name: &str| format!("-{}-", name.replace(['.', '_'], "-"));
    !part.is_empty() && with_ends(name).contains(&with_ends(part))
}

/// Whether one node can mount the claim for reading and writing files.
fn is_writable(claim: &Value) -> bool {
    let modes = claim.pointer("/spec/accessModes").and_then(Value::as_array);
    let is_exclusive = |mode: &Value| matches!(mode.as_str(), Some("ReadWriteOnce" | "ReadWriteOncePod"));
    let is_block = claim.pointer("/spec/volumeMode").and_then(Value::as_str) == Some("Block");
    !name_of(claim).is_empty()
        && !is_block
        && modes.is_some_and(|modes| !modes.is_empty() && modes.iter().all(is_exclusive))
}

/// The fix with another name for a claim, in its edits and its new objects.
fn renamed(fix: &Fix, old: &str, new: &str) -> Fix {
    let mut fix = fix.clone();
    let rename = |value: Option<&mut Value>| {
        if let Some(value) = value.filter(|value| value.as_str() == Some(old)) {
            *value = Value::from(new);
        }
    };
    for edit in &mut fix.edits {
        let Edit::Set { value, .. } = edit else { continue };
        rename(value.get_mut("claimName"));
        rename(value.pointer_mut("/persistentVolumeClaim/claimName"));
    }
    fix.documents.iter_mut().for_each(|document| rename(document.pointer_mut("/metadata/name")));
    fix
}
