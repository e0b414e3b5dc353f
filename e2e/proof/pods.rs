//! What happens to pods and workloads while all machines run: what is admitted comes through.
//!
//! The site has one amd64 machine, so that a pod and its replacement meet: that is where two writers are possible.

use std::time::Duration;

use serde_json::{Value, json};

use crate::application::Application;
use crate::facts::PodFact;
use crate::ledger::{self, Table};
use crate::play::{Play, seconds};
use crate::promises::{Account, Promise};
use crate::site::{PATIENCE, Site};
use crate::webhook_configurations::list;

/// The flags of this site's cluster.
pub(crate) const FLAGS: [&str; 2] = ["--nodes=amd64-a=amd64,arm64-a=arm64", "--pod-stop=2s"];

/// A row of what was survived.
pub(crate) fn survived(place: usize, event: &str, what: &str, account: &Account) {
    let node = if account.nodes.len() > 1 { "another" } else { "the same" };
    let cells =
        [event.to_owned(), what.to_owned(), seconds(account.outage), account.writers.to_string(), node.to_owned()];
    ledger::row(Table::Survives, place, &cells);
}

fn crash(play: &Play<'_>) {
    let path = format!("/pods/{}/{}/crash", play.database.namespace, play.pod());
    play.site.cluster.control("POST", &path, "");
}

/// A container ends and is restarted in its pod.
pub(crate) fn a_container_crashes(site: &Site) {
    let Some(application) = Application::microsoft() else { return };
    let play = Play::start(site, "crash", &application);
    is_mended(&play);
    play.event();
    crash(&play);
    play.wait("the container is restarted", |database, view| {
        let restarted = |pod: &PodFact| pod.restarts > 0 && pod.is_ready;
        database.pods(view).iter().any(|(_, pod)| restarted(pod)) && database.reachable(view) > 0
    });
    survived(0, "the container crashes", "Microsoft's sample, mended", &play.keeps_every_promise());
}

/// What admission added to Microsoft's sample.
fn is_mended(play: &Play<'_>) {
    let stored: Value = serde_json::from_str(&play.must(&["get", &play.workload, "-o=json"])).unwrap();
    assert_eq!(stored["spec"]["strategy"], json!({"type": "Recreate"}));
    assert_eq!(stored["spec"]["template"]["spec"]["nodeSelector"], json!({"kubernetes.io/arch": "amd64"}));
}

fn delete_pod(play: &Play<'_>) -> Duration {
    let pod = play.pod();
    play.replaced_by(|| _ = play.must(&["delete", "pod", &pod, "--wait=false"]))
}

/// Where only one pod at a time may have the claim, or the controller waits, a deleted pod never meets its successor.
pub(crate) fn a_pod_is_deleted(site: &Site) {
    let once = Play::start(site, "deletion-pod-claim", &Application::deployment("ReadWriteOncePod").incomplete());
    delete_pod(&once);
    survived(1, "the pod is deleted", "Deployment, ReadWriteOncePod, mended", &once.keeps_every_promise());
    let set = Play::start(site, "deletion-stateful", &Application::stateful_set().incomplete());
    delete_pod(&set);
    survived(2, "the pod is deleted", "StatefulSet, ReadWriteOnce, mended", &set.keeps_every_promise());
}

/// ReadWriteOnce is a promise about nodes: on one node a deleted pod of a Deployment meets its successor.
pub(crate) fn a_deleted_pod_of_a_deployment_meets_its_successor(site: &Site) {
    let play = Play::start(site, "deletion-node-claim", &Application::deployment("ReadWriteOnce").incomplete());
    delete_pod(&play);
    // The successor is there before the one that stops has gone.
    play.wait("the pod that stops has gone", |database, view| database.pods(view).len() == 1);
    let account = play.account();
    assert!(account.broken().iter().all(|promise| *promise == Promise::OneWriter), "{account:#?}");
    let overlap = match account.writers {
        0 | 1 => "one at a time in this run".to_owned(),
        writers => format!("{writers} pods run at once for {}", seconds(account.overlap)),
    };
    let event = "the pod of a Deployment with a ReadWriteOnce claim is deleted, and its replacement starts on the same \
                 node while it stops";
    ledger::row(Table::Limits, 0, &[event.to_owned(), overlap, "ReadWriteOncePod, or a StatefulSet".to_owned()]);
}

/// An update of the template stops the old pod first.
pub(crate) fn the_template_changes(site: &Site) {
    if let Some(application) = Application::microsoft() {
        let play = Play::start(site, "template-deployment", &application);
        update(&play);
        survived(3, "the template changes", "Microsoft's sample, mended", &play.keeps_every_promise());
    }
    let set = Play::start(site, "template-stateful", &Application::stateful_set().incomplete());
    update(&set);
    survived(4, "the template changes", "StatefulSet, ReadWriteOnce, mended", &set.keeps_every_promise());
}

/// Changes the template, and waits until its pod has replaced the one before.
pub(crate) fn update(play: &Play<'_>) -> Duration {
    play.replaced_by(|| _ = play.must(&["set", "env", &play.workload, "TZ=UTC"]))
}

/// Nobody gets a second replica: neither people, nor a patch, nor an autoscaler.
pub(crate) fn somebody_scales(site: &Site) {
    for (place, namespace, application) in [
        (5, "scale-deployment", Application::deployment("ReadWriteOnce").incomplete()),
        (6, "scale-stateful", Application::stateful_set().incomplete()),
    ] {
        let play = Play::start(site, namespace, &application);
        play.event();
        refused(&play, &["scale", &play.workload, "--replicas=2"]);
        refused(&play, &["patch", &play.workload, "--type=merge", "--patch={\"spec\":{\"replicas\":3}}"]);
        autoscale(&play);
        let tried = || play.must(&["get", "events", "--field-selector=reason=FailedRescale", "-o=json"]);
        let started = std::time::Instant::now();
        while !tried().contains("single-replica") {
            assert!(started.elapsed() < PATIENCE, "the autoscaler did not try: {}", tried());
            std::thread::sleep(Duration::from_millis(200));
        }
        let kind = play.workload.split('/').next().unwrap().to_owned();
        let account = play.keeps_every_promise();
        assert_eq!(account.pods, 1, "{account:#?}");
        survived(
            place,
            "kubectl scale, a patch, a HorizontalPodAutoscaler",
            &format!("{kind}, mended: refused"),
            &account,
        );
    }
}

/// A HorizontalPodAutoscaler that wants two replicas.
fn autoscale(play: &Play<'_>) {
    let kind = if play.workload.starts_with("deployment") { "Deployment" } else { "StatefulSet" };
    let target = json!({"apiVersion": "apps/v1", "kind": kind, "name": "ledger"});
    let autoscaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "ledger"}, "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 50}}}]}});
    play.site.must(&play.database.namespace, &["create", "-f", "-"], &autoscaler.to_string());
}

fn refused(play: &Play<'_>, arguments: &[&str]) {
    let ran = play.kubectl(arguments);
    assert!(ran.code != 0 && ran.said.contains("single-replica"), "{arguments:?}: {ran:?}");
}

/// Applying again changes nothing, starts nothing and shows no difference, in both ways to apply.
pub(crate) fn it_is_applied_three_times_over(site: &Site) {
    let Some(application) = Application::microsoft() else { return };
    for (place, namespace, way) in [(7, "apply-client", &[][..]), (8, "apply-server", &["--server-side"])] {
        site.namespace(namespace);
        let input = list(&application.objects);
        let apply = |more: &[&str]| site.must(namespace, &[&["apply", "-f", "-"], way, more].concat(), &input);
        apply(&["--dry-run=server"]);
        assert_eq!(site.must(namespace, &["get", "deployments", "-o=name"], ""), "");
        apply(&[]);
        let play = Play::of(site, namespace, &application);
        play.wait_until_reachable();
        is_mended(&play);
        play.event();
        let before = versions(&play);
        for _ in 0..2 {
            apply(&[]);
            let difference = site.kubectl(namespace, &[&["diff", "-f", "-"], way].concat(), &input);
            assert_eq!((difference.code, difference.output.as_str()), (0, ""), "{difference:?}");
            apply(&["--dry-run=server"]);
        }
        assert_eq!(versions(&play), before, "{namespace}");
        let account = play.keeps_every_promise();
        assert_eq!(account.pods, 1, "{account:#?}");
        let event = format!("kubectl apply {} three times, dry runs, kubectl diff", way.join(" "));
        survived(place, event.replace("  ", " ").as_str(), "Microsoft's sample, mended: no change", &account);
    }
}

/// The generation of every object that was applied, and the ReplicaSets.
fn versions(play: &Play<'_>) -> String {
    let path = r"-o=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}{'\n'}{end}";
    play.must(&["get", "deployments,replicasets,services,persistentvolumeclaims", path])
}

/// What happens to one database of a namespace leaves the other alone.
pub(crate) fn two_databases_share_a_namespace(site: &Site) {
    let application = Application::deployment("ReadWriteOncePod").incomplete();
    let one = Play::start(site, "two-databases", &application);
    let other = Play::start_in(site, "two-databases", &application.clone().named("archive"));
    other.event();
    update(&one);
    delete_pod(&one);
    survived(
        9,
        "one of two databases in a namespace is updated, then its pod deleted",
        "Deployment, ReadWriteOncePod, mended",
        &one.keeps_every_promise(),
    );
    let account = other.keeps_every_promise();
    assert_eq!((account.pods, account.outage), (1, Duration::ZERO), "{account:#?}");
}

/// Nothing keeps a namespace from being deleted.
pub(crate) fn a_namespace_is_deleted(site: &Site) {
    let play = Play::start(site, "deleted-namespace", &Application::deployment("ReadWriteOncePod").incomplete());
    let ran = site.cluster.kubectl(&["delete", "namespace", "deleted-namespace", "--timeout=90s"], "");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(site.journal.look(|view| play.database.pods(view).is_empty()));
}
