//! Clients that end the TLS handshake because they do not trust the certificate.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::{AlertDescription, Error};

/// The least time between two warnings: the API server tries again with every request.
const INTERVAL: Duration = Duration::from_secs(60);

/// Warns of such clients, at most once a minute.
#[derive(Debug, Default)]
pub(super) struct DistrustLog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    /// Handshakes since the last warning.
    count: u64,
}

impl DistrustLog {
    /// Records a failed handshake. Returns whether the client does not trust the certificate.
    pub(super) fn record(&self, error: &io::Error) -> bool {
        let Some(alert) = distrust(error) else { return false };
        if let Some(handshakes) = self.count(Instant::now()) {
            tracing::warn!(
                ?alert,
                handshakes,
                "a client does not trust the certificate; check the `caBundle` of the webhook configurations"
            );
        }
        true
    }

    /// Counts a handshake. Returns the number since the last warning if it is time for another one.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        if state.last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.count))
    }
}

/// The alert by which a client refuses a certificate.
fn distrust(error: &io::Error) -> Option<AlertDescription> {
    use AlertDescription::{
        BadCertificate, CertificateExpired, CertificateRevoked, CertificateUnknown, UnknownCA, UnsupportedCertificate,
    };
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    let alerts =
        [BadCertificate, CertificateExpired, CertificateRevoked, CertificateUnknown, UnknownCA, UnsupportedCertificate];
    match error {
        Error::AlertReceived(alert) if alerts.contains(alert) => Some(*alert),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_alerts_about_the_certificate_are_distrust() {
        let received = |alert| io::Error::other(Error::AlertReceived(alert));
        assert_eq!(distrust(&received(AlertDescription::UnknownCA)), Some(AlertDescription::UnknownCA));
        assert_eq!(distrust(&received(AlertDescription::BadCertificate)), Some(AlertDescription::BadCertificate));
        assert_eq!(distrust(&received(AlertDescription::ProtocolVersion)), None);
        assert_eq!(distrust(&io::Error::from(io::ErrorKind::UnexpectedEof)), None);
    }

    #[test]
    fn one_warning_a_minute_counts_the_handshakes_before_it() {
        let (log, start) = (DistrustLog::default(), Instant::now());
        let counts = [0, 1, 59, 60, 61, 130].map(|seconds| log.count(start + Duration::from_secs(seconds)));
        assert_eq!(counts, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
