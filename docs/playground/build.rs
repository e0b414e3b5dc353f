//! Limits the memory of the program in a browser: beyond it, an allocation fails and the page says so.

/// One gibibyte. The largest text that is checked takes a small part of it.
const MAX_MEMORY: u32 = 1 << 30;

fn main() {
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-cdylib=--max-memory={MAX_MEMORY}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
