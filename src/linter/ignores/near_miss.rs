//! Comments that look like ignore comments, and are none.

use memchr::memchr_iter;

use super::comment::PREFIX;

/// The name of the program in comments.
const NAME: &str = "sqledge-ha";

/// What similar programs call an ignore comment.
const WORDS: [&str; 10] =
    ["ignore", "ignored", "disable", "disabled", "skip", "allow", "suppress", "exempt", "noqa", "nolint"];

/// The first byte of every comment that looks like an ignore comment, and is none.
pub(super) fn near_misses(text: &str) -> Vec<usize> {
    let starts = memchr_iter(b'#', text.as_bytes());
    starts.filter(|start| is_start(text, *start) && text.get(*start..).is_some_and(is_near_miss)).collect()
}

/// Whether a `#` can begin a comment, and is the first one of several.
fn is_start(text: &str, start: usize) -> bool {
    text.get(..start).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t', '\n', '\r', '\u{feff}']))
}

/// Whether a comment begins with the name of the program and one of the words, e.g. `#sqledge-ha:ignore`.
fn is_near_miss(comment: &str) -> bool {
    if comment.starts_with(PREFIX) {
        return false;
    }
    let text = comment.trim_start_matches('#').trim_start_matches([' ', '\t']);
    let Some((name, rest)) = text.split_at_checked(NAME.len()) else { return false };
    let rest = rest.trim_start_matches([' ', '\t', ':', '/', '-', '=']);
    let word = rest.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
    name.eq_ignore_ascii_case(NAME) && WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_that_look_like_ignore_comments_are_found() {
        for comment in [
            "#sqledge-ha: ignore[single-replica]",
            "# sqledge-ha:ignore[single-replica]",
            "# sqledge-ha ignore single-replica",
            "#  sqledge-ha: ignore[single-replica]",
            "## sqledge-ha: ignore[single-replica]",
            "# SQLEDGE-HA: IGNORE[single-replica]",
            "# sqledge-ha: Ignore[single-replica]",
            "# sqledge-ha: disable[single-replica]",
            "# sqledge-ha/ignore: single-replica",
            "# sqledge-ha: disable=single-replica",
            "# sqledge-ha: noqa",
        ] {
            assert_eq!(near_misses(&format!("a: 1 {comment}\n")), [5], "{comment}");
            assert_eq!(near_misses(comment), [0], "{comment}");
        }
    }

    #[test]
    fn ignore_comments_and_sentences_are_not_found() {
        for text in [
            "# sqledge-ha: ignore[single-replica]",
            "# sqledge-ha: ignore",
            "# sqledge-ha wants one replica; do not ignore it",
            "# sqledge-ha ignores this file",
            "# sqledge-ha",
            "a#sqledge-ha:ignore",
            "# sqledge-hä:ignore",
            "sqledge-ha: ignore",
        ] {
            assert!(near_misses(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_long_row_of_number_signs_is_read_in_linear_time() {
        let start = std::time::Instant::now();
        assert!(near_misses(&"#".repeat(1 << 19)).is_empty());
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }
}
