//! Resolves plain scalars as YAML 1.1, like goyaml.v2 (`resolve.go`) in `kubectl`.

use super::number::number;

/// The value of a scalar. The caller keeps the text, so that it can borrow it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Above the range of `i64`.
    Unsigned(u64),
    /// Can be infinite or NaN, which JSON does not support.
    Float(f64),
    Text,
}

/// Resolves a scalar without quotes and without a tag. Dates and base-60 numbers (`12:30:45`) stay text.
pub(super) fn resolve(text: &str) -> Scalar {
    match text.as_bytes() {
        [] => Scalar::Null,
        [b'0'..=b'9', ..] => number(text).unwrap_or(Scalar::Text),
        [b'+' | b'-', ..] => infinity(text).or_else(|| number(text)).unwrap_or(Scalar::Text),
        [b'.', ..] => infinity(text).or_else(|| fraction(text)).unwrap_or(Scalar::Text),
        // `false` is the longest word.
        [b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~', ..] if text.len() <= 5 => {
            word(text)
        }
        _ => Scalar::Text,
    }
}

fn word(text: &str) -> Scalar {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Boolean(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Boolean(false),
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ => Scalar::Text,
    }
}

fn infinity(text: &str) -> Option<Scalar> {
    Some(Scalar::Float(match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => f64::INFINITY,
        "-.inf" | "-.Inf" | "-.INF" => f64::NEG_INFINITY,
        ".nan" | ".NaN" | ".NAN" => f64::NAN,
        _ => return None,
    }))
}

fn fraction(text: &str) -> Option<Scalar> {
    text.parse::<f64>().ok().filter(|float| float.is_finite()).map(Scalar::Float)
}

#[cfg(test)]
mod tests {
    use super::{
        Scalar::{self, Boolean, Float, Integer, Null, Text, Unsigned},
        resolve,
    };

    #[track_caller]
    fn all_mean(texts: &[&str], meaning: Scalar) {
        for text in texts {
            assert_eq!(resolve(text), meaning, "{text:?}");
        }
    }

    #[test]
    fn words() {
        all_mean(&["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], Boolean(true));
        all_mean(&["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], Boolean(false));
        all_mean(&["", "~", "null", "Null", "NULL"], Null);
        all_mean(&["tRUE", "nULL", "oN", "~~", "yes!", "none", "<<", "=", "nil", "NaN", "inf", "true "], Text);
    }

    #[test]
    fn integers_and_their_bases() {
        for (text, integer) in [
            ("0", 0),
            ("-0", 0),
            ("+1", 1),
            ("1433", 1433),
            ("1_000", 1000),
            ("1__0_", 10),
            ("0644", 420),
            ("00", 0),
            ("0_7", 7),
            ("0o7", 7),
            ("0O17", 15),
            ("-0o7", -7),
            ("0x1F", 31),
            ("0XaB", 171),
            ("+0x1", 1),
            ("0b101", 5),
            ("0B1", 1),
            ("-0b1", -1),
            ("0b-1", -1),
            ("0b+1", 1),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(resolve(text), Integer(integer), "{text:?}");
        }
        all_mean(&["18446744073709551615", "0xFFFFFFFFFFFFFFFF"], Unsigned(u64::MAX));
    }

    #[test]
    fn floats() {
        for (text, float) in [
            (".5", 0.5),
            ("+.5", 0.5),
            ("1.", 1.0),
            ("1e3", 1000.0),
            ("012e3", 12000.0),
            ("6.8523015e+5", 685_230.15),
            ("1_0.5", 10.5),
            ("08", 8.0),
            ("-09.5", -9.5),
            (".5e1", 5.0),
            ("1e-400", 0.0),
            ("18446744073709551616", 18_446_744_073_709_551_616.0),
            ("+18446744073709551615", 18_446_744_073_709_551_615.0),
            ("-9223372036854775809", -9_223_372_036_854_775_809.0),
            ("0x10000000000000000", 18_446_744_073_709_551_616.0),
            (".inf", f64::INFINITY),
            ("+.Inf", f64::INFINITY),
            ("-.INF", f64::NEG_INFINITY),
        ] {
            assert_eq!(resolve(text), Float(float), "{text:?}");
        }
        assert!(matches!(resolve(".NaN"), Float(float) if float.is_nan()));
    }

    #[test]
    fn invalid_numbers_are_text() {
        all_mean(
            &[
                "0x",
                "0b",
                "0o",
                "0o8",
                "0b2",
                "0xg",
                "-",
                "+",
                "--1",
                "+-1",
                "-0b-1",
                ".",
                "..",
                "...",
                ".e5",
                "1e",
                "1e+",
                "1.2.3",
                "10.0.0.1",
                "8Gi",
                "100m",
                "1,000",
                "12:30:45",
                "2019-11-04",
                "2001-12-14t21:59:43.10-05:00",
                "_1",
                "._5",
                "1e400",
                ".1e999",
                "-0x8000000000000001",
                "+0xFFFFFFFFFFFFFFFFF",
                "1 2",
                "0x1p3",
                "+.nan",
                "-.nan",
            ],
            Text,
        );
    }
}
