//! Tells the page why the program stopped. Afterwards the instance is unusable: the page starts a new one.

#[cfg(target_family = "wasm")]
use wasm_bindgen::prelude::wasm_bindgen;

#[cfg(target_family = "wasm")]
#[wasm_bindgen]
extern "C" {
    /// The worker's function that keeps the message for the page.
    #[wasm_bindgen(js_namespace = globalThis, js_name = keepPanic)]
    fn keep_panic(message: &str);
}

/// From now on, a panic tells the page its message and its place in the source.
#[cfg(target_family = "wasm")]
pub(crate) fn report() {
    std::panic::set_hook(Box::new(|panic| keep_panic(&panic.to_string())));
}

/// Outside of a browser, a panic is printed as usual.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn report() {}
