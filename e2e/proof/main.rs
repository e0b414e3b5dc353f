//! The proof: on a real Kubernetes control plane, what is admitted survives, and what is refused would not have.
//!
//! Machines, storage and load balancers are faked (`e2e/cluster/README.md`), everything that decides is real: the API
//! server, the controllers, the scheduler, `kubectl`, and the webhook, registered by its own manifests. What happened is
//! judged by watches alone. `make e2e` runs it; `e2e/PROOF.md` holds what was found.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected should fail on the spot"
)]

mod acceptance;
mod adversity;
mod application;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../serve/client.rs"]
mod client;
mod document;
mod facts;
mod journal;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../kubernetes.rs"]
mod kubernetes;
mod ledger;
mod machines;
mod necessity;
mod play;
mod pods;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../serve/process.rs"]
mod process;
mod promises;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../ran.rs"]
mod ran;
mod replay;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../shared.rs"]
mod shared;
mod site;
mod tap;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tools.rs"]
mod tools;
#[path = "../webhook_configurations.rs"]
mod webhook_configurations;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Trial};

use crate::machines::Remedy;
use crate::necessity::Stage;
use crate::site::Site;

/// How many trials run at once: most of the time they wait for clusters.
const AT_ONCE: usize = 5;

/// A site that several trials share: started by the first, ended after the last.
#[derive(Clone)]
struct Shared {
    start: fn() -> Site,
    site: Arc<OnceLock<Site>>,
}

impl Shared {
    fn new(start: fn() -> Site) -> Self {
        Shared { start, site: Arc::default() }
    }

    fn site(&self) -> &Site {
        self.site.get_or_init(self.start)
    }
}

fn trial(name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}

/// Everything that needs a site of its own, the longest first.
fn on_sites_of_their_own(protected: &Shared) -> Vec<Trial> {
    let machines = || Site::protected(&machines::FLAGS);
    let protected = protected.clone();
    vec![
        trial("machines::one_dies_and_is_removed", move || machines::a_machine_dies(machines(), Remedy::Removal)),
        trial("machines::one_dies_and_is_tainted", move || machines::a_machine_dies(machines(), Remedy::Taint)),
        trial("acceptance::what_was_valid_stays_valid", move || acceptance::what_was_valid_stays_valid(machines())),
        trial("adversity::the_webhook_is_killed", move || adversity::the_webhook_is_killed(machines())),
        trial("adversity::the_webhook_hangs", move || adversity::the_webhook_hangs(machines())),
        trial("adversity::the_api_server_restarts", move || adversity::the_api_server_restarts(machines())),
        trial("necessity::only_arm64_is_left", || {
            necessity::only_arm64_is_left(Site::unprotected(&pods::FLAGS), Site::protected(&pods::FLAGS));
        }),
        trial("necessity::a_machine_dies", move || {
            necessity::a_machine_dies(Site::unprotected(&machines::FLAGS), protected.site());
        }),
        trial("machines::one_is_drained", move || machines::a_machine_is_drained(machines())),
    ]
}

/// What happens on a site.
type Story = fn(&Site);

/// What happens to the pods of databases that are admitted.
fn pods(protected: &Shared) -> impl Iterator<Item = Trial> {
    let stories: [(&str, Story); 8] = [
        ("a_container_crashes", pods::a_container_crashes),
        ("a_pod_is_deleted", pods::a_pod_is_deleted),
        ("a_deleted_pod_of_a_deployment_meets_its_successor", pods::a_deleted_pod_of_a_deployment_meets_its_successor),
        ("the_template_changes", pods::the_template_changes),
        ("somebody_scales", pods::somebody_scales),
        ("it_is_applied_three_times_over", pods::it_is_applied_three_times_over),
        ("two_databases_share_a_namespace", pods::two_databases_share_a_namespace),
        ("a_namespace_is_deleted", pods::a_namespace_is_deleted),
    ];
    let protected = protected.clone();
    stories.into_iter().map(move |(name, story)| {
        let protected = protected.clone();
        trial(format!("pods::{name}"), move || story(protected.site()))
    })
}

/// What each rule is for, as far as one machine shows it.
fn necessity(protected: &Shared) -> Vec<Trial> {
    let unprotected = Shared::new(|| Site::unprotected(&["--nodes=amd64-a=amd64", "--pod-stop=2s"]));
    let cases = necessity::cases().into_iter();
    let mut trials: Vec<Trial> = cases
        .filter(|case| matches!(case.stage, Stage::Pods | Stage::Elsewhere))
        .map(|case| {
            let (unprotected, protected) = (unprotected.clone(), protected.clone());
            trial(format!("necessity::{}", case.rule), move || {
                necessity::without_and_with(&case, unprotected.site(), protected.site());
            })
        })
        .collect();
    let protected = protected.clone();
    trials.push(trial("necessity::microsoft_updates", move || {
        necessity::microsoft_updates(unprotected.site(), protected.site());
    }));
    trials.push(trial(
        "necessity::every_rule_has_a_manifest_that_breaks_only_it",
        necessity::every_rule_has_a_manifest_that_breaks_only_it,
    ));
    trials
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(AT_ONCE));
    let protected = Shared::new(|| Site::protected(&pods::FLAGS));
    let mut trials = on_sites_of_their_own(&protected);
    trials.extend(pods(&protected));
    trials.extend(necessity(&protected));
    trials.push(trial("promises::a_failover_keeps_every_promise", promises::examples::a_failover_keeps_every_promise));
    trials.push(trial(
        "promises::each_failure_breaks_its_own_promise",
        promises::examples::each_failure_breaks_its_own_promise,
    ));
    drop(protected);
    let ran = libtest_mimic::run(&arguments, trials);
    if ran.has_failed() || ran.num_filtered_out > 0 || arguments.list {
        return ran.exit_code();
    }
    // What needs all of the above.
    let last = vec![
        trial("replay::the_rules_the_module_and_the_linter_agree", replay::everything_agrees),
        trial("document::the_proof_is_what_was_found", document::is_what_was_found),
    ];
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, last).exit_code()
}
