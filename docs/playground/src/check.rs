//! Checks a text.

use std::ops::Range;

use serde::Serialize;
use sqledge_ha::escape::escape_lines;
use sqledge_ha::linter::{Ignores, Level, LintResult, LocatedFinding, lint_texts, parse_date};
use sqledge_ha::policy_settings::{PolicySettings, SettingsError, read_settings};
use sqledge_ha::prefilter::Prefilter;
use sqledge_ha::quick_fix::{fix_title, rest_of_line};
use sqledge_ha::report::{level_name, object_name, summary};
use sqledge_ha::utf16::Utf16Index;
use sqledge_ha_policy::view::Scope;

/// The name of the text in messages.
pub(crate) const NAME: &str = "manifest.yaml";
/// The largest text that is checked, in bytes.
const MAX_BYTES: usize = 4 << 20;
/// The most findings that are listed: more would slow down the page, and nobody reads them.
const MAX_FINDINGS: usize = 500;

/// What to check.
pub(crate) struct Input<'i> {
    pub(crate) text: String,
    pub(crate) settings: PolicySettings,
    /// How much of an application the text is.
    pub(crate) scope: Scope,
    /// The date for ignore comments that expire.
    pub(crate) today: &'i str,
}

/// A text with its findings.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) settings: PolicySettings,
    pub(crate) result: LintResult,
    units: Utf16Index,
    is_too_large: bool,
}

/// What the page shows. Lists are shortened, numbers are not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// One line.
    summary: String,
    /// Whether there is a workload that rules check.
    is_checked: bool,
    errors: usize,
    warnings: usize,
    fixable: usize,
    findings: Vec<Finding>,
    /// The number of findings that are not listed.
    omitted: usize,
    /// Why the text, or a document in it, cannot be read.
    problems: Vec<Mark>,
    notes: Vec<String>,
    settings_error: Option<Mark>,
}

/// A finding.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule: &'static str,
    level: &'static str,
    message: String,
    /// The reason, and why an ignore comment does not apply.
    details: Vec<String>,
    help: String,
    object: String,
    #[serde(flatten)]
    span: Span,
    fix: Option<FixChoice>,
    related: Vec<Mark>,
}

/// A fix that the user can choose.
#[derive(Debug, Serialize)]
struct FixChoice {
    title: String,
    safe: bool,
}

/// A part of a text, in UTF-16 code units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Span {
    from: usize,
    to: usize,
}

/// A message about a part of a text.
#[derive(Debug, Serialize)]
pub(crate) struct Mark {
    #[serde(flatten)]
    span: Span,
    message: String,
}

impl Mark {
    fn new(span: Span, message: &str) -> Self {
        Mark { span, message: escape_lines(message) }
    }
}

/// Reads settings. Those before them stay if there is a mistake, which is returned.
pub(crate) fn change_settings(settings: &mut PolicySettings, text: &str) -> Option<Mark> {
    let read = match text.len() {
        0..=MAX_BYTES => read_settings(text),
        _ => Err(SettingsError { span: 0..0, message: TOO_LARGE.to_owned() }),
    };
    match read {
        Ok(read) => {
            *settings = read;
            None
        }
        Err(SettingsError { span, message }) => {
            let span = if span.is_empty() { rest_of_line(text, span.start) } else { span };
            Some(Mark::new(to_utf16(&Utf16Index::new(text), text, &span), &message))
        }
    }
}

const TOO_LARGE: &str = "not checked: the text is larger than 4 MiB";

impl Checked {
    /// Checks a text, unless it is too large.
    pub(crate) fn new(input: Input<'_>) -> Self {
        let Input { text, settings, scope, today } = input;
        let is_too_large = text.len() > MAX_BYTES;
        let text = if is_too_large { String::new() } else { text };
        let units = Utf16Index::new(&text);
        let prefilter = Prefilter::new(&settings.settings).with_texts();
        let mut result = lint_texts(vec![(NAME.to_owned(), text)], &prefilter, scope);
        result.note_retirement(&settings.settings);
        if let Ok(today) = parse_date(today) {
            result.apply_ignores(&Ignores { today, entries: Vec::new(), has_all_paths: false });
            result.note_ignores(&settings.settings);
        }
        Checked { settings, result, units, is_too_large }
    }

    /// The text; empty if it is too large.
    pub(crate) fn text(&self) -> &str {
        self.result.files.first().map_or("", |file| file.text.as_str())
    }

    /// A part of the text for the page.
    pub(crate) fn span(&self, bytes: &Range<usize>) -> Span {
        to_utf16(&self.units, self.text(), bytes)
    }

    /// What the page shows.
    pub(crate) fn report(&self, settings_error: Option<Mark>) -> Report {
        let findings = &self.result.findings;
        let problems = self.result.errors.iter().map(|input| {
            let help = input.error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
            let span = self.span(&rest_of_line(self.text(), input.error.byte));
            Mark::new(span, &format!("{}{help}", input.error.message))
        });
        let too_large = self.is_too_large.then(|| Mark::new(Span { from: 0, to: 0 }, TOO_LARGE));
        Report {
            summary: if self.is_too_large { TOO_LARGE.to_owned() } else { summary(&self.result) },
            is_checked: self.result.workloads > 0 && self.result.errors.is_empty(),
            errors: self.result.count(Level::Error),
            warnings: self.result.count(Level::Warning),
            fixable: self.result.fixable(),
            findings: findings.iter().take(MAX_FINDINGS).map(|located| self.finding(located)).collect(),
            omitted: findings.len().saturating_sub(MAX_FINDINGS),
            problems: too_large.into_iter().chain(problems).take(MAX_FINDINGS).collect(),
            notes: self.result.notes.iter().map(|note| escape_lines(note)).collect(),
            settings_error,
        }
    }

    fn finding(&self, located: &LocatedFinding) -> Finding {
        let finding = &located.finding;
        let details = finding.reason.as_deref().into_iter().chain(located.expired_ignore.as_deref());
        Finding {
            rule: finding.rule,
            level: level_name(located.level()),
            message: escape_lines(&finding.message),
            details: details.map(escape_lines).collect(),
            help: escape_lines(&finding.help),
            object: object_name(&located.object),
            span: self.span(&located.span),
            fix: finding
                .fix
                .as_ref()
                .map(|_| FixChoice { title: escape_lines(&fix_title(finding)), safe: finding.safe_edits().is_some() }),
            related: located
                .related
                .iter()
                .map(|related| Mark::new(self.span(&related.span), &related.message))
                .collect(),
        }
    }
}

fn to_utf16(units: &Utf16Index, text: &str, bytes: &Range<usize>) -> Span {
    let start = text.floor_char_boundary(bytes.start);
    let end = text.floor_char_boundary(bytes.end.max(start));
    Span { from: units.units_before(text, start), to: units.units_before(text, end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Checked {
        let settings = PolicySettings::default();
        Checked::new(Input { text: text.to_owned(), settings, scope: Scope::Application, today: "2026-11-30" })
    }

    #[test]
    fn positions_count_utf_16_code_units() {
        let text = "# \u{1F600} é\napiVersion: v1\nkind: Pod\nmetadata: {name: sql}\nspec: {containers: [{image: azure-sql-edge}]}\n";
        let checked = check(text);
        let report = checked.report(None);
        let units: Vec<u16> = text.encode_utf16().collect();
        let controller = report.findings.iter().find(|finding| finding.rule == "steady-controller").unwrap();
        let marked = String::from_utf16(&units[controller.span.from..controller.span.to]).unwrap();
        assert_eq!(marked, "Pod");
        assert!(report.errors > 0 && report.summary.contains("error"), "{report:?}");
    }

    #[test]
    fn parse_errors_and_too_large_texts_are_problems() {
        let broken = check("apiVersion: v1\nkind: Pod\nspec: {containers: [{image: azure-sql-edge\n").report(None);
        assert_eq!(broken.problems.len(), 1, "{broken:?}");
        let large = check(&"#".repeat(MAX_BYTES + 1)).report(None);
        assert_eq!(large.problems[0].message, TOO_LARGE);
        assert!(large.findings.is_empty());
    }

    #[test]
    fn at_most_some_findings_are_listed() {
        let pod =
            "---\napiVersion: v1\nkind: Pod\nmetadata: {name: sql}\nspec: {containers: [{image: azure-sql-edge}]}\n";
        let report = check(&pod.repeat(300)).report(None);
        assert_eq!(report.findings.len(), MAX_FINDINGS);
        assert_eq!(report.findings.len() + report.omitted, report.errors + report.warnings);
    }

    #[test]
    fn wrong_settings_are_marked_and_change_nothing() {
        let mut settings = PolicySettings::default();
        assert!(change_settings(&mut settings, "mode: validate").is_none());
        let mistake = change_settings(&mut settings, "# é\nmode: warm\n").unwrap();
        assert_eq!(mistake.span, Span { from: 10, to: 14 });
        assert_eq!(settings.value["mode"], "validate");
        let unfinished = change_settings(&mut settings, "mode: [").unwrap();
        assert_eq!((unfinished.span, unfinished.message.as_str()), (Span { from: 6, to: 7 }, "unclosed `[`"));
    }
}
