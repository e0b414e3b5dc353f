//! The failures that take a dying machine: one of several, and the last one that the engine can run on.

use std::time::Duration;

use super::cases::{cases, right};
use super::{Case, Stage};
use crate::application::Application;
use crate::facts::PodFact;
use crate::ledger::{self, Table};
use crate::machines::{Remedy, cut_power, on_the_first_machine};
use crate::play::{Play, seconds};
use crate::promises::{Account, Promise};
use crate::site::Site;

/// The failures that take a dying machine: beside a database in which nothing is wrong, which comes back.
pub(crate) fn a_machine_dies(site: Site, protected: &Site) {
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.stage == Stage::Machines).collect();
    let (control, plays) = on_the_first_machine(&site, || {
        let start = |case: &Case| Play::start(&site, &format!("without-{}", case.rule), &(case.broken)());
        (Play::start(&site, "without-mistake", &right()), cases.iter().map(start).collect::<Vec<_>>())
    });
    plays.iter().for_each(Play::event);
    let back = control.replaced_by(|| {
        cut_power(&site, "amd64-a");
        Remedy::Taint.apply(&site, "amd64-a");
    });
    control.keeps_every_promise();
    std::thread::sleep(back.max(Duration::from_secs(20)));
    for (case, play) in cases.iter().zip(&plays) {
        let account = play.breaks(&[case.breaks.unwrap()]);
        let failure = format!("{} (without this mistake: {})", case.failure(&account), seconds(back));
        case.row(failure, &case.is_refused_or_survives(protected));
    }
}

/// The last amd64 machine dies, and an arm64 machine is left: without the webhook and with it.
pub(crate) fn only_arm64_is_left(unprotected: Site, protected: Site) {
    let case = cases().into_iter().find(|case| case.stage == Stage::OtherArchitecture).unwrap();
    let applications = [("selects-nothing", Some((case.broken)())), ("microsoft", Application::microsoft())];
    let applications: Vec<_> = applications.into_iter().filter_map(|(name, what)| Some((name, what?))).collect();
    let (without, with) = std::thread::scope(|scope| {
        let without = scope.spawn(|| moves_to_arm64(&unprotected, &applications, case.breaks.unwrap()));
        let with = scope.spawn(|| waits_for_amd64(&protected, &applications));
        (without.join().unwrap(), with.join().unwrap())
    });
    for ((name, _), (before, after)) in applications.iter().zip(without.iter().zip(&with)) {
        let mended = format!("it waits, and is back {} after an amd64 machine has joined", seconds(*after));
        if *name == "microsoft" {
            ledger::row(Table::Microsoft, 1, &[case.event.to_owned(), case.failure(before), mended]);
        } else {
            case.row(case.failure(before), &format!("mended: {mended}"));
        }
    }
}

/// Starts the applications on the amd64 machine and cuts its power.
fn start_and_cut<'s>(site: &'s Site, applications: &[(&str, Application)]) -> Vec<Play<'s>> {
    site.cluster.must(&["cordon", "arm64-a"], "");
    let plays: Vec<_> = applications.iter().map(|(name, application)| Play::start(site, name, application)).collect();
    site.cluster.must(&["uncordon", "arm64-a"], "");
    plays.iter().for_each(Play::event);
    cut_power(site, "amd64-a");
    Remedy::Taint.apply(site, "amd64-a");
    plays
}

fn moves_to_arm64(site: &Site, applications: &[(&str, Application)], promise: Promise) -> Vec<Account> {
    let plays = start_and_cut(site, applications);
    let moved = plays.iter().map(|play| {
        play.wait("it runs on the arm64 machine", |database, view| {
            let runs = |pod: &PodFact| pod.runs && pod.node.as_deref() == Some("arm64-a");
            database.pods(view).iter().any(|(_, pod)| runs(pod)) && database.reachable(view) > 0
        });
        play.breaks(&[promise])
    });
    moved.collect()
}

/// How long after the machine joined each was back.
fn waits_for_amd64(site: &Site, applications: &[(&str, Application)]) -> Vec<Duration> {
    let plays = start_and_cut(site, applications);
    for play in &plays {
        play.wait("its replacement waits", |database, view| {
            database.pods(view).iter().any(|(_, pod)| pod.node.is_none())
        });
    }
    plays[0].never("it was scheduled", Duration::from_secs(5), |database, view| {
        database.pods(view).iter().all(|(_, pod)| pod.node.is_some())
    });
    plays.iter().for_each(Play::event);
    site.cluster.control("POST", "/nodes", r#"{"name": "amd64-b", "arch": "amd64"}"#);
    let back = plays.iter().map(|play| {
        play.wait("it is back", |database, view| database.reachable(view) > 0);
        let back = play.since_event();
        play.keeps_every_promise();
        back
    });
    back.collect()
}
