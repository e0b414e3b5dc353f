//! What editors offer at a finding: its fix, and a comment that ignores it. The language server and the playground
//! share it.

use std::ops::Range;

use sqledge_ha_policy::finding::Finding;

use crate::fixer::{Replacement, SingleFix};
use crate::linter::{LocatedFinding, ignore_insertion};
use crate::manifest::EditError;

/// A change that a user can choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuickFix {
    /// What it does, for a menu.
    pub title: String,
    /// The parts of the text to replace; none if nothing changes.
    pub replacements: Vec<Replacement>,
}

impl QuickFix {
    /// The fix of a finding; `None` if it has none.
    ///
    /// # Errors
    /// [`EditError`] if its edits cannot be made in this text.
    pub fn from_finding(fixes: &SingleFix<'_>, located: &LocatedFinding) -> Result<Option<Self>, EditError> {
        let Some(fix) = &located.finding.fix else { return Ok(None) };
        let replacements = fixes.replacements(located, fix)?;
        Ok(Some(QuickFix { title: fix_title(&located.finding), replacements }))
    }

    /// The comment that ignores a finding; `None` if its line cannot have one.
    pub fn ignore(text: &str, located: &LocatedFinding) -> Option<Self> {
        let (byte, inserted) = ignore_insertion(text, located)?;
        let title = format!("Ignore {} with a comment on this line", located.finding.rule);
        Some(QuickFix { title, replacements: vec![Replacement { range: byte..byte, text: inserted }] })
    }
}

/// The title of a finding's fix.
pub fn fix_title(finding: &Finding) -> String {
    let warning = if finding.safe_edits().is_some() { "" } else { " (unsafe)" };
    format!("Fix {}{warning}: {}", finding.rule, finding.help)
}

/// The bytes from `byte` to the end of its line, at most a few hundred: what editors mark for a parse error.
pub fn rest_of_line(text: &str, byte: usize) -> Range<usize> {
    const MAX: usize = 200;
    let byte = text.floor_char_boundary(byte);
    let end = text.floor_char_boundary(byte.saturating_add(MAX));
    let rest = text.get(byte..end).unwrap_or_default();
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    byte..byte + line.trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parse_error_is_marked_to_the_end_of_its_line() {
        let text = "a: [é  \nb: 1";
        assert_eq!([0, 3, 5, 8, 99].map(|byte| rest_of_line(text, byte)), [0..6, 3..6, 4..6, 8..8, 13..13]);
    }
}
