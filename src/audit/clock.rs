//! Times in objects.

use k8s_openapi::jiff::Timestamp;

/// Seconds since 1970 of a time as Kubernetes writes it (RFC 3339).
pub(crate) fn parse_time(text: &str) -> Option<f64> {
    let time: Timestamp = text.parse().ok()?;
    Some(time.as_duration().as_secs_f64())
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    Timestamp::now().as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_fractions() {
        assert_eq!(parse_time("1970-01-01T00:01:00Z"), Some(60.0));
        assert_eq!(parse_time("1970-01-01T00:00:01.500000Z"), Some(1.5));
        assert_eq!((parse_time("yesterday"), parse_time("")), (None, None));
    }
}
