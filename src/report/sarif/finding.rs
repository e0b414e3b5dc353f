//! Findings as SARIF results.

use std::collections::HashMap;
use std::path::Path;

use super::log::{ArtifactChange, Content, Fingerprints, Fix, Location, Message, Region, Replacement, Result};
use super::{artifact_location, location, rule};
use crate::fixer::{self, SingleFix};
use crate::linter::{LintResult, LintedFile, LocatedFinding};
use crate::manifest::Lines;
use crate::report::fingerprint::fingerprint;
use crate::report::location::{SourceFiles, may_contain_secret};
use crate::report::path::ReportPath;
use crate::report::text::{level_name, message_and_help_in};

/// The maximum number of bytes to read again for the fixes of one document. A larger document with many findings gets
/// no fixes.
const MAX_FIX_BYTES: usize = 16 * 1024 * 1024;

/// The results of findings in the same text.
pub(super) fn results(group: &[&LocatedFinding], result: &LintResult, directory: &Path) -> Vec<Result> {
    let (mut files, mut related_files) = (SourceFiles::new(result), SourceFiles::new(result));
    let fixes = group.first().and_then(|located| Fixes::new(result.files.get(located.file)?, group));
    let mut results = Vec::with_capacity(group.len());
    for located in group {
        let Some(file_location) = files.finding(located) else { continue };
        let replacements = fixes.as_ref().and_then(|fixes| fixes.replacements(located));
        let fix = replacements
            .zip(files.lines(located.file))
            .map(|(replacements, (file, lines))| fix(located, replacements, file, lines, directory));
        results.push(Result {
            rule_id: located.finding.rule,
            rule_index: rule::index(located.finding.rule),
            level: level_name(located.level()),
            message: Message::new(&message_and_help_in(located, &file_location)),
            locations: [location(&file_location, directory, &located.object, &located.finding.pointer)],
            related_locations: related(located, &mut related_files, directory),
            partial_fingerprints: Fingerprints {
                identity: fingerprint(located, ReportPath::new(file_location.file, directory).as_str()),
            },
            fixes: fix.into_iter().collect(),
        });
    }
    results
}

fn related(located: &LocatedFinding, files: &mut SourceFiles<'_>, directory: &Path) -> Vec<Location> {
    let mut locations = Vec::with_capacity(located.related.len());
    for related in &located.related {
        let Some(file_location) = files.related(related) else { continue };
        let location = location(&file_location, directory, &related.object, &related.pointer);
        let (id, message) = (Some(locations.len() + 1), Some(Message::new(&related.message)));
        locations.push(Location { id, message, ..location });
    }
    locations
}

/// The fixes of a text's findings, each applied alone.
struct Fixes<'m> {
    text: SingleFix<'m>,
    /// The number of fixes in each document.
    counts: HashMap<usize, usize>,
}

impl<'m> Fixes<'m> {
    /// The fixes of a group of findings; `None` if there are none.
    fn new(file: &'m LintedFile, group: &[&LocatedFinding]) -> Option<Self> {
        let mut counts = HashMap::new();
        for located in group.iter().filter(|located| located.finding.fix.is_some()) {
            *counts.entry(located.document).or_default() += 1;
        }
        (!counts.is_empty()).then(|| Fixes { text: SingleFix::new(file), counts })
    }

    /// The replacements of a finding's fix; `None` if there is no fix, if it cannot be applied, or if the new text may
    /// contain a secret.
    fn replacements(&self, located: &LocatedFinding) -> Option<Vec<fixer::Replacement>> {
        let fix = located.finding.fix.as_ref()?;
        let count = self.counts.get(&located.document)?;
        if located.document_span.len().saturating_mul(*count) > MAX_FIX_BYTES {
            return None;
        }
        let replacements = self.text.replacements(located, fix).ok()?;
        let is_sensitive = replacements.iter().any(|replacement| may_contain_secret(&replacement.text));
        (!replacements.is_empty() && !is_sensitive).then_some(replacements)
    }
}

fn fix(
    located: &LocatedFinding,
    replacements: Vec<fixer::Replacement>,
    file: &LintedFile,
    lines: &Lines<'_>,
    directory: &Path,
) -> Fix {
    let is_safe = located.finding.safe_edits().is_some();
    let warning = if is_safe { "" } else { " (unsafe)" };
    let replacements = replacements.into_iter().map(|replacement| {
        let (start, end) = (lines.position(replacement.range.start), lines.position(replacement.range.end));
        let content = Some(replacement.text).filter(|text| !text.is_empty());
        Replacement {
            deleted_region: Region::between(start, end),
            inserted_content: content.map(|text| Content { text }),
        }
    });
    Fix {
        description: Message::new(&format!("{}{warning}", located.finding.help)),
        artifact_changes: [ArtifactChange {
            artifact_location: artifact_location(&ReportPath::new(&file.name, directory)),
            replacements: replacements.collect(),
        }],
    }
}
