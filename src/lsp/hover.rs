//! Hovers over findings: the message, the help, and the documentation of the rule.

use gen_lsp_types::{Contents, Hover, MarkupContent, MarkupKind, Position};
use sqledge_ha_policy::rules::find;

use super::checked::Checked;
use super::options::Capabilities;
use crate::escape::escape;
use crate::linter::LocatedFinding;
use crate::report::level_name;
use crate::rule_docs;

/// The findings at a position of an open text; `None` if there are none.
pub(super) fn hover(checked: &Checked, uri: &str, position: Position, capabilities: Capabilities) -> Option<Hover> {
    let (file, buffer) = checked.open_file(uri)?;
    let byte = buffer.lines.byte(&buffer.text, position, capabilities.encoding);
    let is_at = |located: &&LocatedFinding| located.span.start <= byte && byte <= located.span.end;
    let findings: Vec<&LocatedFinding> = checked.findings(file).filter(is_at).collect();
    let first = findings.first()?;
    let kind = if capabilities.has_markdown { MarkupKind::Markdown } else { MarkupKind::PlainText };
    let write = if capabilities.has_markdown { markdown } else { plain };
    let sections: Vec<String> = findings.iter().map(|located| write(located)).collect();
    Some(Hover {
        contents: Contents::MarkupContent(MarkupContent { kind, value: sections.join("\n\n---\n\n") }),
        range: checked.range(file, &first.span, capabilities.encoding),
    })
}

/// The parts of a finding's text, with their labels.
fn parts(located: &LocatedFinding) -> Vec<(&'static str, &str)> {
    let finding = &located.finding;
    let optional = [("Reason", finding.reason.as_deref()), ("Note", located.expired_ignore.as_deref())];
    let optional = optional.into_iter().filter_map(|(label, text)| Some((label, text?)));
    optional.chain([("Help", &*finding.help)]).collect()
}

fn documentation(rule: &str) -> String {
    find(rule).map(rule_docs::explanation).unwrap_or_default().trim_end().to_owned()
}

fn plain(located: &LocatedFinding) -> String {
    let rule = located.finding.rule;
    let parts: String =
        parts(located).into_iter().map(|(label, text)| format!("{label}: {}\n", escape(text))).collect();
    let message = escape(&located.finding.message);
    format!("{} {rule}: {message}\n{parts}\n{}", level_name(located.level()), documentation(rule))
}

fn markdown(located: &LocatedFinding) -> String {
    let rule = located.finding.rule;
    let parts: String =
        parts(located).into_iter().map(|(label, text)| format!("\n\n{label}: {}", inert_markdown(text))).collect();
    let message = inert_markdown(&located.finding.message);
    format!("**{} `{rule}`**: {message}{parts}\n\n---\n\n{}", level_name(located.level()), documentation(rule))
}

/// A text as Markdown that is shown as it is, except that the parts in backquotes are code: it can contain names from a
/// manifest.
fn inert_markdown(text: &str) -> String {
    let text = escape(text);
    let parts: Vec<&str> = text.split('`').collect();
    let mut markdown = String::new();
    for (index, part) in parts.iter().enumerate() {
        let is_code = index % 2 == 1 && index + 1 < parts.len();
        if is_code && !part.trim().is_empty() {
            markdown.push_str(&format!("`{part}`"));
            continue;
        }
        let is_open = index % 2 == 1;
        if is_open {
            markdown.push_str("\\`");
        }
        push_escaped(&mut markdown, part);
        if is_open && is_code {
            markdown.push_str("\\`");
        }
    }
    markdown
}

/// Escapes whatever can begin markup within a line, also links without any. Other characters stay as they are, because
/// some editors show the backslashes.
fn push_escaped(markdown: &mut String, text: &str) {
    for (at, character) in text.char_indices() {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + character.len_utf8()..).unwrap_or_default();
        let is_markup = match character {
            ':' => after.starts_with("//"),
            '.' => before.to_ascii_lowercase().ends_with("www"),
            _ => "\\`*_[]<>&#|~$@".contains(character),
        };
        if is_markup {
            markdown.push('\\');
        }
        markdown.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_markup() {
        for (text, expected) in [
            ("set `type: LoadBalancer`", "set `type: LoadBalancer`"),
            ("/data: [a](https://b) <b>!", r"/data: \[a\](https\://b) \<b\>!"),
            ("Www.b.c a@b.c *a* _b_ \\", r"Www\.b.c a\@b.c \*a\* \_b\_ \\"),
            ("claim `a` and `b`", "claim `a` and `b`"),
            ("a ` b", r"a \` b"),
            ("claim `a`<img>`b`", r"claim `a`\<img\>`b`"),
            ("``x", r"\`\`x"),
            ("a\n# b\u{202e}", "a\u{fffd}\\# b\u{fffd}"),
        ] {
            assert_eq!(inert_markdown(text), expected, "{text}");
        }
    }
}
