//! The cryptography of TLS connections.

/// Selects the crypto provider of the process, which may be selected already. Without it, the first connection fails:
/// rustls cannot choose between two providers.
pub fn select_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
