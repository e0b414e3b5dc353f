//! The connection to the API server: with a pod's service account, or with a kubeconfig file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::header::{HeaderValue, USER_AGENT};
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use crate::message::describe_io_error;

/// Why no connection to the API server is configured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The `--kubeconfig` file cannot be used.
    #[error("cannot use the kubeconfig {}: {}", path.display(), describe(source))]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<KubeconfigError>,
    },
    /// The kubeconfig that kubectl would use cannot be used.
    #[error("cannot use the kubeconfig: {}", describe_default(_0))]
    Default(Box<KubeconfigError>),
    /// There is no `--kubeconfig`, and this process does not run in a pod with a service account.
    #[error("not running in a pod with a service account: {0}")]
    InCluster(#[source] Box<InClusterError>),
    /// Certificates or credentials cannot be used.
    #[error("cannot prepare the connection to the API server: {0}")]
    Client(#[source] Box<kube::Error>),
}

/// A client for the API server in `kubeconfig`; if it is `None`, for the cluster that this pod runs in. Sends nothing yet.
/// Needs a tokio runtime.
///
/// # Errors
/// [`Error`].
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, Error> {
    let config = match kubeconfig {
        Some(path) => from_file(path, None).await?,
        None => Config::incluster().map_err(|error| Error::InCluster(Box::new(error)))?,
    };
    client(config)
}

/// A client for the API server that kubectl would use, with its address: that of a context in `kubeconfig`, or in the files that
/// the variable `KUBECONFIG` names, or in `~/.kube/config`; else of the cluster that this pod runs in. Sends nothing yet. Needs a
/// tokio runtime.
///
/// # Errors
/// [`Error`].
pub async fn connect_as_kubectl(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<(Client, String), Error> {
    let config = match kubeconfig {
        Some(path) => from_file(path, context).await?,
        None => {
            let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
            match Config::from_kubeconfig(&options).await {
                Ok(config) => config,
                Err(error) if context.is_some() || !is_missing(&error) => return Err(Error::Default(Box::new(error))),
                Err(error) => Config::incluster().map_err(|_| Error::Default(Box::new(error)))?,
            }
        }
    };
    let address = config.cluster_url.to_string();
    Ok((client(config)?, address.trim_end_matches('/').to_owned()))
}

/// Whether there is no kubeconfig at all.
fn is_missing(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::ReadConfig(error, _) => error.kind() == std::io::ErrorKind::NotFound,
        KubeconfigError::FindPath => true,
        _ => false,
    }
}

fn client(mut config: Config) -> Result<Client, Error> {
    // Without it, the first connection fails: rustls cannot choose between two providers.
    let _ = rustls::crypto::ring::default_provider().install_default();
    config.connect_timeout = Some(Duration::from_secs(5));
    // Longer than the timeout of a watch. Other requests have their own timeouts.
    config.read_timeout = Some(Duration::from_secs(300));
    config.write_timeout = Some(Duration::from_secs(30));
    let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
    config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
    Client::try_from(config).map_err(|error| Error::Client(Box::new(error)))
}

/// The kind of a cluster, as far as settings depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Platform {
    /// Any cluster, or one that is not known.
    #[default]
    Kubernetes,
    /// OpenShift, which assigns a group to each namespace and rejects pods with another one.
    OpenShift,
}

impl Platform {
    /// Asks the API server. If it does not answer, any cluster is assumed.
    pub async fn detect(client: &Client) -> Self {
        let request = hyper::Request::get("/apis/security.openshift.io").body(Vec::new());
        let Ok(request) = request else { return Platform::Kubernetes };
        match tokio::time::timeout(DETECTION_TIMEOUT, client.request_text(request)).await {
            Ok(Ok(_)) => Platform::OpenShift,
            Ok(Err(_)) | Err(_) => Platform::Kubernetes,
        }
    }
}

/// A start must not wait long for an API server.
const DETECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// What is wrong with a kubeconfig, without its path, which kube repeats if it cannot be read.
fn describe(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, _) => describe_io_error(error),
        other => other.to_string(),
    }
}

/// The same for the kubeconfig that no flag names.
fn describe_default(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, path) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("{} does not exist; name a file with --kubeconfig", path.display())
        }
        KubeconfigError::ReadConfig(error, path) => format!("{}: {}", path.display(), describe_io_error(error)),
        KubeconfigError::FindPath => "there is none; name a file with --kubeconfig".to_owned(),
        other => other.to_string(),
    }
}

async fn from_file(path: &Path, context: Option<&str>) -> Result<Config, Error> {
    let failed = |source| Error::Kubeconfig { path: path.to_owned(), source: Box::new(source) };
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    Config::from_custom_kubeconfig(file, &options).await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn errors_say_what_is_missing() {
        let error = connect(Some(Path::new("/missing/config"))).await.err().unwrap().to_string();
        assert!(error.starts_with("cannot use the kubeconfig /missing/config: "), "{error}");
        let error = connect(None).await.err().unwrap().to_string();
        assert!(error.contains("not running in a pod"), "{error}");
    }
}
