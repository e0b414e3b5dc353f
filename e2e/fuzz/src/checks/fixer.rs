//! Fixed findings stay fixed, and readable documents stay readable.

use sqledge_ha_policy::engine::{SQL_EDGE, SQL_SERVER};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::Scope;

use crate::checks::text::text_and_choices;
use sqledge_ha::fixer::{AllowedFixes, FixOutcome, fix};
use sqledge_ha::linter::{LintResult, lint_texts};
use sqledge_ha::prefilter::Prefilter;

/// Fixes a text and checks the result.
pub fn check(bytes: &[u8]) {
    let Some((text, choices)) = text_and_choices(bytes) else { return };
    let choice = choices.first().copied().unwrap_or_default();
    let scope = if choice & 1 != 0 { Scope::Part } else { Scope::Application };
    let allowed = if choice & 2 != 0 { AllowedFixes::UnsafeToo } else { AllowedFixes::SafeOnly };
    let settings = settings(choice);
    let prefilter = Prefilter::new(&settings).with_texts();
    let before = lint_texts(vec![("a.yaml".into(), text.into())], &prefilter, scope);
    let after = fix(&before, &prefilter, allowed);
    // The errors themselves can differ, because the last line gets a line ending. A fix can make a document matter that
    // was not parsed before, so all are parsed here.
    let unreadable = |result: &LintResult| {
        let texts = vec![("a.yaml".into(), text_of(result).to_owned())];
        lint_texts(texts, &Prefilter::disabled(&settings), scope).errors.len()
    };
    assert_eq!(unreadable(&before), unreadable(&after.result), "readable documents stay readable");
    assert!(after.result.objects >= before.objects, "no object is lost");
    assert_eq!(after.outcomes.len(), after.result.findings.len());
    for (outcome, located) in after.outcomes.iter().zip(&after.result.findings) {
        assert_ne!(*outcome, FixOutcome::Applied, "not fixed: {located:?}\n{:?}", text_of(&after.result));
        let is_safe = located.finding.safe_edits().is_some();
        assert!(!is_safe || matches!(outcome, FixOutcome::Failed(_)), "{outcome:?}: {located:?}");
    }
    let again = fix(&after.result, &prefilter, allowed);
    assert_eq!(text_of(&after.result), text_of(&again.result), "a second run changes nothing");
    assert_eq!((again.fixed, text_of(&before) == text_of(&after.result)), (vec![0], after.fixed == [0]));
}

fn settings(choice: u8) -> Settings {
    let mut settings = Settings::default();
    if choice & 4 != 0 {
        settings.engines = vec![&SQL_EDGE, &SQL_SERVER];
    }
    if choice & 8 != 0 {
        settings.failover_seconds = Some(60);
    }
    settings
}

fn text_of(result: &LintResult) -> &str {
    result.files.first().map_or("", |file| file.text.as_str())
}
