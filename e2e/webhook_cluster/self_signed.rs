use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use serde_json::{Value, json};
use sqledge_ha::webhook::certificate::{Certificate, server_config};
use sqledge_ha::webhook::self_signed::{Lifetimes, SelfSigned};

use super::{Account, administrator, apply, cluster, create_namespace};

const KINDS: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// A namespace with a Service `sql`, and webhook configurations with the name of the namespace that call it.
struct Site {
    namespace: &'static str,
}

impl Site {
    fn new(namespace: &'static str) -> Self {
        create_namespace(namespace);
        let webhook = |name: &str, service: &str| {
            json!({"name": format!("{name}.example.com"), "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "rules": [], "clientConfig": {"service": {"name": service, "namespace": namespace}}})
        };
        for kind in KINDS {
            apply(
                &json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": namespace},
                "webhooks": [webhook("other", "other"), webhook("sql", "sql"), webhook("also", "sql")]}),
            );
        }
        Site { namespace }
    }

    fn replica(&self, client: &kube::Client) -> (SelfSigned, Arc<Certificate>) {
        let certificate = Certificate::new();
        let service = format!("sql.{}.svc", self.namespace).parse().unwrap();
        (SelfSigned::new(client.clone(), service, self.namespace, Arc::clone(&certificate)), certificate)
    }

    fn secret(&self, key: &str) -> String {
        let secret = cluster().must(&["-n", self.namespace, "get", "secret", "sql-tls", "-o", "json"], "");
        let secret: Value = serde_json::from_str(&secret).unwrap();
        String::from_utf8(STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()).unwrap()
    }

    /// The CA bundles of the three webhooks of a configuration.
    fn bundles(&self, kind: &str) -> [String; 3] {
        let configuration = cluster().must(&["get", kind, self.namespace, "-o", "json"], "");
        let configuration: Value = serde_json::from_str(&configuration).unwrap();
        [0, 1, 2].map(|index| {
            let bundle = configuration["webhooks"][index]["clientConfig"]["caBundle"].as_str().unwrap_or_default();
            String::from_utf8(STANDARD.decode(bundle).unwrap()).unwrap()
        })
    }

    fn is_published(&self) -> bool {
        let bundle = self.secret("ca.crt");
        KINDS.iter().all(|kind| self.bundles(kind) == [String::new(), bundle.clone(), bundle.clone()])
    }

    /// Calls the webhook as the API server does.
    fn call(&self, certificate: &Arc<Certificate>, bundle: &str) -> Result<(), rustls::Error> {
        let mut roots = RootCertStore::empty();
        for ca in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(ca.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        let name = ServerName::try_from(format!("sql.{}.svc", self.namespace)).unwrap();
        let mut client = ClientConnection::new(config, name).unwrap();
        let mut server = ServerConnection::new(server_config(Arc::clone(certificate)).unwrap()).unwrap();
        while client.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }
}

fn chain(certificate: &Certificate) -> Vec<CertificateDer<'static>> {
    certificate.current().unwrap().chain().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_share_one_ca_and_one_certificate() {
    let site = Site::new("agree");
    let client = administrator().await;
    let replicas: Vec<_> = (0..4).map(|_| site.replica(&client)).collect();
    let mut certificates = Vec::new();
    let mut reconciliations = tokio::task::JoinSet::new();
    for (mut replica, certificate) in replicas {
        certificates.push(certificate);
        reconciliations.spawn(async move { replica.reconcile().await });
    }
    reconciliations.join_all().await.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(site.secret("ca.crt").matches("BEGIN CERTIFICATE").count(), 1);
    assert!(site.is_published());
    for certificate in &certificates {
        assert_eq!(chain(certificate), chain(&certificates[0]));
        site.call(certificate, &site.bundles(KINDS[0])[1]).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_by_others_to_the_ca_bundle_are_reverted_and_other_changes_kept() {
    let site = Site::new("drift");
    let (mut replica, certificate) = site.replica(&administrator().await);
    replica.reconcile().await.unwrap();
    assert!(site.is_published());
    let edit = json!([
        {"op": "remove", "path": "/webhooks/1/clientConfig/caBundle"},
        {"op": "replace", "path": "/webhooks/2/clientConfig/caBundle", "value": STANDARD.encode(site.secret("tls.crt"))},
        {"op": "replace", "path": "/webhooks/2/timeoutSeconds", "value": 3},
    ]);
    cluster().must(&["patch", KINDS[0], "drift", "--type", "json", "-p", &edit.to_string()], "");
    assert!(!site.is_published());
    replica.reconcile().await.unwrap();
    assert!(site.is_published());
    let timeout = cluster().must(&["get", KINDS[0], "drift", "-o", "jsonpath={.webhooks[2].timeoutSeconds}"], "");
    assert_eq!(timeout, "3");
    assert_eq!(certificate.replacements(), 0);

    cluster().must(&["delete", KINDS[1], "drift"], "");
    replica.reconcile().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cas_and_certificates_rotate_without_a_failed_call() {
    let site = Site::new("renewal");
    let client = administrator().await;
    let lifetimes = Lifetimes {
        ca: time::Duration::seconds(36),
        certificate: time::Duration::seconds(9),
        publish_before_use: time::Duration::seconds(4),
    };
    let mut certificates = Vec::new();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (replica, certificate) = site.replica(&client);
        let mut replica =
            replica.with_lifetimes(lifetimes).with_poll(Duration::from_millis(300)..Duration::from_millis(600));
        replica.reconcile().await.unwrap();
        certificates.push(certificate);
        running.spawn(replica.run());
    }
    let first = site.secret("ca.key");
    let start = Instant::now();
    let mut calls = 0;
    while start.elapsed() < Duration::from_secs(34) {
        let bundle = site.bundles(KINDS[calls % 2])[1].clone();
        // The API server sees a change after a moment.
        tokio::time::sleep(Duration::from_millis(100)).await;
        for certificate in &certificates {
            let called = site.call(certificate, &bundle);
            assert!(called.is_ok(), "{called:?} after {:?}: {calls} calls\n{bundle}", start.elapsed());
            calls += 1;
        }
    }
    for certificate in &certificates {
        assert!(certificate.replacements() >= 4, "{certificate:?}");
        assert_eq!(certificate.failures(), 0);
    }
    assert_ne!(site.secret("ca.key"), first);
    assert_eq!(site.secret("ca.crt").matches("BEGIN CERTIFICATE").count(), 2);
    running.abort_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_secret_is_created_again_while_the_old_certificate_stays_valid() {
    let site = Site::new("deleted");
    let client = administrator().await;
    let ((mut one, first), (mut other, second)) = (site.replica(&client), site.replica(&client));
    one.reconcile().await.unwrap();
    other.reconcile().await.unwrap();
    let (before, old_bundle) = (chain(&first), site.secret("ca.crt"));
    cluster().must(&["-n", "deleted", "delete", "secret", "sql-tls"], "");

    one.reconcile().await.unwrap();
    let bundle = site.secret("ca.crt");
    assert!(bundle.contains(&old_bundle) && site.is_published());
    assert_eq!(chain(&first), before, "the new CA is not trusted yet");
    for certificate in [&first, &second] {
        site.call(certificate, &bundle).unwrap();
    }
    other.reconcile().await.unwrap();
    one.reconcile().await.unwrap();
    other.reconcile().await.unwrap();
    assert_ne!(chain(&first), before);
    assert_eq!(chain(&first), chain(&second));
    site.call(&first, &bundle).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_replica_without_a_secret_keeps_the_ca_of_the_others() {
    let site = Site::new("forgotten");
    let client = administrator().await;
    let (mut old, first) = site.replica(&client);
    old.reconcile().await.unwrap();
    cluster().must(&["-n", "forgotten", "delete", "secret", "sql-tls"], "");

    // A replica that does not know the old CA, as after a restart.
    let (mut new, second) = site.replica(&client);
    new.reconcile().await.unwrap();
    assert_ne!(chain(&first), chain(&second));
    for bundle in KINDS.map(|kind| site.bundles(kind)[1].clone()) {
        site.call(&first, &bundle).unwrap();
        site.call(&second, &bundle).unwrap();
    }
    // The old replica sees the new CA, and uses it one reconciliation later.
    old.reconcile().await.unwrap();
    assert!(site.is_published());
    old.reconcile().await.unwrap();
    assert_eq!(chain(&first), chain(&second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_is_revoked_by_removing_it_while_no_replica_runs() {
    let site = Site::new("revoked");
    let client = administrator().await;
    let (mut old, revoked) = site.replica(&client);
    old.reconcile().await.unwrap();
    drop(old);
    cluster().must(&["-n", "revoked", "delete", "secret", "sql-tls"], "");
    let empty = json!([{"op": "remove", "path": "/webhooks/1/clientConfig/caBundle"},
        {"op": "remove", "path": "/webhooks/2/clientConfig/caBundle"}]);
    for kind in KINDS {
        cluster().must(&["patch", kind, "revoked", "--type", "json", "-p", &empty.to_string()], "");
    }

    let (mut new, certificate) = site.replica(&client);
    new.reconcile().await.unwrap();
    assert!(site.is_published());
    let bundle = site.bundles(KINDS[0])[1].clone();
    site.call(&certificate, &bundle).unwrap();
    assert!(site.call(&revoked, &bundle).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_data_in_the_secret_is_replaced() {
    let site = Site::new("damaged");
    let (mut replica, certificate) = site.replica(&administrator().await);
    replica.reconcile().await.unwrap();
    let garbage = json!({"data": {"tls.crt": STANDARD.encode("?"), "ca.key": null, "note": STANDARD.encode("kept")}});
    cluster().must(&["-n", "damaged", "patch", "secret", "sql-tls", "-p", &garbage.to_string()], "");
    replica.reconcile().await.unwrap();
    replica.reconcile().await.unwrap();
    assert_eq!(site.secret("note"), "kept");
    assert!(site.is_published());
    site.call(&certificate, &site.secret("ca.crt")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_permissions_are_sufficient_and_errors_name_missing_ones() {
    let site = Site::new("rights");
    let secrets = [
        json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}),
        json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["sql-tls"], "verbs": ["get", "update"]}),
    ];
    let configurations = json!({"apiGroups": ["admissionregistration.k8s.io"], "resourceNames": ["rights"],
        "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"], "verbs": ["get", "patch"]});
    let enough = Account::new("rights", "enough", &json!([secrets[0], secrets[1], configurations]));
    let (mut replica, certificate) = site.replica(&enough.client().await);
    replica.reconcile().await.unwrap();
    cluster().must(&["-n", "rights", "delete", "secret", "sql-tls"], "");
    replica.reconcile().await.unwrap();
    replica.reconcile().await.unwrap();
    assert!(site.is_published());
    site.call(&certificate, &site.secret("ca.crt")).unwrap();

    let none = Account::new("rights", "none", &json!([]));
    let (mut replica, certificate) = site.replica(&none.client().await);
    let error = replica.reconcile().await.unwrap_err().to_string();
    let expected = "cannot read the Secret rights/sql-tls: the account needs `create` on secrets in that namespace, \
         and `get` and `update` on this one (secrets \"sql-tls\" is forbidden: ";
    assert!(error.starts_with(expected), "{error}");
    assert_eq!((certificate.current().is_some(), certificate.failures()), (false, 1));

    let unpublished = Account::new("rights", "unpublished", &json!(secrets));
    let (mut replica, certificate) = site.replica(&unpublished.client().await);
    let error = replica.reconcile().await.unwrap_err().to_string();
    let expected = "cannot read mutatingwebhookconfigurations/rights: the account needs `get` and `patch` on it (";
    assert!(error.starts_with(expected), "{error}");
    assert!(certificate.current().is_some(), "the certificate is loaded even if its CA cannot be published");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_namespace_is_an_error() {
    let (mut replica, _) = Site { namespace: "nowhere" }.replica(&administrator().await);
    let error = replica.reconcile().await.unwrap_err().to_string();
    assert_eq!(error, "cannot write the Secret nowhere/sql-tls: namespaces \"nowhere\" not found");
}
