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

use crate::cli::ReportFormat;
use crate::linter::Outcome;

mod address;
pub mod explanation;
pub mod github;
pub mod human;
pub mod json;
pub mod junit;
pub mod output;
mod place;
mod plain_json;
pub mod sarif;

pub(crate) use self::place::counted;

/// Writes a report. That for people has colours in it: whoever gives `output` strips them where they do not belong.
///
/// # Errors
/// Those of `output`.
pub fn write(format: ReportFormat, outcome: &Outcome, output: &mut impl Write) -> io::Result<()> {
    match format {
        ReportFormat::Human => human::write(outcome, output),
        ReportFormat::Json => json::write(outcome, output),
        ReportFormat::Sarif => sarif::write(outcome, output),
        ReportFormat::Junit => junit::write(outcome, output),
        ReportFormat::Github => github::write(outcome, output),
    }
}
