//! A whole policy into a registry.

use oci_client::RegistryOperation;

use super::access::Access;
use super::artifact::Artifact;
use super::connection::{Connection, check};
use super::place::Place;
use super::problem::{Error, Problem};

/// Pushes an artifact to a place, which has a tag, and gives the reference under which it stays the same for ever.
///
/// It blocks: on a tokio runtime only `spawn_blocking` may call it.
///
/// # Errors
/// [`Error`], fit to be shown. The tag is as it was then, unless the registry has changed what it was given.
pub fn push(artifact: &Artifact<'_>, place: &Place, access: &Access) -> Result<Place, Error> {
    access.wait(pushed(artifact, place, access)).map_err(|problem| Error::new(problem, place, access.flags))
}

async fn pushed(artifact: &Artifact<'_>, place: &Place, access: &Access) -> Result<Place, Problem> {
    let connection = Connection::open(place, access, RegistryOperation::Push).await?;
    connection.write(artifact).await?;
    // Some registries write manifests anew. What is told must be what is there.
    let (_, digest) = connection.manifest().await?;
    check("manifest", &artifact.digest, &digest)?;
    Ok(place.at(&digest))
}
