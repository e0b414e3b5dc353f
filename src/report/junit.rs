//! The report as JUnit test results, which GitLab, Azure Pipelines and others show: a suite for each file, a test for
//! each finding.
//!
//! An error is a failed test, a warning is a passed test with output, and an unreadable input is a test with an error.
//! A checked file without findings is one passed test. Names are unique in a suite, because GitLab shows only the first
//! of several tests with the same name. Times are omitted, so that the same files give the same report.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::location::{Location, SourceFiles};
use super::path::ReportPath;
use super::text::{error_and_help, error_file, message_and_help_in, message_in, object_name};
use crate::escape::escape;
use crate::linter::{Level, LintResult};
use crate::manifest::Position;

/// Writes a report of a run in `directory`.
///
/// # Errors
/// Errors of `output`.
pub fn write(result: &LintResult, directory: &Path, output: &mut impl Write) -> io::Result<()> {
    let mut files = SourceFiles::new(result);
    let path = |name: &str| ReportPath::new(name, directory).as_str().to_owned();
    let mut suites = Suites::default();
    for error in &result.errors {
        let status = failed(NonSuccessKind::Error, "unreadable", &error.error.message);
        let location = files.error(error);
        let suite = suites.suite(path(error_file(error, location.as_ref())));
        suite.add("is readable", status, start(location.as_ref()), error_and_help(error));
    }
    for located in &result.findings {
        let Some(location) = files.finding(located) else { continue };
        let finding = &located.finding;
        let status = match located.level() {
            Level::Error => failed(NonSuccessKind::Failure, finding.rule, &message_in(located, &location)),
            Level::Warning => TestCaseStatus::success(),
        };
        let name = format!("{}: {} at {}", finding.rule, object_name(&located.object), escape(&finding.pointer));
        let suite = suites.suite(path(location.file));
        suite.add(&name, status, start(Some(&location)), message_and_help_in(located, &location));
    }
    for file in result.files.iter().filter(|file| file.has_workloads() && file.rendered.is_none()) {
        suites.suite(path(&file.name)).pass_if_empty();
    }
    let mut report = Report::new("sqledge-ha");
    let mut suites: Vec<TestSuite> = suites.0.into_iter().filter_map(|(path, suite)| suite.finish(path)).collect();
    if suites.is_empty() {
        suites.push(nothing_checked());
    }
    report.add_test_suites(suites);
    let text = report.to_string().map_err(io::Error::other)?;
    output.write_all(text.as_bytes())
}

/// A suite for a run that checked nothing: some systems take a report without tests for an error.
fn nothing_checked() -> TestSuite {
    let mut suite = TestSuite::new("sqledge-ha");
    suite.add_test_case(TestCase::new("nothing checked", TestCaseStatus::skipped()));
    suite
}

/// The position in the file.
fn start(location: Option<&Location<'_>>) -> Option<Position> {
    location.and_then(|location| location.range).map(|range| range.start)
}

/// The suites by file.
#[derive(Default)]
struct Suites(BTreeMap<String, Suite>);

impl Suites {
    fn suite(&mut self, path: String) -> &mut Suite {
        self.0.entry(path).or_default()
    }
}

/// The tests of one file.
#[derive(Default)]
struct Suite {
    cases: Vec<Case>,
}

struct Case {
    name: String,
    status: TestCaseStatus,
    position: Option<Position>,
    text: String,
}

impl Suite {
    fn add(&mut self, name: &str, status: TestCaseStatus, position: Option<Position>, text: String) {
        self.cases.push(Case { name: name.to_owned(), status, position, text });
    }

    fn pass_if_empty(&mut self) {
        if self.cases.is_empty() {
            self.add("no findings", TestCaseStatus::success(), None, String::new());
        }
    }

    fn finish(self, path: String) -> Option<TestSuite> {
        let mut suite = TestSuite::new(path.as_str());
        let mut known: HashMap<String, usize> = HashMap::new();
        for case in self.cases {
            let count = known.entry(case.name.clone()).or_default();
            *count += 1;
            let name = if *count == 1 { case.name.clone() } else { format!("{} ({count})", case.name) };
            suite.add_test_case(case.finish(name, &path));
        }
        (!suite.test_cases.is_empty()).then_some(suite)
    }
}

impl Case {
    fn finish(mut self, name: String, path: &str) -> TestCase {
        let location = match self.position {
            Some(position) => format!("{path}:{}:{}", position.line, position.column),
            None => path.to_owned(),
        };
        let text = format!("{location}\n{}", self.text);
        let has_failed = matches!(self.status, TestCaseStatus::NonSuccess { .. });
        if has_failed {
            self.status.set_description(text.as_str());
        }
        let mut case = TestCase::new(name, self.status);
        case.set_classname(path);
        case.extra.insert(XmlString::new("file"), XmlString::new(path));
        if !has_failed && !self.text.is_empty() {
            case.set_system_out(text);
        }
        case
    }
}

fn failed(kind: NonSuccessKind, failure_type: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(failure_type).set_message(message);
    status
}
