//! The webhook or the API server fails while databases do: what was admitted recovers without either.

use std::time::Duration;

use crate::application::Application;
use crate::machines::{Remedy, cut_power};
use crate::play::Play;
use crate::pods::{survived, update};
use crate::site::Site;
use crate::tap::Way;
use crate::webhook_configurations::{list, manifests};

/// A pod is deleted, and then its machine dies.
fn recovers(play: &Play<'_>) {
    let pod = play.pod();
    play.replaced_by(|| _ = play.must(&["delete", "pod", &pod, "--wait=false"]));
    let node = play.node();
    play.replaced_by(|| {
        cut_power(play.site, &node);
        Remedy::Taint.apply(play.site, &node);
    });
}

/// While nobody answers, a new database is refused: `failurePolicy` is `Fail`.
fn nobody_answers(play: &Play<'_>) {
    let new = list(&Application::deployment("ReadWriteOnce").incomplete().named("another").objects);
    let ran = play.site.kubectl(&play.database.namespace, &["create", "-f", "-"], &new);
    assert!(ran.code != 0 && ran.said.contains("failed calling webhook"), "{ran:?}");
}

/// The webhook's own pods start: otherwise it could never come back.
fn its_own_pods_start(site: &Site) {
    let (_, objects) = manifests(&[]);
    site.cluster.must(&["apply", "-f", "-"], &list(&objects));
    site.must("sqledge-ha", &["rollout", "status", "deployment/sqledge-ha", "--timeout=90s"], "");
}

/// The webhook is gone.
pub(crate) fn the_webhook_is_killed(site: Site) {
    let play = Play::start(&site, "killed", &Application::deployment("ReadWriteOncePod").incomplete());
    let set = Play::start(&site, "killed-stateful", &Application::stateful_set().incomplete());
    site.webhooks.iter().for_each(|webhook| webhook.server.kill());
    recovers(&play);
    set.replaced_by(|| _ = set.must(&["delete", "pod", "ledger-0", "--wait=false"]));
    nobody_answers(&play);
    its_own_pods_start(&site);
    survived(
        30,
        "the webhook is killed; the pod is deleted, then its machine dies and is tainted",
        "Deployment, ReadWriteOncePod, mended",
        &play.keeps_every_promise(),
    );
    survived(31, "the webhook is killed; the pod is deleted", "StatefulSet, mended", &set.keeps_every_promise());
}

/// The webhook takes requests and never answers; later it answers slowly.
pub(crate) fn the_webhook_hangs(site: Site) {
    let tap = &site.webhooks[0].tap;
    let play = Play::start(&site, "hangs", &Application::deployment("ReadWriteOncePod").incomplete());
    tap.set(Way::Blocked);
    recovers(&play);
    nobody_answers(&play);
    survived(
        32,
        "the webhook hangs; the pod is deleted, then its machine dies and is tainted",
        "Deployment, ReadWriteOncePod, mended",
        &play.keeps_every_promise(),
    );
    tap.set(Way::Slow(Duration::from_secs(2)));
    let play = Play::start(&site, "slow", &Application::deployment("ReadWriteOncePod").incomplete());
    update(&play);
    let pod = play.pod();
    play.replaced_by(|| _ = play.must(&["delete", "pod", &pod, "--wait=false"]));
    survived(
        33,
        "the webhook takes 2 s; the template changes, then the pod is deleted",
        "Deployment, ReadWriteOncePod, mended",
        &play.keeps_every_promise(),
    );
}

/// The API server restarts while a pod is being replaced.
pub(crate) fn the_api_server_restarts(site: Site) {
    let play = Play::start(&site, "restart", &Application::deployment("ReadWriteOncePod").incomplete());
    let pod = play.pod();
    play.replaced_by(|| {
        play.must(&["delete", "pod", &pod, "--wait=false"]);
        site.cluster.control("POST", "/apiserver/restart?down=2s", "");
    });
    update(&play);
    survived(
        34,
        "the pod is deleted and the API server restarts; then the template changes",
        "Deployment, ReadWriteOncePod, mended",
        &play.keeps_every_promise(),
    );
}
