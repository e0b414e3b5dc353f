//! What a report looks like: one file for each format.
//!
//! Reports are written while they are made: the lines of a text are looked for when a finding in it is reached.
//!
//! | file | holds |
//! |---|---|
//! | `human`, `json`, `sarif`, `junit`, `github` | the formats |
//! | `place`, `address` | where a finding stands, what is said of it, and how files are called |
//! | `plain_json` | JSON that cannot drive a terminal |
//! | `output` | reports in files |
//! | `explanation` | what `review --explain` tells |

use std::io::{self, Write};

use crate::linter::LintResult;

mod address;
#[cfg(feature = "serve")]
pub mod explanation;
pub mod github;
pub mod human;
pub mod json;
pub mod junit;
#[cfg(not(target_family = "wasm"))]
pub mod output;
mod place;
mod plain_json;
pub mod sarif;

#[cfg(not(target_family = "wasm"))]
pub(crate) use self::place::counted;

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// For people, with the affected lines.
    Human,
    /// For programs; a stable contract.
    Json,
    /// SARIF 2.1.0, with fixes.
    Sarif,
    /// JUnit XML.
    Junit,
    /// Workflow commands of GitHub Actions.
    Github,
}

/// Writes a report. That for people has colours in it: whoever gives `output` strips them where they do not belong.
///
/// # Errors
/// Those of `output`.
pub fn write(format: ReportFormat, result: &LintResult, output: &mut impl Write) -> io::Result<()> {
    match format {
        ReportFormat::Human => human::write(result, output),
        ReportFormat::Json => json::write(result, output),
        ReportFormat::Sarif => sarif::write(result, output),
        ReportFormat::Junit => junit::write(result, output),
        ReportFormat::Github => github::write(result, output),
    }
}
