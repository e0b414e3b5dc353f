//! Ignore comments: `# sqledge-ha: ignore[rule, rule]` hides findings.
//!
//! A comment applies to its own line; to the line below if it stands alone; and to the whole document if it stands alone
//! above all of its content.
//!
//! | file | holds |
//! |---|---|
//! | `comment` | one ignore comment |
//! | `unused` | notes on the comments themselves |

mod comment;
mod unused;

use std::collections::BTreeSet;
use std::ops::Range;

use sqledge_ha_policy::settings::Settings;

use self::comment::{Comment, comments};
pub use self::unused::comment_notes;
use super::{LintResult, LintedFile, LocatedFinding};

impl LintResult {
    /// Removes the findings that ignore comments hide.
    pub fn apply_ignores(&mut self) {
        let before = self.findings.len();
        let mut texts: Vec<FileIgnores<'_>> = self.files.iter().map(|file| FileIgnores::new(&file.text)).collect();
        self.findings.retain(|located| !texts.get_mut(located.file).is_some_and(|text| text.ignores(located)));
        let used: Vec<BTreeSet<usize>> = texts.into_iter().map(|text| text.used).collect();
        for (file, used) in self.files.iter_mut().zip(used) {
            file.used_comments = used;
        }
        self.ignored = Some(before - self.findings.len());
    }

    /// Adds notes on errors in ignore comments and, if the check is complete, on unused ones.
    pub fn note_comments(&mut self, settings: &Settings, partial: bool) {
        let files: Vec<&LintedFile> = self.files.iter().collect();
        let notes = comment_notes(&files, settings, self.is_complete(partial));
        self.notes.extend(notes);
    }

    /// Whether everything was checked that an ignore comment can apply to.
    pub fn is_complete(&self, partial: bool) -> bool {
        // The object that Kustomize makes with a patch can need the comment in its base.
        let has_patches = self.files.iter().any(|file| file.is_patch);
        let is_read = !partial && self.errors.is_empty() && self.unselected_workloads == 0;
        is_read && !has_patches && !self.is_truncated
    }
}

/// The ignore comments of a text.
struct FileIgnores<'t> {
    text: &'t str,
    comments: Vec<Comment<'t>>,
    /// The rules that any of them names.
    rules: BTreeSet<&'t str>,
    /// The start of every comment that hides a finding.
    used: BTreeSet<usize>,
}

impl<'t> FileIgnores<'t> {
    fn new(text: &'t str) -> Self {
        let comments = comments(text);
        let rules = comments.iter().flat_map(Comment::names).collect();
        FileIgnores { text, comments, rules, used: BTreeSet::new() }
    }

    /// Whether a comment hides the finding. Every one that does counts as used.
    fn ignores(&mut self, located: &LocatedFinding) -> bool {
        let rule = located.finding.rule;
        if !self.rules.contains(rule) {
            return false;
        }
        let (text, comments) = (self.text, self.comments.as_slice());
        let lines = lines_of(text, &located.span);
        let applying = [
            on_lines(comments, &lines),
            above(text, comments, lines.start),
            document_ignores(text, comments, &located.document_span),
        ];
        let naming = applying.iter().flatten().filter(|comment| comment.names().any(|name| name == rule));
        let used: Vec<usize> = naming.map(|comment| comment.byte).collect();
        self.used.extend(&used);
        !used.is_empty()
    }
}

/// The whole lines of a span.
fn lines_of(text: &str, span: &Range<usize>) -> Range<usize> {
    let before = text.get(..span.start).unwrap_or_default();
    let after = text.get(span.end..).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |feed| feed + 1);
    start..span.end + after.find('\n').unwrap_or(after.len())
}

/// The comments before a byte, and the others.
fn split_at<'c, 't>(comments: &'c [Comment<'t>], byte: usize) -> (&'c [Comment<'t>], &'c [Comment<'t>]) {
    comments.split_at(comments.partition_point(|comment| comment.byte < byte))
}

/// The comments on some lines.
fn on_lines<'c, 't>(comments: &'c [Comment<'t>], lines: &Range<usize>) -> Vec<&'c Comment<'t>> {
    let (_, following) = split_at(comments, lines.start);
    following.iter().take_while(|comment| comment.byte < lines.end).collect()
}

/// The comments that stand alone above a line, without content in between.
fn above<'c, 't>(text: &str, comments: &'c [Comment<'t>], line: usize) -> Vec<&'c Comment<'t>> {
    let (preceding, _) = split_at(comments, line);
    let mut found = Vec::new();
    let mut below = line;
    for comment in preceding.iter().rev() {
        if !has_no_content(text, comment.line.end..below) {
            break;
        }
        found.extend(comment.is_alone.then_some(comment));
        if !has_no_content(text, comment.line.clone()) {
            break;
        }
        below = comment.line.start;
    }
    found
}

/// The comments that stand alone above all content of a document.
fn document_ignores<'c, 't>(text: &str, comments: &'c [Comment<'t>], document: &Range<usize>) -> Vec<&'c Comment<'t>> {
    let (_, following) = split_at(comments, document.start);
    let mut found = Vec::new();
    let mut above = document.start;
    for comment in following.iter().take_while(|comment| comment.byte < document.end) {
        if !has_no_content(text, above..comment.line.start) {
            break;
        }
        found.extend(comment.is_alone.then_some(comment));
        if !has_no_content(text, comment.line.clone()) {
            break;
        }
        above = comment.line.end;
    }
    found
}

/// Whether a part of a text has only blanks, comments and document markers.
fn has_no_content(text: &str, range: Range<usize>) -> bool {
    let lines = text.get(range).unwrap_or_default().lines().map(str::trim);
    lines.into_iter().all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::rules::set_action;

    use super::*;
    use crate::linter::lint_texts;
    use crate::prefilter::Prefilter;
    use crate::rendered::Rendered;

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

    /// The Deployment with comments at the numbers.
    fn deployment(comments: &[(usize, &str)]) -> String {
        let mut text = DEPLOYMENT.to_owned();
        for (number, comment) in comments {
            text = text.replace(&format!("#{number}\n"), &format!("# sqledge-ha: ignore{comment}\n"));
        }
        text
    }

    fn lint_with(text: &str, settings: &Settings, partial: bool) -> LintResult {
        let texts = vec![("sql.yaml".to_owned(), text.to_owned())];
        let mut outcome = lint_texts(texts, &Prefilter::new(settings), partial);
        outcome.apply_ignores();
        outcome.note_comments(settings, partial);
        outcome
    }

    fn lint(comments: &[(usize, &str)]) -> LintResult {
        lint_with(&deployment(comments), &Settings::default(), false)
    }

    fn rules(outcome: &LintResult) -> Vec<&str> {
        outcome.findings.iter().map(|located| located.finding.rule).collect()
    }

    #[test]
    fn comments_on_the_line_above_it_or_above_the_document_hide_findings() {
        let all = lint(&[]);
        assert!(rules(&all).contains(&"recreate-strategy") && all.ignored == Some(0), "{all:?}");
        let without = |number| {
            let outcome = lint(&[(number, "[recreate-strategy, no-such-thing]")]);
            assert_eq!(outcome.ignored, Some(all.findings.len() - outcome.findings.len()));
            !rules(&outcome).contains(&"recreate-strategy")
        };
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 8].map(without), [true, true, true, false, false, false, false, false]);
        assert_eq!(lint(&[(3, "[amd64-node-selector]")]).ignored, Some(0), "another rule");
    }

    #[test]
    fn comments_without_a_known_rule_are_noted() {
        let notes = lint(&[(1, ""), (3, "[]"), (5, "[recreate-stratgy]")]).notes;
        assert_eq!(
            notes,
            [
                "sql.yaml:2:1: the ignore comment names no rule; write `# sqledge-ha: ignore[RULE]`",
                "sql.yaml:7:7: unknown rule ``; `sqledge-ha rules` lists the rules",
                "sql.yaml:10:36: unknown rule `recreate-stratgy`; `sqledge-ha rules` lists the rules",
            ]
        );
    }

    #[test]
    fn unused_comments_are_noted_together() {
        let unused = lint(&[(3, "[recreate-strategy]"), (4, "[recreate-strategy]")]).notes;
        assert_eq!(unused, ["unused ignore comment: sql.yaml:8:3"], "the other hides a finding");
        let many = lint(&[2, 4, 5, 6, 7, 8].map(|number| (number, "[single-replica]"))).notes;
        let named = "sql.yaml:6:1, sql.yaml:8:3, sql.yaml:10:36, sql.yaml:12:7, sql.yaml:14:21";
        assert_eq!(many, [format!("6 unused ignore comments: {named} and 1 more")]);
        assert!(lint(&[(1, "[recreate-strategy, single-replica]")]).notes.is_empty(), "one of two rules is enough");
    }

    #[test]
    fn comments_are_not_unused_if_something_was_not_checked() {
        let text = deployment(&[(4, "[single-replica]")]);
        assert_eq!(lint_with(&text, &Settings::default(), false).notes.len(), 1);
        assert!(lint_with(&text, &Settings::default(), true).notes.is_empty(), "partial");
        let mut off = Settings::default();
        set_action(&mut off, "single-replica", "off").unwrap();
        assert!(lint_with(&text, &off, false).notes.is_empty(), "the rule is off");
        assert!(
            lint_with(&format!("{text}---\nkind: [\n"), &Settings::default(), false).notes.is_empty(),
            "a parse error"
        );
        let other = "---\nkind: ConfigMap\ndata:\n  # sqledge-ha: ignore[single-replica]\n  a: b\n";
        assert!(
            lint_with(&[DEPLOYMENT, other].concat(), &Settings::default(), false).notes.is_empty(),
            "not in a checked object"
        );
    }

    #[test]
    fn comments_are_not_unused_in_patches_and_rendered_manifests() {
        let notes = |text: &str, change: fn(&mut LintedFile)| {
            let settings = Settings::default();
            let texts = vec![("sql.yaml".to_owned(), text.to_owned())];
            let mut outcome = lint_texts(texts, &Prefilter::new(&settings), false);
            outcome.files.iter_mut().for_each(change);
            outcome.apply_ignores();
            outcome.note_comments(&settings, false);
            outcome.notes.len()
        };
        let text = deployment(&[(4, "[single-replica]")]);
        assert_eq!(notes(&text, |_| {}), 1);
        assert_eq!(notes(&text, |file| file.is_patch = true), 0);
        let rendered = format!("# Source: sql/templates/sql.yaml\n{text}");
        assert_eq!(notes(&rendered, |_| {}), 1);
        assert_eq!(notes(&rendered, |file| file.rendered = Rendered::from_stream(&file.text)), 0);
    }

    /// The notes on unused comments.
    fn unused(text: &str) -> Vec<String> {
        let mut notes = lint_with(text, &Settings::default(), false).notes;
        notes.retain(|note| note.contains("unused"));
        notes
    }

    #[test]
    fn comments_are_not_unused_in_objects_with_a_checked_owner() {
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
    fn comments_are_not_unused_if_a_database_is_not_selected() {
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
        assert!(unused(&beside).is_empty(), "another document runs a database that is not selected");
    }

    #[test]
    fn script_lines_that_look_like_comments_are_not_noted() {
        let script = "          args:\n            - |\n              # sqledge-ha: ignore[single-replica]\n              \
                      run\n            - \"a # sqledge-ha: ignore[single-replica]\"\n";
        assert!(unused(&format!("{DEPLOYMENT}{script}")).is_empty());
        let beside = format!("{}{script}", deployment(&[(7, "[single-replica]")]));
        assert_eq!(unused(&beside), ["unused ignore comment: sql.yaml:14:21"]);
    }

    #[test]
    fn every_comment_in_a_run_applies() {
        let run = |number, more: &str| {
            let comments = "# sqledge-ha: ignore[single-replica]\n# another\n\n".repeat(3);
            let last = "# sqledge-ha: ignore[recreate-strategy]\n";
            let text = DEPLOYMENT.replace(&format!("#{number}\n"), &format!("{last}{comments}{more}"));
            lint_with(&text, &Settings::default(), false)
        };
        for number in [1, 2] {
            assert!(!rules(&run(number, "")).contains(&"recreate-strategy"), "{number}");
        }
        assert!(rules(&run(2, "x-other: 1\n")).contains(&"recreate-strategy"), "content in between");
        let head = run(1, "x-other: 1\n");
        assert!(!rules(&head).contains(&"recreate-strategy"), "it is above all content");
    }
}
