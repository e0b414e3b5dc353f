//! A wire between the command and a registry, which breaks.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Which way something goes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    Up,
    Down,
}

pub(super) struct Wire {
    pub(super) address: SocketAddr,
    left: Arc<AtomicUsize>,
}

impl Wire {
    /// A wire to a registry that breaks, once and for all, when this many bytes have gone one way.
    pub(super) fn to(registry: SocketAddr, way: Way, bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let left = Arc::new(AtomicUsize::new(bytes));
        let wire = Wire { address, left: Arc::clone(&left) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(registry) else { return };
                let ways =
                    [(Way::Up, client.try_clone().unwrap(), server.try_clone().unwrap()), (Way::Down, server, client)];
                for (this, from, to) in ways {
                    let left = (this == way).then(|| Arc::clone(&left));
                    thread::spawn(move || carry(from, to, left));
                }
            }
        });
        wire
    }

    /// Lets everything through from now on.
    pub(super) fn mend(&self) {
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
