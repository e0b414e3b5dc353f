//! Back-pressure: how much is let in at once. What does not fit is told to come again; nothing queues up without end.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much may be under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Requests, from their head to their answer.
    pub requests: usize,
    /// Bytes of one body.
    pub body: usize,
    /// Bytes of all bodies together.
    pub bodies: usize,
}

/// Lets requests in as far as there is room for them.
#[derive(Clone, Debug)]
pub struct Gate {
    capacity: Capacity,
    requests: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// A request that was let in: its room is free again when this is dropped.
#[derive(Debug)]
pub struct Pass {
    longest: usize,
    taken: usize,
    bytes: OwnedSemaphorePermit,
    _request: OwnedSemaphorePermit,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// There is no room now.
    Busy,
    /// It would never fit.
    TooLarge,
}

impl Gate {
    /// A gate with room for `capacity`.
    pub fn new(capacity: Capacity) -> Self {
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        let bytes = permits(capacity.bodies.max(capacity.body));
        Gate { capacity, requests: permits(capacity.requests), bytes }
    }

    /// The longest body that is let in, in bytes.
    pub fn longest_body(&self) -> usize {
        self.capacity.body
    }

    /// Lets a request in. How long it says that its body is, if it does, takes no room yet: see [`Pass::take`].
    ///
    /// # Errors
    /// [`Closed`] at once: nobody waits at the gate.
    pub fn enter(&self, length: Option<u64>) -> Result<Pass, Closed> {
        let longest = self.capacity.body;
        if length.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > longest)) {
            return Err(Closed::TooLarge);
        }
        let request = Arc::clone(&self.requests).try_acquire_owned().map_err(|_| Closed::Busy)?;
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(0).map_err(|_| Closed::Busy)?;
        Ok(Pass { longest, taken: 0, bytes, _request: request })
    }
}

impl Pass {
    /// Takes room for a part of the body that has come in. Only what is there takes room: a client that announces much
    /// and sends little keeps nobody out.
    ///
    /// # Errors
    /// [`Closed`] if the body has become too long, or there is no room for more.
    pub fn take(&mut self, bytes: usize) -> Result<(), Closed> {
        self.taken = self.taken.saturating_add(bytes);
        if self.taken > self.longest {
            return Err(Closed::TooLarge);
        }
        let count = u32::try_from(bytes).map_err(|_| Closed::TooLarge)?;
        let more = Arc::clone(self.bytes.semaphore()).try_acquire_many_owned(count).map_err(|_| Closed::Busy)?;
        self.bytes.merge(more);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(requests: usize) -> Gate {
        Gate::new(Capacity { requests, body: 4096, bodies: 8192 })
    }

    #[test]
    fn no_more_requests_are_inside_than_there_is_room_for() {
        let gate = gate(2);
        let first = gate.enter(Some(10)).unwrap();
        let _second = gate.enter(Some(10)).unwrap();
        assert_eq!(gate.enter(Some(10)).unwrap_err(), Closed::Busy);
        drop(first);
        assert!(gate.enter(Some(10)).is_ok());
    }

    #[test]
    fn bodies_share_the_room_by_what_has_come_of_them() {
        let gate = gate(100);
        let mut slow: Vec<_> = [None, Some(4096), Some(4096)].map(|length| gate.enter(length).unwrap()).into();
        slow.iter_mut().for_each(|pass| pass.take(1).unwrap());
        let mut whole = gate.enter(Some(4096)).unwrap();
        whole.take(4096).unwrap();
        slow[0].take(4092).unwrap();
        assert_eq!(slow[1].take(4000), Err(Closed::Busy));
        drop(whole);
        assert_eq!(slow[2].take(4000), Ok(()));
    }

    #[test]
    fn a_body_that_never_fits_is_told_so() {
        for length in [4097, u64::MAX] {
            assert_eq!(gate(1).enter(Some(length)).unwrap_err(), Closed::TooLarge);
        }
        let gate = gate(1);
        let mut pass = gate.enter(None).unwrap();
        pass.take(4096).unwrap();
        assert_eq!(pass.take(1), Err(Closed::TooLarge));
    }
}
