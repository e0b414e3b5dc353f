//! A fake registry with scripted responses.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) authorization: Option<String>,
}

/// A response: status, header lines and body, which may have no end.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    pub(super) is_endless: bool,
}

impl Answer {
    pub(super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Answer { status, head: String::new(), body: body.into(), is_endless: false }
    }

    pub(super) fn with(mut self, head: &str) -> Self {
        self.head.push_str(head);
        self.head.push_str("\r\n");
        self
    }

    pub(super) fn endless(mut self) -> Self {
        self.is_endless = true;
        self
    }
}

/// Starts a registry that answers each request with `answer`, which gets its address.
pub(super) fn scripted(answer: impl Fn(SocketAddr, &Request) -> Answer + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if let Some(request) = read(&stream) {
                let answer = answer(address, &request);
                // The client may have closed the connection.
                let _ = write(stream, &answer);
            }
        }
    });
    address
}

/// A registry that accepts connections and never responds.
pub(super) fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    address
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let prefix = "authorization: ";
    let authorization = lines.filter(|line| line.to_ascii_lowercase().starts_with(prefix)).last();
    Some(Request { path, authorization: authorization.map(|line| line[prefix.len()..].to_owned()) })
}

fn write(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    let length = if answer.is_endless { String::new() } else { format!("Content-Length: {}\r\n", answer.body.len()) };
    write!(stream, "HTTP/1.1 {} Said\r\nConnection: close\r\n{length}{}\r\n", answer.status, answer.head)?;
    stream.write_all(&answer.body)?;
    if !answer.is_endless {
        return Ok(());
    }
    loop {
        stream.write_all(&[b' '; 65536])?;
    }
}
