//! Wraps lines and Markdown at a width.

use std::borrow::Cow;

use anstream::adapter::strip_str;
use textwrap::core::display_width;
use textwrap::{Options, fill, refill};

/// Wraps a line at blanks, with its further lines indented. A line of a source text, or of a frame around one, stays as
/// it is. Escape sequences have no width.
pub(super) fn wrap_line(line: Cow<'_, str>, width: usize) -> Cow<'_, str> {
    if display_width(&line) <= width {
        return line;
    }
    let text = strip_str(&line).to_string();
    if is_source(&text) {
        return line;
    }
    let indent = " ".repeat(hanging_indent(&text).min(width / 2));
    let options = Options::new(width).subsequent_indent(&indent).break_words(false);
    Cow::Owned(fill(&line, options))
}

/// Whether a line shows a source text: `12 | spec:`, `   | ^^^^` or `--> file:12:3`.
fn is_source(text: &str) -> bool {
    let rest = text.trim_start().trim_start_matches(|character: char| character.is_ascii_digit()).trim_start();
    rest.starts_with('|') || rest.starts_with("-->") || rest.starts_with(":::")
}

/// The indentation of the further lines: below the text of a note or list item.
fn hanging_indent(text: &str) -> usize {
    let indentation = text.len() - text.trim_start().len();
    let marker = ["= ", "- ", "* "].iter().find(|marker| text.trim_start().starts_with(**marker));
    indentation + marker.map_or(2, |marker| marker.len())
}

/// The width that texts in Markdown are written for.
const MARKDOWN_WIDTH: usize = 120;

/// Wraps the paragraphs and list items of a text in Markdown. Code, tables and headings stay as they are.
pub fn wrap_markdown(text: &str, width: Option<usize>) -> Cow<'_, str> {
    let Some(width) = width.filter(|width| *width < MARKDOWN_WIDTH) else { return Cow::Borrowed(text) };
    let mut wrapped = String::with_capacity(text.len());
    let mut paragraph = String::new();
    let mut is_code = false;
    let end = |paragraph: &mut String, wrapped: &mut String| {
        if !paragraph.is_empty() {
            wrapped.push_str(&refill(paragraph, Options::new(width).break_words(false)));
            paragraph.clear();
        }
    };
    for line in text.split_inclusive('\n') {
        let start = line.trim_start();
        let is_fence = start.starts_with("```");
        let is_item = start.starts_with("- ") || start.starts_with("* ");
        let stays = is_code || is_fence || start.is_empty() || start.starts_with(['#', '|']);
        if stays || is_item {
            end(&mut paragraph, &mut wrapped);
        }
        is_code ^= is_fence;
        if stays { &mut wrapped } else { &mut paragraph }.push_str(line);
    }
    end(&mut paragraph, &mut wrapped);
    Cow::Owned(wrapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_indented_below_their_text() {
        let wrapped = |line: &'static str| wrap_line(Cow::Borrowed(line), 40).into_owned();
        assert_eq!(
            wrapped("   = help: set `replicas: 1`; the controller replaces the pod"),
            "   = help: set `replicas: 1`; the\n     controller replaces the pod"
        );
        assert_eq!(
            wrapped("a very long word follows here: /a/path/that/has/no/blank/and/is/wider"),
            "a very long word follows here:\n  /a/path/that/has/no/blank/and/is/wider"
        );
        for line in
            ["12 |   a: b c d e f g h i j k l m n o p q r s t u", "   | ^^^^ a label that is longer than the line is"]
        {
            assert_eq!(wrapped(line), line);
        }
    }

    #[test]
    fn escape_sequences_have_no_width() {
        let line = "\u{1b}[1m\u{1b}[31merror\u{1b}[0m: forty columns of text are here, ok";
        assert_eq!(wrap_line(Cow::Borrowed(line), 44), line);
    }

    #[test]
    fn paragraphs_and_items_are_wrapped_anew_and_code_is_kept() {
        let text = "One paragraph with words that go on\nand on.\n\n- an item that is long enough\n  for two lines\n- another\n\n\
                    ```yaml\nspec:   {a: b, c: d, e: f, g: h, i: j, k: l}\n```\n";
        let expected = "One paragraph with words that go on and\non.\n\n- an item that is long enough for two\n  lines\n- another\n\n\
                        ```yaml\nspec:   {a: b, c: d, e: f, g: h, i: j, k: l}\n```\n";
        assert_eq!(wrap_markdown(text, Some(40)), expected);
        assert_eq!(wrap_markdown(text, None), text);
    }
}
