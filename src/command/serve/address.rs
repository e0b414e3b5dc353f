//! Addresses to listen on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use crate::exit::Failure;
use crate::message::describe_io_error;

/// How many connections may wait to be accepted.
const WAITING: u32 = 1024;

/// An address on which nobody listens, and on which nobody is heard yet: who connects is refused. Somebody else may still
/// come first; [`Reserved::listen`] tells.
pub(super) struct Reserved {
    socket: TcpSocket,
    address: SocketAddr,
    /// What it is for.
    what: &'static str,
}

impl Reserved {
    /// Takes an address.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 if it is not to be had.
    pub(super) fn at(address: SocketAddr, what: &'static str) -> Result<Self, Failure> {
        let bound = match bind(address) {
            Err(error) => match without_ipv6(address, &error) {
                Some(other) => bind(other),
                None => Err(error),
            },
            bound => bound,
        };
        let (socket, address) = bound.map_err(|error| cannot_listen(what, address, &error))?;
        Ok(Reserved { socket, address, what })
    }

    /// Lets clients connect, and tells where.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 if somebody else listens there by now.
    pub(super) fn listen(self) -> Result<TcpListener, Failure> {
        let Reserved { socket, address, what } = self;
        let listener = socket.listen(WAITING).map_err(|error| cannot_listen(what, address, &error))?;
        tracing::info!(%address, "listening for {what}");
        Ok(listener)
    }
}

/// A socket, and the address that it got: with port 0 the system chooses one.
fn bind(address: SocketAddr) -> io::Result<(TcpSocket, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A process that was here before may have left connections that are not quite gone.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

fn cannot_listen(what: &str, address: SocketAddr, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot listen for {what} on {address}: {}", describe_io_error(error)))
}

/// Where to listen instead of `[::]` on a machine whose kernel does not speak IPv6 at all.
fn without_ipv6(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    // EAFNOSUPPORT, for which the standard library has no name.
    const NO_SUCH_FAMILY: i32 = 97;
    let is_everywhere = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    (is_everywhere && error.raw_os_error() == Some(NO_SUCH_FAMILY)).then_some(everywhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_ipv6_is_listened_on_by_ipv4() {
        let instead = |address: &str, code| {
            let error = io::Error::from_raw_os_error(code);
            without_ipv6(address.parse().unwrap(), &error).map(|address| address.to_string())
        };
        assert_eq!(instead("[::]:8443", 97).as_deref(), Some("0.0.0.0:8443"));
        // In use, or somebody's own choice: that is told.
        assert_eq!(instead("[::]:8443", 98), None);
        assert_eq!(instead("[::1]:8443", 97), None);
    }
}
