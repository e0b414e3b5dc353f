//! The report as SARIF 2.1.0, which code scanning and editors read.
//!
//! | file | holds |
//! |---|---|
//! | `log` | the parts of the format that are used |
//! | `rule` | the rules, with their documentation |
//! | `finding` | from findings to results, with the fixes as text |
//! | `notification` | what could not be read, and what else a reader should know |

mod finding;
mod log;
mod notification;
mod rule;

use std::collections::HashMap;
use std::io::{self, Write};

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use self::log::{
    ArtifactLocation, Driver, Invocation, Location, LogicalLocation, Message, PhysicalLocation, Region, Run,
    SourceRoot, Tool, UriBases,
};
use super::address::{Address, Addresses};
use super::place::Place;
use super::plain_json;
use crate::linter::Level;
use crate::linter::{LintResult, LocatedFinding, ObjectId};
use crate::parallel;

/// Most results of a run: GitHub refuses a file with more (*SARIF results exceed one or more limits*).
const MOST_RESULTS: usize = 25_000;

/// How many files' findings are made into results side by side before they are written.
const BATCH: usize = 64;

/// Writes a report.
///
/// # Errors
/// Those of `output`.
pub fn write(outcome: &LintResult, output: &mut impl Write) -> io::Result<()> {
    let addresses = Addresses::here();
    let results = Results::of(outcome, &addresses);
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
        original_uri_base_ids: UriBases { source_root: SourceRoot { description: Message::of(SOURCE_ROOT) } },
        invocations: [Invocation {
            execution_successful: outcome.errors.is_empty(),
            tool_execution_notifications: notification::all(outcome, &addresses, results.left_out()),
        }],
        results,
    };
    plain_json::write(&log::Log { schema: log::SCHEMA, version: "2.1.0", runs: [run] }, output)
}

const SOURCE_ROOT: &str = "the directory that the command ran in";

/// The findings as results, each made shortly before it is written. The gravest are kept where there are too many.
struct Results<'o> {
    outcome: &'o LintResult,
    addresses: &'o Addresses,
    errors: usize,
    warnings: usize,
}

impl<'o> Results<'o> {
    fn of(outcome: &'o LintResult, addresses: &'o Addresses) -> Self {
        let errors = outcome.count(Level::Error).min(MOST_RESULTS);
        let warnings = outcome.count(Level::Warning).min(MOST_RESULTS - errors);
        Results { outcome, addresses, errors, warnings }
    }

    fn left_out(&self) -> usize {
        self.outcome.findings.len() - self.errors - self.warnings
    }

    /// The findings to write, in their order.
    fn kept(&self) -> Vec<&'o LocatedFinding> {
        let (mut errors, mut warnings) = (self.errors, self.warnings);
        let mut has_room = |located: &&LocatedFinding| {
            let room = if located.level() == Level::Error { &mut errors } else { &mut warnings };
            let has_room = *room > 0;
            *room = room.saturating_sub(1);
            has_room
        };
        self.outcome.findings.iter().filter(|located| has_room(located)).collect()
    }
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kept = self.kept();
        let groups: Vec<&[&LocatedFinding]> = kept.chunk_by(|one, other| one.file == other.file).collect();
        let mut sequence = serializer.serialize_seq(Some(kept.len()))?;
        let mut known: HashMap<String, usize> = HashMap::new();
        for batch in groups.chunks(BATCH) {
            let results =
                parallel::map(batch.to_vec(), 1, |group| finding::results(group, self.outcome, self.addresses));
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

/// A place in a file.
fn physical(address: &Address<'_>, region: Option<Region>) -> PhysicalLocation {
    PhysicalLocation { artifact_location: artifact(address), region }
}

fn artifact(address: &Address<'_>) -> ArtifactLocation {
    let is_below = matches!(address, Address::Below(_));
    ArtifactLocation { uri: address.uri(), uri_base_id: is_below.then_some(log::SOURCE_ROOT_ID) }
}

/// A place in an object: the object's API version, kind, namespace and name, and the pointer into its document.
fn logical(object: &ObjectId, pointer: &str) -> LogicalLocation {
    let parts = [&object.api_version, &object.kind, &object.namespace, &object.name];
    let path: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    LogicalLocation {
        name: object.name.clone(),
        fully_qualified_name: format!("{}#{pointer}", path.join("/")),
        kind: "resource",
    }
}

/// What stands where, with what is said of it.
fn location(place: &Place<'_>, addresses: &Addresses, object: &ObjectId, pointer: &str) -> Location {
    Location {
        id: None,
        message: None,
        physical_location: physical(
            &addresses.of(&place.file),
            place.region.map(|region| Region::between(region.start, region.end)),
        ),
        logical_locations: vec![logical(object, pointer)],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use sqledge_ha_policy::settings::Settings;

    use super::*;
    use crate::linter::lint_texts;
    use crate::prefilter::Prefilter;

    #[test]
    fn of_too_many_findings_warnings_are_left_out_first() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: sql}\nspec: {containers: [{image: azure-sql-edge}]}\n";
        let mut outcome =
            lint_texts(vec![("a.yaml".to_owned(), text.to_owned())], &Prefilter::new(&Settings::default()), true);
        let of_level = |level| outcome.findings.iter().find(|located| located.level() == level).unwrap();
        let (error, warning) = (of_level(Level::Error), of_level(Level::Warning));
        let copy = |located: &LocatedFinding| LocatedFinding {
            chunk: located.document_span.clone(),
            span: located.span.clone(),
            object: located.object.clone(),
            finding: located.finding.clone(),
            related: Vec::new(),
            ..*located
        };
        let pairs = (0..MOST_RESULTS - 100).flat_map(|_| [copy(warning), copy(error)]);
        outcome.findings = pairs.collect();
        let mut output = Vec::new();
        write(&outcome, &mut output).unwrap();
        let report: Value = serde_json::from_slice(&output).unwrap();
        let results = report["runs"][0]["results"].as_array().unwrap();
        let warnings = results.iter().filter(|result| result["level"] == "warning").count();
        assert_eq!((results.len(), warnings), (MOST_RESULTS, 100));
        let notification = &report["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
        assert!(notification.as_str().unwrap().starts_with("24800 findings left out"), "{notification}");
    }
}
