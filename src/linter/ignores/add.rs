//! Adds an ignore comment to a text.

use std::ops::Range;

use serde_json::Value;

use super::comment::{Comment, PREFIX, comments};
use super::file_ignores::{lines_of, on_lines};
use crate::linter::LocatedFinding;
use crate::manifest::{self, read_span};

/// The byte at which to insert a text, and the text, so that an ignore comment hides the finding; `None` if its line
/// cannot have a comment, as in JSON and in a block of text.
pub fn ignore_insertion(text: &str, located: &LocatedFinding) -> Option<(usize, String)> {
    let is_json = text.trim_start().starts_with(['{', '[']);
    let rule = located.finding.rule;
    let line = lines_of(text, &(located.span.start..located.span.start));
    let known = comments(text);
    let known = on_lines(&known, &line);
    let (byte, inserted) = match known.iter().find_map(|comment| end_of_rules(text, comment)) {
        Some(byte) => (byte, format!(", {rule}")),
        None => (line.start + text.get(line)?.trim_end().len(), format!(" {PREFIX}[{rule}]")),
    };
    (!is_json && is_comment(text, &located.document_span, byte, &inserted)).then_some((byte, inserted))
}

/// The end of the rules of a comment that has neither a date nor a reason, with which the new rule could differ.
fn end_of_rules(text: &str, comment: &Comment<'_>) -> Option<usize> {
    let end = comment.byte + PREFIX.len() + 1 + comment.rules?.len();
    let rest = text.get(end..comment.line.end)?;
    (rest.trim_end() == "]").then_some(end)
}

/// Whether the document has the same values with a text inserted at `byte`, which is then in a comment.
fn is_comment(text: &str, document: &Range<usize>, byte: usize, inserted: &str) -> bool {
    let Some(old) = text.get(document.clone()) else { return false };
    let Some((before, after)) = byte.checked_sub(document.start).and_then(|byte| old.split_at_checked(byte)) else {
        return false;
    };
    let new = [before, inserted, after].concat();
    let last = before.len() + inserted.len() - 1;
    let is_in_comment = manifest::comments(&new).iter().any(|comment| comment.contains(&last));
    is_in_comment && values(&new).is_some_and(|values_of_new| values(old) == Some(values_of_new))
}

/// The values of the documents in a text; `None` if one cannot be read.
fn values(text: &str) -> Option<Vec<Value>> {
    read_span(text, 0..text.len(), 0).into_iter().map(|document| Some(document.ok()?.value)).collect()
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::settings::Settings;
    use sqledge_ha_policy::view::Scope;

    use super::*;
    use crate::linter::ignores::{Ignores, parse_date};
    use crate::linter::{LintResult, lint_texts};
    use crate::prefilter::Prefilter;

    fn lint(text: &str) -> LintResult {
        let settings = Settings::default();
        let mut result =
            lint_texts(vec![("a.yaml".to_owned(), text.to_owned())], &Prefilter::new(&settings), Scope::Application);
        let today = parse_date("2027-03-01").unwrap();
        result.apply_ignores(&Ignores { today, entries: Vec::new(), has_all_paths: true });
        result
    }

    /// Adds a comment for each finding in turn, and returns the text without findings.
    fn ignore_all(text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..99 {
            let result = lint(&text);
            let Some(located) = result.findings.first() else { return text };
            let (byte, inserted) = ignore_insertion(&text, located).unwrap_or_else(|| panic!("{located:?}\n{text}"));
            text.insert_str(byte, &inserted);
            assert!(lint(&text).findings.len() < result.findings.len(), "{text}");
        }
        panic!("{text}");
    }

    #[test]
    fn every_finding_can_be_ignored_and_line_endings_are_kept() {
        let text = "apiVersion: apps/v1\r\nkind: Deployment\r\nmetadata: {name: sql} # a\r\nspec:\r\n  template:\r\n    \
             metadata: {labels: {app: sql}}\r\n    spec:\r\n      containers:\r\n        - name: sql\r\n          \
             image: azure-sql-edge";
        let ignored = ignore_all(text);
        let without = |line: &str| line.split(" # sqledge-ha: ignore[").next().unwrap().to_owned();
        assert_eq!(ignored.split("\r\n").map(without).collect::<Vec<_>>(), text.split("\r\n").collect::<Vec<_>>());
        assert!(ignored.contains(", "), "several rules in one comment: {ignored}");
    }

    #[test]
    fn json_and_blocks_of_text_get_no_comment() {
        let text = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sql"}, "spec": {"containers": [{"image": "azure-sql-edge"}]}}"#;
        let result = lint(text);
        assert!(!result.findings.is_empty());
        assert!(result.findings.iter().all(|located| ignore_insertion(text, located).is_none()));
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: sql}\nspec:\n  x: |\n    a\n  \
             containers: [{image: azure-sql-edge}]\n";
        let mut located = lint(text).findings.remove(0);
        located.span = text.find("a\n  containers").map(|at| at..at + 1).unwrap();
        assert_eq!(ignore_insertion(text, &located), None);
    }

    #[test]
    fn a_comment_with_a_date_is_not_extended() {
        let comment = "# sqledge-ha: ignore[single-replica] until: 2028-01-01";
        let text = format!(
            "apiVersion: v1\nkind: Pod {comment}\nmetadata: {{name: sql}}\nspec: {{containers: [{{image: azure-sql-edge}}]}} {comment}\n"
        );
        assert!(ignore_all(&text).contains(&format!("{comment} # sqledge-ha: ignore[")));
    }
}
