//! Failures that need a failing node: one of several, or the last one that can run SQL Edge.

use std::time::Duration;

use super::cases::{cases, right};
use super::{Case, Stage};
use crate::application::Application;
use crate::environment::Environment;
use crate::facts::PodFact;
use crate::guarantees::{Guarantee, Observations};
use crate::node_failures::{Remedy, on_first_node, stop_node};
use crate::results::{self, Table};
use crate::scenario::{Scenario, seconds};

/// One of several nodes fails. A database without findings on the same node recovers.
pub(crate) fn a_node_fails(environment: Environment, protected: &Environment) {
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.stage == Stage::Nodes).collect();
    let (control, scenarios) = on_first_node(&environment, || {
        let start = |case: &Case| Scenario::start(&environment, &format!("without-{}", case.rule), &(case.broken)());
        (Scenario::start(&environment, "without-mistake", &right()), cases.iter().map(start).collect::<Vec<_>>())
    });
    scenarios.iter().for_each(Scenario::event);
    let back = control.replaced_by(|| {
        stop_node(&environment, "amd64-a");
        Remedy::Taint.apply(&environment, "amd64-a");
    });
    control.assert_all_hold();
    std::thread::sleep(back.max(Duration::from_secs(20)));
    for (case, scenario) in cases.iter().zip(&scenarios) {
        let observations = scenario.assert_broken(&[case.breaks.unwrap()]);
        let failure = format!("{} (without this mistake: {})", case.failure(&observations), seconds(back));
        case.row(failure, &case.is_rejected_or_survives(protected));
    }
}

/// The last amd64 node fails and an arm64 node remains, without and with the webhook.
pub(crate) fn only_arm64_nodes_remain(unprotected: Environment, protected: Environment) {
    let case = cases().into_iter().find(|case| case.stage == Stage::OtherArchitecture).unwrap();
    let applications = [("selects-nothing", Some((case.broken)())), ("microsoft", Application::microsoft())];
    let applications: Vec<_> = applications.into_iter().filter_map(|(name, what)| Some((name, what?))).collect();
    let (without, with) = std::thread::scope(|scope| {
        let without = scope.spawn(|| moves_to_arm64(&unprotected, &applications, case.breaks.unwrap()));
        let with = scope.spawn(|| waits_for_amd64(&protected, &applications));
        (without.join().unwrap(), with.join().unwrap())
    });
    for ((name, _), (before, after)) in applications.iter().zip(without.iter().zip(&with)) {
        let mutated = format!("the pod waits, and is available {} after an amd64 node has joined", seconds(*after));
        if *name == "microsoft" {
            results::row(Table::Microsoft, 1, &[case.event.to_owned(), case.failure(before), mutated]);
        } else {
            case.row(case.failure(before), &format!("mutated: {mutated}"));
        }
    }
}

/// Starts the applications on the amd64 node, and stops it.
fn start_and_stop_node<'s>(environment: &'s Environment, applications: &[(&str, Application)]) -> Vec<Scenario<'s>> {
    environment.cluster.must(&["cordon", "arm64-a"], "");
    let scenarios: Vec<_> =
        applications.iter().map(|(name, application)| Scenario::start(environment, name, application)).collect();
    environment.cluster.must(&["uncordon", "arm64-a"], "");
    scenarios.iter().for_each(Scenario::event);
    stop_node(environment, "amd64-a");
    Remedy::Taint.apply(environment, "amd64-a");
    scenarios
}

fn moves_to_arm64(
    environment: &Environment,
    applications: &[(&str, Application)],
    guarantee: Guarantee,
) -> Vec<Observations> {
    let scenarios = start_and_stop_node(environment, applications);
    let moved = scenarios.iter().map(|scenario| {
        scenario.wait("it runs on the arm64 node", |database, view| {
            let runs = |pod: &PodFact| pod.runs && pod.node.as_deref() == Some("arm64-a");
            database.pods(view).iter().any(|(_, pod)| runs(pod)) && database.reachable(view) > 0
        });
        scenario.assert_broken(&[guarantee])
    });
    moved.collect()
}

/// Returns for each application how long after the new node it was available.
fn waits_for_amd64(environment: &Environment, applications: &[(&str, Application)]) -> Vec<Duration> {
    let scenarios = start_and_stop_node(environment, applications);
    for scenario in &scenarios {
        scenario.wait("its replacement waits", |database, view| {
            database.pods(view).iter().any(|(_, pod)| pod.node.is_none())
        });
    }
    scenarios[0].never("it was scheduled", Duration::from_secs(5), |database, view| {
        database.pods(view).iter().all(|(_, pod)| pod.node.is_some())
    });
    scenarios.iter().for_each(Scenario::event);
    environment.cluster.control("POST", "/nodes", r#"{"name": "amd64-b", "arch": "amd64"}"#);
    let back = scenarios.iter().map(|scenario| {
        scenario.wait("it is available", |database, view| database.reachable(view) > 0);
        let back = scenario.since_event();
        scenario.assert_all_hold();
        back
    });
    back.collect()
}
