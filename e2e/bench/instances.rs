//! The cost of a request where each has a new instance, as in Kubewarden's policy server.
//!
//! Imitated are what the policy server and its policy evaluator do around a module: one engine with epoch interruption
//! and the default on-demand allocator, the module linked once (`InstancePre`), and for each request a new store and
//! instance, `wapc_init`, one call, reading the response, and the JSON Patch that turns the object into the mutated
//! one. Left out is what they do whatever the module says: HTTP, the AdmissionReview, WASI, metrics and traces.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use sqledge_ha::wasm_host::{EMBEDDED, Response, with_look_ups};
use wasmtime::{Config, Engine};

use crate::guest::Guest;
use crate::throughput::bodies;
use crate::{conditions, instructions};

/// Requests of each module, one after the other, before the next module has its turn: few, so that a quarter of the
/// rounds is undisturbed also on a busy machine.
const BATCH: u32 = 10;
const ROUNDS: usize = 301;

/// Prints a table of the time of a request, beside modules that do nothing. `other` is the path of another build
/// of the module, to compare with the embedded one.
pub(crate) fn measure(other: Option<&str>) {
    conditions::print();
    println!(
        "\nµs of a request with an instance of its own: the lower quartile of {ROUNDS} alternating rounds of {BATCH}"
    );
    println!(
        "{:<26} {:>8} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "", "accepts", "constant", "ours", "over", "share", "faults", "first", "again"
    );
    let accept = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/modules/accept.wat")).unwrap();
    let accept = Module::compile(&accept);
    let binaries: Vec<Vec<u8>> =
        [EMBEDDED.to_vec()].into_iter().chain(other.map(|path| fs::read(path).unwrap())).collect();
    let ours: Vec<Module> = binaries.iter().map(|binary| Module::compile(binary)).collect();
    for body in &bodies()[..3] {
        let review: Value = serde_json::from_str(&body.text).unwrap();
        let request = Request::new(&review["request"]);
        let constant = Module::compile(constant(&ours[0].answer(&request)).as_bytes());
        let modules: Vec<&Module> = [&accept, &constant].into_iter().chain(&ours).collect();
        let costs = costs(&modules, &request);
        for ((binary, module), cost) in binaries.iter().zip(&ours).zip(&costs[2..]) {
            let instructions = instructions::count(binary, &request.payload);
            println!(
                "{:<26} {:>8.1} {:>9.1} {cost:>8.1} {:>8.1} {:>7.0}% {:>8.0} {:>8.1} {:>8.1}",
                body.what,
                costs[0],
                costs[1],
                cost - costs[0],
                100.0 * costs[1] / cost,
                page_faults(module, &request) - page_faults(&accept, &request),
                instructions.first as f64 / 1e3,
                instructions.again as f64 / 1e3,
            );
        }
    }
    println!("over: the accept-everything module; share: of the module that returns the same answer as a constant;");
    println!("faults: pages of memory that a request touches for the first time, over the accept-everything module;");
    println!("first, again: thousands of Wasm instructions in a new instance, and for another request in the same one");
}

/// What a module is called with, and the object that its answer is compared with.
struct Request {
    payload: Vec<u8>,
    object: Value,
}

impl Request {
    fn new(request: &Value) -> Self {
        let payload = json!({"request": request, "settings": with_look_ups(&json!({}))});
        Request { payload: payload.to_string().into_bytes(), object: request["object"].clone() }
    }
}

struct Module(Guest);

impl Module {
    fn compile(module: &[u8]) -> Self {
        let mut config = Config::new();
        config.epoch_interruption(true);
        let engine = Engine::new(&config).unwrap();
        Module(Guest::new(&engine, &wat::parse_bytes(module).unwrap()))
    }

    fn answer(&self, request: &Request) -> Vec<u8> {
        let mut instance = self.0.instance(&request.payload);
        instance.store.set_epoch_deadline(200);
        instance.start();
        instance.call()
    }

    /// One request, from the instance to the patch.
    fn review(&self, request: &Request) -> Option<String> {
        let response: Response = serde_json::from_slice(&self.answer(request)).unwrap();
        response.mutated_object.map(|mutated| json_patch::diff(&request.object, &mutated).to_string())
    }
}

/// A module that returns `answer` whatever it is asked, and does nothing else.
fn constant(answer: &[u8]) -> String {
    let text: String = answer.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        "(module
          (import \"wapc\" \"__guest_request\" (func $request (param i32 i32)))
          (import \"wapc\" \"__guest_response\" (func $response (param i32 i32)))
          (memory (export \"memory\") 2)
          (data (i32.const 64) \"{text}\")
          (func (export \"__guest_call\") (param i32 i32) (result i32)
            (call $request (i32.const 0) (i32.const 65536))
            (call $response (i32.const 64) (i32.const {}))
            (i32.const 1)))",
        answer.len()
    )
}

/// The time of a request for each module, in µs.
fn costs(modules: &[&Module], request: &Request) -> Vec<f64> {
    let mut rounds = vec![Vec::new(); modules.len()];
    for _ in 0..ROUNDS {
        for (module, rounds) in modules.iter().zip(&mut rounds) {
            let started = Instant::now();
            (0..BATCH).for_each(|_| drop(black_box(module.review(request))));
            rounds.push(started.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH));
        }
    }
    let quartile = |mut rounds: Vec<f64>| {
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 4]
    };
    rounds.into_iter().map(quartile).collect()
}

/// The page faults of a request.
fn page_faults(module: &Module, request: &Request) -> f64 {
    let count = || {
        let text = fs::read_to_string("/proc/thread-self/stat").unwrap();
        // The name in parentheses is the second field, the count the tenth.
        let rest = text.rsplit(')').next().unwrap();
        rest.split_whitespace().nth(7).unwrap().parse::<f64>().unwrap()
    };
    let before = count();
    (0..BATCH).for_each(|_| drop(black_box(module.review(request))));
    (count() - before) / f64::from(BATCH)
}
