//! The report as SARIF 2.1.0, which code scanning and editors read.
//!
//! | file | contents |
//! |---|---|
//! | `log` | the objects of the format |
//! | `rule` | the rules with their documentation |
//! | `finding` | findings -> results, with the fixes as text |
//! | `notification` | input errors and notes |

mod finding;
pub(crate) mod log;
mod notification;
mod rule;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use self::log::{
    ArtifactLocation, Driver, Invocation, Location, LogicalLocation, Message, PhysicalLocation, Region, Run,
    SourceRoot, Tool, UriBases,
};
use super::escaped_json;
use super::location::Location as FileLocation;
use super::path::ReportPath;
use crate::linter::{Level, LintResult, LocatedFinding, ObjectId};
use crate::parallel;

/// The maximum number of results of a run; GitHub rejects a file with more (*SARIF results exceed one or more limits*).
const MAX_RESULTS: usize = 25_000;

/// The number of files whose results are created in parallel before they are written.
const BATCH: usize = 64;

/// Writes a report of a run in `directory`.
///
/// # Errors
/// Errors of `output`.
pub fn write(result: &LintResult, directory: &Path, output: &mut impl Write) -> io::Result<()> {
    let results = Results::new(result, directory);
    let run = Run {
        tool: Tool {
            driver: Driver {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                semantic_version: env!("CARGO_PKG_VERSION"),
                rules: rule::all(),
            },
        },
        column_kind: "unicodeCodePoints",
        original_uri_base_ids: UriBases { source_root: SourceRoot { description: Message::new(SOURCE_ROOT) } },
        invocations: [Invocation {
            execution_successful: result.errors.is_empty(),
            tool_execution_notifications: notification::all(result, directory, results.omitted()),
        }],
        results,
    };
    escaped_json::write(&log::Log { schema: log::SCHEMA, version: "2.1.0", runs: [run] }, output)
}

const SOURCE_ROOT: &str = "the directory in which sqledge-ha ran";

/// The results, each created shortly before it is written. If there are too many, warnings are omitted first.
struct Results<'o> {
    result: &'o LintResult,
    directory: &'o Path,
    errors: usize,
    warnings: usize,
}

impl<'o> Results<'o> {
    fn new(result: &'o LintResult, directory: &'o Path) -> Self {
        let errors = result.count(Level::Error).min(MAX_RESULTS);
        let warnings = result.count(Level::Warning).min(MAX_RESULTS - errors);
        Results { result, directory, errors, warnings }
    }

    fn omitted(&self) -> usize {
        self.result.findings.len() - self.errors - self.warnings
    }

    /// The findings to write, in order.
    fn findings(&self) -> Vec<&'o LocatedFinding> {
        let (mut errors, mut warnings) = (self.errors, self.warnings);
        let mut is_within_limit = |located: &&LocatedFinding| {
            let remaining = if located.level() == Level::Error { &mut errors } else { &mut warnings };
            let is_within_limit = *remaining > 0;
            *remaining = remaining.saturating_sub(1);
            is_within_limit
        };
        self.result.findings.iter().filter(|located| is_within_limit(located)).collect()
    }
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let findings = self.findings();
        let groups: Vec<&[&LocatedFinding]> = findings.chunk_by(|one, other| one.file == other.file).collect();
        let mut sequence = serializer.serialize_seq(Some(findings.len()))?;
        let mut known: HashMap<String, usize> = HashMap::new();
        for batch in groups.chunks(BATCH) {
            let results =
                parallel::map(batch.to_vec(), 1, |group| finding::results(group, self.result, self.directory));
            for mut result in results.into_iter().flatten() {
                let count = known.entry(result.partial_fingerprints.identity.clone()).or_default();
                *count += 1;
                result.partial_fingerprints.identity.push_str(&format!(":{count}"));
                sequence.serialize_element(&result)?;
            }
        }
        sequence.end()
    }
}

fn physical_location(path: &ReportPath<'_>, region: Option<Region>) -> PhysicalLocation {
    PhysicalLocation { artifact_location: artifact_location(path), region }
}

fn artifact_location(path: &ReportPath<'_>) -> ArtifactLocation {
    let is_relative = matches!(path, ReportPath::Relative(_));
    ArtifactLocation { uri: path.uri(), uri_base_id: is_relative.then_some(log::SOURCE_ROOT_ID) }
}

/// The object's API version, kind, namespace and name, and the pointer in its document.
fn logical_location(object: &ObjectId, pointer: &str) -> LogicalLocation {
    let parts = [&object.api_version, &object.kind, &object.namespace, &object.name];
    let path: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    LogicalLocation {
        name: object.name.clone(),
        fully_qualified_name: format!("{}#{pointer}", path.join("/")),
        kind: "resource",
    }
}

fn location(file_location: &FileLocation<'_>, directory: &Path, object: &ObjectId, pointer: &str) -> Location {
    Location {
        id: None,
        message: None,
        physical_location: physical_location(
            &ReportPath::new(file_location.file, directory),
            file_location.range.map(|region| Region::between(region.start, region.end)),
        ),
        logical_locations: vec![logical_location(object, pointer)],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use sqledge_ha_policy::settings::Settings;
    use sqledge_ha_policy::view::Scope;

    use super::*;
    use crate::linter::lint_texts;
    use crate::prefilter::Prefilter;

    #[test]
    fn above_the_limit_warnings_are_omitted_first() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: sql}\nspec: {containers: [{image: azure-sql-edge}]}\n";
        let mut result = lint_texts(
            vec![("a.yaml".to_owned(), text.to_owned())],
            &Prefilter::new(&Settings::default()),
            Scope::Part,
        );
        let of_level = |level| result.findings.iter().find(|located| located.level() == level).unwrap();
        let (error, warning) = (of_level(Level::Error), of_level(Level::Warning));
        let copy = |located: &LocatedFinding| LocatedFinding {
            document_span: located.document_span.clone(),
            span: located.span.clone(),
            object: located.object.clone(),
            finding: located.finding.clone(),
            related: Vec::new(),
            expired_ignore: None,
            ..*located
        };
        let pairs = (0..MAX_RESULTS - 100).flat_map(|_| [copy(warning), copy(error)]);
        result.findings = pairs.collect();
        let mut output = Vec::new();
        write(&result, Path::new("/"), &mut output).unwrap();
        let report: Value = serde_json::from_slice(&output).unwrap();
        let results = report["runs"][0]["results"].as_array().unwrap();
        let warnings = results.iter().filter(|result| result["level"] == "warning").count();
        assert_eq!((results.len(), warnings), (MAX_RESULTS, 100));
        let notification = &report["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
        assert!(notification.as_str().unwrap().starts_with("omitted 24800 findings"), "{notification}");
    }
}
