//! Splits a stream into documents before parsing.
//!
//! An error in one document then does not affect the next one, and a caller can skip documents or read them in
//! parallel. The markers are `---` and `...` in the first column, followed by a blank or the end of the line. No scalar
//! can contain such a line, not even a quoted or a block scalar (YAML 1.1, section 4.3.1), so that splitting needs only
//! lines.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use super::position::BYTE_ORDER_MARK;

/// A line feed and the first characters of a marker.
static MARKERS: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| ["\n---", "\n..."].map(Finder::new));

/// The byte ranges of the documents of a text, in order; see [`document_spans`].
#[derive(Clone, Debug)]
pub struct DocumentSpans<'t> {
    text: &'t str,
    at: usize,
    /// The next line that begins with each of the markers, as far as searched.
    ahead: [usize; 2],
}

/// Finds the documents of a text without parsing them. A range includes a document's directives and its `---`. Ranges
/// with only comments, blank lines and markers are skipped.
///
/// A range is one document, with two exceptions that only parsing finds: JSON values can follow each other without a
/// marker, and lines can end with a bare carriage return. [`read_span`](super::read_span) returns all documents of a
/// range.
#[must_use]
pub fn document_spans(text: &str) -> DocumentSpans<'_> {
    let at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    DocumentSpans { text, at, ahead: [0; 2] }
}

impl DocumentSpans<'_> {
    /// The start of the next line from `byte` on that may be a marker, or the end of the text.
    fn next_marker(&mut self, byte: usize) -> usize {
        let rest = self.text.as_bytes().get(byte - 1..).unwrap_or_default();
        for (marker, line) in MARKERS.iter().zip(&mut self.ahead) {
            if *line < byte {
                *line = marker.find(rest).map_or(self.text.len(), |feed| byte + feed);
            }
        }
        self.ahead.into_iter().fold(self.text.len(), usize::min)
    }
}

impl Iterator for DocumentSpans<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let mut start = self.at;
        let (mut marked, mut filled) = (false, false);
        while self.at < self.text.len() {
            let rest = self.text.get(self.at..)?;
            let length = memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |feed| feed + 1);
            let line = rest.get(..length)?;
            match marker(line) {
                Some(Marker::Start(content)) => {
                    if filled {
                        return Some(start..self.at);
                    }
                    if marked {
                        start = self.at;
                    }
                    marked = true;
                    filled = content;
                }
                Some(Marker::End) => {
                    let end = self.at;
                    self.at += length;
                    if filled {
                        return Some(start..end);
                    }
                    (start, marked) = (self.at, false);
                    continue;
                }
                None => filled = filled || is_content(line, marked),
            }
            self.at += length;
            if filled {
                // Skip to the next marker.
                self.at = self.next_marker(self.at);
            }
        }
        filled.then_some(start..self.at)
    }
}

enum Marker {
    /// `---`, and whether content other than a comment follows on its line.
    Start(bool),
    /// `...`
    End,
}

fn marker(line: &str) -> Option<Marker> {
    // The first byte decides for most lines.
    if !matches!(line.as_bytes().first(), Some(b'-' | b'.')) {
        return None;
    }
    let rest = line.get(3..)?;
    if !rest.is_empty() && !rest.starts_with([' ', '\t', '\r', '\n']) {
        return None;
    }
    match line.get(..3)? {
        "---" => Some(Marker::Start(is_content(rest, true))),
        "..." => Some(Marker::End),
        _ => None,
    }
}

/// Whether a line has content: not only blanks, a comment or, before the document's marker, a directive.
///
/// A bare carriage return and the line breaks of YAML 1.1 also end a line, and so a comment.
fn is_content(line: &str, marked: bool) -> bool {
    if line.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return true;
    }
    line.split(['\r', '\u{85}', '\u{2028}', '\u{2029}']).any(|line| {
        let text = line.trim_start_matches([' ', '\t', '\n']);
        !(text.is_empty() || text.starts_with('#') || !marked && line.starts_with('%'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Marker, document_spans, is_content, marker};

    fn split(text: &str) -> Vec<&str> {
        document_spans(text).map(|range| &text[range]).collect()
    }

    #[test]
    fn documents_are_separated_by_markers() {
        assert_eq!(split("a: 1\n---\nb: 2\n"), ["a: 1\n", "---\nb: 2\n"]);
        assert_eq!(split("--- a\n---\tb\n---\r\nc"), ["--- a\n", "---\tb\n", "---\r\nc"]);
        assert_eq!(split("a\n...\nb\n... # end\n---\nc\n"), ["a\n", "b\n", "---\nc\n"]);
        assert_eq!(split("\u{feff}a\n---\nb"), ["a\n", "---\nb"]);
    }

    #[test]
    fn only_a_marker_alone_in_the_first_column_separates() {
        for text in ["a: |\n  ---\n  b\n", "----\n", "---a\n", "- --- b\n", "-----BEGIN-----\n", "....\n", "--\n"] {
            assert_eq!(split(text), [text]);
        }
    }

    #[test]
    fn directives_and_comments_belong_to_the_next_document() {
        assert_eq!(
            split("# top\n%YAML 1.1\n---\na\n...\n# more\n%TAG ! x\n---\nb\n"),
            ["# top\n%YAML 1.1\n---\na\n", "# more\n%TAG ! x\n---\nb\n"]
        );
    }

    #[test]
    fn every_line_break_of_yaml_1_1_ends_a_comment() {
        for text in ["# c\ra: 1\r", "# c\u{2028}a: 1\n", "# c\u{85}a: 1\n", "--- # c\ra: 1"] {
            assert_eq!(split(text), [text]);
        }
        for text in ["# c\r# d\r\r", "# c\r\n", "%YAML 1.1\r"] {
            assert!(split(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn empty_documents_are_skipped() {
        for text in ["", "\n \t\n", "# only\n", "---\n", "---\n---\n# x\n--- # y\n...\n...\n", "\u{feff}"] {
            assert!(split(text).is_empty(), "{text:?}");
        }
        assert_eq!(split("---\n# x\n---\n---\na\n---\n"), ["---\na\n"]);
    }

    /// A simple line-by-line implementation to compare with.
    fn split_by_lines(text: &str) -> Vec<String> {
        let mut documents = Vec::new();
        let (mut open, mut marked, mut filled) = (String::new(), false, false);
        let mut end = |open: &mut String, filled: bool| {
            let document = std::mem::take(open);
            documents.extend(filled.then_some(document));
        };
        for line in text.split_inclusive('\n') {
            match marker(line) {
                Some(Marker::End) => {
                    end(&mut open, filled);
                    (marked, filled) = (false, false);
                    continue;
                }
                Some(Marker::Start(content)) => {
                    if filled || marked {
                        end(&mut open, filled);
                    }
                    (marked, filled) = (true, content);
                }
                None => filled = filled || is_content(line, marked),
            }
            open.push_str(line);
        }
        end(&mut open, filled);
        documents
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn the_search_for_markers_finds_the_same_documents_as_reading_line_by_line(lines in prop::collection::vec(prop::sample::select(vec![
            "a: 1", "  b", "", " ", "# c", "---", "--- d", "--- # e", "---\t", "----", " ---", "...", "... # f", "....", "-", "- g", "--",
            "..", "%YAML 1.1", "\r", "---\r", "é",
        ]), 0..12), last in prop::bool::ANY) {
            let text = lines.join("\n") + if last { "\n" } else { "" };
            prop_assert_eq!(split(&text), split_by_lines(&text));
        }
    }
}
