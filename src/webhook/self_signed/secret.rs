//! The Secret that the replicas share.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use kube::Client;
use serde_json::{Map, Value, json};

use super::Error;
use super::api::{JSON, RequestError, call};
use super::service::Service;
use super::stored::Data;

/// The Secret that was read, if it exists.
pub(super) struct StoredSecret {
    object: Option<Value>,
    pub(super) data: Data,
}

/// Reads the Secret.
pub(super) async fn read(client: &Client, service: &Service) -> Result<StoredSecret, Error> {
    match call(client, Method::GET, &path(service), JSON, None).await {
        Ok(object) => Ok(StoredSecret { data: decode(&object), object: Some(object) }),
        Err(error) if error.code() == Some(404) => Ok(StoredSecret { object: None, data: Data::new() }),
        Err(error) => Err(failure(service, "read", error)),
    }
}

/// Writes the data, unless the Secret has changed since it was read. Returns whether it was written.
pub(super) async fn write(
    client: &Client,
    service: &Service,
    stored: StoredSecret,
    data: &Data,
) -> Result<bool, Error> {
    let encoded: Map<String, Value> =
        data.iter().map(|(name, content)| (name.clone(), Value::from(STANDARD.encode(content)))).collect();
    let written = match stored.object {
        Some(mut object) => {
            if let Some(members) = object.as_object_mut() {
                members.insert("data".to_owned(), Value::Object(encoded));
            }
            call(client, Method::PUT, &path(service), JSON, Some(&object)).await
        }
        None => call(client, Method::POST, &collection_path(service), JSON, Some(&new(service, encoded))).await,
    };
    match written {
        Ok(_) => Ok(true),
        // Another client has changed or deleted it.
        Err(error) if matches!(error.code(), Some(404 | 409)) && !error.is_namespace_missing() => Ok(false),
        Err(error) => Err(failure(service, "write", error)),
    }
}

fn new(service: &Service, data: Map<String, Value>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": service.secret_name(),
            "namespace": service.namespace,
            "labels": {"app.kubernetes.io/managed-by": "sqledge-ha"},
        },
        "type": "kubernetes.io/tls",
        "data": data,
    })
}

/// Decodes the data; values that are not Base64 are skipped.
fn decode(object: &Value) -> Data {
    let data = object.get("data").and_then(Value::as_object).into_iter().flatten();
    data.filter_map(|(name, content)| Some((name.clone(), STANDARD.decode(content.as_str()?).ok()?))).collect()
}

fn collection_path(service: &Service) -> String {
    format!("/api/v1/namespaces/{}/secrets", service.namespace)
}

fn path(service: &Service) -> String {
    format!("{}/{}", collection_path(service), service.secret_name())
}

fn failure(service: &Service, operation: &'static str, source: RequestError) -> Error {
    let (namespace, name) = (service.namespace.clone(), service.secret_name());
    match source.code() {
        Some(403) => Error::SecretForbidden { operation, namespace, name, source },
        _ => Error::Secret { operation, namespace, name, source },
    }
}
