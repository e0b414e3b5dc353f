//! The other ends of relations: from the objects that a rule names to places in texts.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use rayon::prelude::*;
use sqledge_ha_policy::finding::Related;

use super::judging::{Place, names};
use super::{Identity, Located};

/// Where the other end of a relation stands.
#[derive(Debug)]
pub struct RelatedPlace {
    /// Which of the manifests.
    pub manifest: usize,
    /// Which document in it, from 0, not counting empty ones.
    pub document: usize,
    /// JSON Pointer from the document's root.
    pub pointer: String,
    /// The bytes to show.
    pub span: Range<usize>,
    /// What the object is.
    pub object: Identity,
    /// What it has to do with the finding.
    pub message: String,
}

/// Finds what the findings relate to. Of several objects that call themselves the same, as in variants of one
/// application side by side, the nearest is meant.
pub(super) fn locate<'m>(places: &[Place<'_>], text: &(impl Fn(usize) -> &'m str + Sync), findings: &mut [Located]) {
    let wanted: HashSet<Names<'_>> =
        findings.iter().flat_map(|located| &located.finding.related).map(names_of).collect();
    if wanted.is_empty() {
        return;
    }
    let candidates = places.par_iter().map(|place| (names(place.part.value), place));
    let candidates: Vec<(Names<'_>, &Place<'_>)> = candidates.filter(|(names, _)| wanted.contains(names)).collect();
    let mut named: HashMap<Names<'_>, Vec<&Place<'_>>> = HashMap::new();
    for (names, place) in candidates {
        named.entry(names).or_default().push(place);
    }
    findings.par_iter_mut().for_each(|located| {
        let (manifest, document) = (located.manifest, located.document);
        let distance =
            |place: &&&Place<'_>| (place.manifest.abs_diff(manifest), place.document.index.abs_diff(document));
        // Where a rule names several objects of one name, each is another.
        let mut shown: HashSet<(usize, usize, String, String)> = HashSet::new();
        for related in std::mem::take(&mut located.finding.related) {
            let key = |place: &Place<'_>| {
                (place.manifest, place.document.index, place.part.prefix.clone(), related.pointer.to_string())
            };
            let candidates = named.get(&names_of(&related)).into_iter().flatten();
            let nearest = candidates.filter(|place| !shown.contains(&key(place))).min_by_key(distance);
            if let Some(place) = nearest {
                shown.insert(key(place));
                located.related.push(place.related(&related, text(place.manifest)));
            }
        }
    });
}

/// The parts of an [`Identity`].
type Names<'o> = [Option<&'o str>; 4];

fn names_of(related: &Related) -> Names<'_> {
    related.object.each_ref().map(Option::as_deref)
}

fn identity_of(related: &Related) -> Identity {
    let [api_version, kind, namespace, name] = related.object.clone();
    Identity { api_version, kind, namespace, name }
}

impl Place<'_> {
    fn related(&self, related: &Related, text: &str) -> RelatedPlace {
        let pointer = format!("{}{}", self.part.prefix, related.pointer);
        RelatedPlace {
            manifest: self.manifest,
            document: self.document.index,
            span: self.document.with_spans(text).locate(&pointer),
            object: identity_of(related),
            pointer,
            message: related.label.to_string(),
        }
    }
}
