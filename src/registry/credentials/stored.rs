//! One file of credentials, as docker and podman write it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::super::place::Place;
use super::Unusable;
use crate::input::{CONFIG_LIMIT, read_limited};

/// What a file says: <https://docs.docker.com/reference/cli/docker/login/#credential-stores> and
/// containers-auth.json(5).
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stored {
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

/// What is found for a registry.
#[derive(PartialEq)]
pub(super) enum Secret {
    /// A name and a password.
    Login { user: String, password: String },
    /// A helper by this name has them.
    KeptBy(String),
}

/// The user whom Azure's registry knows by a token:
/// <https://learn.microsoft.com/azure/container-registry/container-registry-authentication>
pub(super) const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

impl Stored {
    /// Reads a file. `None` if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Unusable> {
        let unusable = |why: String| Unusable::File { path: path.to_owned(), why };
        match read_limited(CONFIG_LIMIT, path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
                // The parser's own words may quote a password.
                unusable(format!("line {}, column {} is not as it should be", error.line(), error.column()))
            }),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(unusable(error.to_string())),
        }
    }

    /// What is known for a place: by a helper for its registry, by an entry, the longest path first, or by the helper for
    /// everything.
    ///
    /// # Errors
    /// What is wrong with the entry.
    pub(super) fn find(&self, place: &Place) -> Result<Option<Secret>, String> {
        let registry = place.registry();
        let is_named = |name: &&String| !name.is_empty();
        if let Some(helper) = self.cred_helpers.get(registry).filter(is_named) {
            return Ok(Some(Secret::KeptBy(helper.clone())));
        }
        let whole = format!("{registry}/{}", place.repository());
        let paths = whole.match_indices('/').map(|(end, _)| end).chain([whole.len()]).rev();
        for path in paths.filter_map(|end| whole.get(..end)) {
            let entry = self.auths.iter().find(|(key, _)| canonical(key) == path).map(|(_, entry)| entry);
            // An entry may be empty: then the helper for everything has the rest.
            if let Some(login) = entry.map(|entry| entry.login(path)).transpose()?.flatten() {
                return Ok(Some(login));
            }
        }
        Ok(self.creds_store.as_ref().filter(is_named).map(|store| Secret::KeptBy(store.clone())))
    }
}

impl Entry {
    fn login(&self, path: &str) -> Result<Option<Secret>, String> {
        let decoded = self.auth.as_deref().filter(|auth| !auth.is_empty()).map(decode);
        let decoded =
            decoded.map(|login| login.ok_or(format!("`auth` of {path} is not as it should be"))).transpose()?;
        let named = self.username.clone().zip(self.password.clone());
        if let Some(token) = self.identitytoken.clone().filter(|token| !token.is_empty()) {
            let user = decoded.map(|(user, _)| user).filter(|user| !user.is_empty());
            return Ok(Some(Secret::Login { user: user.unwrap_or(TOKEN_USER.to_owned()), password: token }));
        }
        Ok(decoded.or(named).map(|(user, password)| Secret::Login { user, password }))
    }
}

/// `user:password`, encoded, with or without padding.
fn decode(auth: &str) -> Option<(String, String)> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = GeneralPurpose::new(&STANDARD, config).decode(auth).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The path that an entry is for. Docker writes some as addresses, with a path that means nothing.
fn canonical(key: &str) -> &str {
    let address = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let path = address.map_or(key, |address| address.split('/').next().unwrap_or_default());
    if matches!(path, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { path.trim_end_matches('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, place: &str) -> Result<String, String> {
        let stored: Stored = serde_json::from_str(text).unwrap();
        Ok(match stored.find(&place.parse().unwrap())? {
            Some(Secret::Login { user, password }) => format!("{user} {password}"),
            Some(Secret::KeptBy(helper)) => format!("by {helper}"),
            None => "none".to_owned(),
        })
    }

    #[test]
    fn entries_are_found_by_their_path_the_longest_first() {
        // me:secret, with and without padding.
        let text = r#"{"auths": {"r.test": {"auth": "bWU6c2VjcmV0"}, "r.test/team": {"username": "team", "password": "p:w"},
            "https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA=="}, "empty.test": {}}}"#;
        assert_eq!(found(text, "r.test/other/policy:v1").unwrap(), "me secret");
        assert_eq!(found(text, "r.test/team/policy:v1").unwrap(), "team p:w");
        assert_eq!(found(text, "r.test/teams/policy:v1").unwrap(), "me secret");
        assert_eq!(found(text, "docker.io/policy:v1").unwrap(), "hub secret");
        assert_eq!(found(text, "r.test:5000/policy:v1").unwrap(), "none");
        assert_eq!(found(text, "empty.test/policy:v1").unwrap(), "none");
    }

    #[test]
    fn helpers_keep_what_is_not_written() {
        let text = r#"{"auths": {"a.test": {}, "b.test": {"auth": "bWU6c2VjcmV0"}}, "credsStore": "desktop",
            "credHelpers": {"c.test": "cloud", "d.test": ""}}"#;
        assert_eq!(found(text, "a.test/policy:v1").unwrap(), "by desktop");
        assert_eq!(found(text, "b.test/policy:v1").unwrap(), "me secret");
        assert_eq!(found(text, "c.test/policy:v1").unwrap(), "by cloud");
        assert_eq!(found(text, "d.test/policy:v1").unwrap(), "by desktop");
    }

    #[test]
    fn a_token_is_the_password_of_its_user() {
        // The user of Azure's registry, and no password.
        let text = r#"{"auths": {"a.test": {"auth": "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==",
            "identitytoken": "t"}, "b.test": {"identitytoken": "t"}}}"#;
        for place in ["a.test/policy:v1", "b.test/policy:v1"] {
            assert_eq!(found(text, place).unwrap(), format!("{TOKEN_USER} t"));
        }
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_told_without_it() {
        let text = r#"{"auths": {"a.test": {"auth": "Secret!"}}}"#;
        assert_eq!(found(text, "a.test/policy:v1").unwrap_err(), "`auth` of a.test is not as it should be");
    }
}
