//! Container image references.

/// The parts of an image reference, as the distribution project's grammar splits them
/// (`[registry/]repository[:tag][@digest]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageReference<'a> {
    /// Host and port, if the reference names a registry.
    pub registry: Option<&'a str>,
    /// The path without registry, tag and digest.
    pub repository: &'a str,
    /// The tag.
    pub tag: Option<&'a str>,
    /// The digest, e.g. `sha256:…`.
    pub digest: Option<&'a str>,
}

impl<'a> ImageReference<'a> {
    /// Splits a reference. Any text is accepted; one that no runtime would accept matches nothing.
    pub fn parse(reference: &'a str) -> Self {
        let (name, digest) = match reference.trim().split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (reference.trim(), None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (path, tag) = match name.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (name, None),
        };
        // The first component is a registry only if it looks like a host, as `docker pull` decides.
        let (registry, repository) = match path.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), rest),
            _ => (None, path),
        };
        ImageReference { registry, repository, tag, digest }
    }

    /// Whether the repository ends with `suffix`, counted in whole path components.
    pub fn repository_ends_with(&self, suffix: &str) -> bool {
        self.repository
            .strip_suffix(suffix)
            .is_some_and(|before| !suffix.is_empty() && (before.is_empty() || before.ends_with('/')))
    }

    /// The last path component of the repository.
    pub fn short_name(&self) -> &'a str {
        self.repository.rsplit('/').next().unwrap_or(self.repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn a_reference_has_four_parts() {
        let cases = [
            ("azure-sql-edge", None, "azure-sql-edge", None, None),
            (
                "mcr.microsoft.com/azure-sql-edge:1.0.7",
                Some("mcr.microsoft.com"),
                "azure-sql-edge",
                Some("1.0.7"),
                None,
            ),
            ("localhost/mssql/server", Some("localhost"), "mssql/server", None, None),
            ("registry:5000/mssql/server", Some("registry:5000"), "mssql/server", None, None),
            ("team/azure-sql-edge@sha256:ab", None, "team/azure-sql-edge", None, Some("sha256:ab")),
            ("r.io:443/a/b:t@sha256:ab", Some("r.io:443"), "a/b", Some("t"), Some("sha256:ab")),
            ("", None, "", None, None),
        ];
        for (text, registry, repository, tag, digest) in cases {
            assert_eq!(ImageReference::parse(text), ImageReference { registry, repository, tag, digest }, "{text}");
        }
    }

    #[test]
    fn a_suffix_matches_whole_path_components() {
        let ends = |text, suffix| ImageReference::parse(text).repository_ends_with(suffix);
        assert!(ends("noknok79/azure-sql-edge:latest", "azure-sql-edge"));
        assert!(ends("cloudlab3.azurecr.io/mssql/server:latest", "mssql/server"));
        assert!(!ends("team/my-azure-sql-edge", "azure-sql-edge"));
        assert!(!ends("mssql.io/server", "mssql/server"));
        assert!(!ends("anything", ""));
    }
}
