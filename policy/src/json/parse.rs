//! JSON text to values: a whole value, or the fields of an object as raw text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Input that cannot be parsed. The message quotes nothing of it: payloads carry secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    subject: &'static str,
    line: usize,
    column: usize,
}

impl ParseError {
    /// An error at the start of the text that `subject` names.
    pub(crate) fn at_start(subject: &'static str) -> Self {
        ParseError { subject, line: 1, column: 1 }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParseError { subject, line, column } = self;
        write!(f, "cannot parse {subject}: unexpected content at line {line}, column {column}")
    }
}

/// Bytes as text; `subject` names them in the error.
///
/// # Errors
/// [`ParseError`] if the bytes are not UTF-8.
pub fn utf8<'a>(bytes: &'a [u8], subject: &'static str) -> Result<&'a str, ParseError> {
    std::str::from_utf8(bytes).map_err(|_| ParseError::at_start(subject))
}

/// Parses a whole JSON value; `subject` names the text in the error.
///
/// # Errors
/// [`ParseError`] if the text is not JSON, or is nested deeper than 128 levels.
pub fn parse_value(text: &str, subject: &'static str) -> Result<Value, ParseError> {
    parse(text, subject).map(|PlainValue(value)| value)
}

/// Parses JSON text that the value may borrow from; `subject` names the text in the error.
///
/// # Errors
/// [`ParseError`] if the text is not JSON, or does not have the form of `T`.
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a str, subject: &'static str) -> Result<T, ParseError> {
    serde_json::from_str(text).map_err(|error| ParseError { subject, line: error.line(), column: error.column() })
}

/// The methods of a visitor for one form only: every other form is an error.
///
/// Those of serde would say what they found, and so bring the formatting of floating-point numbers into the module: 19
/// KB for a message that nobody sees.
macro_rules! other_forms_are_errors {
    ($($method:ident($($argument:ty)?),)*) => {
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("another form")
        }

        $(fn $method<E: Error>(self $(, _: $argument)?) -> Result<Self::Value, E> {
            Err(E::custom(""))
        })*
    };
}

/// The fields of a JSON object, each as the text it was written with. In order, as few of them are asked for.
#[derive(Debug, Default)]
pub struct Members<'a>(Vec<(Text<'a>, &'a RawValue)>);

/// A text, borrowed unless it contains escapes.
#[derive(Debug)]
struct Text<'a>(Cow<'a, str>);

/// A request with settings, of which the request is long: both are read in one pass.
#[derive(Debug, Default)]
pub struct Payload<'a> {
    /// The fields of the request.
    pub request: Option<Members<'a>>,
    /// The text of the settings.
    pub settings: Option<&'a str>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MembersVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Payload<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PayloadVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    other_forms_are_errors! { visit_unit(), visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64), }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Text<'de>, A::Error> {
        Err(Error::custom(""))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Text<'de>, A::Error> {
        Err(Error::custom(""))
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    other_forms_are_errors! {
        visit_unit(), visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64), visit_str(&str),
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Members<'de>, A::Error> {
        Err(Error::custom(""))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

struct PayloadVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = Payload<'de>;

    other_forms_are_errors! {
        visit_unit(), visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64), visit_str(&str),
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Payload<'de>, A::Error> {
        Err(Error::custom(""))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Payload<'de>, A::Error> {
        let mut payload = Payload::default();
        while let Some(Text(name)) = map.next_key()? {
            match &*name {
                "request" => payload.request = Some(map.next_value()?),
                "settings" => payload.settings = map.next_value().map(written)?,
                _ => map.next_value().map(|_: &RawValue| ())?,
            }
        }
        Ok(payload)
    }
}

impl<'a> Members<'a> {
    /// Parses a JSON object; `subject` names it in the error.
    ///
    /// # Errors
    /// [`ParseError`] if the text is not a JSON object.
    pub fn parse(text: &'a str, subject: &'static str) -> Result<Self, ParseError> {
        parse(text, subject)
    }

    /// The text of a field; `None` if it is absent or null. Of several with one name the last counts, as in the API
    /// server.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        let member = self.0.iter().rfind(|(Text(own), _)| own == name);
        member.and_then(|(_, value)| written(value))
    }

    /// The value of a string field; empty if it is absent or null.
    ///
    /// # Errors
    /// [`ParseError`] if the field is of another type.
    pub fn text(&self, name: &str, subject: &'static str) -> Result<Cow<'a, str>, ParseError> {
        match self.raw(name) {
            Some(raw) => parse(raw, subject).map(|Text(text)| text),
            None => Ok(Cow::Borrowed("")),
        }
    }
}

/// A value as it was written, unless it is null.
fn written(value: &RawValue) -> Option<&str> {
    Some(value.get()).filter(|value| *value != "null")
}

/// A JSON value in which no field name is special.
///
/// The `Deserialize` of [`Value`] reads an object with one private field name as raw text, so that a hostile object
/// could become another one.
pub struct PlainValue(pub Value);

impl<'de> Deserialize<'de> for PlainValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(PlainValue)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(PlainValue(item)) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key()? {
            let PlainValue(value) = map.next_value()?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn fields_are_borrowed_as_written_and_the_last_of_a_name_counts() {
        let text = r#" {"a" : [1, {"b": "\n"}] , "\u0063": 1.50e3, "n": null, "d": 1, "d": "x\ty"} "#;
        let members = Members::parse(text, "the test").unwrap();
        assert_eq!(members.raw("a"), Some(r#"[1, {"b": "\n"}]"#));
        assert_eq!((members.raw("c"), members.raw("n"), members.raw("none")), (Some("1.50e3"), None, None));
        assert_eq!(members.text("d", "the test").as_deref(), Ok("x\ty"));
        assert_eq!(members.text("none", "the test").as_deref(), Ok(""));
        assert!(members.text("a", "the test").is_err());
    }

    #[test]
    fn text_that_is_no_object_is_an_error_with_its_position_and_without_its_content() {
        for text in ["[1]", "\"s3cret\"", "{\"a\": s3cret}", "{} {}", ""] {
            let error = Members::parse(text, "the payload").unwrap_err().to_string();
            assert!(error.starts_with("cannot parse the payload: ") && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_plain_value_is_what_serde_json_parses() {
        let text = r#"{"n": [0, -7, 18446744073709551615, 1.5, 1e300], "s": "é\u00e9", "o": {"b": true, "x": null}}"#;
        assert_eq!(parse_value(text, "the test"), Ok(serde_json::from_str::<Value>(text).unwrap()));
    }

    #[test]
    fn the_private_name_of_raw_text_has_no_meaning() {
        let text = r#"{"$serde_json::private::RawValue":"[1]"}"#;
        assert_eq!(parse_value(text, "the test").unwrap().to_string(), text);
    }
}
