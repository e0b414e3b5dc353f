//! An ignore comment.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::validity::Validity;

/// The start of every ignore comment.
pub(super) const PREFIX: &str = "# sqledge-ha: ignore";
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(PREFIX));

/// The number of bytes after the rules that are read: a line can be as long as the file, and have many comments.
const MAX_REASON: usize = 1000;

/// An ignore comment.
pub(super) struct Comment<'t> {
    /// Its first byte.
    pub(super) byte: usize,
    /// The text between the brackets; `None` without brackets.
    pub(super) rules: Option<&'t str>,
    /// How long it is valid, or what is wrong with its date. With a wrong date, it hides nothing.
    pub(super) validity: Result<Validity, String>,
    /// Its line.
    pub(super) line: Range<usize>,
    /// Whether only blanks precede it on its line.
    pub(super) is_alone: bool,
}

/// The ignore comments of a text, in order.
pub(super) fn comments(text: &str) -> Vec<Comment<'_>> {
    FINDER.find_iter(text.as_bytes()).filter_map(|byte| Comment::read(text, byte)).collect()
}

impl<'t> Comment<'t> {
    fn read(text: &'t str, byte: usize) -> Option<Self> {
        let (before, comment) = text.split_at_checked(byte)?;
        let start = before.rfind('\n').map_or(0, |feed| feed + 1);
        let comment = comment.split('\n').next()?;
        let in_front = before.get(start..)?;
        if !in_front.is_empty() && !in_front.ends_with([' ', '\t']) {
            return None; // The `#` belongs to the word in front of it.
        }
        let list = comment.strip_prefix(PREFIX)?.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let is_alone = in_front.trim().is_empty();
        let validity = list.map_or_else(
            || Ok(Validity::default()),
            |(_, rest)| Validity::read(rest.get(..rest.floor_char_boundary(MAX_REASON)).unwrap_or_default()),
        );
        let (rules, line) = (list.map(|(rules, _)| rules), start..byte + comment.len());
        Some(Comment { byte, rules, validity, line, is_alone })
    }

    /// The rules between the brackets.
    pub(super) fn names(&self) -> impl Iterator<Item = &'t str> {
        self.rules.into_iter().flat_map(|rules| rules.split(',')).map(str::trim)
    }
}
