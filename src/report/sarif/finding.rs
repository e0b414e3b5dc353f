//! From findings to results.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::log::{ArtifactChange, Content, Fingerprints, Fix, Location, Message, Region, Replacement, Result};
use super::{artifact, location, rule};
use crate::fixer::{self, SingleFix};
use crate::linter::{LintResult, LintedFile, LocatedFinding};
use crate::manifest::Lines;
use crate::report::address::Addresses;
use crate::report::place::{Place, Texts, is_delicate, level_name, statement_and_help};

/// Most bytes that are read again to show the fixes of one document: a long one with very many findings goes without.
const MOST_READ: usize = 16 * 1024 * 1024;

/// The results of findings that are all in one text.
pub(super) fn results(group: &[&LocatedFinding], outcome: &LintResult, addresses: &Addresses) -> Vec<Result> {
    let (mut texts, mut others) = (Texts::new(outcome), Texts::new(outcome));
    let fixes = group.first().and_then(|located| Fixes::of(outcome.files.get(located.file)?, group));
    let mut results = Vec::with_capacity(group.len());
    for located in group {
        let Some(place) = texts.finding(located) else { continue };
        let replacements = fixes.as_ref().and_then(|fixes| fixes.of_finding(located));
        let fix = replacements
            .zip(texts.lines(located.file))
            .map(|(replacements, (manifest, lines))| fix(located, replacements, manifest, lines, addresses));
        results.push(Result {
            rule_id: located.finding.rule,
            rule_index: rule::index(located.finding.rule),
            level: level_name(located.level()),
            message: Message::of(&statement_and_help(&located.finding)),
            locations: [location(&place, addresses, &located.object, &located.finding.pointer)],
            related_locations: related(located, &mut others, addresses),
            partial_fingerprints: Fingerprints { identity: identity(located, &place, addresses) },
            fixes: fix.into_iter().collect(),
        });
    }
    results
}

fn related(located: &LocatedFinding, texts: &mut Texts<'_>, addresses: &Addresses) -> Vec<Location> {
    let mut locations = Vec::with_capacity(located.related.len());
    for related in &located.related {
        let Some(place) = texts.related(related) else { continue };
        let location = location(&place, addresses, &related.object, &related.pointer);
        let (id, message) = (Some(locations.len() + 1), Some(Message::of(&related.message)));
        locations.push(Location { id, message, ..location });
    }
    locations
}

/// The fixes of one text's findings, each as it is alone.
struct Fixes<'m> {
    text: SingleFix<'m>,
    /// How many there are in each document.
    counts: HashMap<usize, usize>,
}

impl<'m> Fixes<'m> {
    /// Those of a group of findings; `None` if none has one.
    fn of(manifest: &'m LintedFile, group: &[&LocatedFinding]) -> Option<Self> {
        let mut counts = HashMap::new();
        for located in group.iter().filter(|located| located.finding.fix.is_some()) {
            *counts.entry(located.document).or_default() += 1;
        }
        (!counts.is_empty()).then(|| Fixes { text: SingleFix::new(manifest), counts })
    }

    /// What the fix of a finding changes; `None` if it has none, or none that can be made in this text, or if a password
    /// may be in what would be shown.
    fn of_finding(&self, located: &LocatedFinding) -> Option<Vec<fixer::Replacement>> {
        let fix = located.finding.fix.as_ref()?;
        let count = self.counts.get(&located.document)?;
        if located.document_span.len().saturating_mul(*count) > MOST_READ {
            return None;
        }
        let replacements = self.text.replacements(located, fix).ok()?;
        let is_delicate = replacements.iter().any(|replacement| is_delicate(&replacement.text));
        (!replacements.is_empty() && !is_delicate).then_some(replacements)
    }
}

fn fix(
    located: &LocatedFinding,
    replacements: Vec<fixer::Replacement>,
    manifest: &LintedFile,
    lines: &Lines<'_>,
    addresses: &Addresses,
) -> Fix {
    let is_safe = located.finding.safe_edits().is_some();
    let warning = if is_safe { "" } else { " (unsafe: it may move or destroy something)" };
    let replacements = replacements.into_iter().map(|replacement| {
        let (start, end) = (lines.position(replacement.range.start), lines.position(replacement.range.end));
        let content = Some(replacement.text).filter(|text| !text.is_empty());
        Replacement {
            deleted_region: Region::between(start, end),
            inserted_content: content.map(|text| Content { text }),
        }
    });
    Fix {
        description: Message::of(&format!("{}{warning}", located.finding.help)),
        artifact_changes: [ArtifactChange {
            artifact_location: artifact(&addresses.of(&manifest.name)),
            replacements: replacements.collect(),
        }],
    }
}

/// What a finding is, without the line that it is on, nor the place of its object in a List.
fn identity(located: &LocatedFinding, place: &Place<'_>, addresses: &Addresses) -> String {
    let address = addresses.of(&place.file);
    let (finding, object) = (&located.finding, &located.object);
    let names = [&object.api_version, &object.kind, &object.namespace, &object.name, &finding.missing];
    let names = names.into_iter().map(|part| part.as_deref().unwrap_or_default());
    let mut hash = Sha256::new();
    for part in [finding.rule, address.path(), in_object(&finding.pointer)].into_iter().chain(names) {
        hash.update(part.len().to_string());
        hash.update(":");
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The part of a pointer that is inside of an object, which may be an item of a List.
fn in_object(pointer: &str) -> &str {
    let item =
        pointer.strip_prefix("/items/").map(|rest| rest.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    item.map_or(pointer, in_object)
}
