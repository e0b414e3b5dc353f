//! References to artifacts: `HOST/REPOSITORY:TAG` or `HOST/REPOSITORY@sha256:…`.

use std::fmt;
use std::str::FromStr;

use oci_client::{ParseError, Reference};

use super::digest::{Digest, InvalidDigest};

/// The prefix of references in Kubewarden.
pub const SCHEME: &str = "registry://";

/// A reference to an artifact in a registry. It names the registry, and a tag or a digest: there are no defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactReference {
    reference: Reference,
    digest: Option<Digest>,
}

/// A text is not a reference.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// It has another scheme than Kubewarden's.
    #[error("a reference cannot start with `{0}://`")]
    Scheme(String),
    /// It names no registry.
    #[error("the reference has no registry host")]
    Registry,
    /// It has neither a tag nor a digest.
    #[error("the reference has no tag or digest")]
    NoTagOrDigest,
    /// Its digest is not a SHA-256 digest.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    /// It has another syntax error.
    #[error("{0}")]
    Syntax(#[from] ParseError),
}

impl ArtifactReference {
    /// The host of the registry to connect to, with its port if it has one.
    pub fn host(&self) -> &str {
        self.reference.resolve_registry()
    }

    /// The registry in the text of the reference.
    pub fn registry(&self) -> &str {
        self.reference.registry()
    }

    /// The repository.
    pub fn repository(&self) -> &str {
        self.reference.repository()
    }

    /// The tag, which the registry can move to another artifact.
    pub fn tag(&self) -> Option<&str> {
        self.reference.tag()
    }

    /// The digest, which takes precedence over the tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The reference with this digest instead of its tag.
    pub fn with_digest(&self, digest: &Digest) -> Self {
        ArtifactReference {
            reference: self.reference.clone_with_digest(digest.to_string()),
            digest: Some(digest.clone()),
        }
    }

    pub(super) fn oci(&self) -> &Reference {
        &self.reference
    }
}

impl FromStr for ArtifactReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let text = text.strip_prefix(SCHEME).unwrap_or(text);
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(InvalidReference::Scheme(scheme.to_owned()));
        }
        let (registry, path) = text.split_once('/').ok_or(InvalidReference::Registry)?;
        // The rule of docker to distinguish a registry from the first part of a path.
        if !registry.contains(['.', ':']) && registry != "localhost" {
            return Err(InvalidReference::Registry);
        }
        let reference = Reference::from_str(text)?;
        if !path.contains([':', '@']) {
            return Err(InvalidReference::NoTagOrDigest);
        }
        let digest = reference.digest().map(Digest::from_str).transpose()?;
        Ok(ArtifactReference { reference, digest })
    }
}

impl fmt::Display for ArtifactReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn references_have_a_registry_a_repository_and_a_tag_or_digest() {
        let tagged: ArtifactReference = "registry://localhost:5000/team/policy:v1".parse().unwrap();
        assert_eq!((tagged.host(), tagged.repository()), ("localhost:5000", "team/policy"));
        assert_eq!((tagged.tag(), tagged.digest()), (Some("v1"), None));
        let digest = DIGEST.parse().unwrap();
        assert_eq!(tagged.with_digest(&digest).to_string(), format!("localhost:5000/team/policy@{DIGEST}"));
        let both: ArtifactReference = format!("ghcr.io/team/policy:v1@{DIGEST}").parse().unwrap();
        assert_eq!((both.tag(), both.digest()), (Some("v1"), Some(&digest)));
        let hub: ArtifactReference = "docker.io/policy:v1".parse().unwrap();
        assert_eq!((hub.registry(), hub.host(), hub.repository()), ("docker.io", "index.docker.io", "library/policy"));
    }

    #[test]
    fn incomplete_references_are_rejected() {
        let reason = |text: &str| text.parse::<ArtifactReference>().unwrap_err().to_string();
        assert_eq!(reason("policy"), "the reference has no registry host");
        assert_eq!(reason("team/policy:v1"), "the reference has no registry host");
        assert_eq!(reason("https://ghcr.io/policy:v1"), "a reference cannot start with `https://`");
        assert_eq!(reason("ghcr.io/policy"), "the reference has no tag or digest");
        assert_eq!(reason("localhost:5000/policy"), "the reference has no tag or digest");
        assert_eq!(reason("ghcr.io/Policy:v1"), "invalid reference format");
        assert_eq!(reason("./policy.wasm"), "invalid reference format");
        let other = DIGEST.replace("sha256", "sha512");
        assert_eq!(reason(&format!("ghcr.io/policy@{other}{}", "0".repeat(64))), InvalidDigest.to_string());
        assert_eq!(
            reason(&format!("ghcr.io/policy@{}", DIGEST.to_uppercase().replace("SHA", "sha"))),
            InvalidDigest.to_string()
        );
    }
}
