//! The webhook's own registrations, for a webhook at an address instead of behind a Service: the clusters of these
//! tests have no network of pods.

use assert_cmd::cargo::cargo_bin;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// What `webhook manifests` prints with these flags: the registrations, and all the rest.
pub(crate) fn manifests(flags: &[&str]) -> (Vec<Value>, Vec<Value>) {
    let mut command = std::process::Command::new(cargo_bin("sqledge-ha"));
    let printed = command.args(["webhook", "manifests"]).args(flags).output().unwrap();
    let documents = serde_saphyr::from_multiple::<Value>(std::str::from_utf8(&printed.stdout).unwrap()).unwrap();
    let is_registration = |object: &Value| object["kind"].as_str().unwrap().ends_with("WebhookConfiguration");
    let (registrations, others): (Vec<Value>, Vec<Value>) = documents.into_iter().partition(is_registration);
    assert_eq!(registrations.len(), 2, "{printed:?}");
    (registrations, others)
}

/// The registrations that `webhook manifests` prints with these flags, for a webhook at an address.
pub(crate) fn registrations(address: SocketAddr, authority: &str, flags: &[&str]) -> Vec<Value> {
    let (mut registrations, _) = manifests(flags);
    for webhook in registrations.iter_mut().flat_map(|item| item["webhooks"].as_array_mut().unwrap()) {
        let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap();
        let url = format!("https://{address}{path}");
        webhook["clientConfig"] = json!({"url": url, "caBundle": BASE64_STANDARD.encode(authority)});
    }
    registrations
}

/// A `List`, as `kubectl` takes it.
pub(crate) fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}
