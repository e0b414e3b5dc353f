//! The report as a page that needs no server: a table, then a card for each database with a timeline for each failure.
//! It has no script and loads nothing, and every text of the cluster is escaped.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};

use super::{cell, count, time_of};
use crate::audit::forecast::{Forecast, Outcome, Step};
use crate::audit::{Audit, DatabaseReport};
use crate::counted::counted;
use crate::escape::escape;
use crate::linter::{Level, ObjectFinding};
use crate::report::{level_name, object_name};

const STYLE: &str = include_str!("page.css");

const FOOTER: &str = "A time is a range from the shortest to the longest. Steps that are marked as assumed depend on your cluster: measure them, \
                      and set them with <code>--timer</code>.";

/// A text of the cluster, escaped for HTML.
struct Text<'t>(&'t str);

impl Display for Text<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for character in escape(self.0).chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                other => write!(formatter, "{other}")?,
            }
        }
        Ok(())
    }
}

/// A sentence, escaped for HTML, with its quotations in code font.
struct Sentence<'t>(&'t str);

impl Display for Sentence<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((before, quotation, after)) = next_quotation(rest) {
            write!(formatter, "{}<code>{}</code>", Text(before), Text(quotation))?;
            rest = after;
        }
        write!(formatter, "{}", Text(rest))
    }
}

/// The text before the first pair of backticks, between them, and after them.
fn next_quotation(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (quotation, after) = rest.split_once('`')?;
    Some((before, quotation, after))
}

/// Writes a report.
///
/// # Errors
/// Errors of `output`.
pub fn write(audit: &Audit, output: &mut impl Write) -> io::Result<()> {
    let source = Text(&audit.source);
    writeln!(
        output,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>Databases of {source}</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<header>\n<h1>Databases of {source}</h1>\n<p class=\"muted\">{}</p>\n</header>\n<main>",
        Text(&summary(audit))
    )?;
    write_problems(audit, output)?;
    if !audit.databases.is_empty() {
        write_table(audit, output)?;
    }
    for (index, report) in audit.databases.iter().enumerate() {
        write_card(index, report, output)?;
    }
    if !audit.findings.is_empty() {
        writeln!(output, "<article>\n<h2>Other objects</h2>")?;
        write_findings(&audit.findings, output)?;
        writeln!(output, "</article>")?;
    }
    writeln!(output, "</main>\n<footer class=\"muted\">\n<p>{FOOTER}</p>\n</footer>\n</body>\n</html>")
}

fn summary(audit: &Audit) -> String {
    let version = audit.minor_version.map(|minor| format!("Kubernetes 1.{minor}, ")).unwrap_or_default();
    format!(
        "{version}{}, {}: {}, {}",
        counted(audit.nodes, "node"),
        counted(audit.databases.len(), "database"),
        counted(count(audit, Level::Error), "error"),
        counted(count(audit, Level::Warning), "warning")
    )
}

/// What could not be read, and notes.
fn write_problems(audit: &Audit, output: &mut impl Write) -> io::Result<()> {
    for unread in &audit.unread {
        let place = unread.namespace.as_deref().map(|name| format!(" in namespace {name}")).unwrap_or_default();
        let text = format!("{}{place}: {}", unread.resource, unread.reason);
        writeln!(output, "<p><span class=\"outcome waits\">Not read</span>: {}</p>", Sentence(&text))?;
    }
    for note in &audit.notes {
        writeln!(output, "<p class=\"muted\">{}</p>", Sentence(note))?;
    }
    Ok(())
}

fn write_table(audit: &Audit, output: &mut impl Write) -> io::Result<()> {
    writeln!(
        output,
        "<section class=\"scroll\" tabindex=\"0\" aria-label=\"Forecast\">\n<table>\n<thead>\n<tr><th \
         scope=\"col\">Database</th><th scope=\"col\">Now</th>"
    )?;
    for failure in &audit.failures {
        writeln!(output, "<th scope=\"col\">If {}</th>", failure.event())?;
    }
    writeln!(output, "</tr>\n</thead>\n<tbody>")?;
    for (index, report) in audit.databases.iter().enumerate() {
        let (name, now) = (report.full_name(), report.now.state.word());
        writeln!(output, "<tr><th scope=\"row\"><a href=\"#d{index}\">{}</a></th><td>{now}</td>", Text(&name))?;
        for forecast in &report.forecasts {
            writeln!(output, "<td class=\"{}\">{}</td>", forecast.outcome.name(), Text(&table_cell(forecast)))?;
        }
        for _ in report.forecasts.len()..audit.failures.len() {
            writeln!(output, "<td></td>")?;
        }
        writeln!(output, "</tr>")?;
    }
    writeln!(output, "</tbody>\n</table>\n</section>")
}

/// What a table cell says: the time until the database is back, or the outcome.
fn table_cell(forecast: &Forecast) -> String {
    match forecast.outcome {
        Outcome::ComesBack => cell(forecast),
        outcome => outcome.words(forecast.certain).to_owned(),
    }
}

fn write_card(index: usize, report: &DatabaseReport, output: &mut impl Write) -> io::Result<()> {
    let kind = report.object.kind.as_deref().unwrap_or_default();
    let node = report.now.node.as_deref().map(|node| format!(" on node {node}")).unwrap_or_default();
    let operator = report.operator.as_deref().map(|owner| format!(", owned by {owner}")).unwrap_or_default();
    let about = format!("{kind}, {}, {}{node}{operator}", report.product, report.now.state.word());
    writeln!(
        output,
        "<article id=\"d{index}\">\n<h2>{}</h2>\n<p class=\"muted\">{}</p>\n<p class=\"muted\"><code>{}</code></p>",
        Text(&report.full_name()),
        Text(&about),
        Text(&report.image)
    )?;
    for note in &report.notes {
        writeln!(output, "<p>Note: {}</p>", Sentence(note))?;
    }
    if !report.forecasts.is_empty() {
        writeln!(output, "<h3>Forecast</h3>")?;
    }
    for forecast in &report.forecasts {
        write_forecast(forecast, output)?;
    }
    if !report.findings.is_empty() {
        writeln!(output, "<h3>Findings</h3>")?;
        write_findings(&report.findings, output)?;
    }
    writeln!(output, "</article>")
}

fn write_forecast(forecast: &Forecast, output: &mut impl Write) -> io::Result<()> {
    let time = time_of(forecast);
    writeln!(
        output,
        "<details>\n<summary>If {}: <span class=\"outcome {}\">{}{}</span></summary>\n<p>{}</p>",
        forecast.failure.event(),
        forecast.outcome.name(),
        forecast.outcome.words(forecast.certain),
        Text(&time),
        Sentence(&forecast.message)
    )?;
    if let Some(help) = &forecast.help {
        writeln!(output, "<p>Help: {}</p>", Sentence(help))?;
    }
    for also in &forecast.also {
        writeln!(output, "<p>Also: {}</p>", Sentence(also))?;
    }
    write_timeline(&forecast.steps, output)?;
    if !forecast.evidence.is_empty() {
        writeln!(output, "<ul>")?;
        for evidence in &forecast.evidence {
            let name = match &evidence.namespace {
                Some(namespace) => format!("{} {namespace}/{}", evidence.kind, evidence.name),
                None => format!("{} {}", evidence.kind, evidence.name),
            };
            writeln!(output, "<li>{}: {}</li>", Text(&name), Sentence(&evidence.shows))?;
        }
        writeln!(output, "</ul>")?;
    }
    writeln!(output, "</details>")
}

/// The steps as bars: each begins where the one before it ends at the latest, and is as long as it takes at most.
fn write_timeline(steps: &[Step], output: &mut impl Write) -> io::Result<()> {
    let total: f64 = steps.iter().map(|step| step.seconds.max).sum();
    if total <= 0.0 {
        return Ok(());
    }
    let mut start = 0.0;
    writeln!(output, "<ol class=\"timeline\">")?;
    for step in steps {
        let length = step.seconds.max / total * 100.0;
        writeln!(
            output,
            "<li>{}: {} <span class=\"muted\">({})</span><span class=\"track\" aria-hidden=\"true\"><span \
             style=\"left: {start:.1}%; width: {length:.1}%\"></span></span></li>",
            step.seconds,
            Sentence(&step.what),
            Sentence(&step.source)
        )?;
        start += length;
    }
    writeln!(output, "</ol>")
}

fn write_findings(findings: &[ObjectFinding], output: &mut impl Write) -> io::Result<()> {
    writeln!(output, "<ul>")?;
    for found in findings {
        let finding = &found.finding;
        let level = level_name(Level::from_finding(finding));
        writeln!(
            output,
            "<li><span class=\"outcome {level}\">{level}</span> <code>{}</code>: {}<br><span class=\"muted\">{} \
             <code>{}</code></span><br>Help: {}</li>",
            finding.rule,
            Sentence(&finding.message),
            Text(&object_name(&found.object)),
            Text(&finding.pointer),
            Sentence(&finding.help)
        )?;
    }
    writeln!(output, "</ul>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_are_code_and_everything_is_escaped() {
        assert_eq!(Sentence("set `<a>` & \"b\"").to_string(), "set <code>&lt;a&gt;</code> &amp; &quot;b&quot;");
        assert_eq!(Sentence("a ` alone").to_string(), "a ` alone");
    }
}
