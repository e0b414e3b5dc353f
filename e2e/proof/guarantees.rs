//! The guarantees of a highly available database, checked with a journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::facts::{Fact, PodFact};
use crate::journal::{Entry, Key, View};

/// A property that an admitted database keeps during failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Guarantee {
    /// No two running pods have mounted the same claim with write access.
    OneWriter,
    /// SQL Edge runs on amd64 nodes only.
    Amd64Only,
    /// Every pod has its database files in the same directory of the same volume.
    SameData,
    /// Clients outside the cluster reach the Service at one address.
    SameAddress,
    /// In the end, clients can connect to the port of SQL Edge.
    ComesBack,
}

impl Guarantee {
    pub(crate) const ALL: [Guarantee; 5] =
        [Guarantee::OneWriter, Guarantee::Amd64Only, Guarantee::SameData, Guarantee::SameAddress, Guarantee::ComesBack];
}

impl fmt::Display for Guarantee {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Guarantee::OneWriter => "one writer",
            Guarantee::Amd64Only => "amd64 only",
            Guarantee::SameData => "same data",
            Guarantee::SameAddress => "same address",
            Guarantee::ComesBack => "comes back",
        })
    }
}

/// One database: its namespace, the label `app` of its pods, and its Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Database {
    pub(crate) namespace: String,
    pub(crate) app: String,
    pub(crate) service: String,
}

impl Database {
    /// Its existing pods.
    pub(crate) fn pods<'v>(&self, view: &'v View) -> Vec<(&'v Key, &'v PodFact)> {
        let of = |(key, fact): (&'v Key, &'v Fact)| match fact {
            Fact::Pod(pod) if self.is_mine(key, pod) => Some((key, pod)),
            _ => None,
        };
        view.iter().filter_map(of).collect()
    }

    fn is_mine(&self, key: &Key, pod: &PodFact) -> bool {
        key.namespace == self.namespace && pod.has_engine && pod.labels.get("app") == Some(&self.app)
    }

    /// The number of its pods that clients reach through the Service.
    pub(crate) fn reachable(&self, view: &View) -> usize {
        let ready = view.iter().filter(|(key, _)| key.namespace == self.namespace).map(|(_, fact)| match fact {
            Fact::Endpoints(endpoints) if endpoints.service == self.service => endpoints.ready,
            _ => 0,
        });
        ready.sum()
    }

    /// Its address for clients outside the cluster.
    pub(crate) fn address(&self, view: &View) -> Option<String> {
        let key = Key { kind: "service", namespace: self.namespace.clone(), name: self.service.clone() };
        match view.get(&key) {
            Some(Fact::Service(service)) => service.address.clone(),
            _ => None,
        }
    }

    /// The volume behind a claim and the directory in it, or the pod itself.
    fn place(&self, view: &View, key: &Key, pod: &PodFact) -> String {
        // The replacement of a StatefulSet's pod has the same name.
        let Some(place) = &pod.data else { return format!("the pod {} itself ({})", key.name, pod.uid) };
        let claim = Key { kind: "claim", namespace: self.namespace.clone(), name: place.claim.clone() };
        let volume = match view.get(&claim) {
            Some(Fact::Claim(claim)) => claim.volume.as_deref(),
            _ => None,
        };
        format!("{}/{}", volume.unwrap_or(&place.claim), place.directory)
    }
}

/// What a journal shows of one database.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Observations {
    /// The maximum number of pods that had mounted one claim with write access at the same time.
    pub(crate) writers: usize,
    /// How long there was more than one.
    pub(crate) overlap: Duration,
    /// The architectures of the nodes that ran SQL Edge.
    pub(crate) architectures: BTreeSet<String>,
    /// Where running pods had their database files.
    pub(crate) places: BTreeSet<String>,
    /// The nodes that ran SQL Edge, in order.
    pub(crate) nodes: Vec<String>,
    /// The addresses of the Service, and whether it lost its first address.
    pub(crate) addresses: BTreeSet<String>,
    pub(crate) lost_address: bool,
    /// How long clients could not connect, counted from `from`.
    pub(crate) outage: Duration,
    /// Whether clients can connect in the end.
    pub(crate) answers: bool,
    /// The number of pods.
    pub(crate) pods: usize,
}

impl Observations {
    /// Evaluates a journal up to `until`. The outage counts only after `from`.
    pub(crate) fn of(database: &Database, entries: &[Entry], from: Duration, until: Duration) -> Self {
        let mut observations = Observations::default();
        let (mut view, mut pods) = (View::new(), BTreeSet::new());
        let ends = entries.iter().map(|entry| entry.at).skip(1).chain([until]);
        for (entry, end) in entries.iter().zip(ends).filter(|(entry, _)| entry.at <= until) {
            match &entry.fact {
                Some(fact) => view.insert(entry.key.clone(), fact.clone()),
                None => view.remove(&entry.key),
            };
            let lasts = end.min(until).saturating_sub(entry.at);
            observations.add(database, &view, lasts, end.min(until).saturating_sub(from.max(entry.at)));
            pods.extend(database.pods(&view).into_iter().map(|(_, pod)| pod.uid.clone()));
        }
        observations.pods = pods.len();
        observations
    }

    /// Adds a period without changes. `out` is the part of it that counts as outage.
    fn add(&mut self, database: &Database, view: &View, lasts: Duration, out: Duration) {
        let running: Vec<_> = database.pods(view).into_iter().filter(|(_, pod)| pod.runs).collect();
        let mut writers: BTreeMap<&str, usize> = BTreeMap::new();
        for (key, pod) in &running {
            let claims: BTreeSet<&str> = pod.claims.iter().map(String::as_str).collect();
            claims.into_iter().for_each(|claim| *writers.entry(claim).or_default() += 1);
            self.places.insert(database.place(view, key, pod));
            let node = pod.node.clone().unwrap_or_default();
            if let Some(Fact::Node(fact)) =
                view.get(&Key { kind: "node", namespace: String::new(), name: node.clone() })
            {
                self.architectures.insert(fact.architecture.clone());
            }
            if !self.nodes.contains(&node) {
                self.nodes.push(node);
            }
        }
        let most = writers.into_values().max().unwrap_or_default();
        self.writers = self.writers.max(most);
        if most > 1 {
            self.overlap += lasts;
        }
        match database.address(view) {
            Some(address) => _ = self.addresses.insert(address),
            None => self.lost_address |= !self.addresses.is_empty(),
        }
        self.answers = database.reachable(view) > 0;
        if !self.answers {
            self.outage += out;
        }
    }

    /// Whether a guarantee held.
    pub(crate) fn keeps(&self, guarantee: Guarantee) -> bool {
        match guarantee {
            Guarantee::OneWriter => self.writers <= 1,
            Guarantee::Amd64Only => self.architectures.iter().all(|architecture| architecture == "amd64"),
            Guarantee::SameData => self.places.len() <= 1,
            Guarantee::SameAddress => self.addresses.len() == 1 && !self.lost_address,
            Guarantee::ComesBack => self.answers,
        }
    }

    /// The broken guarantees.
    pub(crate) fn broken(&self) -> Vec<Guarantee> {
        Guarantee::ALL.into_iter().filter(|guarantee| !self.keeps(*guarantee)).collect()
    }
}

/// Tests of the guarantees with invented journals.
pub(crate) mod examples {
    use super::*;
    use crate::facts::{ClaimFact, DataLocation, EndpointsFact, NodeFact, ServiceFact};

    fn database() -> Database {
        Database { namespace: "db".to_owned(), app: "sql".to_owned(), service: "sql".to_owned() }
    }

    fn entry(at: u64, kind: &'static str, name: &str, fact: Option<Fact>) -> Entry {
        let namespace = if kind == "node" { String::new() } else { "db".to_owned() };
        Entry { at: Duration::from_secs(at), key: Key { kind, namespace, name: name.to_owned() }, fact }
    }

    fn pod(name: &str, node: &str, directory: &str) -> Option<Fact> {
        Some(Fact::Pod(PodFact {
            uid: name.to_owned(),
            labels: [("app".to_owned(), "sql".to_owned())].into(),
            node: Some(node.to_owned()),
            has_engine: true,
            runs: true,
            is_ready: true,
            is_leaving: false,
            restarts: 0,
            claims: vec!["data".to_owned()],
            data: Some(DataLocation { claim: "data".to_owned(), directory: directory.to_owned() }),
        }))
    }

    fn node(architecture: &str) -> Option<Fact> {
        Some(Fact::Node(NodeFact { architecture: architecture.to_owned(), is_ready: true, taints: vec![] }))
    }

    fn reachable(ready: usize) -> Option<Fact> {
        Some(Fact::Endpoints(EndpointsFact { service: "sql".to_owned(), ready }))
    }

    fn address(address: Option<&str>) -> Option<Fact> {
        Some(Fact::Service(ServiceFact { kind: "LoadBalancer".to_owned(), address: address.map(str::to_owned) }))
    }

    fn volume(name: &str) -> Option<Fact> {
        Some(Fact::Claim(ClaimFact { uid: name.to_owned(), volume: Some(name.to_owned()) }))
    }

    /// A database that is available until second 10, and then these events.
    fn after(events: Vec<Entry>) -> Observations {
        let mut entries = vec![
            entry(0, "node", "a", node("amd64")),
            entry(0, "node", "b", node("amd64")),
            entry(0, "node", "c", node("arm64")),
            entry(1, "claim", "data", volume("disk-1")),
            entry(1, "service", "sql", address(Some("203.0.113.1"))),
            entry(2, "pod", "sql-1", pod("sql-1", "a", "")),
            entry(3, "endpoints", "sql-x", reachable(1)),
        ];
        entries.extend(events);
        Observations::of(&database(), &entries, Duration::from_secs(10), Duration::from_secs(60))
    }

    fn moved_to(node: &str, directory: &str) -> Vec<Entry> {
        vec![
            entry(11, "endpoints", "sql-x", reachable(0)),
            entry(12, "pod", "sql-1", None),
            entry(14, "pod", "sql-2", pod("sql-2", node, directory)),
            entry(15, "endpoints", "sql-x", reachable(1)),
        ]
    }

    pub(crate) fn a_failover_breaks_no_guarantee() {
        let observations = after(moved_to("b", ""));
        assert_eq!(observations.broken(), []);
        assert_eq!(
            (observations.outage, observations.nodes, observations.pods),
            (Duration::from_secs(4), vec!["a".into(), "b".into()], 2)
        );
    }

    pub(crate) fn each_failure_breaks_one_guarantee() {
        let mut late = moved_to("b", "");
        late[1].at = Duration::from_secs(16);
        late.sort_by_key(|entry| entry.at);
        let observations = after(late);
        assert_eq!((observations.broken(), observations.overlap), (vec![Guarantee::OneWriter], Duration::from_secs(2)));
        assert_eq!(after(moved_to("c", "")).broken(), [Guarantee::Amd64Only]);
        assert_eq!(after(moved_to("b", "sql-2")).broken(), [Guarantee::SameData]);
        let mut claim = moved_to("b", "");
        claim.insert(2, entry(13, "claim", "data", volume("disk-2")));
        assert_eq!(after(claim).broken(), [Guarantee::SameData]);
        assert_eq!(after(vec![entry(11, "service", "sql", address(None))]).broken(), [Guarantee::SameAddress]);
        assert_eq!(
            after(vec![entry(11, "service", "sql", address(Some("203.0.113.2")))]).broken(),
            [Guarantee::SameAddress]
        );
        let never = after(vec![entry(20, "endpoints", "sql-x", reachable(0))]);
        assert_eq!((never.broken(), never.outage), (vec![Guarantee::ComesBack], Duration::from_secs(40)));
    }
}
