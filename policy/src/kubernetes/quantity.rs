//! Kubernetes quantities, such as `1.5Gi`.

use crate::json::cursor::Cursor;

/// The decimal suffixes, and the powers of ten that they stand for
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).
const DECIMAL: [(&str, i64); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];

/// The binary suffixes: powers of 1024, from the first on.
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// The value of a quantity, a text or a number. `None` if the API server would not accept it, or it is negative.
pub fn quantity(value: &Cursor<'_>) -> Option<f64> {
    value.str().map_or_else(|| value.value()?.as_f64(), parse)
}

fn parse(text: &str) -> Option<f64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|one: char| !one.is_ascii_digit() && one != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value * 10.0 + f64::from(digit - b'0');
    }
    let mut power = 0;
    if let Some(position) = BINARY.iter().position(|known| *known == suffix) {
        (0..=position).for_each(|_| value *= 1024.0);
    } else if let Some((_, known)) = DECIMAL.iter().find(|(known, _)| *known == suffix) {
        power = *known;
    } else {
        power = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    }
    let value = scaled(value, power.saturating_sub(i64::try_from(fraction.len()).ok()?));
    (!value.is_nan()).then_some(value)
}

/// `value` times a power of ten. Divides by one, which is exact, in place of multiplying with a fraction.
fn scaled(value: f64, power: i64) -> f64 {
    /// From here on, powers of ten are infinite.
    const MAX_POWER: u64 = 309;
    let factor = (0..power.unsigned_abs().min(MAX_POWER)).fold(1.0, |factor, _| factor * 10.0);
    if power < 0 { value / factor } else { value * factor }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::test;

    fn value_of(value: Value) -> Option<f64> {
        quantity(&Cursor::root(&value))
    }

    #[test]
    fn every_form_of_a_quantity_is_read() {
        let cases = [
            (json!("1073741824"), 1_073_741_824.0),
            (json!(2_147_483_648_u64), 2_147_483_648.0),
            (json!("1097152e3"), 1_097_152_000.0),
            (json!("1E3"), 1000.0),
            (json!("5e-1"), 0.5),
            (json!("1E"), 1e18),
            (json!("1.5Gi"), 1_610_612_736.0),
            (json!("2G"), 2e9),
            (json!("500M"), 5e8),
            (json!("128974848000m"), 128_974_848.0),
            (json!("3k"), 3000.0),
            (json!("1Ki"), 1024.0),
            (json!("2Mi"), 2_097_152.0),
            (json!("1Ei"), 1_152_921_504_606_846_976.0),
            (json!("5000000000n"), 5.0),
            (json!("7000000u"), 7.0),
            (json!("+.5"), 0.5),
            (json!("1."), 1.0),
        ];
        for (text, expected) in cases {
            let value = value_of(text.clone()).expect("it is a quantity");
            assert!((value - expected).abs() < 1e-9 * expected, "{text}: {value}");
        }
    }

    #[test]
    fn other_values_are_none() {
        for text in ["", ".", "-1", "1GB", "1gi", "1.2.3", "Gi", "1 Gi", "1e", "e3", "1e99999999999999999999", "१"] {
            assert_eq!(value_of(json!(text)), None, "{text}");
        }
        assert_eq!(value_of(json!(null)), None);
        assert_eq!(value_of(json!([1])), None);
    }

    #[test]
    fn huge_values_do_not_overflow() {
        for text in ["9".repeat(5000), "1e2147483647".to_owned(), format!("{}Ei", "9".repeat(400))] {
            assert!(value_of(json!(text)).is_some_and(f64::is_infinite), "{text}");
        }
        assert_eq!(value_of(json!(format!("0.{}", "0".repeat(4000)))), Some(0.0));
        assert_eq!(value_of(json!("1e-2147483648")), Some(0.0));
    }
}
