//! A module in a waPC host that has no cluster, and lets a benchmark choose the engine.

use wasmtime::{Caller, Engine, Extern, Instance, InstancePre, Linker, Memory, Module, Store, TypedFunc};

/// The operation that is called.
const OPERATION: &[u8] = b"validate";

/// What the host keeps for an instance.
pub(crate) struct Call {
    payload: Vec<u8>,
    response: Vec<u8>,
}

/// A compiled module with the functions of its host.
pub(crate) struct Guest(InstancePre<Call>);

impl Guest {
    pub(crate) fn new(engine: &Engine, wasm: &[u8]) -> Self {
        Guest(linker(engine).instantiate_pre(&Module::new(engine, wasm).unwrap()).unwrap())
    }

    /// An instance for requests with `payload`.
    pub(crate) fn instance(&self, payload: &[u8]) -> GuestInstance {
        let call = Call { payload: payload.to_vec(), response: Vec::new() };
        let mut store = Store::new(self.0.module().engine(), call);
        let instance = self.0.instantiate(&mut store).unwrap();
        let guest_call = instance.get_typed_func(&mut store, "__guest_call").unwrap();
        GuestInstance { store, instance, guest_call }
    }
}

pub(crate) struct GuestInstance {
    pub(crate) store: Store<Call>,
    instance: Instance,
    guest_call: TypedFunc<(u32, u32), u32>,
}

impl GuestInstance {
    /// Calls the module's start function, if it has one.
    pub(crate) fn start(&mut self) {
        if let Ok(init) = self.instance.get_typed_func::<(), ()>(&mut self.store, "wapc_init") {
            init.call(&mut self.store, ()).unwrap();
        }
    }

    /// Checks the request. Returns the module's response.
    pub(crate) fn call(&mut self) -> Vec<u8> {
        let lengths = (OPERATION.len() as u32, u32::try_from(self.store.data().payload.len()).unwrap());
        assert_eq!(self.guest_call.call(&mut self.store, lengths).unwrap(), 1);
        let response = std::mem::take(&mut self.store.data_mut().response);
        assert!(!response.is_empty());
        response
    }
}

fn linker(engine: &Engine) -> Linker<Call> {
    let mut linker = Linker::new(engine);
    let wapc = "wapc";
    let request = |mut caller: Caller<'_, Call>, operation: u32, payload: u32| {
        let (memory, call) = memory(&mut caller).data_and_store_mut(&mut caller);
        memory[operation as usize..][..OPERATION.len()].copy_from_slice(OPERATION);
        memory[payload as usize..][..call.payload.len()].copy_from_slice(&call.payload);
    };
    let response = |mut caller: Caller<'_, Call>, start: u32, length: u32| {
        let (memory, call) = memory(&mut caller).data_and_store_mut(&mut caller);
        call.response = memory[start as usize..][..length as usize].to_vec();
    };
    let no_error = |mut caller: Caller<'_, Call>, at: u32| {
        memory(&mut caller).write(&mut caller, at as usize, b"no").unwrap();
    };
    linker.func_wrap(wapc, "__guest_request", request).unwrap();
    linker.func_wrap(wapc, "__guest_response", response).unwrap();
    linker.func_wrap(wapc, "__guest_error", |_: u32, _: u32| ()).unwrap();
    linker.func_wrap(wapc, "__console_log", |_: u32, _: u32| ()).unwrap();
    let no_cluster = |_: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| 0_u32;
    linker.func_wrap(wapc, "__host_call", no_cluster).unwrap();
    linker.func_wrap(wapc, "__host_response_len", || 0_u32).unwrap();
    linker.func_wrap(wapc, "__host_response", |_: u32| ()).unwrap();
    linker.func_wrap(wapc, "__host_error_len", || 2_u32).unwrap();
    linker.func_wrap(wapc, "__host_error", no_error).unwrap();
    linker
}

fn memory(caller: &mut Caller<'_, Call>) -> Memory {
    caller.get_export("memory").and_then(Extern::into_memory).unwrap()
}
