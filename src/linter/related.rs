//! Related locations: from the objects that a finding names to their locations in the texts.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use sqledge_ha_policy::finding::MAX_RELATED_LOCATIONS;

use super::check::id_fields;
use super::locate::ObjectLocation;
use super::{LocatedFinding, ObjectId};
use crate::parallel;

/// A second location of a finding.
#[derive(Clone, Debug)]
pub struct RelatedLocation {
    /// Index in [`LintResult::files`](super::LintResult::files).
    pub file: usize,
    /// Index of the document in the file, from 0, not counting empty ones.
    pub document: usize,
    /// JSON Pointer from the document's root.
    pub pointer: String,
    /// The bytes to show.
    pub span: Range<usize>,
    /// The object.
    pub object: ObjectId,
    /// What it has to do with the finding.
    pub message: String,
}

/// The fields of an [`ObjectId`].
type IdFields<'o> = [Option<&'o str>; 4];

/// Locates the objects that the findings name. Several objects can have the same identity, as in variants of one
/// application; then the nearest is meant.
pub(super) fn locate_related<'t>(
    objects: &[ObjectLocation<'_>],
    text: &(impl Fn(usize) -> &'t str + Sync),
    findings: Vec<LocatedFinding>,
) -> Vec<LocatedFinding> {
    let named = findings.iter().flat_map(|located| &located.finding.related);
    let named: HashSet<[Option<String>; 4]> = named.map(|related| related.object.clone()).collect();
    if named.is_empty() {
        return findings;
    }
    let named: HashSet<IdFields<'_>> = named.iter().map(fields).collect();
    let mut candidates: HashMap<IdFields<'_>, Vec<&ObjectLocation<'_>>> = HashMap::new();
    let ids = parallel::map(objects.iter().collect(), 64, |location| id_fields(location.object()));
    for (location, id) in objects.iter().zip(ids) {
        if named.contains(&id) {
            candidates.entry(id).or_default().push(location);
        }
    }
    parallel::map(findings, 1, |mut located| {
        let (file, document) = (located.file, located.document);
        let distance =
            |other: &&&ObjectLocation<'_>| (other.file.abs_diff(file), other.document.index.abs_diff(document));
        // A finding can name several objects with the same identity: each is another one.
        let mut shown: HashSet<(usize, usize, String, String)> = HashSet::new();
        for related in std::mem::take(&mut located.finding.related) {
            let key = |other: &ObjectLocation<'_>| {
                (other.file, other.document.index, other.item.prefix.clone(), related.pointer.to_string())
            };
            let candidates = candidates.get(&fields(&related.object)).map(Vec::as_slice).unwrap_or_default();
            // In the order of the files, so that the nearest are around the finding.
            let after = candidates.partition_point(|other| (other.file, other.document.index) < (file, document));
            let around =
                after.saturating_sub(MAX_RELATED_LOCATIONS)..candidates.len().min(after + MAX_RELATED_LOCATIONS);
            let around = candidates.get(around).unwrap_or_default().iter();
            let nearest = around.filter(|other| !shown.contains(&key(other))).min_by_key(distance);
            if let Some(other) = nearest {
                shown.insert(key(other));
                located.related.push(other.related(&related, text(other.file)));
            }
        }
        located
    })
}

fn fields(object: &[Option<String>; 4]) -> IdFields<'_> {
    object.each_ref().map(Option::as_deref)
}
