//! The report for people: a table of databases and failures, then what is wrong with each.

use std::io::{self, Write};

use anstyle::{AnsiColor, Color, Style};

use super::{Group, ReportOptions, cell, condition, count, risks, time_of};
use crate::audit::forecast::{Failure, Forecast, Outcome};
use crate::audit::{Audit, DatabaseReport};
use crate::counted::counted;
use crate::escape::escape;
use crate::linter::{Level, ObjectFinding, ObjectId};
use crate::report::{level_name, object_name};

const BOLD: Style = Style::new().bold();

/// Writes a report with ANSI colors, which `output` must strip if they are not wanted.
///
/// # Errors
/// Errors of `output`.
pub fn write(audit: &Audit, options: ReportOptions, output: &mut impl Write) -> io::Result<()> {
    write_table(audit, output)?;
    if audit.is_what_if {
        let is_affected = |report: &&DatabaseReport| report.worst() > Some(Outcome::StaysUp);
        for report in audit.databases.iter().filter(is_affected) {
            write_title(report, output)?;
            report.forecasts.iter().try_for_each(|forecast| write_forecast(forecast, output))?;
            writeln!(output)?;
        }
    } else {
        audit.databases.iter().try_for_each(|report| write_database(report, options, output))?;
        write_others(audit, options, output)?;
    }
    for unread in &audit.unread {
        let place = unread.namespace.as_deref().map(|name| format!(" in namespace {name}")).unwrap_or_default();
        let style = style_of(Outcome::Waits);
        writeln!(
            output,
            "{style}not read{style:#}: {}{}: {}",
            unread.resource,
            escape(&place),
            escape(&unread.reason)
        )?;
    }
    for note in &audit.notes {
        writeln!(output, "note: {}", escape(note))?;
    }
    writeln!(output, "{}", summary(audit))
}

/// The findings that belong to no database.
fn write_others(audit: &Audit, options: ReportOptions, output: &mut impl Write) -> io::Result<()> {
    if audit.findings.is_empty() {
        return Ok(());
    }
    writeln!(output, "{BOLD}other objects{BOLD:#}")?;
    for found in &audit.findings {
        write_finding(found, None, options, output)?;
    }
    writeln!(output)
}

/// The table of databases and failures.
fn write_table(audit: &Audit, output: &mut impl Write) -> io::Result<()> {
    if audit.databases.is_empty() {
        return Ok(());
    }
    let heads = audit.failures.iter().map(|failure| head(*failure));
    let mut rows = vec![["DATABASE", "NOW"].into_iter().chain(heads).map(|head| (head.to_owned(), BOLD)).collect()];
    for report in &audit.databases {
        let mut row: Vec<(String, Style)> =
            vec![(escape(&report.full_name()), Style::new()), (report.now.state.word().to_owned(), Style::new())];
        row.extend(report.forecasts.iter().map(|forecast| (cell(forecast), style_of(forecast.outcome))));
        rows.push(row);
    }
    let width = |column: usize| {
        rows.iter().filter_map(|row: &Vec<(String, Style)>| row.get(column)).map(|(text, _)| text.chars().count()).max()
    };
    for row in &rows {
        let mut line = String::new();
        for (column, (text, style)) in row.iter().enumerate() {
            let padding = width(column).unwrap_or_default() - text.chars().count();
            let padding = if column + 1 == row.len() { 0 } else { padding + 2 };
            line.push_str(&format!("{style}{text}{style:#}{:padding$}", ""));
        }
        writeln!(output, "{}", line.trim_end())?;
    }
    writeln!(output)
}

/// The head of a column.
fn head(failure: Failure) -> &'static str {
    match failure {
        Failure::ContainerExit => "CONTAINER",
        Failure::PodDeletion => "POD",
        Failure::Rollout => "ROLLOUT",
        Failure::Drain => "DRAIN",
        Failure::Reboot => "REBOOT",
        Failure::NodeFailure => "NODE",
        Failure::NodeIsolation => "NETWORK",
        Failure::ZoneFailure => "ZONE",
        Failure::NodeReplacement => "NEW IMAGE",
    }
}

fn write_title(report: &DatabaseReport, output: &mut impl Write) -> io::Result<()> {
    let kind = report.object.kind.as_deref().unwrap_or_default();
    let node = report.now.node.as_deref().map(|node| format!(" on node {node}")).unwrap_or_default();
    let operator = report.operator.as_deref().map(|owner| format!(", owned by {owner}")).unwrap_or_default();
    let title =
        format!("{}: {kind}, {}, {}{node}{operator}", report.full_name(), report.product, report.now.state.word());
    writeln!(output, "{BOLD}{}{BOLD:#}", escape(&title))
}

fn write_database(report: &DatabaseReport, options: ReportOptions, output: &mut impl Write) -> io::Result<()> {
    write_title(report, output)?;
    if options.details {
        for forecast in &report.forecasts {
            write_forecast(forecast, output)?;
        }
    } else {
        for risk in risks(report) {
            write_risk(&risk, report.forecasts.len(), output)?;
        }
    }
    for found in &report.findings {
        write_finding(found, Some(&report.object), options, output)?;
    }
    for note in &report.notes {
        writeln!(output, "  note: {}", escape(note))?;
    }
    writeln!(output)
}

/// `failures` is the number of all failures.
fn write_risk(risk: &Group<'_>, failures: usize, output: &mut impl Write) -> io::Result<()> {
    let style = style_of(risk.outcome);
    let words = risk.outcome.words_before_if(risk.is_certain);
    let condition =
        if risk.failures.len() == failures { "at every failure".to_owned() } else { condition(&risk.failures) };
    writeln!(output, "  {style}{words}{style:#} {condition}: {}", escape(risk.message))?;
    if let Some(help) = risk.help {
        writeln!(output, "    help: {}", escape(help))?;
    }
    Ok(())
}

/// A forecast with its steps and evidence.
fn write_forecast(forecast: &Forecast, output: &mut impl Write) -> io::Result<()> {
    let style = style_of(forecast.outcome);
    let time = time_of(forecast);
    let words = forecast.outcome.words_before_if(forecast.certain);
    let event = forecast.failure.event();
    writeln!(output, "  {style}{words}{style:#}{time} if {event}: {}", escape(&forecast.message))?;
    if let Some(help) = &forecast.help {
        writeln!(output, "    help: {}", escape(help))?;
    }
    for also in &forecast.also {
        writeln!(output, "    also: {}", escape(also))?;
    }
    for step in &forecast.steps {
        writeln!(output, "    {:>11}  {} ({})", step.seconds.to_string(), escape(&step.what), escape(&step.source))?;
    }
    for evidence in &forecast.evidence {
        writeln!(output, "    {} {}: {}", evidence.kind, escape(&evidence.name), escape(&evidence.shows))?;
    }
    Ok(())
}

/// One line; with details, the help on a second one. The object is named unless it is the `known` one.
fn write_finding(
    found: &ObjectFinding,
    known: Option<&ObjectId>,
    options: ReportOptions,
    output: &mut impl Write,
) -> io::Result<()> {
    let finding = &found.finding;
    let level = Level::from_finding(finding);
    let style = match level {
        Level::Error => style_of(Outcome::LosesData),
        Level::Warning => style_of(Outcome::Waits),
    };
    let object = if known == Some(&*found.object) { String::new() } else { format!("{} ", object_name(&found.object)) };
    writeln!(
        output,
        "  {style}{}[{}]{style:#}: {} ({object}at {})",
        level_name(level),
        finding.rule,
        escape(&finding.message),
        escape(&finding.pointer)
    )?;
    if options.details {
        writeln!(output, "    help: {}", escape(&finding.help))?;
    }
    Ok(())
}

fn style_of(outcome: Outcome) -> Style {
    let color = match outcome {
        Outcome::StaysUp | Outcome::ComesBack => AnsiColor::Green,
        Outcome::Unknown => AnsiColor::Cyan,
        Outcome::Waits => AnsiColor::Yellow,
        Outcome::NeverStarts | Outcome::TwoServers | Outcome::LosesData => AnsiColor::Red,
    };
    Style::new().fg_color(Some(Color::Ansi(color)))
}

/// The last line.
fn summary(audit: &Audit) -> String {
    let nodes = (audit.nodes > 0).then(|| counted(audit.nodes, "node"));
    let read =
        [nodes, Some(counted(audit.objects_read, "object"))].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let version = audit.minor_version.map(|minor| format!(" of Kubernetes 1.{minor}")).unwrap_or_default();
    let databases = audit.databases.len();
    if databases == 0 {
        return format!("nothing checked: no database in {read}{version}");
    }
    let totals = if audit.is_what_if {
        let affected = audit.databases.iter().filter(|report| report.worst() > Some(Outcome::StaysUp)).count();
        let unknown = audit.databases.iter().filter(|report| report.forecasts.is_empty()).count();
        let unknown = if unknown > 0 { format!(", {unknown} without a pod") } else { String::new() };
        format!("{affected} of {} affected{unknown}", counted(databases, "database"))
    } else {
        let (errors, warnings) = (count(audit, Level::Error), count(audit, Level::Warning));
        format!("{}: {}, {}", counted(databases, "database"), counted(errors, "error"), counted(warnings, "warning"))
    };
    format!("{totals} ({read}{version})")
}
