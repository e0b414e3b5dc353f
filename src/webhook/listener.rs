//! Connections: limits, timeouts, and shutdown.
//!
//! ALPN in the TLS handshake decides the protocol, so each phase of a connection has a known timeout:
//!
//! | phase | timeout |
//! |---|---|
//! | TLS handshake; over HTTP/1.1 the head of a request and the idle time before it | head timeout |
//! | HTTP/2 connection preface | head timeout (`preface`) |
//! | incomplete frames or heads, or idle, over HTTP/2 | a PING without an answer within twice the head timeout |
//! | a request and its answer over HTTP/2 | stream timeout (`streams`) |
//! | an answer that the client does not read | write timeout (`socket`) |
//! | HTTP/2 connection | maximum age; the client then opens another without losing a request |
//! | the client's close after ours | one second (`socket`) |
//!
//! Receiving a body has its own timeout, in `routes`.
//!
//! axum-server 0.9 does not replace this module: it fixes the executor of HTTP/2 streams, so
//! `e2e/serve/http2.rs::a_stream_whose_answer_is_not_read_is_reset` fails. It also has no maximum age for connections.

mod connection_limit;
mod distrust;
mod preface;
mod socket;
mod streams;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures::FutureExt;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use self::connection_limit::{ConnectionPermit, LimitReached, OpenConnections};
use self::distrust::DistrustLog;
use self::preface::PrefaceTimeout;
use self::socket::Socket;
use self::streams::StreamExecutor;
use super::metrics::{CloseReason, Metrics};

pub use self::connection_limit::{ConnectionLimit, OverflowPolicy};

/// The limits for connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// The maximum number of open connections.
    pub connections: ConnectionLimit,
    /// How long the TLS handshake and the head of each request may take; over HTTP/1.1 also how long a connection may
    /// be idle.
    pub head_timeout: Duration,
    /// The maximum number of requests in flight on an HTTP/2 connection.
    pub streams: u32,
    /// How long a request over HTTP/2 may take, from its head to the end of the answer.
    pub stream_timeout: Duration,
}

/// How long a client may read nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The age at which an HTTP/2 connection is closed gracefully.
const MAX_HTTP2_AGE: Duration = Duration::from_secs(600);
/// How long to wait after `accept` failed, for example because of too many open files.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);
/// The maximum size of a request's head in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// What is below HTTP.
#[derive(Clone)]
pub enum Transport {
    /// TLS.
    Tls(TlsAcceptor),
    /// TCP.
    Plain,
}

/// A listener for connections, and what it serves.
pub struct Listener {
    /// The listening socket.
    pub socket: TcpListener,
    /// TLS, or plain HTTP.
    pub transport: Transport,
    /// The service for requests.
    pub router: Router,
    /// The limits for connections.
    pub limits: ConnectionLimits,
    /// Counts connections.
    pub metrics: Arc<Metrics>,
}

impl Listener {
    /// Accepts connections until `stop` is true. Then finishes the requests in flight, for at most `grace`.
    pub async fn run(self, mut stop: watch::Receiver<bool>, grace: Duration) {
        let (stopping, shutdown) = watch::channel(());
        let handler = Arc::new(ConnectionHandler {
            transport: self.transport,
            service: TowerToHyperService::new(self.router),
            limits: self.limits,
            open: OpenConnections::new(self.limits.connections),
            metrics: self.metrics,
            distrust: DistrustLog::default(),
        });
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, peer)) => handler.accept(stream, peer, shutdown.clone()),
                Err(error) => retry_accept(&handler.metrics, &error).await,
            }
        }
        // Closing the socket would reset the connections that the kernel has already accepted.
        while let Some(Ok((stream, peer))) = self.socket.accept().now_or_never() {
            handler.accept(stream, peer, shutdown.clone());
        }
        drop((self.socket, shutdown));
        let _ = stopping.send(());
        if timeout(grace, stopping.closed()).await.is_err() {
            tracing::warn!("the grace period is over; some requests have no answer");
        }
    }
}

/// Counts a failed `accept`, and waits, unless it was the client that closed the connection.
async fn retry_accept(metrics: &Metrics, error: &io::Error) {
    metrics.count_rejected_connection(CloseReason::Accept);
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!("cannot accept a connection: {error}");
        sleep(ACCEPT_RETRY_DELAY).await;
    }
}

/// Serves connections.
struct ConnectionHandler {
    transport: Transport,
    service: TowerToHyperService<Router>,
    limits: ConnectionLimits,
    open: Arc<OpenConnections>,
    metrics: Arc<Metrics>,
    distrust: DistrustLog,
}

/// Counts a connection as open until it is dropped.
struct OpenConnection(Arc<Metrics>);

impl OpenConnection {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.connections.inc();
        OpenConnection(Arc::clone(metrics))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

/// Changes when connections must close. The listener waits until all receivers are dropped.
type Shutdown = watch::Receiver<()>;

impl ConnectionHandler {
    fn accept(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, shutdown: Shutdown) {
        match self.open.acquire(peer.ip()) {
            Ok(permit) => drop(tokio::spawn(Arc::clone(self).serve_until_evicted(stream, permit, shutdown))),
            Err(LimitReached::Total) => self.metrics.count_rejected_connection(CloseReason::Limit),
            Err(LimitReached::Address) => self.metrics.count_rejected_connection(CloseReason::Peer),
        }
    }

    async fn serve_until_evicted(self: Arc<Self>, stream: TcpStream, mut permit: ConnectionPermit, shutdown: Shutdown) {
        let _open = OpenConnection::new(&self.metrics);
        tokio::select! {
            () = self.serve(stream, shutdown) => {}
            () = permit.evicted() => {}
        }
    }

    async fn serve(&self, stream: TcpStream, shutdown: Shutdown) {
        let _ = stream.set_nodelay(true);
        let acceptor = match &self.transport {
            Transport::Plain => return self.serve_http1(Socket::new(stream, WRITE_TIMEOUT), shutdown).await,
            Transport::Tls(acceptor) => acceptor,
        };
        match timeout(self.limits.head_timeout, tls_handshake(acceptor, stream, &self.distrust)).await {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.serve_http2(stream, shutdown).await;
            }
            Ok(Ok(stream)) => self.serve_http1(stream, shutdown).await,
            Ok(Err(reason)) => self.metrics.count_rejected_connection(reason),
            Err(_) => self.metrics.count_rejected_connection(CloseReason::Timeout),
        }
    }

    async fn serve_http1(&self, stream: impl Stream, mut shutdown: Shutdown) {
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(self.limits.head_timeout).max_buf_size(MAX_HEAD_BYTES);
        let connection = server.serve_connection(TokioIo::new(stream), self.service.clone());
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = shutdown.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }

    async fn serve_http2(&self, stream: impl Stream, mut shutdown: Shutdown) {
        let ConnectionLimits { head_timeout, streams, stream_timeout, .. } = self.limits;
        let mut server = http2::Builder::new(StreamExecutor { timeout: stream_timeout });
        server.timer(TokioTimer::new()).max_concurrent_streams(streams).max_header_list_size(MAX_HEAD_BYTES as u32);
        server.keep_alive_interval(head_timeout).keep_alive_timeout(head_timeout);
        let stream = TokioIo::new(PrefaceTimeout::new(stream, head_timeout));
        let mut connection = pin!(server.serve_connection(stream, self.service.clone()));
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = shutdown.changed() => {}
            () = sleep(MAX_HTTP2_AGE) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(stream_timeout, connection).await;
    }
}

/// A connection below HTTP.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// Runs the TLS handshake. A client that speaks plain HTTP gets an HTTP error.
async fn tls_handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    distrust: &DistrustLog,
) -> Result<TlsStream<Socket>, CloseReason> {
    let mut first = [0];
    let _ = stream.peek(&mut first).await;
    let mut stream = Socket::new(stream, WRITE_TIMEOUT);
    // A TLS handshake starts with the byte 22, an HTTP request with an uppercase letter.
    if first.first().is_some_and(u8::is_ascii_uppercase) {
        let answer = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
            this port speaks HTTPS\n";
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        return Err(CloseReason::PlainHttp);
    }
    let accepted = acceptor.accept(stream).await;
    accepted.map_err(|error| if distrust.record(&error) { CloseReason::Untrusted } else { CloseReason::Handshake })
}
