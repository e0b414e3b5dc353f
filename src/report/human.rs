//! The report for people: the affected lines, the reason, the help, and a summary.

use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level as Severity, Message, Origin, Renderer, Snippet, Title,
};
use memchr::memrchr;

use super::location::{Location, SourceFiles, may_contain_secret};
use super::text::summary;
use crate::escape::escape;
use crate::linter::{InputError, Level, LintResult, LocatedFinding};
use crate::manifest::BYTE_ORDER_MARK;
use crate::rule_docs;

/// How a report looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct HumanOptions {
    /// Whether each rule id is a link to its documentation.
    pub has_links: bool,
    /// The columns at which lines of manifests are cut; `None` if the width is unknown.
    pub width: Option<usize>,
}

impl HumanOptions {
    fn renderer(self) -> Renderer {
        let renderer = Renderer::styled();
        if let Some(width) = self.width { renderer.term_width(width) } else { renderer }
    }
}

/// Writes a report with ANSI colors, which `output` must strip if they are not wanted.
///
/// # Errors
/// Errors of `output`.
pub fn write(result: &LintResult, options: HumanOptions, output: &mut impl Write) -> io::Result<()> {
    write_findings(result, options, output)?;
    for note in &result.notes {
        writeln!(output, "{}", Renderer::styled().render(&[Group::with_title(Severity::NOTE.primary_title(note))]))?;
    }
    writeln!(output, "{}", summary(result))
}

/// The same without notes and summary.
///
/// # Errors
/// Errors of `output`.
pub fn write_findings(result: &LintResult, options: HumanOptions, output: &mut impl Write) -> io::Result<()> {
    write_errors(result, output)?;
    let renderer = options.renderer();
    let (mut files, mut related_files) = (SourceFiles::new(result), SourceFiles::new(result));
    for located in &result.findings {
        let Some(location) = files.finding(located) else { continue };
        let mut group =
            title(located, options.has_links).element(snippet(&location, AnnotationKind::Primary, label(located)));
        for related in &located.related {
            let Some(location) = related_files.related(related) else { continue };
            group = group.element(snippet(&location, AnnotationKind::Context, Some(related.message.clone())));
        }
        let rendered = rendered_note(located, &location);
        writeln!(output, "{}\n", renderer.render(&[with_notes(group, located, rendered.as_deref())]))?;
    }
    Ok(())
}

/// Writes the input errors.
///
/// # Errors
/// Errors of `output`.
pub fn write_errors(result: &LintResult, output: &mut impl Write) -> io::Result<()> {
    let mut files = SourceFiles::new(result);
    for error in &result.errors {
        let location = files.error(error);
        writeln!(output, "{}\n", Renderer::styled().render(&[error_group(error, location.as_ref())]))?;
    }
    Ok(())
}

/// A snippet that contains only the affected lines, because the renderer reads every line that it gets.
fn snippet<'t>(location: &Location<'_>, kind: AnnotationKind, label: Option<String>) -> Snippet<'t, Annotation<'t>> {
    let (excerpt, within) = excerpt(location.text, location.span.clone());
    Snippet::source(excerpt)
        .path(location.title())
        .line_start(location.range_in_text().map_or(1, |range| range.start.line))
        .annotation(kind.span(within).label(label))
}

/// The lines of a byte range, redacted if they may contain a secret, and the byte range within them.
pub(crate) fn excerpt(text: &str, span: Range<usize>) -> (String, Range<usize>) {
    let lines = line_start(text, span.start)..line_end(text, span.end);
    let (window, span) = redact(text, lines.clone(), span);
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    let (before, after) = (part(lines.start..window.start), part(window.end..lines.end));
    let has_content = |text: &str| !text.trim_start_matches(BYTE_ORDER_MARK).trim().is_empty();
    // Blanks replace the omitted start, so that columns stay the same.
    let mut excerpt = " ".repeat(before.chars().take(MAX_INDENTATION).count());
    if has_content(before) {
        excerpt.pop();
        excerpt.push('…');
    }
    let start = excerpt.len() + span.start - window.start;
    excerpt.push_str(part(window));
    if has_content(after) {
        excerpt.push('…');
    }
    (excerpt, start..start + span.len())
}

/// The maximum length in bytes of a line that is shown in full.
const MAX_LINE: usize = 200;

/// The maximum number of blanks before an excerpt.
const MAX_INDENTATION: usize = 10_000;

/// Limits what is shown of the lines, because they can contain a password. Lines that mention variables, commands or
/// secrets, and very long lines, are cut to the span. If the span itself mentions them, only its first character is
/// shown.
fn redact(text: &str, lines: Range<usize>, span: Range<usize>) -> (Range<usize>, Range<usize>) {
    let is_sensitive = |range: &Range<usize>| {
        range.len() > MAX_LINE || may_contain_secret(text.get(range.clone()).unwrap_or_default())
    };
    if !is_sensitive(&lines) {
        return (lines, span);
    }
    if !is_sensitive(&span) {
        return (span.clone(), span);
    }
    let first = text.get(span.clone()).and_then(|part| part.chars().next()).map_or(0, char::len_utf8);
    let first = span.start..span.start + first;
    (first.clone(), first)
}

/// The start of a byte's line. The search ends after the maximum length that can be shown.
fn line_start(text: &str, byte: usize) -> usize {
    let limit = text.floor_char_boundary(byte.saturating_sub(4 * MAX_INDENTATION));
    let before = text.get(limit..byte).unwrap_or_default();
    memrchr(b'\n', before.as_bytes()).map_or(limit, |feed| limit + feed + 1)
}

/// The end of a byte's line. The search ends after the maximum length that can be shown.
fn line_end(text: &str, byte: usize) -> usize {
    let limit = text.ceil_char_boundary(text.len().min(byte + MAX_LINE + 1));
    let line = text.get(byte..limit).and_then(|after| after.split('\n').next()).unwrap_or_default();
    byte + line.trim_end_matches('\r').len()
}

/// The text next to the marked span.
fn label(located: &LocatedFinding) -> Option<String> {
    match (&located.finding.label, &located.finding.missing) {
        (Some(label), _) => Some(label.to_string()),
        (None, Some(key)) => Some(format!("missing `{key}`")),
        (None, None) => None,
    }
}

fn title(located: &LocatedFinding, with_links: bool) -> Title<'_> {
    let severity = if located.level() == Level::Error { Severity::ERROR } else { Severity::WARNING };
    let title = severity.primary_title(&*located.finding.message).id(located.finding.rule);
    if with_links { title.id_url(rule_docs::url(located.finding.rule)) } else { title }
}

/// The rendered object of a finding, what it is rendered from, and its line.
fn rendered_note(located: &LocatedFinding, location: &Location<'_>) -> Option<String> {
    let range = location.rendered?;
    let name: Vec<String> = located.object.kind.iter().chain(&located.object.name).map(|part| escape(part)).collect();
    let by = location.by.map(|by| format!(" of {by}")).unwrap_or_default();
    let line = if location.range.is_some() { format!(", line {}", range.start.line) } else { String::new() };
    Some(format!("in the rendered {}{by}{line}", name.join(" ")))
}

/// Adds the reason, the rendered object and the help.
fn with_notes<'t>(mut group: Group<'t>, located: &'t LocatedFinding, rendered: Option<&'t str>) -> Group<'t> {
    let reason = located.finding.reason.as_deref();
    for note in reason.into_iter().chain(rendered).chain(located.expired_ignore.as_deref()) {
        group = group.element(Severity::NOTE.no_name().message(note));
    }
    group.element(help(&located.finding.help))
}

fn help(text: &str) -> Message<'_> {
    Severity::HELP.message(text)
}

/// An input error with its location, but without the line, which can contain a secret.
fn error_group<'t>(error: &'t InputError, location: Option<&Location<'_>>) -> Group<'t> {
    let origin = Origin::path(location.map_or_else(|| error.name.clone(), Location::title));
    let origin = match location.and_then(Location::range_in_text) {
        Some(range) => origin.line(range.start.line).char_column(range.start.column),
        None => origin,
    };
    let help: Option<Element<'_>> = error.error.help.as_deref().map(|text| help(text).into());
    Severity::ERROR.primary_title(&error.error.message).element(origin).elements(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn omitted_parts_of_a_line_are_marked_and_columns_are_kept() {
        let shown = |text: &str, part: &str| {
            let start = text.find(part).unwrap();
            let (excerpt, within) = excerpt(text, start..start + part.len());
            assert_eq!(excerpt.get(within), Some(part));
            excerpt
        };
        assert_eq!(shown("a: 1\n  - {b: é, c: 2}\n", "2"), "  - {b: é, c: 2}");
        assert_eq!(shown("x:\n  - {value: é, c: 2}\n", "c"), format!("{}…c…", " ".repeat("  - {value: é,".len() - 1)));
        assert_eq!(shown("  args: b\n", "b"), "       …b");
        assert_eq!(shown("  - name: SA_PASSWORD\n", "SA_PASSWORD"), "  - name: SA_PASSWORD");
        assert_eq!(shown("{name: SA_PASSWORD, value: x}\n", "SA_PASSWORD"), "      …SA_PASSWORD…");
        let long = "1".repeat(MAX_LINE);
        assert_eq!(shown(&format!("\u{feff}{{a: {long}}}"), "{"), " {…", "the byte-order mark is not shown");
    }
}
