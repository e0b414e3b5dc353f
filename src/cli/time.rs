//! Durations in flags: `2s`, `300ms`, `1m 30s`.

use std::time::Duration;

/// Parses a duration, which may be zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write a number with a unit, e.g. 300ms, 90s or 1m 30s".to_owned())
}

/// Parses a duration above zero.
#[cfg(feature = "registry")]
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration.is_zero() { Err("it must be longer than 0, for example 30s".to_owned()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert!(duration("soon").is_err() && duration("2").is_err());
    }

    #[cfg(feature = "registry")]
    #[test]
    fn a_positive_duration_is_longer_than_zero() {
        assert_eq!(positive_duration("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(positive_duration("0ms"), Err("it must be longer than 0, for example 30s".to_owned()));
    }
}
