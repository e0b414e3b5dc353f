//! An ignore comment.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::validity::Validity;

/// The start of every ignore comment.
pub(super) const PREFIX: &str = "# sqledge-ha: ignore";
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(PREFIX));

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

/// The ignore comments of a text, in order. One ends where the next one on its line begins: a line can be as long as the
/// file, and have many comments.
pub(super) fn comments(text: &str) -> Vec<Comment<'_>> {
    let starts: Vec<usize> = FINDER.find_iter(text.as_bytes()).collect();
    let next = starts.iter().skip(1).copied().chain([text.len()]);
    let mut line = Line::default();
    let comment = |(byte, next): (usize, usize)| {
        if !line.range.contains(&byte) {
            line = Line::around(text, byte);
        }
        Comment::read(text, byte..next.min(line.range.end), &line)
    };
    starts.iter().copied().zip(next).filter_map(comment).collect()
}

/// A line, found once for all of its comments.
#[derive(Default)]
struct Line {
    range: Range<usize>,
    /// Its first byte that is not blank.
    content: usize,
}

impl Line {
    /// The line of a byte.
    fn around(text: &str, byte: usize) -> Self {
        let (before, after) = text.split_at_checked(byte).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |feed| feed + 1);
        let end = after.find('\n').map_or(text.len(), |feed| byte + feed);
        let content = end - text.get(start..end).unwrap_or_default().trim_start().len();
        Line { range: start..end, content }
    }
}

impl<'t> Comment<'t> {
    fn read(text: &'t str, range: Range<usize>, line: &Line) -> Option<Self> {
        let byte = range.start;
        if byte > line.range.start && !text.get(..byte)?.ends_with([' ', '\t']) {
            return None; // The `#` belongs to the word in front of it.
        }
        let list = text.get(range)?.strip_prefix(PREFIX)?.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let validity = list.map_or_else(|| Ok(Validity::default()), |(_, rest)| Validity::read(rest));
        let rules = list.map(|(rules, _)| rules);
        Some(Comment { byte, rules, validity, line: line.range.clone(), is_alone: byte == line.content })
    }

    /// The rules between the brackets.
    pub(super) fn names(&self) -> impl Iterator<Item = &'t str> {
        self.rules.into_iter().flat_map(|rules| rules.split(',')).map(str::trim)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn comments_on_one_line_share_it_and_only_the_first_can_be_alone() {
        let comment = "# sqledge-ha: ignore";
        let text = format!("a\n \t{comment}[x, y] b {comment}\nc{comment}[z]\n{comment}[z] é");
        let found: Vec<_> = comments(&text)
            .iter()
            .map(|comment| (comment.names().collect::<Vec<_>>(), comment.line.clone(), comment.is_alone))
            .collect();
        let (first, last) = (2..text.find("\nc").unwrap(), text.rfind('\n').unwrap() + 1..text.len());
        assert_eq!(found, [(vec!["x", "y"], first.clone(), true), (vec![], first, false), (vec!["z"], last, true)]);
    }

    #[test]
    fn a_long_line_of_comments_is_read_in_linear_time() {
        let start = Instant::now();
        for comment in [" # sqledge-ha: ignore", " # sqledge-ha: ignore[", " # sqledge-ha: ignore[a]"] {
            let line = " ".repeat(2 << 20) + &comment.repeat(100_000);
            assert_eq!(comments(&line).len(), 100_000);
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
}
