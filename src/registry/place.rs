//! Where an artifact is: `HOST/REPOSITORY:TAG`, or `HOST/REPOSITORY@sha256:…`.

use std::fmt;
use std::str::FromStr;

use oci_client::{ParseError, Reference};

use super::digest::{Digest, Malformed};

/// What Kubewarden puts in front of a reference.
pub const SCHEME: &str = "registry://";

/// A reference to an artifact in a registry. Nothing in it is implied: neither a registry nor a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    reference: Reference,
    digest: Option<Digest>,
}

/// Why a text is no reference.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// Something other than Kubewarden's scheme stands in front of it.
    #[error("`{0}://` is not a part of a reference")]
    Scheme(String),
    /// It does not begin with the name of a registry.
    #[error("it does not begin with the name of a registry")]
    Registry,
    /// It has neither a tag nor a digest.
    #[error("it has neither a tag nor a digest")]
    Unspecific,
    /// Its digest is none that can be checked.
    #[error(transparent)]
    Digest(#[from] Malformed),
    /// Anything else is wrong with it.
    #[error("{0}")]
    Malformed(#[from] ParseError),
}

impl Place {
    /// The registry, as it is connected to: a host, and a port if it is not the usual one.
    pub fn host(&self) -> &str {
        self.reference.resolve_registry()
    }

    /// The registry, as it was named.
    pub fn registry(&self) -> &str {
        self.reference.registry()
    }

    /// The repository in the registry.
    pub fn repository(&self) -> &str {
        self.reference.repository()
    }

    /// The tag, which a registry may move.
    pub fn tag(&self) -> Option<&str> {
        self.reference.tag()
    }

    /// The digest, which names one content for ever. It counts where there is a tag as well.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same repository at a digest.
    pub fn at(&self, digest: &Digest) -> Self {
        Place { reference: self.reference.clone_with_digest(digest.to_string()), digest: Some(digest.clone()) }
    }

    pub(super) fn reference(&self) -> &Reference {
        &self.reference
    }
}

impl FromStr for Place {
    type Err = Unclear;

    fn from_str(text: &str) -> Result<Self, Unclear> {
        let text = text.strip_prefix(SCHEME).unwrap_or(text);
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(Unclear::Scheme(scheme.to_owned()));
        }
        let (registry, path) = text.split_once('/').ok_or(Unclear::Registry)?;
        // As other tools tell a registry from the first part of a path.
        if !registry.contains(['.', ':']) && registry != "localhost" {
            return Err(Unclear::Registry);
        }
        let reference = Reference::from_str(text)?;
        if !path.contains([':', '@']) {
            return Err(Unclear::Unspecific);
        }
        let digest = reference.digest().map(Digest::from_str).transpose()?;
        Ok(Place { reference, digest })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn a_place_names_its_registry_and_what_is_meant() {
        let place: Place = "registry://localhost:5000/team/policy:v1".parse().unwrap();
        assert_eq!((place.host(), place.repository()), ("localhost:5000", "team/policy"));
        assert_eq!((place.tag(), place.digest()), (Some("v1"), None));
        let digest = DIGEST.parse().unwrap();
        assert_eq!(place.at(&digest).to_string(), format!("localhost:5000/team/policy@{DIGEST}"));
        let both: Place = format!("ghcr.io/team/policy:v1@{DIGEST}").parse().unwrap();
        assert_eq!((both.tag(), both.digest()), (Some("v1"), Some(&digest)));
        let hub: Place = "docker.io/policy:v1".parse().unwrap();
        assert_eq!((hub.registry(), hub.host(), hub.repository()), ("docker.io", "index.docker.io", "library/policy"));
    }

    #[test]
    fn what_leaves_something_to_guess_is_refused() {
        let why = |text: &str| text.parse::<Place>().unwrap_err().to_string();
        assert_eq!(why("policy"), "it does not begin with the name of a registry");
        assert_eq!(why("team/policy:v1"), "it does not begin with the name of a registry");
        assert_eq!(why("https://ghcr.io/policy:v1"), "`https://` is not a part of a reference");
        assert_eq!(why("ghcr.io/policy"), "it has neither a tag nor a digest");
        assert_eq!(why("localhost:5000/policy"), "it has neither a tag nor a digest");
        assert_eq!(why("ghcr.io/Policy:v1"), "invalid reference format");
        assert_eq!(why("./policy.wasm"), "invalid reference format");
        let other = DIGEST.replace("sha256", "sha512");
        assert_eq!(why(&format!("ghcr.io/policy@{other}{}", "0".repeat(64))), Malformed.to_string());
        assert_eq!(
            why(&format!("ghcr.io/policy@{}", DIGEST.to_uppercase().replace("SHA", "sha"))),
            Malformed.to_string()
        );
    }
}
