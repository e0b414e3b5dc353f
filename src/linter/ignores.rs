//! Comments that let a finding pass: `# sqledge-ha: ignore[rule, rule]`.
//!
//! A comment counts for the lines of the finding if it ends one of them, or stands alone above the first; and for the
//! whole document if it stands alone above everything in it.

use std::ops::Range;

use memchr::memmem::Finder;
use rayon::prelude::*;
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::rules;

use super::{Located, Manifest, Outcome};
use crate::manifest::Lines;

/// What such a comment begins with.
const MARK: &str = "# sqledge-ha: ignore";

impl Outcome {
    /// Leaves out the findings that comments let pass, and notes comments that cannot be understood.
    pub fn leave_out_ignored(&mut self) {
        let before = self.findings.len();
        let mark = Finder::new(MARK);
        let comments: Vec<Vec<Comment<'_>>> =
            self.manifests.par_iter().map(|manifest| comments(&mark, &manifest.text)).collect();
        let is_ignored = |located: &Located| {
            let text = self.manifests.get(located.manifest).map_or("", |manifest| manifest.text.as_str());
            let comments = comments.get(located.manifest);
            comments.into_iter().flatten().any(|comment| comment.lets_pass(located, text))
        };
        self.findings.retain(|located| !is_ignored(located));
        self.ignored = Some(before - self.findings.len());
        for (manifest, comments) in self.manifests.iter().zip(&comments) {
            self.notes.extend(comments.iter().filter_map(|comment| comment.complaint(manifest)));
        }
    }
}

/// One such comment.
struct Comment<'t> {
    /// Where it begins.
    byte: usize,
    /// What stands between the brackets; `None` if there are none.
    rules: Option<&'t str>,
    /// The line that it stands on.
    line: Range<usize>,
    is_alone: bool,
}

fn comments<'t>(mark: &Finder<'_>, text: &'t str) -> Vec<Comment<'t>> {
    mark.find_iter(text.as_bytes()).filter_map(|byte| Comment::read(text, byte)).collect()
}

impl<'t> Comment<'t> {
    fn read(text: &'t str, byte: usize) -> Option<Self> {
        let (before, comment) = text.split_at_checked(byte)?;
        let start = before.rfind('\n').map_or(0, |feed| feed + 1);
        let comment = comment.split('\n').next()?;
        let in_front = before.get(start..)?;
        if !in_front.is_empty() && !in_front.ends_with([' ', '\t']) {
            return None; // It goes on with what stands in front of it.
        }
        let list = comment.strip_prefix(MARK)?.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let is_alone = in_front.trim().is_empty();
        Some(Comment { byte, rules: list.map(|(rules, _)| rules), line: start..byte + comment.len(), is_alone })
    }

    fn names(&self) -> impl Iterator<Item = &'t str> {
        self.rules.into_iter().flat_map(|rules| rules.split(',')).map(str::trim)
    }

    fn lets_pass(&self, located: &Located, text: &str) -> bool {
        self.names().any(|name| name == located.finding.rule) && self.is_about(located, text)
    }

    fn is_about(&self, located: &Located, text: &str) -> bool {
        let before = text.get(..located.span.start).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |feed| feed + 1);
        let after = text.get(located.span.end..).unwrap_or_default();
        let end = located.span.end + after.find('\n').unwrap_or(after.len());
        if (start..end).contains(&self.byte) {
            return true;
        }
        let is_above = self.byte < start && is_idle(text, self.line.end..start);
        let chunk = located.chunk.clone();
        self.is_alone && (is_above || chunk.contains(&self.byte) && is_idle(text, chunk.start..self.line.start))
    }

    /// Says what is wrong with the comment itself.
    fn complaint(&self, manifest: &Manifest) -> Option<String> {
        let wrong = if self.rules.is_none() {
            "say which rules to ignore, e.g. ignore[whole-data-root]".to_owned()
        } else {
            let unknown = self.names().find(|name| rules::find(name).is_none())?;
            format!("there is no rule {}; `sqledge-ha rules` lists them", quoted(unknown))
        };
        let position = Lines::new(&manifest.text).position(self.byte);
        Some(format!("{}:{}:{}: {wrong}", manifest.name, position.line, position.column))
    }
}

/// Whether there is nothing but blanks, comments and a document's marker.
fn is_idle(text: &str, range: Range<usize>) -> bool {
    let lines = text.get(range).unwrap_or_default().lines().map(str::trim);
    lines.into_iter().all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::settings::Settings;

    use crate::linter::{Outcome, lint_texts};

    const DEPLOYMENT: &str = "\
---
#1
apiVersion: apps/v1
kind: Deployment
metadata: {name: sql}
#2
spec: #3
  #4
  template:
    metadata: {labels: {app: sql}} #5
    spec:
      #6
      containers:
        - name: sql #7
          image: azure-sql-edge
          #8
";

    /// The findings, and the notes, with comments put in at numbers.
    fn judged(comments: &[(usize, &str)]) -> Outcome {
        let mut text = DEPLOYMENT.to_owned();
        for (number, comment) in comments {
            text = text.replace(&format!("#{number}\n"), &format!("# sqledge-ha: ignore{comment}\n"));
        }
        let mut outcome = lint_texts(vec![("sql.yaml".to_owned(), text)], &Settings::default(), false);
        outcome.leave_out_ignored();
        outcome
    }

    fn rules(outcome: &Outcome) -> Vec<&str> {
        outcome.findings.iter().map(|located| located.finding.rule).collect()
    }

    #[test]
    fn a_comment_on_the_line_above_it_or_at_the_head_lets_a_finding_pass() {
        let all = judged(&[]);
        assert!(rules(&all).contains(&"recreate-strategy") && all.ignored == Some(0), "{all:?}");
        let without = |number| {
            let outcome = judged(&[(number, "[recreate-strategy, no-such-thing]")]);
            assert_eq!(outcome.ignored, Some(all.findings.len() - outcome.findings.len()));
            !rules(&outcome).contains(&"recreate-strategy")
        };
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 8].map(without), [true, true, true, false, false, false, false, false]);
        assert_eq!(judged(&[(3, "[amd64-node-selector]")]).ignored, Some(0), "another rule");
    }

    #[test]
    fn a_comment_that_names_no_rule_is_noted() {
        let notes = judged(&[(1, ""), (3, "[]"), (5, "[recreate-stratgy]")]).notes;
        assert_eq!(
            notes,
            [
                "sql.yaml:2:1: say which rules to ignore, e.g. ignore[whole-data-root]",
                "sql.yaml:7:7: there is no rule ``; `sqledge-ha rules` lists them",
                "sql.yaml:10:36: there is no rule `recreate-stratgy`; `sqledge-ha rules` lists them",
            ]
        );
    }
}
