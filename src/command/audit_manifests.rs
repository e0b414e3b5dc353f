//! `sqledge-ha audit manifests`.

use crate::cli::AuditManifests;
use crate::command::audit::parse_gateway;
use crate::command::webhook::{DEFAULT_SETTINGS, install_service};
use crate::config;
use crate::exit::CommandError;
use crate::install::audit::{Options, manifests};
use crate::install::options::published_image;
use crate::install::yaml;

/// The manifests as a stream of YAML documents, in the order to apply them.
///
/// # Errors
/// [`CommandError`] with exit code 2 for an invalid configuration or URL, or a namespace of the cluster.
pub fn text(flags: &AuditManifests) -> Result<String, CommandError> {
    install_service(&flags.namespace)?;
    flags.push_gateway.as_deref().map(parse_gateway).transpose()?;
    let options = Options {
        namespace: &flags.namespace,
        image: &flags.image.clone().unwrap_or_else(published_image),
        schedule: &flags.schedule,
        writes_reports: !flags.no_reports,
        push_gateway: flags.push_gateway.as_deref(),
        config: &flags.config.as_deref().map_or_else(|| Ok(default_config()), config::checked_text)?,
    };
    Ok(yaml(&manifests(&options))?)
}

/// The settings of the webhook.
fn default_config() -> String {
    let settings: String = DEFAULT_SETTINGS.lines().map(|line| format!("  {line}\n")).collect();
    format!("policy:\n{settings}")
}
