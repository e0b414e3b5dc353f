//! The policy's settings, which can be replaced at any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use serde_json::Value;
use sqledge_ha_policy::settings::{Named, Settings};

use super::workers::StageSettings;
use crate::registry::Digest;

/// Settings in the forms that a review needs.
#[derive(Debug)]
pub struct LoadedSettings {
    /// For the module, as JSON.
    pub stages: StageSettings,
    /// Parsed, if the module is the embedded one; they allow short cuts.
    pub embedded: Option<Settings>,
    /// The digest of the JSON.
    pub digest: Digest,
    /// When they were loaded.
    pub loaded: SystemTime,
}

impl LoadedSettings {
    /// Settings that the module accepts. `embedded` are the same, parsed, if the module is the embedded one.
    pub fn new(value: &Value, embedded: Option<Settings>) -> Self {
        let digest = Digest::from_content(value.to_string().as_bytes());
        LoadedSettings { stages: StageSettings::new(value), embedded, digest, loaded: SystemTime::now() }
    }

    /// The mode, if it is known.
    pub fn mode(&self) -> Option<&'static str> {
        self.embedded.as_ref()?.mode.name()
    }

    /// The selected databases, if they are known.
    pub fn engines(&self) -> Option<String> {
        let names: Vec<&str> = self.embedded.as_ref()?.engines.iter().map(|engine| engine.name).collect();
        Some(names.join(","))
    }
}

/// The current settings.
#[derive(Debug)]
pub struct ActiveSettings {
    current: RwLock<Arc<LoadedSettings>>,
    replacements: AtomicU64,
    failures: AtomicU64,
}

impl ActiveSettings {
    /// The settings at startup.
    pub fn new(settings: LoadedSettings) -> Arc<Self> {
        let (replacements, failures) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(ActiveSettings { current: RwLock::new(Arc::new(settings)), replacements, failures })
    }

    /// The settings for the next review.
    pub fn current(&self) -> Arc<LoadedSettings> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Uses other settings from the next review on.
    pub fn replace(&self, settings: LoadedSettings) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.replacements.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts settings that could not be loaded.
    pub fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the settings were replaced.
    pub fn replacements(&self) -> u64 {
        self.replacements.load(Ordering::Relaxed)
    }

    /// How often new settings could not be loaded.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}
