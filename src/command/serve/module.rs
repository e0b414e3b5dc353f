//! Loading the module that the webhook runs, and its settings.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use super::settings::{self, SettingsFile};
use crate::cli::{ModuleRegistry, Serve};
use crate::cluster_client::Platform;
use crate::command::policy::{parse_reference, read_module};
use crate::exit::CommandError;
use crate::registry::{ArtifactReference, Cache, Digest, SCHEME, pull};
use crate::wasm_host::{CompiledModule, EMBEDDED, Limits, NoLookups, REVISION, metadata, with_causes};
use crate::webhook::active_settings::ActiveSettings;
use crate::webhook::blocking::run_blocking;
use crate::webhook::caches::{self, ResourceKind};
use crate::webhook::decision::Stage;
use crate::webhook::lifecycle::BackgroundTask;
use crate::webhook::workers::StageSettings;

/// A module with settings that it accepts.
pub(super) struct LoadedModule {
    pub(super) module: CompiledModule,
    pub(super) settings: Arc<ActiveSettings>,
    is_embedded: bool,
    platform: Platform,
    pub(super) kinds: Vec<ResourceKind>,
    digest: Digest,
}

impl LoadedModule {
    /// Loads the module and the settings in the flags, on another thread.
    pub(super) async fn load(flags: &Serve, platform: Platform) -> Result<Self, CommandError> {
        let flags = flags.clone();
        run_blocking(move || LoadedModule::load_blocking(&flags, platform)).await
    }

    fn load_blocking(flags: &Serve, platform: Platform) -> Result<Self, CommandError> {
        let limits = &flags.limits;
        let limits = Limits { deadline: limits.deadline, memory: usize::from(limits.module_memory) << 20 };
        // An error in the file is reported before a module is pulled.
        let read = |is_embedded| settings::read(flags.settings.as_deref(), is_embedded, platform);
        read(false)?;
        let ModuleSource { wasm, cached } = find_module(flags)?;
        let is_embedded = *wasm == *EMBEDDED;
        let module = CompiledModule::limited(&wasm, limits).map_err(|error| unusable(flags, &with_causes(&error)))?;
        let kinds = metadata::read(&wasm).map(|metadata| caches::kinds(&metadata)).unwrap_or_default();
        let settings = read(is_embedded)?;
        check_settings(&module, &settings.stages).map_err(|message| unusable(flags, &message))?;
        // Only after the new module works: a broken one must not replace the cached one.
        if let Some((cache, digests)) = cached {
            cache.remove_unused(&digests);
        }
        Ok(LoadedModule {
            module,
            settings: ActiveSettings::new(settings),
            is_embedded,
            platform,
            kinds,
            digest: Digest::from_content(&wasm),
        })
    }

    /// Logs what runs, in one line.
    pub(super) fn log(&self) {
        let settings = self.settings.current();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            commit = REVISION,
            module = %self.digest,
            settings = %settings.digest,
            mode = settings.mode(),
            engines = settings.engines(),
            "starting"
        );
        if self.platform == Platform::OpenShift {
            tracing::info!("OpenShift assigns a group to each namespace: `fsGroup` is none");
        }
    }

    /// The task that loads the settings again when their file changes.
    pub(super) fn watch_settings(&self, path: &Path) -> BackgroundTask {
        let (module, active) = (self.module.clone(), Arc::clone(&self.settings));
        let file = SettingsFile {
            path: path.to_owned(),
            module,
            is_embedded: self.is_embedded,
            platform: self.platform,
            active,
            problem: None,
        };
        Box::pin(file.watch())
    }
}

/// A module, and where it comes from.
struct ModuleSource {
    wasm: Cow<'static, [u8]>,
    /// The cache of a pulled module, and the digests of its files.
    cached: Option<(Cache, [Digest; 2])>,
}

/// Finds the module in the flags: from a registry, from a file, or the embedded one.
fn find_module(flags: &Serve) -> Result<ModuleSource, CommandError> {
    let Some(path) = &flags.module else { return Ok(ModuleSource { wasm: Cow::Borrowed(EMBEDDED), cached: None }) };
    if let Some(reference) = path.to_str().filter(|path| path.starts_with(SCHEME)) {
        return pull_module(&parse_reference(reference)?, &flags.registry);
    }
    Ok(ModuleSource { wasm: Cow::Owned(read_module(path)?), cached: None })
}

fn pull_module(module: &ArtifactReference, flags: &ModuleRegistry) -> Result<ModuleSource, CommandError> {
    let cache = flags.module_cache.as_deref().map(Cache::new).or_else(Cache::for_user);
    if cache.is_none() {
        tracing::info!("no home directory, so the module is not cached; select a directory with --module-cache");
    }
    tracing::info!(reference = %module, "pulling the module");
    let pulled = pull(module, &flags.access.client_options()?, cache.as_ref())?;
    let (reference, cached) = (&pulled.digest_reference, pulled.is_cached);
    tracing::info!(%reference, cached, bytes = pulled.module.len(), "pulled the module");
    if module.digest().is_none() {
        tracing::warn!(%reference, "the tag can change; use this digest reference");
    }
    Ok(ModuleSource { wasm: Cow::Owned(pulled.module), cached: cache.map(|cache| (cache, pulled.digests)) })
}

fn unusable(flags: &Serve, problem: &str) -> CommandError {
    let module = flags.module.as_deref().map_or("the embedded module".into(), Path::to_string_lossy);
    CommandError::usage(format!("{module}: {problem}"))
}

/// Starts an instance of the module to check the settings.
pub(super) fn check_settings(module: &CompiledModule, settings: &StageSettings) -> Result<(), String> {
    let mut instance = module.instance(Arc::new(NoLookups)).map_err(|error| with_causes(&error))?;
    for stage in Stage::ALL {
        let answer = instance.validate_settings_text(settings.get(stage)).map_err(|error| with_causes(&error))?;
        if !answer.valid {
            return Err(format!("the settings are not valid: {}", answer.message.unwrap_or_default()));
        }
    }
    Ok(())
}
