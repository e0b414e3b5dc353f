//! What each rule is for: a manifest that breaks only this rule, run without the webhook to the failure it causes, and
//! refused or mended with it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use sqledge_ha::cli::Level;
use sqledge_ha::input::find;
use sqledge_ha::linter::lint;
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::rules::{RULES, Rule};
use sqledge_ha_policy::settings::Settings;

use crate::application::Application;
use crate::facts::PodFact;
use crate::ledger::{self, Table};
use crate::machines::{Remedy, cut_power, on_the_first_machine};
use crate::play::{Play, seconds};
use crate::pods::update;
use crate::promises::{Account, Promise};
use crate::registrations::list;
use crate::site::Site;

/// Where a failure can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// On one machine: the event is something that happens to pods.
    Pods,
    /// On several machines, one of which dies.
    Machines,
    /// On two machines, of which the one of the engine's architecture dies.
    OtherArchitecture,
    /// Nowhere here: it takes what these clusters do not have.
    Elsewhere,
}

/// A rule's row.
pub(crate) struct Case {
    pub(crate) rule: &'static str,
    pub(crate) stage: Stage,
    /// What the manifest says.
    says: &'static str,
    broken: fn() -> Application,
    /// What happens, in words, and what it takes.
    event: &'static str,
    cause: fn(&Play<'_>),
    /// The promise that is broken, or why none can be seen to be.
    breaks: Result<Promise, &'static str>,
}

fn right() -> Application {
    Application::deployment("ReadWriteOnce")
}

const POD: &str = "/spec/template/spec";

fn pod_with(pointer: &str, value: Value) -> Application {
    right().with("Deployment", &format!("{POD}{pointer}"), value)
}

/// Deletes the pod and waits for a replacement.
fn delete_pod(play: &Play<'_>) {
    let pod = play.pod();
    play.replaced_by(|| _ = play.must(&["delete", "pod", &pod, "--wait=false"]));
}

/// Nothing more happens: it is watched for a while.
fn wait(_: &Play<'_>) {
    std::thread::sleep(Duration::from_secs(5));
}

/// Every rule that refuses or mends, in the order of the registry.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case {
            rule: "single-replica",
            stage: Stage::Pods,
            says: "`replicas: 2`",
            broken: || right().with("Deployment", "/spec/replicas", json!(2)),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Promise::OneWriter),
        },
        Case {
            rule: "recreate-strategy",
            stage: Stage::Pods,
            says: "no `strategy`",
            broken: || right().without("Deployment", "/spec/strategy"),
            event: "the template changes",
            cause: |play| _ = update(play),
            breaks: Ok(Promise::OneWriter),
        },
        Case {
            rule: "steady-controller",
            stage: Stage::Pods,
            says: "a bare Pod",
            broken: Application::pod,
            event: "the pod is deleted",
            cause: |play| {
                play.event();
                play.must(&["delete", "pod", "ledger"]);
                wait(play);
            },
            breaks: Ok(Promise::ComesBack),
        },
        Case {
            rule: "persistent-data",
            stage: Stage::Pods,
            says: "an `emptyDir` at the data directory",
            broken: || pod_with("/volumes/0", json!({"name": "data", "emptyDir": {}})),
            event: "the pod is deleted",
            cause: delete_pod,
            breaks: Ok(Promise::SameData),
        },
        Case {
            rule: "writable-data",
            stage: Stage::Elsewhere,
            says: "`readOnly: true` on the data mount",
            broken: || pod_with("/containers/0/volumeMounts/0/readOnly", json!(true)),
            event: "the engine starts",
            cause: wait,
            breaks: Err("a real engine, which cannot open its files for writing and ends"),
        },
        Case {
            rule: "stable-data-path",
            stage: Stage::Pods,
            says: "`subPathExpr: $(POD_NAME)` on the data mount",
            broken: || {
                // With another access mode the pods would also meet.
                let name = json!({"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
                Application::deployment("ReadWriteOncePod")
                    .with("Deployment", &format!("{POD}/containers/0/env/-"), name)
                    .with("Deployment", &format!("{POD}/containers/0/volumeMounts/0/subPathExpr"), json!("$(POD_NAME)"))
            },
            event: "the pod is deleted",
            cause: delete_pod,
            breaks: Ok(Promise::SameData),
        },
        Case {
            rule: "amd64-node-selector",
            stage: Stage::OtherArchitecture,
            says: "no `nodeSelector`",
            broken: || right().without("Deployment", &format!("{POD}/nodeSelector")),
            event: "the last amd64 machine dies",
            cause: wait,
            breaks: Ok(Promise::Amd64Only),
        },
        Case {
            rule: "linux-node",
            stage: Stage::Pods,
            says: "`nodeSelector: kubernetes.io/os: windows`",
            broken: || pod_with("/nodeSelector/kubernetes.io~1os", json!("windows")),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Promise::ComesBack),
        },
        Case {
            rule: "unpinned-node",
            stage: Stage::Machines,
            says: "`nodeSelector: kubernetes.io/hostname: amd64-a`",
            broken: || pod_with("/nodeSelector/kubernetes.io~1hostname", json!("amd64-a")),
            event: "the machine dies and is tainted",
            cause: wait,
            breaks: Ok(Promise::ComesBack),
        },
        Case {
            rule: "finite-tolerations",
            stage: Stage::Machines,
            says: "`tolerations: [{operator: Exists, effect: NoExecute}]`",
            broken: || pod_with("/tolerations", json!([{"operator": "Exists", "effect": "NoExecute"}])),
            event: "the machine dies and is tainted",
            cause: wait,
            breaks: Ok(Promise::ComesBack),
        },
        Case {
            rule: "graceful-stop",
            stage: Stage::Elsewhere,
            says: "`terminationGracePeriodSeconds: 0`",
            broken: || pod_with("/terminationGracePeriodSeconds", json!(0)),
            event: "the pod is deleted",
            cause: wait,
            breaks: Err("a real engine, which is killed in the middle of its work and has to recover its databases"),
        },
        Case {
            rule: "volume-ownership",
            stage: Stage::Elsewhere,
            says: "no `fsGroup`",
            broken: || right().without("Deployment", &format!("{POD}/securityContext")),
            event: "the engine starts on a fresh volume",
            cause: wait,
            breaks: Err("a real disk, which belongs to root while the engine runs as uid 10001"),
        },
        Case {
            rule: "load-balancer-service",
            stage: Stage::Pods,
            says: "a Service of `type: ClusterIP`",
            broken: || right().with("Service", "/spec/type", json!("ClusterIP")),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Promise::SameAddress),
        },
        Case {
            rule: "reachable-service",
            stage: Stage::Pods,
            says: "`targetPort: 1434`",
            broken: || right().with("Service", "/spec/ports/0/targetPort", json!(1434)),
            event: "it is applied",
            cause: wait,
            breaks: Ok(Promise::ComesBack),
        },
    ]
}

/// Every rule that refuses or mends has a row, and its manifest breaks this rule and no other.
pub(crate) fn every_rule_has_a_manifest_that_breaks_only_it() {
    let wanted = |rule: &&Rule| matches!(rule.default_action, Action::Mutate | Action::Reject);
    let rules: Vec<&str> = RULES.iter().filter(wanted).map(|rule| rule.id).collect();
    assert_eq!(cases().iter().map(|case| case.rule).collect::<Vec<_>>(), rules, "a row for every rule, in their order");
    for case in cases() {
        assert_eq!(errors(&(case.broken)()), BTreeSet::from([case.rule.to_owned()]), "{}", case.rule);
    }
    assert_eq!(errors(&right()), BTreeSet::new());
    assert_eq!(errors(&Application::stateful_set()), BTreeSet::new());
}

fn errors(application: &Application) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("application.json");
    std::fs::write(&path, list(&application.objects)).unwrap();
    let (sources, missing) = find(&[path]);
    let outcome = lint(&sources, missing, &Settings::default(), false);
    let errors = outcome.findings.into_iter().filter(|located| located.level() == Level::Error);
    errors.map(|located| located.finding.rule.to_owned()).collect()
}

impl Case {
    /// Where its row stands.
    fn place(&self) -> usize {
        cases().iter().position(|case| case.rule == self.rule).unwrap()
    }

    fn row(&self, failure: String, with: &str) {
        let cells = [format!("`{}`", self.rule), self.says.to_owned(), self.event.to_owned(), failure, with.to_owned()];
        ledger::row(Table::Necessity, self.place(), &cells);
    }

    /// What the promise's breach looked like.
    fn failure(&self, account: &Account) -> String {
        let promise = self.breaks.unwrap();
        let seen = match promise {
            Promise::OneWriter => {
                format!("{} pods write to one claim, for {}", account.writers, seconds(account.overlap))
            }
            Promise::Amd64Only => format!(
                "the engine runs on {}",
                account.architectures.iter().cloned().collect::<Vec<_>>().join(" and ")
            ),
            Promise::SameData => "the new pod finds an empty directory".to_owned(),
            Promise::SameAddress => "clients outside the cluster have no address".to_owned(),
            Promise::ComesBack => format!("nobody can be reached, for {} and on", seconds(account.outage)),
        };
        format!("**{promise}**: {seen}")
    }

    /// Runs the manifest without the webhook until it fails.
    fn fails(&self, site: &Site) -> Account {
        let namespace = format!("without-{}", self.rule);
        site.namespace(&namespace);
        let play = Play::apply(site, &namespace, &(self.broken)());
        if self.event == "it is applied" {
            play.event();
        } else {
            play.wait("it can be reached", |database, view| database.reachable(view) > 0);
        }
        (self.cause)(&play);
        play.breaks(&[self.breaks.unwrap()])
    }

    /// Applies the manifest where the webhook answers: refused, or mended and well after the same event.
    fn is_refused_or_survives(&self, site: &Site) -> String {
        let namespace = format!("with-{}", self.rule);
        site.namespace(&namespace);
        let application = (self.broken)();
        let ran = site.kubectl(&namespace, &["apply", "-f", "-"], &list(&application.objects));
        if ran.code != 0 {
            assert!(ran.said.contains(&format!("- {}: ", self.rule)), "{ran:?}");
            return "refused".to_owned();
        }
        let play = Play::start_in(site, &namespace, &application);
        let after = if self.stage == Stage::Pods {
            play.event();
            (self.cause)(&play);
            format!(", and well after the same: without endpoint for {}", seconds(play.keeps_every_promise().outage))
        } else {
            String::new()
        };
        format!("mended{after}")
    }
}

/// The failures that take one machine, and all refusals and mends.
pub(crate) fn without_and_with(case: &Case, unprotected: &Site, protected: &Site) {
    let failure = match case.breaks {
        Ok(_) => case.failure(&case.fails(unprotected)),
        Err(takes) => format!("not shown: it takes {takes}"),
    };
    case.row(failure, &case.is_refused_or_survives(protected));
}

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

/// Microsoft's sample as it is, and as it is admitted, when its template changes.
pub(crate) fn microsoft_updates(unprotected: &Site, protected: &Site) {
    let Some(application) = Application::microsoft() else { return };
    let before = Play::start(unprotected, "microsoft-update", &application);
    update(&before);
    before.wait("the old pod has gone", |database, view| database.pods(view).len() == 1);
    let before = before.breaks(&[Promise::OneWriter]);
    let after = Play::start(protected, "microsoft-update", &application);
    update(&after);
    let after = after.keeps_every_promise();
    let unmended =
        format!("**one writer**: {} pods write to one claim, for {}", before.writers, seconds(before.overlap));
    let mended = format!("one writer; without endpoint for {}", seconds(after.outage));
    ledger::row(Table::Microsoft, 0, &["the template changes".to_owned(), unmended, mended]);
}
