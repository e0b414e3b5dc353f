//! The WebAssembly instructions of a call: a count that does not depend on the machine.

use wasmtime::{Caller, Config, Engine, Extern, Instance, Linker, Memory, Module, Store};

/// What a host keeps for its guest.
struct Host {
    payload: Vec<u8>,
    response: Vec<u8>,
}

/// The instructions of one request on an instance of its own, and of another one on the same instance.
#[derive(Clone, Copy)]
pub(crate) struct Instructions {
    pub(crate) first: u64,
    pub(crate) again: u64,
}

/// Counts the instructions of a call with `payload`.
pub(crate) fn count(wasm: &[u8], payload: &[u8]) -> Instructions {
    let mut config = Config::new();
    config.consume_fuel(true);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, wasm).unwrap();
    let mut store = Store::new(&engine, Host { payload: payload.to_vec(), response: Vec::new() });
    store.set_fuel(u64::MAX).unwrap();
    let instance = linker(&engine).instantiate(&mut store, &module).unwrap();
    if let Ok(init) = instance.get_typed_func::<(), ()>(&mut store, "wapc_init") {
        init.call(&mut store, ()).unwrap();
    }
    let spent_after_call = |store: &mut Store<Host>| {
        call(store, &instance);
        u64::MAX - store.get_fuel().unwrap()
    };
    let first = spent_after_call(&mut store);
    Instructions { first, again: spent_after_call(&mut store) - first }
}

fn call(store: &mut Store<Host>, instance: &Instance) {
    let guest_call = instance.get_typed_func::<(i32, i32), i32>(&mut *store, "__guest_call").unwrap();
    let length = i32::try_from(store.data().payload.len()).unwrap();
    assert_eq!(guest_call.call(&mut *store, (8, length)).unwrap(), 1);
    assert!(!store.data().response.is_empty());
}

/// The functions of a waPC host without a cluster.
fn linker(engine: &Engine) -> Linker<Host> {
    let mut linker = Linker::new(engine);
    let wapc = "wapc";
    let request = |mut caller: Caller<'_, Host>, operation: i32, payload: i32| {
        let bytes = caller.data().payload.clone();
        let memory = memory(&mut caller);
        memory.write(&mut caller, operation as usize, b"validate").unwrap();
        memory.write(&mut caller, payload as usize, &bytes).unwrap();
    };
    let response = |mut caller: Caller<'_, Host>, start: i32, length: i32| {
        let mut bytes = vec![0; length as usize];
        memory(&mut caller).read(&caller, start as usize, &mut bytes).unwrap();
        caller.data_mut().response = bytes;
    };
    let no_error = |mut caller: Caller<'_, Host>, at: i32| {
        memory(&mut caller).write(&mut caller, at as usize, b"no").unwrap();
    };
    linker.func_wrap(wapc, "__guest_request", request).unwrap();
    linker.func_wrap(wapc, "__guest_response", response).unwrap();
    linker.func_wrap(wapc, "__guest_error", |_: i32, _: i32| ()).unwrap();
    linker.func_wrap(wapc, "__console_log", |_: i32, _: i32| ()).unwrap();
    let no_cluster = |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32| 0;
    linker.func_wrap(wapc, "__host_call", no_cluster).unwrap();
    linker.func_wrap(wapc, "__host_response_len", || 0).unwrap();
    linker.func_wrap(wapc, "__host_response", |_: i32| ()).unwrap();
    linker.func_wrap(wapc, "__host_error_len", || 2).unwrap();
    linker.func_wrap(wapc, "__host_error", no_error).unwrap();
    linker
}

fn memory(caller: &mut Caller<'_, Host>) -> Memory {
    caller.get_export("memory").and_then(Extern::into_memory).unwrap()
}
