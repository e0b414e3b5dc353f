//! What `audit` foretells is what then happens: databases of many kinds, hand-made and drawn, and one failure for all
//! of them.

mod variant;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use sqledge_ha::audit::audit;
use sqledge_ha::audit::forecast::{Failure, Forecast, Outcome};
use sqledge_ha::audit::inventory::Inventory;
use sqledge_ha::audit::read::read;
use sqledge_ha::audit::timers::{Seconds, Timer, Timers};
use sqledge_ha::cluster_client::connect_as_kubectl;
use sqledge_ha_policy::settings::Settings;

use self::variant::{Controller, HAND_MADE, Variant};
use crate::environment::{Environment, RUNTIME};
use crate::facts::Fact;
use crate::guarantees::{Database, Guarantee, Observations};
use crate::journal::{Entry, Key, View};
use crate::node_failures::stop_node;
use crate::results::{self, Table};
use crate::scenario::{Scenario, seconds};

/// Two zones: the first has two nodes that can run SQL Edge and one that cannot, the second has one that can.
pub(crate) const FLAGS: [&str; 3] = [
    "--nodes=amd64-a=amd64/zone-1,amd64-b=amd64/zone-1,arm64-a=arm64/zone-1,amd64-c=amd64/zone-2",
    "--default-toleration=4s",
    "--pod-stop=2s",
];
const OTHER_NODES: [&str; 3] = ["amd64-b", "arm64-a", "amd64-c"];

/// How long the databases are watched after a failure of pods, and of nodes.
const WATCHED: Duration = Duration::from_secs(12);
const WATCHED_WITH_NODES: Duration = Duration::from_secs(30);

/// What a machine of the tests may add to any time.
const SLACK: f64 = 6.0;

/// The number of drawn databases beside them.
const DRAWN: usize = 5;

/// A database of a kind, started on the first node.
struct Subject<'s> {
    variant: Variant,
    scenario: Scenario<'s>,
}

/// The hand-made databases and drawn ones, all on the first node.
fn start<'s>(environment: &'s Environment, failure: Failure) -> Vec<Subject<'s>> {
    let mut state = 2_026 + failure as u64;
    let mut variants = HAND_MADE.to_vec();
    while variants.len() < HAND_MADE.len() + DRAWN {
        let drawn = Variant::draw(&mut state);
        if !variants.contains(&drawn) {
            variants.push(drawn);
        }
    }
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "by-hand"},
        "provisioner": "kubernetes.io/no-provisioner"});
    environment.cluster.must(&["create", "-f", "-"], &class.to_string());
    environment.cluster.must(&[&["cordon"], &OTHER_NODES[..]].concat(), "");
    let subjects: Vec<Subject<'_>> = variants
        .into_iter()
        .enumerate()
        .map(|(index, variant)| {
            let namespace = format!("kind-{index:02}");
            environment.namespace(&namespace);
            let scenario = Scenario::apply(environment, &namespace, &variant.application(&namespace));
            Subject { variant, scenario }
        })
        .collect();
    subjects.iter().for_each(|subject| subject.scenario.wait_until_reachable());
    environment.cluster.must(&[&["uncordon"], &OTHER_NODES[..]].concat(), "");
    subjects
}

/// What an audit reads of some namespaces, or of all.
pub(crate) fn inventory(environment: &Environment, namespaces: &[String]) -> Inventory {
    RUNTIME.block_on(async {
        let kubeconfig = Path::new(environment.cluster.kubeconfig());
        let (client, _) = connect_as_kubectl(Some(kubeconfig), None).await.unwrap();
        read(&client, namespaces, &Settings::default(), &|_, _| {}).await.unwrap()
    })
}

/// The times of the tests' control plane, which are shorter than those of a real one.
fn timers() -> Timers {
    let mut timers = Timers::default();
    for (timer, min, max) in [
        (Timer::NodeGrace, 4.0, 7.0),
        (Timer::Detach, 0.0, 2.0),
        (Timer::Attach, 0.0, 2.0),
        (Timer::Pull, 0.0, 0.0),
        (Timer::Start, 0.2, 2.0),
        (Timer::Stop, 0.0, 3.0),
        (Timer::Reboot, 0.0, 4.0),
    ] {
        timers.set(timer, Seconds::new(min, max));
    }
    timers
}

/// The forecast of one failure for each namespace.
fn foretell(environment: &Environment, subjects: &[Subject<'_>], failure: Failure) -> Vec<Forecast> {
    let inventory = inventory(environment, &[]);
    assert_eq!(inventory.unread, []);
    let audit = audit(&inventory, &Settings::default(), timers(), None);
    let of_subject = |subject: &Subject<'_>| {
        let name = format!("{}/ledger", subject.scenario.database.namespace);
        let report = audit.databases.iter().find(|report| report.full_name() == name).expect("every database is found");
        report.forecasts.iter().find(|forecast| forecast.failure == failure).expect("every failure is foretold").clone()
    };
    subjects.iter().map(of_subject).collect()
}

/// The observations of a database, and how long after the failure clients can connect again. Nothing runs on a failed
/// node, though its pods say so.
fn observations(subject: &Subject<'_>, failed: &[&str]) -> (Observations, Duration) {
    let Subject { scenario, .. } = subject;
    let journal = &scenario.environment.journal;
    let (at, now) = (scenario.first_event(), journal.now());
    let is_lost = |entry: &Entry| match &entry.fact {
        Some(Fact::Pod(pod)) => pod.node.as_deref().is_some_and(|node| failed.contains(&node)),
        _ => false,
    };
    let mut entries = Vec::new();
    let mut ended: BTreeSet<Key> = BTreeSet::new();
    for entry in journal.entries() {
        if entry.at > at && is_lost(&entry) {
            if ended.insert(entry.key.clone()) {
                entries.push(Entry { fact: None, ..entry });
            }
        } else {
            entries.push(entry);
        }
    }
    // Clients that could always connect need not wait.
    let back = back_at(&scenario.database, &entries, at).unwrap_or(at);
    (Observations::of(&scenario.database, &entries, at, now), back.saturating_sub(at))
}

/// The last time after `from` at which clients could connect again. An endpoint stays for a while when its node fails.
fn back_at(database: &Database, entries: &[Entry], from: Duration) -> Option<Duration> {
    let (mut view, mut was_reachable, mut back) = (View::new(), false, None);
    for entry in entries {
        match &entry.fact {
            Some(fact) => view.insert(entry.key.clone(), fact.clone()),
            None => view.remove(&entry.key),
        };
        let is_reachable = database.reachable(&view) > 0;
        if is_reachable && !was_reachable && entry.at > from {
            back = Some(entry.at);
        }
        was_reachable = is_reachable;
    }
    back
}

/// What the journal shows of a failure. A rollout hangs if the old pod and the new one still exist in the end.
fn observed(observations: &Observations, failure: Failure, pods_at_end: usize) -> Outcome {
    let stays_up = observations.answers && observations.outage.is_zero() && observations.pods == 1;
    if stays_up && failure == Failure::Drain {
        // The drain waits.
        return Outcome::Waits;
    }
    if stays_up && failure == Failure::Reboot {
        // The endpoint of a node that is away for a short time stays.
        return Outcome::ComesBack;
    }
    if !observations.keeps(Guarantee::SameData) {
        Outcome::LosesData
    } else if !observations.keeps(Guarantee::OneWriter) {
        Outcome::TwoServers
    } else if !observations.keeps(Guarantee::Amd64Only) {
        Outcome::NeverStarts
    } else if !observations.answers || (failure == Failure::Rollout && pods_at_end > 1) {
        Outcome::Waits
    } else if stays_up {
        Outcome::StaysUp
    } else {
        Outcome::ComesBack
    }
}

/// Causes a failure for databases of all kinds, and compares what happens with the forecast. `failed` are the nodes
/// that it stops. `cause` records when the failure comes to each database.
fn compare<'e>(
    environment: &'e Environment,
    failure: Failure,
    failed: &[&str],
    watched: Duration,
    cause: impl Fn(&[Subject<'_>]),
) -> Vec<(Subject<'e>, Forecast)> {
    let subjects = start(environment, failure);
    let forecasts = foretell(environment, &subjects, failure);
    cause(&subjects);
    std::thread::sleep(watched);
    let mut wrong = Vec::new();
    for (place, (subject, forecast)) in subjects.iter().zip(&forecasts).enumerate() {
        let (observations, back) = observations(subject, failed);
        let pods_at_end = environment.journal.look(|view| subject.scenario.database.pods(view).len());
        let outcome = observed(&observations, failure, pods_at_end);
        let kind = subject.variant.describe();
        let outage = back.as_secs_f64();
        let in_time = forecast.seconds.is_none_or(|range| {
            outcome != Outcome::ComesBack || (outage >= range.min - 0.5 && outage <= range.max + SLACK)
        });
        if !forecast.possible.contains(&outcome) || !in_time {
            wrong.push(format!(
                "{kind}: observed {outcome:?} after {outage:.1} s\n  foretold {forecast:?}\n  {observations:?}"
            ));
        }
        let foretold = format!("{}: {}", forecast.outcome.words(forecast.certain), forecast.message);
        let shown = match outcome {
            // The next run may see another one.
            _ if !forecast.certain => {
                forecast.possible.iter().map(|outcome| outcome.words(true)).collect::<Vec<_>>().join(", or ")
            }
            Outcome::ComesBack => format!("comes back after {}", seconds(back)),
            other => other.words(true).to_owned(),
        };
        let place = 100 * (failure as usize) + place;
        results::row(Table::Forecasts, place, &[failure.event().to_owned(), kind, without_names(&foretold), shown]);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), subjects.len(), wrong.join("\n"));
    subjects.into_iter().zip(forecasts).collect()
}

/// Causes a failure of all databases at once.
fn at_once(subjects: &[Subject<'_>], cause: impl FnOnce()) {
    subjects.iter().for_each(|subject| subject.scenario.event());
    cause();
}

/// Causes a failure of one database after the other. The time of each counts from its own failure.
fn one_by_one(subjects: &[Subject<'_>], cause: impl Fn(&Subject<'_>)) {
    for subject in subjects {
        subject.scenario.event();
        cause(subject);
    }
}

/// A message without the names of volumes, which differ from run to run.
fn without_names(message: &str) -> String {
    let mut parts: Vec<&str> = message.split('`').collect();
    for name in parts.iter_mut().skip(1).step_by(2) {
        if name.starts_with("pvc-") || name.starts_with("kind-") {
            *name = "NAME";
        }
    }
    parts.join("`")
}

pub(crate) fn containers_end(environment: &Environment) {
    let _ = compare(environment, Failure::ContainerExit, &[], WATCHED, |subjects| {
        one_by_one(subjects, |Subject { scenario, .. }| {
            let path = format!("/pods/{}/{}/crash", scenario.database.namespace, scenario.pod());
            environment.cluster.control("POST", &path, "");
        });
    });
}

pub(crate) fn pods_are_deleted(environment: &Environment) {
    let _ = compare(environment, Failure::PodDeletion, &[], WATCHED, |subjects| {
        one_by_one(subjects, |Subject { scenario, .. }| {
            scenario.must(&["delete", "pod", &scenario.pod(), "--wait=false"]);
        });
    });
}

pub(crate) fn templates_change(environment: &Environment) {
    let _ = compare(environment, Failure::Rollout, &[], WATCHED, |subjects| {
        let patch = json!({"spec": {"template": {"metadata": {"annotations": {"changed": "yes"}}}}}).to_string();
        one_by_one(subjects, |Subject { scenario, variant }| {
            if variant.controller != Controller::Pod {
                scenario.must(&["patch", &scenario.workload, "-p", &patch]);
            }
        });
    });
}

pub(crate) fn node_is_drained(environment: &Environment) {
    let _ = compare(environment, Failure::Drain, &[], WATCHED, |subjects| {
        let drain = ["drain", "amd64-a", "--force", "--delete-emptydir-data", "--timeout=10s"];
        // It ends with an error where it evicts a pod that it may not.
        at_once(subjects, || _ = environment.cluster.kubectl(&drain, ""));
    });
}

pub(crate) fn node_restarts(environment: &Environment) {
    let _ = compare(environment, Failure::Reboot, &[], WATCHED, |subjects| {
        at_once(subjects, || {
            stop_node(environment, "amd64-a");
            std::thread::sleep(Duration::from_secs(2));
            environment.cluster.control("POST", "/nodes/amd64-a/start", "");
        });
    });
}

/// The node fails; `recover` then brings back what waits for a person, if another node can take it.
pub(crate) fn node_fails(environment: &Environment) {
    let compared = compare(environment, Failure::NodeFailure, &["amd64-a"], WATCHED_WITH_NODES, |subjects| {
        at_once(subjects, || stop_node(environment, "amd64-a"));
    });
    let recover = |flags: &[&str]| {
        let kubeconfig = format!("--kubeconfig={}", environment.cluster.kubeconfig());
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
        command.args(["recover", "amd64-a", &kubeconfig, "--no-config"]).args(flags).stdin(Stdio::null());
        let ran = command.output().unwrap();
        (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr))
    };
    let (code, said) = recover(&["--grace=1s"]);
    assert!(code == Some(2) && said.contains("--machine-is-off"), "{said}");
    let (code, said) = recover(&["--grace=10m", "--machine-is-off"]);
    assert!(code == Some(2) && said.contains("sign of life"), "{said}");
    let (code, said) = recover(&["--grace=1s", "--dry-run"]);
    assert!(code == Some(0) && said.contains("dry run: nothing was changed"), "{said}");
    let tainted = || environment.cluster.must(&["get", "node", "amd64-a", "-o", "jsonpath={.spec.taints[*].key}"], "");
    assert!(!tainted().contains("out-of-service"));
    // Volumes on the failed node and pods without a controller do not come back.
    let (code, said) = recover(&["--grace=1s", "--machine-is-off", "--timeout=45s"]);
    assert_eq!(code, Some(1), "{said}");
    let has_target =
        |forecast: &Forecast| forecast.evidence.iter().any(|evidence| evidence.shows == "can take the pod");
    let can_return = compared
        .iter()
        .filter(|(subject, forecast)| subject.variant.controller != Controller::Pod && has_target(forecast));
    for (subject, _) in can_return {
        let namespace = &subject.scenario.database.namespace;
        let ready = ["get", "pods", "-o", "jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}"];
        let pods = environment.must(namespace, &ready, "");
        assert!(pods.contains("True"), "{namespace} is not back: {pods}\n{said}");
    }
    assert!(tainted().contains("out-of-service") && said.contains("ready on node"), "{said}");
    results::row(
        Table::Limits,
        8,
        &[
            "…and then `sqledge-ha recover` runs for a failed node with databases of all kinds".to_owned(),
            "the databases that another node can take are ready there; those with a volume on the failed node wait, and pods \
             without a controller are gone"
                .to_owned(),
            "–".to_owned(),
        ],
    );
    environment.cluster.control("POST", "/nodes/amd64-a/start", "");
    let is_ready = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
    while environment.cluster.must(&["get", "node", "amd64-a", "-o", is_ready], "") != "True" {
        std::thread::sleep(Duration::from_millis(500));
    }
    let (code, said) = recover(&["--machine-is-off"]);
    assert!(code == Some(2) && said.contains("is Ready"), "{said}");
    let (code, said) = recover(&["--undo"]);
    assert!(code == Some(0) && !tainted().contains("out-of-service"), "{said}");
}

/// The node loses its network, and its containers run on. Where the forecast says so, two servers then really run; the
/// old one stops when the network is back.
pub(crate) fn node_loses_its_network(environment: &Environment) {
    let running = |node: &str, subject: &Subject<'_>| {
        let of_subject = format!("{}/", subject.scenario.database.namespace);
        environment.cluster.running_on(node).iter().filter(|pod| pod.starts_with(&of_subject)).count()
    };
    let compared = compare(environment, Failure::NodeIsolation, &[], WATCHED_WITH_NODES, |subjects| {
        at_once(subjects, || environment.cluster.control("POST", "/nodes/amd64-a/isolate", ""));
    });
    let doubled: Vec<&Subject<'_>> = compared
        .iter()
        .filter(|(_, forecast)| forecast.outcome == Outcome::TwoServers)
        .map(|(subject, _)| subject)
        .collect();
    assert!(!doubled.is_empty());
    for subject in &doubled {
        let elsewhere: usize = OTHER_NODES.iter().map(|node| running(node, subject)).sum();
        assert_eq!((running("amd64-a", subject), elsewhere), (1, 1), "{:?}", subject.variant);
    }
    environment.cluster.control("POST", "/nodes/amd64-a/reconnect", "");
    let started = Instant::now();
    while doubled.iter().any(|subject| running("amd64-a", subject) > 0) {
        assert!(started.elapsed() < WATCHED_WITH_NODES, "the old servers do not stop");
        std::thread::sleep(Duration::from_millis(500));
    }
}

pub(crate) fn zone_fails(environment: &Environment) {
    // One node is tainted in ten seconds.
    let watched = WATCHED_WITH_NODES + Duration::from_secs(20);
    let failed = ["amd64-a", "amd64-b", "arm64-a"];
    let _ = compare(environment, Failure::ZoneFailure, &failed, watched, |subjects| {
        at_once(subjects, || failed.iter().for_each(|node| stop_node(environment, node)));
    });
}
