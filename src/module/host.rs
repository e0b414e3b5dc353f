//! The module, compiled once, and instances of it that answer.
//!
//! The policy server makes an instance for each request. An instance may as well be kept and asked again: the module
//! remembers nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use wapc::WapcHost;
use wasmtime_provider::{WasmtimeEngineProviderBuilder, WasmtimeEngineProviderPre};

use super::callback::Callback;
use super::grants::Grants;
use super::metadata;
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

/// A compiled module. Cheap to clone and to share; compiling it takes a fraction of a second.
#[derive(Clone)]
pub struct Host {
    module: WasmtimeEngineProviderPre,
    grants: Arc<Grants>,
}

impl Host {
    /// Compiles an annotated module.
    ///
    /// # Errors
    /// [`Error::Metadata`] and [`Error::Compile`].
    pub fn new(wasm: &[u8]) -> Result<Self, Error> {
        let metadata = metadata::read(wasm)?;
        let grants = Grants::from_metadata(&metadata).ok_or(metadata::Error::Shape("its grants are lists"))?;
        // Deadlines go here: an engine with `epoch_interruption`, a thread that increments its epoch, and
        // `enable_epoch_interruptions` on this builder; `rehydrate` below then takes the deadlines of an instance.
        let module = WasmtimeEngineProviderBuilder::new().module_bytes(wasm).build_pre();
        Ok(Host { module: module.map_err(|error| Error::Compile(Box::new(error)))?, grants: Arc::new(grants) })
    }

    /// A new instance, whose look-ups are answered from `world`.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn instance(&self, world: Arc<dyn World>) -> Result<Instance, Error> {
        let callback = Callback { grants: Arc::clone(&self.grants), world };
        let answer = move |_, binding: &str, namespace: &str, operation: &str, payload: &[u8]| {
            Ok(callback.answer(binding, namespace, operation, payload)?)
        };
        let engine = self.module.rehydrate(None).map_err(|error| Error::Start(Box::new(error.into())))?;
        let host = WapcHost::new(Box::new(engine), Some(Box::new(answer)));
        Ok(Instance(host.map_err(|error| Error::Start(Box::new(error)))?))
    }
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
        #[derive(Serialize)]
        struct Payload<'p> {
            request: &'p RawValue,
            settings: &'p Value,
        }
        let payload = serde_json::to_vec(&Payload { request, settings }).map_err(Error::Request)?;
        self.ask("validate", &payload)
    }

    /// Whether the module understands these settings.
    ///
    /// # Errors
    /// [`Error::Call`], [`Error::Answer`] and [`Error::Request`].
    pub fn validate_settings(&self, settings: &Value) -> Result<SettingsResponse, Error> {
        self.ask("validate_settings", &serde_json::to_vec(settings).map_err(Error::Request)?)
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
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub struct Response {
    /// Whether the request may pass.
    pub accepted: bool,
    /// Why not.
    pub message: Option<String>,
    /// The HTTP status of a refusal.
    pub code: Option<u16>,
    /// The object as it should be, if it was mended.
    pub mutated_object: Option<Value>,
    /// For the API server's audit log.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub audit_annotations: BTreeMap<String, String>,
    /// For the person who sent the request.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub warnings: Vec<String>,
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
