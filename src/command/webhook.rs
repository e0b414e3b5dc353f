//! `sqledge-ha webhook manifests` and `webhook gitops`.

use sqledge_ha_policy::settings::{Exposure, Settings};

use crate::cli::{WebhookGitops, WebhookManifests};
use crate::command::policy::parse_reference;
use crate::config;
use crate::exit::CommandError;
use crate::install::gitops;
use crate::install::module::ModuleMetadata;
use crate::install::options::{NAME, Options, published_image};
use crate::install::remote_module::RemoteModule;
use crate::install::webhook::manifests;
use crate::install::{InvalidManifest, yaml};
use crate::registry::SCHEME;
use crate::wasm_host::metadata;
use crate::webhook::self_signed::Service;

/// The default settings file.
pub(super) const DEFAULT_SETTINGS: &str = "\
# All settings are optional.
engines: [sql-edge]  # add sql-server to check SQL Server, too
# At creation, the ClusterIP or NodePort Service of a database becomes a load balancer. `internal` keeps it inside where the
# platform honors one of the annotations or the source ranges (see the rule load-balancer-service). Elsewhere it can be
# reachable from the internet: remove the line, and the Service is only warned about.
exposure: internal
";

impl From<metadata::Error> for CommandError {
    fn from(error: metadata::Error) -> Self {
        CommandError::bug(error)
    }
}

impl From<InvalidManifest> for CommandError {
    fn from(error: InvalidManifest) -> Self {
        CommandError::bug(error)
    }
}

/// The manifests as a stream of YAML documents, in the order to apply them.
///
/// # Errors
/// [`CommandError`] with exit code 2 for invalid settings, a namespace of the cluster, or an invalid reference of the
/// module.
pub fn text(flags: &WebhookManifests) -> Result<String, CommandError> {
    let (settings, policy) = match &flags.settings {
        Some(path) => {
            let settings = config::read_settings_file(path)?;
            (settings.text, settings.policy)
        }
        None => (DEFAULT_SETTINGS.to_owned(), Settings::default()),
    };
    let published = published_image();
    let reference = flags.module.as_deref().map(parse_reference).transpose()?;
    let reference = reference.map(|reference| format!("{SCHEME}{reference}"));
    let options = Options {
        module: &ModuleMetadata::embedded()?,
        service: &install_service(&flags.namespace)?,
        image: flags.image.as_deref().unwrap_or(&published),
        remote_module: reference.as_deref().map(|reference| RemoteModule {
            reference,
            ca_secret: flags.registry_ca_secret.as_deref(),
            credentials_secret: flags.registry_credentials_secret.as_deref(),
        }),
        replicas: flags.replicas,
        mode: flags.mode,
        events: flags.events,
        excluded_namespaces: &flags.excluded_namespaces,
        failure_policies: flags.failure_policies,
        timeout_seconds: flags.timeout_seconds,
        settings: &settings,
        policy: &policy,
    };
    Ok(yaml(&manifests(&options))?)
}

/// The settings of a GitOps controller, by default for the settings of the printed manifests.
///
/// # Errors
/// [`CommandError`] with exit code 2 for invalid settings.
pub fn gitops(flags: &WebhookGitops) -> Result<String, CommandError> {
    let policy = match &flags.settings {
        Some(path) => config::read_settings_file(path)?.policy,
        None => Settings { exposure: Some(Exposure::Internal), ..Settings::default() },
    };
    Ok(gitops::text(flags.format, &policy))
}

/// Namespaces of the cluster, in which the webhook cannot be installed. The manifests set pod security labels on its
/// namespace, with which most pods in these namespaces could not start.
pub const CLUSTER_NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// The webhook's Service in a namespace.
///
/// # Errors
/// [`CommandError`] with exit code 2 for a namespace of the cluster, and for a wrong name.
pub(super) fn install_service(namespace: &str) -> Result<Service, CommandError> {
    let invalid = |reason: &str| CommandError::usage(format!("--namespace {namespace}: {reason}"));
    if CLUSTER_NAMESPACES.contains(&namespace) {
        return Err(invalid(
            "this namespace belongs to the cluster, and the manifests would reject most pods in it; use a new namespace",
        ));
    }
    Service::new(NAME, namespace).map_err(|_| invalid("use lower-case letters, digits and hyphens, at most 63"))
}
