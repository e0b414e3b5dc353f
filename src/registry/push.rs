//! Pushes a whole policy.

use oci_client::RegistryOperation;

use super::artifact::Artifact;
use super::client_options::ClientOptions;
use super::connection::{Connection, check_digest};
use super::error::{Error, RegistryError};
use super::reference::ArtifactReference;

/// Pushes an artifact to a tag and returns its digest reference.
///
/// It blocks: on a tokio runtime only `spawn_blocking` may call it.
///
/// # Errors
/// [`Error`], with help. The tag is then unchanged, unless the registry stored another manifest than it was sent.
pub fn push(
    artifact: &Artifact<'_>,
    reference: &ArtifactReference,
    options: &ClientOptions,
) -> Result<ArtifactReference, Error> {
    let pushed = options.wait(push_async(artifact, reference, options));
    pushed.map_err(|error| Error::new(error, reference, options.flags))
}

async fn push_async(
    artifact: &Artifact<'_>,
    reference: &ArtifactReference,
    options: &ClientOptions,
) -> Result<ArtifactReference, RegistryError> {
    let connection = Connection::open(reference, options, RegistryOperation::Push).await?;
    connection.write(artifact).await?;
    // Some registries rewrite manifests, which changes the digest.
    let (_, digest) = connection.manifest().await?;
    check_digest("manifest", &artifact.digest, &digest)?;
    Ok(reference.with_digest(&digest))
}
