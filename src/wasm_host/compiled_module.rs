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
use wasmtime::{Config, Engine, StoreLimits, StoreLimitsBuilder};

use super::host_calls::HostCalls;
use super::lookup::LookupSource;
use super::memory_budget::MemoryBudget;
use super::metadata;
use super::permissions::ModulePermissions;
use super::wapc::{CallError, LinkedModule, WapcInstance};
use crate::admission_review::Response;

/// Why the module cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It has no readable metadata, so its permissions are unknown.
    #[error(transparent)]
    Metadata(#[from] metadata::Error),
    /// It is not a valid Wasm module, or it imports functions that a waPC host does not have.
    #[error("the Wasm module cannot be compiled")]
    Compile(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An instance cannot be created or initialized.
    #[error("the Wasm module cannot be started")]
    Start(#[source] CallError),
    /// The call trapped or returned an error. The policy server then rejects the request.
    #[error("the Wasm module failed in `{operation}`")]
    Call {
        /// The name of the called function.
        operation: &'static str,
        /// The error of the module or of its runtime.
        source: CallError,
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
        matches!(self, Error::Start(CallError::Deadline) | Error::Call { source: CallError::Deadline, .. })
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

/// The most elements of a table of functions. The embedded module has about a thousand.
const MAX_TABLE_ELEMENTS: usize = 100_000;

/// A compiled module. Compiling takes a fraction of a second; a clone is cheap.
#[derive(Clone)]
pub struct CompiledModule {
    module: LinkedModule,
    permissions: Arc<ModulePermissions>,
    limits: Option<Limits>,
}

impl CompiledModule {
    /// Compiles an annotated module without limits for its calls.
    ///
    /// # Errors
    /// [`Error::Metadata`] and [`Error::Compile`].
    pub fn new(wasm: &[u8]) -> Result<Self, Error> {
        CompiledModule::compile(wasm, None)
    }

    /// Compiles an annotated module. A call that exceeds the limits is stopped.
    ///
    /// # Errors
    /// [`Error::Metadata`] and [`Error::Compile`].
    pub fn limited(wasm: &[u8], limits: Limits) -> Result<Self, Error> {
        CompiledModule::compile(wasm, Some(limits))
    }

    fn compile(wasm: &[u8], limits: Option<Limits>) -> Result<Self, Error> {
        let metadata = metadata::read(wasm)?;
        let permissions = ModulePermissions::from_metadata(&metadata)
            .ok_or(metadata::Error::Shape("`hostCapabilities` and `contextAwareResources` must be lists"))?;
        let mut config = Config::new();
        config.epoch_interruption(limits.is_some());
        let compile_error = |error: wasmtime::Error| Error::Compile(error.into());
        let engine = Engine::new(&config).map_err(compile_error)?;
        if limits.is_some() {
            advance_epoch(&engine);
        }
        let module = LinkedModule::compile(&engine, wasm).map_err(compile_error)?;
        Ok(CompiledModule { module, permissions: Arc::new(permissions), limits })
    }

    /// Creates an instance with a source for its look-ups.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn instance(&self, lookups: Arc<dyn LookupSource>) -> Result<Instance, Error> {
        let budget = self.limits.map_or(MemoryBudget::UNBOUNDED, |limits| MemoryBudget::new(limits.memory));
        let host_calls = HostCalls { permissions: Arc::clone(&self.permissions), lookups, budget };
        let ticks = self.limits.map_or(0, |limits| ticks(limits.deadline));
        self.module.instance(host_calls, self.store_limits(), ticks).map(Instance).map_err(Error::Start)
    }

    fn store_limits(&self) -> StoreLimits {
        let builder = StoreLimitsBuilder::new();
        match self.limits {
            Some(limits) => builder.memory_size(limits.memory).table_elements(MAX_TABLE_ELEMENTS).build(),
            None => builder.build(),
        }
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
pub struct Instance(WapcInstance);

impl Instance {
    /// Checks an AdmissionRequest (`admission.k8s.io/v1`, without the AdmissionReview around it) with the policy's
    /// settings.
    ///
    /// # Errors
    /// [`Error::Call`] and [`Error::Answer`], which no input of the embedded module causes; [`Error::Settings`].
    pub fn validate(&mut self, request: &RawValue, settings: &Value) -> Result<Response, Error> {
        self.validate_text(request.get(), &serde_json::to_string(settings).map_err(Error::Settings)?)
    }

    /// Like [`Instance::validate`], with request and settings as JSON text.
    ///
    /// # Errors
    /// As for [`Instance::validate`].
    pub fn validate_text(&mut self, request: &str, settings: &str) -> Result<Response, Error> {
        let payload = ["{\"request\":", request, ",\"settings\":", settings, "}"].concat();
        self.ask("validate", payload)
    }

    /// Checks settings.
    ///
    /// # Errors
    /// [`Error::Call`], [`Error::Answer`] and [`Error::Settings`].
    pub fn validate_settings(&mut self, settings: &Value) -> Result<SettingsResponse, Error> {
        self.validate_settings_text(&serde_json::to_string(settings).map_err(Error::Settings)?)
    }

    /// Like [`Instance::validate_settings`], with the settings as JSON text.
    ///
    /// # Errors
    /// As for [`Instance::validate_settings`].
    pub fn validate_settings_text(&mut self, settings: &str) -> Result<SettingsResponse, Error> {
        self.ask("validate_settings", settings)
    }

    /// The version of the module's protocol, `v1`.
    ///
    /// # Errors
    /// [`Error::Call`] and [`Error::Answer`].
    pub fn protocol_version(&mut self) -> Result<String, Error> {
        self.ask("protocol_version", "")
    }

    fn ask<T: DeserializeOwned>(&mut self, operation: &'static str, payload: impl Into<Vec<u8>>) -> Result<T, Error> {
        let answer = self.call(operation, payload)?;
        serde_json::from_slice(&answer).map_err(|source| Error::Answer { operation, source })
    }

    /// Calls a function of the module.
    ///
    /// # Errors
    /// [`Error::Call`] if the function traps, returns an error or does not exist.
    pub fn call(&mut self, operation: &'static str, payload: impl Into<Vec<u8>>) -> Result<Vec<u8>, Error> {
        self.0.call(operation, payload.into()).map_err(|source| Error::Call { operation, source })
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
