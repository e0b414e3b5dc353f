//! The way to the API server: from inside the cluster, or by a kubeconfig file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::header::{HeaderValue, USER_AGENT};
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use crate::message::describe_io_error;

/// Why there is no way to the API server. Whether it answers is another question.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file that `--kubeconfig` names cannot be used.
    #[error("cannot use the kubeconfig {}: {}", path.display(), why(source))]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<KubeconfigError>,
    },
    /// No file was named, and this is no pod with a service account.
    #[error("this does not run in a pod with a service account ({0}); name a file with --kubeconfig")]
    InCluster(#[source] Box<InClusterError>),
    /// The certificates or the credentials cannot be used.
    #[error("cannot prepare the connection to the API server: {0}")]
    Client(#[source] Box<kube::Error>),
}

/// A client of the API server that `kubeconfig` names, or else of the cluster around this pod. Nothing is sent yet.
///
/// It must be called on a tokio runtime.
///
/// # Errors
/// [`Error`], fit to be shown.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, Error> {
    let mut config = match kubeconfig {
        Some(path) => from_file(path)
            .await
            .map_err(|source| Error::Kubeconfig { path: path.to_owned(), source: Box::new(source) })?,
        None => Config::incluster().map_err(|error| Error::InCluster(Box::new(error)))?,
    };
    config.connect_timeout = Some(Duration::from_secs(5));
    // Longer than a watch may be silent; whoever expects an answer sooner says so.
    config.read_timeout = Some(Duration::from_secs(300));
    config.write_timeout = Some(Duration::from_secs(30));
    let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
    config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
    Client::try_from(config).map_err(|error| Error::Client(Box::new(error)))
}

/// What is wrong with a kubeconfig. Where it cannot be read, kube names the file once more.
fn why(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, _) => describe_io_error(error),
        other => other.to_string(),
    }
}

async fn from_file(path: &Path) -> Result<Config, KubeconfigError> {
    Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_missing_is_told() {
        let error = connect(Some(Path::new("/missing/config"))).await.err().unwrap().to_string();
        assert!(error.starts_with("cannot use the kubeconfig /missing/config: "), "{error}");
        let error = connect(None).await.err().unwrap().to_string();
        assert!(error.contains("does not run in a pod"), "{error}");
    }
}
