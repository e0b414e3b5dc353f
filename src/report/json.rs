//! The report for programs: a stable contract, described in the README.

use std::io::{self, Write};

use serde_json::{Value, json};
use sqledge_ha_policy::finding::may_mislead;

use crate::cli::Level;
use crate::linter::{Located, Outcome};
use crate::manifest::Position;
use crate::report::place::{Place, Places};

/// The version of the contract.
const VERSION: u8 = 1;

/// Writes a report.
///
/// # Errors
/// Those of `output`.
pub fn write(outcome: &Outcome, output: &mut impl Write) -> io::Result<()> {
    let places = Places::new(outcome);
    let finding = |located: &Located| Some(finding(located, &places.of(located.manifest, &located.span)?));
    let unread = outcome.unread.iter().map(|unread| {
        let place = unread.manifest.and_then(|index| places.of(index, &unread.span()));
        let position = place.as_ref().and_then(|place| place.region).map(|region| region.start);
        let rendered = place.as_ref().and_then(|place| place.rendered).map(|region| region.start);
        json!({
            "file": place.as_ref().map_or(unread.name.as_str(), |place| place.file),
            "message": unread.problem.message, "help": unread.problem.help,
            "line": position.map(|position| position.line), "column": position.map(|position| position.column),
            "rendered": rendered.map(|position| json!({"line": position.line, "column": position.column})),
        })
    });
    let report = json!({
        "version": VERSION,
        "summary": {
            "files": outcome.manifests.len(),
            "objects": outcome.objects,
            "workloads": outcome.workloads,
            "errors": outcome.count(Level::Error),
            "warnings": outcome.count(Level::Warning),
            "fixable": outcome.fixable(),
        },
        "findings": outcome.findings.iter().filter_map(finding).collect::<Vec<Value>>(),
        "errors": unread.collect::<Vec<Value>>(),
        "notes": outcome.notes,
    });
    // Outside strings JSON is plain ASCII, so whatever could drive a terminal stands in one and can be escaped.
    for character in format!("{report:#}").chars() {
        match character {
            '\n' => writeln!(output)?,
            misleading if may_mislead(misleading) => write!(output, "\\u{:04x}", u32::from(misleading))?,
            plain => write!(output, "{plain}")?,
        }
    }
    writeln!(output)
}

fn finding(located: &Located, place: &Place<'_>) -> Value {
    let finding = &located.finding;
    let message = match &finding.reason {
        Some(reason) => format!("{}: {reason}", finding.message),
        None => finding.message.to_string(),
    };
    json!({
        "rule": finding.rule,
        "level": if located.level() == Level::Error { "error" } else { "warning" },
        "action": finding.action,
        "message": message,
        "help": finding.help,
        "object": located.object,
        "pointer": finding.pointer,
        "file": place.file,
        "document": located.document,
        "start": place.region.map(|region| position(region.start)),
        "end": place.region.map(|region| position(region.end)),
        "rendered": place.rendered.map(|region| json!({"start": position(region.start), "end": position(region.end)})),
        "fix": finding.fix,
    })
}

fn position(position: Position) -> Value {
    json!({"line": position.line, "column": position.column, "byte": position.byte})
}
