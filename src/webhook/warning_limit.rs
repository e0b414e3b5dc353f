//! Warnings that every request could cause.

use std::time::{Duration, Instant};

/// The shortest time between two warnings.
const INTERVAL: Duration = Duration::from_secs(60);

/// Counts what a warning is about, so that it is logged at most once a minute.
#[derive(Debug, Default)]
pub(super) struct WarningLimit {
    last: Option<Instant>,
    /// Since the last warning.
    count: u64,
}

impl WarningLimit {
    /// Counts one. Returns the number since the last warning if it is time for another one.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_a_minute_has_the_count_since_the_one_before() {
        let (mut limit, start) = (WarningLimit::default(), Instant::now());
        let counts = [0, 1, 59, 60, 61, 130].map(|seconds| limit.count(start + Duration::from_secs(seconds)));
        assert_eq!(counts, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
