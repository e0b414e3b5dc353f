//! Fixes a text.

use std::ops::Range;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};
use sqledge_ha::escape::escape_lines;
use sqledge_ha::fixer::{self, AllowedFixes, FixOutcome, SingleFix};
use sqledge_ha::linter::LocatedFinding;
use sqledge_ha::manifest::Lines;
use sqledge_ha::prefilter::Prefilter;
use sqledge_ha::quick_fix::QuickFix;

use crate::check::{Checked, Span};

/// The most lines of a diff that are shown.
const MAX_DIFF_LINES: usize = 5000;
/// The lines around a change that are shown.
const CONTEXT: usize = 3;

/// A change of the text, or why there is none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Change {
    /// The parts to replace, in order. They refer to the checked text.
    Edits(Vec<TextEdit>),
    /// One sentence.
    Error(String),
}

/// A part of the text and its replacement.
#[derive(Debug, Serialize)]
pub(crate) struct TextEdit {
    #[serde(flatten)]
    span: Span,
    insert: String,
}

/// The fixed text.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fixed {
    text: String,
    /// The number of fixed findings.
    fixed: usize,
    diff: Vec<Hunk>,
    /// Whether more lines differ than `diff` shows.
    is_truncated: bool,
    remaining: Vec<Remaining>,
}

/// A changed part of the text, with the lines around it.
#[derive(Debug, Serialize)]
struct Hunk {
    /// `@@ -1,2 +1,3 @@`.
    header: String,
    lines: Vec<Line>,
}

/// A line of a diff.
#[derive(Debug, Serialize)]
struct Line {
    /// `+`, `-` or a space.
    tag: char,
    text: String,
}

/// A finding that is not fixed.
#[derive(Debug, Serialize)]
struct Remaining {
    rule: &'static str,
    /// Its line in the fixed text.
    line: usize,
    reason: String,
}

/// The change that fixes a finding.
pub(crate) fn of_finding(checked: &Checked, finding: usize) -> Change {
    let fix = checked.result.findings.get(finding).and_then(|located| {
        let fixes = SingleFix::in_application(&checked.result, located.file)?;
        QuickFix::from_finding(&fixes, located).transpose()
    });
    match fix {
        Some(Ok(fix)) => edits(checked, &fix),
        Some(Err(error)) => Change::Error(format!("not fixed: {error}")),
        None => Change::Error("this finding has no automatic fix".to_owned()),
    }
}

/// The change that adds an ignore comment for a finding.
pub(crate) fn ignore(checked: &Checked, finding: usize) -> Change {
    let located = checked.result.findings.get(finding);
    match located.and_then(|located| QuickFix::ignore(checked.text(), located)) {
        Some(fix) => edits(checked, &fix),
        None => Change::Error("this line cannot have a comment".to_owned()),
    }
}

fn edits(checked: &Checked, fix: &QuickFix) -> Change {
    let edit = |range: &Range<usize>, text: &String| TextEdit { span: checked.span(range), insert: text.clone() };
    Change::Edits(fix.replacements.iter().map(|part| edit(&part.range, &part.text)).collect())
}

/// The text after all allowed fixes.
pub(crate) fn all(checked: &Checked, allowed: AllowedFixes) -> Fixed {
    let prefilter = Prefilter::new(&checked.settings.settings).with_texts();
    let fixed = fixer::fix(&checked.result, &prefilter, allowed);
    let text = fixed.result.files.first().map(|file| file.text.clone()).unwrap_or_default();
    let positions = Lines::new(&text);
    let remaining = fixed.result.findings.iter().zip(&fixed.outcomes).filter_map(|(located, outcome)| {
        let line = positions.position(located.span.start).line;
        Some(Remaining { rule: located.finding.rule, line, reason: reason(located, *outcome)? })
    });
    let remaining = remaining.take(MAX_DIFF_LINES).collect();
    let (diff, is_truncated) = diff(checked.text(), &text);
    Fixed { fixed: fixed.fixed.iter().sum(), diff, is_truncated, remaining, text }
}

/// Why a finding is not fixed; `None` if it is.
fn reason(located: &LocatedFinding, outcome: FixOutcome) -> Option<String> {
    match outcome {
        FixOutcome::Applied => None,
        FixOutcome::Failed(error) => Some(error.to_string()),
        FixOutcome::NeedsUnsafe => Some("the fix is unsafe: see the rule".to_owned()),
        FixOutcome::Rendered => Some("the text is rendered from a chart or a kustomization".to_owned()),
        FixOutcome::NoFix => Some(format!("no automatic fix: {}", escape_lines(&located.finding.help))),
    }
}

fn diff(old: &str, new: &str) -> (Vec<Hunk>, bool) {
    if old == new {
        return (Vec::new(), false);
    }
    let diff = TextDiff::from_lines(old, new);
    let (mut hunks, mut shown) = (Vec::new(), 0);
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        if shown >= MAX_DIFF_LINES {
            return (hunks, true);
        }
        let lines: Vec<Line> = hunk
            .iter_changes()
            .take(MAX_DIFF_LINES - shown)
            .map(|change| {
                let tag = match change.tag() {
                    ChangeTag::Equal => ' ',
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                };
                Line { tag, text: change.value().trim_end_matches(['\n', '\r']).to_owned() }
            })
            .collect();
        shown += lines.len();
        hunks.push(Hunk { header: hunk.header().to_string(), lines });
    }
    (hunks, false)
}

#[cfg(test)]
mod tests {
    use sqledge_ha::policy_settings::PolicySettings;
    use sqledge_ha_policy::view::Scope;

    use super::*;
    use crate::check::Input;
    use crate::examples::EXAMPLES;

    fn check(text: &str) -> Checked {
        let settings = PolicySettings::default();
        Checked::new(Input { text: text.to_owned(), settings, scope: Scope::Application, today: "2026-11-30" })
    }

    /// The text after a change, as the page applies it.
    fn changed(text: &str, change: &Change) -> String {
        let Change::Edits(edits) = change else { panic!("{change:?}") };
        let json: Vec<serde_json::Value> = edits.iter().map(|edit| serde_json::to_value(edit).unwrap()).collect();
        let mut units: Vec<u16> = text.encode_utf16().collect();
        for edit in json.iter().rev() {
            let at = |key: &str| edit[key].as_u64().unwrap() as usize;
            units.splice(at("from")..at("to"), edit["insert"].as_str().unwrap().encode_utf16());
        }
        String::from_utf16(&units).unwrap()
    }

    #[test]
    fn a_quick_fix_and_an_ignore_comment_each_remove_a_finding() {
        let text = format!("# \u{1F600}\n{}", EXAMPLES[0].text);
        let before = check(&text);
        let count = before.result.findings.len();
        let index = before.result.findings.iter().position(|located| located.finding.rule == "recreate-strategy");
        for change in [of_finding(&before, index.unwrap()), ignore(&before, index.unwrap())] {
            let after = changed(&text, &change);
            assert_eq!(check(&after).result.findings.len(), count - 1, "{after}");
        }
        assert!(matches!(of_finding(&before, 999), Change::Error(_)));
    }

    #[test]
    fn the_diff_leads_from_the_text_to_the_fixed_one() {
        let checked = check(EXAMPLES[0].text);
        let fixed = all(&checked, AllowedFixes::SafeOnly);
        assert!(fixed.fixed > 0 && fixed.text.contains("type: Recreate"), "{fixed:?}");
        let added = fixed.diff.iter().flat_map(|hunk| &hunk.lines).filter(|line| line.tag == '+');
        assert!(added.into_iter().all(|line| fixed.text.contains(&line.text)));
        assert!(!fixed.is_truncated);
        assert!(fixed.remaining.iter().all(|finding| !finding.reason.is_empty()));
    }

    #[test]
    fn the_lines_of_a_diff_are_limited() {
        let (hunks, is_truncated) = diff("", &"a: 1\n".repeat(MAX_DIFF_LINES + 1));
        assert_eq!(hunks.iter().map(|hunk| hunk.lines.len()).sum::<usize>(), MAX_DIFF_LINES);
        assert!(!is_truncated || hunks.len() == 1);
    }
}
