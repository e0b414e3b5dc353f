//! The proof: on a Kubernetes control plane, admitted databases survive failures, and rejected ones would not.
//!
//! Nodes, storage and load balancers are fakes (`e2e/cluster/README.md`). The API server, the controllers, the
//! scheduler, `kubectl` and the webhook, which its own manifests install, are real. The checks use only watches.
//! `make e2e` runs the proof; `e2e/PROOF.md` has its results.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking"
)]

mod acceptance;
mod application;
mod arrivals;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../serve/client.rs"]
mod client;
mod document;
mod environment;
mod facts;
mod forecast;
mod gitops;
mod guarantees;
mod journal;
mod journey;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../kubernetes.rs"]
mod kubernetes;
mod necessity;
mod node_failures;
mod operator;
mod pods;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../serve/process.rs"]
mod process;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../ran.rs"]
mod ran;
mod replay;
mod results;
mod rolling_update;
mod scenario;
mod scheduler;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../shared.rs"]
mod shared;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../tools.rs"]
mod tools;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../webhook_configurations.rs"]
mod webhook_configurations;
mod webhook_failures;
mod webhook_proxy;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Trial};

use crate::environment::Environment;
use crate::necessity::Stage;
use crate::node_failures::Remedy;

/// How many trials run in parallel. Most of the time they wait for clusters.
const MAX_PARALLEL: usize = 5;

/// An environment that several trials share: the first one starts it, the last one stops it.
#[derive(Clone)]
struct Shared {
    start: fn() -> Environment,
    environment: Arc<OnceLock<Environment>>,
}

impl Shared {
    fn new(start: fn() -> Environment) -> Self {
        Shared { start, environment: Arc::default() }
    }

    fn environment(&self) -> &Environment {
        self.environment.get_or_init(self.start)
    }
}

fn trial(name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}

/// Trials that need their own cluster, the longest first.
fn with_own_cluster(protected: &Shared) -> Vec<Trial> {
    let node_failures = || Environment::protected(&node_failures::FLAGS);
    let protected = protected.clone();
    vec![
        trial("journey::the_webhook_is_introduced_and_removed", journey::the_webhook_is_introduced_and_removed),
        trial("gitops::only_contradictions_differ", || {
            let environment = Environment::protected(&gitops::FLAGS);
            gitops::a_live_deployment_becomes_recreate(&environment);
            gitops::only_contradictions_differ(&environment);
        }),
        trial("node_failures::node_fails_and_is_removed", move || {
            node_failures::a_node_fails(node_failures(), Remedy::Removal)
        }),
        trial("node_failures::node_fails_and_is_tainted", move || {
            node_failures::a_node_fails(node_failures(), Remedy::Taint)
        }),
        trial("acceptance::valid_objects_stay_valid", move || acceptance::valid_objects_stay_valid(node_failures())),
        trial("arrivals::every_order_is_stored_and_stays", || {
            arrivals::every_order_is_stored_and_stays(&Environment::protected(&arrivals::FLAGS));
        }),
        trial("rolling_update::no_request_remains_unanswered", rolling_update::no_request_remains_unanswered),
        trial("operator::an_operator_is_not_fought", || {
            operator::an_operator_is_not_fought(Environment::protected(&pods::FLAGS));
        }),
        trial("webhook_failures::the_webhook_is_killed", move || {
            webhook_failures::the_webhook_is_killed(node_failures())
        }),
        trial("webhook_failures::the_webhook_hangs", move || webhook_failures::the_webhook_hangs(node_failures())),
        trial("webhook_failures::the_api_server_restarts", move || {
            webhook_failures::the_api_server_restarts(node_failures())
        }),
        trial("necessity::only_arm64_nodes_remain", || {
            necessity::only_arm64_nodes_remain(
                Environment::unprotected(&pods::FLAGS),
                Environment::protected(&pods::FLAGS),
            );
        }),
        trial("necessity::a_node_fails", move || {
            necessity::a_node_fails(Environment::unprotected(&node_failures::FLAGS), protected.environment());
        }),
        trial("node_failures::node_is_drained", move || node_failures::a_node_is_drained(node_failures())),
    ]
}

/// A test in an environment.
type ScenarioFn = fn(&Environment);

/// Events that affect the pods of admitted databases.
fn pods(protected: &Shared) -> impl Iterator<Item = Trial> {
    let scenarios: [(&str, ScenarioFn); 8] = [
        ("container_crashes", pods::container_crashes),
        ("pod_is_deleted", pods::pod_is_deleted),
        ("a_deleted_deployment_pod_overlaps_its_replacement", pods::a_deleted_deployment_pod_overlaps_its_replacement),
        ("template_changes", pods::template_changes),
        ("scaling_up_is_rejected", pods::scaling_up_is_rejected),
        ("applying_again_changes_nothing", pods::applying_again_changes_nothing),
        ("two_databases_share_a_namespace", pods::two_databases_share_a_namespace),
        ("namespace_is_deleted", pods::namespace_is_deleted),
    ];
    let protected = protected.clone();
    scenarios.into_iter().map(move |(name, scenario)| {
        let protected = protected.clone();
        trial(format!("pods::{name}"), move || scenario(protected.environment()))
    })
}

/// What `audit` foretells, each failure in a cluster of its own.
fn forecasts() -> Vec<Trial> {
    let failures: [(&str, ScenarioFn); 8] = [
        ("zone_fails", forecast::zone_fails),
        ("node_fails", forecast::node_fails),
        ("node_loses_its_network", forecast::node_loses_its_network),
        ("node_is_drained", forecast::node_is_drained),
        ("node_restarts", forecast::node_restarts),
        ("pods_are_deleted", forecast::pods_are_deleted),
        ("templates_change", forecast::templates_change),
        ("containers_end", forecast::containers_end),
    ];
    let mut trials: Vec<Trial> = failures
        .into_iter()
        .map(|(name, failure)| {
            trial(format!("forecast::{name}"), move || failure(&Environment::unprotected(&forecast::FLAGS)))
        })
        .collect();
    trials.push(trial("scheduler::decisions_agree", || {
        scheduler::decisions_agree(&Environment::unprotected(&scheduler::FLAGS));
    }));
    trials
}

/// The failures that rules prevent, where one node is enough to show it.
fn necessity(protected: &Shared) -> Vec<Trial> {
    let unprotected = Shared::new(|| Environment::unprotected(&["--nodes=amd64-a=amd64", "--pod-stop=2s"]));
    let cases = necessity::cases().into_iter();
    let mut trials: Vec<Trial> = cases
        .filter(|case| matches!(case.stage, Stage::Pods | Stage::Elsewhere))
        .map(|case| {
            let (unprotected, protected) = (unprotected.clone(), protected.clone());
            trial(format!("necessity::{}", case.rule), move || {
                necessity::run_case(&case, unprotected.environment(), protected.environment());
            })
        })
        .collect();
    let protected = protected.clone();
    trials.push(trial("necessity::microsoft_updates", move || {
        necessity::microsoft_updates(unprotected.environment(), protected.environment());
    }));
    trials.push(trial("necessity::each_case_breaks_only_its_rule", necessity::each_case_breaks_only_its_rule));
    trials
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(MAX_PARALLEL));
    let protected = Shared::new(|| Environment::protected(&pods::FLAGS));
    let mut trials = with_own_cluster(&protected);
    trials.extend(forecasts());
    trials.extend(pods(&protected));
    trials.extend(necessity(&protected));
    trials.push(trial(
        "guarantees::a_failover_breaks_no_guarantee",
        guarantees::examples::a_failover_breaks_no_guarantee,
    ));
    trials.push(trial(
        "guarantees::each_failure_breaks_one_guarantee",
        guarantees::examples::each_failure_breaks_one_guarantee,
    ));
    drop(protected);
    let ran = libtest_mimic::run(&arguments, trials);
    if ran.has_failed() || ran.num_filtered_out > 0 || arguments.list {
        return ran.exit_code();
    }
    // These use the results of all trials above.
    let last = vec![
        trial("replay::rules_module_and_linter_agree", replay::rules_module_and_linter_agree),
        trial("document::proof_is_current", document::is_current),
    ];
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, last).exit_code()
}
