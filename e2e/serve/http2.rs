//! HTTP/2, which API servers use.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::client::{Authority, Client};
use super::process::{SOON, Server};
use super::reviews::incomplete_review;

pub(super) type Body = BoxBody<Bytes, Infallible>;

/// A connection over HTTP/2.
async fn connect(server: &Server, builder: &Builder<TokioExecutor>) -> SendRequest<Body> {
    let stream = TcpStream::connect(server.reviews).await.unwrap();
    connect_over(stream, server, builder).await
}

/// A connection over an existing TCP connection.
pub(super) async fn connect_over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    server: &Server,
    builder: &Builder<TokioExecutor>,
) -> SendRequest<Body> {
    let connector = tokio_rustls::TlsConnector::from(Authority::client_config(&[&server.authority], "h2"));
    let stream = connector.connect(ServerName::try_from("webhook.test").unwrap(), stream).await.unwrap();
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(super) fn builder() -> Builder<TokioExecutor> {
    Builder::new(TokioExecutor::new())
}

pub(super) fn review(body: Body) -> hyper::Request<Body> {
    let request = hyper::Request::post("https://webhook.test/mutate").header("content-type", "application/json");
    request.body(body).unwrap()
}

pub(super) fn whole(text: String) -> Body {
    Full::new(Bytes::from(text)).boxed()
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let server = Server::start(&[]);
    let sender = connect(&server, &builder()).await;
    let requests = (0..100).map(|_| {
        let mut sender = sender.clone();
        async move {
            let response = sender.send_request(review(whole(incomplete_review().to_string()))).await.unwrap();
            assert_eq!(response.status(), 200);
            response.into_body().collect().await.unwrap().to_bytes()
        }
    });
    for answer in join_all(requests).await {
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert!(answer["response"]["patch"].is_string());
    }
    assert_eq!(server.metric("sqledge_ha_connections "), 1.0);
}

#[test]
fn a_connection_without_a_complete_request_is_closed() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    // A head that continues in another frame, of which half is missing.
    const HEADERS: &[u8] = &[0, 0, 2, 1, 0, 0, 0, 0, 1, 0x83, 0x87];
    const CONTINUATION: &[u8] = &[0, 0, 9, 9, 4, 0, 0, 0, 1, 0x84];
    let server = Server::start(&["--head-timeout=300ms"]);
    let config = Authority::client_config(&[&server.authority], "h2");
    let silent: [&[&[u8]]; 6] = [
        &[],
        &[&PREFACE[..10]],
        &[PREFACE],
        &[PREFACE, SETTINGS],
        &[PREFACE, SETTINGS, HEADERS],
        &[PREFACE, SETTINGS, HEADERS, CONTINUATION],
    ];
    for sent in silent {
        let mut client = Client::connect_with(server.reviews, Arc::clone(&config)).unwrap();
        client.send(&sent.concat()).unwrap();
        client.wait_for_end();
    }
    // The same over HTTP/1.1.
    server.connect().wait_for_end();
    server.wait_for_metric("sqledge_ha_connections ", 0.0);
}

#[tokio::test]
async fn an_error_arrives_although_the_body_is_not_read() {
    let server = Server::start(&["--max-body=1"]);
    let large =
        || BodyExt::boxed(StreamBody::new(stream::iter((0..64).map(|_| Ok(Frame::data(vec![b' '; 1 << 16].into()))))));
    let mut other_type = review(large());
    other_type.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    for (request, status, text) in [(review(large()), 413, "larger than"), (other_type, 415, "application/json")] {
        let mut sender = connect(&server, &builder()).await;
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), status);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(text), "{body:?}");
    }
}

#[tokio::test]
async fn an_incomplete_body_times_out() {
    let server = Server::start(&["--body-timeout=300ms"]);
    let half = stream::iter([Ok(Frame::data(Bytes::from("{")))]).chain(stream::pending());
    let mut sender = connect(&server, &builder()).await;
    let response = sender.send_request(review(BodyExt::boxed(StreamBody::new(half)))).await.unwrap();
    assert_eq!(response.status(), 408);
}

#[tokio::test]
async fn a_stream_whose_answer_is_not_read_is_reset() {
    let server = Server::start(&["--body-timeout=100ms", "--deadline=100ms"]);
    // A window that is closed from the start.
    let mut sender = connect(&server, builder().initial_stream_window_size(0)).await;
    let response = sender.send_request(review(whole(incomplete_review().to_string()))).await.unwrap();
    let body = tokio::time::timeout(SOON, response.into_body().collect()).await.unwrap();
    assert!(body.is_err());
}
