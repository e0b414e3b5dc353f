//! Limits on open connections, in total and per address.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Which connection is closed when the total is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverflowPolicy {
    /// The new one.
    CloseNewest,
    /// The oldest one. For short connections such as probes: idle connections cannot keep them out.
    CloseOldest,
}

/// The maximum number of open connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimit {
    /// From all addresses together.
    pub total: usize,
    /// From one IP address.
    pub per_address: usize,
    /// What happens when the total is reached.
    pub overflow: OverflowPolicy,
}

/// Which limit a new connection exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitReached {
    Total,
    Address,
}

/// The open connections of a listener.
#[derive(Debug)]
pub(super) struct OpenConnections {
    limit: ConnectionLimit,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next_key: u64,
    /// Sorted by age: the lowest key is the oldest connection.
    connections: BTreeMap<u64, Connection>,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Connection {
    address: IpAddr,
    /// Dropped to evict the connection.
    _keep: oneshot::Sender<()>,
}

/// The permit for a connection. The connection stops counting when it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    open: Arc<OpenConnections>,
    key: u64,
    eviction: oneshot::Receiver<()>,
}

impl OpenConnections {
    pub(super) fn new(limit: ConnectionLimit) -> Arc<Self> {
        Arc::new(OpenConnections { limit, state: Mutex::default() })
    }

    /// Acquires a permit for a connection from an address.
    pub(super) fn acquire(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionPermit, LimitReached> {
        // A socket that listens for IPv6 shows IPv4 addresses as IPv6 addresses.
        let address = address.to_canonical();
        let mut state = self.lock();
        if state.by_address.get(&address).is_some_and(|count| *count >= self.limit.per_address) {
            return Err(LimitReached::Address);
        }
        if state.connections.len() >= self.limit.total {
            match self.limit.overflow {
                OverflowPolicy::CloseNewest => return Err(LimitReached::Total),
                OverflowPolicy::CloseOldest => state.evict_oldest(),
            }
        }
        let (keep, eviction) = oneshot::channel();
        let key = state.add(Connection { address, _keep: keep });
        Ok(ConnectionPermit { open: Arc::clone(self), key, eviction })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, connection: Connection) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        *self.by_address.entry(connection.address).or_default() += 1;
        self.connections.insert(key, connection);
        key
    }

    fn evict_oldest(&mut self) {
        if let Some(oldest) = self.connections.first_key_value().map(|(key, _)| *key) {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, key: u64) {
        let Some(Connection { address, .. }) = self.connections.remove(&key) else { return };
        if let Some(count) = self.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

impl ConnectionPermit {
    /// Waits until the connection must close to make room for another.
    pub(super) async fn evicted(&mut self) {
        let _ = (&mut self.eviction).await;
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.open.lock().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn open(total: usize, per_address: usize, overflow: OverflowPolicy) -> Arc<OpenConnections> {
        OpenConnections::new(ConnectionLimit { total, per_address, overflow })
    }

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn one_address_cannot_use_all_connections() {
        let open = open(4, 2, OverflowPolicy::CloseNewest);
        let mut permits: Vec<_> = (0..2).map(|_| open.acquire(address(1)).unwrap()).collect();
        assert_eq!(open.acquire(address(1)).unwrap_err(), LimitReached::Address);
        assert_eq!(open.acquire("::ffff:10.0.0.1".parse().unwrap()).unwrap_err(), LimitReached::Address);
        permits.extend((0..2).map(|_| open.acquire(address(2)).unwrap()));
        assert_eq!(open.acquire(address(3)).unwrap_err(), LimitReached::Total);
        permits.clear();
        assert!(open.acquire(address(1)).is_ok());
        assert!(open.lock().connections.is_empty() && open.lock().by_address.is_empty());
    }

    #[test]
    fn the_oldest_connection_is_evicted() {
        let open = open(2, 2, OverflowPolicy::CloseOldest);
        let mut permits: Vec<_> = (1..=3).map(|last| open.acquire(address(last)).unwrap()).collect();
        let evicted: Vec<_> = permits.iter_mut().map(|permit| permit.evicted().now_or_never().is_some()).collect();
        assert_eq!(evicted, [true, false, false]);
        drop(permits);
        assert!(open.lock().connections.is_empty() && open.lock().by_address.is_empty());
    }
}
