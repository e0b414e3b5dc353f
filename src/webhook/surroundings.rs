//! What the webhook needs around it, made of the command line: a certificate, a cluster, and those who keep them current.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use prometheus_client::collector::Collector;
use sqledge_ha_policy::settings::Settings;
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;

use super::blocking::beside;
use super::caches::{Caches, Kind};
use super::certificate::{Certificate, server_config};
use super::cluster_client;
use super::figures::{CacheFigures, CertificateFigures};
use super::health::Condition;
use super::life::Watcher;
use super::listener::Transport;
use super::self_signed::{SelfSigned, Service};
use super::tls_files::{self, TlsFiles};
use crate::cli::{ClusterAccess, Tls};
use crate::exit::Failure;
use crate::module::{NoWorld, World};

/// How long the webhook waits for the first look at the cluster before it is ready without: rules that need to see
/// other objects stay silent until then.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A certificate, a cluster, and those who keep them current.
pub struct Surroundings {
    /// What connections speak.
    pub transport: Transport,
    /// Where look-ups are answered from.
    pub world: Arc<dyn World>,
    /// What has to be there before requests are welcome.
    pub conditions: Vec<Condition>,
    /// What has to run meanwhile.
    pub watchers: Vec<Watcher>,
    /// Figures of all that.
    pub collectors: Vec<Box<dyn Collector>>,
    /// The cluster, if there is one to look at.
    client: Option<Client>,
}

impl Surroundings {
    /// Loads or asks for a certificate, and finds the cluster. Nothing of it depends on the module, which may be long on
    /// its way: what is wrong is told before.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 for files that do not hold what they should, and a cluster that is not to be found.
    pub async fn of(tls: &Tls, access: &ClusterAccess) -> Result<Self, Failure> {
        let mut surroundings = Surroundings {
            transport: Transport::Plain,
            world: Arc::new(NoWorld),
            conditions: Vec::new(),
            watchers: Vec::new(),
            collectors: Vec::new(),
            client: client(access).await?,
        };
        if !tls.insecure_http {
            surroundings.present(tls)?;
        }
        Ok(surroundings)
    }

    /// Starts to watch the kinds that the module looks up. `settings` are those of the embedded module, if it is that one:
    /// it is known what matters to it.
    pub fn watch(&mut self, kinds: &[Kind], settings: Option<&Settings>) {
        let Some(client) = &self.client else { return };
        let caches = Caches::start(client, kinds.iter().cloned(), settings);
        self.world = Arc::clone(&caches) as Arc<dyn World>;
        self.collectors.push(Box::new(CacheFigures(Arc::clone(&caches))));
        let started = Instant::now();
        let holds = Box::new(move || caches.settled() || started.elapsed() > LONGEST_WAIT);
        self.conditions.push(Condition { holds, missing: "the cluster's objects are not in view yet" });
    }

    fn present(&mut self, tls: &Tls) -> Result<(), Failure> {
        let certificate = Certificate::new();
        if let (Some(chain), Some(key)) = (&tls.tls_cert, &tls.tls_key) {
            let files = TlsFiles::load(chain.clone(), key.clone(), Arc::clone(&certificate)).map_err(usage)?;
            self.watchers.push(Box::pin(files.follow(tls_files::POLL)));
        } else if let (Some(service), Some(client)) = (&tls.service, &self.client) {
            let service: Service = service.parse().map_err(usage)?;
            let own = SelfSigned::new(client.clone(), service, &tls.webhook_configuration, Arc::clone(&certificate));
            self.watchers.push(Box::pin(own.run()));
        }
        let config = server_config(Arc::clone(&certificate));
        let config = config.map_err(|error| Failure::usage(format!("cannot speak TLS: {error}")))?;
        self.transport = Transport::Tls(TlsAcceptor::from(config));
        self.collectors.push(Box::new(CertificateFigures(Arc::clone(&certificate))));
        let holds = Box::new(move || certificate.is_loaded());
        self.conditions.push(Condition { holds, missing: "there is no certificate yet" });
        Ok(())
    }
}

async fn client(access: &ClusterAccess) -> Result<Option<Client>, Failure> {
    if access.no_cluster {
        return Ok(None);
    }
    let (kubeconfig, runtime) = (access.kubeconfig.clone(), Handle::current());
    // A kubeconfig may name a program that makes the credentials. It takes its time, and kube awaits nothing meanwhile.
    let connected = beside(move || {
        runtime.block_on(cluster_client::connect(kubeconfig.as_deref())).map_err(|error| {
            let help = "name a cluster with --kubeconfig, or look nothing up with --no-cluster";
            Failure::usage(format!("{error}; {help}"))
        })
    });
    connected.await.map(Some)
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::usage(error.to_string())
}
