//! A proxy between the API server and the webhook. It records reviews and answers, and can simulate network failures.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode, header};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use sqledge_ha::webhook::certificate::{Certificate, CertificateAndKey, server_config};
use sqledge_ha::webhook::listener::{ConnectionLimit, ConnectionLimits, Listener, OverflowPolicy, Transport};
use sqledge_ha::webhook::metrics::Metrics;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::client::Authority;

/// A review of an API server, and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// `/mutate`, `/validate` or `/warn`.
    pub(crate) path: String,
    /// The AdmissionRequest, its objects without `managedFields`.
    pub(crate) request: Value,
    /// The response in the answer; null if there was none.
    pub(crate) response: Value,
}

/// The connection to the webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connectivity {
    /// Open.
    Open,
    /// Every request is delayed.
    Slow(Duration),
    /// Requests get no answer.
    Blocked,
}

struct Shared {
    webhook: SocketAddr,
    trust: Arc<ClientConfig>,
    way: Mutex<Connectivity>,
    recorded: Mutex<Vec<Recorded>>,
}

/// Listens until it is dropped.
pub(crate) struct WebhookProxy {
    /// Its address for the API server.
    pub(crate) address: SocketAddr,
    /// Its certificate, as PEM.
    pub(crate) certificate: String,
    shared: Arc<Shared>,
    _stop: watch::Sender<bool>,
}

impl WebhookProxy {
    /// Starts a proxy for the webhook at an address, whose certificate this CA signed.
    pub(crate) async fn before(webhook: SocketAddr, authority: &Authority) -> Self {
        let own = Authority::new();
        let certificate = Certificate::new();
        certificate.replace(CertificateAndKey::from_pem(own.pem().as_bytes(), own.key().as_bytes()).unwrap());
        let shared = Arc::new(Shared {
            webhook,
            trust: Authority::client_config(&[authority], "http/1.1"),
            way: Mutex::new(Connectivity::Open),
            recorded: Mutex::default(),
        });
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let paths = ["/mutate", "/validate", "/warn"];
        let router = paths.into_iter().fold(Router::new(), |router, path| router.route(path, post(pass_on)));
        let listener = Listener {
            socket,
            transport: Transport::Tls(TlsAcceptor::from(server_config(certificate).unwrap())),
            router: router.with_state(Arc::clone(&shared)),
            limits: ConnectionLimits {
                connections: ConnectionLimit { total: 1000, per_address: 1000, overflow: OverflowPolicy::CloseNewest },
                head_timeout: Duration::from_secs(60),
                streams: 100,
                stream_timeout: Duration::from_secs(60),
            },
            metrics: Arc::new(Metrics::default()),
        };
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(listener.run(stopped, Duration::ZERO));
        WebhookProxy { address, certificate: own.pem().to_owned(), shared, _stop: stop }
    }

    /// Changes the connection to the webhook.
    pub(crate) fn set(&self, way: Connectivity) {
        *self.shared.way.lock().unwrap() = way;
    }

    /// All recorded reviews.
    pub(crate) fn recorded(&self) -> Vec<Recorded> {
        self.shared.recorded.lock().unwrap().clone()
    }
}

async fn pass_on(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let way = *shared.way.lock().unwrap();
    match way {
        Connectivity::Open => {}
        Connectivity::Slow(duration) => tokio::time::sleep(duration).await,
        Connectivity::Blocked => std::future::pending().await,
    }
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let answer = ask(&shared, &path, body.clone()).await;
    shared.record(path, &body, answer.as_ref().ok());
    match answer {
        Ok(answer) => {
            let mut response = Response::new(Body::from(answer));
            response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => {
            let mut response = Response::new(Body::from(error.to_string()));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    }
}

async fn ask(shared: &Shared, path: &str, body: Bytes) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(shared.webhook).await?;
    let name = ServerName::try_from("webhook.test")?;
    let stream = TlsConnector::from(Arc::clone(&shared.trust)).connect(name, stream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = hyper::Request::post(path).header("host", "webhook.test").header("content-type", "application/json");
    let response = sender.send_request(request.body(Full::new(body))?).await?;
    if response.status() != StatusCode::OK {
        return Err(format!("the webhook answered {}", response.status()).into());
    }
    Ok(response.into_body().collect().await?.to_bytes())
}

impl Shared {
    fn record(&self, path: String, review: &[u8], answer: Option<&Bytes>) {
        let mut review: Value = serde_json::from_slice(review).unwrap_or_default();
        let mut request = review["request"].take();
        for object in ["object", "oldObject"] {
            if let Some(metadata) = request[object]["metadata"].as_object_mut() {
                metadata.remove("managedFields");
            }
        }
        let answer = answer.and_then(|answer| serde_json::from_slice::<Value>(answer).ok());
        let response = answer.map(|mut answer| answer["response"].take()).unwrap_or_default();
        self.recorded.lock().unwrap().push(Recorded { path, request, response });
    }
}
