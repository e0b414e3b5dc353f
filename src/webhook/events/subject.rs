//! The object that an Event is about.

use std::borrow::Cow;

use serde::Deserialize;
use sqledge_ha_policy::kubernetes::resources::scalable;

use super::effect::Effect;
use crate::wasm_host::AdmissionReview;

/// An object in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: String,
    /// If the API server generates the name, the text that it starts with.
    pub(super) name: String,
    /// Whether only the start of the name is known.
    pub(super) is_prefix: bool,
    /// `None` if it does not exist, or not yet.
    pub(super) uid: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    generate_name: Option<String>,
    uid: Option<String>,
}

impl Subject {
    /// The object of a request; `None` if it has no name or namespace. For a scale request, it is the scaled object.
    pub(super) fn read(review: &AdmissionReview, effect: Effect) -> Option<Self> {
        let (info, request) = (&review.info, review.request());
        let Object { api_version, metadata } = serde_json::from_str(request.object?).ok()?;
        let Metadata { name, generate_name, uid } = metadata;
        let scaled = scalable(&info.resource).filter(|_| info.sub_resource == "scale");
        // In the last stage, an object that is created has a UID and a generated name, but it will not exist if it is
        // rejected.
        let is_new = info.operation == "CREATE" && matches!(effect, Effect::Rejected | Effect::Mutated);
        let requested = Some(info.name.clone()).filter(|name| !name.is_empty());
        let is_prefix = is_new && requested.is_none() && generate_name.is_some();
        let name = if is_new { requested.or(generate_name).or(name) } else { name.or(requested) };
        let subject = Subject {
            api_version: scaled.map_or_else(|| api_version.into_owned(), |resource| resource.api_version()),
            kind: scaled.map_or_else(|| info.kind.clone(), |resource| resource.name.to_owned()),
            namespace: info.namespace.clone(),
            name: name?,
            is_prefix,
            uid: uid.filter(|uid| !is_new && !uid.is_empty()),
        };
        (!subject.name.is_empty() && !subject.namespace.is_empty()).then_some(subject)
    }

    /// What an Event is unique by in an hour. The UID is no part of it, because a new object has none in the first
    /// stage.
    pub(super) fn key(&self, rule: &str, reason: &str) -> String {
        let Subject { api_version, kind, namespace, name, .. } = self;
        format!("{api_version}/{kind}/{namespace}/{name}/{rule}/{reason}")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;

    fn subject(request: Value, effect: Effect) -> Option<(String, String, Option<String>)> {
        let mut review = json!({"uid": "1", "namespace": "shop", "kind": {"group": "apps", "kind": "Deployment"},
            "resource": {"group": "apps", "resource": "deployments"}});
        review.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
        let review = AdmissionReview::read(Bytes::from(review.to_string())).unwrap();
        let Subject { api_version, kind, name, uid, .. } = Subject::read(&review, effect)?;
        Some((format!("{api_version}/{kind}"), name, uid))
    }

    fn found(kind: &str, name: &str, uid: Option<&str>) -> Option<(String, String, Option<String>)> {
        Some((kind.to_owned(), name.to_owned(), uid.map(str::to_owned)))
    }

    #[test]
    fn an_object_that_does_not_exist_has_no_uid_and_no_generated_name() {
        let object = |metadata| json!({"apiVersion": "apps/v1", "metadata": metadata});
        let metadata = json!({"name": "sql-x7k2p", "generateName": "sql-", "uid": "7"});
        let create = json!({"operation": "CREATE", "object": object(metadata.clone())});
        let update = json!({"operation": "UPDATE", "name": "sql-x7k2p", "object": object(metadata)});
        for effect in [Effect::Rejected, Effect::Mutated] {
            assert_eq!(subject(create.clone(), effect), found("apps/v1/Deployment", "sql-", None));
        }
        for (request, effect) in [(&create, Effect::WouldReject), (&update, Effect::Rejected)] {
            assert_eq!(subject(request.clone(), effect), found("apps/v1/Deployment", "sql-x7k2p", Some("7")));
        }
        let unnamed = json!({"operation": "CREATE", "object": object(json!({}))});
        assert_eq!(subject(unnamed, Effect::Rejected), None);
        assert_eq!(subject(json!({"operation": "DELETE", "name": "sql"}), Effect::Rejected), None);
    }

    #[test]
    fn a_scale_request_is_about_the_scaled_object() {
        let scale = json!({"operation": "UPDATE", "name": "sql", "subResource": "scale",
            "kind": {"group": "autoscaling", "kind": "Scale"},
            "object": {"apiVersion": "autoscaling/v1", "metadata": {"name": "sql", "uid": "7"}}});
        assert_eq!(subject(scale, Effect::Rejected), found("apps/v1/Deployment", "sql", Some("7")));
    }
}
