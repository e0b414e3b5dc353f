//! Keys. JSON keys are strings; `sigs.k8s.io/yaml` converts other scalars to strings (`convertToJSONableObject`).

use serde_json::Value;

use super::number::float_key;
use super::scalar::Scalar;
use super::spans::KeySpan;
use super::syntax_error::SyntaxErrorKind;

/// A key whose value has not been read yet.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) position: KeySpan,
    /// The line on which the key begins, as the parser counts.
    pub(super) line: usize,
    /// The key is `<<`: the value is merged into the mapping.
    pub(super) is_merge: bool,
}

/// Converts a scalar key to a string: `on:` is `"true"`, `1:` is `"1"`.
pub(super) fn key_of_scalar(scalar: Scalar, text: &str) -> Result<String, SyntaxErrorKind> {
    match scalar {
        Scalar::Text => Ok(text.into()),
        Scalar::Boolean(boolean) => Ok(boolean.to_string()),
        Scalar::Integer(integer) => Ok(integer.to_string()),
        Scalar::Float(float) => Ok(float_key(float)),
        Scalar::Unsigned(_) => Err(SyntaxErrorKind::UnsignedKey),
        Scalar::Null => Err(SyntaxErrorKind::NullKey),
    }
}

/// Converts an anchored value to a string, for an alias that is a key.
pub(super) fn key_of_value(value: &Value) -> Result<String, SyntaxErrorKind> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(boolean) => Ok(boolean.to_string()),
        Value::Number(number) if number.is_i64() => Ok(number.to_string()),
        Value::Number(number) if number.is_u64() => Err(SyntaxErrorKind::UnsignedKey),
        Value::Number(number) => Ok(float_key(number.as_f64().unwrap_or(f64::NAN))),
        Value::Null => Err(SyntaxErrorKind::NullKey),
        Value::Array(_) | Value::Object(_) => Err(SyntaxErrorKind::CollectionKey),
    }
}
