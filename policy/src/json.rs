//! How JSON text becomes values: whole, or one level deep.
//!
//! These readings take whatever value comes and never ask serde_json for a certain type. Its words for a value of
//! another type, the printing of floating-point numbers among them, would make up a tenth of the module.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A JSON value, whole.
///
/// Unlike `Value`'s own reading, which gives it a meaning, this takes the name that stands for raw text as any other.
pub struct Whole(pub Value);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeVisitor).map(Whole)
    }
}

struct WholeVisitor;

impl<'de> Visitor<'de> for WholeVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Whole(item)) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key()? {
            let Whole(value) = map.next_value()?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

/// A JSON value one level deep.
pub(crate) enum Shallow<'a> {
    /// A string, borrowed unless it holds escapes.
    Text(Cow<'a, str>),
    /// The members of an object, each as the text it was written with.
    Object(Vec<(Cow<'a, str>, &'a str)>),
    /// Anything else.
    Other,
}

impl<'de> Deserialize<'de> for Shallow<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShallowVisitor)
    }
}

struct ShallowVisitor;

/// What a visitor does with values that are neither strings nor objects: it passes over them.
macro_rules! passes_over_the_rest {
    ($nothing:expr) => {
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a JSON value")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($nothing)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok($nothing)
        }
    };
}

impl<'de> Visitor<'de> for ShallowVisitor {
    type Value = Shallow<'de>;

    passes_over_the_rest!(Shallow::Other);

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Shallow::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Shallow::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            let Raw(value) = map.next_value()?;
            members.push((name, value));
        }
        Ok(Shallow::Object(members))
    }
}

/// What a host hands over, in one pass: the request one level deep, the settings as text.
#[derive(Default)]
pub(crate) struct Payload<'a> {
    /// `request`.
    pub(crate) request: Option<Shallow<'a>>,
    /// `settings`.
    pub(crate) settings: Option<&'a str>,
}

impl<'de> Deserialize<'de> for Payload<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PayloadVisitor)
    }
}

struct PayloadVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = Payload<'de>;

    passes_over_the_rest!(Payload::default());

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Payload::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut payload = Payload::default();
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                "request" => payload.request = Some(map.next_value()?),
                "settings" => payload.settings = Some(map.next_value::<Raw<'_>>()?.0),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(payload)
    }
}

/// A member's name, borrowed unless it holds escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The text of a JSON value: what `serde_json::value::RawValue` is, asked for in the same way.
struct Raw<'a>(&'a str);

/// The name under which serde_json hands out raw text. It is no promise of serde_json's, so a test looks for it.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RAW_VALUE, RawVisitor).map(Raw)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = &'de str;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        map.next_value()
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Self::Value, D::Error> {
        Err(D::Error::custom("serde_json hands out no raw text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn members_are_borrowed_as_they_were_written() {
        let text = r#" {"a" : [1, {"b": "\n"}] , "\u0063": 1.50e3, "a":null} "#;
        let Ok(Shallow::Object(members)) = serde_json::from_str(text) else { panic!("an object is an object") };
        let members: Vec<(&str, &str)> = members.iter().map(|(name, value)| (&**name, *value)).collect();
        assert_eq!(members, [("a", r#"[1, {"b": "\n"}]"#), ("c", "1.50e3"), ("a", "null")]);
    }

    #[test]
    fn one_level_is_told_apart() {
        let read = |text: &str| match serde_json::from_str(text) {
            Ok(Shallow::Text(text)) => format!("text {text}"),
            Ok(Shallow::Object(members)) => format!("{} members", members.len()),
            Ok(Shallow::Other) => "other".to_owned(),
            Err(_) => "no JSON".to_owned(),
        };
        assert_eq!(["1", "-1", "1.5", "true", "null", "[{}]"].map(read), ["other"; 6]);
        assert_eq!(
            [r#""a\tb""#, "{}", "[1", "{} 1", r#"{"a": tru}"#].map(read),
            ["text a\tb", "0 members", "no JSON", "no JSON", "no JSON"]
        );
    }

    #[test]
    fn a_whole_value_is_what_serde_json_reads() {
        let text = r#"{"n": [0, -7, 18446744073709551615, 1.5, 1e300], "s": "é\u00e9", "o": {"b": true, "x": null}}"#;
        let Whole(value) = serde_json::from_str(text).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn no_name_has_a_meaning_of_its_own() {
        let text = format!(r#"{{"{RAW_VALUE}":"[1]"}}"#);
        let Whole(value) = serde_json::from_str(&text).unwrap();
        assert_eq!(value.to_string(), text);
    }
}
