//! Where comments stand: whatever begins with `#` and is not part of a scalar.
//!
//! The parser could tell them, but pays for that with every event, even if nobody wants to know.

use std::ops::Range;

use granit_parser::{Event, Parser};

use super::builder::bytes;

/// The comments of a chunk, in their order, each up to the end of its line. Of a chunk that cannot be read: those before
/// the place where reading ends.
#[must_use]
pub fn comments(chunk: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    for event in Parser::new_from_str(chunk) {
        let Ok((event, span)) = event else { return found };
        // Of a block scalar that is not empty these are its lines: a comment may stand behind the `|`.
        let (start, end) = bytes(&span);
        if let Event::Scalar(text, ..) = event {
            between(chunk, from..start, &mut found);
            from = from.max(if text.contains('#') { end } else { start });
        }
    }
    between(chunk, from..chunk.len(), &mut found);
    found
}

/// Adds the comments of a part in which no scalar holds a `#`.
fn between(chunk: &str, part: Range<usize>, found: &mut Vec<Range<usize>>) {
    let (mut from, until) = (part.start, part.end);
    while let Some(start) = chunk.get(from..until).and_then(|rest| rest.find('#')).map(|start| from + start) {
        let before = chunk.get(..start).and_then(|before| before.chars().next_back());
        if before.is_none_or(|before| matches!(before, ' ' | '\t' | '\n' | '\r' | '\u{feff}')) {
            from = end_of_line(chunk, start);
            found.push(start..from);
        } else {
            // Of an anchor or a tag.
            from = start + 1;
        }
    }
}

fn end_of_line(chunk: &str, byte: usize) -> usize {
    chunk.get(byte..).and_then(|rest| rest.find(['\n', '\r'])).map_or(chunk.len(), |length| byte + length)
}

#[cfg(test)]
mod tests {
    use super::comments;

    fn found(chunk: &str) -> Vec<&str> {
        comments(chunk).into_iter().map(|range| &chunk[range]).collect()
    }

    #[test]
    fn comments_are_found_where_the_parser_sees_them() {
        for (chunk, wanted) in [
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
            assert_eq!(found(chunk), wanted, "{chunk:?}");
        }
    }

    #[test]
    fn what_is_part_of_a_scalar_an_anchor_or_a_tag_is_no_comment() {
        for (chunk, wanted) in [
            ("a: b#c\nd#e: f\n", &[][..]),
            ("a: 'b # c'\nd: \"e\n  # f\"\n'# g': 1\n", &[]),
            ("a: | # b\n  # c\n  d\n# e\nf: >-\n  # g\n\n  # h\n\n# i\n", &["# b", "# e", "# i"]),
            ("a: &b#c 1\nd: !e#f g # h\n", &["# h"]),
            ("a: |\n  # b", &[]),
            ("a: |\n  # b\nc: |+ # d\n\n", &["# d"]),
        ] {
            assert_eq!(found(chunk), wanted, "{chunk:?}");
        }
    }

    #[test]
    fn of_what_cannot_be_read_those_before_are_found() {
        assert_eq!(found("# a\na: b\n# c\n}"), ["# a"]);
    }
}
