//! What the webhook depends on, created from the command line: a certificate, and caches of the cluster's objects.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use prometheus_client::collector::Collector;
use sqledge_ha_policy::settings::Settings;
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;

use super::blocking::run_blocking;
use super::caches::{Caches, ConfirmedCaches, ResourceKind};
use super::certificate::{Certificate, server_config};

use super::collectors::{CacheCollector, CertificateCollector};
use super::events::Events;
use super::health::ReadinessCheck;
use super::lifecycle::BackgroundTask;
use super::listener::Transport;
use super::metrics::Metrics;
use super::self_signed::SelfSigned;
use super::tls_files::{self, TlsFiles};
use crate::cli::{ClusterAccess, Tls};
use crate::cluster_client::{self, Platform};
use crate::exit::CommandError;
use crate::wasm_host::{LookupSource, NoLookups};

/// After this time the webhook is ready even if a cache is not. Until the cache is, rules that look up objects are not
/// checked.
const CACHE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the webhook depends on.
pub struct Dependencies {
    /// TLS, or plain HTTP.
    pub transport: Transport,
    /// Answers the module's look-ups.
    pub lookups: Arc<dyn LookupSource>,
    /// When the webhook is ready.
    pub readiness_checks: Vec<ReadinessCheck>,
    /// Keep certificate and caches up to date.
    pub tasks: Vec<BackgroundTask>,
    /// Metrics of certificate and caches.
    pub collectors: Vec<Box<dyn Collector>>,
    /// The kind of the cluster.
    pub platform: Platform,
    /// The cluster, unless look-ups are switched off.
    client: Option<Client>,
    /// Its objects, once the caches are started.
    caches: Option<Arc<Caches>>,
}

impl Dependencies {
    /// Loads the certificate, or prepares to create one, and connects to the cluster.
    ///
    /// # Errors
    /// [`CommandError`] with exit code 2 for unusable files and for a cluster that is not configured.
    pub async fn load(tls: &Tls, access: &ClusterAccess) -> Result<Self, CommandError> {
        let client = client(access).await?;
        let platform = match &client {
            Some(client) => Platform::detect(client).await,
            None => Platform::default(),
        };
        let mut dependencies = Dependencies {
            transport: Transport::Plain,
            lookups: Arc::new(NoLookups),
            readiness_checks: Vec::new(),
            tasks: Vec::new(),
            collectors: Vec::new(),
            platform,
            client,
            caches: None,
        };
        if !tls.insecure_http {
            dependencies.load_certificate(tls)?;
        }
        Ok(dependencies)
    }

    /// Starts the caches of the kinds that the module looks up. `settings` are those of the embedded module; `None` for
    /// another module.
    pub fn start_caches(&mut self, kinds: &[ResourceKind], settings: Option<&Settings>) {
        let Some(client) = &self.client else { return };
        let caches = Caches::start(client, kinds.iter().cloned(), settings);
        self.lookups = Arc::new(ConfirmedCaches::new(Arc::clone(&caches), client.clone()));
        self.caches = Some(Arc::clone(&caches));
        self.collectors.push(Box::new(CacheCollector(Arc::clone(&caches))));
        let started = Instant::now();
        let is_ready = move || caches.is_ready() || started.elapsed() > CACHE_TIMEOUT;
        let problem = Box::new(move || (!is_ready()).then_some("the caches are not synced"));
        self.readiness_checks.push(ReadinessCheck { problem });
    }

    /// Starts to create Kubernetes Events. Needs the caches.
    pub fn start_events(&mut self, metrics: &Arc<Metrics>) -> Option<Events> {
        let (events, task) = Events::new(self.client.clone()?, self.caches.clone()?, metrics);
        self.tasks.push(task);
        Some(events)
    }

    fn load_certificate(&mut self, tls: &Tls) -> Result<(), CommandError> {
        let certificate = Certificate::new();
        if let (Some(chain), Some(key)) = (&tls.tls_cert, &tls.tls_key) {
            let files = TlsFiles::load(chain.clone(), key.clone(), Arc::clone(&certificate)).map_err(usage)?;
            self.tasks.push(Box::pin(files.watch(tls_files::POLL)));
        } else if let (Some(service), Some(client)) = (&tls.service, &self.client) {
            let own =
                SelfSigned::new(client.clone(), service.clone(), &tls.webhook_configuration, Arc::clone(&certificate));
            self.tasks.push(Box::pin(own.run()));
        }
        let config = server_config(Arc::clone(&certificate));
        let config = config.map_err(|error| CommandError::usage(format!("cannot set up TLS: {error}")))?;
        self.transport = Transport::Tls(TlsAcceptor::from(config));
        self.collectors.push(Box::new(CertificateCollector(Arc::clone(&certificate))));
        self.tasks.push(Box::pin(Arc::clone(&certificate).check_daily()));
        self.readiness_checks.push(ReadinessCheck { problem: Box::new(move || certificate.problem()) });
        Ok(())
    }
}

async fn client(access: &ClusterAccess) -> Result<Option<Client>, CommandError> {
    if access.no_cluster {
        return Ok(None);
    }
    let (kubeconfig, runtime) = (access.kubeconfig.clone(), Handle::current());
    // A kubeconfig can name a program that gets credentials. kube waits for it without yielding.
    let connected = run_blocking(move || {
        runtime.block_on(cluster_client::connect(kubeconfig.as_deref())).map_err(|error| {
            let help = "select a cluster with --kubeconfig, or switch look-ups off with --no-cluster";
            CommandError::usage(format!("{error}; {help}"))
        })
    });
    connected.await.map(Some)
}

fn usage(error: impl std::fmt::Display) -> CommandError {
    CommandError::usage(error.to_string())
}
