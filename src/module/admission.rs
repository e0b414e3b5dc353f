//! AdmissionReviews (`admission.k8s.io/v1`): what the API server sends, and the answer it gets.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sqledge_ha_policy::request::Whole;

use super::host::Response;

/// An admission request that has come in, borrowed from its text.
#[derive(Clone, Debug)]
pub struct Admission<'a> {
    request: &'a str,
    uid: Cow<'a, str>,
    object: Option<&'a str>,
}

/// Why an admission request cannot be read. Nothing of it is quoted: requests carry secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The text is not JSON.
    #[error("the input is not JSON: line {line}, column {column}")]
    NotJson {
        /// The line of the first mistake, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
    },
    /// Something is not what an AdmissionReview or AdmissionRequest has in its place.
    #[error("line {line}, column {column}: {what}")]
    Shape {
        /// The line of the object that is wrong or lacks something, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Why there is no patch although the module changed the object.
#[derive(Debug, thiserror::Error)]
pub enum Unpatchable {
    /// There is nothing that could be patched.
    #[error("the module changed the object of a request that has none")]
    Absent,
    /// The object is JSON, but not such as can be compared.
    #[error("the module changed an object that cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl<'a> Admission<'a> {
    /// Reads an AdmissionReview, or a bare AdmissionRequest as `kwctl` takes it.
    ///
    /// # Errors
    /// [`Unreadable`] if it is not JSON, an AdmissionReview without `request`, or a request without `uid`, without
    /// which there is no answer.
    pub fn read(input: &'a [u8]) -> Result<Self, Unreadable> {
        let text: &RawValue = serde_json::from_slice(input).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let before = input.split(|byte| *byte == b'\n').nth(line.saturating_sub(1)).unwrap_or_default();
            let before = before.get(..column).unwrap_or(before);
            Unreadable::NotJson { line: line.max(1), column: characters(before).max(1) }
        })?;
        let shape = |part: &RawValue, what| shape(input, part, what);
        let members =
            members(text).ok_or_else(|| shape(text, "this is neither an AdmissionReview nor an AdmissionRequest"))?;
        let is_review = members.get("kind").is_some_and(|kind| kind.get() == "\"AdmissionReview\"");
        let request = match members.get("request") {
            Some(request) => request,
            None if is_review => return Err(shape(text, "this AdmissionReview has no `request`")),
            None => text,
        };
        let members = self::members(request).ok_or_else(|| shape(request, "the `request` is not an object"))?;
        let uid = members.get("uid").and_then(|uid| serde_json::from_str::<String>(uid.get()).ok());
        let uid =
            uid.filter(|uid| !uid.is_empty()).ok_or_else(|| shape(request, "this admission request has no `uid`"))?;
        let object = members.get("object").map(|object| object.get());
        Ok(Admission { request: request.get(), uid: Cow::Owned(uid), object })
    }

    /// An AdmissionRequest whose parts are known: its JSON text, its UID and the text of its object.
    pub fn new(request: &'a str, uid: &'a str, object: Option<&'a str>) -> Self {
        Admission { request, uid: Cow::Borrowed(uid), object }
    }

    /// The AdmissionRequest, as it was written.
    pub fn request(&self) -> &'a str {
        self.request
    }

    /// The JSON text of the patch by which the object becomes what the module made of it: the difference as JSON Patch
    /// (RFC 6902). `None` if nothing changed, or the request is refused anyway.
    ///
    /// # Errors
    /// [`Unpatchable`]: an answer without the patch would let pass what the module wants changed.
    pub fn patch(&self, response: &Response) -> Result<Option<String>, Unpatchable> {
        let Some(mutated) = response.mutated_object.as_ref().filter(|_| response.accepted) else { return Ok(None) };
        let object = self.object.ok_or(Unpatchable::Absent)?;
        let Whole(object) = serde_json::from_str(object).map_err(Unpatchable::Unreadable)?;
        let patch = json_patch::diff(&object, mutated);
        Ok((!patch.is_empty()).then(|| patch.to_string()))
    }

    /// The AdmissionReview that answers with the module's response and its [`patch`](Admission::patch), as Kubewarden's
    /// policy server would.
    pub fn answer(&self, response: Response, patch: Option<String>) -> Value {
        let mut answer =
            Map::from_iter([("uid".to_owned(), json!(self.uid)), ("allowed".to_owned(), json!(response.accepted))]);
        let mut add = |key: &str, value: Value| answer.insert(key.to_owned(), value);
        let status = [("message", response.message.map(Value::from)), ("code", response.code.map(Value::from))];
        let status: Map<_, _> = status.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
        if !status.is_empty() {
            add("status", Value::Object(status));
        }
        if let Some(patch) = patch {
            add("patchType", json!("JSONPatch"));
            add("patch", json!(BASE64_STANDARD.encode(patch)));
        }
        if !response.warnings.is_empty() {
            add("warnings", json!(response.warnings));
        }
        if !response.audit_annotations.is_empty() {
            add("auditAnnotations", json!(response.audit_annotations));
        }
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer})
    }
}

/// The members of an object that are not null; of several with one name the last, as in the API server.
fn members(text: &RawValue) -> Option<HashMap<String, &RawValue>> {
    let mut members: HashMap<String, &RawValue> = serde_json::from_str(text.get()).ok()?;
    members.retain(|_, value| value.get() != "null");
    Some(members)
}

/// An error at the start of `part`, which is borrowed from `input`.
fn shape(input: &[u8], part: &RawValue, what: &'static str) -> Unreadable {
    let offset = part.get().as_ptr().addr().saturating_sub(input.as_ptr().addr());
    let before = input.get(..offset).unwrap_or_default();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = characters(before.get(line_start..).unwrap_or_default()) + 1;
    Unreadable::Shape { line, column, what }
}

fn characters(bytes: &[u8]) -> usize {
    String::from_utf8_lossy(bytes).chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_by_its_place_and_never_quoted() {
        let cases = [
            ("", "the input is not JSON: line 1, column 1"),
            ("{\"ä\": \"s3cret\"\n\"x\"}", "the input is not JSON: line 2, column 1"),
            ("{\"ä\": s3cret}", "the input is not JSON: line 1, column 7"),
            ("[\"s3cret\"]", "line 1, column 1: this is neither an AdmissionReview nor an AdmissionRequest"),
            ("\n {\"kind\": \"AdmissionReview\"}", "line 2, column 2: this AdmissionReview has no `request`"),
            (
                "{\"kind\": \"AdmissionReview\", \"request\": null}",
                "line 1, column 1: this AdmissionReview has no `request`",
            ),
            (
                "{\"kind\": \"AdmissionReview\",\n \"request\": \"s3cret\"}",
                "line 2, column 13: the `request` is not an object",
            ),
            (
                "{\"ä\": 1, \"request\": {\"name\": \"s3cret\"}}",
                "line 1, column 21: this admission request has no `uid`",
            ),
            ("{\"operation\": \"CREATE\", \"uid\": \"\"}", "line 1, column 1: this admission request has no `uid`"),
        ];
        for (input, expected) in cases {
            assert_eq!(Admission::read(input.as_bytes()).unwrap_err().to_string(), expected, "{input}");
        }
    }

    fn response(mutated_object: Option<Value>) -> Response {
        let empty = json!({"accepted": true, "message": null, "audit_annotations": null});
        Response { mutated_object, ..serde_json::from_value(empty).unwrap() }
    }

    fn answered(admission: &Admission<'_>, response: Response) -> Value {
        let patch = admission.patch(&response).unwrap();
        admission.answer(response, patch)
    }

    #[test]
    fn an_answer_carries_a_patch_only_if_something_changed() {
        let request = br#"{"uid": "1", "object": {"a": 1, "b": {}}}"#;
        let admission = Admission::read(request).unwrap();
        let answer = |response| answered(&admission, response);
        let plain = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {"uid": "1", "allowed": true}});
        assert_eq!(answer(response(None)), plain);
        assert_eq!(answer(response(Some(json!({"a": 1, "b": {}})))), plain);
        let patched = answer(response(Some(json!({"a": 1, "b": {"c": null}}))));
        assert_eq!(patched["response"]["patchType"], "JSONPatch");
        let patch = BASE64_STANDARD.decode(patched["response"]["patch"].as_str().unwrap()).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&patch).unwrap(),
            json!([{"op": "add", "path": "/b/c", "value": null}])
        );
    }

    #[test]
    fn a_refusal_says_why_and_never_patches() {
        let admission = Admission::read(br#"{"request": {"uid": "1", "object": {}}}"#).unwrap();
        let refusal = Response {
            accepted: false,
            message: Some("because".to_owned()),
            code: Some(403),
            warnings: vec!["careful".to_owned()],
            audit_annotations: [("refused".to_owned(), "a-rule".to_owned())].into(),
            ..response(Some(json!({"a": 1})))
        };
        assert_eq!(
            answered(&admission, refusal)["response"],
            json!({
            "uid": "1", "allowed": false, "status": {"message": "because", "code": 403}, "warnings": ["careful"],
            "auditAnnotations": {"refused": "a-rule"}})
        );
    }

    #[test]
    fn a_changed_object_that_cannot_be_patched_is_an_error() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for (object, expected) in [(None, "of a request that has none"), (Some(deep.as_str()), "cannot be read")] {
            let admission = Admission::new("{}", "1", object);
            let error = admission.patch(&response(Some(json!({"a": 1})))).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(admission.patch(&response(None)).unwrap().is_none());
        }
    }
}
