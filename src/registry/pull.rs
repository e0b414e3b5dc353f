//! A whole policy out of a registry.

use std::collections::BTreeMap;

use oci_client::RegistryOperation;

use super::access::Access;
use super::artifact::{self, LONGEST_MANIFEST};
use super::cache::Cache;
use super::connection::Connection;
use super::digest::Digest;
use super::place::Place;
use super::problem::{Error, Problem};

/// A policy that was pulled. Its bytes are those that its digest names.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The module.
    pub module: Vec<u8>,
    /// Where it stays the same for ever: the repository at the digest of the manifest.
    pub immutable: Place,
    /// What the manifest says beside.
    pub annotations: BTreeMap<String, String>,
    /// Whether the registry was not needed.
    pub is_cached: bool,
}

impl Pulled {
    /// The commit that the module was built from, if whoever pushed it has said so.
    pub fn revision(&self) -> Option<&str> {
        artifact::revision(&self.annotations)
    }
}

/// Pulls the policy at a place. What its digest names and the cache has is not asked for again.
///
/// It blocks: on a tokio runtime only `spawn_blocking` may call it.
///
/// # Errors
/// [`Error`], fit to be shown.
pub fn pull(place: &Place, access: &Access, cache: Option<&Cache>) -> Result<Pulled, Error> {
    access.wait(pulled(place, access, cache)).map_err(|problem| Error::new(problem, place, access.flags))
}

async fn pulled(place: &Place, access: &Access, cache: Option<&Cache>) -> Result<Pulled, Problem> {
    let kept = |digest: &Digest, limit| cache.and_then(|cache| cache.read(digest, limit));
    let mut connection = None;
    let known = place.digest().and_then(|digest| Some((kept(digest, LONGEST_MANIFEST)?, digest.clone())));
    let (manifest, digest) = match known {
        Some(known) => known,
        None => opened(&mut connection, place, access).await?.manifest().await?,
    };
    let layer = artifact::layer(&manifest)?;
    let module = match kept(&layer.digest, layer.size) {
        Some(module) => module,
        None => opened(&mut connection, place, access).await?.module(&layer).await?,
    };
    if let Some(cache) = cache.filter(|_| connection.is_some()) {
        cache.keep(&layer.digest, &module);
        cache.keep(&digest, &manifest);
    }
    Ok(Pulled {
        module,
        immutable: place.at(&digest),
        annotations: artifact::annotations_of(&manifest),
        is_cached: connection.is_none(),
    })
}

/// The connection, which is made when it is needed first.
async fn opened<'c, 'a>(
    connection: &'c mut Option<Connection<'a>>,
    place: &'a Place,
    access: &'a Access,
) -> Result<&'c Connection<'a>, Problem> {
    let open = match connection.take() {
        Some(open) => open,
        None => Connection::open(place, access, RegistryOperation::Pull).await?,
    };
    Ok(connection.insert(open))
}
