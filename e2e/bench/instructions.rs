//! The WebAssembly instructions of a call: a count that does not depend on the machine.

use wasmtime::{Config, Engine};

use crate::guest::Guest;

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
    let mut instance = Guest::new(&Engine::new(&config).unwrap(), wasm).instance(payload);
    instance.store.set_fuel(u64::MAX).unwrap();
    instance.start();
    let mut spent_after_call = || {
        instance.call();
        u64::MAX - instance.store.get_fuel().unwrap()
    };
    let first = spent_after_call();
    Instructions { first, again: spent_after_call() - first }
}
