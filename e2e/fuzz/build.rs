//! Lets the target `module` define the host functions of the module natively.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Kubewarden's SDK defines the host functions, too, for its own tests. The first definition counts, which is ours.
    if std::env::var_os("CARGO_FEATURE_MODULE").is_some() {
        println!("cargo::rustc-link-arg-bin=module=-Wl,--allow-multiple-definition");
    }
}
