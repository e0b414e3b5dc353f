//! The rotation of CAs and serving certificates, without a clock, network or file access.
//!
//! No certificate is replaced before all clients trust the new one:
//! 1. When a third of a CA's lifetime is left, the next CA is created and added to the CA bundle.
//! 2. After [`Lifetimes::publish_before_use`], the next CA signs. The previous one stays in the bundle until it
//!    expires.
//! 3. When a third of a serving certificate's lifetime is left, the current CA signs a new one.
//!
//! Only if there is neither a CA nor a certificate, a new CA signs immediately.

use time::{Duration, OffsetDateTime};

use super::issue::{CaCertificate, CertificateAuthority};
use super::service::Service;
use super::stored::{
    BUNDLE, CERTIFICATE, CERTIFICATE_KEY, Data, NEXT_KEY, SIGNER_KEY, SecretContents, ServingCertificate, bundle_pem,
    verify,
};

/// The maximum number of CAs in a bundle; the oldest are removed first.
pub(super) const MAX_CAS: usize = 8;

/// The lifetimes of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// The lifetime of a CA.
    pub ca: Duration,
    /// The lifetime of a serving certificate. With `publish_before_use` it must fit into a third of a CA's lifetime.
    pub certificate: Duration,
    /// How long a CA is published before it signs; much longer than the replicas' poll interval.
    pub publish_before_use: Duration,
}

impl Default for Lifetimes {
    /// Ten years, 90 days, one day.
    fn default() -> Self {
        Lifetimes { ca: Duration::days(3650), certificate: Duration::days(90), publish_before_use: Duration::days(1) }
    }
}

/// What a rotation depends on, apart from the Secret.
pub(super) struct RotationInput<'s> {
    pub(super) service: &'s Service,
    pub(super) lifetimes: Lifetimes,
    pub(super) now: OffsetDateTime,
    /// The CA bundle after this replica's previous rotation.
    pub(super) previous_bundle: &'s [CaCertificate],
    /// The CAs that this replica has published in all webhook configurations.
    pub(super) published: &'s [CaCertificate],
}

/// The new contents of the Secret, and why they changed.
pub(super) struct RotationPlan {
    pub(super) data: Data,
    pub(super) certificate: Option<ServingCertificate>,
    pub(super) bundle: Vec<CaCertificate>,
    /// Problems in the previous contents.
    pub(super) problems: Vec<String>,
    /// Regular changes.
    pub(super) steps: Vec<&'static str>,
}

/// Plans the next contents of the Secret. Empty data stand for a Secret that does not exist.
///
/// # Errors
/// [`rcgen::Error`] if the system cannot create keys or sign.
pub(super) fn plan(data: &Data, input: &RotationInput<'_>) -> Result<RotationPlan, rcgen::Error> {
    let mut rotation = Rotation { contents: SecretContents::read(data), input, steps: Vec::new() };
    rotation.merge_bundle();
    rotation.check_certificate();
    rotation.create_next_ca()?;
    rotation.promote_next_ca();
    rotation.renew_certificate()?;
    Ok(rotation.finish(data))
}

struct Rotation<'p> {
    contents: SecretContents,
    input: &'p RotationInput<'p>,
    steps: Vec<&'static str>,
}

impl Rotation<'_> {
    /// Merges the bundle in the Secret with the previous one, and removes expired CAs.
    fn merge_bundle(&mut self) {
        let RotationInput { previous_bundle, now, .. } = self.input;
        let SecretContents { bundle, signer, next, .. } = &mut self.contents;
        bundle.extend(previous_bundle.iter().cloned());
        bundle.retain(|ca| ca.not_after > *now);
        sort_by_age(bundle);
        bundle.drain(..bundle.len().saturating_sub(MAX_CAS));
        for ca in [&mut *signer, &mut *next] {
            ca.take_if(|ca| !bundle.contains(&ca.certificate));
        }
        let certificate = |ca: &Option<CertificateAuthority>| ca.as_ref().map(|ca| ca.certificate.clone());
        if certificate(next) == certificate(signer) {
            *next = None;
        }
    }

    /// Drops a serving certificate that clients would reject.
    fn check_certificate(&mut self) {
        let RotationInput { service, now, .. } = self.input;
        let Some(serving) = &self.contents.certificate else { return };
        if let Err(reason) = verify(serving.pair.chain(), &self.contents.bundle, service, *now) {
            self.contents.problems.push(format!("{CERTIFICATE} is not valid for {service}: {reason}"));
            self.contents.certificate = None;
        }
    }

    /// Creates the next CA if less than a third of the current one's lifetime is left.
    fn create_next_ca(&mut self) -> Result<(), rcgen::Error> {
        let RotationInput { lifetimes, now, .. } = self.input;
        let lasts = |ca: &CertificateAuthority| ca.certificate.not_after - *now >= lifetimes.ca / 3;
        if self.contents.next.is_none() && !self.contents.signer.as_ref().is_some_and(lasts) {
            let next = CertificateAuthority::new(*now, lifetimes.ca)?;
            self.contents.bundle.push(next.certificate.clone());
            self.contents.next = Some(next);
            self.steps.push("created a CA");
        }
        Ok(())
    }

    /// Lets the next CA sign, once all clients trust it or if there is no certificate to protect.
    fn promote_next_ca(&mut self) {
        let RotationInput { lifetimes, now, published, .. } = self.input;
        let SecretContents { certificate, signer, next, .. } = &mut self.contents;
        let is_trusted = |next: &mut CertificateAuthority| {
            *now - next.certificate.created >= lifetimes.publish_before_use && published.contains(&next.certificate)
        };
        let has_no_certificate = signer.is_none() && certificate.is_none();
        if let Some(next) = next.take_if(|next| has_no_certificate || is_trusted(next)) {
            *signer = Some(next);
            self.steps.push("the next CA signs from now on");
        }
    }

    /// Issues a serving certificate if there is none, or if less than a third of its lifetime is left.
    fn renew_certificate(&mut self) -> Result<(), rcgen::Error> {
        let RotationInput { service, lifetimes, now, .. } = self.input;
        let Some(signer) = &self.contents.signer else { return Ok(()) };
        let lasts = |serving: &ServingCertificate| {
            let ends_with_ca = serving.not_after >= signer.certificate.not_after;
            serving.not_after - *now >= lifetimes.certificate / 3 || ends_with_ca
        };
        if !self.contents.certificate.as_ref().is_some_and(lasts) {
            self.contents.certificate = Some(signer.sign(service, *now, lifetimes.certificate)?);
            self.steps.push("issued a serving certificate");
        }
        Ok(())
    }

    /// The new data, with unknown keys of the previous data.
    fn finish(self, previous: &Data) -> RotationPlan {
        let Rotation { contents: SecretContents { certificate, signer, next, mut bundle, problems }, steps, .. } = self;
        sort_by_age(&mut bundle);
        let mut data = previous.clone();
        let mut store = |name: &str, content: Option<&str>| match content {
            Some(content) => data.insert(name.to_owned(), content.as_bytes().to_vec()),
            None => data.remove(name),
        };
        store(BUNDLE, Some(&bundle_pem(&bundle)));
        store(SIGNER_KEY, signer.as_ref().map(|ca| ca.key_pem.as_str()));
        store(NEXT_KEY, next.as_ref().map(|ca| ca.key_pem.as_str()));
        if let Some(serving) = &certificate {
            store(CERTIFICATE, Some(&serving.chain_pem));
            store(CERTIFICATE_KEY, Some(&serving.key_pem));
        }
        RotationPlan { data, certificate, bundle, problems, steps }
    }
}

/// Sorts CAs by age, and removes duplicates.
pub(super) fn sort_by_age(bundle: &mut Vec<CaCertificate>) {
    bundle.sort_by(|a, b| (a.created, &*a.der).cmp(&(b.created, &*b.der)));
    bundle.dedup();
}

#[cfg(test)]
mod tests;
