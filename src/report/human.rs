//! The report for people: the lines in question, why they matter, what to do, and a summary.

use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level as Severity, Message, Origin, Renderer, Snippet, Title,
};

use super::place::{Texts, is_delicate, summary};
use crate::cli::Level;
use crate::linter::{Located, Outcome, Unread};
use crate::manifest::Lines;

/// Writes a report. Colours are in it; whoever gives `output` strips them where they do not belong.
///
/// # Errors
/// Those of `output`.
pub fn write(outcome: &Outcome, output: &mut impl Write) -> io::Result<()> {
    problems(outcome, output)?;
    let renderer = Renderer::styled();
    let (mut texts, mut others) = (Texts::new(outcome), Texts::new(outcome));
    for located in &outcome.findings {
        let Some((manifest, lines)) = texts.lines(located.manifest) else { continue };
        let kind = AnnotationKind::Primary;
        let frame = frame(&manifest.name, &manifest.text, lines, located.span.clone(), kind, label(located));
        let mut group = title(located).element(frame);
        for related in &located.related {
            let Some((manifest, lines)) = others.lines(related.manifest) else { continue };
            let (kind, label) = (AnnotationKind::Context, Some(related.message.clone()));
            group =
                group.element(self::frame(&manifest.name, &manifest.text, lines, related.span.clone(), kind, label));
        }
        writeln!(output, "{}\n", renderer.render(&[explained(group, located)]))?;
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
pub fn problems(outcome: &Outcome, output: &mut impl Write) -> io::Result<()> {
    let mut texts = Texts::new(outcome);
    for unread in &outcome.unread {
        let lines = unread.manifest.and_then(|index| texts.lines(index)).map(|(_, lines)| lines);
        writeln!(output, "{}\n", Renderer::styled().render(&[problem(unread, lines)]))?;
    }
    Ok(())
}

/// Shows a place of one text. The renderer looks at every line it is given, so it is given only those in question.
fn frame<'t>(
    name: &'t str,
    text: &'t str,
    lines: &Lines<'_>,
    span: Range<usize>,
    kind: AnnotationKind,
    label: Option<String>,
) -> Snippet<'t, Annotation<'t>> {
    let lines_in_question = line_start(text, span.start)..line_end(text, span.end);
    let (window, span) = discreet(text, lines_in_question.clone(), span);
    // What is left out at the front leaves its room, so that columns stay what they are.
    let room = text.get(lines_in_question.start..window.start).map_or(0, |left_out| left_out.chars().count());
    let source = " ".repeat(room.min(WIDEST_ROOM)) + text.get(window.clone()).unwrap_or_default();
    let start = room.min(WIDEST_ROOM) + span.start - window.start;
    let within = start..start + span.len();
    Snippet::source(source)
        .path(name)
        .line_start(lines.position(window.start).line)
        .annotation(kind.span(within).label(label))
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

fn line_start(text: &str, byte: usize) -> usize {
    text.get(..byte).and_then(|before| before.rfind('\n')).map_or(0, |feed| feed + 1)
}

fn line_end(text: &str, byte: usize) -> usize {
    let line = text.get(byte..).and_then(|after| after.split('\n').next()).unwrap_or_default();
    byte + line.trim_end_matches('\r').len()
}

/// What is said beside the marked place.
fn label(located: &Located) -> Option<String> {
    match (&located.finding.label, &located.finding.missing) {
        (Some(label), _) => Some(label.to_string()),
        (None, Some(key)) => Some(format!("`{key}` is missing here")),
        (None, None) => None,
    }
}

fn title(located: &Located) -> Title<'_> {
    let severity = if located.level() == Level::Error { Severity::ERROR } else { Severity::WARNING };
    severity.primary_title(&*located.finding.message).id(located.finding.rule)
}

/// Adds why it matters, and what to do.
fn explained<'t>(mut group: Group<'t>, located: &'t Located) -> Group<'t> {
    if let Some(reason) = &located.finding.reason {
        group = group.element(Severity::NOTE.no_name().message(&**reason));
    }
    group.element(help(&located.finding.help))
}

fn help(text: &str) -> Message<'_> {
    Severity::HELP.message(text)
}

/// A problem with its place but without the line: nobody knows what stands on a line that cannot be read.
fn problem<'t>(unread: &'t Unread, lines: Option<&Lines<'_>>) -> Group<'t> {
    let origin = Origin::path(&unread.name);
    let origin = match lines.map(|lines| lines.position(unread.problem.byte)) {
        Some(position) => origin.line(position.line).char_column(position.column),
        None => origin,
    };
    let help: Option<Element<'_>> = unread.problem.help.as_deref().map(|text| help(text).into());
    Severity::ERROR.primary_title(&unread.problem.message).element(origin).elements(help)
}
