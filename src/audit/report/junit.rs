//! The report as JUnit test results: a suite for each database, a test for each failure and each finding.
//!
//! A forecast worse than coming back, and an error, is a failed test; a warning is a passed test with output.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::audit::forecast::{Forecast, Outcome};
use crate::audit::{Audit, DatabaseReport};
use crate::escape::escape;
use crate::linter::{Level, ObjectFinding};
use crate::report::object_name;

/// Writes a report.
///
/// # Errors
/// Errors of `output`.
pub fn write(audit: &Audit, output: &mut impl Write) -> io::Result<()> {
    let mut report = Report::new("sqledge-ha audit");
    report.add_test_suites(audit.databases.iter().map(of_database));
    if !audit.findings.is_empty() {
        let mut suite = TestSuite::new("other objects");
        suite.add_test_cases(audit.findings.iter().map(of_finding));
        report.add_test_suite(suite);
    }
    if !audit.unread.is_empty() {
        let mut suite = TestSuite::new("cluster");
        suite.add_test_cases(audit.unread.iter().map(|unread| {
            let place = unread.namespace.as_deref().map(|name| format!(" in {name}")).unwrap_or_default();
            TestCase::new(
                escape(&format!("{}{place} can be read", unread.resource)),
                failed(NonSuccessKind::Error, "unread", &unread.reason),
            )
        }));
        report.add_test_suite(suite);
    }
    if audit.databases.is_empty() && audit.unread.is_empty() {
        let mut suite = TestSuite::new("sqledge-ha audit");
        suite.add_test_case(TestCase::new("nothing checked", TestCaseStatus::skipped()));
        report.add_test_suite(suite);
    }
    let text = report.to_string().map_err(io::Error::other)?;
    output.write_all(text.as_bytes())
}

fn of_database(report: &DatabaseReport) -> TestSuite {
    let name = escape(&report.full_name());
    let mut suite = TestSuite::new(name.as_str());
    let cases = report.forecasts.iter().map(of_forecast).chain(report.findings.iter().map(of_finding));
    suite.add_test_cases(cases.map(|mut case| {
        case.set_classname(name.as_str());
        case
    }));
    suite
}

fn of_forecast(forecast: &Forecast) -> TestCase {
    let text = format!("{}: {}", forecast.outcome.words(forecast.certain), forecast.message);
    let status = if forecast.outcome > Outcome::Unknown {
        failed(NonSuccessKind::Failure, forecast.outcome.name(), &text)
    } else {
        TestCaseStatus::success()
    };
    let mut case = TestCase::new(format!("if {}", forecast.failure.event()), status);
    case.set_system_out(escape(&text));
    case
}

fn of_finding(found: &ObjectFinding) -> TestCase {
    let finding = &found.finding;
    let status = match Level::from_finding(finding) {
        Level::Error => failed(NonSuccessKind::Failure, finding.rule, &finding.message),
        Level::Warning => TestCaseStatus::success(),
    };
    let name = format!("{}: {} at {}", finding.rule, object_name(&found.object), escape(&finding.pointer));
    let mut case = TestCase::new(name, status);
    case.set_system_out(escape(&format!("{}\nHelp: {}", finding.message, finding.help)));
    case
}

fn failed(kind: NonSuccessKind, failure_type: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(failure_type).set_message(escape(message));
    status
}
