//! An admission request, read without copying it.
//!
//! A host passes `{"request": …, "settings": …}`. Rules check few of all requests. The fields that decide are read
//! borrowed, and the objects stay raw text until they are needed.

use std::borrow::Cow;

use crate::json::parse::{Members, ParseError, Payload, parse, utf8};

/// The fields of an AdmissionRequest (`admission.k8s.io/v1`) that decisions depend on. An absent field is empty.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// The UID by which the answer is matched with the request.
    pub uid: Cow<'a, str>,
    /// The API group of the object's kind; empty for the core group.
    pub group: Cow<'a, str>,
    /// The object's kind.
    pub kind: Cow<'a, str>,
    /// The plural of the requested resource; of a sub-resource, that of its parent.
    pub resource: Cow<'a, str>,
    /// The sub-resource, e.g. `scale`.
    pub sub_resource: Cow<'a, str>,
    /// The object's name; empty where the server will generate one.
    pub name: Cow<'a, str>,
    /// The object's namespace.
    pub namespace: Cow<'a, str>,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    pub operation: Cow<'a, str>,
    /// The JSON text of the new object.
    pub object: Option<&'a str>,
    /// The JSON text of the existing object.
    pub old_object: Option<&'a str>,
}

/// The request and the settings, as text, of what a host passes to the module.
///
/// # Errors
/// [`ParseError`] if the bytes are not JSON, have no request, or one with fields of the wrong type.
pub fn parse_payload(payload: &[u8]) -> Result<(Request<'_>, Option<&str>), ParseError> {
    const SUBJECT: &str = "the payload";
    let Payload { request, settings } = parse(utf8(payload, SUBJECT)?, SUBJECT)?;
    let request = request.ok_or_else(|| ParseError::at_start("the admission request"))?;
    Ok((Request::from_members(&request)?, settings))
}

impl<'a> Request<'a> {
    /// Parses the JSON text of an AdmissionRequest.
    ///
    /// # Errors
    /// [`ParseError`] if it is not a JSON object, or a field that decides has the wrong type.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        Request::from_members(&parse(text, "the admission request")?)
    }

    fn from_members(request: &Members<'a>) -> Result<Self, ParseError> {
        let part = |name: &str| match request.raw(name) {
            Some(part) => Members::parse(part, "the kind in the admission request"),
            None => Ok(Members::default()),
        };
        let (kind, resource) = (part("kind")?, part("resource")?);
        let text = |members: &Members<'a>, name: &str| members.text(name, "a name in the admission request");
        Ok(Request {
            uid: text(request, "uid")?,
            group: text(&kind, "group")?,
            kind: text(&kind, "kind")?,
            resource: text(&resource, "resource")?,
            sub_resource: text(request, "subResource")?,
            name: text(request, "name")?,
            namespace: text(request, "namespace")?,
            operation: text(request, "operation")?,
            object: request.raw("object"),
            old_object: request.raw("oldObject"),
        })
    }
}
