//! Slow, broken and greedy clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::client::Client;
use super::process::{SOON, Server};
use super::reviews::incomplete_review;

/// Checks that the webhook still answers.
fn still_answers(server: &Server) {
    let answer = server.connect().post("/mutate", &incomplete_review().to_string()).unwrap();
    assert!(answer.response()["patch"].is_string());
}

fn request(head: &str, body: &str) -> Vec<u8> {
    format!("{head}\r\nHost: webhook.test\r\n{body}").into_bytes()
}

#[test]
fn http_errors_say_what_is_wrong() {
    let server = Server::start(&["--max-body=1"]);
    let json = "Content-Type: application/json\r\n";
    let cases = [
        ("GET /mutate HTTP/1.1", "\r\n".to_owned(), 405, ""),
        (
            "POST /elsewhere HTTP/1.1",
            "Content-Length: 0\r\n\r\n".to_owned(),
            404,
            "the paths are /mutate, /validate and /warn",
        ),
        ("POST /mutate HTTP/1.1", "Content-Length: 2\r\n\r\n{}".to_owned(), 415, "application/json"),
        ("POST /mutate HTTP/1.1", format!("{json}Content-Length: 2\r\n\r\n{{}}"), 400, "has no `uid`"),
        ("POST /mutate HTTP/1.1", format!("{json}Content-Length: 6\r\n\r\ns3cret"), 400, "line 1, column 1"),
        ("POST /mutate HTTP/1.1", format!("{json}Content-Length: 0\r\n\r\n"), 400, "not JSON"),
        ("POST /mutate HTTP/1.1", format!("{json}Content-Length: 20971520\r\n\r\n"), 413, "larger than 1048576 bytes"),
    ];
    for (head, rest, status, message) in cases {
        let mut client = server.connect();
        client.send(&request(head, &rest)).unwrap();
        let answer = client.receive().unwrap();
        assert_eq!(answer.status, status, "{head}: {answer:?}");
        assert!(answer.body.contains(message) && !answer.body.contains("s3cret"), "{head}: {answer:?}");
    }
    let v1beta1 = incomplete_review().to_string().replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1");
    assert_eq!(server.connect().post("/mutate", &v1beta1).unwrap().status, 400);
    still_answers(&server);
}

#[test]
fn bodies_above_the_limit_are_rejected() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let head =
        "POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(head.as_bytes()).unwrap();
    let chunk = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    // The webhook stops reading before the end.
    let sent = (0..20).take_while(|_| client.send(&chunk).is_ok()).count();
    match client.receive() {
        Ok(answer) => assert_eq!(answer.status, 413),
        Err(_) => assert!(sent < 20),
    }
    let deep = format!("{{\"kind\":\"AdmissionReview\",\"request\":{}", "[".repeat(7 << 20));
    assert_eq!(server.connect().post("/mutate", &deep).unwrap().status, 400);
    assert!(server.memory() < 128, "{} MiB", server.memory());
    still_answers(&server);
}

#[test]
fn an_incomplete_body_times_out() {
    let server = Server::start(&["--body-timeout=300ms"]);
    let mut client = server.connect();
    let half = "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"kind\":";
    client.send(&request("POST /mutate HTTP/1.1", half)).unwrap();
    assert_eq!(client.receive().unwrap().status, 408);
    still_answers(&server);
}

#[test]
fn a_client_that_sends_its_head_slowly_is_disconnected() {
    let server = Server::start(&["--head-timeout=300ms"]);
    let mut client = server.connect();
    let started = Instant::now();
    let bytes = b"POST /mutate HTTP/1.1\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x'));
    for byte in bytes {
        if client.send(&[*byte]).is_err() {
            break;
        }
        assert!(started.elapsed() < SOON, "the connection is still open");
        std::thread::sleep(Duration::from_millis(20));
    }
    // A client that does not start the TLS handshake.
    let mut silent = TcpStream::connect(server.reviews).unwrap();
    silent.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(silent.read(&mut [0; 16]).unwrap_or_default(), 0);
    server.wait_for_metric("sqledge_ha_connections ", 0.0);
    still_answers(&server);
}

#[test]
fn plain_http_on_the_tls_port_gets_an_http_error() {
    let server = Server::start(&[]);
    let mut stream = TcpStream::connect(server.reviews).unwrap();
    stream.write_all(b"POST /mutate HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("this port speaks HTTPS"), "{answer}");
    let mut stream = TcpStream::connect(server.reviews).unwrap();
    stream.write_all(&[0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5]).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
    server.wait_for_metric("sqledge_ha_connections_rejected_total{reason=\"handshake\"}", 1.0);
    still_answers(&server);
}

#[test]
fn closed_connections_are_not_counted() {
    let server = Server::start(&[]);
    let body = incomplete_review().to_string();
    for part in 0..40 {
        let mut client = server.connect();
        let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        let whole = [request("POST /mutate HTTP/1.1", &head), body.clone().into_bytes()].concat();
        client.send(&whole[..whole.len() * part / 39]).unwrap();
    }
    server.wait_for_metric("sqledge_ha_connections ", 0.0);
    server.wait_for_metric("sqledge_ha_requests_in_flight ", 0.0);
    still_answers(&server);
}

#[tokio::test]
async fn connections_are_limited_in_total_and_per_address() {
    let server = Server::start(&["--max-connections=1000", "--head-timeout=60s"]);
    may_open(11_000);
    // All of 127.0.0.0/8 is this machine, so that it has many client addresses.
    let mut held = connections(&server, [127, 0, 0, 2], 5_000).await;
    server.wait_for_metric("sqledge_ha_connections ", 500.0);
    server.wait_for_metric("sqledge_ha_connections_rejected_total{reason=\"peer\"}", 4500.0);
    tokio::task::spawn_blocking({
        let (address, authority) = (server.reviews, server.authority.clone());
        move || Client::connect(address, &authority).unwrap().post("/mutate", &incomplete_review().to_string()).unwrap()
    })
    .await
    .unwrap()
    .response();
    server.wait_for_metric("sqledge_ha_connections ", 500.0);
    held.extend(connections(&server, [127, 0, 0, 3], 5_000).await);
    server.wait_for_metric("sqledge_ha_connections ", 1000.0);
    server.wait_for_metric("sqledge_ha_connections_rejected_total{reason=\"peer\"}", 9000.0);
    assert!(Client::connect(server.reviews, &server.authority).is_err());
    server.wait_for_metric("sqledge_ha_connections_rejected_total{reason=\"limit\"}", 1.0);
    assert_eq!(server.probe("/readyz").0, 200);
    assert!(server.memory() < 128, "{} MiB", server.memory());
    drop(held);
    server.wait_for_metric("sqledge_ha_connections ", 0.0);
    still_answers(&server);
}

/// Connections from an address.
async fn connections(server: &Server, peer: [u8; 4], count: usize) -> Vec<tokio::net::TcpStream> {
    let mut connections = Vec::new();
    for _ in 0..count {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((peer, 0).into()).unwrap();
        connections.push(timeout(SOON, socket.connect(server.reviews)).await.unwrap().unwrap());
    }
    connections
}

#[test]
fn idle_connections_do_not_keep_probes_out() {
    let server = Server::start(&[]);
    let silent: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(server.probes).unwrap()).collect();
    for _ in 0..20 {
        assert_eq!(server.probe("/livez").0, 200);
    }
    assert_eq!(server.probe("/readyz").0, 200);
    // They time out.
    for mut stream in silent {
        stream.set_read_timeout(Some(SOON)).unwrap();
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or_default(), 0);
    }
}

#[tokio::test]
async fn a_client_that_reads_no_answer_is_disconnected() {
    let server = Server::start_plain(&[]);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(server.reviews).await.unwrap();
    let requests = "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    // Until the webhook cannot write, and stops reading.
    while timeout(Duration::from_secs(1), stream.write_all(requests.as_bytes())).await.is_ok_and(|sent| sent.is_ok()) {}
    assert_eq!(server.metric("sqledge_ha_connections "), 1.0);
    server.wait_for_metric("sqledge_ha_connections ", 0.0);
}

/// Raises this process's limit of open files.
fn may_open(files: usize) {
    let limit = format!("--nofile={files}");
    let raised =
        std::process::Command::new("prlimit").args(["--pid", &std::process::id().to_string(), &limit]).status();
    assert!(raised.unwrap().success());
}

#[test]
fn requests_beyond_the_limit_get_429() {
    let server = Server::start(&["--max-in-flight=2"]);
    let waiting: Vec<Client> = (0..2)
        .map(|_| {
            let mut client = server.connect();
            let head = "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
            client.send(&request("POST /mutate HTTP/1.1", head)).unwrap();
            client
        })
        .collect();
    server.wait_for_metric("sqledge_ha_requests_in_flight ", 2.0);
    let answer = server.connect().post("/mutate", &incomplete_review().to_string()).unwrap();
    assert_eq!(answer.status, 429);
    assert!(answer.head.to_ascii_lowercase().contains("retry-after: 1"), "{}", answer.head);
    drop(waiting);
    server.wait_for_metric("sqledge_ha_requests_in_flight ", 0.0);
    still_answers(&server);
}

#[test]
fn only_received_bytes_of_bodies_count() {
    let server = Server::start(&["--max-body=1", "--body-timeout=60s"]);
    let head = "Content-Type: application/json\r\nContent-Length: 1048576\r\n\r\n";
    let send = |body: &[u8]| {
        let mut client = server.connect();
        client.send(&[request("POST /mutate HTTP/1.1", head).as_slice(), body].concat()).unwrap();
        client
    };
    // The limit is eight bodies, but these are only announced.
    let _announced: Vec<Client> = (0..16).map(|_| send(b"{")).collect();
    server.wait_for_metric("sqledge_ha_requests_in_flight ", 16.0);
    still_answers(&server);
    // Nearly all of these arrives, so that nine exceed the limit.
    let nearly = vec![b' '; (1 << 20) - 100];
    let full: Vec<Client> = (0..9).map(|_| send(&nearly)).collect();
    let rejected = || server.metric("sqledge_ha_http_errors_total{reason=\"429\"}");
    let started = Instant::now();
    while rejected() < 1.0 {
        assert!(started.elapsed() < SOON, "no body was rejected");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(server.metric("sqledge_ha_requests_in_flight ") >= 16.0);
    drop(full);
    server.wait_for_metric("sqledge_ha_requests_in_flight ", 16.0);
    still_answers(&server);
}
