//! Binding and listening, in two steps.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::exit::Failure;
use crate::message::describe_io_error;

/// The maximum number of connections that wait for `accept`.
const BACKLOG: u32 = 1024;

/// A socket that is bound, but does not listen yet: the kernel rejects connections. This finds wrong addresses before the
/// module is loaded.
pub(super) struct BoundSocket {
    socket: TcpSocket,
    address: SocketAddr,
    /// What it is for, in messages.
    purpose: &'static str,
}

impl BoundSocket {
    /// Binds an address.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 if the address is not available.
    pub(super) fn new(address: SocketAddr, purpose: &'static str) -> Result<Self, Failure> {
        let (socket, address) = bind(address).map_err(|error| cannot_listen(purpose, address, &error))?;
        Ok(BoundSocket { socket, address, purpose })
    }

    /// Starts to listen, and logs the address.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 if another process has started to listen there.
    pub(super) fn listen(self) -> Result<TcpListener, Failure> {
        let BoundSocket { socket, address, purpose } = self;
        let listener = socket.listen(BACKLOG).map_err(|error| cannot_listen(purpose, address, &error))?;
        tracing::info!(%address, "listening for {purpose}");
        Ok(listener)
    }
}

/// A bound socket and its address; for port 0 the system chooses one.
fn bind(address: SocketAddr) -> io::Result<(TcpSocket, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of a previous process can still be in the state TIME_WAIT.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

fn cannot_listen(purpose: &str, address: SocketAddr, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot listen for {purpose} on {address}: {}", describe_io_error(error)))
}
