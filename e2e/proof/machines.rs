//! What happens to machines: the database is back on another one, with its data and its address.

use std::time::Duration;

use serde_json::json;

use crate::application::Application;
use crate::journal::View;
use crate::ledger::{self, Table};
use crate::play::{Play, seconds};
use crate::pods::survived;
use crate::promises::Database;
use crate::site::Site;

/// Two machines that can run the engine and one that cannot. What takes minutes in a real cluster takes seconds: a node
/// counts as dead after 5 s of silence, and a pod that says nothing leaves it 4 s later.
pub(crate) const FLAGS: [&str; 2] = ["--nodes=amd64-a=amd64,amd64-b=amd64,arm64-a=arm64", "--default-toleration=4s"];
/// The label of namespaces whose databases get tolerations of two seconds.
const IN_TWO_SECONDS: &str = "in-two-seconds";
/// How long is watched whether a volume follows by itself.
const WAIT_FOR_NOTHING: Duration = Duration::from_secs(10);

/// What is done about a dead machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Somebody says that it is out of service.
    Taint,
    /// It is removed from the cluster.
    Removal,
}

impl Remedy {
    fn words(self) -> &'static str {
        match self {
            Remedy::Taint => "is tainted `node.kubernetes.io/out-of-service`",
            Remedy::Removal => "is removed from the cluster",
        }
    }

    /// Does it.
    pub(crate) fn apply(self, site: &Site, node: &str) {
        match self {
            Remedy::Taint => {
                let taint = "node.kubernetes.io/out-of-service=failed:NoExecute";
                site.cluster.must(&["taint", "node", node, taint], "");
            }
            Remedy::Removal => site.cluster.control("DELETE", &format!("/nodes/{node}"), ""),
        }
    }
}

/// Cuts the power of a machine.
pub(crate) fn cut_power(site: &Site, node: &str) {
    site.cluster.control("POST", &format!("/nodes/{node}/stop"), "");
}

/// Whether there is a pod beside the one on the dead machine.
fn has_replacement(database: &Database, view: &View) -> bool {
    database.pods(view).len() > 1
}

fn is_reachable(database: &Database, view: &View) -> bool {
    database.reachable(view) > 0
}

/// A site whose databases all start on `amd64-a`.
pub(crate) fn on_the_first_machine<T>(site: &Site, start: impl FnOnce() -> T) -> T {
    site.cluster.must(&["cordon", "amd64-b", "arm64-a"], "");
    let started = start();
    site.cluster.must(&["uncordon", "amd64-b", "arm64-a"], "");
    started
}

/// The machine that runs three databases loses its power.
pub(crate) fn a_machine_dies(site: Site, remedy: Remedy) {
    let site = site.and_settings(IN_TWO_SECONDS, &json!({"failoverSeconds": 2}));
    let deployment = Application::deployment("ReadWriteOncePod").incomplete();
    let (standard, quick, set) = on_the_first_machine(&site, || {
        site.namespace_with("cut-quick", IN_TWO_SECONDS);
        let standard = Application::microsoft().unwrap_or_else(|| deployment.clone());
        (
            Play::start(&site, "cut-standard", &standard),
            Play::start_in(&site, "cut-quick", &deployment),
            Play::start(&site, "cut-stateful", &Application::stateful_set().incomplete()),
        )
    });
    let plays = [&standard, &quick, &set];
    plays.iter().for_each(|play| assert_eq!(play.node(), "amd64-a"));
    plays.iter().for_each(|play| play.event());
    cut_power(&site, "amd64-a");
    quick.wait("a replacement is made", has_replacement);
    let quickly = quick.since_event();
    standard.wait("a replacement is made", has_replacement);
    let in_time = standard.since_event();
    assert!(quickly < in_time, "{quickly:?}, {in_time:?}");
    std::thread::scope(|scope| {
        for play in plays {
            scope.spawn(|| {
                play.never("it came back though its volume is on the dead machine", WAIT_FOR_NOTHING, is_reachable)
            });
        }
    });
    assert!(!site.journal.look(|view| has_replacement(&set.database, view)), "the StatefulSet did not wait");
    limits(remedy, quickly, in_time);

    let remedied = site.journal.now();
    remedy.apply(&site, "amd64-a");
    let mut back = Vec::new();
    for (play, what) in plays.into_iter().zip(["Deployment", "Deployment, `failoverSeconds` 2", "StatefulSet"]) {
        play.wait("it is back", is_reachable);
        back.push(format!("{what}: {}", seconds(site.journal.now() - remedied)));
    }
    let event = format!("…and then the dead machine {}", remedy.words());
    let place = 3 + usize::from(remedy == Remedy::Removal);
    ledger::row(Table::Limits, place, &[event, format!("back after {}", back.join(", ")), "–".to_owned()]);
    if remedy == Remedy::Taint {
        the_machine_comes_back(&site, &plays);
    }
    for ((play, what), place) in plays
        .into_iter()
        .zip(["Microsoft's sample, mended", "Deployment, `failoverSeconds` 2, mended", "StatefulSet, mended"])
        .zip(20..)
    {
        let account = play.keeps_every_promise();
        let event = format!(
            "the machine dies, and after {} {}",
            seconds(remedied.saturating_sub(play.first_event())),
            remedy.words()
        );
        survived(place + 3 * usize::from(remedy == Remedy::Removal), &event, what, &account);
    }
}

fn limits(remedy: Remedy, quick: Duration, standard: Duration) {
    if remedy == Remedy::Taint {
        let event = "the machine of a pod with an attached volume dies";
        let seen = format!(
            "a Deployment's replacement is made after {} (`failoverSeconds` 2: {}), a StatefulSet's is not made; none \
             is back {} later, because the volume stays on the dead machine",
            seconds(standard),
            seconds(quick),
            seconds(WAIT_FOR_NOTHING)
        );
        let remedy = "a cloud controller, a node health check or a person removes or taints the node";
        ledger::row(Table::Limits, 2, &[event.to_owned(), seen, remedy.to_owned()]);
    }
}

/// The machine that was dead boots again; what it ran before must not run twice.
fn the_machine_comes_back(site: &Site, plays: &[&Play<'_>]) {
    site.cluster.control("POST", "/nodes/amd64-a/start", "");
    site.cluster.must(&["wait", "--for=condition=Ready", "node/amd64-a", "--timeout=60s"], "");
    site.cluster.must(&["taint", "node", "amd64-a", "node.kubernetes.io/out-of-service-"], "");
    for play in plays {
        play.never("a pod came with the old machine", Duration::from_secs(2), |database, view| {
            database.pods(view).iter().any(|(_, pod)| pod.node.as_deref() == Some("amd64-a"))
        });
    }
}

/// A machine is drained for maintenance.
pub(crate) fn a_machine_is_drained(site: Site) {
    let play = Play::start(&site, "drain", &Application::deployment("ReadWriteOncePod").incomplete());
    let drain = |timeout: &str| {
        let node = play.node();
        site.cluster.kubectl(&["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", timeout], "")
    };
    let moves = || {
        let node = play.node();
        play.replaced_by(|| assert_eq!(drain("--timeout=60s").code, 0));
        assert_ne!(play.node(), node);
        site.cluster.must(&["uncordon", &node], "");
    };
    moves();
    survived(
        12,
        "kubectl drain, without a disruption budget",
        "Deployment, ReadWriteOncePod, mended",
        &play.keeps_every_promise(),
    );

    let budget = |limit: &str| play.must(&["create", "poddisruptionbudget", "ledger", "--selector=app=ledger", limit]);
    budget("--min-available=1");
    let ran = drain("--timeout=6s");
    assert!(ran.code != 0 && ran.said.contains("disruption budget"), "{ran:?}");
    let event =
        "a PodDisruptionBudget with `minAvailable: 1` selects the only pod, and its machine is drained".to_owned();
    ledger::row(Table::Limits, 5, &[event, "the drain never ends".to_owned(), "`maxUnavailable: 1`".to_owned()]);
    site.cluster.must(&["uncordon", &play.node()], "");

    play.must(&["delete", "poddisruptionbudget", "ledger"]);
    budget("--max-unavailable=1");
    moves();
    survived(
        13,
        "kubectl drain, with `maxUnavailable: 1`",
        "Deployment, ReadWriteOncePod, mended",
        &play.keeps_every_promise(),
    );
}
