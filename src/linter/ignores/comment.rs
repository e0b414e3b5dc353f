//! One comment that lets findings pass.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// What such a comment begins with.
const BEGINNING: &str = "# sqledge-ha: ignore";
static MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(BEGINNING));

/// One such comment.
pub(super) struct Comment<'t> {
    /// Where it begins.
    pub(super) byte: usize,
    /// What stands between the brackets; `None` if there are none.
    pub(super) rules: Option<&'t str>,
    /// The line that it stands on.
    pub(super) line: Range<usize>,
    /// Whether nothing but blanks stands before it.
    pub(super) is_alone: bool,
}

/// Those of a text, in their order.
pub(super) fn comments(text: &str) -> Vec<Comment<'_>> {
    MARK.find_iter(text.as_bytes()).filter_map(|byte| Comment::read(text, byte)).collect()
}

impl<'t> Comment<'t> {
    fn read(text: &'t str, byte: usize) -> Option<Self> {
        let (before, comment) = text.split_at_checked(byte)?;
        let start = before.rfind('\n').map_or(0, |feed| feed + 1);
        let comment = comment.split('\n').next()?;
        let in_front = before.get(start..)?;
        if !in_front.is_empty() && !in_front.ends_with([' ', '\t']) {
            return None; // It goes on with what stands in front of it.
        }
        let list = comment.strip_prefix(BEGINNING)?.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let is_alone = in_front.trim().is_empty();
        let (rules, line) = (list.map(|(rules, _)| rules), start..byte + comment.len());
        Some(Comment { byte, rules, line, is_alone })
    }

    /// The rules that it names.
    pub(super) fn names(&self) -> impl Iterator<Item = &'t str> {
        self.rules.into_iter().flat_map(|rules| rules.split(',')).map(str::trim)
    }
}
