//! Comments that let a finding pass: `# sqledge-ha: ignore[rule, rule]`.
//!
//! A comment counts for the lines of the finding if it ends one of them, or stands alone above the first; and for the
//! whole document if it stands alone above everything in it.
//!
//! | file | holds |
//! |---|---|
//! | `comment` | one such comment |
//! | `notes` | what there is to say about the comments themselves |

mod comment;
mod notes;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rayon::prelude::*;
use sqledge_ha_policy::settings::Settings;

use self::comment::{Comment, comments};
pub use self::notes::notes_on_comments;
use super::{Located, Manifest, Outcome};

impl Outcome {
    /// Leaves out the findings that comments let pass.
    pub fn drop_ignored(&mut self) {
        let before = self.findings.len();
        let mut texts: Vec<Commented<'_>> =
            self.manifests.par_iter().map(|manifest| Commented::read(&manifest.text)).collect();
        self.findings.retain(|located| !texts.get_mut(located.manifest).is_some_and(|text| text.lets_pass(located)));
        let used: Vec<BTreeSet<usize>> = texts.into_iter().map(|text| text.used).collect();
        for (manifest, used) in self.manifests.iter_mut().zip(used) {
            manifest.used_comments = used;
        }
        self.ignored = Some(before - self.findings.len());
    }

    /// Notes comments that cannot be understood, and if all was judged, also those that let nothing pass.
    pub fn note_comments(&mut self, settings: &Settings, partial: bool) {
        let manifests: Vec<&Manifest> = self.manifests.iter().collect();
        let notes = notes_on_comments(&manifests, settings, self.has_judged_all(partial));
        self.notes.extend(notes);
    }

    /// Whether all was judged that a comment may be there for.
    pub fn has_judged_all(&self, partial: bool) -> bool {
        // What a patch makes of an object may need the comment that the object has.
        let has_patches = self.manifests.iter().any(|manifest| manifest.is_patch);
        let is_complete = !partial && self.unread.is_empty() && self.ungoverned == 0;
        is_complete && !has_patches && !self.has_left_out
    }
}

/// A text with its comments, of which those are known that let a finding pass.
struct Commented<'t> {
    text: &'t str,
    comments: Vec<Comment<'t>>,
    /// All rules that they name.
    named: BTreeSet<&'t str>,
    /// Where those begin that let a finding pass.
    used: BTreeSet<usize>,
    on_lines: Common<'t>,
    above: Common<'t>,
    at_head: Common<'t>,
}

impl<'t> Commented<'t> {
    fn read(text: &'t str) -> Self {
        let comments = comments(text);
        let named = comments.iter().flat_map(Comment::names).collect();
        let [on_lines, above, at_head] = [Common::default(), Common::default(), Common::default()];
        Commented { text, comments, named, used: BTreeSet::new(), on_lines, above, at_head }
    }

    /// Whether any of the comments lets a finding pass; those that do are used from then on.
    fn lets_pass(&mut self, located: &Located) -> bool {
        let rule = located.finding.rule;
        if !self.named.contains(rule) {
            return false;
        }
        let (text, comments) = (self.text, self.comments.as_slice());
        let (lines, chunk) = (lines_of(text, &located.span), &located.chunk);
        let first = lines.start..lines.start;
        let passes = [
            self.on_lines.lets_pass(&lines, rule, &mut self.used, || on_lines(comments, &lines)),
            self.above.lets_pass(&first, rule, &mut self.used, || above(text, comments, lines.start)),
            self.at_head.lets_pass(chunk, rule, &mut self.used, || at_head(text, comments, chunk)),
        ];
        passes.contains(&true)
    }
}

/// The comments that count for one place, by the rules that they name. Findings of one place follow each other, and
/// however many there are, its comments are looked at once.
#[derive(Default)]
struct Common<'t> {
    place: Option<Range<usize>>,
    /// Where the comments begin, as far as they are not used.
    rules: BTreeMap<&'t str, Vec<usize>>,
}

impl<'t> Common<'t> {
    fn lets_pass<'c>(
        &mut self,
        place: &Range<usize>,
        rule: &str,
        used: &mut BTreeSet<usize>,
        find: impl FnOnce() -> Vec<&'c Comment<'t>>,
    ) -> bool
    where
        't: 'c,
    {
        if self.place.as_ref() != Some(place) {
            self.place = Some(place.clone());
            self.rules.clear();
            for comment in find() {
                comment.names().for_each(|name| self.rules.entry(name).or_default().push(comment.byte));
            }
        }
        let Some(comments) = self.rules.get_mut(rule) else { return false };
        used.extend(comments.drain(..));
        true
    }
}

/// The whole lines that bytes stand on.
fn lines_of(text: &str, span: &Range<usize>) -> Range<usize> {
    let before = text.get(..span.start).unwrap_or_default();
    let after = text.get(span.end..).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |feed| feed + 1);
    start..span.end + after.find('\n').unwrap_or(after.len())
}

/// The comments before a byte, and the others.
fn divided<'c, 't>(comments: &'c [Comment<'t>], byte: usize) -> (&'c [Comment<'t>], &'c [Comment<'t>]) {
    comments.split_at(comments.partition_point(|comment| comment.byte < byte))
}

/// The comments on some lines.
fn on_lines<'c, 't>(comments: &'c [Comment<'t>], lines: &Range<usize>) -> Vec<&'c Comment<'t>> {
    let (_, following) = divided(comments, lines.start);
    following.iter().take_while(|comment| comment.byte < lines.end).collect()
}

/// The comments that stand alone above a line, with nothing that counts between.
fn above<'c, 't>(text: &str, comments: &'c [Comment<'t>], line: usize) -> Vec<&'c Comment<'t>> {
    let (preceding, _) = divided(comments, line);
    let mut found = Vec::new();
    let mut below = line;
    for comment in preceding.iter().rev() {
        if !is_idle(text, comment.line.end..below) {
            break;
        }
        found.extend(comment.is_alone.then_some(comment));
        if !is_idle(text, comment.line.clone()) {
            break;
        }
        below = comment.line.start;
    }
    found
}

/// The comments that stand alone above everything in a chunk.
fn at_head<'c, 't>(text: &str, comments: &'c [Comment<'t>], chunk: &Range<usize>) -> Vec<&'c Comment<'t>> {
    let (_, following) = divided(comments, chunk.start);
    let mut found = Vec::new();
    let mut above = chunk.start;
    for comment in following.iter().take_while(|comment| comment.byte < chunk.end) {
        if !is_idle(text, above..comment.line.start) {
            break;
        }
        found.extend(comment.is_alone.then_some(comment));
        if !is_idle(text, comment.line.clone()) {
            break;
        }
        above = comment.line.end;
    }
    found
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
        outcome.drop_ignored();
        outcome.note_comments(settings, partial);
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
        assert_eq!(unused, ["1 ignore comment lets nothing pass: sql.yaml:8:3"], "the other lets one pass");
        let many = judged(&[2, 4, 5, 6, 7, 8].map(|number| (number, "[single-replica]"))).notes;
        let named = "sql.yaml:6:1, sql.yaml:8:3, sql.yaml:10:36, sql.yaml:12:7, sql.yaml:14:21";
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
            outcome.drop_ignored();
            outcome.note_comments(&settings, false);
            outcome.notes.len()
        };
        let text = deployment(&[(4, "[single-replica]")]);
        assert_eq!(notes(&text, |_| {}), 1);
        assert_eq!(notes(&text, |manifest| manifest.is_patch = true), 0);
        let rendered = format!("# Source: sql/templates/sql.yaml\n{text}");
        assert_eq!(notes(&rendered, |_| {}), 1);
        assert_eq!(notes(&rendered, |manifest| manifest.source = Some(Source::StandardInput)), 0);
    }

    /// What is said of comments that let nothing pass.
    fn unused(text: &str) -> Vec<String> {
        let mut notes = judged_by(text, &Settings::default(), false).notes;
        notes.retain(|note| note.contains("nothing pass"));
        notes
    }

    #[test]
    fn a_comment_is_not_unused_in_an_object_that_its_owner_answers_for() {
        let pod = |owner: &str| {
            format!(
                "{DEPLOYMENT}---\n# sqledge-ha: ignore[stable-data-path]\napiVersion: v1\nkind: Pod\n\
                 metadata:\n  name: sql-1\n{owner}spec:\n  containers:\n    - name: sql\n      \
                 image: azure-sql-edge # sqledge-ha: ignore[single-replica]\n"
            )
        };
        let owner =
            "  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: sql, uid: u, controller: true}]\n";
        assert_eq!(unused(&pod("")).len(), 1);
        assert!(unused(&pod(owner)).is_empty());
    }

    #[test]
    fn a_comment_is_not_unused_where_an_engine_was_not_asked_for() {
        let list = |image: &str| {
            format!(
                "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: apps/v1\n    kind: Deployment\n    \
                 metadata: {{name: sql}}\n    spec: \n      # sqledge-ha: ignore[single-replica]\n      template:\n        \
                 metadata: {{labels: {{app: sql}}}}\n        spec:\n          containers: [{{name: sql, image: {image}}}]\n  \
                 - apiVersion: v1\n    kind: Service\n    metadata: {{name: sql}}\n    \
                 spec: {{selector: {{app: sql}}, ports: [{{port: 1433}}]}}\n"
            )
        };
        assert_eq!(unused(&list("azure-sql-edge")).len(), 1);
        let server = list("mcr.microsoft.com/mssql/server:2022-latest");
        assert!(unused(&server).is_empty());
        let beside = format!("{}---\n{server}", deployment(&[(4, "[single-replica]")]));
        assert!(unused(&beside).is_empty(), "it may be there for what another document runs");
    }

    #[test]
    fn what_only_looks_like_a_comment_is_not_noted() {
        let script = "          args:\n            - |\n              # sqledge-ha: ignore[single-replica]\n              \
                      run\n            - \"a # sqledge-ha: ignore[single-replica]\"\n";
        assert!(unused(&format!("{DEPLOYMENT}{script}")).is_empty());
        let beside = format!("{}{script}", deployment(&[(7, "[single-replica]")]));
        assert_eq!(unused(&beside), ["1 ignore comment lets nothing pass: sql.yaml:14:21"]);
    }

    #[test]
    fn in_a_run_of_comments_each_counts() {
        let run = |number, more: &str| {
            let comments = "# sqledge-ha: ignore[single-replica]\n# another\n\n".repeat(3);
            let last = "# sqledge-ha: ignore[recreate-strategy]\n";
            let text = DEPLOYMENT.replace(&format!("#{number}\n"), &format!("{last}{comments}{more}"));
            judged_by(&text, &Settings::default(), false)
        };
        for number in [1, 2] {
            assert!(!rules(&run(number, "")).contains(&"recreate-strategy"), "{number}");
        }
        assert!(rules(&run(2, "x-other: 1\n")).contains(&"recreate-strategy"), "something stands between");
        let head = run(1, "x-other: 1\n");
        assert!(!rules(&head).contains(&"recreate-strategy"), "the head is all that stands above");
    }
}
