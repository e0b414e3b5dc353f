//! Comments that let a finding pass: `# sqledge-ha: ignore[rule, rule]`.
//!
//! A comment counts for the lines of the finding if it ends one of them, or stands alone above the first; and for the
//! whole document if it stands alone above everything in it.

use std::ops::Range;

use memchr::memmem::Finder;
use rayon::prelude::*;
use sqledge_ha_policy::finding::{Action, quoted};
use sqledge_ha_policy::rules;
use sqledge_ha_policy::settings::Settings;

use super::{Located, Manifest, Outcome};
use crate::manifest::Lines;

/// What such a comment begins with.
const MARK: &str = "# sqledge-ha: ignore";
/// So many of the comments that let nothing pass are named.
const MOST_NAMED: usize = 5;

impl Outcome {
    /// Leaves out the findings that comments let pass. Notes comments that cannot be understood, and those that let
    /// nothing pass, unless there is more than was judged with `settings`: all is `partial`, or something was not read.
    pub fn leave_out_ignored(&mut self, settings: &Settings, partial: bool) {
        let before = self.findings.len();
        let mark = Finder::new(MARK);
        let mut comments: Vec<Vec<Comment<'_>>> =
            self.manifests.par_iter().map(|manifest| comments(&mark, &manifest.text)).collect();
        self.findings.retain(|located| {
            let text = self.manifests.get(located.manifest).map_or("", |manifest| manifest.text.as_str());
            let comments = comments.get_mut(located.manifest);
            !comments.is_some_and(|comments| let_pass(comments, located, text))
        });
        self.ignored = Some(before - self.findings.len());
        for (manifest, comments) in self.manifests.iter().zip(&comments) {
            self.notes.extend(comments.iter().filter_map(|comment| comment.complaint(manifest)));
        }
        // What a patch makes of an object may need the comment that the object has.
        let has_patches = self.manifests.iter().any(|manifest| manifest.is_patch);
        if !partial && self.unread.is_empty() && !has_patches {
            self.notes.extend(about_unused(&self.manifests, &comments, settings));
        }
    }
}

/// Whether any of a text's comments lets a finding in it pass; those that do are used from then on.
fn let_pass(comments: &mut [Comment<'_>], located: &Located, text: &str) -> bool {
    let mut passes = false;
    for comment in comments.iter_mut().filter(|comment| comment.lets_pass(located, text)) {
        comment.is_used = true;
        passes = true;
    }
    passes
}

/// Says which comments let nothing pass, if there are such.
fn about_unused(manifests: &[Manifest], comments: &[Vec<Comment<'_>>], settings: &Settings) -> Option<String> {
    let mut places = Vec::new();
    let mut count = 0;
    for (manifest, comments) in manifests.iter().zip(comments) {
        let unused = unused(manifest, comments, settings);
        count += unused.len();
        let named = unused.iter().take(MOST_NAMED.saturating_sub(places.len()));
        places.extend(named.map(|comment| comment.place(manifest)));
    }
    let lets = match count {
        0 => return None,
        1 => "comment lets",
        _ => "comments let",
    };
    let more = if count > places.len() { format!(" and {} more", count - places.len()) } else { String::new() };
    Some(format!("{count} ignore {lets} nothing pass: {}{more}", places.join(", ")))
}

/// The comments of a text that let nothing pass, although there could have been something.
fn unused<'c, 't>(manifest: &Manifest, comments: &'c [Comment<'t>], settings: &Settings) -> Vec<&'c Comment<'t>> {
    let unused: Vec<&Comment<'_>> = comments
        .iter()
        .filter(|comment| !comment.is_used && comment.is_asked_for(settings) && manifest.holds(comment.byte))
        .collect();
    // With other values a template may come out such that it needs the comment.
    if !unused.is_empty() && manifest.is_rendered() { Vec::new() } else { unused }
}

impl Manifest {
    /// Whether a byte of the text is in a document that was judged.
    fn holds(&self, byte: usize) -> bool {
        let after = self.held.partition_point(|document| document.chunk().start <= byte);
        let document = after.checked_sub(1).and_then(|index| self.held.get(index));
        document.is_some_and(|document| document.chunk().contains(&byte))
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
    /// Whether it lets a finding pass.
    is_used: bool,
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
        let (rules, line) = (list.map(|(rules, _)| rules), start..byte + comment.len());
        Some(Comment { byte, rules, line, is_alone, is_used: false })
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

    /// Whether all rules that it names are known, and none of them is off.
    fn is_asked_for(&self, settings: &Settings) -> bool {
        let is_asked = |name| {
            let rule = rules::find(name);
            rule.is_some_and(|rule| settings.action(rule.id).unwrap_or(rule.default_action) != Action::Off)
        };
        self.rules.is_some() && self.names().all(is_asked)
    }

    /// Its line, as editors take it.
    fn place(&self, manifest: &Manifest) -> String {
        format!("{}:{}", manifest.name, Lines::new(&manifest.text).position(self.byte).line)
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
    use super::*;
    use crate::input::Source;
    use crate::linter::lint_texts;

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

    /// The Deployment with comments put in at numbers.
    fn deployment(comments: &[(usize, &str)]) -> String {
        let mut text = DEPLOYMENT.to_owned();
        for (number, comment) in comments {
            text = text.replace(&format!("#{number}\n"), &format!("# sqledge-ha: ignore{comment}\n"));
        }
        text
    }

    /// The findings, and the notes, of a text.
    fn judged_by(text: &str, settings: &Settings, partial: bool) -> Outcome {
        let mut outcome = lint_texts(vec![("sql.yaml".to_owned(), text.to_owned())], settings, partial);
        outcome.leave_out_ignored(settings, partial);
        outcome
    }

    fn judged(comments: &[(usize, &str)]) -> Outcome {
        judged_by(&deployment(comments), &Settings::default(), false)
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

    #[test]
    fn comments_that_let_nothing_pass_are_noted_together() {
        let unused = judged(&[(3, "[recreate-strategy]"), (4, "[recreate-strategy]")]).notes;
        assert_eq!(unused, ["1 ignore comment lets nothing pass: sql.yaml:8"], "the other lets one pass");
        let many = judged(&[2, 4, 5, 6, 7, 8].map(|number| (number, "[single-replica]"))).notes;
        let named = "sql.yaml:6, sql.yaml:8, sql.yaml:10, sql.yaml:12, sql.yaml:14";
        assert_eq!(many, [format!("6 ignore comments let nothing pass: {named} and 1 more")]);
        assert!(judged(&[(1, "[recreate-strategy, single-replica]")]).notes.is_empty(), "one of two rules is enough");
    }

    #[test]
    fn a_comment_is_not_unused_where_something_may_need_it_that_was_not_judged() {
        let text = deployment(&[(4, "[single-replica]")]);
        assert_eq!(judged_by(&text, &Settings::default(), false).notes.len(), 1);
        assert!(judged_by(&text, &Settings::default(), true).notes.is_empty(), "a part");
        let mut off = Settings::default();
        off.set_action("single-replica", "off").unwrap();
        assert!(judged_by(&text, &off, false).notes.is_empty(), "a rule that is not asked");
        assert!(judged_by(&format!("{text}---\nkind: [\n"), &Settings::default(), false).notes.is_empty(), "unread");
        let other = "---\nkind: ConfigMap\ndata:\n  # sqledge-ha: ignore[single-replica]\n  a: b\n";
        assert!(judged_by(&[DEPLOYMENT, other].concat(), &Settings::default(), false).notes.is_empty(), "no subject");
    }

    #[test]
    fn a_comment_is_not_unused_where_a_patch_or_other_values_may_need_it() {
        let notes = |text: &str, change: fn(&mut Manifest)| {
            let settings = Settings::default();
            let mut outcome = lint_texts(vec![("sql.yaml".to_owned(), text.to_owned())], &settings, false);
            outcome.manifests.iter_mut().for_each(change);
            outcome.leave_out_ignored(&settings, false);
            outcome.notes.len()
        };
        let text = deployment(&[(4, "[single-replica]")]);
        assert_eq!(notes(&text, |_| {}), 1);
        assert_eq!(notes(&text, |manifest| manifest.is_patch = true), 0);
        let rendered = format!("# Source: sql/templates/sql.yaml\n{text}");
        assert_eq!(notes(&rendered, |_| {}), 1);
        assert_eq!(notes(&rendered, |manifest| manifest.source = Some(Source::StandardInput)), 0);
    }
}
