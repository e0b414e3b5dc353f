//! A web server that can fail.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

pub(super) enum Answer {
    Whole(Vec<u8>),
    /// The connection ends after half of the body.
    Half(Vec<u8>),
    Status(u16),
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
}

impl Server {
    /// Answers GET requests by path until the tests end.
    pub(super) fn new(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = Arc::clone(&answer);
                thread::spawn(move || respond(stream, &*answer));
            }
        });
        Server { address }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn respond(mut stream: TcpStream, answer: &dyn Fn(&str) -> Answer) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    lines.find(String::is_empty);
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body, length) = match answer(path.split('?').next().unwrap_or_default()) {
        Answer::Whole(body) => (200, body.clone(), body.len()),
        Answer::Half(body) => (200, body[..body.len() / 2].to_vec(), body.len()),
        Answer::Status(status) => (status, vec![], 0),
    };
    let kind = if path.ends_with('/') { "text/html" } else { "application/octet-stream" };
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
    );
    // The client may be gone.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}
