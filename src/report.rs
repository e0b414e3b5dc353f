//! The report formats, one file each.
//!
//! Formats write to any `Write` and know no files, terminals or flags. A location is looked up when its finding is
//! written.
//!
//! | file | contents |
//! |---|---|
//! | `human`, `compact`, `json`, `sarif`, `junit`, `github` | the formats |
//! | `location` | the location of a finding in its file |
//! | `text` | names, messages and the summary line, as all formats print them |
//! | `path` | file paths and URIs |
//! | `fingerprint` | the identity of a finding from one run to the next |
//! | `escaped_json` | JSON that is safe to print in a terminal |
//! | `explanation` | the text of `review --explain` |

pub mod compact;
pub(crate) mod escaped_json;
#[cfg(feature = "serve")]
pub mod explanation;
pub(crate) mod fingerprint;
pub mod github;
pub mod human;
pub mod json;
pub mod junit;
mod location;
mod path;
pub mod sarif;
mod text;

#[cfg(not(target_family = "wasm"))]
pub(crate) use self::location::rendered_position;
#[cfg(not(target_family = "wasm"))]
pub(crate) use self::path::file_uri;
#[cfg(not(target_family = "wasm"))]
pub(crate) use self::text::{error_and_help, message_and_help};
pub use self::text::{level_name, object_name, summary, unreadable};

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// For people, with the affected lines.
    Human,
    /// One finding a line, for grep, editors and screen readers.
    Compact,
    /// For programs; a stable contract.
    Json,
    /// SARIF 2.1.0, with fixes.
    Sarif,
    /// JUnit XML.
    Junit,
    /// Workflow commands of GitHub Actions.
    Github,
}
