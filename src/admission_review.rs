//! AdmissionReviews (`admission.k8s.io/v1`): reading what the API server sends, and writing the answer.

mod response;

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sqledge_ha_policy::admission::request::Request;
use sqledge_ha_policy::json::parse::{Members, PlainValue};

pub use self::response::Response;
#[cfg(feature = "serve")]
pub(crate) use self::response::null_is_empty;

/// An AdmissionReview, or a bare AdmissionRequest as `kwctl` accepts it. The body is read once; the objects in it stay
/// unparsed text.
#[derive(Clone, Debug)]
pub struct AdmissionReview {
    body: Bytes,
    request: Range<usize>,
    object: Option<Range<usize>>,
    old_object: Option<Range<usize>>,
    is_v1: bool,
    /// What the request is about.
    pub info: RequestInfo,
}

/// The names in an AdmissionRequest. A field that is absent or null is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// The UID of the request; never empty in an [`AdmissionReview`].
    pub uid: String,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    pub operation: String,
    /// The API group of the object's kind; empty for the core group.
    pub group: String,
    /// The object's kind.
    pub kind: String,
    /// The plural of the resource; for a subresource, of its parent.
    pub resource: String,
    /// The subresource, for example `scale`.
    pub sub_resource: String,
    /// The object's namespace.
    pub namespace: String,
    /// The object's name; empty if the API server generates one.
    pub name: String,
    /// The name of the user who sends the request.
    pub user: String,
    /// Whether nothing will be stored.
    pub dry_run: bool,
}

/// Why an admission request cannot be read. The message quotes nothing of it: requests contain secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text is not JSON.
    #[error("the input is not JSON at line {line}, column {column}")]
    NotJson {
        /// The line of the first error, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
    },
    /// The text is JSON, but not an AdmissionReview or AdmissionRequest.
    #[error("{problem} at line {line}, column {column}")]
    Shape {
        /// The line of the incomplete or wrong value, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Why there is no patch although the module changed the object.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// There is nothing to patch.
    #[error("the module changed the object of a request that has none")]
    NoObject,
    /// The object cannot be parsed, for example because it is nested too deeply.
    #[error("the module changed an object that cannot be read")]
    InvalidObject(#[source] serde_json::Error),
}

impl AdmissionReview {
    /// Reads an AdmissionReview or a bare AdmissionRequest.
    ///
    /// # Errors
    /// [`ParseError`] if the body is not JSON, an AdmissionReview without `request`, a request without `uid`, which has
    /// no answer, or a request with names that are not strings.
    pub fn read(body: Bytes) -> Result<Self, ParseError> {
        let text = std::str::from_utf8(&body).map_err(|_| not_json(&body))?;
        let shape = |part: &str, problem| shape_error(text, part, problem);
        let Some(outer) = members(text) else {
            serde_json::from_slice::<&RawValue>(&body).map_err(|_| not_json(&body))?;
            return Err(shape(text.trim_start(), NEITHER));
        };
        let has = |name: &str, value: &str| outer.raw(name).is_some_and(|member| member == value);
        let is_review = has("kind", "\"AdmissionReview\"");
        let request = match outer.raw("request") {
            Some(request) => request,
            None if is_review => return Err(shape(text.trim_start(), "this AdmissionReview has no `request`")),
            // An AdmissionRequest has no such field.
            None if outer.raw("apiVersion").is_some() => return Err(shape(text.trim_start(), NEITHER)),
            None => text.trim_start(),
        };
        let fields = members(request).ok_or_else(|| shape(request, "the `request` is not an object"))?;
        let info = RequestInfo::read(&fields).map_err(|problem| shape(request, problem))?;
        let range_of = |name: &str| fields.raw(name).map(|part| range(text, part));
        Ok(AdmissionReview {
            request: range(text, request),
            object: range_of("object"),
            old_object: range_of("oldObject"),
            is_v1: is_review && has("apiVersion", "\"admission.k8s.io/v1\""),
            info,
            body: body.clone(),
        })
    }

    /// Whether this is an AdmissionReview of `admission.k8s.io/v1`, and not another version or a bare request.
    pub fn is_v1(&self) -> bool {
        self.is_v1
    }

    /// The length of the body in bytes.
    pub fn body_len(&self) -> usize {
        self.body.len()
    }

    /// The AdmissionRequest as JSON text.
    pub fn request_text(&self) -> &str {
        self.part(&self.request)
    }

    /// The AdmissionRequest as the rules read it.
    pub fn request(&self) -> Request<'_> {
        let RequestInfo { uid, operation, group, kind, resource, sub_resource, namespace, name, .. } = &self.info;
        Request {
            uid: Cow::Borrowed(uid),
            group: Cow::Borrowed(group),
            kind: Cow::Borrowed(kind),
            resource: Cow::Borrowed(resource),
            sub_resource: Cow::Borrowed(sub_resource),
            name: Cow::Borrowed(name),
            namespace: Cow::Borrowed(namespace),
            operation: Cow::Borrowed(operation),
            object: self.object.as_ref().map(|range| self.part(range)),
            old_object: self.old_object.as_ref().map(|range| self.part(range)),
        }
    }

    fn part(&self, range: &Range<usize>) -> &str {
        // The body was valid UTF-8 when the range was taken.
        self.body.get(range.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The JSON Patch (RFC 6902), as text, that turns the object into the one that the module returned. `None` if the
    /// object is unchanged or the request is rejected.
    ///
    /// # Errors
    /// [`PatchError`]: an answer without the patch would allow an object that the module wants to change.
    pub fn patch(&self, response: &Response) -> Result<Option<String>, PatchError> {
        let Some(mutated) = response.mutated_object.as_ref().filter(|_| response.accepted) else { return Ok(None) };
        let object = self.part(self.object.as_ref().ok_or(PatchError::NoObject)?);
        let PlainValue(object) = serde_json::from_str(object).map_err(PatchError::InvalidObject)?;
        let patch = json_patch::diff(&object, mutated);
        Ok((!patch.is_empty()).then(|| patch.to_string()))
    }

    /// The AdmissionReview with the module's response and its [`patch`](AdmissionReview::patch), as Kubewarden's policy
    /// server writes it.
    pub fn answer(&self, response: Response, patch: Option<String>) -> Value {
        let mut answer = Map::from_iter([
            ("uid".to_owned(), json!(self.info.uid)),
            ("allowed".to_owned(), json!(response.accepted)),
        ]);
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

impl RequestInfo {
    fn read(fields: &Members<'_>) -> Result<Self, &'static str> {
        let part = |name: &str| match fields.raw(name) {
            Some(part) => members(part).ok_or(WRONG_TYPE),
            None => Ok(Members::default()),
        };
        let (kind, resource) = (part("kind")?, part("resource")?);
        let uid = string(fields, "uid").unwrap_or_default();
        if uid.is_empty() {
            return Err("this admission request has no `uid`");
        }
        Ok(RequestInfo {
            uid,
            operation: string(fields, "operation")?,
            group: string(&kind, "group")?,
            kind: string(&kind, "kind")?,
            resource: string(&resource, "resource")?,
            sub_resource: string(fields, "subResource")?,
            namespace: string(fields, "namespace")?,
            name: string(fields, "name")?,
            user: string(&part("userInfo")?, "username")?,
            dry_run: fields.raw("dryRun") == Some("true"),
        })
    }
}

const NEITHER: &str = "this is neither an AdmissionReview nor an AdmissionRequest";
const WRONG_TYPE: &str = "a name in this admission request is not a string";

fn string(members: &Members<'_>, name: &str) -> Result<String, &'static str> {
    members.raw(name).map_or(Ok(String::new()), |text| serde_json::from_str(text).map_err(|_| WRONG_TYPE))
}

/// The members of a JSON object; `None` if the text is none.
fn members(text: &str) -> Option<Members<'_>> {
    Members::parse(text, "").ok()
}

/// The range of `part`, which is borrowed from `text`.
fn range(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    start..start + part.len()
}

fn not_json(body: &[u8]) -> ParseError {
    let Err(error) = serde_json::from_slice::<&RawValue>(body) else {
        return ParseError::NotJson { line: 1, column: 1 };
    };
    let (line, column) = (error.line(), error.column());
    let before = body.split(|byte| *byte == b'\n').nth(line.saturating_sub(1)).unwrap_or_default();
    let before = before.get(..column).unwrap_or(before);
    ParseError::NotJson { line: line.max(1), column: characters(before).max(1) }
}

/// An error at the start of `part`, which is borrowed from `text`.
fn shape_error(text: &str, part: &str, problem: &'static str) -> ParseError {
    let before = text.as_bytes().get(..range(text, part).start).unwrap_or_default();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = characters(before.get(line_start..).unwrap_or_default()) + 1;
    ParseError::Shape { line, column, problem }
}

fn characters(bytes: &[u8]) -> usize {
    String::from_utf8_lossy(bytes).chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AdmissionReview, ParseError> {
        AdmissionReview::read(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn parse_errors_have_a_position_and_quote_nothing() {
        let cases = [
            ("", "the input is not JSON at line 1, column 1"),
            ("{\"ä\": \"s3cret\"\n\"x\"}", "the input is not JSON at line 2, column 1"),
            ("{\"ä\": s3cret}", "the input is not JSON at line 1, column 7"),
            ("[\"s3cret\"]", "this is neither an AdmissionReview nor an AdmissionRequest at line 1, column 1"),
            (
                "{\"apiVersion\": \"v1\", \"kind\": \"Pod\"}",
                "this is neither an AdmissionReview nor an AdmissionRequest at line 1, column 1",
            ),
            ("\n {\"kind\": \"AdmissionReview\"}", "this AdmissionReview has no `request` at line 2, column 2"),
            (
                "{\"kind\": \"AdmissionReview\", \"request\": null}",
                "this AdmissionReview has no `request` at line 1, column 1",
            ),
            (
                "{\"kind\": \"AdmissionReview\",\n \"request\": \"s3cret\"}",
                "the `request` is not an object at line 2, column 13",
            ),
            (
                "{\"ä\": 1, \"request\": {\"name\": \"s3cret\"}}",
                "this admission request has no `uid` at line 1, column 21",
            ),
            ("{\"operation\": \"CREATE\", \"uid\": \"\"}", "this admission request has no `uid` at line 1, column 1"),
            (
                "{\"uid\": \"1\", \"kind\": [\"s3cret\"]}",
                "a name in this admission request is not a string at line 1, column 1",
            ),
            ("{\"uid\": \"1\", \"name\": {}}", "a name in this admission request is not a string at line 1, column 1"),
        ];
        for (input, expected) in cases {
            assert_eq!(read(input).unwrap_err().to_string(), expected, "{input}");
        }
        assert!(matches!(AdmissionReview::read(Bytes::from_static(b"\"\xff\"")), Err(ParseError::NotJson { .. })));
    }

    #[test]
    fn a_review_has_the_names_and_the_text_of_its_request() {
        let request = json!({"uid": "7", "operation": "CREATE", "name": null, "namespace": "db", "object": {"a": "ä"},
            "kind": {"group": "apps", "version": "v1", "kind": "Deployment"}, "oldObject": null,
            "userInfo": {"username": "jo"}, "dryRun": true});
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        let expected = RequestInfo {
            uid: "7".to_owned(),
            operation: "CREATE".to_owned(),
            group: "apps".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: "db".to_owned(),
            user: "jo".to_owned(),
            dry_run: true,
            ..RequestInfo::default()
        };
        for (text, is_v1) in [(review.to_string(), true), (format!(" {request}"), false)] {
            let review = read(&text).unwrap();
            assert_eq!((&review.info, review.is_v1()), (&expected, is_v1));
            assert_eq!(review.request_text(), request.to_string());
            assert_eq!((review.request().object, review.request().old_object), (Some("{\"a\":\"ä\"}"), None));
        }
    }

    fn response(mutated_object: Option<Value>) -> Response {
        let empty = json!({"accepted": true, "message": null, "audit_annotations": null});
        Response { mutated_object, ..serde_json::from_value(empty).unwrap() }
    }

    fn answered(review: &AdmissionReview, response: Response) -> Value {
        let patch = review.patch(&response).unwrap();
        review.answer(response, patch)
    }

    #[test]
    fn an_answer_has_a_patch_only_if_the_object_changed() {
        let review = read(r#"{"uid": "1", "object": {"a": 1, "b": {}}}"#).unwrap();
        let answer = |response| answered(&review, response);
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
    fn a_rejection_has_its_reason_and_no_patch() {
        let review = read(r#"{"request": {"uid": "1", "object": {}}}"#).unwrap();
        let rejection = Response {
            accepted: false,
            message: Some("because".to_owned()),
            code: Some(403),
            warnings: vec!["careful".to_owned()],
            audit_annotations: [("rejected".to_owned(), "a-rule".to_owned())].into(),
            ..response(Some(json!({"a": 1})))
        };
        assert_eq!(
            answered(&review, rejection)["response"],
            json!({
            "uid": "1", "allowed": false, "status": {"message": "because", "code": 403}, "warnings": ["careful"],
            "auditAnnotations": {"rejected": "a-rule"}})
        );
    }

    #[test]
    fn a_changed_object_that_cannot_be_patched_is_an_error() {
        let deep = format!("{{\"uid\": \"1\", \"object\": {}{}}}", "[".repeat(200), "]".repeat(200));
        for (request, expected) in
            [("{\"uid\": \"1\"}", "of a request that has none"), (deep.as_str(), "cannot be read")]
        {
            let review = read(request).unwrap();
            let error = review.patch(&response(Some(json!({"a": 1})))).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(review.patch(&response(None)).unwrap().is_none());
        }
    }
}
