//! The prefilter changes no report and no fix.

use std::fs;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use sqledge_ha::fixer::{AllowedFixes, fix};
use sqledge_ha::linter::{Ignores, LintResult, lint_texts, parse_date};
use sqledge_ha::prefilter::Prefilter;
use sqledge_ha::report::{json, junit, sarif};
use sqledge_ha_policy::engine::{SQL_EDGE, SQL_SERVER};
use sqledge_ha_policy::rules::RULES;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;

use crate::corpus::cases;
use crate::shared::{manifests, real_manifests, root};

/// Fragments to insert into manifests: they change the structure of the YAML, or the kind of an object.
pub(crate) const FRAGMENTS: [&str; 28] = [
    "\n",
    "kind: Pod\n",
    "kind",
    "\"",
    "'",
    "# ",
    "- ",
    "---\n",
    "{",
    "}",
    "\\",
    "&a ",
    "*a",
    "<<: *a\n",
    ": ",
    "|\n",
    "\r",
    " ",
    "? ",
    "!!str ",
    "Service",
    "List",
    "{{ x }}",
    "\\x50",
    "mssql",
    "sql-edge",
    "\0",
    "# sqledge-ha: ignore[single-replica]\n",
];

/// The examples, the corpus and published manifests.
fn real_texts() -> Vec<String> {
    let corpus = RULES.iter().flat_map(|rule| ["pass", "fail"].map(|verdict| cases(rule.id, verdict))).flatten();
    let corpus = corpus.map(|case| case.directory.join(&case.file));
    let paths = manifests(&root().join("e2e/examples")).into_iter().chain(corpus).chain(real_manifests());
    paths.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// A real text with a few changes.
fn texts() -> impl Strategy<Value = String> {
    let change = (any::<Index>(), 0..12_usize, select(FRAGMENTS.to_vec()));
    (select(real_texts()), prop::collection::vec(change, 0..4)).prop_map(|(mut text, changes)| {
        for (start, removed, inserted) in changes {
            let start = text.floor_char_boundary(start.index(text.len().max(1)));
            let end = text.ceil_char_boundary((start + removed).min(text.len()));
            text.replace_range(start..end, inserted);
        }
        text
    })
}

fn lint(texts: &[String], prefilter: &Prefilter<'_>, scope: Scope) -> LintResult {
    let names = (0..texts.len()).map(|index| format!("{index}.yaml"));
    let mut result = lint_texts(names.zip(texts.iter().cloned()).collect(), prefilter, scope);
    let ignores = Ignores { today: parse_date("2027-03-01").unwrap(), entries: Vec::new(), has_all_paths: false };
    result.apply_ignores(&ignores);
    result.note_ignores(prefilter.settings());
    result
}

/// The report in every machine-readable format that contains all that others show.
fn reports(result: &LintResult) -> [String; 3] {
    let (mut json, mut junit, mut sarif) = (Vec::new(), Vec::new(), Vec::new());
    json::write(result, &mut json).unwrap();
    junit::write(result, root(), &mut junit).unwrap();
    sarif::write(result, root(), &mut sarif).unwrap();
    [json, junit, sarif].map(|text| String::from_utf8(text).unwrap())
}

fn findings(result: &LintResult) -> Vec<String> {
    result.findings.iter().map(|located| format!("{located:?}")).collect()
}

fn errors(result: &LintResult) -> Vec<String> {
    result.errors.iter().map(|error| format!("{error:?}")).collect()
}

fn fixed(result: &LintResult, prefilter: &Prefilter<'_>) -> Vec<String> {
    fix(result, prefilter, AllowedFixes::UnsafeToo).result.files.into_iter().map(|file| file.text).collect()
}

fn check(texts: &[String], scope: Scope) -> Result<(), TestCaseError> {
    let settings = Settings { engines: vec![&SQL_EDGE, &SQL_SERVER], ..Settings::default() };
    let (prefilter, disabled) = (Prefilter::new(&settings), Prefilter::disabled(&settings));
    let (with, without) = (lint(texts, &prefilter, scope), lint(texts, &disabled, scope));
    prop_assert_eq!(findings(&with), findings(&without), "{:?}", texts);
    if without.errors.is_empty() {
        prop_assert_eq!(reports(&with), reports(&without), "{:?}", texts);
        let keeping = Prefilter::new(&settings).with_texts();
        let with = fixed(&lint(texts, &keeping, scope), &keeping);
        prop_assert_eq!(with, fixed(&without, &disabled), "{:?}", texts);
    } else {
        // A document that is not parsed has no parse errors.
        let all = errors(&without);
        prop_assert!(errors(&with).iter().all(|error| all.contains(error)), "{:?}", texts);
    }
    Ok(())
}

#[test]
fn reports_and_fixes_are_the_same_without_the_prefilter() {
    for text in real_texts() {
        check(&[text], Scope::Application).unwrap();
    }
    let mut runner = TestRunner::new(Config { cases: 3000, failure_persistence: None, ..Config::default() });
    let applications = (prop::collection::vec(texts(), 1..4), select(vec![Scope::Part, Scope::Application]));
    runner.run(&applications, |(texts, scope)| check(&texts, scope)).unwrap();
}
