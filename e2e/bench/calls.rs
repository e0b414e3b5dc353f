//! The time of one call of the module.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use sqledge_ha::wasm_host::{CompiledModule, EMBEDDED, Instance, NoLookups, with_look_ups};

/// Prints the time of three kinds of requests.
pub(crate) fn measure() {
    println!("module: {} bytes, annotated", EMBEDDED.len());
    let started = Instant::now();
    let host = CompiledModule::new(EMBEDDED).unwrap();
    println!("compiling it: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    let mut instance = host.instance(Arc::new(NoLookups)).unwrap();
    let review: Value = serde_json::from_str(include_str!("../examples/deployment-review.json")).unwrap();
    let request = review["request"].clone();
    call("a Deployment that every rule checks and that is mutated", &mut instance, &request);
    large(&mut instance, &request);
    let mut web = request.clone();
    web["object"]["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.example.com/shop/web:3");
    web["object"]["spec"]["template"]["spec"]["containers"][0]["env"] = json!([]);
    let text = web.to_string().replace("mssql", "files");
    call("the same without SQL Edge", &mut instance, &serde_json::from_str(&text).unwrap());
    let mut other = request;
    other["kind"] = json!({"group": "", "version": "v1", "kind": "ConfigMap"});
    call("an object of another kind", &mut instance, &other);
}

/// Prints the time of one call for objects with many volumes or many databases: it should grow like their size.
fn large(instance: &mut Instance, request: &Value) {
    let settings = json!({});
    for count in [150, 1_500, 15_000] {
        let mut object = request.clone();
        let pod = &mut object["object"]["spec"]["template"]["spec"];
        pod["volumes"] = (0..count)
            .map(|number| json!({"name": format!("v{number}"), "persistentVolumeClaim": {"claimName": format!("c{number}")}}))
            .collect();
        pod["containers"][0]["volumeMounts"] = (0..count)
            .map(|number| json!({"name": format!("v{number}"), "mountPath": format!("/m/{number}")}))
            .collect();
        once(&format!("{count} volumes"), instance, &object, &settings);
    }
    for count in [30, 300, 3_000] {
        let mut object = request.clone();
        let container = object["object"]["spec"]["template"]["spec"]["containers"][0].clone();
        object["object"]["spec"]["template"]["spec"]["containers"] = (0..count).map(|_| container.clone()).collect();
        once(&format!("{count} databases"), instance, &object, &settings);
    }
}

fn once(subject: &str, instance: &mut Instance, request: &Value, settings: &Value) {
    let request = to_raw_value(request).unwrap();
    let took = median(|| drop(black_box(instance.validate(&request, settings))), 1);
    println!("{subject}: {:.1} ms a call ({} KiB)", took.as_secs_f64() * 1e3, request.get().len() / 1024);
}

/// The median of several rounds of many runs.
fn median(mut run: impl FnMut(), runs: u32) -> Duration {
    let mut rounds: Vec<Duration> = (0..7)
        .map(|_| {
            let started = Instant::now();
            (0..runs).for_each(|_| run());
            started.elapsed() / runs
        })
        .collect();
    rounds.sort();
    rounds[rounds.len() / 2]
}

fn call(subject: &str, instance: &mut Instance, request: &Value) {
    let (request, settings) = (to_raw_value(request).unwrap(), with_look_ups(&json!({})));
    let answer = instance.validate(&request, &settings).unwrap();
    let took = median(|| drop(black_box(instance.validate(&request, &settings))), 2000);
    let outcome = match (&answer.mutated_object, answer.accepted) {
        (Some(_), _) => "mutated",
        (None, true) => "allowed",
        (None, false) => "rejected",
    };
    println!(
        "{subject}: {:.1} µs a call on a reused instance ({} bytes, {outcome})",
        took.as_secs_f64() * 1e6,
        request.get().len()
    );
}
