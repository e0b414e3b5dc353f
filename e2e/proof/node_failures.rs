//! Nodes fail or are drained: the database moves to another node with its data and its address.

use std::time::Duration;

use serde_json::json;

use crate::application::Application;
use crate::environment::Environment;
use crate::guarantees::Database;
use crate::journal::View;
use crate::pods::survived;
use crate::results::{self, Table};
use crate::scenario::{Scenario, seconds};

/// Two nodes that can run SQL Edge and one that cannot. Times are shortened: a node fails after 5 s without a
/// heartbeat, and pods without a toleration of their own are evicted 4 s later.
pub(crate) const FLAGS: [&str; 2] = ["--nodes=amd64-a=amd64,amd64-b=amd64,arm64-a=arm64", "--default-toleration=4s"];
/// The label of namespaces whose databases get tolerations of two seconds.
const SHORT_FAILOVER: &str = "in-two-seconds";
/// How long the test watches that a volume does not move by itself.
const OBSERVATION_TIME: Duration = Duration::from_secs(10);

/// What an administrator does about a failed node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Taints the node as out of service.
    Taint,
    /// Removes the node from the cluster.
    Removal,
}

impl Remedy {
    fn description(self) -> &'static str {
        match self {
            Remedy::Taint => "is tainted `node.kubernetes.io/out-of-service`",
            Remedy::Removal => "is removed from the cluster",
        }
    }

    /// Applies it.
    pub(crate) fn apply(self, environment: &Environment, node: &str) {
        match self {
            Remedy::Taint => {
                let taint = "node.kubernetes.io/out-of-service=failed:NoExecute";
                environment.cluster.must(&["taint", "node", node, taint], "");
            }
            Remedy::Removal => environment.cluster.control("DELETE", &format!("/nodes/{node}"), ""),
        }
    }
}

/// Stops a node, as a power failure would.
pub(crate) fn stop_node(environment: &Environment, node: &str) {
    environment.cluster.control("POST", &format!("/nodes/{node}/stop"), "");
}

/// Whether there is a pod in addition to the one on the failed node.
fn has_replacement(database: &Database, view: &View) -> bool {
    database.pods(view).len() > 1
}

fn is_reachable(database: &Database, view: &View) -> bool {
    database.reachable(view) > 0
}

/// Runs `start` while only the node `amd64-a` is schedulable.
pub(crate) fn on_first_node<T>(environment: &Environment, start: impl FnOnce() -> T) -> T {
    environment.cluster.must(&["cordon", "amd64-b", "arm64-a"], "");
    let started = start();
    environment.cluster.must(&["uncordon", "amd64-b", "arm64-a"], "");
    started
}

/// The node that runs three databases fails.
pub(crate) fn a_node_fails(environment: Environment, remedy: Remedy) {
    let environment = environment.and_settings(SHORT_FAILOVER, &json!({"exposure": "internal", "failoverSeconds": 2}));
    let deployment = Application::deployment("ReadWriteOncePod").incomplete();
    let (standard, quick, set) = on_first_node(&environment, || {
        environment.namespace_with("cut-quick", SHORT_FAILOVER);
        let standard = Application::microsoft().unwrap_or_else(|| deployment.clone());
        (
            Scenario::start(&environment, "cut-standard", &standard),
            Scenario::start_in(&environment, "cut-quick", &deployment),
            Scenario::start(&environment, "cut-stateful", &Application::stateful_set().incomplete()),
        )
    });
    let scenarios = [&standard, &quick, &set];
    scenarios.iter().for_each(|scenario| assert_eq!(scenario.node(), "amd64-a"));
    scenarios.iter().for_each(|scenario| scenario.event());
    stop_node(&environment, "amd64-a");
    quick.wait("a replacement is made", has_replacement);
    let quickly = quick.since_event();
    standard.wait("a replacement is made", has_replacement);
    let in_time = standard.since_event();
    assert!(quickly < in_time, "{quickly:?}, {in_time:?}");
    std::thread::scope(|scope| {
        for scenario in scenarios {
            scope.spawn(|| {
                scenario.never(
                    "it is available though its volume is attached to the failed node",
                    OBSERVATION_TIME,
                    is_reachable,
                )
            });
        }
    });
    assert!(!environment.journal.look(|view| has_replacement(&set.database, view)), "the StatefulSet did not wait");
    limits(remedy, quickly, in_time);

    let remedied = environment.journal.now();
    remedy.apply(&environment, "amd64-a");
    let mut back = Vec::new();
    for (scenario, what) in scenarios.into_iter().zip(["Deployment", "Deployment, `failoverSeconds` 2", "StatefulSet"])
    {
        scenario.wait("it is available", is_reachable);
        back.push(format!("{what}: {}", seconds(environment.journal.now() - remedied)));
    }
    let event = format!("…and then the failed node {}", remedy.description());
    let place = 3 + usize::from(remedy == Remedy::Removal);
    results::row(Table::Limits, place, &[event, format!("available after {}", back.join(", ")), "–".to_owned()]);
    if remedy == Remedy::Taint {
        the_node_comes_back(&environment, &scenarios);
    }
    for ((scenario, what), place) in scenarios
        .into_iter()
        .zip(["Microsoft's sample, mutated", "Deployment, `failoverSeconds` 2, mutated", "StatefulSet, mutated"])
        .zip(20..)
    {
        let observations = scenario.assert_all_hold();
        let event = format!(
            "the node fails, and after {} {}",
            seconds(remedied.saturating_sub(scenario.first_event())),
            remedy.description()
        );
        survived(place + 3 * usize::from(remedy == Remedy::Removal), &event, what, &observations);
    }
}

fn limits(remedy: Remedy, quick: Duration, standard: Duration) {
    if remedy == Remedy::Taint {
        let event = "the node of a pod with an attached volume fails";
        let seen = format!(
            "a Deployment gets a replacement pod after {} (`failoverSeconds` 2: {}), a StatefulSet gets none; none \
             runs {} later, because the volume stays attached to the failed node",
            seconds(standard),
            seconds(quick),
            seconds(OBSERVATION_TIME)
        );
        let remedy = "a cloud controller, a node health check or an administrator removes or taints the node";
        results::row(Table::Limits, 2, &[event.to_owned(), seen, remedy.to_owned()]);
    }
}

/// The failed node starts again. Its old pods must not run a second time.
fn the_node_comes_back(environment: &Environment, scenarios: &[&Scenario<'_>]) {
    environment.cluster.control("POST", "/nodes/amd64-a/start", "");
    environment.cluster.must(&["wait", "--for=condition=Ready", "node/amd64-a", "--timeout=60s"], "");
    environment.cluster.must(&["taint", "node", "amd64-a", "node.kubernetes.io/out-of-service-"], "");
    for scenario in scenarios {
        scenario.never("a pod runs on the old node", Duration::from_secs(2), |database, view| {
            database.pods(view).iter().any(|(_, pod)| pod.node.as_deref() == Some("amd64-a"))
        });
    }
}

/// A node is drained for maintenance.
pub(crate) fn a_node_is_drained(environment: Environment) {
    let scenario = Scenario::start(&environment, "drain", &Application::deployment("ReadWriteOncePod").incomplete());
    let drain = |timeout: &str| {
        let node = scenario.node();
        environment
            .cluster
            .kubectl(&["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", timeout], "")
    };
    let moves = || {
        let node = scenario.node();
        scenario.replaced_by(|| assert_eq!(drain("--timeout=60s").code, 0));
        assert_ne!(scenario.node(), node);
        environment.cluster.must(&["uncordon", &node], "");
    };
    moves();
    survived(
        12,
        "kubectl drain, without a disruption budget",
        "Deployment, ReadWriteOncePod, mutated",
        &scenario.assert_all_hold(),
    );

    let budget =
        |limit: &str| scenario.must(&["create", "poddisruptionbudget", "ledger", "--selector=app=ledger", limit]);
    budget("--min-available=1");
    let ran = drain("--timeout=6s");
    assert!(ran.code != 0 && ran.stderr.contains("disruption budget"), "{ran:?}");
    let event = "a PodDisruptionBudget with `minAvailable: 1` selects the only pod, and its node is drained".to_owned();
    results::row(Table::Limits, 5, &[event, "the drain does not finish".to_owned(), "`maxUnavailable: 1`".to_owned()]);
    environment.cluster.must(&["uncordon", &scenario.node()], "");

    scenario.must(&["delete", "poddisruptionbudget", "ledger"]);
    budget("--max-unavailable=1");
    moves();
    survived(
        13,
        "kubectl drain, with `maxUnavailable: 1`",
        "Deployment, ReadWriteOncePod, mutated",
        &scenario.assert_all_hold(),
    );
}
