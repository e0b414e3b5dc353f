//! The report for people: the lines in question, why they matter, what to do, and a summary.

use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level as Severity, Message, Renderer, Snippet};

use crate::cli::Level;
use crate::linter::{Located, Outcome, Unread};
use crate::manifest::Lines;

/// Writes a report. Colours are in it; whoever gives `output` strips them where they do not belong.
///
/// # Errors
/// Those of `output`.
pub fn write(outcome: &Outcome, output: &mut impl Write) -> io::Result<()> {
    let renderer = Renderer::styled();
    let lines: Vec<Lines<'_>> = outcome.manifests.iter().map(|manifest| Lines::new(&manifest.text)).collect();
    for unread in &outcome.unread {
        let source = unread.manifest.and_then(|index| Some((outcome.manifests.get(index)?, lines.get(index)?)));
        let source = source.map(|(manifest, lines)| frame(&manifest.name, &manifest.text, lines));
        writeln!(output, "{}\n", renderer.render(&[problem(unread, source)]))?;
    }
    for located in &outcome.findings {
        if let (Some(manifest), Some(lines)) = (outcome.manifests.get(located.manifest), lines.get(located.manifest)) {
            let frame = frame(&manifest.name, &manifest.text, lines);
            writeln!(output, "{}\n", renderer.render(&[finding(located, frame)]))?;
        }
    }
    for note in &outcome.notes {
        writeln!(output, "{}", renderer.render(&[Group::with_title(Severity::NOTE.primary_title(note))]))?;
    }
    writeln!(output, "{}", summary(outcome))
}

/// A way to show a place of one text.
fn frame<'t>(
    name: &'t str,
    text: &'t str,
    lines: &'t Lines<'t>,
) -> impl Fn(Range<usize>, Option<String>) -> Snippet<'t, annotate_snippets::Annotation<'t>> {
    move |span, label| {
        // The renderer looks at every line it is given, so it is given only those in question.
        let window = line_start(text, span.start)..line_end(text, span.end);
        let within = span.start - window.start..span.end - window.start;
        Snippet::source(text.get(window.clone()).unwrap_or_default())
            .path(name)
            .line_start(lines.position(window.start).line)
            .annotation(AnnotationKind::Primary.span(within).label(label))
    }
}

fn line_start(text: &str, byte: usize) -> usize {
    text.get(..byte).and_then(|before| before.rfind('\n')).map_or(0, |feed| feed + 1)
}

fn line_end(text: &str, byte: usize) -> usize {
    text.get(byte..).and_then(|after| after.find('\n')).map_or(text.len(), |feed| byte + feed)
}

fn finding<'t>(
    located: &'t Located,
    frame: impl Fn(Range<usize>, Option<String>) -> Snippet<'t, annotate_snippets::Annotation<'t>>,
) -> Group<'t> {
    let finding = &located.finding;
    let severity = if located.level() == Level::Error { Severity::ERROR } else { Severity::WARNING };
    let label = match (&finding.label, &finding.missing) {
        (Some(label), _) => Some(label.to_string()),
        (None, Some(key)) => Some(format!("`{key}` is missing here")),
        (None, None) => None,
    };
    let mut group =
        severity.primary_title(&*finding.message).id(finding.rule).element(frame(located.span.clone(), label));
    if let Some(reason) = &finding.reason {
        group = group.element(Severity::NOTE.no_name().message(&**reason));
    }
    group.element(help(&finding.help))
}

fn help(text: &str) -> Message<'_> {
    Severity::HELP.message(text)
}

fn problem<'t>(
    unread: &'t Unread,
    frame: Option<impl Fn(Range<usize>, Option<String>) -> Snippet<'t, annotate_snippets::Annotation<'t>>>,
) -> Group<'t> {
    let title = Severity::ERROR.primary_title(&unread.problem.message);
    let byte = unread.problem.byte;
    let group = match frame {
        Some(frame) => title.element(frame(byte..byte, None)),
        None => title.element(annotate_snippets::Origin::path(&unread.name)),
    };
    let elements: Option<Element<'_>> = unread.problem.help.as_deref().map(|text| help(text).into());
    group.elements(elements)
}

/// One line that says it all.
fn summary(outcome: &Outcome) -> String {
    let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let seen = format!(
        "{} among {} in {}",
        counted(outcome.workloads, "workload"),
        counted(outcome.objects, "object"),
        counted(outcome.manifests.len(), "file")
    );
    let (errors, warnings) = (outcome.count(Level::Error), outcome.count(Level::Warning));
    let unread = match outcome.unread.len() {
        0 => String::new(),
        count => format!("; {} could not be read", counted(count, "input")),
    };
    if errors + warnings == 0 {
        return format!("nothing is wrong with {seen}{unread}");
    }
    let fixable = match outcome.fixable() {
        0 => String::new(),
        count => format!(", {count} with a safe fix"),
    };
    format!("{}, {}{fixable}: {seen}{unread}", counted(errors, "error"), counted(warnings, "warning"))
}
