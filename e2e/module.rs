//! The embedded module under a waPC host: what it is made of, what it asks for, and that nothing makes it fail.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    clippy::explicit_write,
    reason = "a test that meets the unexpected should fail on the spot, and say past the harness what it skips"
)]

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use sqledge_ha::module::{
    EMBEDDED, Get, Host, Instance, Limits, List, NoWorld, ObjectSet, Objects, Response, World, metadata,
};
use wasmparser::{Parser, Payload};

static HOST: LazyLock<Host> = LazyLock::new(|| Host::new(EMBEDDED).unwrap());

fn lonely() -> Instance {
    HOST.instance(Arc::new(NoWorld)).unwrap()
}

// What the module is made of.

#[test]
fn the_module_is_small() {
    assert!(EMBEDDED.len() <= 256 * 1024, "{} bytes", EMBEDDED.len());
}

#[test]
fn the_module_imports_nothing_but_wapc() {
    let modules: BTreeSet<&str> = Parser::new(0)
        .parse_all(EMBEDDED)
        .filter_map(|payload| match payload.unwrap() {
            Payload::ImportSection(imports) => Some(imports),
            _ => None,
        })
        .flat_map(|imports| imports.into_imports().map(|import| import.unwrap().module))
        .collect();
    assert_eq!(modules, BTreeSet::from(["wapc"]));
}

#[test]
fn the_module_holds_no_path_of_the_machine_that_built_it() {
    let home = std::env::home_dir().map(|home| home.join(".cargo").display().to_string());
    let cargo_home = std::env::var("CARGO_HOME").ok();
    let text = String::from_utf8_lossy(EMBEDDED);
    for path in [Some(env!("CARGO_MANIFEST_DIR").to_owned()), home, cargo_home].into_iter().flatten() {
        assert!(!text.contains(&path), "{path}");
    }
}

#[test]
fn the_metadata_are_one_section_that_kubewarden_reads() {
    let sections = Parser::new(0).parse_all(EMBEDDED).filter_map(|payload| match payload.unwrap() {
        Payload::CustomSection(section) if section.name() == metadata::SECTION => Some(section.data()),
        _ => None,
    });
    let sections: Vec<&[u8]> = sections.collect();
    assert_eq!(sections.len(), 1);
    let metadata: Value = serde_json::from_slice(sections[0]).unwrap();
    assert_eq!(metadata, metadata::read(EMBEDDED).unwrap());
    assert_eq!(metadata["protocolVersion"], json!(lonely().protocol_version().unwrap()));
    assert_eq!(metadata["executionMode"], "kubewarden-wapc");
    assert_eq!(metadata["policyType"], "kubernetes");
    assert_eq!((&metadata["mutating"], &metadata["backgroundAudit"]), (&json!(true), &json!(true)));
    let capabilities = json!(["kubernetes/get_resource", "kubernetes/list_resources_by_namespace"]);
    assert_eq!(metadata["hostCapabilities"], capabilities);
    let annotations = &metadata["annotations"];
    assert_eq!(annotations["io.kubewarden.policy.version"], env!("CARGO_PKG_VERSION"));
    // Without these Artifact Hub does not list the policy.
    for required in ["title", "description", "ociUrl", "license", "source", "usage"] {
        assert!(annotations[format!("io.kubewarden.policy.{required}")].is_string(), "{required}");
    }
    assert!(annotations["io.artifacthub.displayName"].is_string());
}

#[test]
fn the_rules_of_admission_are_explicit() {
    let metadata = metadata::read(EMBEDDED).unwrap();
    let mut groups = Vec::new();
    for rule in metadata["rules"].as_array().unwrap() {
        assert!(!rule.to_string().contains('*'), "{rule}");
        // The audit scanner looks up every resource that is created, and never finds a subresource.
        let creates = rule["operations"].as_array().unwrap().contains(&json!("CREATE"));
        let mut resources = rule["resources"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        assert!(resources.all(|name| creates != name.contains('/')), "{rule}");
        assert_eq!(rule["apiGroups"].as_array().unwrap().len(), 1, "{rule}");
        if creates {
            groups.push(rule["apiGroups"][0].as_str().unwrap());
        }
    }
    assert_eq!(groups, ["", "apps", "batch", "argoproj.io", "apps.openshift.io", "serving.knative.dev"]);
}

// What the module asks for.

#[derive(Clone, Debug, PartialEq)]
enum Call {
    Get(Get),
    List(List),
}

impl Call {
    fn kind(&self) -> (String, String) {
        match self {
            Call::Get(Get { api_version, kind, .. }) | Call::List(List { api_version, kind, .. }) => {
                (api_version.clone(), kind.clone())
            }
        }
    }

    fn is_list(&self) -> bool {
        matches!(self, Call::List(_))
    }
}

/// A world that writes down what it is asked, and may forbid everything.
#[derive(Default)]
struct Recorder {
    objects: ObjectSet,
    forbids: bool,
    calls: Mutex<Vec<Call>>,
}

impl Recorder {
    fn of(objects: Vec<Value>) -> Self {
        Recorder { objects: ObjectSet(objects), ..Recorder::default() }
    }

    fn record(&self, call: Call) -> Result<(), String> {
        self.calls.lock().unwrap().push(call);
        let forbidden = "ApiError: services is forbidden: User \"system:serviceaccount:kubewarden:s3cret\" cannot get";
        if self.forbids { Err(forbidden.to_owned()) } else { Ok(()) }
    }
}

impl World for Recorder {
    fn get(&self, query: &Get) -> Result<Option<Cow<'_, Value>>, String> {
        self.record(Call::Get(query.clone()))?;
        self.objects.get(query)
    }

    fn list(&self, query: &List) -> Result<Objects<'_>, String> {
        self.record(Call::List(query.clone()))?;
        self.objects.list(query)
    }
}

fn review_in(world: Recorder, request: &RawValue) -> (Response, Vec<Call>) {
    let world = Arc::new(world);
    let instance = HOST.instance(Arc::clone(&world) as Arc<dyn World>).unwrap();
    let response = instance.validate(request, &json!({})).unwrap();
    let calls = world.calls.lock().unwrap().clone();
    (response, calls)
}

fn create(object: &Value) -> Box<RawValue> {
    let (group, version) = object["apiVersion"].as_str().unwrap().split_once('/').unwrap_or(("", "v1"));
    let kind = json!({"group": group, "version": version, "kind": object["kind"]});
    to_raw_value(&json!({"uid": "1", "operation": "CREATE", "kind": kind, "namespace": "db", "object": object}))
        .unwrap()
}

fn scale(group: &str, plural: &str) -> Box<RawValue> {
    let kind = json!({"group": "autoscaling", "version": "v1", "kind": "Scale"});
    let resource = json!({"group": group, "version": "v1", "resource": plural});
    let object = json!({"apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": {"name": "sql", "namespace": "db"}, "spec": {"replicas": 2}});
    to_raw_value(&json!({"uid": "1", "operation": "UPDATE", "kind": kind, "resource": resource, "subResource": "scale",
        "name": "sql", "namespace": "db", "object": object}))
    .unwrap()
}

fn workload(kind: &str) -> Value {
    let api_version = if kind == "ReplicationController" { "v1" } else { "apps/v1" };
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "sql", "namespace": "db"}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"app": "sql"}},
        "template": {"metadata": {"labels": {"app": "sql"}}, "spec": {
            "containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge",
                "ports": [{"name": "tds", "containerPort": 1433}],
                "env": [{"name": "ACCEPT_EULA", "value": "Y"}],
                "volumeMounts": [{"name": "data", "mountPath": "/var/opt/mssql"}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}}}})
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql", "namespace": "db"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "sql"}, "ports": [{"port": 1433}]}})
}

/// Every request that looks something up.
fn inquisitive() -> Vec<Box<RawValue>> {
    let scaled =
        [("apps", "deployments"), ("apps", "statefulsets"), ("apps", "replicasets"), ("", "replicationcontrollers")];
    let scaled = scaled.map(|(group, plural)| scale(group, plural));
    [create(&workload("Deployment")), create(&workload("StatefulSet")), create(&service())]
        .into_iter()
        .chain(scaled)
        .collect()
}

#[test]
fn the_module_asks_for_the_kinds_in_its_metadata_and_no_others() {
    let calls = inquisitive().iter().flat_map(|request| review_in(Recorder::default(), request).1).collect::<Vec<_>>();
    let asked: BTreeSet<(String, String)> = calls.iter().map(Call::kind).collect();
    let metadata = metadata::read(EMBEDDED).unwrap();
    let text = |kind: &Value, key: &str| kind[key].as_str().unwrap().to_owned();
    let granted = metadata["contextAwareResources"].as_array().unwrap().iter();
    let granted: BTreeSet<_> = granted.map(|kind| (text(kind, "apiVersion"), text(kind, "kind"))).collect();
    assert_eq!(asked, granted);
}

#[test]
fn look_ups_are_alike_so_that_the_host_keeps_few_watches_and_short_answers() {
    for request in inquisitive() {
        for call in review_in(Recorder::default(), &request).1 {
            match call {
                Call::Get(get) => {
                    assert_eq!((get.namespace.as_deref(), get.disable_cache), (Some("db"), false), "{get:?}");
                }
                Call::List(list) => {
                    assert_eq!(
                        (list.namespace.as_str(), &list.label_selector, &list.field_selector),
                        ("db", &None, &None)
                    );
                    assert!(!list.field_masks.is_empty() && list.field_masks.is_sorted(), "{list:?}");
                }
            }
        }
    }
}

#[test]
fn every_list_comes_once_and_after_a_get_that_found_nothing() {
    for request in inquisitive() {
        let (_, calls) = review_in(Recorder::of(vec![workload("Deployment"), service()]), &request);
        let mut listed = BTreeSet::new();
        for (position, call) in calls.iter().enumerate().filter(|(_, call)| call.is_list()) {
            assert!(listed.insert(call.kind()), "listed twice: {calls:?}");
            let probe = calls[..position].iter().rev().find(|earlier| earlier.kind() == call.kind());
            // No object can have such a name, so that the answer is always `Cannot find`.
            assert!(matches!(probe, Some(Call::Get(get)) if get.name.contains('_')), "{calls:?}");
        }
    }
}

#[test]
fn what_may_not_be_read_is_never_listed_and_only_said_to_the_audit_log() {
    for request in inquisitive() {
        let (response, calls) = review_in(Recorder { forbids: true, ..Recorder::default() }, &request);
        assert!(!calls.is_empty() && !calls.iter().any(Call::is_list), "{calls:?}");
        assert!(response.accepted, "{response:?}");
        let unchecked = response.audit_annotations.get("unchecked");
        assert!(unchecked.is_some_and(|why| why.contains("may not read")), "{response:?}");
        assert!(!format!("{response:?}").contains("s3cret"), "{response:?}");
    }
}

#[test]
fn what_is_looked_up_decides() {
    let (response, _) = review_in(Recorder::of(vec![workload("Deployment")]), &scale("apps", "deployments"));
    assert_eq!((response.accepted, response.code), (false, Some(403)), "{response:?}");
    let (response, _) = review_in(Recorder::of(vec![]), &scale("apps", "deployments"));
    assert!(response.accepted, "{response:?}");
    let exposed = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "other", "namespace": "elsewhere"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "sql"}, "ports": [{"port": 1433}]}});
    let with = |service| review_in(Recorder::of(vec![service]), &create(&workload("Deployment"))).0;
    assert_ne!(with(service()).warnings, with(exposed).warnings);
}

// Nothing makes the module fail.

fn answer(instance: &Instance, payload: &[u8]) -> Response {
    serde_json::from_slice(&instance.call("validate", payload).unwrap()).unwrap()
}

/// JSON values as a request may hold them where something else is expected.
fn any_json() -> impl Strategy<Value = Value> {
    let words =
        ["", "db", "sql", "mcr.microsoft.com/azure-sql-edge", "ACCEPT_EULA", "/var/opt/mssql", "Recreate", "\u{0}é"];
    let keys = ["metadata", "spec", "template", "containers", "env", "name", "image", "ports", "selector", "replicas"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(keys.to_vec()), inner, 0..5)
                .prop_map(|members| json!(members)),
        ]
    })
}

/// The pointers to everything in a value.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers(item, &format!("{at}/{index}"), all))
        }
        _ => {}
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn any_bytes_get_an_answer(payload in prop::collection::vec(any::<u8>(), 0..256)) {
        let response = answer(&lonely(), &payload);
        prop_assert_eq!((response.accepted, response.code), (false, Some(500)));
    }

    #[test]
    fn any_bytes_are_judged_as_settings(payload in prop::collection::vec(any::<u8>(), 0..64)) {
        let instance = lonely();
        let judged: Value = serde_json::from_slice(&instance.call("validate_settings", &payload).unwrap()).unwrap();
        prop_assert!(judged["valid"].is_boolean());
    }

    #[test]
    fn any_settings_are_judged_and_refused_with_a_reason(settings in any_json()) {
        let judged = lonely().validate_settings(&settings).unwrap();
        prop_assert_eq!(judged.valid, judged.message.is_none());
    }

    /// A request that means something, with one part of it replaced.
    #[test]
    fn a_mangled_request_gets_an_answer(
        which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), value in any_json(),
    ) {
        let requests = inquisitive();
        let mut payload = json!({"request": requests[which.index(requests.len())], "settings": {}});
        let mut all = Vec::new();
        pointers(&payload, "", &mut all);
        *payload.pointer_mut(&all[place.index(all.len())]).unwrap() = value;
        let world = ObjectSet(vec![workload("Deployment"), service()]);
        let instance = HOST.instance(Arc::new(world)).unwrap();
        answer(&instance, payload.to_string().as_bytes());
    }

    /// What the module looks up is as wild as the cluster.
    #[test]
    fn a_mangled_world_gets_an_answer(which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), value in any_json()) {
        let requests = inquisitive();
        let mut world = json!([workload("Deployment"), workload("StatefulSet"), service()]);
        let mut all = Vec::new();
        pointers(&world, "", &mut all);
        *world.pointer_mut(&all[1 + place.index(all.len() - 1)]).unwrap() = value;
        let Value::Array(objects) = world else { unreachable!() };
        let instance = HOST.instance(Arc::new(ObjectSet(objects))).unwrap();
        instance.validate(&requests[which.index(requests.len())], &json!({})).unwrap();
    }

    /// A request that breaks off, or in which a byte is wrong.
    #[test]
    fn a_damaged_request_gets_an_answer(place in any::<prop::sample::Index>(), byte in any::<Option<u8>>()) {
        let mut payload = json!({"request": create(&workload("Deployment")), "settings": {}}).to_string().into_bytes();
        let place = place.index(payload.len());
        match byte {
            Some(byte) => payload[place] = byte,
            None => payload.truncate(place),
        }
        answer(&lonely(), &payload);
    }
}

#[test]
fn deep_nesting_is_refused_not_followed() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for depth in [100, 200, 200_000] {
        let deployment = workload("Deployment").to_string().replacen("{", &format!("{{\"x\":{},", deep(depth)), 1);
        let request = json!({"uid": "1", "operation": "CREATE", "kind": {"group": "apps", "version": "v1", "kind": "Deployment"}});
        let request = request.to_string().replacen('{', &format!("{{\"object\":{deployment},"), 1);
        let response = answer(&lonely(), format!("{{\"request\":{request},\"settings\":{{}}}}").as_bytes());
        assert_eq!(response.code == Some(500), depth > 128, "{depth}: {response:?}");
        answer(&lonely(), deep(depth).as_bytes());
        lonely().call("validate_settings", deep(depth).as_bytes()).unwrap();
    }
}

#[test]
fn settings_that_are_not_understood_are_refused_with_the_right_name() {
    let instance = lonely();
    let judged = instance.validate_settings(&json!({"failoverSecond": 60})).unwrap();
    let message = "there is no setting `failoverSecond`; did you mean `failoverSeconds`?";
    assert_eq!((judged.valid, judged.message.as_deref()), (false, Some(message)));
    let response = instance.validate(&create(&workload("Deployment")), &json!({"failoverSecond": 60})).unwrap();
    assert_eq!((response.accepted, response.code), (false, Some(500)));
    assert!(response.message.is_some_and(|text| text.contains(message)));
    for valid in [Value::Null, json!({}), json!({"failoverSeconds": 60})] {
        assert!(instance.validate_settings(&valid).unwrap().valid, "{valid}");
    }
}

#[test]
fn an_instance_remembers_nothing() {
    let instance = lonely();
    let deployment = create(&workload("Deployment"));
    let first = instance.validate(&deployment, &json!({})).unwrap();
    answer(&instance, b"nonsense");
    instance.validate(&create(&service()), &json!({"mode": "validate"})).unwrap();
    assert_eq!(instance.validate(&deployment, &json!({})).unwrap(), first);
}

// What a real API server sends.

/// The AdmissionRequests of reviews that an API server sent, by the names of their files; none where they are absent.
fn recorded_requests() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference/reviews");
    let Ok(entries) = fs::read_dir(&folder) else {
        // Past the capture of the test harness, which only shows what failing tests print.
        writeln!(io::stderr(), "SKIPPED: there are no recorded reviews in {}", folder.display()).unwrap();
        return Vec::new();
    };
    let read = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let requests =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|name| name == "json"));
    requests.map(|path| (path.file_name().unwrap().display().to_string(), read(&path)["request"].take())).collect()
}

fn passes_in_silence(request: &Value) -> bool {
    let (response, calls) = review_in(Recorder::of(vec![workload("Deployment")]), &to_raw_value(request).unwrap());
    let silent = serde_json::from_value(json!({"accepted": true})).unwrap();
    response == silent && calls.is_empty()
}

#[test]
fn every_recorded_request_is_answered() {
    for (name, request) in recorded_requests() {
        let (response, _) =
            review_in(Recorder::of(vec![workload("Deployment"), service()]), &to_raw_value(&request).unwrap());
        assert_ne!(response.code, Some(500), "{name}: {response:?}");
        assert!(response.accepted || response.mutated_object.is_none(), "{name}: {response:?}");
    }
}

#[test]
fn what_controllers_send_passes_in_silence() {
    for (name, request) in recorded_requests() {
        let user = request["userInfo"]["username"].as_str().unwrap();
        if user.starts_with("system:") {
            assert!(passes_in_silence(&request), "{name}");
        }
    }
}

#[test]
fn what_does_not_run_the_engine_passes_in_silence() {
    for (name, request) in recorded_requests() {
        let text = request.to_string();
        let text = text.replace("azure-sql-edge", "web").replace("mssql", "www").replace("ACCEPT_EULA", "LANGUAGE");
        let request: Value = serde_json::from_str(&text).unwrap();
        // Services and scale requests do not show what they lead to.
        if !matches!(request["kind"]["kind"].as_str(), Some("Service" | "Scale")) {
            assert!(passes_in_silence(&request), "{name}");
        }
    }
}

/// `count` Services, Deployments and StatefulSets each, which belong together and carry a ballast.
fn crowd(count: usize, ballast: &Value) -> Vec<Value> {
    let named = |mut object: Value, number: usize| {
        object["metadata"]["name"] = json!(format!("sql-{number}"));
        object["metadata"]["annotations"] = json!({"ballast": "x".repeat(number % 100)});
        let pointer = if object["kind"] == "Service" { "/spec/ports" } else { "/spec/template/spec/containers" };
        object.pointer_mut(pointer).unwrap().as_array_mut().unwrap().push(json!({"ballast": ballast}));
        object
    };
    let of_kind = |object: Value| (0..count).map(move |number| named(object.clone(), number));
    [service(), workload("Deployment"), workload("StatefulSet")].into_iter().flat_map(of_kind).collect()
}

#[test]
fn look_ups_never_take_more_memory_than_there_is() {
    let limits = Limits { deadline: Duration::from_secs(60), memory: 16 << 20 };
    let host = Host::limited(EMBEDDED, limits).unwrap();
    let ballasts = [
        json!(null),
        json!("x".repeat(5000)),
        json!(vec![1; 2000]),
        json!(vec![""; 1000]),
        json!(vec![json!({"a": 0}); 100]),
        json!(vec![json!([[0]]); 200]),
        (0..100).map(|number| (format!("name-{number:03}"), json!("value"))).collect(),
    ];
    let mut created = service();
    created["metadata"]["name"] = json!("new");
    created["spec"]["type"] = json!("ClusterIP");
    for ballast in ballasts {
        let mut count = 10;
        loop {
            let world = Arc::new(ObjectSet(crowd(count, &ballast)));
            let response = host.instance(world).unwrap().validate(&create(&created), &json!({})).unwrap();
            if let Some(unchecked) = response.audit_annotations.get("unchecked") {
                assert_eq!(unchecked, "workloads: there is too much to look through");
                assert!(count > 20, "{count}");
                break;
            }
            count += count / 6;
        }
    }
}
