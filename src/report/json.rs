//! The report for programs: a stable contract, described in the README.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use sqledge_ha_policy::finding::{Action, Fix};

use super::place::{Place, Region, Texts, level_name, statement, unread_file};
use super::plain_json;
use crate::linter::Level;
use crate::linter::{InputError, LintResult, LocatedFinding, ObjectId, RelatedLocation};
use crate::manifest::Position;

/// The version of the contract.
const VERSION: u8 = 1;

/// Writes a report.
///
/// # Errors
/// Those of `output`.
pub fn write(outcome: &LintResult, output: &mut impl Write) -> io::Result<()> {
    let summary = Summary {
        files: outcome.files.len(),
        objects: outcome.objects,
        workloads: outcome.workloads,
        errors: outcome.count(Level::Error),
        warnings: outcome.count(Level::Warning),
        fixable: outcome.fixable(),
        ignored: outcome.ignored.unwrap_or_default(),
    };
    let report = Report {
        version: VERSION,
        summary,
        findings: Findings(outcome),
        errors: Problems(outcome),
        notes: &outcome.notes,
    };
    plain_json::write(&report, output)
}

#[derive(Serialize)]
struct Report<'o> {
    version: u8,
    summary: Summary,
    findings: Findings<'o>,
    errors: Problems<'o>,
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

/// The findings, each made when it is written.
struct Findings<'o>(&'o LintResult);

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut texts, mut others) = (Texts::new(self.0), Texts::new(self.0));
        serializer.collect_seq(self.0.findings.iter().filter_map(|located| finding(located, &mut texts, &mut others)))
    }
}

#[derive(Serialize)]
struct Finding<'o> {
    rule: &'static str,
    level: &'static str,
    action: Action,
    message: String,
    help: &'o str,
    object: &'o ObjectId,
    pointer: &'o str,
    file: Cow<'o, str>,
    document: usize,
    start: Option<Point>,
    end: Option<Point>,
    rendered: Option<Span>,
    fix: Option<&'o Fix>,
    related: Vec<Related<'o>>,
}

fn finding<'o>(located: &'o LocatedFinding, texts: &mut Texts<'o>, others: &mut Texts<'o>) -> Option<Finding<'o>> {
    let Place { file, region, rendered, .. } = texts.finding(located)?;
    let finding = &located.finding;
    Some(Finding {
        rule: finding.rule,
        level: level_name(located.level()),
        action: finding.action,
        message: statement(finding),
        help: &finding.help,
        object: &located.object,
        pointer: &finding.pointer,
        file,
        document: located.document,
        start: region.map(|region| region.start.into()),
        end: region.map(|region| region.end.into()),
        rendered: rendered.map(Span::from),
        fix: finding.fix.as_ref(),
        related: located.related.iter().filter_map(|related| related_place(related, others)).collect(),
    })
}

#[derive(Serialize)]
struct Related<'o> {
    file: Cow<'o, str>,
    document: usize,
    pointer: &'o str,
    start: Option<Point>,
    end: Option<Point>,
    rendered: Option<Span>,
    message: &'o str,
}

fn related_place<'o>(related: &'o RelatedLocation, texts: &mut Texts<'o>) -> Option<Related<'o>> {
    let Place { file, region, rendered, .. } = texts.related(related)?;
    Some(Related {
        file,
        document: related.document,
        pointer: &related.pointer,
        start: region.map(|region| region.start.into()),
        end: region.map(|region| region.end.into()),
        rendered: rendered.map(Span::from),
        message: &related.message,
    })
}

#[derive(Serialize)]
struct Point {
    line: usize,
    column: usize,
    byte: usize,
}

impl From<Position> for Point {
    fn from(Position { line, column, byte }: Position) -> Self {
        Point { line, column, byte }
    }
}

/// A part of a rendered text.
#[derive(Serialize)]
struct Span {
    start: Point,
    end: Point,
}

impl From<Region> for Span {
    fn from(Region { start, end }: Region) -> Self {
        Span { start: start.into(), end: end.into() }
    }
}

/// What could not be read.
struct Problems<'o>(&'o LintResult);

impl Serialize for Problems<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut texts = Texts::new(self.0);
        serializer.collect_seq(self.0.errors.iter().map(|unread| problem(unread, &mut texts)))
    }
}

#[derive(Serialize)]
struct Problem<'o> {
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

fn problem<'o>(unread: &'o InputError, texts: &mut Texts<'o>) -> Problem<'o> {
    let place = texts.unread(unread);
    let position = place.as_ref().and_then(|place| place.region).map(|region| region.start);
    let rendered = place.as_ref().and_then(|place| place.rendered).map(|region| region.start);
    Problem {
        file: unread_file(unread, place.as_ref()).to_owned(),
        message: &unread.error.message,
        help: unread.error.help.as_deref(),
        line: position.map(|position| position.line),
        column: position.map(|position| position.column),
        rendered: rendered.map(|Position { line, column, .. }| LineAndColumn { line, column }),
    }
}
