//! Bytes of a text and positions as editors count them.

use std::ops::Range;

use gen_lsp_types::{self as lsp, Position};
use memchr::memchr2_iter;

use crate::manifest::BYTE_ORDER_MARK;
use crate::utf16::Utf16Index;

/// What columns count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units: every client supports it.
    Utf16,
}

/// The lines of a text, which end with LF, CRLF or CR. It does not contain the text: callers pass the same one each
/// time.
#[derive(Clone, Debug)]
pub(super) struct LineIndex {
    lines: Lines,
    units: Utf16Index,
}

impl LineIndex {
    /// The lines of a text as the client has it.
    pub(super) fn new(text: &str) -> Self {
        LineIndex { lines: Lines::new(text), units: Utf16Index::new(text) }
    }

    /// The lines of a text on disk: a client that opens the file removes its byte-order mark.
    pub(super) fn from_file(text: &str) -> Self {
        let mut index = LineIndex::new(text);
        if let Some(first) = index.lines.starts.first_mut().filter(|_| text.starts_with(BYTE_ORDER_MARK)) {
            *first = BYTE_ORDER_MARK.len_utf8();
        }
        index
    }

    /// The lines alone.
    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// The position of a byte. A byte inside a character means that character, a byte in or after a line ending the end
    /// of the line.
    pub(super) fn position(&self, text: &str, byte: usize, encoding: Encoding) -> Position {
        let byte = text.floor_char_boundary(byte);
        let line = self.lines.starts.partition_point(|start| *start <= byte).saturating_sub(1);
        let (start, end) = self.lines.line(text, line);
        let byte = byte.clamp(start, end);
        let character = match encoding {
            Encoding::Utf8 => byte - start,
            Encoding::Utf16 => self.units.units_before(text, byte) - self.units.units_before(text, start),
        };
        Position { line: to_u32(line), character: to_u32(character) }
    }

    /// The range of some bytes.
    pub(super) fn range(&self, text: &str, span: &Range<usize>, encoding: Encoding) -> lsp::Range {
        lsp::Range {
            start: self.position(text, span.start, encoding),
            end: self.position(text, span.end.max(span.start), encoding),
        }
    }

    /// The byte of a position.
    pub(super) fn byte(&self, text: &str, position: Position, encoding: Encoding) -> usize {
        self.lines.byte(text, position, encoding)
    }
}

/// Where the lines of a text begin. Unlike a [`LineIndex`], it follows a change without reading the whole text.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// The lines of a text.
    pub(super) fn new(text: &str) -> Self {
        Lines { starts: std::iter::once(0).chain(starts_after(text, 0..text.len())).collect() }
    }

    /// Replaces a range of bytes of the text, and follows the change.
    pub(super) fn replace(&mut self, text: &mut String, range: Range<usize>, new: &str) {
        text.replace_range(range.clone(), new);
        // An LF can join a CR in front of it, so that the line does not begin here any more. Line 0 always does.
        let first = self.starts.partition_point(|start| *start < range.start).max(1);
        let last = self.starts.partition_point(|start| *start <= range.end).max(1);
        for start in self.starts.iter_mut().skip(last) {
            *start = *start - range.len() + new.len();
        }
        self.starts.splice(first..last, starts_after(text, range.start.saturating_sub(1)..range.start + new.len()));
    }

    /// The byte of a position. A position after the end of a line means the end of the line, and one inside a character
    /// its start.
    pub(super) fn byte(&self, text: &str, position: Position, encoding: Encoding) -> usize {
        let line = position.line as usize;
        if line >= self.starts.len() {
            return text.len();
        }
        let (start, end) = self.line(text, line);
        let (line, character) = (text.get(start..end).unwrap_or_default(), position.character as usize);
        start
            + match encoding {
                Encoding::Utf8 => line.floor_char_boundary(character),
                Encoding::Utf16 => Utf16Index::new(line).byte(line, 0..line.len(), character),
            }
    }

    /// The bytes of a line without its ending.
    fn line(&self, text: &str, line: usize) -> (usize, usize) {
        let start = self.starts.get(line).copied().unwrap_or(text.len());
        let next = self.starts.get(line + 1).copied();
        let content = text.get(start..next.unwrap_or(text.len())).unwrap_or_default();
        let content = if next.is_some() { content.strip_suffix('\n').unwrap_or(content) } else { content };
        let content = if next.is_some() { content.strip_suffix('\r').unwrap_or(content) } else { content };
        (start, start + content.len())
    }
}

/// The starts of the lines after the line endings that end in a range of bytes.
fn starts_after(text: &str, range: Range<usize>) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    let is_end = |at: &usize| bytes.get(*at) == Some(&b'\n') || bytes.get(at + 1) != Some(&b'\n');
    let first = range.start;
    let ends = memchr2_iter(b'\n', b'\r', bytes.get(range).unwrap_or_default()).map(move |at| first + at);
    ends.filter(is_end).map(|at| at + 1)
}

/// Texts are far smaller than 4 GiB.
fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[allow(clippy::string_slice, reason = "a panic fails the test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines without their endings, and the byte at which each begins, by the definition of the protocol.
    fn lines(text: &str) -> Vec<(usize, &str)> {
        let (mut lines, mut start, mut rest) = (Vec::new(), 0, text);
        while let Some(end) = rest.find(['\n', '\r']) {
            lines.push((start, &rest[..end]));
            let ending = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
            start += end + ending;
            rest = &rest[end + ending..];
        }
        lines.push((start, rest));
        lines
    }

    fn columns(text: &str, encoding: Encoding) -> usize {
        match encoding {
            Encoding::Utf8 => text.len(),
            Encoding::Utf16 => text.encode_utf16().count(),
        }
    }

    fn texts() -> impl Strategy<Value = String> {
        let parts =
            ["a", "key: ", "é", "\u{1F600}", "\n", "\r\n", "\r", "\t", "\u{FEFF}", "\u{2028}", "e\u{301}", "漢"];
        let long = "\u{1F600}é-".repeat(700);
        let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).chain([long]).collect();
        prop::collection::vec(prop::sample::select(parts), 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn positions_and_bytes_agree_with_the_definition(text in texts(), at in any::<prop::sample::Index>()) {
            let index = LineIndex::new(&text);
            let boundaries: Vec<usize> = (0..=text.len()).filter(|byte| text.is_char_boundary(*byte)).collect();
            let byte = boundaries[at.index(boundaries.len())];
            let lines = lines(&text);
            let line = lines.iter().rposition(|(start, _)| *start <= byte).unwrap();
            let (start, content) = lines[line];
            let within = (byte - start).min(content.len());
            for encoding in [Encoding::Utf8, Encoding::Utf16] {
                let position = Position::new(line as u32, columns(&content[..within], encoding) as u32);
                prop_assert_eq!(index.position(&text, byte, encoding), position);
                prop_assert_eq!(index.byte(&text, position, encoding), start + within);
                let after = Position::new(line as u32, columns(content, encoding) as u32 + 3);
                prop_assert_eq!(index.byte(&text, after, encoding), start + content.len());
            }
            prop_assert_eq!(index.byte(&text, Position::new(lines.len() as u32, 0), Encoding::Utf16), text.len());
        }

        #[test]
        fn positions_inside_a_character_mean_its_start(line in 0..3_u32, character in 0..9_u32) {
            let text = "a\u{1F600}é\r\n\u{1F600}\rb";
            let index = LineIndex::new(text);
            for encoding in [Encoding::Utf8, Encoding::Utf16] {
                let byte = index.byte(text, Position::new(line, character), encoding);
                prop_assert!(text.is_char_boundary(byte));
                prop_assert!(index.position(text, byte, encoding) <= Position::new(line, character));
            }
        }
    }

    #[test]
    fn the_byte_order_mark_of_a_file_is_no_column() {
        let text = "\u{FEFF}kind: Pod\n";
        let column = |index: LineIndex, byte| index.position(text, byte, Encoding::Utf16).character;
        assert_eq!([0, 3, 9].map(|byte| column(LineIndex::from_file(text), byte)), [0, 0, 6]);
        assert_eq!([0, 3, 9].map(|byte| column(LineIndex::new(text), byte)), [0, 1, 7]);
    }
}
