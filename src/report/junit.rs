//! The report as test results, which GitLab, Azure Pipelines and others show: a suite for each file, a test for each
//! finding.
//!
//! What is shown there is mostly what failed: an error is a test that failed, a warning one that passed and has something
//! to say. A file that was judged and has no findings is a test that passed, and what could not be read is a test that
//! broke. Names are unique in a suite, because GitLab looks at the first of several only; times are left out, so that the
//! same files give the same report.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::address::Addresses;
use super::place::{Place, Texts, object_name, problem_and_help, statement, statement_and_help, unread_file};
use crate::exit::plain;
use crate::linter::Level;
use crate::linter::LintResult;
use crate::manifest::Position;

/// Writes a report.
///
/// # Errors
/// Those of `output`.
pub fn write(outcome: &LintResult, output: &mut impl Write) -> io::Result<()> {
    let (mut texts, addresses) = (Texts::new(outcome), Addresses::here());
    let path = |name: &str| addresses.of(name).path().to_owned();
    let mut suites = Suites::default();
    for unread in &outcome.errors {
        let status = failed(NonSuccessKind::Error, "unreadable", &unread.error.message);
        let place = texts.unread(unread);
        let suite = suites.of(path(unread_file(unread, place.as_ref())));
        suite.add("can be read", status, start(place.as_ref()), problem_and_help(unread));
    }
    for located in &outcome.findings {
        let Some(place) = texts.finding(located) else { continue };
        let finding = &located.finding;
        let status = match located.level() {
            Level::Error => failed(NonSuccessKind::Failure, finding.rule, &statement(finding)),
            Level::Warning => TestCaseStatus::success(),
        };
        let name = format!("{}: {} at {}", finding.rule, object_name(&located.object), plain(&finding.pointer));
        let suite = suites.of(path(&place.file));
        suite.add(&name, status, start(Some(&place)), statement_and_help(finding));
    }
    for manifest in outcome.files.iter().filter(|manifest| manifest.has_workloads() && !manifest.is_rendered()) {
        suites.of(path(&manifest.name)).pass_if_empty();
    }
    let mut report = Report::new("sqledge-ha");
    report.add_test_suites(suites.0.into_iter().filter_map(|(path, suite)| suite.finish(path)));
    let text = report.to_string().map_err(io::Error::other)?;
    output.write_all(text.as_bytes())
}

/// Where in its file something begins.
fn start(place: Option<&Place<'_>>) -> Option<Position> {
    place.and_then(|place| place.region).map(|region| region.start)
}

/// The suites by their files.
#[derive(Default)]
struct Suites(BTreeMap<String, Suite>);

impl Suites {
    fn of(&mut self, path: String) -> &mut Suite {
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
            self.add("nothing is wrong", TestCaseStatus::success(), None, String::new());
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
        let place = match self.position {
            Some(position) => format!("{path}:{}:{}", position.line, position.column),
            None => path.to_owned(),
        };
        let text = format!("{place}\n{}", self.text);
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

fn failed(kind: NonSuccessKind, of: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(of).set_message(message);
    status
}
