//! The report for programs: a stable contract, described in the README.

use std::io::{self, Write};

use serde_json::{Value, json};
use sqledge_ha_policy::finding::may_mislead;

use crate::cli::Level;
use crate::linter::{Located, Manifest, Outcome};
use crate::manifest::{Lines, Position};

/// The version of the contract.
const VERSION: u8 = 1;

/// Writes a report.
///
/// # Errors
/// Those of `output`.
pub fn write(outcome: &Outcome, output: &mut impl Write) -> io::Result<()> {
    let lines: Vec<Lines<'_>> = outcome.manifests.iter().map(|manifest| Lines::new(&manifest.text)).collect();
    let finding = |located: &Located| {
        let (manifest, lines) = (outcome.manifests.get(located.manifest)?, lines.get(located.manifest)?);
        Some(finding(located, manifest, lines))
    };
    let unread = outcome.unread.iter().map(|unread| {
        let lines = unread.manifest.and_then(|index| lines.get(index));
        let position = lines.map(|lines| lines.position(unread.problem.byte));
        json!({
            "file": unread.name, "message": unread.problem.message, "help": unread.problem.help,
            "line": position.map(|position| position.line), "column": position.map(|position| position.column),
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

fn finding(located: &Located, manifest: &Manifest, lines: &Lines<'_>) -> Value {
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
        "file": manifest.name,
        "document": located.document,
        "start": place(lines.position(located.span.start)),
        "end": place(lines.position(located.span.end)),
        "fix": finding.fix,
    })
}

fn place(position: Position) -> Value {
    json!({"line": position.line, "column": position.column, "byte": position.byte})
}
