//! Limits on requests in flight and on the memory for their bodies. A request beyond them is rejected; none waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum number of requests, each from its head to its answer.
    pub requests: usize,
    /// The maximum size of a body in bytes.
    pub body: usize,
    /// The maximum size of all bodies together in bytes.
    pub bodies: usize,
}

/// Hands out permits for requests within [`Limits`].
#[derive(Clone, Debug)]
pub struct RequestLimit {
    limits: Limits,
    requests: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// The permit for a request. Its share of the limits is free again when it is dropped.
#[derive(Debug)]
pub struct RequestPermit {
    max_body: usize,
    received: usize,
    bytes: OwnedSemaphorePermit,
    _request: OwnedSemaphorePermit,
}

/// Which limit a request exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitExceeded {
    /// The limit on requests or on all bodies together; the client can try again later.
    Busy,
    /// The limit on a body.
    BodyTooLarge,
}

impl RequestLimit {
    /// A limit with all permits available.
    pub fn new(limits: Limits) -> Self {
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        RequestLimit { limits, requests: permits(limits.requests), bytes: permits(limits.bodies.max(limits.body)) }
    }

    /// The maximum size of a body in bytes.
    pub fn max_body(&self) -> usize {
        self.limits.body
    }

    /// Acquires a permit for a request. `length` is the `Content-Length`, if there is one; memory for the body is
    /// reserved as it arrives, by [`RequestPermit::reserve`].
    ///
    /// # Errors
    /// [`LimitExceeded`], immediately.
    pub fn acquire(&self, length: Option<u64>) -> Result<RequestPermit, LimitExceeded> {
        let max_body = self.limits.body;
        if length.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > max_body)) {
            return Err(LimitExceeded::BodyTooLarge);
        }
        let request = Arc::clone(&self.requests).try_acquire_owned().map_err(|_| LimitExceeded::Busy)?;
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(0).map_err(|_| LimitExceeded::Busy)?;
        Ok(RequestPermit { max_body, received: 0, bytes, _request: request })
    }
}

impl RequestPermit {
    /// Reserves memory for received bytes of the body. A client that announces a large body and sends little of it uses
    /// little of the limit.
    ///
    /// # Errors
    /// [`LimitExceeded`].
    pub fn reserve(&mut self, bytes: usize) -> Result<(), LimitExceeded> {
        self.received = self.received.saturating_add(bytes);
        if self.received > self.max_body {
            return Err(LimitExceeded::BodyTooLarge);
        }
        let count = u32::try_from(bytes).map_err(|_| LimitExceeded::BodyTooLarge)?;
        let semaphore = Arc::clone(self.bytes.semaphore());
        self.bytes.merge(semaphore.try_acquire_many_owned(count).map_err(|_| LimitExceeded::Busy)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(requests: usize) -> RequestLimit {
        RequestLimit::new(Limits { requests, body: 4096, bodies: 8192 })
    }

    #[test]
    fn requests_beyond_the_limit_are_rejected() {
        let limit = limit(2);
        let first = limit.acquire(Some(10)).unwrap();
        let _second = limit.acquire(Some(10)).unwrap();
        assert_eq!(limit.acquire(Some(10)).unwrap_err(), LimitExceeded::Busy);
        drop(first);
        assert!(limit.acquire(Some(10)).is_ok());
    }

    #[test]
    fn only_received_bytes_count() {
        let limit = limit(100);
        let mut slow: Vec<_> = [None, Some(4096), Some(4096)].map(|length| limit.acquire(length).unwrap()).into();
        slow.iter_mut().for_each(|permit| permit.reserve(1).unwrap());
        let mut whole = limit.acquire(Some(4096)).unwrap();
        whole.reserve(4096).unwrap();
        slow[0].reserve(4092).unwrap();
        assert_eq!(slow[1].reserve(4000), Err(LimitExceeded::Busy));
        drop(whole);
        assert_eq!(slow[2].reserve(4000), Ok(()));
    }

    #[test]
    fn a_body_beyond_the_limit_is_too_large() {
        for length in [4097, u64::MAX] {
            assert_eq!(limit(1).acquire(Some(length)).unwrap_err(), LimitExceeded::BodyTooLarge);
        }
        let mut permit = limit(1).acquire(None).unwrap();
        permit.reserve(4096).unwrap();
        assert_eq!(permit.reserve(1), Err(LimitExceeded::BodyTooLarge));
    }
}
