//! Webhook configurations with the URL of a webhook instead of a Service: the clusters of the tests have no pod
//! network.

use assert_cmd::cargo::cargo_bin;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// The objects that `webhook manifests` prints with these flags: the webhook configurations, and all others.
pub(crate) fn manifests(flags: &[&str]) -> (Vec<Value>, Vec<Value>) {
    let mut command = std::process::Command::new(cargo_bin("sqledge-ha"));
    let printed = command.args(["webhook", "manifests"]).args(flags).output().unwrap();
    let documents = serde_saphyr::from_multiple::<Value>(std::str::from_utf8(&printed.stdout).unwrap()).unwrap();
    let is_configuration = |object: &Value| object["kind"].as_str().unwrap().ends_with("WebhookConfiguration");
    let (configurations, others): (Vec<Value>, Vec<Value>) = documents.into_iter().partition(is_configuration);
    assert_eq!(configurations.len(), 2, "{printed:?}");
    (configurations, others)
}

/// The webhook configurations that `webhook manifests` prints with these flags, for a webhook at an address.
pub(crate) fn webhook_configurations(address: SocketAddr, authority: &str, flags: &[&str]) -> Vec<Value> {
    let (mut configurations, _) = manifests(flags);
    for webhook in configurations.iter_mut().flat_map(|object| object["webhooks"].as_array_mut().unwrap()) {
        let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap();
        let url = format!("https://{address}{path}");
        webhook["clientConfig"] = json!({"url": url, "caBundle": BASE64_STANDARD.encode(authority)});
    }
    configurations
}

/// A `List` for `kubectl`.
pub(crate) fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}
