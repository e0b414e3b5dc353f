//! Whether somebody has signed a policy. Checking signatures is cosign's business, which knows whom to trust.

use oci_client::RegistryOperation;
use oci_client::manifest::OciImageIndex;
use serde::Serialize;

use super::access::Access;
use super::connection::Connection;
use super::digest::Digest;
use super::place::Place;
use super::problem::Problem;

/// What is known of signatures. None of them is verified.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Signatures {
    /// There are some.
    Present {
        /// By which names they were found.
        found: Vec<String>,
        /// Commands that verify them, with something left to fill in.
        verify: Vec<String>,
    },
    /// There are none.
    Absent,
    /// The registry does not tell.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Looks for signatures of the policy at a place with a digest: in the tag where cosign puts them, and among what
/// refers to it, in either way that registries keep that:
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers>
///
/// It blocks: on a tokio runtime only `spawn_blocking` may call it.
pub fn signatures(place: &Place, access: &Access) -> Signatures {
    let Some(digest) = place.digest() else {
        return Signatures::Unknown { why: "there is no digest that could be signed".to_owned() };
    };
    match access.wait(found(place, digest, access)) {
        Ok(found) if found.is_empty() => Signatures::Absent,
        Ok(found) => Signatures::Present { found, verify: verify(place) },
        Err(problem) => Signatures::Unknown { why: problem.to_string() },
    }
}

fn verify(place: &Place) -> Vec<String> {
    vec![
        format!("cosign verify --key PUBLIC-KEY {place}"),
        format!("cosign verify --certificate-identity IDENTITY --certificate-oidc-issuer ISSUER {place}"),
    ]
}

async fn found(place: &Place, digest: &Digest, access: &Access) -> Result<Vec<String>, Problem> {
    let connection = Connection::open(place, access, RegistryOperation::Pull).await?;
    let mut found = Vec::new();
    let tag = format!("sha256-{}.sig", digest.hex());
    if connection.optional(&format!("manifests/{tag}")).await?.is_some() {
        found.push(format!("tag {tag}"));
    }
    let index = match connection.optional(&format!("referrers/{digest}")).await? {
        None => connection.optional(&format!("manifests/sha256-{}", digest.hex())).await?,
        index => index,
    };
    found.extend(index.map(|index| referring(&index)).unwrap_or_default());
    Ok(found)
}

/// The signatures among what refers to an artifact.
fn referring(index: &[u8]) -> Vec<String> {
    let Ok(index) = serde_json::from_slice::<OciImageIndex>(index) else { return Vec::new() };
    let kinds = index.manifests.into_iter().filter_map(|entry| Some((entry.artifact_type?, entry.digest)));
    kinds.filter(|(kind, _)| is_signature(kind)).map(|(kind, digest)| format!("{kind} {digest}")).collect()
}

/// Cosign's kinds of signatures, of its second and third version.
fn is_signature(kind: &str) -> bool {
    kind == "application/vnd.dev.cosign.artifact.sig.v1+json"
        || kind.starts_with("application/vnd.dev.sigstore.bundle.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn signatures_are_told_from_what_else_refers_to_an_artifact() {
        let entry = |kind: &str| {
            json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:0", "size": 1,
                "artifactType": kind})
        };
        let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let entries = [entry(bundle), entry("application/spdx+json")];
        let index = json!({"schemaVersion": 2, "manifests": entries}).to_string();
        assert_eq!(referring(index.as_bytes()), [format!("{bundle} sha256:0")]);
        assert!(referring(b"[]").is_empty());
    }
}
