//! Keys. JSON knows only strings; `sigs.k8s.io/yaml` turns the other scalars into strings (`convertToJSONableObject` there).

use serde_json::Value;

use super::fault::Cause;
use super::number::float_key;
use super::scalar::Scalar;
use super::spans::KeyMark;

/// A key that waits for its value.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) mark: KeyMark,
    /// The line that the key begins on, as the parser counts.
    pub(super) line: usize,
    /// This is `<<`: the value is merged, not kept.
    pub(super) is_merge: bool,
}

/// The string that a scalar becomes as a key: `on:` is `"true"`, `1:` is `"1"`.
pub(super) fn key_of_scalar(scalar: Scalar, text: &str) -> Result<String, Cause> {
    match scalar {
        Scalar::Text => Ok(text.into()),
        Scalar::Boolean(boolean) => Ok(boolean.to_string()),
        Scalar::Integer(integer) => Ok(integer.to_string()),
        Scalar::Float(float) => Ok(float_key(float)),
        Scalar::Unsigned(_) => Err(Cause::UnsignedKey),
        Scalar::Null => Err(Cause::NullKey),
    }
}

/// The string that an anchored value becomes where an alias to it is a key.
pub(super) fn key_of_value(value: &Value) -> Result<String, Cause> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(boolean) => Ok(boolean.to_string()),
        Value::Number(number) if number.is_i64() => Ok(number.to_string()),
        Value::Number(number) if number.is_u64() => Err(Cause::UnsignedKey),
        Value::Number(number) => Ok(float_key(number.as_f64().unwrap_or(f64::NAN))),
        Value::Null => Err(Cause::NullKey),
        Value::Array(_) | Value::Object(_) => Err(Cause::CollectionKey),
    }
}
