//! `sqledge-ha webhook`: what installs `sqledge-ha serve` in a cluster.

use sqledge_ha_policy::settings::Settings;

use crate::cli::WebhookManifests;
use crate::command::policy::place;
use crate::config;
use crate::exit::{Failure, Outcome};
use crate::install::module::Module;
use crate::install::remote_module::RemoteModule;
use crate::install::webhook::{NAME, Options, manifests, published_image};
use crate::install::{Unwritable, yaml};
use crate::registry::SCHEME;
use crate::wasm_host::metadata;
use crate::webhook::self_signed::Service;

/// What the settings' file says unless another is given.
const DEFAULT_SETTINGS: &str = "\
# All are optional: what is left out has its default.
engines: [sql-edge]  # sql-server as well, on request
";

impl From<metadata::Error> for Failure {
    fn from(error: metadata::Error) -> Self {
        Failure { outcome: Outcome::Bug, message: error.to_string() }
    }
}

impl From<Unwritable> for Failure {
    fn from(error: Unwritable) -> Self {
        Failure { outcome: Outcome::Bug, message: error.to_string() }
    }
}

/// The manifests as a stream of YAML documents, in the order in which to apply them.
///
/// # Errors
/// [`Failure`] with exit code 2 for settings that are not valid, a namespace that is not for the webhook, and a module
/// that is no reference.
pub fn text(flags: &WebhookManifests) -> Result<String, Failure> {
    let (settings, policy) = match &flags.settings {
        Some(path) => {
            let settings = config::bare(path)?;
            (settings.text, settings.policy)
        }
        None => (DEFAULT_SETTINGS.to_owned(), Settings::default()),
    };
    let published = published_image();
    let reference = flags.module.as_deref().map(place).transpose()?.map(|place| format!("{SCHEME}{place}"));
    let options = Options {
        module: &Module::embedded()?,
        service: &service(&flags.namespace)?,
        image: flags.image.as_deref().unwrap_or(&published),
        remote_module: reference.as_deref().map(|reference| RemoteModule {
            reference,
            ca_secret: flags.registry_ca_secret.as_deref(),
            credentials_secret: flags.registry_credentials_secret.as_deref(),
        }),
        replicas: flags.replicas,
        failure_policy: flags.failure_policy,
        timeout_seconds: flags.timeout_seconds,
        settings: &settings,
        policy: &policy,
    };
    Ok(yaml(&manifests(&options))?)
}

/// Namespaces that every cluster has, and that are not for the webhook. The manifests hold the namespace that they are for, with pod security labels by
/// which most of what runs in these could not start any more.
pub const NOT_FOR_THE_WEBHOOK: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// The Service in a namespace that may be the webhook's own.
fn service(namespace: &str) -> Result<Service, Failure> {
    let refused = |why: &str| Failure::usage(format!("--namespace {namespace}: {why}"));
    if NOT_FOR_THE_WEBHOOK.contains(&namespace) {
        return Err(refused(
            "this one is the cluster's, and the manifests would forbid most pods in it; name one for the webhook alone",
        ));
    }
    Service::new(NAME, namespace).map_err(|_| refused("lower-case letters, digits and hyphens, at most 63"))
}
