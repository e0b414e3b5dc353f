//! From nothing to warnings, to enforcement, and out again, as the documentation says, while clients create, change,
//! scale and delete applications all the time.

mod answers;
mod load;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kube::api::{Api, EvictParams};
use serde_json::{Value, json};
use sqledge_ha::cluster_client::connect;
use tokio::task::JoinSet;

use self::answers::Rules;
use self::load::{COLUMNS, Load, NAMESPACES, PARTS, Worker, legacy, subjects, vault};
use crate::application::Application;
use crate::environment::{Environment, RUNTIME, TIMEOUT, Webhook};
use crate::pods::survived;
use crate::process::Server;
use crate::results::{self, Table};
use crate::scenario::Scenario;
use crate::shared::text_of;
use crate::webhook_configurations::{list, manifests, webhook_configurations};
use crate::webhook_proxy::{Recorded, WebhookProxy};

/// How often each client finishes in each part of the journey.
const ROUNDS: usize = 2;

/// The label of everything that the manifests install.
const OURS: &str = "app.kubernetes.io/name=sqledge-ha";

/// Introduces the webhook and takes it out again, under load.
pub(crate) fn the_webhook_is_introduced_and_removed() {
    let mut environment = Environment::unprotected(&["--pod-stop=1s"]);
    let webhook = start_webhook(&environment);
    environment.webhooks.push(webhook);
    let environment = environment;
    let client = RUNTIME.block_on(connect(Some(Path::new(environment.cluster.kubeconfig())))).unwrap();
    let lasting = NAMESPACES.map(|namespace| lasting(&environment, namespace));
    let load = Arc::new(Load::new(client));
    let running = start_load(&load);
    for part in 0..PARTS {
        if part > 0 {
            load.part.store(2 * part - 1, Ordering::Release);
            begin(&environment, part);
            load.part.store(2 * part, Ordering::Release);
        }
        std::thread::scope(|scope| {
            lasting.iter().for_each(|database| _ = scope.spawn(|| disturb(&environment, database, part)));
        });
        wait_for_rounds(&load, 2 * part);
        if part == 1 {
            nothing_is_changed(&environment.webhooks[0]);
        }
    }
    stop(&load, running);
    nothing_is_left(&environment);
    for (place, database) in lasting.iter().enumerate() {
        let event = "the webhook is introduced and removed; in each of five parts the template changes, then the pod is evicted";
        survived(35 + place, event, database.workload.split('/').next().unwrap(), &database.assert_all_hold());
    }
    report(&load);
}

fn start_webhook(environment: &Environment) -> Webhook {
    let settings = json!({"exposure": "internal"});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.yaml");
    std::fs::write(&file, settings.to_string()).unwrap();
    let flag = format!("--settings={}", file.display());
    let server = Server::start_in(environment.cluster.kubeconfig(), &[&flag]);
    server.wait_until_ready();
    let proxy = RUNTIME.block_on(WebhookProxy::before(server.reviews, &server.authority));
    Webhook { server, proxy, settings }
}

/// The databases that stay: the right one is watched, and the others are changed by the load.
fn lasting<'e>(environment: &'e Environment, namespace: &'static str) -> Scenario<'e> {
    environment.namespace(namespace);
    let application = match namespace {
        "shop" => Application::deployment("ReadWriteOncePod"),
        _ => Application::stateful_set(),
    };
    let scenario = Scenario::start_in(environment, namespace, &application);
    environment.must(namespace, &["create", "-f", "-"], &list(legacy().objects()));
    let without_service =
        vault().objects().iter().filter(|object| object["kind"] != "Service").cloned().collect::<Vec<_>>();
    environment.must(namespace, &["create", "-f", "-"], &list(&without_service));
    scenario
}

fn start_load(load: &Arc<Load>) -> JoinSet<()> {
    let mut running = JoinSet::new();
    let subjects = subjects();
    let after = subjects.len();
    for namespace in NAMESPACES {
        let worker = |place| Worker { load: Arc::clone(load), namespace, place };
        for (place, subject) in subjects.iter().enumerate() {
            running.spawn_on(worker(place).run(subject.clone()), RUNTIME.handle());
        }
        running.spawn_on(worker(after).update(legacy()), RUNTIME.handle());
        running.spawn_on(worker(after + 1).expose(vault()), RUNTIME.handle());
        running.spawn_on(worker(after + 2).autoscale("another application, with an autoscaler"), RUNTIME.handle());
    }
    running
}

/// The documented commands that begin a part, with the URL of the webhook instead of its Service.
fn begin(environment: &Environment, part: usize) {
    let page = text_of("docs/install-webhook.md");
    let run = |command: &str| {
        assert!(page.contains(command), "the page does not say {command}");
        let arguments: Vec<&str> = command.split(' ').skip(1).collect();
        environment.cluster.must(&arguments, "");
    };
    match part {
        1 => apply(environment, "--mode=warn"),
        2 => run(&format!("kubectl label namespace {} sqledge-ha/mode=enforce", NAMESPACES[0])),
        3 => apply(environment, "--mode=enforce"),
        _ => {
            run("kubectl delete mutatingwebhookconfiguration,validatingwebhookconfiguration sqledge-ha");
            assert!(page.contains("sqledge-ha webhook manifests | kubectl delete --ignore-not-found -f -"));
            let (configurations, others) = manifests(&[]);
            environment
                .cluster
                .must(&["delete", "--ignore-not-found", "-f", "-"], &list(&[configurations, others].concat()));
            run("kubectl label namespace --all sqledge-ha/mode-");
        }
    }
    NAMESPACES.iter().for_each(|namespace| wait_for_effect(environment, namespace, load::mode(2 * part, namespace)));
}

fn apply(environment: &Environment, mode: &str) {
    let page = text_of("docs/install-webhook.md");
    assert!(page.contains(&format!("sqledge-ha webhook manifests {} | kubectl apply -f -", mode.replace('=', " "))));
    let (_, others) = manifests(&[mode]);
    let proxy = &environment.webhooks[0].proxy;
    let configurations = webhook_configurations(proxy.address, &proxy.certificate, &[mode]);
    environment.cluster.must(&["apply", "-f", "-"], &list(&[others, configurations].concat()));
}

/// Waits until the API server uses what is stored.
fn wait_for_effect(environment: &Environment, namespace: &str, mode: answers::Mode) {
    let probe = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "probe"}, "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": "probe"}}, "template": {"metadata": {"labels": {"app": "probe"}},
            "spec": {"containers": [{"name": "sql", "image": "azure-sql-edge"}]}}}});
    let started = Instant::now();
    loop {
        let ran = environment.kubectl(namespace, &["create", "--dry-run=server", "-f", "-"], &probe.to_string());
        let found = match (ran.code, ran.stderr.contains("single-replica")) {
            (0, false) => answers::Mode::Absent,
            (0, true) => answers::Mode::Warn,
            _ => answers::Mode::Enforce,
        };
        if found == mode {
            // The other configuration can take effect a little later.
            return std::thread::sleep(Duration::from_millis(500));
        }
        assert!(started.elapsed() < TIMEOUT, "{namespace} is not in mode {mode:?}: {ran:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A right database gets another template, and its pod is evicted, as by `kubectl drain`.
fn disturb(environment: &Environment, database: &Scenario<'_>, part: usize) {
    let zone = format!("TZ=Etc/GMT-{part}");
    database.replaced_by(|| _ = database.must(&["set", "env", &database.workload, &zone]));
    let pod = database.pod();
    database.replaced_by(|| {
        RUNTIME.block_on(async {
            let client = connect(Some(Path::new(environment.cluster.kubeconfig()))).await.unwrap();
            let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(client, &database.database.namespace);
            pods.evict(&pod, &EvictParams::default()).await.unwrap();
        });
    });
}

/// Waits until each client has finished in a part of the journey.
fn wait_for_rounds(load: &Load, part: usize) {
    let clients = NAMESPACES.len() * (subjects().len() + 3);
    let started = Instant::now();
    loop {
        let done =
            load.rounds.lock().unwrap().iter().filter(|((of, ..), count)| *of == part && **count >= ROUNDS).count();
        let faults = load.faults.lock().unwrap().clone();
        assert!(faults.is_empty(), "{faults:#?}");
        if done == clients {
            return;
        }
        assert!(started.elapsed() < TIMEOUT, "part {part}: {done} of {clients}: {:#?}", load.rounds.lock().unwrap());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn stop(load: &Load, mut running: JoinSet<()>) {
    load.stop.store(true, Ordering::Release);
    RUNTIME.block_on(async {
        while let Some(ended) = running.join_next().await {
            ended.unwrap();
        }
    });
    let faults = load.faults.lock().unwrap();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Rule ids and actions, and how often they were in the answers.
type Hits = BTreeMap<(String, String), usize>;

fn hits(recorded: &[Recorded]) -> Hits {
    let mut hits = Hits::new();
    for review in recorded {
        for (action, rules) in review.response["auditAnnotations"].as_object().into_iter().flatten() {
            if ["mutated", "rejected", "would-mutate", "would-reject", "warned"].contains(&action.as_str()) {
                let rules = rules.as_str().unwrap().split(',');
                rules.for_each(|rule| *hits.entry((rule.to_owned(), action.replace('-', "_"))).or_default() += 1);
            }
        }
    }
    hits
}

/// The metric by rule and action.
fn counted(server: &Server) -> Hits {
    let (_, text) = server.probe("/metrics");
    let lines = text.lines().filter_map(|line| line.strip_prefix("sqledge_ha_rule_hits_total{rule=\""));
    let parse = |line: &str| {
        let (rule, rest) = line.split_once("\",action=\"")?;
        let (action, count) = rest.split_once("\"} ")?;
        Some(((rule.to_owned(), action.to_owned()), count.parse().ok()?))
    };
    lines.filter_map(parse).collect()
}

/// So far every namespace was in mode `warn`: no answer has changed or rejected anything, and the metrics and the log
/// say what would have happened.
fn nothing_is_changed(webhook: &Webhook) {
    let before = hits(&webhook.proxy.recorded());
    let counted = counted(&webhook.server);
    // Answers that are on their way are counted, but not recorded yet.
    std::thread::sleep(Duration::from_secs(1));
    let recorded = webhook.proxy.recorded();
    let after = hits(&recorded);
    for review in &recorded {
        let is_harmless = review.response["allowed"] == true && review.response["patch"].is_null();
        assert!(review.path == "/warn" && is_harmless, "{review:#?}");
    }
    assert!(counted.keys().eq(before.keys()) && counted.keys().eq(after.keys()), "{counted:?} {before:?} {after:?}");
    for (hit, count) in &counted {
        assert!((before[hit]..=after[hit]).contains(count), "{hit:?}: {count} of {} to {}", before[hit], after[hit]);
    }
    // What the old database already had would not reject its updates.
    let all = [subjects(), vec![vault()]].concat();
    let rules = |of: fn(&answers::Verdict) -> &Rules| {
        all.iter().flat_map(|subject| of(&subject.verdict)).cloned().collect::<BTreeSet<_>>()
    };
    let by_action = |action: &str| {
        counted.keys().filter(|(_, of)| of == action).map(|(rule, _)| rule.clone()).collect::<BTreeSet<_>>()
    };
    // The probe has more findings, and none that the applications lack.
    assert!(by_action("would_reject").is_superset(&rules(answers::Verdict::rejecting)), "{counted:?}");
    assert!(by_action("would_mutate").is_superset(&rules(answers::Verdict::mutating)), "{counted:?}");
    let logged: Vec<Value> =
        webhook.server.log().into_iter().filter(|line| line["rules"].to_string().contains("would_reject: ")).collect();
    let would_reject =
        recorded.iter().filter(|review| review.response["auditAnnotations"]["would-reject"].is_string()).count();
    assert!(!logged.is_empty() && logged.len() >= would_reject, "{} {would_reject}", logged.len());
    let would = counted.keys().filter(|(_, action)| action.starts_with("would_"));
    for (place, (rule, action)) in would.enumerate() {
        let times = |hits: &Hits| hits[&(rule.clone(), action.clone())];
        let count = format!("{} times", times(&counted));
        let lines = logged
            .iter()
            .filter(|line| action == "would_reject" && line["rules"].to_string().contains(rule.as_str()))
            .count();
        let lines = if lines == 0 { "no line".to_owned() } else { format!("{lines} lines") };
        results::row(Table::WouldHappen, place, &[format!("`{rule}`"), format!("`{action}`"), count, lines]);
    }
}

/// Nothing of the webhook is in the cluster, and what it has stored stays.
fn nothing_is_left(environment: &Environment) {
    let kinds = environment.cluster.must(&["api-resources", "--verbs=list", "-o=name"], "");
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
    let left = environment.cluster.must(&["get", &kinds.join(","), "--all-namespaces", "-l", OURS, "-o=name"], "");
    assert_eq!(left, "");
    let all = environment.cluster.must(&["get", &kinds.join(","), "--all-namespaces", "-o=name"], "");
    let left: Vec<&str> = all.lines().filter(|name| name.contains("sqledge-ha")).collect();
    assert_eq!(left, [""; 0]);
    let namespaces = environment.cluster.must(&["get", "namespaces", "--show-labels"], "");
    assert!(!namespaces.contains("sqledge-ha/"), "{namespaces}");
    // What was mutated stays as it is.
    let strategy =
        environment.must(NAMESPACES[1], &["get", "deployment/legacy", "-o=jsonpath={.spec.strategy.type}"], "");
    assert_eq!(strategy, "Recreate");
}

/// Writes the table. In each cell are the outcomes of all requests. Requests of an application with the same outcomes
/// share a row.
fn report(load: &Load) {
    let mut rows: Vec<(&str, [String; COLUMNS], Vec<&str>)> = Vec::new();
    for ((_, says, what), cells) in load.table.lock().unwrap().iter() {
        let cell = |cell: &BTreeSet<String>| match cell.len() {
            0 => "–".to_owned(),
            _ => cell.iter().cloned().collect::<Vec<_>>().join("; "),
        };
        let cells: [String; COLUMNS] = std::array::from_fn(|column| cell(&cells[column]));
        match rows.iter_mut().find(|(of, same, _)| of == says && *same == cells) {
            Some((.., whats)) => whats.push(what),
            None => rows.push((says, cells, vec![what])),
        }
    }
    for (place, (says, cells, whats)) in rows.into_iter().enumerate() {
        results::row(Table::Journey, place, &[&[says.to_owned(), whats.join("; ")], cells.as_slice()].concat());
    }
    let requests = load.requests.load(Ordering::Relaxed);
    results::row(Table::JourneyLoad, 0, &[format!("{requests} requests"), "0".to_owned()]);
}
