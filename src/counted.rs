//! Numbers with nouns.

/// A number with a noun in singular or plural, e.g. `2 files`. The plural of a noun with `y` at its end has `ies`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if count == 1 => format!("1 {noun}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "file")), ["0 files", "1 file", "2 files"]);
        assert_eq!([1, 2].map(|count| counted(count, "directory")), ["1 directory", "2 directories"]);
    }
}
