//! The rows of `e2e/PROOF.md` about single rules.

/// The heading above the table.
const HEADING: &str = "## The failures that rules prevent";

/// A table row about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The id of the rule.
    pub(crate) rule: String,
    /// The other cells, as they are written.
    pub(crate) cells: String,
}

/// The rows, the heads of the columns first.
pub(crate) fn rows(page: &str) -> Vec<Row> {
    let lines = page.lines().skip_while(|line| *line != HEADING).skip(1);
    let table = lines.take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| "));
    let row = |line: &str| {
        let (rule, cells) = line.strip_prefix("| ")?.split_once(" | ")?;
        Some(Row { rule: rule.trim_matches('`').to_owned(), cells: format!("| {cells}") })
    };
    table.filter_map(row).collect()
}

/// The table of a rule in Markdown; empty if the page does not prove it.
pub(crate) fn table(rows: &[Row], rule: &str) -> String {
    let own: Vec<&Row> = rows.iter().filter(|row| row.rule == rule).collect();
    let Some(head) = rows.first().filter(|_| !own.is_empty()) else { return String::new() };
    let line = "|---".repeat(head.cells.matches(" |").count()) + "|";
    own.iter().fold(format!("{}\n{line}\n", head.cells), |table, row| format!("{table}{}\n", row.cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_the_rows_of_its_rule() {
        let page = format!(
            "# Proof\n\n{HEADING}\n\nText.\n\n| rule | manifest | event |\n|---|---|---|\n| `a` | b | c |\n| `d` | e | f |\n\n## Next\n\n| `a` | no | no |\n"
        );
        let rows = rows(&page);
        assert_eq!(table(&rows, "a"), "| manifest | event |\n|---|---|\n| b | c |\n");
        assert_eq!(table(&rows, "z"), "");
    }
}
