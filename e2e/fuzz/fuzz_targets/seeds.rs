//! Not a fuzz target: libFuzzer passes it manifests, and it writes admission requests for the target `module` to the
//! folder `$SEEDS`, one for each object, with all objects of the file as answers of the host.

#![no_main]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::{env, fs};

use serde_json::{Value, json};
use sqledge_ha::manifest::read;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = PathBuf::from(env::var_os("SEEDS").expect("SEEDS names a folder"));
    for seed in std::str::from_utf8(bytes).map(seeds).unwrap_or_default() {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        fs::write(folder.join(format!("{:016x}", hasher.finish())), seed).expect("the folder can be written");
    }
});

fn seeds(text: &str) -> Vec<Vec<u8>> {
    let objects: Vec<Value> = read(text).into_iter().filter_map(|document| Some(document.ok()?.value)).collect();
    let answers = json!({"items": objects}).to_string();
    let requests = objects.iter().filter_map(request);
    requests.map(|request| [request.to_string().as_bytes(), b"\0", answers.as_bytes()].concat()).collect()
}

/// A request that creates the object, or updates it if it is a workload whose kind has an even number of letters.
fn request(object: &Value) -> Option<Value> {
    let version = object["apiVersion"].as_str()?;
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let kind = object["kind"].as_str()?;
    let old = object.pointer("/spec/template").filter(|_| kind.len().is_multiple_of(2)).map(|_| {
        let mut old = object.clone();
        old["spec"]["paused"] = Value::Bool(true);
        old
    });
    Some(json!({"settings": {}, "request": {
        "uid": "u", "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": group, "version": version, "resource": format!("{}s", kind.to_lowercase())},
        "name": object["metadata"]["name"], "namespace": "default",
        "operation": if old.is_some() { "UPDATE" } else { "CREATE" },
        "object": object, "oldObject": old}}))
}
