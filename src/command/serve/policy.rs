//! The module that the webhook runs, and the settings that go with it.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;
use sqledge_ha_policy::settings::Settings;

use crate::cli::{ModuleRegistry, Serve};
use crate::command::policy::{module_at, place};
use crate::config;
use crate::exit::Failure;
use crate::module::{EMBEDDED, Error, Host, Limits, NoWorld, metadata};
use crate::registry::{Cache, Digest, Place, SCHEME, pull};
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
        let file = flags.settings.as_deref().map(config::read_settings_file).transpose()?;
        let value = file.map_or(Value::Null, |file| file.value);
        let settings = StageSettings::new(&value);
        let limits = &flags.limits;
        let limits = Limits { deadline: limits.deadline, memory: usize::from(limits.module_memory) << 20 };
        let Found { wasm, kept } = found(flags)?;
        let is_embedded = *wasm == *EMBEDDED;
        let known = Settings::from_value(&value).ok().filter(|_| is_embedded);
        let host = Host::limited(&wasm, limits).map_err(|error| refused(flags, &error))?;
        let kinds = metadata::read(&wasm).map(|metadata| caches::kinds(&metadata)).unwrap_or_default();
        check(&host, &settings).map_err(|message| Failure::usage(format!("{}: {message}", named(flags))))?;
        // Only now: a module that does not work is no reason to let go of the one that did.
        if let Some((cache, manifest)) = kept {
            cache.tidy(&manifest);
        }
        Ok(Policy { host, settings, known, kinds })
    }
}

/// A module.
struct Found {
    wasm: Cow<'static, [u8]>,
    /// Where it is kept, if it was pulled, and by which manifest.
    kept: Option<(Cache, Digest)>,
}

/// The module that the flags name: from a registry, from a file, or the embedded one.
fn found(flags: &Serve) -> Result<Found, Failure> {
    let Some(path) = &flags.module else { return Ok(Found { wasm: Cow::Borrowed(EMBEDDED), kept: None }) };
    if let Some(reference) = path.to_str().filter(|path| path.starts_with(SCHEME)) {
        return pulled(&place(reference)?, &flags.registry);
    }
    Ok(Found { wasm: Cow::Owned(module_at(path)?), kept: None })
}

fn pulled(place: &Place, flags: &ModuleRegistry) -> Result<Found, Failure> {
    let cache = flags.module_cache.as_deref().map(Cache::new).or_else(Cache::of_the_user);
    if cache.is_none() {
        tracing::info!("there is no home to keep the module in; --module-cache names a folder");
    }
    tracing::info!(reference = %place, "pulling the module");
    let pulled = pull(place, &flags.access.access()?, cache.as_ref())?;
    let (reference, cached) = (&pulled.immutable, pulled.is_cached);
    tracing::info!(%reference, cached, bytes = pulled.module.len(), "the module is there");
    if place.digest().is_none() {
        tracing::warn!(%reference, "a tag may mean another module at the next start: name this reference instead");
    }
    let kept = cache.zip(pulled.immutable.digest().cloned());
    Ok(Found { wasm: Cow::Owned(pulled.module), kept })
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
