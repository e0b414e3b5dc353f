//! Finds comments: text that begins with `#` and is not part of a scalar.
//!
//! The parser can report comments, but that slows down every event, also for callers that need none.

use std::ops::Range;

use granit_parser::{Event, Parser};

use super::builder::bytes;

/// Returns the byte ranges of a document's comments in order, each up to the end of its line. If the document has a
/// syntax error, returns the comments before it.
#[must_use]
pub fn comments(document: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    for event in Parser::new_from_str(document) {
        let Ok((event, span)) = event else { return found };
        // The span of a non-empty block scalar covers its lines only: a comment can follow the `|`.
        let (start, end) = bytes(&span);
        if let Event::Scalar(text, ..) = event {
            between(document, from..start, &mut found);
            from = from.max(if text.contains('#') { end } else { start });
        }
    }
    between(document, from..document.len(), &mut found);
    found
}

/// Adds the comments of a range in which no scalar contains a `#`.
fn between(document: &str, part: Range<usize>, found: &mut Vec<Range<usize>>) {
    let (mut from, until) = (part.start, part.end);
    while let Some(start) = document.get(from..until).and_then(|rest| rest.find('#')).map(|start| from + start) {
        let before = document.get(..start).and_then(|before| before.chars().next_back());
        if before.is_none_or(|before| matches!(before, ' ' | '\t' | '\n' | '\r' | '\u{feff}')) {
            from = end_of_line(document, start);
            found.push(start..from);
        } else {
            // Part of an anchor or a tag.
            from = start + 1;
        }
    }
}

fn end_of_line(document: &str, byte: usize) -> usize {
    document.get(byte..).and_then(|rest| rest.find(['\n', '\r'])).map_or(document.len(), |length| byte + length)
}

#[cfg(test)]
mod tests {
    use super::comments;

    fn found(document: &str) -> Vec<&str> {
        comments(document).into_iter().map(|range| &document[range]).collect()
    }

    #[test]
    fn comments_are_found() {
        for (document, wanted) in [
            ("# a\n# b\r\na: b # c", &["# a", "# b", "# c"][..]),
            ("#a\n", &["#a"]),
            ("\u{feff}# a\n", &["# a"]),
            ("--- # a\na: # b\n  # c\n  - d\n  - # e\n    f\n... # g\n", &["# a", "# b", "# c", "# e", "# g"]),
            ("{a: [b, # c\n d], # e\n f: g}", &["# c", "# e"]),
            ("a: &b # c\n  d: 1\ne: *b # f\n", &["# c", "# f"]),
            ("a: b\n  c # d\n", &["# d"]),
            ("a: b\n  # c\nd: e\n", &["# c"]),
            ("a: \n# b\nc:\n", &["# b"]),
            ("a: | # b", &["# b"]),
            ("a:\r\n- >+ # b\r\n\r\n", &["# b"]),
            ("a: |- # b\nc: 1\n", &["# b"]),
            ("%YAML 1.1 # a\n---\nb: 1\n", &["# a"]),
        ] {
            assert_eq!(found(document), wanted, "{document:?}");
        }
    }

    #[test]
    fn a_hash_inside_a_scalar_an_anchor_or_a_tag_is_not_a_comment() {
        for (document, wanted) in [
            ("a: b#c\nd#e: f\n", &[][..]),
            ("a: 'b # c'\nd: \"e\n  # f\"\n'# g': 1\n", &[]),
            ("a: | # b\n  # c\n  d\n# e\nf: >-\n  # g\n\n  # h\n\n# i\n", &["# b", "# e", "# i"]),
            ("a: &b#c 1\nd: !e#f g # h\n", &["# h"]),
            ("a: |\n  # b", &[]),
            ("a: |\n  # b\nc: |+ # d\n\n", &["# d"]),
        ] {
            assert_eq!(found(document), wanted, "{document:?}");
        }
    }

    #[test]
    fn comments_before_a_syntax_error_are_found() {
        assert_eq!(found("# a\na: b\n# c\n}"), ["# a"]);
    }
}
