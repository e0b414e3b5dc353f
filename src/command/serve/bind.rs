//! Binding and listening, in two steps.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use crate::exit::CommandError;
use crate::message::describe_io_error;

/// The maximum number of connections that wait for `accept`.
const BACKLOG: u32 = 1024;

/// A socket that is bound, but does not listen yet: the kernel rejects connections. This finds wrong addresses before
/// the module is loaded.
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
    /// [`CommandError`] with exit code 2 if the address is not available.
    pub(super) fn new(address: SocketAddr, purpose: &'static str) -> Result<Self, CommandError> {
        let bound = bind(address).or_else(|error| bind(without_ipv6(address, &error).ok_or(error)?));
        let (socket, address) = bound.map_err(|error| cannot_listen(purpose, address, &error))?;
        Ok(BoundSocket { socket, address, purpose })
    }

    /// Starts to listen, and logs the address.
    ///
    /// # Errors
    /// [`CommandError`] with exit code 2 if another process has started to listen there.
    pub(super) fn listen(self) -> Result<TcpListener, CommandError> {
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
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// The address to use instead of `[::]`, which the installed manifests use, if the kernel has no IPv6.
fn without_ipv6(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    // The standard library has no name for it.
    const EAFNOSUPPORT: i32 = 97;
    let is_any = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    (is_any && error.raw_os_error() == Some(EAFNOSUPPORT)).then_some(any)
}

fn cannot_listen(purpose: &str, address: SocketAddr, error: &io::Error) -> CommandError {
    CommandError::usage(format!("cannot listen for {purpose} on {address}: {}", describe_io_error(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_addresses_without_ipv6_become_all_ipv4_addresses() {
        let fallback = |address: &str, code| {
            let error = io::Error::from_raw_os_error(code);
            without_ipv6(address.parse().unwrap(), &error).map(|address| address.to_string())
        };
        assert_eq!(fallback("[::]:8443", 97).as_deref(), Some("0.0.0.0:8443"));
        // The address is in use.
        assert_eq!(fallback("[::]:8443", 98), None);
        assert_eq!(fallback("[::1]:8443", 97), None);
    }
}
