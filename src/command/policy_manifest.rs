//! `sqledge-ha policy manifest` and `policy access`: manifests for Kubewarden.

use serde_json::json;
use sqledge_ha_policy::settings::Settings;

use crate::cli::{PolicyAccess, PolicyManifest};
use crate::command::policy::parse_reference;
use crate::config;
use crate::exit::CommandError;
use crate::install::kubewarden::{Options, policies};
use crate::install::module::ModuleMetadata;
use crate::install::rbac::{ServiceAccount, policy_server};
use crate::install::yaml;
use crate::registry::SCHEME;

/// Policies as YAML.
///
/// # Errors
/// [`CommandError`] with exit code 2 for invalid settings, or a URL from which no policy server loads a module.
pub fn text(flags: &PolicyManifest) -> Result<String, CommandError> {
    let module = ModuleMetadata::embedded()?;
    let (value, settings) = match &flags.settings {
        Some(path) => {
            let settings = config::read_settings_file(path)?;
            (settings.value, settings.policy)
        }
        None => (json!({"exposure": "internal"}), Settings::default()),
    };
    flags.module.as_deref().map_or(Ok(()), check_location)?;
    let options = Options {
        location: &flags.module.clone().unwrap_or_else(|| module.published_at()),
        module: &module,
        policy_server: &flags.policy_server,
        failure_policies: flags.failure_policies,
        timeout_seconds: flags.timeout_seconds,
        settings: &value,
        policy: &settings,
    };
    Ok(yaml(&policies(flags.mode, &options))?)
}

/// Checks the URL of a module: from a registry, a web server, or the file system of the policy server.
fn check_location(url: &str) -> Result<(), CommandError> {
    if url.starts_with(SCHEME) {
        return parse_reference(url).map(|_| ());
    }
    let schemes = ["https://", "http://", "file:///"];
    if schemes.iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty())) {
        return Ok(());
    }
    let help = "write registry://REGISTRY/REPOSITORY:TAG, https://… or file:///…";
    Err(CommandError::usage(format!("{url}: not the URL of a module\n = help: {help}")))
}

/// The permissions of the policy server as YAML.
///
/// # Errors
/// [`CommandError`] only for a bug of the build.
pub fn access(flags: &PolicyAccess) -> Result<String, CommandError> {
    let account = ServiceAccount { namespace: flags.namespace.clone(), name: flags.service_account.clone() };
    Ok(yaml(&policy_server(&ModuleMetadata::embedded()?, &account))?)
}
