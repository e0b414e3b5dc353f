//! The report as JSON, a stable contract that `docs/reference/output.md` describes.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use sqledge_ha_policy::finding::{Action, Fix};

use super::escaped_json;
use super::location::{LineRange, Location, SourceFiles};
use super::text::{error_file, level_name, message_and_reason};
use crate::linter::{InputError, Level, LintResult, LocatedFinding, ObjectId, RelatedLocation};
use crate::manifest::Position;

/// The version of the contract.
const VERSION: u8 = 1;

/// Writes a report.
///
/// # Errors
/// Errors of `output`.
pub fn write(result: &LintResult, output: &mut impl Write) -> io::Result<()> {
    let summary = Summary {
        files: result.files.len(),
        objects: result.objects,
        workloads: result.workloads,
        errors: result.count(Level::Error),
        warnings: result.count(Level::Warning),
        fixable: result.fixable(),
        ignored: result.ignored.unwrap_or_default(),
    };
    let report = Report {
        version: VERSION,
        summary,
        findings: Findings(result),
        errors: InputErrors(result),
        notes: &result.notes,
    };
    escaped_json::write(&report, output)
}

#[derive(Serialize)]
struct Report<'o> {
    version: u8,
    summary: Summary,
    findings: Findings<'o>,
    errors: InputErrors<'o>,
    notes: &'o [String],
}

#[derive(Serialize)]
struct Summary {
    files: usize,
    objects: usize,
    workloads: usize,
    errors: usize,
    warnings: usize,
    fixable: usize,
    ignored: usize,
}

/// The findings; each entry is created when it is written.
struct Findings<'o>(&'o LintResult);

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut files, mut related_files) = (SourceFiles::new(self.0), SourceFiles::new(self.0));
        let findings = self.0.findings.iter();
        serializer.collect_seq(findings.filter_map(|located| finding_entry(located, &mut files, &mut related_files)))
    }
}

/// Where a finding is in a rendered text.
#[derive(Serialize)]
struct RenderedRange<'o> {
    /// The chart or kustomization; `null` if the text was piped.
    by: Option<&'o str>,
    #[serde(flatten)]
    range: LineRange,
}

impl<'o> RenderedRange<'o> {
    fn new(location: &Location<'o>) -> Option<Self> {
        Some(RenderedRange { by: location.by, range: location.rendered? })
    }
}

#[derive(Serialize)]
struct FindingEntry<'o> {
    rule: &'static str,
    level: &'static str,
    action: Action,
    message: String,
    help: &'o str,
    object: &'o ObjectId,
    pointer: &'o str,
    file: &'o str,
    document: usize,
    start: Option<Position>,
    end: Option<Position>,
    rendered: Option<RenderedRange<'o>>,
    fix: Option<&'o Fix>,
    related: Vec<RelatedEntry<'o>>,
}

fn finding_entry<'o>(
    located: &'o LocatedFinding,
    files: &mut SourceFiles<'o>,
    related_files: &mut SourceFiles<'o>,
) -> Option<FindingEntry<'o>> {
    let location = files.finding(located)?;
    let Location { file, range, .. } = location;
    let finding = &located.finding;
    Some(FindingEntry {
        rule: finding.rule,
        level: level_name(located.level()),
        action: finding.action,
        message: message_and_reason(located),
        help: &finding.help,
        object: &located.object,
        pointer: &finding.pointer,
        file,
        document: located.document,
        start: range.map(|range| range.start),
        end: range.map(|range| range.end),
        rendered: RenderedRange::new(&location),
        fix: finding.fix.as_ref(),
        related: located.related.iter().filter_map(|related| related_entry(related, related_files)).collect(),
    })
}

#[derive(Serialize)]
struct RelatedEntry<'o> {
    file: &'o str,
    document: usize,
    pointer: &'o str,
    start: Option<Position>,
    end: Option<Position>,
    rendered: Option<RenderedRange<'o>>,
    message: &'o str,
}

fn related_entry<'o>(related: &'o RelatedLocation, files: &mut SourceFiles<'o>) -> Option<RelatedEntry<'o>> {
    let location = files.related(related)?;
    let Location { file, range, .. } = location;
    Some(RelatedEntry {
        file,
        document: related.document,
        pointer: &related.pointer,
        start: range.map(|range| range.start),
        end: range.map(|range| range.end),
        rendered: RenderedRange::new(&location),
        message: &related.message,
    })
}

/// The input errors.
struct InputErrors<'o>(&'o LintResult);

impl Serialize for InputErrors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut files = SourceFiles::new(self.0);
        serializer.collect_seq(self.0.errors.iter().map(|error| error_entry(error, &mut files)))
    }
}

#[derive(Serialize)]
struct ErrorEntry<'o> {
    file: String,
    message: &'o str,
    help: Option<&'o str>,
    line: Option<usize>,
    column: Option<usize>,
    rendered: Option<LineAndColumn>,
}

#[derive(Serialize)]
struct LineAndColumn {
    line: usize,
    column: usize,
}

fn error_entry<'o>(error: &'o InputError, files: &mut SourceFiles<'o>) -> ErrorEntry<'o> {
    let location = files.error(error);
    let position = location.as_ref().and_then(|location| location.range).map(|range| range.start);
    let rendered = location.as_ref().and_then(|location| location.rendered).map(|range| range.start);
    ErrorEntry {
        file: error_file(error, location.as_ref()).to_owned(),
        message: &error.error.message,
        help: error.error.help.as_deref(),
        line: position.map(|position| position.line),
        column: position.map(|position| position.column),
        rendered: rendered.map(|Position { line, column, .. }| LineAndColumn { line, column }),
    }
}
