//! Connections: how many, how long they may take, and how they end.
//!
//! Over TLS the client and the server agree on the protocol by ALPN, so that no connection waits in a state in which
//! nobody yet knows what it speaks, and every state has its time-out:
//!
//! | while | ends it |
//! |---|---|
//! | the TLS handshake, the head of a request over HTTP/1.1, the silence before it | the head time-out |
//! | the preface of HTTP/2 | the head time-out (`preface`) |
//! | half a frame, half a head or silence over HTTP/2 | a PING that is not answered, within twice the head time-out |
//! | a request and its answer over HTTP/2 | the stream time-out (`streams`) |
//! | an answer that the client does not read | the stall time-out (`socket`) |
//! | HTTP/2 of which nothing else can be said | its age; clients move to a new connection without losing a request |
//! | the client's side, when this one has ended | a second (`socket`) |
//!
//! The body of a request has its own time-out where it is read.

mod preface;
mod room;
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

use self::preface::Prefaced;
use self::room::{Full, Occupancy, Place};
use self::socket::Socket;
use self::streams::Streams;
use super::metrics::Metrics;

pub use self::room::{Room, WhenFull};

/// How connections are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// How many may be open at once.
    pub room: Room,
    /// How long a client may take for the TLS handshake, and for the head of each request; over HTTP/1.1 also how long
    /// a connection may be idle.
    pub head_time_out: Duration,
    /// How many requests a client may have under way on one HTTP/2 connection. The API server opens another for more.
    pub streams: u32,
    /// How long one of them may last, from its head to the end of the answer.
    pub stream_time_out: Duration,
}

/// How long a client may take nothing of an answer.
const STALL: Duration = Duration::from_secs(10);
/// How old an HTTP/2 connection may get before its client is asked to open another.
const AGE: Duration = Duration::from_secs(600);
/// How long nothing is accepted after the system had no resources for it.
const BREATHER: Duration = Duration::from_millis(50);
/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

/// What connections speak.
#[derive(Clone)]
pub enum Transport {
    /// TLS.
    Tls(TlsAcceptor),
    /// Nothing beneath HTTP.
    Plain,
}

/// A listener and what it does with connections.
pub struct Listener {
    /// Where connections come in.
    pub socket: TcpListener,
    /// What they speak.
    pub transport: Transport,
    /// What answers their requests.
    pub router: Router,
    /// How they are treated.
    pub limits: ConnectionLimits,
    /// Where they are counted.
    pub metrics: Arc<Metrics>,
}

impl Listener {
    /// Accepts connections until `stop` says true; then lets requests under way be answered, for at most `grace`.
    pub async fn run(self, mut stop: watch::Receiver<bool>, grace: Duration) {
        let (stopping, end) = watch::channel(());
        let reception = Arc::new(Reception {
            transport: self.transport,
            service: TowerToHyperService::new(self.router),
            limits: self.limits,
            occupancy: Occupancy::new(self.limits.room),
            metrics: self.metrics,
        });
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, peer)) => reception.admit(stream, peer, end.clone()),
                Err(error) => refuse(&reception.metrics, &error).await,
            }
        }
        // Those who have already been let in by the system are told in HTTP, and not by a reset.
        while let Some(Ok((stream, peer))) = self.socket.accept().now_or_never() {
            reception.admit(stream, peer, end.clone());
        }
        drop((self.socket, end));
        let _ = stopping.send(());
        if timeout(grace, stopping.closed()).await.is_err() {
            tracing::warn!("some requests were not answered in time and are cut off");
        }
    }
}

/// A connection that could not be accepted: usually the client is gone, or there are no more file descriptors.
async fn refuse(metrics: &Metrics, error: &io::Error) {
    metrics.connection_refused("accept");
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!("a connection could not be accepted: {error}");
        sleep(BREATHER).await;
    }
}

struct Reception {
    transport: Transport,
    service: TowerToHyperService<Router>,
    limits: ConnectionLimits,
    occupancy: Arc<Occupancy>,
    metrics: Arc<Metrics>,
}

/// A connection is counted as open until this is dropped.
struct Counted(Arc<Metrics>);

impl Counted {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.connections.inc();
        Counted(Arc::clone(metrics))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

/// Says when connections are to end. The listener waits until all of these are dropped.
type End = watch::Receiver<()>;

impl Reception {
    fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, end: End) {
        match self.occupancy.enter(peer.ip()) {
            Ok(place) => drop(tokio::spawn(Arc::clone(self).hold(stream, place, end))),
            Err(Full::Limit) => self.metrics.connection_refused("limit"),
            Err(Full::Peer) => self.metrics.connection_refused("peer"),
        }
    }

    /// Serves a connection until it ends, or its place is wanted for another.
    async fn hold(self: Arc<Self>, stream: TcpStream, mut place: Place, end: End) {
        let _counted = Counted::new(&self.metrics);
        tokio::select! {
            () = self.serve(stream, end) => {}
            () = place.is_wanted() => {}
        }
    }

    async fn serve(&self, stream: TcpStream, end: End) {
        // Answers are small and written at once.
        let _ = stream.set_nodelay(true);
        match &self.transport {
            Transport::Plain => self.speak_http1(Socket::new(stream, STALL), end).await,
            Transport::Tls(acceptor) => match timeout(self.limits.head_time_out, shake_hands(acceptor, stream)).await {
                Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                    self.speak_http2(stream, end).await;
                }
                Ok(Ok(stream)) => self.speak_http1(stream, end).await,
                Ok(Err(reason)) => self.metrics.connection_refused(reason),
                Err(_) => self.metrics.connection_refused("time_out"),
            },
        }
    }

    async fn speak_http1(&self, stream: impl Stream, mut end: End) {
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(self.limits.head_time_out).max_buf_size(LONGEST_HEAD);
        let connection = server.serve_connection(TokioIo::new(stream), self.service.clone());
        let mut connection = pin!(connection);
        // Why a connection breaks is the client's business.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = end.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }

    async fn speak_http2(&self, stream: impl Stream, mut end: End) {
        let ConnectionLimits { head_time_out, streams, stream_time_out, .. } = self.limits;
        let mut server = http2::Builder::new(Streams { time_out: stream_time_out });
        server.timer(TokioTimer::new()).max_concurrent_streams(streams).max_header_list_size(LONGEST_HEAD as u32);
        server.keep_alive_interval(head_time_out).keep_alive_timeout(head_time_out);
        let stream = TokioIo::new(Prefaced::new(stream, head_time_out));
        let mut connection = pin!(server.serve_connection(stream, self.service.clone()));
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = end.changed() => {}
            () = sleep(AGE) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(stream_time_out, connection).await;
    }
}

/// What bytes come in on.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

type Secured = tokio_rustls::server::TlsStream<Socket>;

/// Agrees on TLS with a client. One that speaks plain HTTP is told so.
async fn shake_hands(acceptor: &TlsAcceptor, stream: TcpStream) -> Result<Secured, &'static str> {
    let mut first = [0];
    let _ = stream.peek(&mut first).await;
    let mut stream = Socket::new(stream, STALL);
    // A TLS record starts with its type, 22; a request line with a capital letter.
    if first.first().is_some_and(u8::is_ascii_uppercase) {
        let answer = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
            this port speaks HTTPS\n";
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        return Err("plain_http");
    }
    acceptor.accept(stream).await.map_err(|_| "handshake")
}
