//! The two webhook configurations, in which the API server finds whom to trust.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use kube::Client;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Error;
use super::api::{JSON, JSON_PATCH, RequestError, call};
use super::authority::{MOST_AUTHORITIES, in_order};
use super::issue::AuthorityCertificate;
use super::service::Service;
use super::stored::{authorities, bundle_pem};

/// How often a patch is made anew, because somebody else edits the same object.
const ATTEMPTS: u32 = 5;

/// A configuration and what was told of it.
pub(super) struct Configuration {
    resource: &'static str,
    name: String,
    told: Option<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    /// It does not call this Service.
    Foreign,
    Published,
}

impl Configuration {
    /// The mutating and the validating configuration of a name.
    pub(super) fn both(name: &str) -> [Self; 2] {
        ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"].map(|resource| Configuration {
            resource,
            name: name.to_owned(),
            told: None,
        })
    }

    /// Writes a bundle into every webhook that calls the Service, beside the authorities of ours that stand there. That
    /// the configuration does not exist is no error.
    pub(super) async fn publish(
        &mut self,
        client: &Client,
        service: &Service,
        bundle: &[AuthorityCertificate],
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            if let Some(state) = self.attempt(client, service, bundle).await? {
                self.tell(state, service);
                return Ok(());
            }
        }
        Err(Error::Contended { what: format!("{}/{}", self.resource, self.name) })
    }

    /// Looks, and writes if need be; `None` if it is worth another look.
    async fn attempt(
        &self,
        client: &Client,
        service: &Service,
        bundle: &[AuthorityCertificate],
    ) -> Result<Option<State>, Error> {
        let object = match self.call(client, Method::GET, JSON, None).await {
            Ok(object) => object,
            Err(error) if error.code() == Some(404) => return Ok(Some(State::Missing)),
            Err(error) => return Err(self.failure("read", error)),
        };
        let Some(patch) = patch(&object, service, bundle) else { return Ok(Some(State::Foreign)) };
        if patch.is_empty() {
            return Ok(Some(State::Published));
        }
        match self.call(client, Method::PATCH, JSON_PATCH, Some(&Value::Array(patch))).await {
            Ok(_) => tracing::info!(configuration = self.name, resource = self.resource, "wrote the caBundle"),
            // Another object than was read: a test of the patch failed, or somebody was faster.
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

    /// Tells what became of the configuration, once for each change.
    fn tell(&mut self, state: State, service: &Service) {
        if self.told.replace(state) == Some(state) {
            return;
        }
        let Configuration { resource, name, .. } = self;
        match state {
            State::Missing => {
                tracing::warn!(configuration = name, resource, "does not exist: nothing calls the webhook")
            }
            State::Foreign => tracing::warn!(configuration = name, resource, %service, "has no webhook of the Service"),
            State::Published => {}
        }
    }

    fn failure(&self, deed: &'static str, source: RequestError) -> Error {
        let (resource, name) = (self.resource, self.name.clone());
        match source.code() {
            Some(403) => Error::ConfigurationForbidden { deed, resource, name, source },
            _ => Error::Configuration { deed, resource, name, source },
        }
    }
}

/// What must be changed so that every webhook of the Service carries the bundle; `None` if it has no webhook. Each
/// change is tied to the webhook that was read, wherever others have moved it in the meantime.
fn patch(configuration: &Value, service: &Service, bundle: &[AuthorityCertificate]) -> Option<Vec<Value>> {
    let webhooks = configuration.get("webhooks").and_then(Value::as_array).into_iter().flatten().enumerate();
    let mut ours = webhooks.filter(|(_, webhook)| calls(webhook, service)).peekable();
    ours.peek()?;
    let outdated = ours.filter_map(|(index, webhook)| {
        let present = webhook.pointer("/clientConfig/caBundle").and_then(Value::as_str).unwrap_or_default();
        let wanted = STANDARD.encode(bundle_pem(&beside(bundle, present)));
        (wanted != present).then(|| operations(index, webhook, service, &wanted))
    });
    Some(outdated.flatten().collect())
}

/// A bundle with those authorities made here that a `caBundle` holds already, the youngest of them, until they expire.
/// Where the Secret was deleted and a replica started that knows nothing of it, others still present what these signed:
/// without them the API server would refuse these replicas until they have looked again.
fn beside(bundle: &[AuthorityCertificate], present: &str) -> Vec<AuthorityCertificate> {
    let now = OffsetDateTime::now_utc();
    let present = STANDARD.decode(present).unwrap_or_default();
    let mut kept: Vec<_> = authorities(&present)
        .flatten()
        .filter(|authority| authority.not_after > now && !bundle.contains(authority))
        .collect();
    in_order(&mut kept);
    let room = MOST_AUTHORITIES.saturating_sub(bundle.len());
    kept.drain(..kept.len().saturating_sub(room));
    kept.extend(bundle.iter().cloned());
    in_order(&mut kept);
    kept
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

    use super::super::issue::Authority;
    use super::*;

    fn webhook(name: &str, service: &str, bundle: Option<&str>) -> Value {
        json!({"name": name, "clientConfig": {"service": {"name": service, "namespace": "db"}, "caBundle": bundle}})
    }

    /// An authority that was made some hours ago, and lives for a day.
    fn made(hours_ago: i64) -> AuthorityCertificate {
        Authority::new(OffsetDateTime::now_utc() - Duration::hours(hours_ago), Duration::DAY).unwrap().certificate
    }

    fn encoded(bundle: &[AuthorityCertificate]) -> String {
        STANDARD.encode(bundle_pem(bundle))
    }

    fn patch_of(webhooks: &[Value], bundle: &[AuthorityCertificate]) -> Option<Vec<Value>> {
        patch(&json!({"webhooks": webhooks}), &"sql.db.svc".parse().unwrap(), bundle)
    }

    #[test]
    fn every_webhook_of_the_service_gets_the_bundle_and_no_other() {
        let bundle = [made(0)];
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
    fn authorities_of_ours_stay_until_they_expire_and_others_go() {
        let (old, new, expired) = (made(2), made(0), made(25));
        let foreign = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let present = [&bundle_pem(&[new.clone(), expired, old.clone()]), foreign].concat();
        let bundle = [new];
        assert_eq!(beside(&bundle, &STANDARD.encode(present)), [old, bundle[0].clone()]);
        assert_eq!(beside(&bundle, ""), bundle);
    }

    #[test]
    fn however_many_authorities_stand_there_few_are_kept_and_the_bundle_is_whole() {
        let present: Vec<_> = (1..12).rev().map(made).collect();
        let bundle = [made(20), made(0)];
        let together = beside(&bundle, &encoded(&present));
        assert_eq!(together.len(), MOST_AUTHORITIES);
        assert!(bundle.iter().all(|authority| together.contains(authority)));
        assert!(together.contains(&present[10]) && !together.contains(&present[0]));
        assert_eq!(beside(&bundle, &encoded(&together)), together);
    }

    #[test]
    fn a_configuration_without_a_webhook_of_the_service_is_left_alone() {
        assert_eq!(patch_of(&[webhook("a", "other", None)], &[]), None);
        assert_eq!(patch_of(&[], &[]), None);
        let service = "sql.db.svc".parse().unwrap();
        for garbage in [json!(null), json!({"webhooks": 1}), json!({"webhooks": [1, {"clientConfig": []}]})] {
            assert_eq!(patch(&garbage, &service, &[]), None);
        }
    }
}
