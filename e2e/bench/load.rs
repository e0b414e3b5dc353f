//! A load generator: each connection sends a request as soon as the previous one is answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// The server to send requests to.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// The TLS configuration; `None` for plain HTTP.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// A measurement.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) took: Duration,
    pub(crate) latencies: Vec<Duration>,
}

impl Load {
    /// Adds another measurement.
    pub(crate) fn add(&mut self, other: Load) {
        self.took += other.took;
        self.latencies.extend(other.latencies);
    }

    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// The latency percentile for this share of the requests, in milliseconds.
    pub(crate) fn percentile(&mut self, share: f64) -> f64 {
        self.latencies.sort_unstable();
        let index = (self.latencies.len() as f64 * share) as usize;
        self.latencies[index.min(self.latencies.len() - 1)].as_secs_f64() * 1e3
    }
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

fn connect(target: &Target) -> Box<dyn Stream> {
    let stream = TcpStream::connect(target.address).unwrap();
    stream.set_nodelay(true).unwrap();
    match &target.tls {
        None => Box::new(stream),
        Some(config) => {
            let name = ServerName::try_from("webhook.test").unwrap();
            Box::new(StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), stream))
        }
    }
}

/// The bytes of a request.
pub(crate) fn request(body: &str) -> Vec<u8> {
    let head = "POST /mutate HTTP/1.1\r\nHost: webhook.test\r\nContent-Type: application/json\r\nContent-Length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Sends requests over parallel connections while `go_on` returns true for the number of requests of a connection.
pub(crate) fn run(
    target: &Target,
    connections: usize,
    requests: &[Vec<u8>],
    go_on: impl Fn(usize) -> bool + Sync,
) -> Load {
    let mut load = Load::default();
    let started = Instant::now();
    thread::scope(|scope| {
        let asking = || {
            let mut stream = connect(target);
            let mut buffer = vec![0; 64 * 1024];
            let mut latencies = Vec::new();
            while go_on(latencies.len()) {
                let asked = Instant::now();
                let request = &requests[latencies.len() % requests.len()];
                stream.write_all(request).unwrap();
                stream.flush().unwrap();
                receive(&mut stream, &mut buffer);
                latencies.push(asked.elapsed());
            }
            latencies
        };
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(asking)).collect();
        threads.into_iter().for_each(|thread| load.latencies.extend(thread.join().unwrap()));
    });
    load.took = started.elapsed();
    load
}

/// Reads one answer. Fails unless it is successful.
fn receive(stream: &mut dyn Stream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).unwrap();
        assert!(read > 0, "the webhook closed the connection");
        filled += read;
        if let Some(end) = buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end]).unwrap();
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let whole = end + 4 + length.parse::<usize>().unwrap();
            if filled >= whole {
                return;
            }
        }
    }
}
