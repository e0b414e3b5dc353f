//! Who this command is to a registry: what `docker login` and `podman login` have written, and what their helpers know.
//!
//! | file | holds |
//! |---|---|
//! | `stored` | one file: which of its entries is meant |
//! | `helper` | a program that keeps secrets |

mod helper;
mod stored;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use oci_client::secrets::RegistryAuth;

use self::stored::{Secret, Stored};
use super::place::Place;

/// What a registry is told of who asks, and where that is from.
pub(super) struct Credentials {
    pub(super) auth: RegistryAuth,
    /// What a person may be told of them; `None` if there are none.
    pub(super) origin: Option<String>,
}

/// Why credentials that someone has set up cannot be used. Nothing of what is in them is told.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file cannot be read, or not be understood.
    #[error("the credentials in {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A helper is not installed.
    #[error("the credential helper `{0}` is in no folder of PATH")]
    NoHelper(String),
    /// A helper did not do its work.
    #[error("the credential helper `{program}` {why}")]
    Helper {
        /// The program.
        program: String,
        /// What it did instead.
        why: String,
        /// For what it was asked.
        server: String,
    },
}

impl Unusable {
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Unusable::File { .. } => None,
            Unusable::NoHelper(_) => Some("install it, or take it out of the file that names it".to_owned()),
            Unusable::Helper { program, server, .. } => {
                Some(format!("see what it says by itself: echo {server} | {program} get"))
            }
        }
    }
}

/// Looks for credentials in the environment of this process.
pub(super) fn find(place: &Place) -> Result<Credentials, Unusable> {
    let home = env::home_dir().filter(|home| !home.as_os_str().is_empty());
    for path in files(&|name| env::var_os(name).filter(|value| !value.is_empty()), home) {
        let Some(stored) = Stored::read(&path)? else { continue };
        let found = stored.find(place).map_err(|why| Unusable::File { path: path.clone(), why })?;
        match found {
            Some(Secret::Login { user, password }) => {
                let origin = Some(path.display().to_string());
                return Ok(Credentials { auth: RegistryAuth::Basic(user, password), origin });
            }
            Some(Secret::KeptBy(name)) => {
                if let Some((user, password)) = helper::ask(&name, server(place))? {
                    let origin = Some(format!("the credential helper `{}`", helper::program(&name)));
                    return Ok(Credentials { auth: RegistryAuth::Basic(user, password), origin });
                }
            }
            None => {}
        }
    }
    Ok(Credentials { auth: RegistryAuth::Anonymous, origin: None })
}

/// The files in which credentials may be, the first that has some counts: what the environment names, then
/// podman's (containers-auth.json(5)), then docker's.
fn files(environment: &dyn Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Vec<PathBuf> {
    let folder = |name: &str| environment(name).map(PathBuf::from);
    if let Some(file) = folder("REGISTRY_AUTH_FILE") {
        return vec![file];
    }
    let of_podman = "containers/auth.json";
    let settings = folder("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    [
        folder("DOCKER_CONFIG").map(|folder| folder.join("config.json")),
        folder("XDG_RUNTIME_DIR").map(|folder| folder.join(of_podman)),
        settings.map(|folder| folder.join(of_podman)),
        home.map(|home| home.join(".docker/config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// By which name docker and its helpers know a registry.
fn server(place: &Place) -> &str {
    if place.registry() == "docker.io" { "https://index.docker.io/v1/" } else { place.registry() }
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
        let usual = ["/home/me/.config/containers/auth.json", "/home/me/.docker/config.json"];
        assert_eq!(files(&[]), usual);
        let runtime = files(&[("XDG_RUNTIME_DIR", "/run/user/1000"), ("DOCKER_CONFIG", "/docker")]);
        assert_eq!(runtime[..2], ["/docker/config.json", "/run/user/1000/containers/auth.json"]);
        assert_eq!(files(&[("REGISTRY_AUTH_FILE", "/auth.json"), ("DOCKER_CONFIG", "/docker")]), ["/auth.json"]);
    }
}
