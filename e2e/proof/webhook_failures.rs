//! The webhook or the API server fails together with a database, which recovers without them.

use std::time::Duration;

use crate::application::Application;
use crate::environment::Environment;
use crate::node_failures::{Remedy, stop_node};
use crate::pods::{survived, update};
use crate::scenario::Scenario;
use crate::webhook_configurations::{list, manifests};
use crate::webhook_proxy::Connectivity;

/// A pod is deleted, and then its node fails.
fn recovers(scenario: &Scenario<'_>) {
    let pod = scenario.pod();
    scenario.replaced_by(|| _ = scenario.must(&["delete", "pod", &pod, "--wait=false"]));
    let node = scenario.node();
    scenario.replaced_by(|| {
        stop_node(scenario.environment, &node);
        Remedy::Taint.apply(scenario.environment, &node);
    });
}

/// Without an answer of the webhook a new database is rejected: `failurePolicy` is `Fail`.
fn new_databases_are_rejected(scenario: &Scenario<'_>) {
    let new = list(&Application::deployment("ReadWriteOnce").incomplete().named("another").objects);
    let ran = scenario.environment.kubectl(&scenario.database.namespace, &["create", "-f", "-"], &new);
    assert!(ran.code != 0 && ran.stderr.contains("failed calling webhook"), "{ran:?}");
}

/// The webhook's own pods can start; otherwise it could not recover.
fn webhook_pods_start(environment: &Environment) {
    let (_, objects) = manifests(&[]);
    environment.cluster.must(&["apply", "-f", "-"], &list(&objects));
    environment.must("sqledge-ha", &["rollout", "status", "deployment/sqledge-ha", "--timeout=90s"], "");
}

/// The webhook is killed.
pub(crate) fn the_webhook_is_killed(environment: Environment) {
    let scenario = Scenario::start(&environment, "killed", &Application::deployment("ReadWriteOncePod").incomplete());
    let set = Scenario::start(&environment, "killed-stateful", &Application::stateful_set().incomplete());
    environment.webhooks.iter().for_each(|webhook| webhook.server.kill());
    recovers(&scenario);
    set.replaced_by(|| _ = set.must(&["delete", "pod", "ledger-0", "--wait=false"]));
    new_databases_are_rejected(&scenario);
    webhook_pods_start(&environment);
    survived(
        30,
        "the webhook is killed; the pod is deleted, then its node fails and is tainted",
        "Deployment, ReadWriteOncePod, mutated",
        &scenario.assert_all_hold(),
    );
    survived(31, "the webhook is killed; the pod is deleted", "StatefulSet, mutated", &set.assert_all_hold());
}

/// The webhook accepts requests without answering; later it answers slowly.
pub(crate) fn the_webhook_hangs(environment: Environment) {
    let proxy = &environment.webhooks[0].proxy;
    let scenario = Scenario::start(&environment, "hangs", &Application::deployment("ReadWriteOncePod").incomplete());
    proxy.set(Connectivity::Blocked);
    recovers(&scenario);
    new_databases_are_rejected(&scenario);
    survived(
        32,
        "the webhook hangs; the pod is deleted, then its node fails and is tainted",
        "Deployment, ReadWriteOncePod, mutated",
        &scenario.assert_all_hold(),
    );
    proxy.set(Connectivity::Slow(Duration::from_secs(2)));
    let scenario = Scenario::start(&environment, "slow", &Application::deployment("ReadWriteOncePod").incomplete());
    update(&scenario);
    let pod = scenario.pod();
    scenario.replaced_by(|| _ = scenario.must(&["delete", "pod", &pod, "--wait=false"]));
    survived(
        33,
        "the webhook takes 2 s; the template changes, then the pod is deleted",
        "Deployment, ReadWriteOncePod, mutated",
        &scenario.assert_all_hold(),
    );
}

/// The API server restarts while a pod is being replaced.
pub(crate) fn the_api_server_restarts(environment: Environment) {
    let scenario = Scenario::start(&environment, "restart", &Application::deployment("ReadWriteOncePod").incomplete());
    let pod = scenario.pod();
    scenario.replaced_by(|| {
        scenario.must(&["delete", "pod", &pod, "--wait=false"]);
        environment.cluster.control("POST", "/apiserver/restart?down=2s", "");
    });
    update(&scenario);
    survived(
        34,
        "the pod is deleted and the API server restarts; then the template changes",
        "Deployment, ReadWriteOncePod, mutated",
        &scenario.assert_all_hold(),
    );
}
