//! Logins to registries: what `docker login` and `podman login` wrote, and their credential helpers.
//!
//! | file | holds |
//! |---|---|
//! | `auth_file` | one file of logins |
//! | `helper` | the protocol of credential helpers |
//!
//! The crate `docker_credential` 1.4 does not replace this module. It looks up whole registries only, fails on an empty
//! `auth`, names neither the file nor the line of an error, and cannot tell a missing helper from one that failed or
//! has no login. The tests that keep this code are those of `auth_file`, and in `e2e/registry/credentials.rs`
//! `failing_helpers_are_named_but_not_quoted` and `rejected_logins_are_reported_with_their_source`.

mod auth_file;
mod helper;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use oci_client::secrets::RegistryAuth;

use self::auth_file::{AuthFile, Secret};
use super::reference::ArtifactReference;

/// The login for a registry.
pub(super) struct Credentials {
    pub(super) auth: RegistryAuth,
    /// The file or helper that the login is from; `None` without a login.
    pub(super) source: Option<String>,
}

/// Configured credentials cannot be used. The text of an error contains no secrets.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be read or parsed.
    #[error("cannot use the credentials in {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A helper is not installed.
    #[error("the credential helper `{0}` is not in PATH")]
    NoHelper(String),
    /// A helper failed.
    #[error("the credential helper `{program}` {reason}")]
    Helper {
        /// The program.
        program: String,
        /// What failed.
        reason: String,
        /// The registry, as the helper was asked for it.
        server: String,
    },
}

impl CredentialsError {
    pub(super) fn help(&self) -> Option<String> {
        match self {
            CredentialsError::File { .. } => None,
            CredentialsError::NoHelper(_) => Some("install it, or remove it from the file that names it".to_owned()),
            CredentialsError::Helper { program, server, .. } => {
                Some(format!("run it to see its own error: echo {server} | {program} get"))
            }
        }
    }
}

/// Finds the login for a reference in the environment of this process.
pub(super) fn find(reference: &ArtifactReference) -> Result<Credentials, CredentialsError> {
    let home = env::home_dir().filter(|home| !home.as_os_str().is_empty());
    for path in files(&|name| env::var_os(name).filter(|value| !value.is_empty()), home) {
        let Some(file) = AuthFile::read(&path)? else { continue };
        let secret = file.find(reference);
        match secret.map_err(|reason| CredentialsError::File { path: path.clone(), reason })? {
            Some(Secret::Login { user, password }) => {
                let source = Some(path.display().to_string());
                return Ok(Credentials { auth: RegistryAuth::Basic(user, password), source });
            }
            Some(Secret::Helper(name)) => {
                if let Some((user, password)) = helper::get(&name, server(reference))? {
                    let source = Some(format!("the credential helper `{}`", helper::program(&name)));
                    return Ok(Credentials { auth: RegistryAuth::Basic(user, password), source });
                }
            }
            None => {}
        }
    }
    Ok(Credentials { auth: RegistryAuth::Anonymous, source: None })
}

/// The files that may contain logins, in the order of precedence: from the environment, podman's
/// (containers-auth.json(5)), docker's.
fn files(environment: &dyn Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Vec<PathBuf> {
    let variable = |name: &str| environment(name).map(PathBuf::from);
    if let Some(file) = variable("REGISTRY_AUTH_FILE") {
        return vec![file];
    }
    let podman = "containers/auth.json";
    let config = variable("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    [
        variable("DOCKER_CONFIG").map(|directory| directory.join("config.json")),
        variable("XDG_RUNTIME_DIR").map(|directory| directory.join(podman)),
        config.map(|directory| directory.join(podman)),
        home.map(|home| home.join(".docker/config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The name of a registry for docker and its helpers.
fn server(reference: &ArtifactReference) -> &str {
    if reference.registry() == "docker.io" { "https://index.docker.io/v1/" } else { reference.registry() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_comes_before_podman_and_docker() {
        let files = |set: &[(&str, &str)]| {
            let value =
                |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
            let files = files(&value, Some("/home/me".into()));
            files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        let defaults = ["/home/me/.config/containers/auth.json", "/home/me/.docker/config.json"];
        assert_eq!(files(&[]), defaults);
        let runtime = files(&[("XDG_RUNTIME_DIR", "/run/user/1000"), ("DOCKER_CONFIG", "/docker")]);
        assert_eq!(runtime[..2], ["/docker/config.json", "/run/user/1000/containers/auth.json"]);
        assert_eq!(files(&[("REGISTRY_AUTH_FILE", "/auth.json"), ("DOCKER_CONFIG", "/docker")]), ["/auth.json"]);
    }
}
