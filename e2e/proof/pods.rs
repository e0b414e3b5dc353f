//! Events that affect pods and workloads while all nodes run.
//!
//! The cluster has one amd64 node, so that a pod and its replacement can overlap: only then are two writers possible.

use std::time::Duration;

use serde_json::{Value, json};

use crate::application::Application;
use crate::environment::Environment;
use crate::facts::PodFact;
use crate::guarantees::{Guarantee, Observations};
use crate::results::{self, Table};
use crate::scenario::{Scenario, seconds};
use crate::webhook_configurations::list;

/// The flags of the cluster.
pub(crate) const FLAGS: [&str; 2] = ["--nodes=amd64-a=amd64,arm64-a=arm64", "--pod-stop=2s"];

/// Adds a row for a survived event.
pub(crate) fn survived(place: usize, event: &str, what: &str, observations: &Observations) {
    let node = if observations.nodes.len() > 1 { "another" } else { "the same" };
    let cells = [
        event.to_owned(),
        what.to_owned(),
        seconds(observations.outage),
        observations.writers.to_string(),
        node.to_owned(),
    ];
    results::row(Table::Survives, place, &cells);
}

fn crash(scenario: &Scenario<'_>) {
    let path = format!("/pods/{}/{}/crash", scenario.database.namespace, scenario.pod());
    scenario.environment.cluster.control("POST", &path, "");
}

/// A container exits and is restarted in its pod.
pub(crate) fn container_crashes(environment: &Environment) {
    let Some(application) = Application::microsoft() else { return };
    let scenario = Scenario::start(environment, "crash", &application);
    is_mutated(&scenario);
    scenario.event();
    crash(&scenario);
    scenario.wait("the container is restarted", |database, view| {
        let restarted = |pod: &PodFact| pod.restarts > 0 && pod.is_ready;
        database.pods(view).iter().any(|(_, pod)| restarted(pod)) && database.reachable(view) > 0
    });
    survived(0, "the container crashes", "Microsoft's sample, mutated", &scenario.assert_all_hold());
}

/// Checks the mutations of Microsoft's sample.
fn is_mutated(scenario: &Scenario<'_>) {
    let stored: Value = serde_json::from_str(&scenario.must(&["get", &scenario.workload, "-o=json"])).unwrap();
    assert_eq!(stored["spec"]["strategy"], json!({"type": "Recreate"}));
    assert_eq!(stored["spec"]["template"]["spec"]["nodeSelector"], json!({"kubernetes.io/arch": "amd64"}));
}

fn delete_pod(scenario: &Scenario<'_>) -> Duration {
    let pod = scenario.pod();
    scenario.replaced_by(|| _ = scenario.must(&["delete", "pod", &pod, "--wait=false"]))
}

/// A deleted pod and its replacement do not overlap if only one pod can use the claim, or if the controller waits.
pub(crate) fn pod_is_deleted(environment: &Environment) {
    let once =
        Scenario::start(environment, "deletion-pod-claim", &Application::deployment("ReadWriteOncePod").incomplete());
    delete_pod(&once);
    survived(1, "the pod is deleted", "Deployment, ReadWriteOncePod, mutated", &once.assert_all_hold());
    let set = Scenario::start(environment, "deletion-stateful", &Application::stateful_set().incomplete());
    delete_pod(&set);
    survived(2, "the pod is deleted", "StatefulSet, ReadWriteOnce, mutated", &set.assert_all_hold());
}

/// ReadWriteOnce limits nodes, not pods: on one node a deleted pod of a Deployment overlaps with its replacement.
pub(crate) fn a_deleted_deployment_pod_overlaps_its_replacement(environment: &Environment) {
    let scenario =
        Scenario::start(environment, "deletion-node-claim", &Application::deployment("ReadWriteOnce").incomplete());
    delete_pod(&scenario);
    // The replacement starts before the old pod has stopped.
    scenario.wait("the old pod is deleted", |database, view| database.pods(view).len() == 1);
    let observations = scenario.observations();
    assert!(observations.broken().iter().all(|guarantee| *guarantee == Guarantee::OneWriter), "{observations:#?}");
    let overlap = match observations.writers {
        0 | 1 => "one pod at a time in this run".to_owned(),
        writers => format!("{writers} pods run at once for {}", seconds(observations.overlap)),
    };
    let event = "the pod of a Deployment with a ReadWriteOnce claim is deleted, and its replacement starts on the same \
                 node while it stops";
    results::row(Table::Limits, 0, &[event.to_owned(), overlap, "ReadWriteOncePod, or a StatefulSet".to_owned()]);
}

/// A template update stops the old pod first.
pub(crate) fn template_changes(environment: &Environment) {
    if let Some(application) = Application::microsoft() {
        let scenario = Scenario::start(environment, "template-deployment", &application);
        update(&scenario);
        survived(3, "the template changes", "Microsoft's sample, mutated", &scenario.assert_all_hold());
    }
    let set = Scenario::start(environment, "template-stateful", &Application::stateful_set().incomplete());
    update(&set);
    survived(4, "the template changes", "StatefulSet, ReadWriteOnce, mutated", &set.assert_all_hold());
}

/// Changes the template, and waits for the replacement pod.
pub(crate) fn update(scenario: &Scenario<'_>) -> Duration {
    scenario.replaced_by(|| _ = scenario.must(&["set", "env", &scenario.workload, "TZ=UTC"]))
}

/// kubectl scale, a patch and an autoscaler cannot add a second replica.
pub(crate) fn scaling_up_is_rejected(environment: &Environment) {
    for (place, namespace, application) in [
        (5, "scale-deployment", Application::deployment("ReadWriteOnce").incomplete()),
        (6, "scale-stateful", Application::stateful_set().incomplete()),
    ] {
        let scenario = Scenario::start(environment, namespace, &application);
        scenario.event();
        assert_rejected(&scenario, &["scale", &scenario.workload, "--replicas=2"]);
        assert_rejected(
            &scenario,
            &["patch", &scenario.workload, "--type=merge", "--patch={\"spec\":{\"replicas\":3}}"],
        );
        let autoscaler = autoscaler(&scenario).to_string();
        let ran = environment.kubectl(&scenario.database.namespace, &["create", "-f", "-"], &autoscaler);
        assert!(ran.code != 0 && ran.stderr.contains("no-autoscaling"), "{ran:?}");
        let kind = scenario.workload.split('/').next().unwrap().to_owned();
        let observations = scenario.assert_all_hold();
        assert_eq!(observations.pods, 1, "{observations:#?}");
        survived(
            place,
            "kubectl scale, a patch, a HorizontalPodAutoscaler",
            &format!("{kind}, mutated: scaling rejected"),
            &observations,
        );
    }
}

/// A HorizontalPodAutoscaler that wants two replicas.
fn autoscaler(scenario: &Scenario<'_>) -> Value {
    let kind = if scenario.workload.starts_with("deployment") { "Deployment" } else { "StatefulSet" };
    let target = json!({"apiVersion": "apps/v1", "kind": kind, "name": "ledger"});
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "ledger"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 50}}}]}})
}

fn assert_rejected(scenario: &Scenario<'_>, arguments: &[&str]) {
    let ran = scenario.kubectl(arguments);
    assert!(ran.code != 0 && ran.stderr.contains("single-replica"), "{arguments:?}: {ran:?}");
}

/// Client-side and server-side apply: applying again changes nothing, restarts nothing and shows no difference.
pub(crate) fn applying_again_changes_nothing(environment: &Environment) {
    let Some(application) = Application::microsoft() else { return };
    for (place, namespace, way) in [(7, "apply-client", &[][..]), (8, "apply-server", &["--server-side"])] {
        environment.namespace(namespace);
        let input = list(&application.objects);
        let apply = |more: &[&str]| environment.must(namespace, &[&["apply", "-f", "-"], way, more].concat(), &input);
        apply(&["--dry-run=server"]);
        assert_eq!(environment.must(namespace, &["get", "deployments", "-o=name"], ""), "");
        apply(&[]);
        let scenario = Scenario::of(environment, namespace, &application);
        scenario.wait_until_reachable();
        is_mutated(&scenario);
        scenario.event();
        let before = versions(&scenario);
        for _ in 0..2 {
            apply(&[]);
            let difference = environment.kubectl(namespace, &[&["diff", "-f", "-"], way].concat(), &input);
            assert_eq!((difference.code, difference.output.as_str()), (0, ""), "{difference:?}");
            apply(&["--dry-run=server"]);
        }
        assert_eq!(versions(&scenario), before, "{namespace}");
        let observations = scenario.assert_all_hold();
        assert_eq!(observations.pods, 1, "{observations:#?}");
        let event = format!("kubectl apply {} three times, dry runs, kubectl diff", way.join(" "));
        survived(place, event.replace("  ", " ").as_str(), "Microsoft's sample, mutated: no change", &observations);
    }
}

/// The generation of every object that was applied, and the ReplicaSets.
fn versions(scenario: &Scenario<'_>) -> String {
    let path = r"-o=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}{'\n'}{end}";
    scenario.must(&["get", "deployments,replicasets,services,persistentvolumeclaims", path])
}

/// What happens to one database of a namespace leaves the other alone.
pub(crate) fn two_databases_share_a_namespace(environment: &Environment) {
    let application = Application::deployment("ReadWriteOncePod").incomplete();
    let one = Scenario::start(environment, "two-databases", &application);
    let other = Scenario::start_in(environment, "two-databases", &application.clone().named("archive"));
    other.event();
    update(&one);
    delete_pod(&one);
    survived(
        9,
        "one of two databases in a namespace is updated, then its pod deleted",
        "Deployment, ReadWriteOncePod, mutated",
        &one.assert_all_hold(),
    );
    let observations = other.assert_all_hold();
    assert_eq!((observations.pods, observations.outage), (1, Duration::ZERO), "{observations:#?}");
}

/// A namespace can be deleted.
pub(crate) fn namespace_is_deleted(environment: &Environment) {
    let scenario =
        Scenario::start(environment, "deleted-namespace", &Application::deployment("ReadWriteOncePod").incomplete());
    let ran = environment.cluster.kubectl(&["delete", "namespace", "deleted-namespace", "--timeout=90s"], "");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(environment.journal.look(|view| scenario.database.pods(view).is_empty()));
}
