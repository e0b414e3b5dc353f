//! Numbers as Go reads and writes them, because `kubectl` is written in Go: `strconv.ParseInt` with base 0, the float
//! pattern of goyaml.v2, and the formats of `encoding/json` and `FormatFloat`.

use serde_json::Value;

use super::scalar::Scalar;

/// Reads a plain scalar that begins with a digit or a sign, if it is a number (goyaml.v2 `resolve.go`, case
/// `'D', 'S'`).
pub(super) fn number(text: &str) -> Option<Scalar> {
    let without;
    let text = if text.contains('_') {
        without = text.replace('_', "");
        without.as_str()
    } else {
        text
    };
    let integer = Integer::parse(text);
    if let Some(found) = integer.as_ref().and_then(Integer::fit) {
        return Some(found);
    }
    if is_float(text)
        && let Ok(float) = text.parse::<f64>()
        && float.is_finite()
    {
        return Some(Scalar::Float(float));
    }
    // goyaml also accepts a sign after the prefix of a binary number.
    if let Some(digits) = text.strip_prefix("0b").filter(|digits| digits.starts_with(['+', '-'])) {
        return i64::from_str_radix(digits, 2).ok().map(Scalar::Integer);
    }
    // Above 64 bits goyaml creates a big.Int, which the JSON decoder reads as a float. Signed ones stay text.
    integer.filter(|integer| integer.sign.is_none()).map(|integer| Scalar::Float(integer.float()))
}

/// The digits of an integer and their base: `0x`, `0o`, `0b`, a leading `0` for octal, else decimal.
struct Integer<'t> {
    sign: Option<char>,
    digits: &'t str,
    radix: u32,
}

impl<'t> Integer<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let sign = text.chars().next().filter(|first| matches!(first, '+' | '-'));
        let body = if sign.is_some() { text.get(1..)? } else { text };
        let (radix, digits) = match body.as_bytes() {
            [] => return None,
            [b'0', b'x' | b'X', _, ..] => (16, body.get(2..)?),
            [b'0', b'o' | b'O', _, ..] => (8, body.get(2..)?),
            [b'0', b'b' | b'B', _, ..] => (2, body.get(2..)?),
            [b'0', _, ..] => (8, body.get(1..)?),
            _ => (10, body),
        };
        digits.chars().all(|digit| digit.is_digit(radix)).then_some(Self { sign, digits, radix })
    }

    /// The value, if it fits into 64 bits.
    fn fit(&self) -> Option<Scalar> {
        let size = u64::from_str_radix(self.digits, self.radix).ok()?;
        match self.sign {
            Some('-') => 0_i64.checked_sub_unsigned(size).map(Scalar::Integer),
            sign => match i64::try_from(size) {
                Ok(integer) => Some(Scalar::Integer(integer)),
                Err(_) => sign.is_none().then_some(Scalar::Unsigned(size)),
            },
        }
    }

    fn float(&self) -> f64 {
        match u128::from_str_radix(self.digits, self.radix) {
            #[allow(clippy::cast_precision_loss, reason = "rounds to the nearest float, as Go does")]
            Ok(size) => size as f64,
            Err(_) => self
                .digits
                .chars()
                .filter_map(|digit| digit.to_digit(self.radix))
                .fold(0.0, |sum, digit| sum.mul_add(f64::from(self.radix), f64::from(digit))),
        }
    }
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_float(text: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) =
        text.split_once(['e', 'E']).map_or((text, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let (whole, fraction) =
        mantissa.split_once('.').map_or((mantissa, None), |(whole, fraction)| (whole, Some(fraction)));
    (match fraction {
        Some(fraction) if whole.is_empty() => is_digits(fraction),
        Some(fraction) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
        None => is_digits(whole),
    }) && exponent.is_none_or(|exponent| is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// Converts a float to the value that the API server reads. Go's JSON encoder writes a whole number below 1e21 without
/// a fraction, and the Kubernetes decoder reads that as an integer if it fits into 64 bits: `replicas: 2.0` is `2`.
/// `None` if it is not finite.
pub(super) fn json_float(float: f64) -> Option<Value> {
    // Like Go's `FormatFloat(f, 'f', -1, 64)`, Rust writes the shortest digits that identify this float, then zeros.
    let whole = (float.fract() == 0.0 && float.abs() < 1e21).then(|| float.to_string());
    match whole.and_then(|digits| digits.parse::<i64>().ok()) {
        Some(integer) => Some(Value::from(integer)),
        None => serde_json::Number::from_f64(float).map(Value::Number),
    }
}

/// Converts a float key to a string, like `sigs.k8s.io/yaml`: `FormatFloat(f, 'g', -1, 32)`, and goyaml's names for
/// infinite and undefined numbers.
pub(super) fn float_key(float: f64) -> String {
    #[allow(clippy::cast_possible_truncation, reason = "that library uses 32 bits")]
    let float = float as f32;
    if float.is_nan() {
        return ".nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        // The format `g` uses an exponent outside of this range, with at least two digits.
        -4..=5 => float.to_string(),
        exponent => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{float_key, json_float};

    #[test]
    fn whole_floats_become_integers() {
        assert_eq!(json_float(2.0), Some(json!(2)));
        assert_eq!(json_float(-0.0), Some(json!(0)));
        assert_eq!(json_float(0.5), Some(json!(0.5)));
        assert_eq!(json_float(1e18), Some(json!(1_000_000_000_000_000_000_i64)));
        assert_eq!(json_float(1e19), Some(json!(1e19)));
        assert_eq!(json_float(1e300), Some(json!(1e300)));
        assert_eq!(json_float(f64::INFINITY), None);
        assert_eq!(json_float(f64::NAN), None);
    }

    #[test]
    fn float_keys_are_formatted_as_in_go() {
        for (float, key) in [
            (1.5, "1.5"),
            (1000.0, "1000"),
            (0.0, "0"),
            (-0.0, "-0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456.0, "123456"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (f64::INFINITY, ".inf"),
            (f64::NEG_INFINITY, "-.inf"),
            (f64::NAN, ".nan"),
        ] {
            assert_eq!(float_key(float), key);
        }
    }
}
