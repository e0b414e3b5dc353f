//! How many connections are open, and from whom.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// What becomes of one connection too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is closed.
    CloseNewest,
    /// The one that has been open for longest is closed in its favour. For short errands, such as probes: whoever fills
    /// the room with connections that say nothing keeps nobody out.
    CloseOldest,
}

/// How many connections may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// From everybody together.
    pub connections: usize,
    /// From one IP address.
    pub of_one_peer: usize,
    /// What becomes of one too many.
    pub when_full: WhenFull,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// There are too many.
    Limit,
    /// There are too many from this peer.
    Peer,
}

/// The connections that are open.
#[derive(Debug)]
pub(super) struct Occupancy {
    room: Room,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// The order in which connections came, which is also their key.
    next: u64,
    connections: BTreeMap<u64, Occupant>,
    by_peer: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Occupant {
    peer: IpAddr,
    /// Dropped to have the connection closed.
    _stay: oneshot::Sender<()>,
}

/// The place of one connection, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    occupancy: Arc<Occupancy>,
    key: u64,
    leave: oneshot::Receiver<()>,
}

impl Occupancy {
    pub(super) fn new(room: Room) -> Arc<Self> {
        Arc::new(Occupancy { room, open: Mutex::default() })
    }

    /// A place for a connection from `peer`.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Full> {
        // An IPv4 peer is the same peer on a socket that listens for IPv6.
        let peer = peer.to_canonical();
        let mut open = self.open();
        if open.by_peer.get(&peer).is_some_and(|count| *count >= self.room.of_one_peer) {
            return Err(Full::Peer);
        }
        if open.connections.len() >= self.room.connections {
            match self.room.when_full {
                WhenFull::CloseNewest => return Err(Full::Limit),
                WhenFull::CloseOldest => open.close_oldest(),
            }
        }
        let (stay, leave) = oneshot::channel();
        let key = open.admit(Occupant { peer, _stay: stay });
        Ok(Place { occupancy: Arc::clone(self), key, leave })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Nothing that is done with it can stop half-way.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn admit(&mut self, occupant: Occupant) -> u64 {
        let key = self.next;
        self.next += 1;
        *self.by_peer.entry(occupant.peer).or_default() += 1;
        self.connections.insert(key, occupant);
        key
    }

    fn close_oldest(&mut self) {
        if let Some(oldest) = self.connections.first_key_value().map(|(key, _)| *key) {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, key: u64) {
        let Some(Occupant { peer, .. }) = self.connections.remove(&key) else { return };
        if let Some(count) = self.by_peer.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                self.by_peer.remove(&peer);
            }
        }
    }
}

impl Place {
    /// Waits until the place is wanted for somebody else.
    pub(super) async fn is_wanted(&mut self) {
        let _ = (&mut self.leave).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.occupancy.open().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn room(connections: usize, of_one_peer: usize, when_full: WhenFull) -> Arc<Occupancy> {
        Occupancy::new(Room { connections, of_one_peer, when_full })
    }

    fn peer(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn one_peer_leaves_room_for_others() {
        let room = room(4, 2, WhenFull::CloseNewest);
        let mut held: Vec<_> = (0..2).map(|_| room.enter(peer(1)).unwrap()).collect();
        assert_eq!(room.enter(peer(1)).unwrap_err(), Full::Peer);
        assert_eq!(room.enter("::ffff:10.0.0.1".parse().unwrap()).unwrap_err(), Full::Peer);
        held.extend((0..2).map(|_| room.enter(peer(2)).unwrap()));
        assert_eq!(room.enter(peer(3)).unwrap_err(), Full::Limit);
        held.clear();
        assert!(room.enter(peer(1)).is_ok());
        assert!(room.open().connections.is_empty() && room.open().by_peer.is_empty());
    }

    #[test]
    fn the_oldest_goes_where_everybody_gets_in() {
        let room = room(2, 2, WhenFull::CloseOldest);
        let mut places: Vec<_> = (1..=3).map(|last| room.enter(peer(last)).unwrap()).collect();
        let wanted: Vec<_> = places.iter_mut().map(|place| place.is_wanted().now_or_never().is_some()).collect();
        assert_eq!(wanted, [true, false, false]);
        drop(places);
        assert!(room.open().connections.is_empty() && room.open().by_peer.is_empty());
    }
}
