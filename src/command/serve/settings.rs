//! The settings file of the webhook, which is loaded again when it changes.
//!
//! The file is polled as certificate files are: file events are not reliable for a mounted ConfigMap.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqledge_ha_policy::rules::parse_settings;

use super::module::check_settings;
use crate::cluster_client::Platform;
use crate::config::{self, ConfigError};
use crate::wasm_host::CompiledModule;
use crate::webhook::active_settings::{ActiveSettings, LoadedSettings};
use crate::webhook::blocking::poll_repeatedly;

/// How often the file is read.
const POLL: Duration = Duration::from_secs(5);

/// Reads the settings in a file. Without a file, they are the defaults.
///
/// # Errors
/// Those of [`config::read_settings_file`].
pub(super) fn read(path: Option<&Path>, is_embedded: bool, platform: Platform) -> Result<LoadedSettings, ConfigError> {
    let file = path.map(config::read_settings_file).transpose()?;
    let value = for_platform(file.map_or(Value::Null, |file| file.value), platform);
    Ok(LoadedSettings::new(&value, parse_settings(&value).ok().filter(|_| is_embedded)))
}

/// On OpenShift, no group is set.
fn for_platform(mut settings: Value, platform: Platform) -> Value {
    if platform == Platform::OpenShift {
        if settings.is_null() {
            settings = json!({});
        }
        if let Some(members) = settings.as_object_mut() {
            members.insert("fsGroup".to_owned(), json!("none"));
        }
    }
    settings
}

/// Watches the file.
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    pub(super) module: CompiledModule,
    pub(super) is_embedded: bool,
    pub(super) platform: Platform,
    pub(super) active: Arc<ActiveSettings>,
    /// The last problem: it is reported once.
    pub(super) problem: Option<String>,
}

impl SettingsFile {
    /// Loads the file again whenever it has changed.
    pub(super) async fn watch(self) {
        poll_repeatedly(self, POLL, SettingsFile::poll).await;
        tracing::error!("the settings file is no longer watched");
    }

    fn poll(&mut self) {
        let before = self.active.current();
        match self.read_new(&before) {
            Ok(None) => self.problem = None,
            Ok(Some(settings)) => {
                self.problem = None;
                self.use_settings(&before, settings);
            }
            Err(error) if self.problem.as_ref() == Some(&error) => {}
            Err(error) => {
                self.active.count_failure();
                tracing::error!(%error, "cannot load the settings; keeping the previous ones");
                self.problem = Some(error);
            }
        }
    }

    /// The settings that the module accepts, if they are others.
    fn read_new(&self, before: &LoadedSettings) -> Result<Option<LoadedSettings>, String> {
        let settings = read(Some(&self.path), self.is_embedded, self.platform).map_err(|error| error.line)?;
        if settings.digest == before.digest {
            return Ok(None);
        }
        check_settings(&self.module, &settings.stages)?;
        Ok(Some(settings))
    }

    fn use_settings(&self, before: &LoadedSettings, settings: LoadedSettings) {
        let (mode, engines) = (settings.mode(), settings.engines());
        tracing::info!(settings = %settings.digest, mode, engines, "loaded new settings");
        let images = |settings: &LoadedSettings| settings.embedded.as_ref().map(|embedded| embedded.images.clone());
        if images(before) != images(&settings) {
            tracing::warn!(
                "the setting `images` has changed, on which the match conditions depend: apply the manifests again"
            );
        }
        self.active.replace(settings);
    }
}
