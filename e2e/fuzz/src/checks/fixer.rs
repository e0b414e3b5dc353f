//! What is mended stays mended, and what could be read still can be.

use sqledge_ha_policy::engine::Engine;
use sqledge_ha_policy::settings::Settings;

use crate::checks::text::text_and_choices;
use crate::fixer::{Fate, fix};
use crate::linter::{Outcome, lint_texts};

/// Mends a text, and checks what came of it.
pub fn check(bytes: &[u8]) {
    let Some((text, choices)) = text_and_choices(bytes) else { return };
    let choice = choices.first().copied().unwrap_or_default();
    let (partial, unsafe_too) = (choice & 1 != 0, choice & 2 != 0);
    let settings = settings(choice);
    let before = lint_texts(vec![("a.yaml".into(), text.into())], &settings, partial);
    let after = fix(&before, &settings, partial, unsafe_too);
    // A last line that gets an end may be wrong in another way than before.
    assert_eq!(before.unread.len(), after.outcome.unread.len(), "what could be read still can be");
    assert!(after.outcome.objects >= before.objects, "no object is lost");
    assert_eq!(after.fates.len(), after.outcome.findings.len());
    for (fate, located) in after.fates.iter().zip(&after.outcome.findings) {
        assert_ne!(*fate, Fate::Fixed, "this could still be mended: {located:?}\n{:?}", mended(&after.outcome));
        let is_safe = located.finding.safe_edits().is_some();
        assert!(!is_safe || matches!(fate, Fate::Refused(_)), "{fate:?}: {located:?}");
    }
    let again = fix(&after.outcome, &settings, partial, unsafe_too);
    assert_eq!(mended(&after.outcome), mended(&again.outcome), "a second run changes nothing");
    assert_eq!((again.fixed, mended(&before) == mended(&after.outcome)), (vec![0], after.fixed == [0]));
}

fn settings(choice: u8) -> Settings {
    let mut settings = Settings::default();
    if choice & 4 != 0 {
        settings.engines = vec![Engine::SqlEdge, Engine::SqlServer];
    }
    if choice & 8 != 0 {
        settings.failover_seconds = Some(60);
    }
    settings
}

fn mended(outcome: &Outcome) -> &str {
    outcome.manifests.first().map_or("", |manifest| manifest.text.as_str())
}
