//! The waPC protocol (<https://wapc.io/docs/spec/>): the host calls a function of the module by name, with bytes, and
//! receives bytes or the message of an error. The module calls functions of its host in the same way.

use wasmtime::{Caller, Engine, Extern, InstancePre, Linker, Module, Store, StoreLimits, Trap, TypedFunc};

use super::host_calls::HostCalls;

/// The namespace of the functions that a module imports.
const NAMESPACE: &str = "wapc";

/// The functions that prepare an instance, where the module exports them: the first is that of WASI programs.
const START_FUNCTIONS: [&str; 2] = ["_start", "wapc_init"];

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It ran for too long.
    #[error("its deadline passed")]
    Deadline,
    /// It did what WebAssembly does not allow, or aborted.
    #[error("{0}")]
    Trap(Trap),
    /// The module returned an error, with this message, which may quote the request.
    #[error("{0}")]
    Message(String),
    /// The module or the host does not follow the protocol.
    #[error("{0}")]
    Protocol(String),
}

impl From<wasmtime::Error> for CallError {
    fn from(error: wasmtime::Error) -> Self {
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => CallError::Deadline,
            Some(trap) => CallError::Trap(*trap),
            // The others are about the place in the module.
            None => CallError::Protocol(error.root_cause().to_string()),
        }
    }
}

/// A module with the functions of its host, ready to create instances.
#[derive(Clone)]
pub(super) struct LinkedModule(InstancePre<State>);

impl LinkedModule {
    /// Compiles a module.
    ///
    /// # Errors
    /// That of the runtime if `wasm` is no WebAssembly, or imports functions that are not in the protocol.
    pub(super) fn compile(engine: &Engine, wasm: &[u8]) -> Result<Self, wasmtime::Error> {
        let module = Module::new(engine, wasm)?;
        Ok(LinkedModule(host_functions(engine)?.instantiate_pre(&module)?))
    }

    /// Creates an instance. This, and each of its calls, may last for `ticks` epochs of the engine.
    ///
    /// # Errors
    /// [`CallError`] if a start function fails, or the function that answers calls does not exist.
    pub(super) fn instance(
        &self,
        host_calls: HostCalls,
        limits: StoreLimits,
        ticks: u64,
    ) -> Result<WapcInstance, CallError> {
        let state = State { host_calls, limits, call: Call::default() };
        let mut store = Store::new(self.0.module().engine(), state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(ticks);
        let instance = self.0.instantiate(&mut store)?;
        for name in START_FUNCTIONS {
            if instance.get_export(&mut store, name).is_some() {
                instance.get_typed_func::<(), ()>(&mut store, name)?.call(&mut store, ())?;
            }
        }
        let guest_call = instance.get_typed_func(&mut store, "__guest_call")?;
        Ok(WapcInstance { store, guest_call, ticks })
    }
}

/// An instance of a module.
pub(super) struct WapcInstance {
    store: Store<State>,
    /// Takes the lengths of the operation and of the payload. Returns whether the call succeeded.
    guest_call: TypedFunc<(u32, u32), u32>,
    ticks: u64,
}

impl WapcInstance {
    /// Calls a function of the module.
    ///
    /// # Errors
    /// [`CallError`].
    pub(super) fn call(&mut self, operation: &'static str, payload: Vec<u8>) -> Result<Vec<u8>, CallError> {
        let too_long = |_| CallError::Protocol("the payload does not fit into the module's memory".to_owned());
        let lengths = (operation.len() as u32, u32::try_from(payload.len()).map_err(too_long)?);
        self.store.data_mut().call = Call { operation, payload, ..Call::default() };
        self.store.set_epoch_deadline(self.ticks);
        let has_succeeded = self.guest_call.call(&mut self.store, lengths)? != 0;
        let Call { response, error, .. } = std::mem::take(&mut self.store.data_mut().call);
        match (has_succeeded, response, error) {
            (true, Some(response), _) => Ok(response),
            (_, _, Some(message)) => Err(CallError::Message(message)),
            _ => Err(CallError::Protocol("the module returned neither a response nor an error".to_owned())),
        }
    }
}

/// What the host keeps for an instance.
struct State {
    host_calls: HostCalls,
    limits: StoreLimits,
    call: Call,
}

/// A call of the module, and the call to the host that it made last.
struct Call {
    operation: &'static str,
    payload: Vec<u8>,
    response: Option<Vec<u8>>,
    error: Option<String>,
    host_answer: Result<Vec<u8>, String>,
}

impl Call {
    fn host_response(&self) -> &[u8] {
        self.host_answer.as_deref().unwrap_or_default()
    }

    fn host_error(&self) -> &[u8] {
        self.host_answer.as_ref().err().map_or(&[], |message| message.as_bytes())
    }
}

impl Default for Call {
    fn default() -> Self {
        Call { operation: "", payload: Vec::new(), response: None, error: None, host_answer: Ok(Vec::new()) }
    }
}

/// The functions that a module can import.
fn host_functions(engine: &Engine) -> Result<Linker<State>, wasmtime::Error> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(NAMESPACE, "__guest_request", |mut caller: Caller<'_, State>, operation: u32, payload: u32| {
        let (mut memory, State { call, .. }) = memory_and_state(&mut caller)?;
        memory.write(operation, call.operation.as_bytes())?;
        memory.write(payload, &call.payload)
    })?;
    linker.func_wrap(NAMESPACE, "__guest_response", |mut caller: Caller<'_, State>, start: u32, length: u32| {
        let (memory, State { call, .. }) = memory_and_state(&mut caller)?;
        call.response = Some(memory.read(start, length)?.to_vec());
        Ok(())
    })?;
    linker.func_wrap(NAMESPACE, "__guest_error", |mut caller: Caller<'_, State>, start: u32, length: u32| {
        let (memory, State { call, .. }) = memory_and_state(&mut caller)?;
        call.error = Some(memory.read_text(start, length)?.to_owned());
        Ok(())
    })?;
    linker.func_wrap(NAMESPACE, "__host_call", host_call)?;
    linker.func_wrap(NAMESPACE, "__host_response_len", |caller: Caller<'_, State>| {
        caller.data().call.host_response().len() as u32
    })?;
    linker.func_wrap(NAMESPACE, "__host_response", |caller: Caller<'_, State>, start: u32| {
        write_to_module(caller, start, Call::host_response)
    })?;
    linker.func_wrap(NAMESPACE, "__host_error_len", |caller: Caller<'_, State>| {
        caller.data().call.host_error().len() as u32
    })?;
    linker.func_wrap(NAMESPACE, "__host_error", |caller: Caller<'_, State>, start: u32| {
        write_to_module(caller, start, Call::host_error)
    })?;
    // A module may log what it likes: nobody reads it.
    linker.func_wrap(NAMESPACE, "__console_log", |_: u32, _: u32| ())?;
    Ok(linker)
}

/// Writes a part of the call into the module's memory.
fn write_to_module(mut caller: Caller<'_, State>, start: u32, part: fn(&Call) -> &[u8]) -> Result<(), wasmtime::Error> {
    let (mut memory, State { call, .. }) = memory_and_state(&mut caller)?;
    memory.write(start, part(call))
}

/// Answers a call to the host. Returns whether it succeeded.
#[expect(clippy::too_many_arguments, reason = "the signature of the protocol")]
fn host_call(
    mut caller: Caller<'_, State>,
    binding: u32,
    binding_length: u32,
    namespace: u32,
    namespace_length: u32,
    operation: u32,
    operation_length: u32,
    payload: u32,
    payload_length: u32,
) -> Result<u32, wasmtime::Error> {
    let (memory, State { call, host_calls, .. }) = memory_and_state(&mut caller)?;
    call.host_answer = host_calls.answer(
        memory.read_text(binding, binding_length)?,
        memory.read_text(namespace, namespace_length)?,
        memory.read_text(operation, operation_length)?,
        memory.read(payload, payload_length)?,
    );
    Ok(u32::from(call.host_answer.is_ok()))
}

/// The memory of an instance, in which positions and lengths are the module's own, and can be wrong.
struct Memory<'m>(&'m mut [u8]);

fn memory_and_state<'c>(caller: &'c mut Caller<'_, State>) -> Result<(Memory<'c>, &'c mut State), wasmtime::Error> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    let memory = memory.ok_or_else(|| wasmtime::Error::msg("the module has no memory"))?;
    let (bytes, state) = memory.data_and_store_mut(caller);
    Ok((Memory(bytes), state))
}

impl Memory<'_> {
    fn read(&self, start: u32, length: u32) -> Result<&[u8], wasmtime::Error> {
        self.0.get(start as usize..).and_then(|rest| rest.get(..length as usize)).ok_or(Trap::MemoryOutOfBounds.into())
    }

    fn read_text(&self, start: u32, length: u32) -> Result<&str, wasmtime::Error> {
        Ok(str::from_utf8(self.read(start, length)?)?)
    }

    fn write(&mut self, start: u32, bytes: &[u8]) -> Result<(), wasmtime::Error> {
        let target = self.0.get_mut(start as usize..).and_then(|rest| rest.get_mut(..bytes.len()));
        target.ok_or(Trap::MemoryOutOfBounds)?.copy_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use wasmtime::StoreLimitsBuilder;

    use super::*;
    use crate::wasm_host::NoLookups;
    use crate::wasm_host::memory_budget::MemoryBudget;
    use crate::wasm_host::permissions::ModulePermissions;

    /// What a module answers, or how it fails.
    fn call(text: &str) -> Result<Vec<u8>, CallError> {
        let metadata = json!({"hostCapabilities": [], "contextAwareResources": []});
        let permissions = Arc::new(ModulePermissions::from_metadata(&metadata).unwrap());
        let host_calls = HostCalls { permissions, lookups: Arc::new(NoLookups), budget: MemoryBudget::UNBOUNDED };
        let module = LinkedModule::compile(&Engine::default(), &wat::parse_str(text).unwrap())?;
        module.instance(host_calls, StoreLimitsBuilder::new().build(), 0)?.call("validate", b"{}".to_vec())
    }

    /// A module whose `__guest_call` has this body.
    fn module(body: &str) -> String {
        format!(
            r#"(module
              (import "wapc" "__guest_request" (func $request (param i32 i32)))
              (import "wapc" "__guest_response" (func $response (param i32 i32)))
              (import "wapc" "__guest_error" (func $error (param i32 i32)))
              (import "wapc" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
              (import "wapc" "__host_error_len" (func $host_error_len (result i32)))
              (import "wapc" "__host_error" (func $host_error (param i32)))
              (memory (export "memory") 1)
              (data (i32.const 100) "kubewarden\ff")
              (func (export "__guest_call") (param i32 i32) (result i32) {body}))"#
        )
    }

    #[test]
    fn a_module_receives_bytes_and_returns_some() {
        let echo =
            "(call $request (i32.const 0) (i32.const 8)) (call $response (i32.const 0) (i32.const 10)) (i32.const 1)";
        assert_eq!(call(&module(echo)).unwrap(), b"validate{}");
        let host_error = "(drop (call $host_call (i32.const 100) (i32.const 4) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
            (call $host_error (i32.const 0)) (call $error (i32.const 0) (call $host_error_len)) (i32.const 0)";
        assert_eq!(call(&module(host_error)).unwrap_err().to_string(), "unknown binding: kube");
    }

    #[test]
    fn a_module_that_does_not_follow_the_protocol_is_an_error() {
        let out_of_bounds = "wasm trap: out of bounds memory access";
        let cases = [
            ("(call $response (i32.const 65536) (i32.const 1)) (i32.const 1)", out_of_bounds),
            ("(call $response (i32.const -1) (i32.const -1)) (i32.const 1)", out_of_bounds),
            ("(call $request (i32.const 65535) (i32.const 0)) (i32.const 1)", out_of_bounds),
            (
                "(call $error (i32.const 100) (i32.const 11)) (i32.const 0)",
                "invalid utf-8 sequence of 1 bytes from index 10",
            ),
            ("(i32.const 1)", "the module returned neither a response nor an error"),
            ("(i32.const 0)", "the module returned neither a response nor an error"),
            ("unreachable", "wasm trap: wasm `unreachable` instruction executed"),
        ];
        for (body, expected) in cases {
            assert_eq!(call(&module(body)).unwrap_err().to_string(), expected, "{body}");
        }
        let no_function = call("(module (memory (export \"memory\") 1))").unwrap_err().to_string();
        assert!(no_function.contains("__guest_call"), "{no_function}");
        let no_memory = r#"(module (import "wapc" "__guest_response" (func $response (param i32 i32)))
            (func (export "__guest_call") (param i32 i32) (result i32)
            (call $response (i32.const 0) (i32.const 0)) (i32.const 1)))"#;
        assert_eq!(call(no_memory).unwrap_err().to_string(), "the module has no memory");
        let unknown = call(r#"(module (import "env" "abort" (func)))"#).unwrap_err().to_string();
        assert!(unknown.contains("unknown import: `env::abort`"), "{unknown}");
    }
}
