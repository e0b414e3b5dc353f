//! An AdmissionReview that came in over the wire: what stands where in its body.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use sqledge_ha_policy::request::Request;
use sqledge_ha_policy::review::concerns;
use sqledge_ha_policy::settings::Settings;

use crate::module::{Admission, Unreadable};

/// An AdmissionReview (`admission.k8s.io/v1`) with its body, which no part was copied out of but a few names.
#[derive(Clone, Debug)]
pub struct Incoming {
    body: Bytes,
    request: Range<usize>,
    object: Option<Range<usize>>,
    uid: String,
    /// What metrics and logs call it.
    pub about: About,
}

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`; empty if it is anything else.
    pub operation: &'static str,
    /// The API group of the object's kind; empty for the core group.
    pub group: String,
    /// The object's kind.
    pub kind: String,
}

/// Names for the log, read again from the body where one is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Names<'a> {
    /// The object's name; empty where the server will generate one.
    #[serde(borrow, deserialize_with = "text")]
    pub name: Cow<'a, str>,
    /// The object's namespace.
    #[serde(borrow, deserialize_with = "text")]
    pub namespace: Cow<'a, str>,
    /// The subresource.
    #[serde(borrow, rename = "subResource", deserialize_with = "text")]
    pub sub_resource: Cow<'a, str>,
}

/// Why a body is no AdmissionReview that can be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misread {
    /// It is not JSON, or not of the right shape.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It is of a version that this webhook does not speak, or something else altogether.
    #[error("this webhook answers AdmissionReviews of admission.k8s.io/v1 only")]
    Version,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "apiVersion", default, deserialize_with = "text")]
    api_version: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow, deserialize_with = "text")]
    uid: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    operation: Cow<'a, str>,
    #[serde(borrow)]
    kind: Option<GroupKind<'a>>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupKind<'a> {
    #[serde(borrow, deserialize_with = "text")]
    group: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    kind: Cow<'a, str>,
}

/// A text that is borrowed where it can be; null and absent are empty.
fn text<'de: 'a, 'a, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Cow<'a, str>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Option::<Text<'a>>::deserialize(deserializer)?.map(|Text(text)| text).unwrap_or_default())
}

const OPERATIONS: [&str; 4] = ["CREATE", "UPDATE", "DELETE", "CONNECT"];

impl Incoming {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Misread`], which quotes nothing of it.
    pub fn read(body: Bytes) -> Result<Self, Misread> {
        let envelope: Envelope<'_> = serde_json::from_slice(&body).map_err(|_| diagnose(&body))?;
        if envelope.kind != "AdmissionReview" || envelope.api_version != "admission.k8s.io/v1" {
            return Err(Misread::Version);
        }
        let request = envelope.request.ok_or_else(|| diagnose(&body))?.get();
        let fields: Fields<'_> = serde_json::from_str(request).map_err(|_| diagnose(&body))?;
        if fields.uid.is_empty() {
            return Err(diagnose(&body));
        }
        let kind = fields.kind.unwrap_or_default();
        let operation = OPERATIONS.into_iter().find(|known| *known == fields.operation).unwrap_or_default();
        Ok(Incoming {
            request: range(&body, request),
            object: fields.object.map(|object| range(&body, object.get())),
            uid: fields.uid.into_owned(),
            about: About { operation, group: kind.group.into_owned(), kind: kind.kind.into_owned() },
            body: body.clone(),
        })
    }

    /// The text of the AdmissionRequest.
    pub fn request(&self) -> &str {
        part(&self.body, &self.request)
    }

    /// How long the body is, in bytes.
    pub fn length(&self) -> usize {
        self.body.len()
    }

    /// The same, ready to be answered.
    pub fn admission(&self) -> Admission<'_> {
        let object = self.object.as_ref().map(|object| part(&self.body, object));
        Admission::new(self.request(), &self.uid, object)
    }

    /// Names for the log.
    pub fn names(&self) -> Names<'_> {
        serde_json::from_str(self.request()).unwrap_or_default()
    }

    /// The UID of the request.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Whether the embedded module, with these settings, would do anything but accept the request without a word. Where
    /// that cannot be told, it would.
    pub fn concerns(&self, settings: &Settings) -> bool {
        Request::parse(self.request()).and_then(|request| concerns(&request, settings)).unwrap_or(true)
    }
}

/// Where in `body` a text stands that was borrowed from it.
fn range(body: &[u8], text: &str) -> Range<usize> {
    let start = text.as_ptr().addr().saturating_sub(body.as_ptr().addr());
    start..start + text.len()
}

/// A part of the body, which was text when it was read.
fn part<'b>(body: &'b [u8], range: &Range<usize>) -> &'b str {
    body.get(range.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
}

/// Reads once more to say what is wrong, and where.
fn diagnose(body: &[u8]) -> Misread {
    Admission::read(body).err().map_or(Misread::Version, Misread::Unreadable)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(review: &serde_json::Value) -> Result<Incoming, Misread> {
        Incoming::read(Bytes::from(review.to_string()))
    }

    fn review(api_version: &str, request: serde_json::Value) -> serde_json::Value {
        json!({"apiVersion": api_version, "kind": "AdmissionReview", "request": request})
    }

    #[test]
    fn a_review_is_known_by_what_it_is_about() {
        let request = json!({"uid": "7", "operation": "CREATE", "name": null, "namespace": "db", "object": {"a": "ä"},
            "kind": {"group": "apps", "version": "v1", "kind": "Deployment"}});
        let incoming = read(&review("admission.k8s.io/v1", request.clone())).unwrap();
        let about = About { operation: "CREATE", group: "apps".to_owned(), kind: "Deployment".to_owned() };
        assert_eq!((incoming.uid(), &incoming.about), ("7", &about));
        assert_eq!(incoming.request(), request.to_string());
        assert_eq!((&*incoming.names().name, &*incoming.names().namespace), ("", "db"));
    }

    #[test]
    fn what_cannot_be_answered_is_told_why() {
        let cases = [
            (review("admission.k8s.io/v1beta1", json!({"uid": "7"})), "admission.k8s.io/v1 only"),
            (json!({"apiVersion": "v1", "kind": "Pod"}), "admission.k8s.io/v1 only"),
            (json!("s3cret"), "neither an AdmissionReview"),
            (review("admission.k8s.io/v1", json!(null)), "has no `request`"),
            (review("admission.k8s.io/v1", json!({"uid": ""})), "no `uid`"),
            (review("admission.k8s.io/v1", json!("s3cret")), "not an object"),
        ];
        for (body, expected) in cases {
            let message = read(&body).unwrap_err().to_string();
            assert!(message.contains(expected) && !message.contains("s3cret"), "{body}: {message}");
        }
    }

    #[test]
    fn only_what_may_run_an_engine_is_asked_about() {
        let of = |kind: &str, group: &str, object: serde_json::Value| {
            let request =
                json!({"uid": "7", "operation": "CREATE", "kind": {"group": group, "kind": kind}, "object": object});
            read(&review("admission.k8s.io/v1", request)).unwrap().concerns(&Settings::default())
        };
        assert!(!of("ConfigMap", "", json!({"data": {"image": "azure-sql-edge"}})));
        assert!(!of("Deployment", "apps", json!({"spec": {"image": "nginx"}})));
        assert!(of("Deployment", "apps", json!({"spec": {"image": "azure-sql-edge"}})));
        assert!(of("Service", "", json!({"spec": {}})));
    }
}
