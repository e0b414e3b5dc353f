//! What was reported in the last hour.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The maximum number of keys: about 2 MiB. If there are more, all are forgotten; the API server then rejects repeated
/// Events, because they have the same name in an hour.
const MAX_KEYS: usize = 8192;

/// Keys, each with the time when it was reported.
#[derive(Debug)]
pub(super) struct Recent {
    interval: Duration,
    keys: Mutex<HashMap<String, Instant>>,
}

impl Recent {
    pub(super) fn new(interval: Duration) -> Self {
        Recent { interval, keys: Mutex::default() }
    }

    /// Adds a key. Returns whether the interval since the last time has passed.
    pub(super) fn insert(&self, key: &str, now: Instant) -> bool {
        let mut keys = self.keys();
        let is_recent = |reported: &Instant| now.duration_since(*reported) < self.interval;
        if keys.get(key).is_some_and(is_recent) {
            return false;
        }
        if keys.len() >= MAX_KEYS {
            keys.retain(|_, reported| is_recent(reported));
            if keys.len() >= MAX_KEYS {
                keys.clear();
            }
        }
        keys.insert(key.to_owned(), now);
        true
    }

    /// Forgets a key that was not reported after all.
    pub(super) fn remove(&self, key: &str) {
        self.keys().remove(key);
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_reported_once_in_an_interval() {
        let (recent, start) = (Recent::new(Duration::from_secs(3600)), Instant::now());
        let reported = [0, 1, 3599, 3600, 3601].map(|seconds| recent.insert("a", start + Duration::from_secs(seconds)));
        assert_eq!(reported, [true, false, false, true, false]);
        assert!(recent.insert("b", start));
        recent.remove("b");
        assert!(recent.insert("b", start));
    }

    #[test]
    fn the_number_of_keys_is_limited() {
        let (recent, start) = (Recent::new(Duration::from_secs(3600)), Instant::now());
        (0..MAX_KEYS).for_each(|key| assert!(recent.insert(&key.to_string(), start)));
        assert!(!recent.insert("0", start));
        assert!(recent.insert("one more", start));
        assert_eq!(recent.keys().len(), 1);
        let later = start + Duration::from_secs(1800);
        (1..MAX_KEYS).for_each(|key| assert!(recent.insert(&key.to_string(), later)));
        assert!(recent.insert("another", start + Duration::from_secs(3600)));
        assert_eq!(recent.keys().len(), MAX_KEYS);
    }
}
