//! The module that the webhook runs, and the settings that go with it.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;
use sqledge_ha_policy::settings::Settings;

use crate::cli::{ModuleRegistry, Serve};
use crate::command::policy::{parse_reference, read_module};
use crate::config;
use crate::exit::Failure;
use crate::module::{EMBEDDED, Error, Host, Limits, NoWorld, metadata};
use crate::registry::{ArtifactReference, Cache, Digest, SCHEME, pull};
use crate::webhook::blocking::beside;
use crate::webhook::caches::{self, Kind};
use crate::webhook::routes::Stage;
use crate::webhook::workers::StageSettings;

/// The module and its settings, which fit each other.
pub(super) struct Policy {
    pub(super) host: Host,
    pub(super) settings: StageSettings,
    /// The settings once more, if the module is the embedded one: what cannot matter to it can be passed over.
    pub(super) known: Option<Settings>,
    pub(super) kinds: Vec<Kind>,
}

impl Policy {
    /// Loads the module that the flags name, beside whatever else the runtime has to do: it may be long on its way.
    pub(super) async fn load(flags: &Serve) -> Result<Self, Failure> {
        let flags = flags.clone();
        beside(move || Policy::load_and_wait(&flags)).await
    }

    fn load_and_wait(flags: &Serve) -> Result<Self, Failure> {
        let file = flags.settings.as_deref().map(config::bare).transpose()?;
        let value = file.map_or(Value::Null, |file| file.value);
        let settings = StageSettings::new(&value);
        let limits = &flags.limits;
        let limits = Limits { deadline: limits.deadline, memory: usize::from(limits.module_memory) << 20 };
        let Found { wasm, cached } = found(flags)?;
        let is_embedded = *wasm == *EMBEDDED;
        let known = Settings::from_value(&value).ok().filter(|_| is_embedded);
        let host = Host::limited(&wasm, limits).map_err(|error| refused(flags, &error))?;
        let kinds = metadata::read(&wasm).map(|metadata| caches::kinds(&metadata)).unwrap_or_default();
        check(&host, &settings).map_err(|message| Failure::usage(format!("{}: {message}", named(flags))))?;
        // Only after the new module works: a broken one must not replace the cached one.
        if let Some((cache, digests)) = cached {
            cache.remove_unused(&digests);
        }
        Ok(Policy { host, settings, known, kinds })
    }
}

/// A module.
struct Found {
    wasm: Cow<'static, [u8]>,
    /// The cache of a pulled module, and the digests of its files.
    cached: Option<(Cache, [Digest; 2])>,
}

/// The module that the flags name: from a registry, from a file, or the embedded one.
fn found(flags: &Serve) -> Result<Found, Failure> {
    let Some(path) = &flags.module else { return Ok(Found { wasm: Cow::Borrowed(EMBEDDED), cached: None }) };
    if let Some(reference) = path.to_str().filter(|path| path.starts_with(SCHEME)) {
        return pulled(&parse_reference(reference)?, &flags.registry);
    }
    Ok(Found { wasm: Cow::Owned(read_module(path)?), cached: None })
}

fn pulled(module: &ArtifactReference, flags: &ModuleRegistry) -> Result<Found, Failure> {
    let cache = flags.module_cache.as_deref().map(Cache::new).or_else(Cache::of_the_user);
    if cache.is_none() {
        tracing::info!("no home directory to cache the module in; set --module-cache");
    }
    tracing::info!(reference = %module, "pulling the module");
    let pulled = pull(module, &flags.access.client_options()?, cache.as_ref())?;
    let (reference, cached) = (&pulled.digest_reference, pulled.is_cached);
    tracing::info!(%reference, cached, bytes = pulled.module.len(), "module loaded");
    if module.digest().is_none() {
        tracing::warn!(%reference, "the tag can change; use this digest reference");
    }
    Ok(Found { wasm: Cow::Owned(pulled.module), cached: cache.map(|cache| (cache, pulled.digests)) })
}

fn named(flags: &Serve) -> String {
    flags.module.as_deref().map_or_else(|| "the embedded module".to_owned(), |path| path.display().to_string())
}

fn refused(flags: &Serve, error: &Error) -> Failure {
    Failure::usage(format!("{}: {error}", named(flags)))
}

/// Starts the module once and asks it whether it understands the settings.
fn check(host: &Host, settings: &StageSettings) -> Result<(), String> {
    let instance = host.instance(Arc::new(NoWorld)).map_err(|error| error.to_string())?;
    for stage in [Stage::Mutate, Stage::Validate] {
        let answer = instance.validate_settings_text(settings.of(stage)).map_err(|error| error.to_string())?;
        if !answer.valid {
            return Err(format!("the settings are not valid: {}", answer.message.unwrap_or_default()));
        }
    }
    Ok(())
}
