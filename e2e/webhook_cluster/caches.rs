use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use sqledge_ha::cluster_client::connect;
use sqledge_ha::wasm_host::{
    CompiledModule, EMBEDDED, Get, Limits, List, LookupSource, Response, metadata, with_look_ups,
};
use sqledge_ha::webhook::caches::{CacheState, Caches, ConfirmedCaches, ErrorClass, ResourceKind, kinds};
use sqledge_ha_policy::settings::Settings;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Account, administrator, apply, cluster, create_namespace, eventually};
use crate::kubernetes::web_deployments;

fn kind(api_version: &str, kind: &str) -> ResourceKind {
    ResourceKind { api_version: api_version.to_owned(), kind: kind.to_owned() }
}

fn get(caches: &dyn LookupSource, of: &ResourceKind, namespace: &str, name: &str) -> Result<Option<Value>, String> {
    let ResourceKind { api_version, kind } = of.clone();
    let namespace = Some(namespace.to_owned());
    let query = Get { api_version, kind, name: name.to_owned(), namespace, disable_cache: false, field_masks: vec![] };
    Ok(caches.get(&query)?.map(std::borrow::Cow::into_owned))
}

fn names(caches: &Caches, of: &ResourceKind, namespace: &str) -> Result<Vec<String>, String> {
    let ResourceKind { api_version, kind } = of.clone();
    let query = List {
        api_version,
        kind,
        namespace: Some(namespace.to_owned()),
        label_selector: None,
        field_selector: None,
        field_masks: vec![],
    };
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    let mut names: Vec<String> = caches.list(&query)?.map(|object| name(&object.unwrap())).collect();
    names.sort();
    Ok(names)
}

fn service(namespace: &str, name: &str, app: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": app}, "ports": [{"port": 1433}]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_follows_additions_changes_and_deletions() {
    create_namespace("cache-a");
    create_namespace("cache-b");
    apply(&service("cache-a", "sql", "old"));
    apply(&service("cache-b", "web", "web"));
    let services = kind("v1", "Service");
    let caches = Caches::start(&administrator().await, kinds(&metadata::read(EMBEDDED).unwrap()), None);
    eventually("the first sync", || caches.is_ready()).await;
    assert!(caches.states().iter().all(|state| state.synced && state.last_error_class.is_none()));
    assert_eq!(names(&caches, &services, "cache-a").unwrap(), ["sql"]);
    assert_eq!(names(&caches, &services, "cache-b").unwrap(), ["web"]);
    assert_eq!(get(&*caches, &services, "cache-b", "sql").unwrap(), None);
    let found = get(&*caches, &services, "cache-a", "sql").unwrap().unwrap();
    assert_eq!((&found["apiVersion"], &found["kind"]), (&json!("v1"), &json!("Service")));
    assert_eq!(found["spec"]["selector"], json!({"app": "old"}));
    assert_eq!((found.get("status"), found.pointer("/metadata/managedFields")), (None, None));
    let remembered = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
    assert_eq!(found.pointer(remembered), None);

    apply(&service("cache-a", "sql", "new"));
    apply(&service("cache-a", "more", "more"));
    let selects_new = |object: Value| object["spec"]["selector"]["app"] == "new";
    eventually("a change", || get(&*caches, &services, "cache-a", "sql").unwrap().is_some_and(selects_new)).await;
    eventually("an addition", || names(&caches, &services, "cache-a").unwrap() == ["more", "sql"]).await;
    cluster().must(&["-n", "cache-a", "delete", "service", "sql"], "");
    eventually("a deletion", || names(&caches, &services, "cache-a").unwrap() == ["more"]).await;
    assert_eq!(names(&caches, &services, "cache-b").unwrap(), ["web"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_kind_is_ready_and_synced_once_it_is_permitted() {
    create_namespace("cache-rights");
    let deployments = kind("apps/v1", "Deployment");
    let may_read =
        |resource: &str| json!([{"apiGroups": ["", "apps"], "resources": [resource], "verbs": ["list", "watch"]}]);
    let account = Account::new("cache-rights", "reader", &may_read("services"));
    let caches = Caches::start(&account.client().await, [kind("v1", "Service"), deployments.clone()], None);
    eventually("the first sync", || caches.is_ready()).await;
    assert_eq!(names(&caches, &kind("v1", "Service"), "cache-rights").unwrap(), [""; 0]);
    assert!(get(&*caches, &deployments, "cache-rights", "x").unwrap_err().contains("is forbidden"));
    assert!(names(&caches, &deployments, "cache-rights").unwrap_err().contains("is forbidden"));
    assert_eq!(caches.states()[1].last_error_class, Some(ErrorClass::Forbidden));

    apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "cache-rights-reader"}, "rules": may_read("deployments")}));
    eventually("a permission", || names(&caches, &deployments, "cache-rights").is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_is_not_installed_has_no_objects() {
    let rollouts = kind("argoproj.io/v1alpha1", "Rollout");
    let caches = Caches::start(&administrator().await, [rollouts.clone()], None);
    eventually("the first sync", || caches.is_ready()).await;
    assert_eq!(get(&*caches, &rollouts, "default", "x").unwrap(), None);
    assert!(get(&*caches, &kind("v1", "Secret"), "default", "x").unwrap_err().contains("not watched"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_api_server_no_cache_is_ready_and_no_look_up_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}], "users": [],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}]});
    std::fs::write(&path, config.to_string()).unwrap();
    let services = kind("v1", "Service");
    let caches = Caches::start(&connect(Some(&path)).await.unwrap(), [services.clone()], None);
    let start = Instant::now();
    assert!(get(&*caches, &services, "default", "x").unwrap_err().contains("not synced yet"));
    assert!(start.elapsed() < Duration::from_millis(50));
    eventually("a failure", || caches.states()[0].failures > 0).await;
    assert!(!caches.is_ready());
    assert_eq!(caches.states()[0].last_error_class, Some(ErrorClass::Unavailable));
}

/// A TCP proxy to the API server.
struct Proxy {
    address: SocketAddr,
    connections: JoinSet<()>,
}

impl Proxy {
    async fn start(address: SocketAddr) -> Self {
        let server = cluster().description["server"].as_str().unwrap();
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = server.trim_start_matches("https://").to_owned();
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut server = TcpStream::connect(&server).await.unwrap();
                connections.spawn(async move { copy_bidirectional(&mut client, &mut server).await });
            }
        });
        Proxy { address, connections }
    }

    /// Starts a proxy, with a client that uses it.
    async fn with_client() -> (Self, Client) {
        let proxy = Proxy::start(([127, 0, 0, 1], 0).into()).await;
        let server = cluster().description["server"].as_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let config = std::fs::read_to_string(cluster().kubeconfig()).unwrap();
        std::fs::write(&path, config.replace(server, &format!("https://{}", proxy.address))).unwrap();
        (proxy, connect(Some(&path)).await.unwrap())
    }

    async fn stop(mut self) -> SocketAddr {
        self.connections.shutdown().await;
        self.address
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_answers_during_an_outage_and_recovers() {
    create_namespace("cache-outage");
    apply(&service("cache-outage", "sql", "sql"));
    let (proxy, client) = Proxy::with_client().await;
    let services = kind("v1", "Service");
    let caches = Caches::start(&client, [services.clone()], None);
    eventually("the first sync", || caches.is_ready()).await;

    let address = proxy.stop().await;
    eventually("an outage", || caches.states()[0].last_error_class == Some(ErrorClass::Unavailable)).await;
    assert_eq!(names(&caches, &services, "cache-outage").unwrap(), ["sql"]);
    assert!(caches.is_ready() && caches.states()[0].synced);
    let _proxy = Proxy::start(address).await;
    eventually("a recovery", || caches.states()[0].last_error_class.is_none()).await;
    apply(&service("cache-outage", "more", "more"));
    eventually("an addition", || names(&caches, &services, "cache-outage").unwrap() == ["more", "sql"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_with_many_objects_is_listed_in_pages() {
    let many = 450;
    create_namespace("cache-many");
    let maps = kind("v1", "ConfigMap");
    let client = administrator().await;
    let map = |number: usize| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"number": number.to_string()},
            "metadata": {"name": format!("map-{number}"), "namespace": "cache-many"}})
    };
    cluster().create_all(&(0..many).map(map).collect::<Vec<_>>()).await;
    let caches = Caches::start(&client, [maps.clone()], None);
    eventually("the first sync", || caches.is_ready()).await;
    assert_eq!(names(&caches, &maps, "cache-many").unwrap().len(), many);
    let state = caches.states().remove(0);
    assert!(state.objects >= many && state.bytes > many * 100);
    let weak = Arc::downgrade(&caches);
    drop(caches);
    assert!(weak.upgrade().is_none(), "the watches stop when the caches are dropped");
}

/// Checks a request with the embedded module and look-ups in the caches.
fn review(lookups: Arc<dyn LookupSource>, memory: usize, request: &Value) -> Response {
    let module = CompiledModule::limited(EMBEDDED, Limits { deadline: Duration::from_secs(10), memory }).unwrap();
    let mut instance = module.instance(lookups).unwrap();
    let settings = with_look_ups(&json!({"exposure": "internal"}));
    instance.validate(&to_raw_value(request).unwrap(), &settings).unwrap()
}

fn scale(namespace: &str, plural: &str, name: &str) -> Value {
    json!({"operation": "UPDATE", "namespace": namespace, "name": name, "subResource": "scale",
        "kind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
        "resource": {"group": "apps", "version": "v1", "resource": plural}, "object": {"spec": {"replicas": 2}}})
}

fn create_service_request(namespace: &str) -> Value {
    json!({"operation": "CREATE", "namespace": namespace, "kind": {"group": "", "version": "v1", "kind": "Service"},
        "object": service(namespace, "new", "sql")})
}

/// A ReplicaSet with a database that a Deployment owns.
fn replica_set(namespace: &str) -> Value {
    let mut object = database(namespace);
    object["kind"] = json!("ReplicaSet");
    object["metadata"]["name"] = json!("sql-1");
    object["metadata"]["ownerReferences"] = json!([
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql", "uid": "1", "controller": true}]);
    object
}

fn database(namespace: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sql", "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": "sql"}}, "template": {"metadata": {"labels": {"app": "sql"}},
            "spec": {"containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge"}]}}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn unrelated_deployments_are_stubs() {
    create_namespace("cache-crowd");
    cluster().create_all(&web_deployments("cache-crowd", 300)).await;
    apply(&database("cache-crowd"));
    apply(&replica_set("cache-crowd"));
    let (deployments, replica_sets) = (kind("apps/v1", "Deployment"), kind("apps/v1", "ReplicaSet"));
    let kinds = kinds(&metadata::read(EMBEDDED).unwrap());
    let caches = Caches::start(&administrator().await, kinds, Some(&Settings::default()));
    eventually("the first sync", || caches.is_ready()).await;
    let state = caches.states().into_iter().find(|state| state.kind == "Deployment").unwrap();
    assert!(state.objects > 300 && state.bytes < state.objects * 100, "{state:?}");
    assert_eq!(names(&caches, &deployments, "cache-crowd").unwrap(), ["sql"]);
    let stub = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web-7", "namespace": "cache-crowd"}});
    assert_eq!(get(&*caches, &deployments, "cache-crowd", "web-7").unwrap(), Some(stub));
    assert_eq!(get(&*caches, &replica_sets, "cache-crowd", "sql-1").unwrap().unwrap().get("spec"), None);

    let ask = |request: &Value| review(caches.clone(), 64 << 20, request);
    let allowed = Response { accepted: true, ..Response::default() };
    assert_eq!(ask(&scale("cache-crowd", "deployments", "web-7")), allowed);
    assert_eq!(ask(&scale("cache-crowd", "replicasets", "sql-1")), allowed);
    assert_eq!(ask(&scale("cache-crowd", "deployments", "sql")).audit_annotations["rejected"], "single-replica");
    let mutated = ask(&create_service_request("cache-crowd"));
    assert_eq!(mutated.audit_annotations["mutated"], "load-balancer-service");

    // A Deployment that becomes a database is no longer a stub.
    let mut changed = database("cache-crowd");
    changed["metadata"]["name"] = json!("web-7");
    changed["spec"]["selector"]["matchLabels"]["app"] = json!("web-7");
    changed["spec"]["template"]["metadata"]["labels"]["app"] = json!("web-7");
    apply(&changed);
    eventually("a database", || names(&caches, &deployments, "cache-crowd").unwrap() == ["sql", "web-7"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_too_large_for_the_module_is_not_checked() {
    create_namespace("cache-large");
    cluster().create_all(&web_deployments("cache-large", 300)).await;
    let kinds = kinds(&metadata::read(EMBEDDED).unwrap());
    // Without settings, as for another module, there are no stubs.
    let caches = Caches::start(&administrator().await, kinds, None);
    eventually("the first sync", || caches.is_ready()).await;
    assert_eq!(names(&caches, &kind("apps/v1", "Deployment"), "cache-large").unwrap().len(), 300);
    let allowed = Response { accepted: true, ..Response::default() };
    let ask = |memory| review(caches.clone(), memory, &create_service_request("cache-large"));
    assert_eq!(ask(64 << 20), allowed);
    let unchecked = [("unchecked".to_owned(), "workloads: the namespace has too many objects".to_owned())];
    assert_eq!(ask(8 << 20), Response { audit_annotations: unchecked.into(), ..allowed });
}

fn claim(namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "1Gi"}}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_was_just_created_is_not_missing() {
    create_namespace("cache-behind");
    let (proxy, client) = Proxy::with_client().await;
    let claims = kind("v1", "PersistentVolumeClaim");
    let caches = Caches::start(&client, kinds(&metadata::read(EMBEDDED).unwrap()), Some(&Settings::default()));
    eventually("the first sync", || caches.is_ready()).await;
    let mut object = database("cache-behind");
    let pod = &mut object["spec"]["template"]["spec"];
    pod["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    pod["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/var/opt/mssql"}]);
    let request = json!({"operation": "CREATE", "namespace": "cache-behind", "object": object,
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"}});
    // What the module says of the claim, and whether it could look it up.
    let ask = async |client: Client| {
        let (confirmed, request) = (Arc::new(ConfirmedCaches::new(Arc::clone(&caches), client)), request.clone());
        let response = tokio::task::spawn_blocking(move || review(confirmed, 64 << 20, &request)).await.unwrap();
        let warns = response.warnings.iter().any(|warning| warning.starts_with("existing-claim: "));
        (warns, response.audit_annotations.get("unchecked").cloned())
    };
    assert_eq!(ask(administrator().await).await, (true, None));

    // Without a connection, the watches are behind.
    proxy.stop().await;
    let is_lost = |state: CacheState| state.kind == "PersistentVolumeClaim" && state.last_error_class.is_some();
    eventually("an outage", || caches.states().into_iter().any(is_lost)).await;
    apply(&claim("cache-behind"));
    assert_eq!(get(&*caches, &claims, "cache-behind", "data").unwrap(), None);
    assert_eq!(ask(administrator().await).await, (false, None));
    let unchecked = "persistentvolumeclaims: the look-up failed".to_owned();
    assert_eq!(ask(client).await, (false, Some(unchecked)), "whether it exists is not known");
}
