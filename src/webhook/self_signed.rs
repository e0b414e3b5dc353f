//! `--self-signed`: certificates of an authority of this program's own, shared by its replicas through a Secret and
//! published in the webhook configurations.
//!
//! | file | holds |
//! |---|---|
//! | `authority` | how authorities and leaves follow each other: pure |
//! | `stored`, `issue` | the Secret's data, read and verified; certificates, made |
//! | `service` | the Service and its names |
//! | `secret`, `configurations`, `api` | the objects on the API server |
//!
//! The account needs `create` on Secrets of the namespace, `get` and `update` on the one Secret, and `get` and `patch`
//! on the one MutatingWebhookConfiguration and the one ValidatingWebhookConfiguration. Nothing is listed or watched:
//! every replica looks once in a while, which repairs whatever others have done to these objects.

mod api;
mod authority;
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

use self::authority::{Plan, Situation, plan};
use self::configurations::Configuration;
use self::issue::AuthorityCertificate;
use self::stored::{Leaf, verify};
use super::certificate::Certificate;

pub use self::api::RequestError;
pub use self::authority::Lifetimes;
pub use self::service::{NotAService, Service};

/// How long a replica waits before it looks again; each time somewhere in between.
pub const POLL: Range<Duration> = Duration::from_secs(30)..Duration::from_secs(60);

/// How often a replica tries to agree with the others in one round.
const ATTEMPTS: u32 = 10;

/// Why a round did not succeed. The next one may.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account may not use the Secret.
    #[error(
        "cannot {deed} the Secret {namespace}/{name}: the account needs `create` on secrets in that namespace, \
         and `get` and `update` on this one ({source})"
    )]
    SecretForbidden {
        /// What was tried.
        deed: &'static str,
        /// Where.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// What the API server said.
        source: RequestError,
    },
    /// The Secret cannot be read or written for another reason.
    #[error("cannot {deed} the Secret {namespace}/{name}: {source}")]
    Secret {
        /// What was tried.
        deed: &'static str,
        /// Where.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// What the API server said.
        source: RequestError,
    },
    /// The account may not use a webhook configuration.
    #[error("cannot {deed} {resource}/{name}: the account needs `get` and `patch` on it ({source})")]
    ConfigurationForbidden {
        /// What was tried.
        deed: &'static str,
        /// Which of the two resources.
        resource: &'static str,
        /// The configuration's name.
        name: String,
        /// What the API server said.
        source: RequestError,
    },
    /// A webhook configuration cannot be read or patched for another reason.
    #[error("cannot {deed} {resource}/{name}: {source}")]
    Configuration {
        /// What was tried.
        deed: &'static str,
        /// Which of the two resources.
        resource: &'static str,
        /// The configuration's name.
        name: String,
        /// What the API server said.
        source: RequestError,
    },
    /// Others write the same object again and again.
    #[error("{what} is changed by others all the time")]
    Contended {
        /// The object.
        what: String,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Issue(#[from] rcgen::Error),
}

/// One replica's part in keeping the certificates.
pub struct SelfSigned {
    client: Client,
    service: Service,
    configurations: [Configuration; 2],
    certificate: Arc<Certificate>,
    lifetimes: Lifetimes,
    poll: Range<Duration>,
    /// The bundle of the round before.
    remembered: Vec<AuthorityCertificate>,
    /// The bundle that stood in all configurations when the last round ended.
    published: Vec<AuthorityCertificate>,
    told: Option<String>,
}

impl SelfSigned {
    /// Keeps `certificate` valid for a Service, and published in the two webhook configurations called
    /// `configuration`. Nothing happens before [`SelfSigned::round`] or [`SelfSigned::run`].
    pub fn new(client: Client, service: Service, configuration: &str, certificate: Arc<Certificate>) -> Self {
        SelfSigned {
            client,
            service,
            configurations: Configuration::both(configuration),
            certificate,
            lifetimes: Lifetimes::default(),
            poll: POLL,
            remembered: Vec::new(),
            published: Vec::new(),
            told: None,
        }
    }

    /// With other lifetimes than the default.
    #[must_use]
    pub fn with_lifetimes(self, lifetimes: Lifetimes) -> Self {
        SelfSigned { lifetimes, ..self }
    }

    /// With other pauses between rounds than [`POLL`].
    #[must_use]
    pub fn with_poll(self, poll: Range<Duration>) -> Self {
        SelfSigned { poll, ..self }
    }

    /// Rounds, for ever. A failure is told when it begins, changes and ends.
    pub async fn run(mut self) {
        let mut failures = 0;
        loop {
            match self.round().await {
                Ok(()) => failures = 0,
                Err(_) => failures += 1,
            }
            tokio::time::sleep(pause(&self.poll, failures)).await;
        }
    }

    /// One round: agrees with the other replicas, publishes whom to trust, and presents the certificate.
    ///
    /// # Errors
    /// [`Error`], already logged and counted. The certificate is presented even if it could not be published.
    pub async fn round(&mut self) -> Result<(), Error> {
        let outcome = self.agree_and_publish().await;
        self.tell(outcome.as_ref().err());
        outcome
    }

    async fn agree_and_publish(&mut self) -> Result<(), Error> {
        let Plan { leaf, bundle, .. } = self.agree().await?;
        let publishing = self.publish(&bundle).await;
        if let Some(leaf) = leaf {
            self.present(leaf, &bundle);
        }
        self.published = if publishing.is_ok() { bundle.clone() } else { Vec::new() };
        self.remembered = bundle;
        publishing
    }

    /// Finds what is valid for all replicas, and makes what is missing. Whoever writes first is followed by the others.
    async fn agree(&self) -> Result<Plan, Error> {
        for _ in 0..ATTEMPTS {
            let found = secret::read(&self.client, &self.service).await?;
            let situation = Situation {
                service: &self.service,
                lifetimes: self.lifetimes,
                now: OffsetDateTime::now_utc(),
                remembered: &self.remembered,
                published: &self.published,
            };
            let plan = plan(&found.data, &situation)?;
            if plan.data == found.data {
                return Ok(plan);
            }
            if secret::write(&self.client, &self.service, found, &plan.data).await? {
                self.tell_plan(&plan);
                return Ok(plan);
            }
        }
        Err(Error::Contended { what: format!("the Secret {}/{}", self.service.namespace, self.service.secret_name()) })
    }

    /// Publishes in both configurations, even if one of them fails.
    async fn publish(&mut self, bundle: &[AuthorityCertificate]) -> Result<(), Error> {
        let mut outcome = Ok(());
        for configuration in &mut self.configurations {
            outcome = outcome.and(configuration.publish(&self.client, &self.service, bundle).await);
        }
        outcome
    }

    /// Presents a leaf. One of an authority that was only just published waits for the next round, as long as the one
    /// that is presented will do: API servers take a moment to learn whom to trust.
    fn present(&self, leaf: Leaf, bundle: &[AuthorityCertificate]) {
        let now = OffsetDateTime::now_utc();
        let accepted = |chain, bundle| verify(chain, bundle, &self.service, now).is_ok();
        if let Some(current) = self.certificate.current() {
            let same = current.chain() == leaf.pair.chain();
            if same || accepted(current.chain(), bundle) && !accepted(leaf.pair.chain(), &self.remembered) {
                return;
            }
        }
        tracing::info!(not_after = %leaf.not_after, service = %self.service, "presenting a certificate");
        self.certificate.replace(leaf.pair);
    }

    fn tell_plan(&self, plan: &Plan) {
        let secret = self.service.secret_name();
        for fault in &plan.faults {
            tracing::warn!(secret, fault, "repaired the Secret");
        }
        for step in &plan.steps {
            tracing::info!(secret, step, "wrote the Secret");
        }
    }

    fn tell(&mut self, error: Option<&Error>) {
        if error.is_some() {
            self.certificate.count_failure();
        }
        let text = error.map(Error::to_string);
        match (&self.told, &text) {
            (before, Some(text)) if before.as_ref() != Some(text) => {
                tracing::warn!(error = text, "cannot keep the certificates");
            }
            (Some(_), None) => tracing::info!("the certificates are kept again"),
            _ => {}
        }
        self.told = text;
    }
}

/// How long to wait: somewhere in the range, and less after the first failures.
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
    fn pauses_lie_in_their_range_and_grow_with_failures() {
        for _ in 0..100 {
            assert!(POLL.contains(&pause(&POLL, 0)));
        }
        assert_eq!([1, 2, 3].map(|failures| pause(&POLL, failures).as_secs()), [2, 4, 8]);
        assert!(POLL.contains(&pause(&POLL, 1000)));
    }
}
