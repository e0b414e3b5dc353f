//! The question which nodes can take a pod, compared with the scheduler's own decision in drawn cases.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqledge_ha::audit::database::Database;
use sqledge_ha::audit::inventory::{Inventory, Objects};
use sqledge_ha::audit::placement::Scheduling;
use sqledge_ha::audit::storage::Storage;
use sqledge_ha_policy::settings::Settings;

use crate::environment::Environment;
use crate::forecast::inventory;
use crate::results::{self, Table};
use crate::webhook_configurations::list;

/// Nodes in two zones and of two architectures.
pub(crate) const FLAGS: [&str; 1] =
    ["--nodes=n1=amd64/zone-1,n2=amd64/zone-1,n3=arm64/zone-1,n4=amd64/zone-2,n5=arm64/zone-2"];
const NODES: [&str; 5] = ["n1", "n2", "n3", "n4", "n5"];
const ROUNDS: usize = 10;
const PODS: usize = 50;

/// A simple generator of numbers (Knuth's constants), so that each run has the same cases.
struct Draw(u64);

impl Draw {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % count
    }

    fn one_of<'o>(&mut self, options: &[&'o str]) -> &'o str {
        options[self.below(options.len())]
    }
}

/// Compares 500 decisions: the chosen node is one of those that can take the pod, and none is chosen if none can.
pub(crate) fn decisions_agree(environment: &Environment) {
    // An audit reads no nodes where there is no database.
    let nowhere = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "nowhere"}, "spec": {
        "nodeSelector": {"nowhere": "yes"}, "containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge:2.0.0"}]}});
    environment.must("default", &["create", "-f", "-"], &nowhere.to_string());
    let mut draw = Draw(7);
    let (mut placed, mut pending) = (0, 0);
    for round in 0..ROUNDS {
        let namespace = format!("round-{round}");
        environment.namespace(&namespace);
        for node in NODES {
            change(environment, node, &mut draw);
        }
        let nodes = inventory(environment, &[]);
        let pods: Vec<Value> = (0..PODS).map(|number| pod(&namespace, number, &mut draw)).collect();
        let foretold: Vec<Vec<String>> = pods.iter().map(|pod| targets(&nodes, pod)).collect();
        environment.must(&namespace, &["create", "-f", "-"], &list(&pods));
        let chosen = wait_for_decisions(environment, &namespace);
        for ((pod, foretold), chosen) in pods.iter().zip(&foretold).zip(&chosen) {
            match chosen {
                Some(node) => {
                    assert!(foretold.contains(node), "the scheduler chose {node}, foretold {foretold:?}: {pod:#}")
                }
                None => assert!(foretold.is_empty(), "the scheduler chose no node, foretold {foretold:?}: {pod:#}"),
            }
            *if chosen.is_some() { &mut placed } else { &mut pending } += 1;
        }
        environment.cluster.must(&["delete", "namespace", &namespace, "--wait=false"], "");
        environment.must(&namespace, &["delete", "pods", "--all", "--force", "--grace-period=0"], "");
    }
    assert!(placed > 100 && pending > 100, "{placed}, {pending}");
    let decisions =
        format!("{} decisions of the scheduler: {placed} pods on a node, {pending} without one", placed + pending);
    results::row(
        Table::Scheduler,
        0,
        &[decisions, "every chosen node was foretold, and none was where none was chosen".to_owned()],
    );
}

/// Draws labels, taints and a cordon for a node.
fn change(environment: &Environment, node: &str, draw: &mut Draw) {
    let taint = |key: &str, effect: &str| json!({"key": key, "value": "yes", "effect": effect});
    let taints = match draw.below(4) {
        0 => json!([taint("dedicated", "NoSchedule")]),
        1 => json!([taint("soft", "PreferNoSchedule")]),
        2 => json!([taint("dedicated", "NoSchedule"), taint("strict", "NoSchedule")]),
        _ => json!([]),
    };
    let patch = json!({"metadata": {"labels": {"disk": draw.one_of(&["ssd", "hdd"]), "size": draw.one_of(&["1", "4", "16", "big"])}},
        "spec": {"unschedulable": draw.below(4) == 0, "taints": taints}});
    environment.cluster.must(&["patch", "node", node, "--type=merge", "-p", &patch.to_string()], "");
}

/// Draws a database in a pod: node selector, affinity, tolerations, requests.
fn pod(namespace: &str, number: usize, draw: &mut Draw) -> Value {
    let mut spec = json!({"containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge:2.0.0",
        "resources": {"requests": {"memory": draw.one_of(&["1Mi", "1Mi", "1Mi", "900Ti"]), "cpu": "1m"}}}]});
    if draw.below(3) == 0 {
        spec["nodeSelector"] =
            json!({draw.one_of(&["kubernetes.io/arch", "disk"]): draw.one_of(&["amd64", "arm64", "ssd"])});
    }
    if draw.below(2) == 0 {
        let terms: Vec<Value> = (0..=draw.below(2)).map(|_| term(draw)).collect();
        spec["affinity"] =
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}});
    }
    if draw.below(2) == 0 {
        spec["tolerations"] = match draw.below(4) {
            0 => json!([{"operator": "Exists"}]),
            1 => json!([{"key": "dedicated", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}]),
            2 => json!([{"key": "dedicated", "value": "no"}, {"key": "strict", "operator": "Exists"}]),
            _ => {
                json!([{"key": "dedicated", "operator": "Exists"}, {"key": "strict", "operator": "Exists", "effect": "NoExecute"}])
            }
        };
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("pod-{number:02}"), "namespace": namespace}, "spec": spec})
}

/// Draws a term of a node affinity.
fn term(draw: &mut Draw) -> Value {
    let expression = |draw: &mut Draw| match draw.below(6) {
        0 => json!({"key": "disk", "operator": "In", "values": [draw.one_of(&["ssd", "hdd"])]}),
        1 => json!({"key": "disk", "operator": "NotIn", "values": ["ssd"]}),
        2 => json!({"key": "size", "operator": draw.one_of(&["Gt", "Lt"]), "values": ["3"]}),
        3 => json!({"key": draw.one_of(&["gpu", "disk"]), "operator": draw.one_of(&["Exists", "DoesNotExist"])}),
        4 => json!({"key": "gpu", "operator": "NotIn", "values": ["a"]}),
        _ => json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["zone-2"]}),
    };
    match draw.below(4) {
        0 => json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [draw.one_of(&NODES)]}]}),
        1 => json!({"matchExpressions": [expression(draw), expression(draw)]}),
        _ => json!({"matchExpressions": [expression(draw)]}),
    }
}

/// The nodes that can take a pod that does not exist yet.
fn targets(nodes: &Inventory, pod: &Value) -> Vec<String> {
    let mut world = nodes.clone();
    world.objects.push(pod.clone());
    let objects = Objects::new(&world);
    let databases = Database::find_all(&objects, &world.objects, &Settings::default());
    let database = databases.iter().find(|database| database.object == pod).expect("the pod is a database");
    let own = &database.pods[0];
    let storage = Storage::new(database, own, &objects);
    let scheduling =
        Scheduling { database, pod: own, storage: &storage, objects: &objects, usage: world.usage.as_ref() };
    let found = scheduling.verdicts().targets(|_| true);
    let good = found.good.iter().map(|node| node.name().to_owned());
    good.chain(found.bad.iter().map(|(node, _)| node.name().to_owned())).collect()
}

/// The node of each pod by its number, when the scheduler has decided about all.
fn wait_for_decisions(environment: &Environment, namespace: &str) -> Vec<Option<String>> {
    let started = Instant::now();
    loop {
        let pods: Value =
            serde_json::from_str(&environment.must(namespace, &["get", "pods", "-o", "json"], "")).unwrap();
        let decision = |pod: &Value| {
            let condition = pod["status"]["conditions"].as_array()?.iter().find(|one| one["type"] == "PodScheduled")?;
            match condition["status"].as_str()? {
                "True" => Some(Some(pod["spec"]["nodeName"].as_str()?.to_owned())),
                _ => Some(None),
            }
        };
        // In the order of their names.
        let decisions: Option<Vec<Option<String>>> = pods["items"].as_array().unwrap().iter().map(decision).collect();
        if let Some(decisions) = decisions.filter(|decisions| decisions.len() == PODS) {
            return decisions;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "the scheduler does not decide: {pods:#}");
        std::thread::sleep(Duration::from_millis(200));
    }
}
