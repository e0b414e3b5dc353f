//! The module, compiled once, and instances of it that answer.
//!
//! The policy server makes an instance for each request. An instance may as well be kept and asked again: the module
//! remembers nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use sqledge_ha_policy::request::Whole;
use wapc::WapcHost;
use wasmtime::{Config, Engine};
use wasmtime_provider::{EpochDeadlines, ResourceLimits, WasmtimeEngineProviderBuilder, WasmtimeEngineProviderPre};

use super::callback::Callback;
use super::grants::Grants;
use super::metadata;
use super::room::Room;
use super::world::World;

/// Why the module could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It carries no metadata that can be read, so that nobody knows what it may look up.
    #[error(transparent)]
    Metadata(#[from] metadata::Error),
    /// It is no valid Wasm module, or imports what a waPC host does not have.
    #[error("the Wasm module cannot be compiled")]
    Compile(#[source] Box<wasmtime_provider::errors::Error>),
    /// An instance could not be made or initialised.
    #[error("the Wasm module cannot be started")]
    Start(#[source] Box<wapc::errors::Error>),
    /// The call trapped or gave an error. The policy server refuses the request then.
    #[error("the Wasm module failed in `{operation}`")]
    Call {
        /// What was called.
        operation: &'static str,
        /// What the module or its runtime said.
        source: Box<wapc::errors::Error>,
    },
    /// The answer is not of the shape that was agreed upon.
    #[error("the Wasm module gave an answer to `{operation}` that cannot be read")]
    Answer {
        /// What was called.
        operation: &'static str,
        /// Where the answer departs.
        source: serde_json::Error,
    },
    /// The request or the settings could not be written for the module.
    #[error("the request cannot be written as JSON")]
    Request(#[source] serde_json::Error),
}

impl Error {
    /// Whether the module was stopped because it ran for too long.
    pub fn is_time_out(&self) -> bool {
        // What the provider says, which keeps no kind of error for it.
        let is_deadline = |error: &wapc::errors::Error| error.to_string().contains("deadline exceeded");
        match self {
            Error::Start(error) | Error::Call { source: error, .. } => is_deadline(error),
            _ => false,
        }
    }
}

/// How much a call may take before it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a call may run; measured in steps of 10 ms, at least one.
    pub deadline: Duration,
    /// How many bytes the memory of an instance may grow to. What it looks up may take a quarter of them at a time;
    /// what is larger cannot be looked up.
    pub memory: usize,
}

/// The step in which deadlines are measured.
const TICK: Duration = Duration::from_millis(10);

/// A compiled module. Cheap to clone and to share; compiling it takes a fraction of a second.
#[derive(Clone)]
pub struct Host {
    module: WasmtimeEngineProviderPre,
    grants: Arc<Grants>,
    deadlines: Option<EpochDeadlines>,
    room: Room,
}

impl Host {
    /// Compiles an annotated module, whose calls may take whatever they need.
    ///
    /// # Errors
    /// [`Error::Metadata`] and [`Error::Compile`].
    pub fn new(wasm: &[u8]) -> Result<Self, Error> {
        Host::build(wasm, WasmtimeEngineProviderBuilder::new(), None, Room::UNBOUNDED)
    }

    /// Compiles an annotated module, whose calls are stopped when they take more than `limits`.
    ///
    /// # Errors
    /// [`Error::Metadata`] and [`Error::Compile`].
    pub fn limited(wasm: &[u8], limits: Limits) -> Result<Self, Error> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        // Without a backtrace an error says what kind of trap it was, which the provider would drop behind it.
        config.wasm_backtrace_max_frames(None);
        let engine = Engine::new(&config).map_err(|error| Error::Compile(Box::new(error.into())))?;
        advance_epoch(&engine);
        // A call that starts within a step gets the rest of that step as well.
        let ticks = limits.deadline.as_millis().div_ceil(TICK.as_millis()).max(1) + 1;
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
        let resources = ResourceLimits { max_memory_size: Some(limits.memory), max_table_elements: Some(100_000) };
        let builder = WasmtimeEngineProviderBuilder::new().engine(engine).enable_resource_limits(resources);
        let deadlines = EpochDeadlines { wapc_init: ticks, wapc_func: ticks };
        Host::build(wasm, builder, Some(deadlines), Room::within(limits.memory))
    }

    fn build<'w>(
        wasm: &'w [u8],
        builder: WasmtimeEngineProviderBuilder<'w>,
        deadlines: Option<EpochDeadlines>,
        room: Room,
    ) -> Result<Self, Error> {
        let metadata = metadata::read(wasm)?;
        let grants = Grants::from_metadata(&metadata).ok_or(metadata::Error::Shape("its grants are lists"))?;
        let module = builder.module_bytes(wasm).build_pre().map_err(|error| Error::Compile(Box::new(error)))?;
        Ok(Host { module, grants: Arc::new(grants), deadlines, room })
    }

    /// A new instance, whose look-ups are answered from `world`.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn instance(&self, world: Arc<dyn World>) -> Result<Instance, Error> {
        let callback = Callback { grants: Arc::clone(&self.grants), world, room: self.room };
        let answer = move |_, binding: &str, namespace: &str, operation: &str, payload: &[u8]| {
            Ok(callback.answer(binding, namespace, operation, payload)?)
        };
        let engine = self.module.rehydrate(self.deadlines).map_err(|error| Error::Start(Box::new(error.into())))?;
        let host = WapcHost::new(Box::new(engine), Some(Box::new(answer)));
        Ok(Instance(host.map_err(|error| Error::Start(Box::new(error)))?))
    }
}

/// Counts the epochs of an engine, for as long as anybody uses it.
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

/// An instance of the module. It answers one call after the other, on one thread.
pub struct Instance(WapcHost);

impl Instance {
    /// Reviews an AdmissionRequest (`admission.k8s.io/v1`, not the AdmissionReview around it) with the policy's
    /// settings.
    ///
    /// # Errors
    /// [`Error::Call`] and [`Error::Answer`], which the module gives to no input; [`Error::Request`].
    pub fn validate(&self, request: &RawValue, settings: &Value) -> Result<Response, Error> {
        self.validate_text(request.get(), &serde_json::to_string(settings).map_err(Error::Request)?)
    }

    /// The same with the JSON texts of request and settings.
    ///
    /// # Errors
    /// As for [`Instance::validate`].
    pub fn validate_text(&self, request: &str, settings: &str) -> Result<Response, Error> {
        let payload = ["{\"request\":", request, ",\"settings\":", settings, "}"].concat();
        self.ask("validate", payload.as_bytes())
    }

    /// Whether the module understands these settings.
    ///
    /// # Errors
    /// [`Error::Call`], [`Error::Answer`] and [`Error::Request`].
    pub fn validate_settings(&self, settings: &Value) -> Result<SettingsResponse, Error> {
        self.validate_settings_text(&serde_json::to_string(settings).map_err(Error::Request)?)
    }

    /// The same with the JSON text of the settings.
    ///
    /// # Errors
    /// As for [`Instance::validate_settings`].
    pub fn validate_settings_text(&self, settings: &str) -> Result<SettingsResponse, Error> {
        self.ask("validate_settings", settings.as_bytes())
    }

    /// The version of the contract that the module speaks, `v1`.
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

    /// Calls a function of the module by its name, bytes in and bytes out.
    ///
    /// # Errors
    /// [`Error::Call`] if it traps or gives an error, or there is no such function.
    pub fn call(&self, operation: &'static str, payload: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.call(operation, payload).map_err(|source| Error::Call { operation, source: Box::new(source) })
    }
}

/// What the module says about a request: Kubewarden's validation response.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
pub struct Response {
    /// Whether the request may pass.
    pub accepted: bool,
    /// Why not.
    pub message: Option<String>,
    /// The HTTP status of a refusal.
    pub code: Option<u16>,
    /// The object as it should be, if it was mended.
    #[serde(default, deserialize_with = "whole")]
    pub mutated_object: Option<Value>,
    /// For the API server's audit log.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub audit_annotations: BTreeMap<String, String>,
    /// For the person who sent the request.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub warnings: Vec<String>,
}

/// An object like any other that people write: none of its names has a meaning to the reader.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Ok(Option::<Whole>::deserialize(deserializer)?.map(|Whole(object)| object))
}

fn null_is_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What the module says about settings.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct SettingsResponse {
    /// Whether they are understood.
    pub valid: bool,
    /// What is wrong with them.
    pub message: Option<String>,
}
