//! A proxy between the command and a registry that interrupts connections.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The direction of data: up is to the registry.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Direction {
    Up,
    Down,
}

pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    left: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy that closes all connections after this many bytes in one direction.
    pub(super) fn to(registry: SocketAddr, direction: Direction, bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let left = Arc::new(AtomicUsize::new(bytes));
        let proxy = Proxy { address, left: Arc::clone(&left) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(registry) else { return };
                let directions = [
                    (Direction::Up, client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (Direction::Down, server, client),
                ];
                for (this, from, to) in directions {
                    let left = (this == direction).then(|| Arc::clone(&left));
                    thread::spawn(move || carry(from, to, left));
                }
            }
        });
        proxy
    }

    /// Forwards everything from now on.
    pub(super) fn repair(&self) {
        self.left.store(usize::MAX, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, left: Option<Arc<AtomicUsize>>) {
    let mut buffer = [0; 4096];
    while let Ok(length) = from.read(&mut buffer)
        && length > 0
    {
        if let Some(left) = &left {
            let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(length));
            if taken.is_err() {
                break;
            }
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
