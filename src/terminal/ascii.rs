//! ASCII for locales that have nothing else.

use std::borrow::Cow;

/// Whether the locale has only ASCII. Without any of the variables it is unknown, and terminals show UTF-8.
pub(super) fn is_locale_ascii(variable: impl Fn(&str) -> Option<String>) -> bool {
    let values = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable);
    let locale = values.filter(|value| !value.is_empty()).map(|value| value.to_ascii_lowercase()).next();
    locale.is_some_and(|locale| !locale.contains("utf-8") && !locale.contains("utf8"))
}

/// The text with ASCII in place of other characters.
pub(super) fn to_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '…' => plain.push_str("..."),
            '→' => plain.push_str("->"),
            '≥' => plain.push_str(">="),
            '≤' => plain.push_str("<="),
            '–' | '—' | '−' => plain.push('-'),
            '“' | '”' => plain.push('"'),
            '‘' | '’' => plain.push('\''),
            '×' => plain.push('x'),
            '·' | '•' => plain.push('*'),
            '\u{a0}' => plain.push(' '),
            character if character.is_ascii() => plain.push(character),
            _ => plain.push('?'),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_with_a_value_decides() {
        let is_ascii = |variables: &[(&str, &str)]| {
            let value = |name: &str| Some(variables.iter().find(|(other, _)| *other == name)?.1.to_owned());
            is_locale_ascii(value)
        };
        assert!(!is_ascii(&[]) && !is_ascii(&[("LANG", "")]));
        assert!(is_ascii(&[("LANG", "C")]) && is_ascii(&[("LANG", "de_DE.ISO-8859-1")]));
        assert!(!is_ascii(&[("LANG", "C.UTF-8")]) && !is_ascii(&[("LC_ALL", "en_US.utf8"), ("LANG", "C")]));
        assert!(is_ascii(&[("LC_ALL", "POSIX"), ("LANG", "C.UTF-8")]));
    }

    #[test]
    fn characters_are_replaced_by_similar_ones() {
        assert_eq!(to_ascii("a → b… ≥ 2 “é”"), "a -> b... >= 2 \"?\"");
    }
}
