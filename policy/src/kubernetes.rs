//! What Kubernetes means: kinds and resources, selectors, images, environment, volumes, scheduling, and typed views of
//! the objects that rules check or look up.

pub mod claim;
pub mod command;
#[cfg(not(feature = "guest"))]
pub mod config_maps;
pub mod environment;
pub mod image;
pub mod kind;
pub mod objects;
pub mod quantity;
pub mod resources;
pub mod rollout;
pub mod scheduling;
pub mod selector;
pub mod service;
pub mod volumes;

use serde_json::Value;

use crate::json::cursor::get_path;

/// The namespace of objects that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Whether a text is a DNS label, as names of namespaces and Services are.
pub fn is_dns_label(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inside) && !text.starts_with('-') && !text.ends_with('-')
}

/// `metadata.namespace`, unless it is absent or empty.
pub fn namespace_of(object: &Value) -> Option<&str> {
    get_path(object, &["metadata", "namespace"])?.as_str().filter(|namespace| !namespace.is_empty())
}

/// `metadata.name`; empty if it is absent.
pub fn name_of(object: &Value) -> &str {
    get_path(object, &["metadata", "name"]).and_then(Value::as_str).unwrap_or_default()
}

/// The API group of an `apiVersion`: `apps` of `apps/v1`, empty for `v1`.
pub fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}
