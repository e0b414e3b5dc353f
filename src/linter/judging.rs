//! Asking the rules: first about each object alone, then about each with all others in view.

use std::sync::Arc;

use rayon::prelude::*;
use serde_json::Value;
use sqledge_ha_policy::cluster::NoCluster;
use sqledge_ha_policy::finding::{Edit, Finding, Findings};
use sqledge_ha_policy::kind::{Kind, has_judged_owner};
use sqledge_ha_policy::node::reach;
use sqledge_ha_policy::objects::{Entry, Objects};
use sqledge_ha_policy::rules;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::subject::Subject;

use super::parts::{Part, parts};
use super::{Identity, Located, Outcome, related};
use crate::manifest::Document;

/// What is wrong with an object of a document, whatever stands around it. The findings do not know their manifest yet.
pub(super) fn judge_alone(document: &Document, part: Part<'_>, kind: Kind, settings: &Settings) -> Vec<Located> {
    let Some(subject) = Subject::read(part.value, kind, settings, &NoCluster) else { return Vec::new() };
    Place { manifest: 0, document, part }.locate(rules::judge_alone(&subject), document)
}

/// Adds what is wrong between the objects that the manifests of an outcome hold. Says whether some had so many relations
/// that not all were looked at.
pub(super) fn judge_relations(outcome: &mut Outcome, settings: &Settings, partial: bool) -> bool {
    let mut found = std::mem::take(&mut outcome.findings);
    let manifests = outcome.manifests.iter().enumerate();
    let documents = manifests.flat_map(|(index, manifest)| manifest.held.iter().map(move |document| (index, document)));
    let documents: Vec<(usize, &Document)> = documents.collect();
    let (places, entries): (Vec<Place<'_>>, Vec<Option<Entry<'_>>>) = documents
        .into_par_iter()
        .flat_map_iter(|(manifest, document)| {
            parts(&document.value).into_iter().map(move |part| {
                let entry = Entry::read(part.value);
                (Place { manifest, document, part }, entry)
            })
        })
        .unzip();
    let entries = entries.into_iter().flatten();
    let world = if partial { Objects::partial_of(entries) } else { Objects::closed_of(entries) };
    let text = |manifest: usize| outcome.manifests.get(manifest).map_or("", |manifest| manifest.text.as_str());
    let judged: Vec<Vec<Located>> =
        places.par_iter().map(|place| place.judge(text(place.manifest), settings, &world)).collect();
    let has_left_out = world.has_left_out();
    found.extend(judged.into_iter().flatten());
    found.sort_by(|one, other| {
        let key = |located: &Located| (located.manifest, located.span.start, located.finding.rule);
        key(one).cmp(&key(other))
    });
    related::locate(&places, &text, &mut found);
    outcome.findings = found;
    has_left_out
}

/// One object to judge, and where it stands.
pub(super) struct Place<'m> {
    pub(super) manifest: usize,
    pub(super) document: &'m Document,
    pub(super) part: Part<'m>,
}

impl Place<'_> {
    fn judge(&self, text: &str, settings: &Settings, world: &Objects<'_>) -> Vec<Located> {
        let object = self.part.value;
        let kind = Kind::of_object(object).filter(|_| !has_judged_owner(object));
        let subject = kind.and_then(|kind| Subject::read(object, kind, settings, world));
        let findings = subject.map(|subject| rules::judge_relations(&subject)).unwrap_or_default();
        if findings.is_empty() { Vec::new() } else { self.locate(findings, &self.document.with_spans(text)) }
    }

    /// Says where findings stand in the document, which knows its places.
    fn locate(&self, findings: Findings, document: &Document) -> Vec<Located> {
        let object = Arc::new(identity(self.part.value));
        let mut located = Vec::with_capacity(findings.len());
        for finding in findings {
            let finding = self.rooted(finding);
            located.push(Located {
                manifest: self.manifest,
                document: document.index,
                chunk: document.span(),
                span: document.locate(&finding.pointer),
                object: Arc::clone(&object),
                finding,
                related: Vec::new(),
            });
        }
        located
    }

    /// Lets a finding's pointers start at the document's root.
    fn rooted(&self, mut finding: Finding) -> Finding {
        let prefix = self.part.prefix.as_str();
        if !prefix.is_empty() {
            finding.pointer.insert_str(0, prefix);
            let edits = finding.fix.iter_mut().flat_map(|fix| fix.edits.iter_mut());
            edits.for_each(|(Edit::Set { pointer, .. } | Edit::Remove { pointer })| pointer.insert_str(0, prefix));
        }
        finding
    }
}

/// What an object calls itself: the parts of its [`Identity`], in their order.
pub(super) fn names(object: &Value) -> [Option<&str>; 4] {
    let text = |path: &[&str]| reach(object, path).and_then(Value::as_str);
    [text(&["apiVersion"]), text(&["kind"]), text(&["metadata", "namespace"]), text(&["metadata", "name"])]
}

fn identity(object: &Value) -> Identity {
    let [api_version, kind, namespace, name] = names(object).map(|name| name.map(str::to_owned));
    Identity { api_version, kind, namespace, name }
}
