//! Kubewarden's validation response.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde_json::Value;
use sqledge_ha_policy::admission::verdict::Verdict;
use sqledge_ha_policy::json::parse::PlainValue;

/// Kubewarden's validation response.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct Response {
    /// Whether the request is allowed.
    pub accepted: bool,
    /// Why it is rejected.
    pub message: Option<String>,
    /// The HTTP status of a rejection.
    pub code: Option<u16>,
    /// The mutated object.
    #[serde(default, deserialize_with = "whole")]
    pub mutated_object: Option<Value>,
    /// For the API server's audit log.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub audit_annotations: BTreeMap<String, String>,
    /// For the client that sent the request.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub warnings: Vec<String>,
}

impl From<Verdict> for Response {
    /// What the module answers to its host.
    fn from(verdict: Verdict) -> Self {
        let annotations = verdict.audit_annotations.into_iter();
        Response {
            accepted: verdict.allowed,
            message: verdict.message,
            code: verdict.code,
            mutated_object: verdict.mutated_object,
            audit_annotations: annotations.map(|(key, value)| (key.to_owned(), value)).collect(),
            warnings: verdict.warnings,
        }
    }
}

/// Reads an object without giving the keys that serde_json reserves their special meaning.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Ok(Option::<PlainValue>::deserialize(deserializer)?.map(|PlainValue(object)| object))
}

/// Reads `null` as an empty value.
pub(crate) fn null_is_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
