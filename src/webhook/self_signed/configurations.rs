//! The two webhook configurations, where the API server finds the CA bundle.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use kube::Client;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Error;
use super::api::{JSON, JSON_PATCH, RequestError, call};
use super::ca::{MAX_CAS, sort_by_age};
use super::issue::CaCertificate;
use super::service::Service;
use super::stored::{bundle_pem, read_bundle};

/// The maximum number of attempts to patch an object that others change.
const MAX_ATTEMPTS: u32 = 5;

/// A webhook configuration and its last state.
pub(super) struct WebhookConfiguration {
    resource: &'static str,
    name: String,
    last_state: Option<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    NotFound,
    /// None of its webhooks calls this Service.
    OtherService,
    Published,
}

impl WebhookConfiguration {
    /// The mutating and the validating configuration with a name.
    pub(super) fn both(name: &str) -> [Self; 2] {
        ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"].map(|resource| WebhookConfiguration {
            resource,
            name: name.to_owned(),
            last_state: None,
        })
    }

    /// Writes a CA bundle into each webhook that calls the Service, and keeps other CAs of sqledge-ha in it. A
    /// configuration that does not exist is not an error.
    pub(super) async fn publish(
        &mut self,
        client: &Client,
        service: &Service,
        bundle: &[CaCertificate],
    ) -> Result<(), Error> {
        for _ in 0..MAX_ATTEMPTS {
            if let Some(state) = self.try_publish(client, service, bundle).await? {
                self.log_state(state, service);
                return Ok(());
            }
        }
        Err(Error::Conflict { object: format!("{}/{}", self.resource, self.name) })
    }

    /// Reads the configuration, and patches it if needed; `None` if it must be read again.
    async fn try_publish(
        &self,
        client: &Client,
        service: &Service,
        bundle: &[CaCertificate],
    ) -> Result<Option<State>, Error> {
        let object = match self.call(client, Method::GET, JSON, None).await {
            Ok(object) => object,
            Err(error) if error.code() == Some(404) => return Ok(Some(State::NotFound)),
            Err(error) => return Err(self.failure("read", error)),
        };
        let Some(patch) = patch(&object, service, bundle) else { return Ok(Some(State::OtherService)) };
        if patch.is_empty() {
            return Ok(Some(State::Published));
        }
        match self.call(client, Method::PATCH, JSON_PATCH, Some(&Value::Array(patch))).await {
            Ok(_) => tracing::info!(configuration = self.name, resource = self.resource, "updated the caBundle"),
            // The object has changed since it was read.
            Err(error) if matches!(error.code(), Some(404 | 409 | 422)) => {}
            Err(error) => return Err(self.failure("patch", error)),
        }
        Ok(None)
    }

    async fn call(
        &self,
        client: &Client,
        method: Method,
        content_type: &'static str,
        body: Option<&Value>,
    ) -> Result<Value, RequestError> {
        let path = format!("/apis/admissionregistration.k8s.io/v1/{}/{}", self.resource, self.name);
        call(client, method, &path, content_type, body).await
    }

    /// Logs a new state.
    fn log_state(&mut self, state: State, service: &Service) {
        if self.last_state.replace(state) == Some(state) {
            return;
        }
        let WebhookConfiguration { resource, name, .. } = self;
        match state {
            State::NotFound => {
                let message = "webhook configuration not found; the API server does not call this webhook";
                tracing::warn!(configuration = name, resource, "{message}");
            }
            State::OtherService => {
                tracing::warn!(configuration = name, resource, %service, "no webhook calls the Service");
            }
            State::Published => {}
        }
    }

    fn failure(&self, operation: &'static str, source: RequestError) -> Error {
        let (resource, name) = (self.resource, self.name.clone());
        match source.code() {
            Some(403) => Error::ConfigurationForbidden { operation, resource, name, source },
            _ => Error::Configuration { operation, resource, name, source },
        }
    }
}

/// The JSON Patch that writes the bundle into each webhook of the Service; `None` if there is no such webhook. The
/// patch fails if the webhooks have moved since the configuration was read.
fn patch(configuration: &Value, service: &Service, bundle: &[CaCertificate]) -> Option<Vec<Value>> {
    let webhooks = configuration.get("webhooks").and_then(Value::as_array).into_iter().flatten().enumerate();
    let mut ours = webhooks.filter(|(_, webhook)| calls(webhook, service)).peekable();
    ours.peek()?;
    let outdated = ours.filter_map(|(index, webhook)| {
        let present = webhook.pointer("/clientConfig/caBundle").and_then(Value::as_str).unwrap_or_default();
        let wanted = STANDARD.encode(bundle_pem(&merge_bundle(bundle, present)));
        (wanted != present).then(|| operations(index, webhook, service, &wanted))
    });
    Some(outdated.flatten().collect())
}

/// Adds the CAs of sqledge-ha that a `caBundle` already has to a bundle: the newest ones, until they expire. Other
/// replicas can still use their certificates, for example if the Secret was deleted before this replica started.
fn merge_bundle(bundle: &[CaCertificate], present: &str) -> Vec<CaCertificate> {
    let now = OffsetDateTime::now_utc();
    let present = STANDARD.decode(present).unwrap_or_default();
    let mut merged: Vec<_> =
        read_bundle(&present).flatten().filter(|ca| ca.not_after > now && !bundle.contains(ca)).collect();
    sort_by_age(&mut merged);
    let free = MAX_CAS.saturating_sub(bundle.len());
    merged.drain(..merged.len().saturating_sub(free));
    merged.extend(bundle.iter().cloned());
    sort_by_age(&mut merged);
    merged
}

fn operations(index: usize, webhook: &Value, service: &Service, bundle: &str) -> [Value; 4] {
    let at = |field: &str| format!("/webhooks/{index}/{field}");
    let test = |field, value: &Value| json!({"op": "test", "path": at(field), "value": value});
    [
        test("name", webhook.get("name").unwrap_or(&Value::Null)),
        test("clientConfig/service/name", &Value::from(service.name.as_str())),
        test("clientConfig/service/namespace", &Value::from(service.namespace.as_str())),
        json!({"op": "add", "path": at("clientConfig/caBundle"), "value": bundle}),
    ]
}

fn calls(webhook: &Value, service: &Service) -> bool {
    let is = |field, expected: &str| {
        let called = webhook.pointer("/clientConfig/service").and_then(|called| called.get(field));
        called.and_then(Value::as_str) == Some(expected)
    };
    is("name", &service.name) && is("namespace", &service.namespace)
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::super::issue::CertificateAuthority;
    use super::*;

    fn webhook(name: &str, service: &str, bundle: Option<&str>) -> Value {
        json!({"name": name, "clientConfig": {"service": {"name": service, "namespace": "db"}, "caBundle": bundle}})
    }

    /// A CA that was created some hours ago, with a lifetime of a day.
    fn created(hours_ago: i64) -> CaCertificate {
        CertificateAuthority::new(OffsetDateTime::now_utc() - Duration::hours(hours_ago), Duration::DAY)
            .unwrap()
            .certificate
    }

    fn encoded(bundle: &[CaCertificate]) -> String {
        STANDARD.encode(bundle_pem(bundle))
    }

    fn patch_of(webhooks: &[Value], bundle: &[CaCertificate]) -> Option<Vec<Value>> {
        patch(&json!({"webhooks": webhooks}), &"sql.db.svc".parse().unwrap(), bundle)
    }

    #[test]
    fn only_webhooks_of_the_service_get_the_bundle() {
        let bundle = [created(0)];
        let webhooks = [
            webhook("a", "other", None),
            webhook("b", "sql", None),
            webhook("c", "sql", Some(&encoded(&bundle))),
            webhook("d", "sql", Some("QUE=")),
            json!({"name": "e", "clientConfig": {"url": "https://elsewhere"}}),
        ];
        let patch = patch_of(&webhooks, &bundle).unwrap();
        let paths: Vec<_> = patch.iter().filter(|step| step["op"] == "add").map(|step| &step["path"]).collect();
        assert_eq!(paths, ["/webhooks/1/clientConfig/caBundle", "/webhooks/3/clientConfig/caBundle"]);
        let mut patched = json!({"webhooks": webhooks});
        let operations: json_patch::Patch = serde_json::from_value(Value::Array(patch)).unwrap();
        json_patch::patch(&mut patched, &operations).unwrap();
        assert_eq!(patched["webhooks"][3]["clientConfig"]["caBundle"], encoded(&bundle));
        assert_eq!(patch_of(patched["webhooks"].as_array().unwrap(), &bundle), Some(Vec::new()));
        let mut moved = json!({"webhooks": [webhooks[1], webhooks[0], webhooks[2], webhooks[3]]});
        assert!(json_patch::patch(&mut moved, &operations).is_err());
    }

    #[test]
    fn our_cas_stay_until_they_expire_and_others_are_removed() {
        let (old, new, expired) = (created(2), created(0), created(25));
        let foreign = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let present = [&bundle_pem(&[new.clone(), expired, old.clone()]), foreign].concat();
        let bundle = [new];
        assert_eq!(merge_bundle(&bundle, &STANDARD.encode(present)), [old, bundle[0].clone()]);
        assert_eq!(merge_bundle(&bundle, ""), bundle);
    }

    #[test]
    fn the_number_of_cas_is_limited_and_the_bundle_is_complete() {
        let present: Vec<_> = (1..12).rev().map(created).collect();
        let bundle = [created(20), created(0)];
        let together = merge_bundle(&bundle, &encoded(&present));
        assert_eq!(together.len(), MAX_CAS);
        assert!(bundle.iter().all(|ca| together.contains(ca)));
        assert!(together.contains(&present[10]) && !together.contains(&present[0]));
        assert_eq!(merge_bundle(&bundle, &encoded(&together)), together);
    }

    #[test]
    fn a_configuration_without_a_webhook_of_the_service_is_not_changed() {
        assert_eq!(patch_of(&[webhook("a", "other", None)], &[]), None);
        assert_eq!(patch_of(&[], &[]), None);
        let service = "sql.db.svc".parse().unwrap();
        for garbage in [json!(null), json!({"webhooks": 1}), json!({"webhooks": [1, {"clientConfig": []}]})] {
            assert_eq!(patch(&garbage, &service, &[]), None);
        }
    }
}
