//! The compiled module, and its instances, which check requests.
//!
//! The policy server creates an instance for each request. The module keeps no state between calls, so an instance can
//! also be used for many requests.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use wapc::WapcHost;
use wasmtime::{Config, Engine};
use wasmtime_provider::{EpochDeadlines, ResourceLimits, WasmtimeEngineProviderBuilder, WasmtimeEngineProviderPre};

use super::host_calls::HostCalls;
use super::lookup::LookupSource;
use super::memory_budget::MemoryBudget;
use super::metadata;
use super::permissions::ModulePermissions;
use crate::admission_review::Response;

/// Why the module cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It has no readable metadata, so its permissions are unknown.
    #[error(transparent)]
    Metadata(#[from] metadata::Error),
    /// It is not a valid Wasm module, or it imports functions that a waPC host does not have.
    #[error("the Wasm module cannot be compiled")]
    Compile(#[source] Box<wasmtime_provider::errors::Error>),
    /// An instance cannot be created or initialized.
    #[error("the Wasm module cannot be started")]
    Start(#[source] Box<wapc::errors::Error>),
    /// The call trapped or returned an error. The policy server then rejects the request.
    #[error("the Wasm module failed in `{operation}`")]
    Call {
        /// The name of the called function.
        operation: &'static str,
        /// The error of the module or of its runtime.
        source: Box<wapc::errors::Error>,
    },
    /// The answer does not have the fields of the protocol.
    #[error("the answer of the Wasm module to `{operation}` cannot be read")]
    Answer {
        /// The name of the called function.
        operation: &'static str,
        /// The first difference.
        source: serde_json::Error,
    },
    /// The settings cannot be written for the module.
    #[error("the settings cannot be written as JSON")]
    Settings(#[source] serde_json::Error),
}

impl Error {
    /// Whether the module was stopped because its deadline passed.
    pub fn is_timeout(&self) -> bool {
        // The provider has no error type for it.
        let is_deadline = |error: &wapc::errors::Error| error.to_string().contains("deadline exceeded");
        match self {
            Error::Start(error) | Error::Call { source: error, .. } => is_deadline(error),
            _ => false,
        }
    }
}

/// An error and its causes, the first line of each.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|cause| Some(cause.to_string().lines().next()?.to_owned())).collect::<Vec<_>>().join(": ")
}

/// The limits of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum duration of a call, in steps of 10 ms.
    pub deadline: Duration,
    /// The maximum memory of an instance in bytes. One look-up can use a part of it; a larger answer is an error.
    pub memory: usize,
}

/// The resolution of deadlines.
const TICK: Duration = Duration::from_millis(10);

/// A compiled module. Compiling takes a fraction of a second; a clone is cheap.
#[derive(Clone)]
pub struct CompiledModule {
    module: WasmtimeEngineProviderPre,
    permissions: Arc<ModulePermissions>,
    deadlines: Option<EpochDeadlines>,
    budget: MemoryBudget,
}

impl CompiledModule {
    /// Compiles an annotated module without limits for its calls.
    ///
    /// # Errors
    /// [`Error::Metadata`] and [`Error::Compile`].
    pub fn new(wasm: &[u8]) -> Result<Self, Error> {
        CompiledModule::build(wasm, WasmtimeEngineProviderBuilder::new(), None, MemoryBudget::UNBOUNDED)
    }

    /// Compiles an annotated module. A call that exceeds the limits is stopped.
    ///
    /// # Errors
    /// [`Error::Metadata`] and [`Error::Compile`].
    pub fn limited(wasm: &[u8], limits: Limits) -> Result<Self, Error> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        // The provider keeps the first part of an error message only: with a backtrace, the kind of trap would be lost.
        config.wasm_backtrace_max_frames(None);
        let engine = Engine::new(&config).map_err(|error| Error::Compile(Box::new(error.into())))?;
        advance_epoch(&engine);
        let ticks = ticks(limits.deadline);
        let resources = ResourceLimits { max_memory_size: Some(limits.memory), max_table_elements: Some(100_000) };
        let builder = WasmtimeEngineProviderBuilder::new().engine(engine).enable_resource_limits(resources);
        let deadlines = EpochDeadlines { wapc_init: ticks, wapc_func: ticks };
        CompiledModule::build(wasm, builder, Some(deadlines), MemoryBudget::new(limits.memory))
    }

    fn build<'w>(
        wasm: &'w [u8],
        builder: WasmtimeEngineProviderBuilder<'w>,
        deadlines: Option<EpochDeadlines>,
        budget: MemoryBudget,
    ) -> Result<Self, Error> {
        let metadata = metadata::read(wasm)?;
        let permissions = ModulePermissions::from_metadata(&metadata)
            .ok_or(metadata::Error::Shape("`hostCapabilities` and `contextAwareResources` must be lists"))?;
        let module = builder.module_bytes(wasm).build_pre().map_err(|error| Error::Compile(Box::new(error)))?;
        Ok(CompiledModule { module, permissions: Arc::new(permissions), deadlines, budget })
    }

    /// Creates an instance with a source for its look-ups.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn instance(&self, lookups: Arc<dyn LookupSource>) -> Result<Instance, Error> {
        let calls = HostCalls { permissions: Arc::clone(&self.permissions), lookups, budget: self.budget };
        let answer = move |_, binding: &str, namespace: &str, operation: &str, payload: &[u8]| {
            Ok(calls.answer(binding, namespace, operation, payload)?)
        };
        let engine = self.module.rehydrate(self.deadlines).map_err(|error| Error::Start(Box::new(error.into())))?;
        let host = WapcHost::new(Box::new(engine), Some(Box::new(answer)));
        Ok(Instance(host.map_err(|error| Error::Start(Box::new(error)))?))
    }
}

/// The number of epochs that a deadline takes.
fn ticks(deadline: Duration) -> u64 {
    // The step in which a call starts does not count.
    let ticks = deadline.as_millis().div_ceil(TICK.as_millis()).max(1) + 1;
    // The engine adds it to its epoch, which must not overflow.
    u64::try_from(ticks).unwrap_or(u64::MAX).min(u64::MAX / 2)
}

/// Advances the epoch of an engine until the engine is dropped.
fn advance_epoch(engine: &Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    });
}

/// An instance of the module. It runs one call at a time.
pub struct Instance(WapcHost);

impl Instance {
    /// Checks an AdmissionRequest (`admission.k8s.io/v1`, without the AdmissionReview around it) with the policy's
    /// settings.
    ///
    /// # Errors
    /// [`Error::Call`] and [`Error::Answer`], which no input of the embedded module causes; [`Error::Settings`].
    pub fn validate(&self, request: &RawValue, settings: &Value) -> Result<Response, Error> {
        self.validate_text(request.get(), &serde_json::to_string(settings).map_err(Error::Settings)?)
    }

    /// Like [`Instance::validate`], with request and settings as JSON text.
    ///
    /// # Errors
    /// As for [`Instance::validate`].
    pub fn validate_text(&self, request: &str, settings: &str) -> Result<Response, Error> {
        let payload = ["{\"request\":", request, ",\"settings\":", settings, "}"].concat();
        self.ask("validate", payload.as_bytes())
    }

    /// Checks settings.
    ///
    /// # Errors
    /// [`Error::Call`], [`Error::Answer`] and [`Error::Settings`].
    pub fn validate_settings(&self, settings: &Value) -> Result<SettingsResponse, Error> {
        self.validate_settings_text(&serde_json::to_string(settings).map_err(Error::Settings)?)
    }

    /// Like [`Instance::validate_settings`], with the settings as JSON text.
    ///
    /// # Errors
    /// As for [`Instance::validate_settings`].
    pub fn validate_settings_text(&self, settings: &str) -> Result<SettingsResponse, Error> {
        self.ask("validate_settings", settings.as_bytes())
    }

    /// The version of the module's protocol, `v1`.
    ///
    /// # Errors
    /// [`Error::Call`] and [`Error::Answer`].
    pub fn protocol_version(&self) -> Result<String, Error> {
        self.ask("protocol_version", &[])
    }

    fn ask<T: DeserializeOwned>(&self, operation: &'static str, payload: &[u8]) -> Result<T, Error> {
        let answer = self.call(operation, payload)?;
        serde_json::from_slice(&answer).map_err(|source| Error::Answer { operation, source })
    }

    /// Calls a function of the module.
    ///
    /// # Errors
    /// [`Error::Call`] if the function traps, returns an error or does not exist.
    pub fn call(&self, operation: &'static str, payload: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.call(operation, payload).map_err(|source| Error::Call { operation, source: Box::new(source) })
    }
}

/// Kubewarden's settings validation response.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct SettingsResponse {
    /// Whether the settings are valid.
    pub valid: bool,
    /// Why they are not valid.
    pub message: Option<String>,
}
