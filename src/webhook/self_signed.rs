//! `--self-signed`: a CA and a serving certificate that the replicas share through a Secret. The CA bundle is published
//! in the webhook configurations.
//!
//! | file | contents |
//! |---|---|
//! | `ca` | the rotation of CAs and serving certificates, a pure function |
//! | `stored`, `issue` | reading the Secret's data, and issuing certificates |
//! | `service` | the Service and its DNS names |
//! | `secret`, `configurations`, `api` | the objects on the API server |
//!
//! The account needs `create` on Secrets in the namespace, `get` and `update` on the one Secret, and `get` and `patch`
//! on the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration. Each replica reads these objects
//! regularly, without a watch, and restores them after changes by others.

mod api;
mod ca;
mod configurations;
mod issue;
mod secret;
mod service;
mod stored;

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use time::OffsetDateTime;

use self::ca::{RotationInput, RotationPlan, plan};
use self::configurations::WebhookConfiguration;
use self::issue::CaCertificate;
use self::stored::{ServingCertificate, verify};
use super::certificate::Certificate;

pub use self::api::RequestError;
pub use self::ca::Lifetimes;
pub use self::service::{InvalidService, Service};

/// The time between two reconciliations: a random value in this range.
pub const POLL: Range<Duration> = Duration::from_secs(30)..Duration::from_secs(60);

/// The maximum number of attempts to write the Secret in one reconciliation.
const MAX_ATTEMPTS: u32 = 10;

/// Why a reconciliation failed. The next one can succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account may not use the Secret.
    #[error(
        "cannot {operation} the Secret {namespace}/{name}: the account needs `create` on secrets in that namespace, \
         and `get` and `update` on this one ({source})"
    )]
    SecretForbidden {
        /// The operation.
        operation: &'static str,
        /// The Secret's namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// The API server's error.
        source: RequestError,
    },
    /// The Secret cannot be read or written for another reason.
    #[error("cannot {operation} the Secret {namespace}/{name}: {source}")]
    Secret {
        /// The operation.
        operation: &'static str,
        /// The Secret's namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// The API server's error.
        source: RequestError,
    },
    /// The account may not use a webhook configuration.
    #[error("cannot {operation} {resource}/{name}: the account needs `get` and `patch` on it ({source})")]
    ConfigurationForbidden {
        /// The operation.
        operation: &'static str,
        /// The resource, in the plural.
        resource: &'static str,
        /// The configuration's name.
        name: String,
        /// The API server's error.
        source: RequestError,
    },
    /// A webhook configuration cannot be read or patched for another reason.
    #[error("cannot {operation} {resource}/{name}: {source}")]
    Configuration {
        /// The operation.
        operation: &'static str,
        /// The resource, in the plural.
        resource: &'static str,
        /// The configuration's name.
        name: String,
        /// The API server's error.
        source: RequestError,
    },
    /// Other clients keep changing the object.
    #[error("too many conflicting changes to {object}")]
    Conflict {
        /// The object.
        object: String,
    },
    /// A certificate cannot be created.
    #[error("cannot create a certificate: {0}")]
    Issue(#[from] rcgen::Error),
}

/// Keeps the certificate of one replica valid.
pub struct SelfSigned {
    client: Client,
    service: Service,
    configurations: [WebhookConfiguration; 2],
    certificate: Arc<Certificate>,
    lifetimes: Lifetimes,
    poll: Range<Duration>,
    /// The CA bundle of the previous reconciliation.
    previous_bundle: Vec<CaCertificate>,
    /// The CA bundle that the previous reconciliation published in all configurations.
    published: Vec<CaCertificate>,
    last_error: Option<String>,
}

impl SelfSigned {
    /// Will keep `certificate` valid for a Service, and its CA published in the two webhook configurations with the
    /// name `configuration`. Does nothing before [`SelfSigned::reconcile`] or [`SelfSigned::run`].
    pub fn new(client: Client, service: Service, configuration: &str, certificate: Arc<Certificate>) -> Self {
        SelfSigned {
            client,
            service,
            configurations: WebhookConfiguration::both(configuration),
            certificate,
            lifetimes: Lifetimes::default(),
            poll: POLL,
            previous_bundle: Vec::new(),
            published: Vec::new(),
            last_error: None,
        }
    }

    /// Sets the lifetimes.
    #[must_use]
    pub fn with_lifetimes(self, lifetimes: Lifetimes) -> Self {
        SelfSigned { lifetimes, ..self }
    }

    /// Sets the time between two reconciliations; the default is [`POLL`].
    #[must_use]
    pub fn with_poll(self, poll: Range<Duration>) -> Self {
        SelfSigned { poll, ..self }
    }

    /// Reconciles in a loop. Errors are logged when they begin, change and end.
    pub async fn run(mut self) {
        let mut failures = 0;
        loop {
            match self.reconcile().await {
                Ok(()) => failures = 0,
                Err(_) => failures += 1,
            }
            tokio::time::sleep(pause(&self.poll, failures)).await;
        }
    }

    /// Updates the Secret that the replicas share, publishes the CA bundle, and loads the serving certificate.
    ///
    /// # Errors
    /// [`Error`], already logged and counted. The certificate is loaded even if the CA bundle cannot be published.
    pub async fn reconcile(&mut self) -> Result<(), Error> {
        let result = self.reconcile_all().await;
        self.log_result(result.as_ref().err());
        result
    }

    async fn reconcile_all(&mut self) -> Result<(), Error> {
        let RotationPlan { certificate, bundle, .. } = self.reconcile_secret().await?;
        let published = self.publish(&bundle).await;
        if let Some(certificate) = certificate {
            self.use_certificate(certificate, &bundle);
        }
        self.published = if published.is_ok() { bundle.clone() } else { Vec::new() };
        self.previous_bundle = bundle;
        published
    }

    /// Reads the Secret, and updates it if needed. If another replica is faster, its update is used.
    async fn reconcile_secret(&self) -> Result<RotationPlan, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let found = secret::read(&self.client, &self.service).await?;
            let input = RotationInput {
                service: &self.service,
                lifetimes: self.lifetimes,
                now: OffsetDateTime::now_utc(),
                previous_bundle: &self.previous_bundle,
                published: &self.published,
            };
            let plan = plan(&found.data, &input)?;
            if plan.data == found.data {
                return Ok(plan);
            }
            if secret::write(&self.client, &self.service, found, &plan.data).await? {
                self.log_plan(&plan);
                return Ok(plan);
            }
        }
        Err(Error::Conflict { object: format!("the Secret {}/{}", self.service.namespace, self.service.secret_name()) })
    }

    /// Publishes the CA bundle in both configurations, even if the first one fails.
    async fn publish(&mut self, bundle: &[CaCertificate]) -> Result<(), Error> {
        let mut result = Ok(());
        for configuration in &mut self.configurations {
            result = result.and(configuration.publish(&self.client, &self.service, bundle).await);
        }
        result
    }

    /// Loads a serving certificate. If its CA was published only now and the current certificate is valid, it waits for
    /// the next reconciliation, because API servers need a moment to see the new bundle.
    fn use_certificate(&self, serving: ServingCertificate, bundle: &[CaCertificate]) {
        let now = OffsetDateTime::now_utc();
        let is_valid = |chain, bundle| verify(chain, bundle, &self.service, now).is_ok();
        if let Some(current) = self.certificate.current() {
            let is_same = current.chain() == serving.pair.chain();
            if is_same || is_valid(current.chain(), bundle) && !is_valid(serving.pair.chain(), &self.previous_bundle) {
                return;
            }
        }
        tracing::info!(not_after = %serving.not_after, service = %self.service, "loaded a serving certificate");
        self.certificate.replace(serving.pair);
    }

    fn log_plan(&self, plan: &RotationPlan) {
        let secret = self.service.secret_name();
        for problem in &plan.problems {
            tracing::warn!(secret, problem, "replaced invalid data in the Secret");
        }
        for step in &plan.steps {
            tracing::info!(secret, step, "updated the Secret");
        }
    }

    fn log_result(&mut self, error: Option<&Error>) {
        if error.is_some() {
            self.certificate.count_failure();
        }
        let text = error.map(Error::to_string);
        match (&self.last_error, &text) {
            (before, Some(text)) if before.as_ref() != Some(text) => {
                tracing::warn!(error = text, "cannot update the certificates");
            }
            (Some(_), None) => tracing::info!("the certificates are up to date again"),
            _ => {}
        }
        self.last_error = text;
    }
}

/// A random time in the range; shorter after the first failures.
fn pause(poll: &Range<Duration>, failures: u32) -> Duration {
    let width = poll.end.saturating_sub(poll.start);
    let random = RandomState::new().hash_one(0) % 1000;
    let regular = poll.start + width.mul_f64(random as f64 / 1000.0);
    match failures {
        0 => regular,
        failures => regular.min(Duration::from_secs(1 << failures.min(6))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_in_the_range_and_grow_with_failures() {
        for _ in 0..100 {
            assert!(POLL.contains(&pause(&POLL, 0)));
        }
        assert_eq!([1, 2, 3].map(|failures| pause(&POLL, failures).as_secs()), [2, 4, 8]);
        assert!(POLL.contains(&pause(&POLL, 1000)));
    }
}
