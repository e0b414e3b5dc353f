//! Whether a policy is signed. cosign verifies signatures, because it knows the trusted identities.

use oci_client::RegistryOperation;
use oci_client::manifest::OciImageIndex;
use serde::Serialize;

use super::client_options::ClientOptions;
use super::connection::Connection;
use super::digest::Digest;
use super::error::RegistryError;
use super::reference::ArtifactReference;

/// The signatures of a policy. None is verified.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Signatures {
    /// There are signatures.
    Present {
        /// The tags and digests of the signatures.
        found: Vec<String>,
        /// Commands that verify them, with placeholders.
        verify: Vec<String>,
    },
    /// There are no signatures.
    Absent,
    /// The registry gave no usable response.
    Unknown {
        /// The error.
        #[serde(rename = "why")]
        reason: String,
    },
}

/// Finds the signatures of the policy with a digest reference: at cosign's tag, and among the referrers, which
/// registries list in one of two ways:
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers>
///
/// It blocks: on a tokio runtime only `spawn_blocking` may call it.
pub fn signatures(reference: &ArtifactReference, options: &ClientOptions) -> Signatures {
    let Some(digest) = reference.digest() else {
        return Signatures::Unknown { reason: "the reference has no digest".to_owned() };
    };
    match options.wait(find(reference, digest, options)) {
        Ok(found) if found.is_empty() => Signatures::Absent,
        Ok(found) => Signatures::Present { found, verify: verify_commands(reference) },
        Err(error) => Signatures::Unknown { reason: error.to_string() },
    }
}

fn verify_commands(reference: &ArtifactReference) -> Vec<String> {
    vec![
        format!("cosign verify --key PUBLIC-KEY {reference}"),
        format!("cosign verify --certificate-identity IDENTITY --certificate-oidc-issuer ISSUER {reference}"),
    ]
}

async fn find(
    reference: &ArtifactReference,
    digest: &Digest,
    options: &ClientOptions,
) -> Result<Vec<String>, RegistryError> {
    let connection = Connection::open(reference, options, RegistryOperation::Pull).await?;
    let mut found = Vec::new();
    let tag = format!("sha256-{}.sig", digest.hex());
    if connection.optional(&format!("manifests/{tag}")).await?.is_some() {
        found.push(format!("tag {tag}"));
    }
    let index = match connection.optional(&format!("referrers/{digest}")).await? {
        None => connection.optional(&format!("manifests/sha256-{}", digest.hex())).await?,
        index => index,
    };
    found.extend(index.map(|index| signatures_in(&index)).unwrap_or_default());
    Ok(found)
}

/// The signatures in an index of referrers.
fn signatures_in(index: &[u8]) -> Vec<String> {
    let Ok(index) = serde_json::from_slice::<OciImageIndex>(index) else { return Vec::new() };
    let kinds = index.manifests.into_iter().filter_map(|entry| Some((entry.artifact_type?, entry.digest)));
    kinds.filter(|(kind, _)| is_signature(kind)).map(|(kind, digest)| format!("{kind} {digest}")).collect()
}

/// The artifact types of signatures by cosign 2 and 3.
fn is_signature(kind: &str) -> bool {
    kind == "application/vnd.dev.cosign.artifact.sig.v1+json"
        || kind.starts_with("application/vnd.dev.sigstore.bundle.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn other_referrers_are_not_signatures() {
        let entry = |kind: &str| {
            json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:0", "size": 1,
                "artifactType": kind})
        };
        let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let entries = [entry(bundle), entry("application/spdx+json")];
        let index = json!({"schemaVersion": 2, "manifests": entries}).to_string();
        assert_eq!(signatures_in(index.as_bytes()), [format!("{bundle} sha256:0")]);
        assert!(signatures_in(b"[]").is_empty());
    }
}
