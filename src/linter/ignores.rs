//! What hides findings: ignore comments, `# sqledge-ha: ignore[rule, rule]`, and the ignore entries of the
//! configuration.
//!
//! A comment applies to its own line; to the line below if it stands alone; and to the whole document if it stands
//! alone above all of its content. Comments and entries can expire; then the finding is back, and says so.
//!
//! | file | holds |
//! |---|---|
//! | `comment` | one ignore comment |
//! | `file_ignores` | the comments of a file, and which apply to a finding |
//! | `add` | adding one to a text |
//! | `entry` | one ignore entry |
//! | `validity` | expiry date and reason of both |
//! | `unused` | notes on unused comments and entries, and on errors in comments |
//! | `near_miss` | comments that look like ignore comments |

mod add;
mod comment;
mod entry;
mod file_ignores;
mod near_miss;
mod unused;
mod validity;

use std::collections::BTreeSet;

use sqledge_ha_policy::settings::Settings;
use time::Date;

pub use self::add::ignore_insertion;
use self::entry::EntryMatcher;
pub use self::entry::{IgnoreEntry, ObjectPattern, PathFilter};
use self::file_ignores::FileIgnores;
pub use self::unused::comment_notes;
pub use self::validity::{Validity, parse_date};
use super::{LintResult, LintedFile};

/// What hides findings, beside the comments in the texts.
#[derive(Clone, Debug)]
pub struct Ignores {
    /// The date on which comments and entries must be valid. Nothing else here knows a clock.
    pub today: Date,
    /// The ignore entries of the configuration.
    pub entries: Vec<IgnoreEntry>,
    /// Whether the run reads all that the entries can apply to, so that an entry without a finding is unused.
    pub has_all_paths: bool,
}

/// Whether a comment or an entry hides a finding.
enum IgnoreEffect {
    No,
    Yes,
    /// It would, but has expired: when, and the reason.
    Expired(String),
}

impl IgnoreEffect {
    /// A valid comment or entry wins over an expired one; of several expired ones, the first is kept.
    fn or(self, other: IgnoreEffect) -> IgnoreEffect {
        match (self, other) {
            (IgnoreEffect::Yes, _) | (_, IgnoreEffect::Yes) => IgnoreEffect::Yes,
            (IgnoreEffect::No, other) => other,
            (expired, _) => expired,
        }
    }
}

impl LintResult {
    /// Removes the findings that ignore comments and entries hide. Findings of which all of these have expired say so.
    pub fn apply_ignores(&mut self, ignores: &Ignores) {
        let before = self.findings.len();
        let mut texts: Vec<FileIgnores<'_>> = self.files.iter().map(|file| FileIgnores::new(&file.text)).collect();
        let mut entries = EntryMatcher::new(ignores, &self.files);
        self.findings.retain_mut(|located| {
            let by_comment =
                texts.get_mut(located.file).map_or(IgnoreEffect::No, |text| text.effect(located, ignores.today));
            let effect = by_comment.or(entries.effect(located));
            let is_hidden = matches!(effect, IgnoreEffect::Yes);
            located.expired_ignore = if let IgnoreEffect::Expired(message) = effect { Some(message) } else { None };
            !is_hidden
        });
        self.used_entries = entries.into_used();
        let used: Vec<BTreeSet<usize>> = texts.into_iter().map(|text| text.used).collect();
        for (file, used) in self.files.iter_mut().zip(used) {
            file.used_comments = used;
        }
        self.ignored = Some(before - self.findings.len());
        self.ignores = Some(ignores.clone());
    }

    /// Adds notes on errors in ignore comments and, if the check is complete, on unused comments and entries.
    pub fn note_ignores(&mut self, settings: &Settings) {
        let files: Vec<&LintedFile> = self.files.iter().collect();
        let is_complete = self.is_complete();
        let notes = comment_notes(&files, settings, is_complete);
        self.notes.extend(notes);
        self.notes.extend(self.unused_entries_note(settings, is_complete));
    }

    /// Whether everything was checked that an ignore comment can apply to.
    pub fn is_complete(&self) -> bool {
        // The object that Kustomize makes with a patch can need the comment in its base.
        let has_patches = self.files.iter().any(|file| file.is_patch);
        let is_read = self.scope.is_complete() && self.errors.is_empty() && self.unselected_workloads == 0;
        is_read && !has_patches && !self.is_truncated
    }
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::rules::set_action;
    use sqledge_ha_policy::view::Scope;

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

    fn ignores(today: &str, entries: Vec<IgnoreEntry>) -> Ignores {
        Ignores { today: parse_date(today).unwrap(), entries, has_all_paths: true }
    }

    fn lint_with(text: &str, settings: &Settings, scope: Scope) -> LintResult {
        let texts = vec![("sql.yaml".to_owned(), text.to_owned())];
        let mut outcome = lint_texts(texts, &Prefilter::new(settings), scope);
        outcome.apply_ignores(&ignores("2027-03-01", Vec::new()));
        outcome.note_ignores(settings);
        outcome
    }

    fn lint(comments: &[(usize, &str)]) -> LintResult {
        lint_with(&deployment(comments), &Settings::default(), Scope::Application)
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
    fn an_expired_comment_hides_nothing_and_the_finding_says_so() {
        let with = |comment: &str, today: &str| {
            let texts = vec![("sql.yaml".to_owned(), deployment(&[(3, comment)]))];
            let mut outcome = lint_texts(texts, &Prefilter::new(&Settings::default()), Scope::Application);
            outcome.apply_ignores(&ignores(today, Vec::new()));
            outcome.note_ignores(&Settings::default());
            outcome
        };
        let comment = "[recreate-strategy] until: 2027-03-01, moves to Azure";
        let valid = with(comment, "2027-02-28");
        assert!(!rules(&valid).contains(&"recreate-strategy") && valid.ignored == Some(1), "{valid:?}");
        let expired = with(comment, "2027-03-01");
        let of_rule = |outcome: &LintResult| {
            let found = outcome.findings.iter().find(|located| located.finding.rule == "recreate-strategy");
            found.unwrap().expired_ignore.clone()
        };
        assert_eq!(of_rule(&expired).as_deref(), Some("the ignore comment expired on 2027-03-01: moves to Azure"));
        assert_eq!((expired.ignored, expired.notes.as_slice()), (Some(0), &[][..]), "the comment is not unused");
        let others = expired.findings.iter().filter(|located| located.finding.rule != "recreate-strategy");
        assert!(others.clone().count() > 0 && others.clone().all(|located| located.expired_ignore.is_none()));
        let wrong = with("[recreate-strategy] until: 2027-02-29", "2027-01-01");
        assert_eq!((wrong.ignored, of_rule(&wrong)), (Some(0), None));
        assert_eq!(wrong.notes, ["sql.yaml:7:7: the ignore comment hides nothing: there is no date `2027-02-29`"]);
    }

    #[test]
    fn a_valid_comment_or_entry_wins_over_an_expired_one() {
        let settings = Settings::default();
        let with = |comments: &[(usize, &str)], until: &[&str]| {
            let entry = |until: &&str| IgnoreEntry {
                rules: vec!["recreate-strategy"],
                paths: None,
                objects: Vec::new(),
                validity: Validity { until: Some(parse_date(until).unwrap()), reason: String::new() },
                location: "sqledge-ha.yaml:2:5".to_owned(),
            };
            let texts = vec![("sql.yaml".to_owned(), deployment(comments))];
            let mut outcome = lint_texts(texts, &Prefilter::new(&settings), Scope::Application);
            outcome.apply_ignores(&ignores("2027-03-01", until.iter().map(entry).collect()));
            outcome.note_ignores(&settings);
            let located = outcome.findings.iter().find(|located| located.finding.rule == "recreate-strategy");
            (located.map(|located| located.expired_ignore.clone().unwrap_or_default()), outcome.notes)
        };
        let (old, new) = ("[recreate-strategy] until: 2027-01-01", "[recreate-strategy] until: 2028-01-01");
        let comment = Some("the ignore comment expired on 2027-01-01".to_owned());
        let entry = Some("the ignore entry at sqledge-ha.yaml:2:5 expired on 2027-01-02".to_owned());
        for (comments, until, expected) in [
            (&[][..], &[][..], Some(String::new())),
            (&[(3, old)], &[], comment.clone()),
            (&[(3, old), (1, new)], &[], None),
            (&[(3, new), (1, old)], &[], None),
            (&[], &["2027-01-02"], entry.clone()),
            (&[], &["2027-01-02", "2028-01-01"], None),
            (&[(3, old)], &["2027-01-02"], comment),
            (&[(3, old)], &["2028-01-01"], None),
            (&[(3, new)], &["2027-01-02"], None),
        ] {
            assert_eq!(with(comments, until), (expected, Vec::new()), "{comments:?} {until:?}");
        }
    }

    #[test]
    fn near_misses_of_ignore_comments_are_noted() {
        let text = deployment(&[(3, "[recreate-strategy]")])
            .replace("#1\n", "#sqledge-ha:ignore[single-replica]\n")
            .replace("#8\n", "# SQLEDGE-HA: DISABLE[single-replica]\n          args: [\"# sqledge-ha:ignore\"]\n");
        let near_miss = "this is not an ignore comment; write `# sqledge-ha: ignore[RULE]`";
        let notes = lint_with(&text, &Settings::default(), Scope::Application).notes;
        assert_eq!(notes, [format!("sql.yaml:2:1: {near_miss}"), format!("sql.yaml:16:11: {near_miss}")]);
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
        assert_eq!(lint_with(&text, &Settings::default(), Scope::Application).notes.len(), 1);
        assert!(lint_with(&text, &Settings::default(), Scope::Part).notes.is_empty(), "partial");
        let mut off = Settings::default();
        set_action(&mut off, "single-replica", "off").unwrap();
        assert!(lint_with(&text, &off, Scope::Application).notes.is_empty(), "the rule is off");
        assert!(
            lint_with(&format!("{text}---\nkind: [\n"), &Settings::default(), Scope::Application).notes.is_empty(),
            "a parse error"
        );
        let other = "---\nkind: ConfigMap\ndata:\n  # sqledge-ha: ignore[single-replica]\n  a: b\n";
        assert!(
            lint_with(&[DEPLOYMENT, other].concat(), &Settings::default(), Scope::Application).notes.is_empty(),
            "not in a checked object"
        );
    }

    #[test]
    fn comments_are_not_unused_in_patches_and_rendered_manifests() {
        let notes = |text: &str, change: fn(&mut LintedFile)| {
            let settings = Settings::default();
            let texts = vec![("sql.yaml".to_owned(), text.to_owned())];
            let mut outcome = lint_texts(texts, &Prefilter::new(&settings), Scope::Application);
            outcome.files.iter_mut().for_each(change);
            outcome.apply_ignores(&ignores("2027-03-01", Vec::new()));
            outcome.note_ignores(&settings);
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
        let mut notes = lint_with(text, &Settings::default(), Scope::Application).notes;
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
            lint_with(&text, &Settings::default(), Scope::Application)
        };
        for number in [1, 2] {
            assert!(!rules(&run(number, "")).contains(&"recreate-strategy"), "{number}");
        }
        assert!(rules(&run(2, "x-other: 1\n")).contains(&"recreate-strategy"), "content in between");
        let head = run(1, "x-other: 1\n");
        assert!(!rules(&head).contains(&"recreate-strategy"), "it is above all content");
    }
}
