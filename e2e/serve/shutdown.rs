//! Shutdown with HTTP/2 connections under load.

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::client::conn::http2::SendRequest;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::client::{Authority, Client};
use super::http2::{Body, builder, connect_over, whole};
use super::process::{SOON, Server};
use super::reviews::incomplete_review;

/// A TCP connection that counts errors. hyper's client continues to read after a failed write; Go's, which API servers
/// use, does not, and would lose answers.
struct Watched {
    stream: TcpStream,
    failures: Arc<AtomicUsize>,
}

impl Watched {
    fn watch<T>(&self, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(_)) = outcome {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.watch(outcome)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Sends a review until the webhook is gone, and keeps the UIDs of those that were answered.
///
/// A request without an answer must be one that the client can send again: it was rejected, it was never sent, or its
/// stream is above the last one that the webhook says it has seen.
async fn ask_until_the_end(mut sender: SendRequest<Body>, count: &AtomicUsize) -> BTreeSet<String> {
    let mut answered = BTreeSet::new();
    loop {
        let uid = count.fetch_add(1, Ordering::Relaxed).to_string();
        let mut review = incomplete_review();
        review["request"]["uid"] = json!(uid);
        let response = match sender.send_request(super::http2::review(whole(review.to_string()))).await {
            Ok(response) => response,
            Err(error) => {
                let error_text = format!("{error:?}");
                let is_safe =
                    error.is_canceled() || error_text.contains("NO_ERROR") || error_text.contains("REFUSED_STREAM");
                assert!(is_safe, "{error_text}");
                return answered;
            }
        };
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.expect("the answer ends with its stream");
        answered.insert(uid);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_loses_no_answer_over_http2() {
    for round in 0..8 {
        let failures = Arc::new(AtomicUsize::new(0));
        let mut server = Server::start(&["--log-level=debug"]);
        let count = Arc::new(AtomicUsize::new(0));
        let mut clients = Vec::new();
        for _ in 0..4 {
            let stream = TcpStream::connect(server.reviews).await.unwrap();
            let stream = Watched { stream, failures: Arc::clone(&failures) };
            let sender = connect_over(stream, &server, &builder()).await;
            clients.extend((0..32).map(|_| {
                let (sender, count) = (sender.clone(), Arc::clone(&count));
                tokio::spawn(async move { ask_until_the_end(sender, &count).await })
            }));
        }
        while count.load(Ordering::Relaxed) < 500 + 37 * round {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.terminate();
        let mut answered = BTreeSet::new();
        for client in clients {
            answered.append(&mut tokio::time::timeout(SOON, client).await.unwrap().unwrap());
        }
        assert!(tokio::task::block_in_place(|| server.wait()).success());
        server.wait_for_line(|line| line["message"] == "stopped");
        let decided = server.log().into_iter().filter(|line| line["message"] == "mutated");
        let decided: BTreeSet<String> = decided.map(|line| line["uid"].as_str().unwrap().to_owned()).collect();
        let lost: Vec<_> = decided.difference(&answered).collect();
        assert_eq!(failures.load(Ordering::Relaxed), 0, "round {round}: connections were reset");
        assert!(lost.is_empty(), "round {round}: of {} answers these were lost: {lost:?}", decided.len());
    }
}

/// What a client still sends when it has not read the end yet. The second time it would know of a reset.
fn send_on(client: &mut Client) {
    for _ in 0..2 {
        client.send(PING).expect("the connection still takes what the client sends");
        thread::sleep(Duration::from_millis(100));
    }
}

const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

#[test]
fn a_client_can_send_after_the_webhook_has_closed_its_side() {
    let mut server = Server::start(&[]);
    let config = Authority::client_config(&[&server.authority], "h2");
    let mut http1 = server.connect();
    http1.post("/mutate", &incomplete_review().to_string()).unwrap();
    let mut http2 = Client::connect_with(server.reviews, config).unwrap();
    http2.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    // The webhook's settings, so that it speaks HTTP/2 already.
    http2.receive_frame().unwrap().unwrap();
    server.terminate();
    let ended = thread::spawn(move || {
        http1.wait_for_end();
        send_on(&mut http1);
    });
    while let Some((kind, flags, payload)) = http2.receive_frame().unwrap() {
        // Only when it hears of the first GOAWAY by this does the webhook send the last.
        if (kind, flags) == (6, 0) {
            http2.send(&[&[0, 0, 8, 6, 1, 0, 0, 0, 0], payload.as_slice()].concat()).unwrap();
        }
    }
    send_on(&mut http2);
    ended.join().unwrap();
    drop(http2);
    assert!(server.wait().success());
}
