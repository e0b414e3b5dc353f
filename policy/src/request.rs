//! An admission request, read without copying it.
//!
//! The policy server hands over `{"request": …, "settings": …}`. Most requests do not concern the rules; what decides
//! that is read borrowed, and the objects stay raw text until they turn out to matter.

use std::borrow::Cow;
use std::fmt;

use serde::de::Deserialize;
use serde_json::Value;

use crate::json::{Payload, Shallow};

pub use crate::json::Whole;

/// The parts of an AdmissionRequest (`admission.k8s.io/v1`) that decisions depend on. What is absent is empty.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// The API group of the object's kind; empty for the core group.
    pub group: Cow<'a, str>,
    /// The object's kind.
    pub kind: Cow<'a, str>,
    /// The plural of the resource that was addressed; for a subresource, that of its parent.
    pub resource: Cow<'a, str>,
    /// The subresource, e.g. `scale`.
    pub sub_resource: Cow<'a, str>,
    /// The object's name; empty where the server will generate one.
    pub name: Cow<'a, str>,
    /// The object's namespace.
    pub namespace: Cow<'a, str>,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    pub operation: Cow<'a, str>,
    /// The object as it would be stored.
    pub object: Option<&'a str>,
    /// The object as it is stored.
    pub old_object: Option<&'a str>,
}

/// The two parts of what a host hands over: the request, and the settings as text.
///
/// # Errors
/// [`Unreadable`] if the bytes are not JSON, carry no request, or one with fields of the wrong type.
pub fn parse_payload(payload: &[u8]) -> Result<(Request<'_>, Option<&str>), Unreadable> {
    const WHAT: &str = "the payload";
    let payload: Payload<'_> = parse(utf8(payload, WHAT)?, WHAT)?;
    let request = payload.request.ok_or(Unreadable { what: "the admission request", line: 1, column: 1 })?;
    Ok((Request::read(request)?, payload.settings.filter(|settings| *settings != "null")))
}

impl<'a> Request<'a> {
    /// Parses the text of an AdmissionRequest.
    ///
    /// # Errors
    /// [`Unreadable`] if it is not a JSON object, or a field that decides is of the wrong type.
    pub fn parse(text: &'a str) -> Result<Self, Unreadable> {
        Request::read(parse(text, "the admission request")?)
    }

    /// Reads an AdmissionRequest: a JSON object, whose fields that decide are of the right type.
    fn read(request: Shallow<'a>) -> Result<Self, Unreadable> {
        let request = Members::read(request, "the admission request")?;
        let part = |name: &str| match request.raw(name) {
            Some(part) => Members::parse(part, "the kind in the admission request"),
            None => Ok(Members::default()),
        };
        let (kind, resource) = (part("kind")?, part("resource")?);
        Ok(Request {
            group: kind.text("group")?,
            kind: kind.text("kind")?,
            resource: resource.text("resource")?,
            sub_resource: request.text("subResource")?,
            name: request.text("name")?,
            namespace: request.text("namespace")?,
            operation: request.text("operation")?,
            object: request.raw("object"),
            old_object: request.raw("oldObject"),
        })
    }
}

/// The members of a JSON object, each as the text it was written with.
#[derive(Debug, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Reads a JSON object; `what` names it in the error.
    ///
    /// # Errors
    /// [`Unreadable`], which quotes nothing.
    pub fn parse(text: &'a str, what: &'static str) -> Result<Self, Unreadable> {
        Members::read(parse(text, what)?, what)
    }

    fn read(value: Shallow<'a>, what: &'static str) -> Result<Self, Unreadable> {
        match value {
            Shallow::Object(members) => Ok(Members(members)),
            _ => Err(Unreadable { what, line: 1, column: 1 }),
        }
    }

    /// A member; `None` if it is absent or null. Of several with one name the last counts, as in the API server.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| *value);
        found.filter(|value| *value != "null")
    }

    fn text(&self, name: &str) -> Result<Cow<'a, str>, Unreadable> {
        let Some(raw) = self.raw(name) else { return Ok(Cow::Borrowed("")) };
        let what = "a name in the admission request";
        match parse(raw, what)? {
            Shallow::Text(text) => Ok(text),
            _ => Err(Unreadable { what, line: 1, column: 1 }),
        }
    }
}

/// An input that cannot be read, told without quoting any of it: payloads carry secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    what: &'static str,
    line: usize,
    column: usize,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be read: not what is expected at line {}, column {}", self.what, self.line, self.column)
    }
}

/// Bytes as text; `what` names it in the error.
///
/// # Errors
/// [`Unreadable`] where the bytes are not UTF-8.
pub fn utf8<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|_| Unreadable { what, line: 1, column: 1 })
}

/// Parses JSON as a whole; `what` names the text in the error.
///
/// # Errors
/// [`Unreadable`], which quotes nothing, also for a text nested deeper than 128 levels.
pub fn parse_value(text: &str, what: &'static str) -> Result<Value, Unreadable> {
    parse(text, what).map(|Whole(value)| value)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, what: &'static str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|error| Unreadable { what, line: error.line(), column: error.column() })
}
