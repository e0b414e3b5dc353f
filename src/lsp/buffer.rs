//! The texts that are open in the editor.

use std::path::PathBuf;

use gen_lsp_types::TextDocumentContentChangeEvent as Change;

use super::position::{Encoding, LineIndex, Lines};
use super::uri;

/// The maximum size of a text that is checked, in bytes. A larger one is not kept either.
pub(super) const MAX_BYTES: usize = 16 << 20;

/// A text that is open in the editor, saved or not.
#[derive(Clone, Debug)]
pub(super) struct Buffer {
    /// Its URI, as the client writes it.
    pub(super) uri: String,
    /// Its path, if it has one.
    pub(super) path: Option<PathBuf>,
    /// The version that the client gave it.
    pub(super) version: i32,
    /// A number that no other state of any buffer has.
    pub(super) revision: u64,
    /// The text; empty if it is too large.
    pub(super) text: String,
    /// The lines of the text.
    pub(super) lines: LineIndex,
    /// Whether the text is, or was, larger than [`MAX_BYTES`]. Then it is known again only when the client sends all of
    /// it.
    pub(super) is_too_large: bool,
}

impl Buffer {
    /// A buffer that the client has opened.
    pub(super) fn new(uri: String, version: i32, revision: u64, text: String) -> Self {
        let path = uri::to_path(&uri);
        let lines = LineIndex::new("");
        let mut buffer = Buffer { uri, path, version, revision, text, lines, is_too_large: false };
        buffer.limit();
        buffer.lines = LineIndex::new(&buffer.text);
        buffer
    }

    /// Applies changes in their order; each refers to the text after the one before it.
    pub(super) fn change(&mut self, changes: Vec<Change>, encoding: Encoding) {
        // An editor can send thousands of changes at once: only the lines follow each of them.
        let mut lines = self.lines.lines().clone();
        for change in changes {
            match change {
                Change::TextDocumentContentChangeWholeDocument(whole) => {
                    self.text = whole.text;
                    self.is_too_large = false;
                    lines = Lines::new(&self.text);
                }
                Change::TextDocumentContentChangePartial(_) if self.is_too_large => continue,
                Change::TextDocumentContentChangePartial(part) => {
                    let byte = |position| lines.byte(&self.text, position, encoding);
                    let (start, end) = (byte(part.range.start), byte(part.range.end));
                    lines.replace(&mut self.text, start..end.max(start), &part.text);
                }
            }
            self.limit();
        }
        self.lines = LineIndex::new(&self.text);
    }

    fn limit(&mut self) {
        if self.text.len() > MAX_BYTES {
            self.text = String::new();
            self.is_too_large = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use gen_lsp_types::{Position, Range, TextDocumentContentChangePartial, TextDocumentContentChangeWholeDocument};
    use proptest::prelude::*;

    use super::*;

    fn part(start: (u32, u32), end: (u32, u32), text: &str) -> Change {
        let range = Range::new(Position::new(start.0, start.1), Position::new(end.0, end.1));
        let text = text.to_owned();
        TextDocumentContentChangePartial { range, text, ..TextDocumentContentChangePartial::default() }.into()
    }

    fn whole(text: &str) -> Change {
        TextDocumentContentChangeWholeDocument { text: text.to_owned() }.into()
    }

    #[test]
    fn changes_apply_one_after_the_other() {
        let mut buffer = Buffer::new("file:///a.yaml".into(), 1, 1, "a: \u{1F600}\r\nb: 2\r\n".into());
        let changes = vec![part((0, 3), (0, 5), "é"), part((1, 0), (1, 0), "c: 3\n"), part((9, 9), (9, 9), "d")];
        buffer.change(changes, Encoding::Utf16);
        assert_eq!(buffer.text, "a: é\r\nc: 3\nb: 2\r\nd");
        buffer.change(vec![whole("new")], Encoding::Utf16);
        assert_eq!(buffer.text, "new");
    }

    #[test]
    fn a_text_that_is_too_large_is_not_kept() {
        let mut buffer = Buffer::new("file:///a.yaml".into(), 1, 1, "a".repeat(MAX_BYTES));
        assert!(!buffer.is_too_large);
        buffer.change(vec![part((0, 0), (0, 0), "b"), part((0, 0), (0, 9), "")], Encoding::Utf16);
        assert!(buffer.is_too_large && buffer.text.is_empty());
        buffer.change(vec![whole("a: 1\n")], Encoding::Utf16);
        assert_eq!((buffer.is_too_large, buffer.text.as_str()), (false, "a: 1\n"));
    }

    proptest! {
        /// Also those that no client sends, such as one that ends before its start.
        #[test]
        fn changes_together_give_the_same_text_as_one_by_one(
            text in "[a\r\né\u{1F600}\u{FEFF}]{0,30}",
            changes in prop::collection::vec((0..5_u32, 0..9_u32, 0..5_u32, 0..9_u32, "[b\n\ré]{0,3}"), 0..9),
        ) {
            for encoding in [Encoding::Utf8, Encoding::Utf16] {
                let mut buffer = Buffer::new("untitled:1".into(), 1, 1, text.clone());
                let changes: Vec<Change> =
                    changes.iter().map(|(a, b, c, d, text)| part((*a, *b), (*c, *d), text)).collect();
                let mut one_by_one = buffer.clone();
                for change in &changes {
                    one_by_one.change(vec![change.clone()], encoding);
                }
                buffer.change(changes, encoding);
                prop_assert_eq!(buffer.text, one_by_one.text);
            }
        }
    }
}
