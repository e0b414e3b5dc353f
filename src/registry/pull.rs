//! Pulls a whole policy.

use std::collections::BTreeMap;

use oci_client::RegistryOperation;

use super::artifact::{self, MAX_MANIFEST_BYTES};
use super::cache::Cache;
use super::client_options::ClientOptions;
use super::connection::Connection;
use super::digest::Digest;
use super::error::{Error, RegistryError};
use super::reference::ArtifactReference;

/// A pulled policy. Its digests are checked.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The module.
    pub module: Vec<u8>,
    /// The repository with the digest of the manifest.
    pub digest_reference: ArtifactReference,
    /// The annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// The digests of the manifest and the module, by which both are cached.
    pub digests: [Digest; 2],
    /// Whether everything came from the cache.
    pub is_cached: bool,
}

impl Pulled {
    /// The commit that the module was built from, if the annotations name it.
    pub fn revision(&self) -> Option<&str> {
        artifact::revision(&self.annotations)
    }
}

/// Pulls a policy. Only files that are not in the cache are requested; a tag is always requested.
///
/// It blocks: on a tokio runtime only `spawn_blocking` may call it.
///
/// # Errors
/// [`Error`], with help.
pub fn pull(reference: &ArtifactReference, options: &ClientOptions, cache: Option<&Cache>) -> Result<Pulled, Error> {
    let pulled = options.wait(pull_async(reference, options, cache));
    pulled.map_err(|error| Error::new(error, reference, options.flags))
}

async fn pull_async(
    reference: &ArtifactReference,
    options: &ClientOptions,
    cache: Option<&Cache>,
) -> Result<Pulled, RegistryError> {
    let read_cache = |digest: &Digest, limit| cache.and_then(|cache| cache.read(digest, limit));
    let mut connection = None;
    let cached = reference.digest().and_then(|digest| Some((read_cache(digest, MAX_MANIFEST_BYTES)?, digest.clone())));
    let (manifest, digest) = match cached {
        Some(cached) => cached,
        None => open_once(&mut connection, reference, options).await?.manifest().await?,
    };
    let layer = artifact::layer(&manifest)?;
    let module = match read_cache(&layer.digest, layer.size) {
        Some(module) => module,
        None => open_once(&mut connection, reference, options).await?.module(&layer).await?,
    };
    if let Some(cache) = cache.filter(|_| connection.is_some()) {
        cache.store(&layer.digest, &module);
        cache.store(&digest, &manifest);
    }
    Ok(Pulled {
        module,
        digest_reference: reference.with_digest(&digest),
        annotations: artifact::annotations_of(&manifest),
        digests: [digest, layer.digest],
        is_cached: connection.is_none(),
    })
}

/// The connection, which is opened at the first request.
async fn open_once<'c, 'a>(
    connection: &'c mut Option<Connection<'a>>,
    reference: &'a ArtifactReference,
    options: &'a ClientOptions,
) -> Result<&'c Connection<'a>, RegistryError> {
    let open = match connection.take() {
        Some(open) => open,
        None => Connection::open(reference, options, RegistryOperation::Pull).await?,
    };
    Ok(connection.insert(open))
}
