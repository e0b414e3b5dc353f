//! The connection to the API server: with a pod's service account, or with a kubeconfig file.
//!
//! | file | contents |
//! |---|---|
//! | `kubeconfig` | kubeconfig files |

mod kubeconfig;

use std::path::Path;
use std::time::Duration;

use hyper::header::{HeaderValue, USER_AGENT};
use kube::client::AuthError;
use kube::config::InClusterError;
use kube::core::Status;
use kube::{Client, Config};
use sqledge_ha_policy::finding::quoted;

pub use self::kubeconfig::Unusable;
use self::kubeconfig::{Files, default_paths};
use crate::crypto;
use crate::message::{describe_io_error, describe_root_cause};

/// Why no connection to the API server is configured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kubeconfig cannot be used.
    #[error(transparent)]
    Kubeconfig(#[from] Unusable),
    /// There is no kubeconfig, and this process does not run in a pod with a service account.
    #[error("there is no kubeconfig: {0} does not exist; name a file with --kubeconfig")]
    Missing(String),
    /// There is no `--kubeconfig`, and this process does not run in a pod with a service account.
    #[error("not running in a pod with a service account: {}; name a file with --kubeconfig", in_cluster_reason(.0))]
    InCluster(#[source] Box<InClusterError>),
    /// Certificates or credentials cannot be used.
    #[error("cannot prepare the connection to the API server: {0}")]
    Client(String),
}

fn in_cluster_reason(error: &InClusterError) -> String {
    match error {
        InClusterError::ReadEnvironmentVariable(_) => "the variable KUBERNETES_SERVICE_HOST is not set".to_owned(),
        other => other.to_string(),
    }
}

/// A client for the API server in `kubeconfig`; if it is `None`, for the cluster that this pod runs in. Sends nothing
/// yet. Needs a tokio runtime.
///
/// # Errors
/// [`Error`].
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, Error> {
    let config = match kubeconfig {
        Some(path) => Files::read(path)?.config(None).await?,
        None => Config::incluster().map_err(|error| Error::InCluster(Box::new(error)))?,
    };
    client(config)
}

/// A client for the API server that kubectl would use, with its address: that of a context in `kubeconfig`, or in the
/// files that the variable `KUBECONFIG` names, or in `~/.kube/config`; else of the cluster that this pod runs in. Sends
/// nothing yet. Needs a tokio runtime.
///
/// # Errors
/// [`Error`].
pub async fn connect_as_kubectl(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<(Client, String), Error> {
    let files = match kubeconfig {
        Some(path) => Some(Files::read(path)?),
        None => Files::read_default()?,
    };
    let mut config = match files {
        Some(files) => files.config(context).await?,
        None => Config::incluster().map_err(|_| missing())?,
    };
    // Requests are repeated where they are sent, with a limit and a message.
    config.default_retry = false;
    let address = config.cluster_url.to_string();
    Ok((client(config)?, address.trim_end_matches('/').to_owned()))
}

fn missing() -> Error {
    let paths: Vec<String> = default_paths().iter().map(|path| path.display().to_string()).collect();
    Error::Missing(if paths.is_empty() { "~/.kube/config".to_owned() } else { paths.join(", ") })
}

fn client(mut config: Config) -> Result<Client, Error> {
    crypto::select_provider();
    config.connect_timeout = Some(Duration::from_secs(5));
    // Longer than the timeout of a watch. Other requests have their own timeouts.
    config.read_timeout = Some(Duration::from_secs(300));
    config.write_timeout = Some(Duration::from_secs(30));
    let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
    config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
    let user = config.auth_info.clone();
    Client::try_from(config).map_err(|error| {
        let program = user.exec.and_then(|exec| exec.command).unwrap_or_default();
        Error::Client(match &error {
            kube::Error::Auth(_) if user.auth_provider.is_some() => {
                "the kubeconfig has `auth-provider`, which Kubernetes no longer supports: use `exec`".to_owned()
            }
            kube::Error::Auth(error) => describe_auth(error, &program),
            kube::Error::InferKubeconfig(error) => kubeconfig::describe(error),
            kube::Error::RustlsTls(_) => format!("cannot use the client certificate: {}", describe(&error)),
            _ => describe(&error),
        })
    })
}

/// Why there are no credentials. The output of the program that makes them is secret.
fn describe_auth(error: &AuthError, program: &str) -> String {
    let program = quoted(program);
    match error {
        AuthError::AuthExecStart(error) => {
            format!("cannot run {program}, which makes the credentials: {}", describe_io_error(error))
        }
        AuthError::AuthExecRun { status, .. } => format!("{program}, which makes the credentials, failed: {status}"),
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            format!("{program}, which makes the credentials, does not print an ExecCredential")
        }
        AuthError::MissingCommand => "the `exec` of the user has no command".to_owned(),
        AuthError::ReadTokenFile(error, path) => {
            let path = path.to_string_lossy();
            format!("cannot read the token file {}: {}", path.trim_matches('"'), describe_io_error(error))
        }
        AuthError::InvalidBearerToken(_) | AuthError::InvalidBasicAuth(_) => {
            "the token or password has characters that no HTTP header can have".to_owned()
        }
        other => other.to_string(),
    }
}

/// An error of the client, without the names of libraries: the answer of the API server, or the first cause.
pub(crate) fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => return status.message.clone(),
        kube::Error::SerdeError(_) => return "the answer is not what an API server sends".to_owned(),
        kube::Error::Auth(error) => return describe_auth(error, "the program"),
        _ => {}
    }
    let cause = describe_root_cause(error);
    match cause.as_str() {
        "end of file before message length reached" | "connection closed before message completed" => {
            "the connection was closed in the middle of the answer".to_owned()
        }
        _ => cause,
    }
}

/// Whether the API server rejected a request because the namespace does not exist.
pub(crate) fn is_namespace_missing(status: &Status) -> bool {
    status.code == 404 && status.details.as_ref().is_some_and(|details| details.kind == "namespaces")
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

    #[test]
    fn a_namespace_that_is_missing_is_not_a_secret_that_is_missing() {
        let not_found = |kind: &str| {
            let answer =
                serde_json::json!({"code": 404, "reason": "NotFound", "details": {"name": "sql", "kind": kind}});
            serde_json::from_value::<Status>(answer).unwrap()
        };
        assert!(is_namespace_missing(&not_found("namespaces")));
        assert!(!is_namespace_missing(&not_found("secrets")));
    }
}
