//! A naive operator: it owns a StatefulSet by a custom resource, and writes its whole spec whenever the stored one
//! differs.

use std::path::Path;
use std::time::{Duration, Instant};

use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use sqledge_ha::cluster_client::connect;

use crate::application::Application;
use crate::environment::{Environment, RUNTIME};
use crate::results::{self, Table};
use crate::webhook_configurations::list;

/// How long the operator runs.
const RECONCILES: Duration = Duration::from_secs(5);

/// How often it reads the StatefulSet.
const PERIOD: Duration = Duration::from_millis(100);

/// The name of the settings with which operators' objects are mutated.
const ENFORCE: &str = "operators-enforce";

/// The group of the custom resource.
pub(crate) const GROUP: &str = "databases.example.com";

/// What the operator did.
struct Observed {
    writes: u32,
    generation: i64,
    is_mutated: bool,
}

/// By default the operator's object stays as the operator wants it. With `operators: enforce` both write without end.
pub(crate) fn an_operator_is_not_fought(environment: Environment) {
    let environment = environment.and_settings(ENFORCE, &json!({"operators": "enforce"}));
    define_kind(&environment);
    let client = RUNTIME.block_on(connect(Some(Path::new(environment.cluster.kubeconfig())))).unwrap();
    let default = reconcile(&environment, &client, "operator", "");
    assert_eq!((default.writes, default.generation, default.is_mutated), (1, 1, false), "by default");
    let enforced = reconcile(&environment, &client, "operator-enforced", ENFORCE);
    assert!(enforced.writes > 10 && enforced.is_mutated, "{} writes", enforced.writes);
    let rows = [
        ("`operators: warn`, the default", "once", &default, "no loop: its object is as it wrote it"),
        (
            "`operators: enforce`",
            "in every period",
            &enforced,
            "a loop of writes that change nothing: its object stays mutated",
        ),
    ];
    for (place, (setting, writes, observed, result)) in rows.into_iter().enumerate() {
        let cells = [setting.to_owned(), writes.to_owned(), observed.generation.to_string(), result.to_owned()];
        results::row(Table::Operator, place, &cells);
    }
}

fn define_kind(environment: &Environment) {
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("databases.{GROUP}")}, "spec": {"group": GROUP, "scope": "Namespaced",
            "names": {"kind": "Database", "listKind": "DatabaseList", "plural": "databases", "singular": "database"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    environment.cluster.must(&["create", "-f", "-"], &list(&[definition]));
    let condition = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
    environment.cluster.must(&condition, "");
}

/// Runs the operator in a new namespace.
fn reconcile(environment: &Environment, client: &Client, namespace: &str, settings: &str) -> Observed {
    environment.namespace_with(namespace, settings);
    let database = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Database", "metadata": {"name": "ledger"}});
    let owner: Value =
        serde_json::from_str(&environment.must(namespace, &["create", "-o=json", "-f", "-"], &database.to_string()))
            .unwrap();
    let desired = desired(&owner);
    let sets = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "StatefulSet"));
    let sets: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &sets);
    RUNTIME.block_on(async {
        let mut writes = 0;
        let start = Instant::now();
        while start.elapsed() < RECONCILES {
            let parameters = PostParams::default();
            match sets.get_opt("ledger").await.unwrap() {
                None => _ = sets.create(&parameters, &desired).await.unwrap(),
                Some(stored) if is_as_desired(&stored.data["spec"], &desired.data["spec"]) => {
                    tokio::time::sleep(PERIOD).await;
                    continue;
                }
                Some(mut stored) => {
                    stored.data["spec"] = desired.data["spec"].clone();
                    match sets.replace("ledger", &parameters, &stored).await {
                        // The controller wrote the status in between.
                        Err(kube::Error::Api(status)) if status.code == 409 => continue,
                        replaced => _ = replaced.unwrap(),
                    }
                }
            }
            writes += 1;
            tokio::time::sleep(PERIOD).await;
        }
        let stored = sets.get("ledger").await.unwrap();
        let is_mutated = stored.data["spec"].pointer(ARCHITECTURE).is_some();
        Observed { writes, generation: stored.metadata.generation.unwrap_or_default(), is_mutated }
    })
}

/// What `amd64-node-selector` adds.
const ARCHITECTURE: &str = "/template/spec/nodeSelector/kubernetes.io~1arch";

/// The StatefulSet that the operator wants: without what the rules add.
fn desired(owner: &Value) -> DynamicObject {
    let mut set = Application::stateful_set().incomplete().objects.pop().unwrap();
    set["metadata"]["ownerReferences"] = json!([{"apiVersion": owner["apiVersion"], "kind": owner["kind"],
        "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "controller": true}]);
    serde_json::from_value(set).unwrap()
}

/// Whether the stored pod template has the node selector and security context that the operator wants, and no other.
fn is_as_desired(stored: &Value, desired: &Value) -> bool {
    ["nodeSelector", "securityContext"].into_iter().all(|field| {
        let of = |spec: &Value| match &spec["template"]["spec"][field] {
            Value::Null => json!({}),
            value => value.clone(),
        };
        of(stored) == of(desired)
    })
}
