//! Converts bytes to lines and columns.

use memchr::memchr_iter;

/// The invisible character that some editors write at the start of a file.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// A position in a text, as editors and SARIF count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Position {
    /// The line, from 1. Lines end with a line feed.
    pub line: usize,
    /// The column, from 1, in characters (Unicode scalar values); a byte-order mark does not count.
    pub column: usize,
    /// The byte, from 0.
    pub byte: usize,
}

/// The line starts of a text. Built once per text; a search is binary.
#[derive(Clone, Debug)]
pub struct Lines<'t> {
    text: &'t str,
    feeds: Vec<usize>,
    /// Whether each byte is a character, so that columns need no counting: a line can be as long as the file.
    is_ascii: bool,
}

impl<'t> Lines<'t> {
    /// Finds the lines of a text.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        Self { text, feeds: memchr_iter(b'\n', text.as_bytes()).collect(), is_ascii: text.is_ascii() }
    }

    /// Returns the line and column of a byte offset. An offset inside a character means that character; an offset after
    /// the end means the end.
    #[must_use]
    pub fn position(&self, byte: usize) -> Position {
        let byte = self.text.floor_char_boundary(byte);
        let before = self.feeds.partition_point(|feed| *feed < byte);
        let start = before.checked_sub(1).and_then(|last| self.feeds.get(last)).map_or(0, |feed| feed + 1);
        if self.is_ascii {
            return Position { line: before + 1, column: byte - start + 1, byte };
        }
        let line = self.text.get(start..byte).unwrap_or_default();
        let line = if start == 0 { line.trim_start_matches(BYTE_ORDER_MARK) } else { line };
        Position { line: before + 1, column: line.chars().count() + 1, byte }
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
        let position = Lines::new(text).position(byte);
        (position.line, position.column)
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        let text = "a: é!\r\n\nb";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, 3), (1, 4));
        assert_eq!(line_and_column(text, 4), (1, 4), "inside é");
        assert_eq!(line_and_column(text, 5), (1, 5));
        assert_eq!(line_and_column(text, 7), (1, 7), "the line feed itself");
        assert_eq!(line_and_column(text, 8), (2, 1));
        assert_eq!(line_and_column(text, 9), (3, 1));
        assert_eq!(line_and_column(text, 999), (3, 2));
        assert_eq!(line_and_column("", 3), (1, 1));
    }

    #[test]
    fn a_byte_order_mark_is_not_a_column() {
        assert_eq!(line_and_column("\u{feff}a", 3), (1, 1));
        assert_eq!(line_and_column("\u{feff}a", 4), (1, 2));
    }
}
