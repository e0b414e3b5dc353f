//! A file of logins in the format of docker and podman.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::super::reference::ArtifactReference;
use super::CredentialsError;
use crate::input::{CONFIG_LIMIT, read_limited};

/// The format: <https://docs.docker.com/reference/cli/docker/login/#credential-stores> and containers-auth.json(5).
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthFile {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// The login for a registry.
pub(super) enum Secret {
    /// User and password.
    Login { user: String, password: String },
    /// The credential helper with this name has them.
    Helper(String),
}

/// The user name for identity tokens of Azure's registry:
/// <https://learn.microsoft.com/azure/container-registry/container-registry-authentication>
pub(super) const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

impl AuthFile {
    /// Reads a file; `None` if it does not exist.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, CredentialsError> {
        let invalid = |reason: String| CredentialsError::File { path: path.to_owned(), reason };
        match read_limited(CONFIG_LIMIT, path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
                // The parser's message may quote a password.
                invalid(format!("unexpected content at line {}, column {}", error.line(), error.column()))
            }),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(invalid(error.to_string())),
        }
    }

    /// Finds the login for a reference: the helper for its registry, else the entry with the longest matching path,
    /// else the default helper.
    ///
    /// # Errors
    /// What is wrong with the entry.
    pub(super) fn find(&self, reference: &ArtifactReference) -> Result<Option<Secret>, String> {
        let registry = reference.registry();
        let is_named = |name: &&String| !name.is_empty();
        if let Some(helper) = self.cred_helpers.get(registry).filter(is_named) {
            return Ok(Some(Secret::Helper(helper.clone())));
        }
        let full = format!("{registry}/{}", reference.repository());
        let paths = full.match_indices('/').map(|(end, _)| end).chain([full.len()]).rev();
        for path in paths.filter_map(|end| full.get(..end)) {
            let entry = self.auths.iter().find(|(key, _)| canonical(key) == path).map(|(_, entry)| entry);
            // An entry is empty if the default helper has the login.
            if let Some(login) = entry.map(|entry| entry.login(path)).transpose()?.flatten() {
                return Ok(Some(login));
            }
        }
        Ok(self.creds_store.as_ref().filter(is_named).map(|store| Secret::Helper(store.clone())))
    }
}

impl Entry {
    fn login(&self, path: &str) -> Result<Option<Secret>, String> {
        let decoded = self.auth.as_deref().filter(|auth| !auth.is_empty()).map(decode);
        let decoded = decoded.map(|login| login.ok_or(format!("`auth` of {path} cannot be decoded"))).transpose()?;
        let named = self.username.clone().zip(self.password.clone());
        if let Some(token) = self.identitytoken.clone().filter(|token| !token.is_empty()) {
            let user = decoded.map(|(user, _)| user).filter(|user| !user.is_empty());
            return Ok(Some(Secret::Login { user: user.unwrap_or(TOKEN_USER.to_owned()), password: token }));
        }
        Ok(decoded.or(named).map(|(user, password)| Secret::Login { user, password }))
    }
}

/// Decodes `user:password`, with or without padding.
fn decode(auth: &str) -> Option<(String, String)> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = GeneralPurpose::new(&STANDARD, config).decode(auth).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The registry or repository of an entry. Docker writes some keys as URLs, whose path has no meaning.
fn canonical(key: &str) -> &str {
    let address = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let path = address.map_or(key, |address| address.split('/').next().unwrap_or_default());
    if matches!(path, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { path.trim_end_matches('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, reference: &str) -> Result<String, String> {
        let file: AuthFile = serde_json::from_str(text).unwrap();
        Ok(match file.find(&reference.parse().unwrap())? {
            Some(Secret::Login { user, password }) => format!("{user} {password}"),
            Some(Secret::Helper(helper)) => format!("helper {helper}"),
            None => "none".to_owned(),
        })
    }

    #[test]
    fn the_entry_with_the_longest_matching_path_is_used() {
        // me:secret, with and without padding.
        let text = r#"{"auths": {"r.test": {"auth": "bWU6c2VjcmV0"}, "r.test/team": {"username": "team", "password": "p:w"},
            "https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA=="}, "empty.test": {}}}"#;
        assert_eq!(find(text, "r.test/other/policy:v1").unwrap(), "me secret");
        assert_eq!(find(text, "r.test/team/policy:v1").unwrap(), "team p:w");
        assert_eq!(find(text, "r.test/teams/policy:v1").unwrap(), "me secret");
        assert_eq!(find(text, "docker.io/policy:v1").unwrap(), "hub secret");
        assert_eq!(find(text, "r.test:5000/policy:v1").unwrap(), "none");
        assert_eq!(find(text, "empty.test/policy:v1").unwrap(), "none");
    }

    #[test]
    fn helpers_are_used_for_registries_without_an_entry() {
        let text = r#"{"auths": {"a.test": {}, "b.test": {"auth": "bWU6c2VjcmV0"}}, "credsStore": "desktop",
            "credHelpers": {"c.test": "cloud", "d.test": ""}}"#;
        assert_eq!(find(text, "a.test/policy:v1").unwrap(), "helper desktop");
        assert_eq!(find(text, "b.test/policy:v1").unwrap(), "me secret");
        assert_eq!(find(text, "c.test/policy:v1").unwrap(), "helper cloud");
        assert_eq!(find(text, "d.test/policy:v1").unwrap(), "helper desktop");
    }

    #[test]
    fn an_identity_token_is_used_as_the_password() {
        // The user of Azure's registry, and no password.
        let text = r#"{"auths": {"a.test": {"auth": "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==",
            "identitytoken": "t"}, "b.test": {"identitytoken": "t"}}}"#;
        for reference in ["a.test/policy:v1", "b.test/policy:v1"] {
            assert_eq!(find(text, reference).unwrap(), format!("{TOKEN_USER} t"));
        }
    }

    #[test]
    fn an_invalid_entry_is_not_quoted() {
        let text = r#"{"auths": {"a.test": {"auth": "Secret!"}}}"#;
        assert_eq!(find(text, "a.test/policy:v1").unwrap_err(), "`auth` of a.test cannot be decoded");
    }
}
