//! Clients that end the TLS handshake because they do not trust the certificate.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rustls::{AlertDescription, Error};

use crate::webhook::warning_limit::WarningLimit;

/// Warns of such clients. The API server tries again with every request.
#[derive(Debug, Default)]
pub(super) struct DistrustLog {
    limit: Mutex<WarningLimit>,
}

impl DistrustLog {
    /// Records a failed handshake. Returns whether the client does not trust the certificate.
    pub(super) fn record(&self, error: &io::Error) -> bool {
        let Some(alert) = distrust(error) else { return false };
        let handshakes = self.limit.lock().unwrap_or_else(PoisonError::into_inner).count(Instant::now());
        if let Some(handshakes) = handshakes {
            tracing::warn!(
                ?alert,
                handshakes,
                "a client does not trust the certificate; check the `caBundle` of the webhook configurations"
            );
        }
        true
    }
}

/// The alert by which a client rejects a certificate.
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
}
