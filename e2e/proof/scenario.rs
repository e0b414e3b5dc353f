//! A scenario: a database is applied, events happen, and its guarantees are checked.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use crate::application::Application;
use crate::environment::{Environment, TIMEOUT};
use crate::guarantees::{Database, Guarantee, Observations};
use crate::journal::{View, timeline};
use crate::ran::Ran;
use crate::webhook_configurations::list;

/// A running database.
pub(crate) struct Scenario<'s> {
    pub(crate) environment: &'s Environment,
    pub(crate) database: Database,
    pub(crate) workload: String,
    /// The times of events. Outages count from the first one.
    events: Mutex<Vec<Duration>>,
}

impl<'s> Scenario<'s> {
    /// Applies an application in a new namespace, and waits until clients can connect.
    pub(crate) fn start(environment: &'s Environment, namespace: &str, application: &Application) -> Self {
        environment.namespace(namespace);
        Scenario::start_in(environment, namespace, application)
    }

    /// Like [`Scenario::start`], in an existing namespace.
    pub(crate) fn start_in(environment: &'s Environment, namespace: &str, application: &Application) -> Self {
        let scenario = Scenario::apply(environment, namespace, application);
        scenario.wait_until_reachable();
        scenario
    }

    /// Waits until clients outside the cluster can connect.
    pub(crate) fn wait_until_reachable(&self) {
        self.wait("it can be reached", |database, view| {
            database.reachable(view) > 0 && database.address(view).is_some()
        });
    }

    /// Applies an application without waiting.
    pub(crate) fn apply(environment: &'s Environment, namespace: &str, application: &Application) -> Self {
        environment.must(namespace, &["apply", "-f", "-"], &list(&application.objects));
        Scenario::of(environment, namespace, application)
    }

    /// A database that is already applied.
    pub(crate) fn of(environment: &'s Environment, namespace: &str, application: &Application) -> Self {
        let database = Database {
            namespace: namespace.to_owned(),
            app: application.app.clone(),
            service: application.service.clone(),
        };
        Scenario { environment, database, workload: application.workload.clone(), events: Mutex::default() }
    }

    /// Records an event.
    pub(crate) fn event(&self) {
        self.events.lock().unwrap().push(self.environment.journal.now());
    }

    /// The time of the first event.
    pub(crate) fn first_event(&self) -> Duration {
        self.events.lock().unwrap().first().copied().unwrap_or(self.environment.journal.now())
    }

    /// The time since the last event.
    pub(crate) fn since_event(&self) -> Duration {
        let now = self.environment.journal.now();
        now.saturating_sub(self.events.lock().unwrap().last().copied().unwrap_or(now))
    }

    /// The name of its only pod.
    pub(crate) fn pod(&self) -> String {
        let pods = self.environment.journal.look(|view| {
            let pods = self.database.pods(view).into_iter().filter(|(_, pod)| !pod.is_leaving);
            pods.map(|(key, _)| key.name.clone()).collect::<Vec<_>>()
        });
        pods.first().cloned().unwrap_or_else(|| self.fail("it has no pod"))
    }

    /// The node of its only pod.
    pub(crate) fn node(&self) -> String {
        let node = self
            .environment
            .journal
            .look(|view| self.database.pods(view).into_iter().find_map(|(_, pod)| pod.node.clone()));
        node.unwrap_or_else(|| self.fail("its pod is on no node"))
    }

    /// The UIDs of its pods.
    fn uids(&self) -> BTreeSet<String> {
        self.environment
            .journal
            .look(|view| self.database.pods(view).into_iter().map(|(_, pod)| pod.uid.clone()).collect())
    }

    /// Runs `kubectl` in its namespace.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Ran {
        self.environment.kubectl(&self.database.namespace, arguments, "")
    }

    /// Runs `kubectl`, and fails if it fails.
    pub(crate) fn must(&self, arguments: &[&str]) -> String {
        self.environment.must(&self.database.namespace, arguments, "")
    }

    /// Runs an event, waits until clients can connect to a replacement pod, and returns the time since the event.
    pub(crate) fn replaced_by(&self, event: impl FnOnce()) -> Duration {
        let before = self.uids();
        self.event();
        event();
        self.wait("another pod can be reached", |database, view| {
            let pods = database.pods(view);
            !pods.is_empty() && pods.iter().all(|(_, pod)| !before.contains(&pod.uid)) && database.reachable(view) > 0
        });
        self.since_event()
    }

    /// Waits for a condition.
    pub(crate) fn wait(&self, what: &str, is_true: impl Fn(&Database, &View) -> bool) -> Duration {
        let waited = self.environment.journal.wait(TIMEOUT, |view| is_true(&self.database, view));
        waited.unwrap_or_else(|| self.fail(&format!("{what}: not within {TIMEOUT:?}")))
    }

    /// Fails if a condition becomes true within a time.
    pub(crate) fn never(&self, what: &str, within: Duration, is_true: impl Fn(&Database, &View) -> bool) {
        if self.environment.journal.wait(within, |view| is_true(&self.database, view)).is_some() {
            self.fail(&format!("{what}, but must not"));
        }
    }

    /// The observations until now.
    pub(crate) fn observations(&self) -> Observations {
        let now = self.environment.journal.now();
        Observations::of(&self.database, &self.environment.journal.entries(), self.first_event().min(now), now)
    }

    /// Fails unless all guarantees held.
    pub(crate) fn assert_all_hold(&self) -> Observations {
        self.assert_broken(&[])
    }

    /// Fails unless exactly these guarantees were broken.
    pub(crate) fn assert_broken(&self, guarantees: &[Guarantee]) -> Observations {
        let observations = self.observations();
        if observations.broken() != guarantees {
            self.fail(&format!("broken: {:?}, expected: {guarantees:?}\n{observations:#?}", observations.broken()));
        }
        observations
    }

    /// Fails with a timeline.
    pub(crate) fn fail(&self, what: &str) -> ! {
        let namespace = &self.database.namespace;
        let timeline = timeline(&self.environment.journal.entries(), namespace);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/proof");
        let file = folder.join(format!("{namespace}.txt"));
        let _ = std::fs::create_dir_all(&folder);
        let _ = std::fs::write(&file, format!("{what}\n\n{timeline}"));
        let events = self.kubectl(&["get", "events", "--sort-by=.lastTimestamp"]).output;
        panic!("{namespace}: {what}\n{timeline}\n{events}\nalso in {}", file.display());
    }
}

/// Seconds, with one decimal.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
