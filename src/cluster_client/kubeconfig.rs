//! Kubeconfig files: which ones are read, and what is wrong with them, in one sentence. Their text is in no message: it
//! can be secret.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError, LoadDataError};
use sqledge_ha_policy::finding::quoted;

use crate::input::{CONFIG_LIMIT, read_limited};
use crate::message::describe_io_error;

/// A kubeconfig that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the kubeconfig {name}: {reason}")]
pub struct Unusable {
    name: String,
    reason: String,
}

/// The kubeconfig of kubectl, in one or several files.
#[derive(Debug)]
pub(super) struct Files {
    name: String,
    content: Kubeconfig,
}

impl Files {
    /// Reads one file.
    pub(super) fn read(path: &Path) -> Result<Self, Unusable> {
        let name = path.display().to_string();
        match read(path) {
            Ok(content) => Ok(Files { name, content }),
            Err(reason) => Err(Unusable { name, reason }),
        }
    }

    /// Reads the files that the variable `KUBECONFIG` names, else `~/.kube/config`. `None` if none of them exists.
    pub(super) fn read_default() -> Result<Option<Self>, Unusable> {
        let mut known: Option<Files> = None;
        for path in default_paths().iter().filter(|path| path.exists()) {
            let next = Files::read(path)?;
            known = Some(match known {
                None => next,
                Some(known) => known.merge(next)?,
            });
        }
        Ok(known)
    }

    fn merge(self, next: Files) -> Result<Self, Unusable> {
        let name = format!("{}, {}", self.name, next.name);
        match self.content.merge(next.content) {
            Ok(content) => Ok(Files { name, content }),
            Err(error) => Err(Unusable { name, reason: describe(&error) }),
        }
    }

    /// The cluster and the user of a context, or of the current one.
    pub(super) async fn config(self, context: Option<&str>) -> Result<Config, Unusable> {
        if let Some(reason) = self.missing_context(context) {
            return Err(Unusable { name: self.name, reason });
        }
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(self.content, &options).await;
        config.map_err(|error| Unusable { name: self.name, reason: describe(&error) })
    }

    fn missing_context(&self, context: Option<&str>) -> Option<String> {
        let names: Vec<&str> = self.content.contexts.iter().map(|context| context.name.as_str()).collect();
        let current = self.content.current_context.as_deref().filter(|name| !name.is_empty());
        let list = || names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        match context.or(current) {
            _ if names.is_empty() => Some("it has no contexts".to_owned()),
            None => Some(format!("it has no current context; name one with --context: {}", list())),
            Some(name) if !names.contains(&name) => {
                Some(format!("it has no context {}; its contexts are: {}", quoted(name), list()))
            }
            Some(_) => None,
        }
    }
}

/// Where kubectl looks for kubeconfig files.
pub(super) fn default_paths() -> Vec<PathBuf> {
    let variable = env::var_os("KUBECONFIG").unwrap_or_default();
    let named: Vec<PathBuf> = env::split_paths(&variable).filter(|path| !path.as_os_str().is_empty()).collect();
    if named.is_empty() {
        return env::home_dir().into_iter().map(|home| home.join(".kube/config")).collect();
    }
    named
}

fn read(path: &Path) -> Result<Kubeconfig, String> {
    let bytes = read_limited(CONFIG_LIMIT, path).map_err(|error| error.to_string())?;
    // kube panics if text in UTF-16 ends in the middle of a unit.
    if matches!(bytes.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) && bytes.len() % 2 != 0 {
        return Err("it is not a text file".to_owned());
    }
    // Only the reader of files resolves the paths in it. A pipe can be read once, and has no directory.
    if path.is_file() {
        return Kubeconfig::read_from(path).map_err(|error| describe(&error));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not a text file".to_owned())?;
    Kubeconfig::from_yaml(&text).map_err(|error| describe(&error))
}

/// What is wrong with a kubeconfig, without its text.
pub(super) fn describe(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, _) if error.kind() == io::ErrorKind::InvalidData => {
            "it is not a text file".to_owned()
        }
        KubeconfigError::ReadConfig(error, _) => describe_io_error(error),
        // The message of the parser quotes the text.
        KubeconfigError::Parse(error) => match error.location() {
            Some(place) => {
                format!("line {}, column {}: this is not the YAML of a kubeconfig", place.line(), place.column())
            }
            None => "this is not the YAML of a kubeconfig".to_owned(),
        },
        KubeconfigError::LoadClusterOfContext(cluster) => {
            format!("its context names the cluster {}, which is not in it", quoted(cluster))
        }
        KubeconfigError::MissingClusterUrl => "its cluster has no `server`".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => "the `server` of its cluster is not a URL".to_owned(),
        KubeconfigError::ParseProxyUrl(_) => "the address of the proxy is not a URL".to_owned(),
        KubeconfigError::LoadCertificateAuthority(error) => describe_data("certificate-authority", error),
        KubeconfigError::LoadClientCertificate(error) => describe_data("client-certificate", error),
        KubeconfigError::LoadClientKey(error) => describe_data("client-key", error),
        KubeconfigError::ParseCertificates(_) => "`certificate-authority` is not in the format PEM".to_owned(),
        other => other.to_string(),
    }
}

fn describe_data(field: &str, error: &LoadDataError) -> String {
    match error {
        LoadDataError::DecodeBase64(_) => format!("`{field}-data` is not valid Base64"),
        LoadDataError::ReadFile(error, path) => {
            let path = path.to_string_lossy();
            format!("cannot read `{field}` {}: {}", path.trim_matches('"'), describe_io_error(error))
        }
        LoadDataError::NoBase64DataOrFile => format!("`{field}` is empty"),
    }
}
