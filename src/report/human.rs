//! The report for people: the lines in question, why they matter, what to do, and a summary.

use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level as Severity, Message, Origin, Renderer, Snippet, Title,
};
use memchr::memrchr;

use super::place::{Place, Texts, is_delicate, summary};
use crate::exit::plain;
use crate::linter::Level;
use crate::linter::{InputError, LintResult, LocatedFinding};
use crate::manifest::BYTE_ORDER_MARK;
use crate::rule_pages;

/// Writes a report. Colours are in it; whoever gives `output` strips them where they do not belong.
///
/// # Errors
/// Those of `output`.
pub fn write(outcome: &LintResult, output: &mut impl Write) -> io::Result<()> {
    problems(outcome, output)?;
    let renderer = Renderer::styled();
    let follows_links = supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout);
    let (mut texts, mut others) = (Texts::new(outcome), Texts::new(outcome));
    for located in &outcome.findings {
        let Some(place) = texts.finding(located) else { continue };
        let mut group = title(located, follows_links).element(frame(&place, AnnotationKind::Primary, label(located)));
        for related in &located.related {
            let Some(place) = others.related(related) else { continue };
            group = group.element(frame(&place, AnnotationKind::Context, Some(related.message.clone())));
        }
        let rendered = rendered(located, &place);
        writeln!(output, "{}\n", renderer.render(&[explained(group, located, rendered.as_deref())]))?;
    }
    for note in &outcome.notes {
        writeln!(output, "{}", renderer.render(&[Group::with_title(Severity::NOTE.primary_title(note))]))?;
    }
    writeln!(output, "{}", summary(outcome))
}

/// Shows what could not be read.
///
/// # Errors
/// What the system says when `output` cannot be written.
pub fn problems(outcome: &LintResult, output: &mut impl Write) -> io::Result<()> {
    let mut texts = Texts::new(outcome);
    for unread in &outcome.errors {
        let place = texts.unread(unread);
        writeln!(output, "{}\n", Renderer::styled().render(&[problem(unread, place.as_ref())]))?;
    }
    Ok(())
}

/// Shows a place of one text. The renderer looks at every line it is given, so it is given only those in question.
fn frame<'t>(place: &Place<'_>, kind: AnnotationKind, label: Option<String>) -> Snippet<'t, Annotation<'t>> {
    let (excerpt, within) = excerpt(&place.text, place.span.clone());
    Snippet::source(excerpt)
        .path(place.title())
        .line_start(place.shown().map_or(1, |region| region.start.line))
        .annotation(kind.span(within).label(label))
}

/// The lines of some bytes, as far as they may be shown, and where the bytes are in them.
fn excerpt(text: &str, span: Range<usize>) -> (String, Range<usize>) {
    let lines = line_start(text, span.start)..line_end(text, span.end);
    let (window, span) = discreet(text, lines.clone(), span);
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    let (before, after) = (part(lines.start..window.start), part(window.end..lines.end));
    let is_something = |text: &str| !text.trim_start_matches(BYTE_ORDER_MARK).trim().is_empty();
    // What is left out at the front leaves its room, so that columns stay what they are.
    let mut excerpt = " ".repeat(before.chars().take(WIDEST_ROOM).count());
    if is_something(before) {
        excerpt.pop();
        excerpt.push('…');
    }
    let start = excerpt.len() + span.start - window.start;
    excerpt.push_str(part(window));
    if is_something(after) {
        excerpt.push('…');
    }
    (excerpt, start..start + span.len())
}

/// Longest line that is shown whole, in bytes.
const LONGEST_LINE: usize = 200;

/// Most columns that are kept free in front of what is shown.
const WIDEST_ROOM: usize = 10_000;

/// What may be shown of some lines: whatever else stands on them may be a password. Lines that speak of variables,
/// commands or secrets, and lines of the length of whole documents, are cut to what the finding is about; of what
/// speaks of them itself only the first character is shown.
fn discreet(text: &str, lines: Range<usize>, span: Range<usize>) -> (Range<usize>, Range<usize>) {
    let is_delicate =
        |range: &Range<usize>| range.len() > LONGEST_LINE || is_delicate(text.get(range.clone()).unwrap_or_default());
    if !is_delicate(&lines) {
        return (lines, span);
    }
    if !is_delicate(&span) {
        return (span.clone(), span);
    }
    let first = text.get(span.clone()).and_then(|part| part.chars().next()).map_or(0, char::len_utf8);
    let first = span.start..span.start + first;
    (first.clone(), first)
}

/// Where the line of a byte begins; of a line that is longer than anything that is shown, where looking for that ends.
fn line_start(text: &str, byte: usize) -> usize {
    let farthest = text.floor_char_boundary(byte.saturating_sub(4 * WIDEST_ROOM));
    let before = text.get(farthest..byte).unwrap_or_default();
    memrchr(b'\n', before.as_bytes()).map_or(farthest, |feed| farthest + feed + 1)
}

/// Where the line of a byte ends; of a line that is not shown as a whole, where looking for that ends.
fn line_end(text: &str, byte: usize) -> usize {
    let farthest = text.ceil_char_boundary(text.len().min(byte + LONGEST_LINE + 1));
    let line = text.get(byte..farthest).and_then(|after| after.split('\n').next()).unwrap_or_default();
    byte + line.trim_end_matches('\r').len()
}

/// What is said beside the marked place.
fn label(located: &LocatedFinding) -> Option<String> {
    match (&located.finding.label, &located.finding.missing) {
        (Some(label), _) => Some(label.to_string()),
        (None, Some(key)) => Some(format!("`{key}` is missing here")),
        (None, None) => None,
    }
}

fn title(located: &LocatedFinding, follows_links: bool) -> Title<'_> {
    let severity = if located.level() == Level::Error { Severity::ERROR } else { Severity::WARNING };
    let title = severity.primary_title(&*located.finding.message).id(located.finding.rule);
    if follows_links { title.id_url(rule_pages::address(located.finding.rule)) } else { title }
}

/// Which of the objects that a template makes is meant, and where it stands.
fn rendered(located: &LocatedFinding, place: &Place<'_>) -> Option<String> {
    let region = place.rendered?;
    let name: Vec<String> = located.object.kind.iter().chain(&located.object.name).map(|part| plain(part)).collect();
    let line = if place.region.is_some() { format!(" at line {}", region.start.line) } else { String::new() };
    Some(format!("it is rendered{line} in {}", name.join(" ")))
}

/// Adds why it matters, where it is rendered, and what to do.
fn explained<'t>(mut group: Group<'t>, located: &'t LocatedFinding, rendered: Option<&'t str>) -> Group<'t> {
    for note in located.finding.reason.as_deref().into_iter().chain(rendered) {
        group = group.element(Severity::NOTE.no_name().message(note));
    }
    group.element(help(&located.finding.help))
}

fn help(text: &str) -> Message<'_> {
    Severity::HELP.message(text)
}

/// A problem with its place but without the line: nobody knows what stands on a line that cannot be read.
fn problem<'t>(unread: &'t InputError, place: Option<&Place<'_>>) -> Group<'t> {
    let origin = Origin::path(place.map_or_else(|| unread.name.clone(), Place::title));
    let origin = match place.and_then(Place::shown) {
        Some(region) => origin.line(region.start.line).char_column(region.start.column),
        None => origin,
    };
    let help: Option<Element<'_>> = unread.error.help.as_deref().map(|text| help(text).into());
    Severity::ERROR.primary_title(&unread.error.message).element(origin).elements(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_of_a_line_is_marked_and_leaves_its_room() {
        let shown = |text: &str, part: &str| {
            let start = text.find(part).unwrap();
            let (excerpt, within) = excerpt(text, start..start + part.len());
            assert_eq!(excerpt.get(within), Some(part));
            excerpt
        };
        assert_eq!(shown("a: 1\n  - {b: é, c: 2}\n", "2"), "  - {b: é, c: 2}");
        assert_eq!(shown("x:\n  - {value: é, c: 2}\n", "c"), format!("{}…c…", " ".repeat("  - {value: é,".len() - 1)));
        assert_eq!(shown("  args: b\n", "b"), "       …b");
        let long = "1".repeat(LONGEST_LINE);
        assert_eq!(shown(&format!("\u{feff}{{a: {long}}}"), "{"), " {…", "nobody sees the mark");
    }
}
