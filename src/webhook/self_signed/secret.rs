//! The Secret through which the replicas agree.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use kube::Client;
use serde_json::{Map, Value, json};

use super::Error;
use super::api::{JSON, RequestError, call};
use super::service::Service;
use super::stored::Data;

/// The Secret as it was found, or that it does not exist.
pub(super) struct Found {
    object: Option<Value>,
    pub(super) data: Data,
}

/// Reads the Secret.
pub(super) async fn read(client: &Client, service: &Service) -> Result<Found, Error> {
    match call(client, Method::GET, &path(service), JSON, None).await {
        Ok(object) => Ok(Found { data: decode(&object), object: Some(object) }),
        Err(error) if error.code() == Some(404) => Ok(Found { object: None, data: Data::new() }),
        Err(error) => Err(failure(service, "read", error)),
    }
}

/// Writes the data, unless somebody else wrote in the meantime; whether they were written.
pub(super) async fn write(client: &Client, service: &Service, found: Found, data: &Data) -> Result<bool, Error> {
    let encoded: Map<String, Value> =
        data.iter().map(|(name, content)| (name.clone(), Value::from(STANDARD.encode(content)))).collect();
    let written = match found.object {
        Some(mut object) => {
            if let Some(members) = object.as_object_mut() {
                members.insert("data".to_owned(), Value::Object(encoded));
            }
            call(client, Method::PUT, &path(service), JSON, Some(&object)).await
        }
        None => call(client, Method::POST, &folder(service), JSON, Some(&new(service, encoded))).await,
    };
    match written {
        Ok(_) => Ok(true),
        // Written by another replica, or deleted.
        Err(error) if matches!(error.code(), Some(404 | 409)) && !error.to_string().contains("namespaces ") => {
            Ok(false)
        }
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

/// What is not Base64 is taken for missing.
fn decode(object: &Value) -> Data {
    let data = object.get("data").and_then(Value::as_object).into_iter().flatten();
    data.filter_map(|(name, content)| Some((name.clone(), STANDARD.decode(content.as_str()?).ok()?))).collect()
}

fn folder(service: &Service) -> String {
    format!("/api/v1/namespaces/{}/secrets", service.namespace)
}

fn path(service: &Service) -> String {
    format!("{}/{}", folder(service), service.secret_name())
}

fn failure(service: &Service, deed: &'static str, source: RequestError) -> Error {
    let (namespace, name) = (service.namespace.clone(), service.secret_name());
    match source.code() {
        Some(403) => Error::SecretForbidden { deed, namespace, name, source },
        _ => Error::Secret { deed, namespace, name, source },
    }
}
