//! The webhook itself is updated, one replica after the other, under a load of requests that fail without an answer.
//!
//! The clusters have no pod network. A balancer stands for kube-proxy, and this file for the controllers and the
//! kubelet, with the times that they need.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Client, Error};
use serde_json::{Value, json};
use sqledge_ha::cluster_client::connect;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::application::Application;
use crate::environment::RUNTIME;
use crate::kubernetes::Cluster;
use crate::process::Server;
use crate::results::{self, Table};
use crate::scenario::seconds;
use crate::webhook_configurations::{list, manifests, webhook_configurations};

/// How long kube-proxy sends new connections to a pod that is being deleted, and none to one that has become ready.
const PROPAGATION: Duration = Duration::from_secs(2);

/// What `serve` does by default. The other tests have no drain period.
const DRAIN: &str = "--drain=5s";

/// How many clients send requests at a time.
const CLIENTS: usize = 8;

/// The address of a Service: each connection goes to one of its endpoints, and stays there when the endpoint is
/// removed.
struct Balancer {
    address: SocketAddr,
    endpoints: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Balancer {
    async fn start(endpoints: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endpoints = Arc::new(Mutex::new(endpoints));
        let current = Arc::clone(&endpoints);
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((mut client, _)) = listener.accept().await else { return };
                let endpoint = {
                    let endpoints = current.lock().unwrap();
                    endpoints[number % endpoints.len()]
                };
                tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(endpoint).await {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Balancer { address, endpoints }
    }

    /// Adds an endpoint and removes another, when kube-proxy has seen both.
    async fn replace(&self, old: SocketAddr, new: SocketAddr) {
        tokio::time::sleep(PROPAGATION).await;
        let mut endpoints = self.endpoints.lock().unwrap();
        endpoints.retain(|endpoint| *endpoint != old);
        endpoints.push(new);
    }
}

/// What became of the requests.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    requests: AtomicUsize,
    failures: Mutex<Vec<String>>,
    longest: Mutex<Duration>,
}

impl Load {
    /// Runs a request. `is_right` says whether the answer is that of the rules.
    async fn request<T>(
        &self,
        sent: impl Future<Output = Result<T, Error>>,
        is_right: impl FnOnce(&Result<T, Error>) -> bool,
    ) {
        let started = Instant::now();
        let answer = sent.await;
        self.requests.fetch_add(1, Ordering::Relaxed);
        if !is_right(&answer) {
            let error = answer.err().map_or_else(|| "allowed unchecked".to_owned(), |error| error.to_string());
            self.failures.lock().unwrap().push(error);
        }
        let mut longest = self.longest.lock().unwrap();
        *longest = longest.max(started.elapsed());
    }

    /// Creates, changes, scales and deletes objects until it is stopped.
    async fn run(self: Arc<Self>, client: Client, name: String) {
        let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
        let services: Api<Service> = Api::default_namespaced(client);
        let deployment: Deployment = serde_json::from_value(database(&name)).unwrap();
        let service: Service = serde_json::from_value(json!({"metadata": {"name": name},
            "spec": {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": 1433}]}}))
        .unwrap();
        let (post, patch) = (PostParams::default(), PatchParams::default());
        let change = Patch::Strategic(json!({"spec": {"template": {"metadata": {"labels": {"changed": "yes"}}}}}));
        let two = Patch::Merge(json!({"spec": {"replicas": 2}}));
        let is_mutated = |answer: &Result<Deployment, Error>| {
            let strategy =
                answer.as_ref().ok().and_then(|stored| stored.spec.as_ref()?.strategy.as_ref()?.type_.as_deref());
            strategy == Some("Recreate")
        };
        while !self.stop.load(Ordering::Relaxed) {
            self.request(deployments.create(&post, &deployment), is_mutated).await;
            self.request(services.create(&post, &service), Result::is_ok).await;
            self.request(deployments.patch(&name, &patch, &change), is_mutated).await;
            self.request(deployments.patch_scale("ledger", &patch, &two), is_rejected).await;
            for deleted in [
                deployments.delete(&name, &DeleteParams::default()).await.err(),
                services.delete(&name, &DeleteParams::default()).await.err(),
            ] {
                // A creation that failed left nothing to delete.
                assert!(deleted.is_none_or(|error| error.to_string().contains("not found")));
            }
        }
    }
}

fn is_rejected<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Api(status)) if status.message.contains("- single-replica: "))
}

/// A Deployment that lacks only what the webhook adds.
fn database(name: &str) -> Value {
    let application = Application::deployment("ReadWriteOncePod").incomplete().named(name);
    application.objects.into_iter().find(|object| object["kind"] == "Deployment").unwrap()
}

/// How many reviews the webhook answered.
fn answers(server: &Server) -> usize {
    server.log().iter().filter(|line| line["path"].is_string()).count()
}

/// The time that the kubelet gives the webhook's pods to end.
fn grace_period() -> Duration {
    let (_, others) = manifests(&[]);
    let deployment = others.iter().find(|object| object["kind"] == "Deployment").unwrap();
    Duration::from_secs(deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap())
}

/// Both replicas are replaced, and no request remains without an answer. Then both die, and requests do.
pub(crate) fn no_request_remains_unanswered() {
    let cluster = Cluster::api_only();
    let kubeconfig = cluster.kubeconfig();
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.yaml");
    std::fs::write(&settings, "exposure: internal\n").unwrap();
    let flags = [DRAIN, "--log-level=debug", &format!("--settings={}", settings.display())];
    let first = Server::start_in(kubeconfig, &flags);
    let mut old = vec![first.start_beside(kubeconfig, &flags), first];
    old.iter().for_each(Server::wait_until_ready);
    let balancer = RUNTIME.block_on(Balancer::start(old.iter().map(|server| server.reviews).collect()));
    let fail = ["--services-failure-policy=Fail", "--scale-failure-policy=Fail", "--related-failure-policy=Fail"];
    let configurations = webhook_configurations(balancer.address, old[0].authority.pem(), &fail);
    cluster.must(&["apply", "-f", "-"], &list(&configurations));
    let client = RUNTIME.block_on(connect(Some(Path::new(kubeconfig)))).unwrap();
    RUNTIME.block_on(until_checked(&client));

    let load = Arc::new(Load::default());
    let start = |load: &Arc<Load>| {
        let clients = (0..CLIENTS).map(|number| Arc::clone(load).run(client.clone(), format!("load-{number}")));
        let mut running = JoinSet::new();
        clients.for_each(|client| _ = running.spawn_on(client, RUNTIME.handle()));
        running
    };
    let running = start(&load);
    std::thread::sleep(Duration::from_secs(1));
    let (mut new, mut by_old) = (Vec::new(), 0);
    while let Some(mut leaving) = old.pop() {
        let replica = leaving.start_beside(kubeconfig, &flags);
        replica.wait_until_ready();
        // The kubelet and the controller of EndpointSlices see at the same time that the pod is deleted.
        leaving.terminate();
        let asked = Instant::now();
        RUNTIME.block_on(balancer.replace(leaving.reviews, replica.reviews));
        assert!(leaving.wait().success());
        assert!(asked.elapsed() < grace_period(), "{:?}", asked.elapsed());
        by_old += answers(&leaving);
        new.push(replica);
    }
    std::thread::sleep(Duration::from_secs(2));
    finish(&load, running);
    let by_new = new.iter().map(answers).sum::<usize>();
    assert_eq!(*load.failures.lock().unwrap(), [""; 0]);
    let requests = load.requests.load(Ordering::Relaxed);
    assert!(requests > 200 && by_old > 50 && by_new > 50, "{requests} {by_old} {by_new}");
    row(
        0,
        "both replicas are replaced, one after the other",
        &load,
        &format!("answered by the old replicas: {by_old} reviews, by the new ones: {by_new} reviews"),
    );

    // The same measurement notices replicas that die.
    let load = Arc::new(Load::default());
    let running = start(&load);
    std::thread::sleep(Duration::from_millis(500));
    new.iter().for_each(Server::kill);
    std::thread::sleep(Duration::from_secs(1));
    finish(&load, running);
    let failures = load.failures.lock().unwrap().clone();
    assert!(failures.iter().any(|error| error.contains("failed calling webhook")), "{failures:#?}");
    row(1, "for comparison: both replicas are killed at the same time", &load, "rejected by the failure policy `Fail`");
}

fn finish(load: &Load, mut running: JoinSet<()>) {
    load.stop.store(true, Ordering::Relaxed);
    RUNTIME.block_on(async {
        while let Some(ended) = running.join_next().await {
            ended.unwrap();
        }
    });
}

fn row(place: usize, event: &str, load: &Load, remark: &str) {
    let failures = load.failures.lock().unwrap().len();
    let failed = if failures == 0 { "none failed".to_owned() } else { format!("{failures} requests failed") };
    let requests = format!("{} requests", load.requests.load(Ordering::Relaxed));
    let longest = seconds(*load.longest.lock().unwrap());
    results::row(Table::RollingUpdate, place, &[event.to_owned(), requests, failed, longest, remark.to_owned()]);
}

/// Waits until a database is stored with mutations, and a scale request for it is rejected: then all webhooks are
/// called, and the caches know the database.
async fn until_checked(client: &Client) {
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    let ledger: Deployment = serde_json::from_value(database("ledger")).unwrap();
    let two = Patch::Merge(json!({"spec": {"replicas": 2}}));
    deployments.create(&PostParams::default(), &ledger).await.unwrap();
    for _ in 0..200 {
        let dry_run = PatchParams { dry_run: true, ..PatchParams::default() };
        if is_rejected(&deployments.patch_scale("ledger", &dry_run, &two).await) {
            // The other configuration can take effect a little later.
            return tokio::time::sleep(Duration::from_millis(500)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the API server does not call the webhook");
}
