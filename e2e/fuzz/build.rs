//! Lets the target `module` be the module's host natively.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Kubewarden's SDK defines what the host has to, for its own tests. The first definition counts, which is ours.
    if std::env::var_os("CARGO_FEATURE_MODULE").is_some() {
        println!("cargo::rustc-link-arg-bin=module=-Wl,--allow-multiple-definition");
    }
}
