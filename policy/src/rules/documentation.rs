//! The documentation of a rule, from the `//!` text at the head of its file.
//!
//! `explain`, the table in the README and the help of every report take their text from it. The module does not contain
//! it.

#![cfg(not(feature = "guest"))]

use super::{RULES, Rule, SOURCES};

/// The headings every rule's documentation has, in this order.
pub const HEADINGS: [&str; 6] = ["What must hold", "Why", "Example", "Instead", "Fix", "Sources"];

/// A rule's documentation as Markdown.
pub fn documentation(rule: &Rule) -> String {
    let source = RULES.iter().zip(SOURCES).find(|(known, _)| known.id == rule.id).map_or("", |(_, source)| source);
    let head = source.lines().map_while(|line| line.strip_prefix("//!"));
    head.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The text below one heading, trimmed.
pub fn section(documentation: &str, heading: &str) -> String {
    let lines = documentation.lines().skip_while(|line| line.strip_prefix("# ") != Some(heading)).skip(1);
    lines.take_while(|line| !line.starts_with("# ")).collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn every_rule_has_text_below_every_heading() {
        for rule in RULES {
            let text = documentation(rule);
            let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# ")).collect();
            assert_eq!(headings, HEADINGS, "{}", rule.id);
            for heading in HEADINGS {
                assert!(!section(&text, heading).is_empty(), "{}: {heading}", rule.id);
            }
        }
    }

    #[test]
    fn ids_are_unique_and_files_are_named_after_them() {
        for (index, (rule, source)) in RULES.iter().zip(SOURCES).enumerate() {
            assert!(source.contains(&format!("id: \"{}\"", rule.id)), "{}", rule.id);
            assert!(RULES.iter().skip(index + 1).all(|other| other.id != rule.id), "{}", rule.id);
        }
    }
}
