//! One database on a site: it is applied, something happens to it, and its promises are judged.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use crate::application::Application;
use crate::journal::{View, timeline};
use crate::promises::{Account, Database, Promise};
use crate::ran::Ran;
use crate::site::{PATIENCE, Site};
use crate::webhook_configurations::list;

/// A database that runs.
pub(crate) struct Play<'s> {
    pub(crate) site: &'s Site,
    pub(crate) database: Database,
    pub(crate) workload: String,
    /// When things happened to it: outages count from the first.
    events: Mutex<Vec<Duration>>,
}

impl<'s> Play<'s> {
    /// Applies an application in a namespace of its own, and waits until clients can reach it.
    pub(crate) fn start(site: &'s Site, namespace: &str, application: &Application) -> Self {
        site.namespace(namespace);
        Play::start_in(site, namespace, application)
    }

    /// The same in a namespace that exists.
    pub(crate) fn start_in(site: &'s Site, namespace: &str, application: &Application) -> Self {
        let play = Play::apply(site, namespace, application);
        play.wait_until_reachable();
        play
    }

    /// Waits until clients outside the cluster can reach it.
    pub(crate) fn wait_until_reachable(&self) {
        self.wait("it can be reached", |database, view| {
            database.reachable(view) > 0 && database.address(view).is_some()
        });
    }

    /// Applies an application and does not wait for anything.
    pub(crate) fn apply(site: &'s Site, namespace: &str, application: &Application) -> Self {
        site.must(namespace, &["apply", "-f", "-"], &list(&application.objects));
        Play::of(site, namespace, application)
    }

    /// A database that somebody has applied.
    pub(crate) fn of(site: &'s Site, namespace: &str, application: &Application) -> Self {
        let database = Database {
            namespace: namespace.to_owned(),
            app: application.app.clone(),
            service: application.service.clone(),
        };
        Play { site, database, workload: application.workload.clone(), events: Mutex::default() }
    }

    /// Notes that something happens now.
    pub(crate) fn event(&self) {
        self.events.lock().unwrap().push(self.site.journal.now());
    }

    /// When the first event was.
    pub(crate) fn first_event(&self) -> Duration {
        self.events.lock().unwrap().first().copied().unwrap_or(self.site.journal.now())
    }

    /// How long ago the last event was.
    pub(crate) fn since_event(&self) -> Duration {
        let now = self.site.journal.now();
        now.saturating_sub(self.events.lock().unwrap().last().copied().unwrap_or(now))
    }

    /// The only pod's name.
    pub(crate) fn pod(&self) -> String {
        let pods = self.site.journal.look(|view| {
            let pods = self.database.pods(view).into_iter().filter(|(_, pod)| !pod.is_leaving);
            pods.map(|(key, _)| key.name.clone()).collect::<Vec<_>>()
        });
        pods.first().cloned().unwrap_or_else(|| self.fail("it has no pod"))
    }

    /// The node of its only pod.
    pub(crate) fn node(&self) -> String {
        let node =
            self.site.journal.look(|view| self.database.pods(view).into_iter().find_map(|(_, pod)| pod.node.clone()));
        node.unwrap_or_else(|| self.fail("its pod is on no node"))
    }

    /// The UIDs of its pods.
    fn uids(&self) -> BTreeSet<String> {
        self.site.journal.look(|view| self.database.pods(view).into_iter().map(|(_, pod)| pod.uid.clone()).collect())
    }

    /// Runs `kubectl` in its namespace.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Ran {
        self.site.kubectl(&self.database.namespace, arguments, "")
    }

    /// The same where nothing may go wrong.
    pub(crate) fn must(&self, arguments: &[&str]) -> String {
        self.site.must(&self.database.namespace, arguments, "")
    }

    /// Does something after which a pod in place of the one there is can be reached, and waits for that; gives the time
    /// it took from the event.
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

    /// Waits for what has to come true.
    pub(crate) fn wait(&self, what: &str, is_true: impl Fn(&Database, &View) -> bool) -> Duration {
        let waited = self.site.journal.wait(PATIENCE, |view| is_true(&self.database, view));
        waited.unwrap_or_else(|| self.fail(&format!("{what}: not within {PATIENCE:?}")))
    }

    /// Watches for a while whether something comes true that must not.
    pub(crate) fn never(&self, what: &str, within: Duration, is_true: impl Fn(&Database, &View) -> bool) {
        if self.site.journal.wait(within, |view| is_true(&self.database, view)).is_some() {
            self.fail(&format!("{what}, and must not"));
        }
    }

    /// What became of its promises until now.
    pub(crate) fn account(&self) -> Account {
        let now = self.site.journal.now();
        Account::of(&self.database, &self.site.journal.entries(), self.first_event().min(now), now)
    }

    /// Fails unless every promise was kept.
    pub(crate) fn keeps_every_promise(&self) -> Account {
        self.breaks(&[])
    }

    /// Fails unless exactly these promises were broken.
    pub(crate) fn breaks(&self, promises: &[Promise]) -> Account {
        let account = self.account();
        if account.broken() != promises {
            self.fail(&format!("broken: {:?}, expected: {promises:?}\n{account:#?}", account.broken()));
        }
        account
    }

    /// Fails with what happened, for people to read.
    pub(crate) fn fail(&self, what: &str) -> ! {
        let namespace = &self.database.namespace;
        let timeline = timeline(&self.site.journal.entries(), namespace);
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
