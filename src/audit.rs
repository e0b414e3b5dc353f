//! A live cluster: its databases, the findings of the rules on them, and what each failure does to them.
//!
//! An API server's objects on their way to the report: `read` lists and prunes them → [`inventory`] holds them →
//! `findings` runs the rules, `live` adds what only a cluster shows, and [`mod@forecast`] predicts failures → `report`
//! prints them.
//!
//! | file | contents |
//! |---|---|
//! | `read`, `resources` | lists from the API server, and which resources and fields are read |
//! | `permissions` | the RBAC rules that an audit needs |
//! | `inventory` | the objects, by kind and name; what the pods of each node request |
//! | `configuration` | workloads with the contents of their ConfigMaps |
//! | `database` | the databases with their pods, and what they do now |
//! | `storage` | where the database files are |
//! | `placement` | the nodes that can take a pod |
//! | `remediation` | who removes a failed node |
//! | `timers`, `clock` | how long steps take; times in objects |
//! | `findings`, `live` | the rules, and notes from a live cluster |
//! | `forecast` | what each failure does |
//! | `report` | the report formats |
//! | `publish` | reports into the cluster, and metrics to a Pushgateway |
//! | `retry` | requests to an API server that is busy |

pub(crate) mod clock;
mod configuration;
pub mod database;
mod findings;
pub mod forecast;
pub mod inventory;
mod live;
pub mod permissions;
pub mod placement;
pub mod publish;
pub mod read;
pub mod remediation;
pub mod report;
pub(crate) mod resources;
mod retry;
pub mod storage;
pub mod timers;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use sqledge_ha_policy::kubernetes::name_of;
use sqledge_ha_policy::kubernetes::objects::{Autoscaler, DisruptionBudget, Node};
use sqledge_ha_policy::settings::Settings;

use self::database::{Database, Now, Pod};
use self::forecast::{Conditions, Failure, Forecast, Outcome, Situation, forecast};
use self::inventory::{Inventory, Objects, Unread};
use self::remediation::Remediator;
use self::timers::Timers;
use crate::linter::{Level, ObjectFinding, ObjectId};

/// The most pods of one database with a forecast. A database has one; only mistakes have more.
const MAX_PODS: usize = 10;

/// What an audit found.
#[derive(Debug)]
pub struct Audit {
    /// The address of the API server, or where the objects come from.
    pub source: String,
    /// The minor version of Kubernetes 1.
    pub minor_version: Option<u32>,
    /// The databases, the worst first.
    pub databases: Vec<DatabaseReport>,
    /// The findings that belong to no database.
    pub findings: Vec<ObjectFinding>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// The number of nodes.
    pub nodes: usize,
    /// The number of objects that were read.
    pub objects_read: usize,
    /// The failures that were predicted.
    pub failures: Vec<Failure>,
    /// Whether only one event was asked for.
    pub is_what_if: bool,
}

/// What an audit found about a database.
#[derive(Debug)]
pub struct DatabaseReport {
    /// The workload.
    pub object: ObjectId,
    /// The operator's object that owns it.
    pub operator: Option<String>,
    /// The product.
    pub product: &'static str,
    /// The image.
    pub image: String,
    /// What it does now.
    pub now: Now,
    /// The findings on it, and on objects that are related to it.
    pub findings: Vec<ObjectFinding>,
    /// Notes from the live cluster.
    pub notes: Vec<String>,
    /// What each failure does; empty if no pod is on a node.
    pub forecasts: Vec<Forecast>,
}

impl DatabaseReport {
    /// Its namespace.
    pub fn namespace(&self) -> &str {
        self.object.namespace.as_deref().unwrap_or_default()
    }

    /// Its namespace and name.
    pub fn full_name(&self) -> String {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        format!("{}/{}", text(&self.object.namespace), text(&self.object.name))
    }

    /// The worst outcome.
    pub fn worst(&self) -> Option<Outcome> {
        self.forecasts.iter().map(|forecast| forecast.outcome).max()
    }

    /// The number of findings of a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|found| Level::from_finding(&found.finding) == level).count()
    }
}

/// One event whose effect on all databases is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhatIf {
    /// A node fails.
    Node(String),
    /// A node is drained.
    Drain(String),
    /// A zone fails.
    Zone(String),
}

impl WhatIf {
    /// The failure.
    pub fn failure(&self) -> Failure {
        match self {
            WhatIf::Node(_) => Failure::NodeFailure,
            WhatIf::Drain(_) => Failure::Drain,
            WhatIf::Zone(_) => Failure::ZoneFailure,
        }
    }

    /// The name of the node or zone.
    pub fn name(&self) -> &str {
        match self {
            WhatIf::Node(name) | WhatIf::Drain(name) | WhatIf::Zone(name) => name,
        }
    }

    /// Whether it happens to a node.
    fn concerns(&self, node: Option<&Node<'_>>, node_name: &str) -> bool {
        match self {
            WhatIf::Node(name) | WhatIf::Drain(name) => name == node_name,
            WhatIf::Zone(name) => node.and_then(Node::zone) == Some(name.as_str()),
        }
    }

    /// Whether the cluster has such a node or zone.
    pub fn exists_in(&self, inventory: &Inventory) -> bool {
        Objects::new(inventory).nodes().any(|node| self.concerns(Some(&node), node.name()))
    }
}

/// Checks an inventory, and predicts the failures of its databases: all, or one.
pub fn audit(inventory: &Inventory, settings: &Settings, timers: Timers, what_if: Option<&WhatIf>) -> Audit {
    let objects = Objects::new(inventory);
    let mut timers = timers;
    timers.minor_version = timers.minor_version.or(inventory.minor_version);
    let conditions = Conditions { timers, remediators: Remediator::find_all(&objects) };
    let failures = what_if.map_or_else(|| Failure::ALL.to_vec(), |what_if| vec![what_if.failure()]);
    let databases = Database::find_all(&objects, &inventory.objects, settings);
    let mut reports: Vec<DatabaseReport> = databases
        .iter()
        .map(|database| DatabaseReport {
            object: ObjectId { namespace: Some(database.namespace.to_owned()), ..ObjectId::new(database.object) },
            operator: database.operator(),
            product: database.workload.product(),
            image: database.image().to_owned(),
            now: database.now.clone(),
            findings: Vec::new(),
            notes: live::notes(database, &objects, inventory),
            forecasts: forecasts(database, &objects, inventory, &conditions, &failures, what_if),
        })
        .collect();
    let owners = owners(&databases, &objects);
    let mut others = Vec::new();
    let (findings, note) = findings::check_all(inventory, &objects, settings);
    for found in findings {
        match owner(&found, &owners).and_then(|at| reports.get_mut(at)) {
            Some(report) => report.findings.push(found),
            None => others.push(found),
        }
    }
    reports.iter_mut().for_each(|report| sort(&mut report.findings));
    sort(&mut others);
    reports.sort_by_key(|report| (Reverse((report.worst(), report.count(Level::Error))), report.full_name()));
    Audit {
        source: inventory.source.clone(),
        minor_version: inventory.minor_version,
        databases: reports,
        findings: others,
        unread: inventory.unread.clone(),
        notes: note.into_iter().collect(),
        nodes: objects.of_kind("Node").len(),
        objects_read: inventory.objects_read,
        failures,
        is_what_if: what_if.is_some(),
    }
}

fn forecasts<'a>(
    database: &Database<'a>,
    objects: &Objects<'a>,
    inventory: &'a Inventory,
    conditions: &Conditions,
    failures: &[Failure],
    what_if: Option<&WhatIf>,
) -> Vec<Forecast> {
    let is_affected = |pod: &&Pod<'a>| {
        let node = pod.node().unwrap_or_default();
        what_if.is_none_or(|what_if| what_if.concerns(objects.node(node).as_ref(), node))
    };
    let usage = inventory.usage.as_ref();
    let affected = database.placed_pods().filter(is_affected).take(MAX_PODS);
    let situations: Vec<Situation<'_, '_>> =
        affected.filter_map(|pod| Situation::new(database, pod, objects, usage, conditions)).collect();
    let nodes: Vec<&str> = database.placed_pods().filter_map(Pod::node).collect();
    if nodes.is_empty() {
        return Vec::new();
    }
    let of_failure = |failure: &Failure| {
        let of_pod = |situation: &Situation<'_, 'a>| (situation.pod.name(), forecast(situation, *failure));
        let predicted = match (situations.as_slice(), nodes.len()) {
            ([situation], 1) => Some(of_pod(situation).1),
            (situations, _) => Forecast::of_several(situations.iter().map(of_pod).collect()),
        };
        predicted.unwrap_or_else(|| Forecast::unaffected(*failure, &nodes))
    };
    failures.iter().map(of_failure).collect()
}

/// Errors first, then by rule and object.
fn sort(findings: &mut [ObjectFinding]) {
    fn key(found: &ObjectFinding) -> (Reverse<Level>, &str, &str) {
        let finding = &found.finding;
        (Reverse(Level::from_finding(finding)), finding.rule, &finding.pointer)
    }
    findings.sort_by(|one, other| key(one).cmp(&key(other)));
}

/// The kind, namespace and name of an object.
type ObjectKey<'k> = (&'k str, &'k str, Cow<'k, str>);

/// The objects that belong to databases, with the index of the first such database.
fn owners<'a>(databases: &[Database<'a>], objects: &Objects<'a>) -> HashMap<ObjectKey<'a>, usize> {
    let mut owners = HashMap::new();
    for (at, database) in databases.iter().enumerate() {
        for member in members(database, objects) {
            owners.entry(member).or_insert(at);
        }
    }
    owners
}

/// A database and the objects that belong to it: its claims, Services, budgets and autoscalers.
fn members<'a>(database: &Database<'a>, objects: &Objects<'a>) -> Vec<ObjectKey<'a>> {
    let key = |kind: &'static str, name: &'a str| (kind, database.namespace, Cow::Borrowed(name));
    let mut members = vec![key(database.workload.kind.name(), database.name())];
    let claims = database.workload.data_claims().iter().map(|claim| claim.name(&database.workload));
    members.extend(claims.map(|claim| ("PersistentVolumeClaim", database.namespace, Cow::Owned(claim))));
    members.extend(database.services.iter().map(|service| key("Service", service.name())));
    let pods = database.workload.pods(database.namespace);
    let budgets = objects.in_namespace("PodDisruptionBudget", database.namespace);
    members.extend(budgets.filter_map(|budget| {
        let budget = DisruptionBudget::read(budget);
        let name = budget.object.path(&["metadata", "name"]).str()?;
        budget.selector()?.matches(&pods).then(|| key("PodDisruptionBudget", name))
    }));
    for kind in ["HorizontalPodAutoscaler", "ScaledObject", "VerticalPodAutoscaler"] {
        let autoscalers = objects.in_namespace(kind, database.namespace).filter(|autoscaler| {
            Autoscaler::read(autoscaler).target() == Some((database.workload.kind.name(), database.name()))
        });
        members.extend(autoscalers.map(|autoscaler| key(kind, name_of(autoscaler))));
    }
    members
}

/// The index of the first database that has the object of a finding, or one that is related to it.
fn owner(found: &ObjectFinding, owners: &HashMap<ObjectKey<'_>, usize>) -> Option<usize> {
    let ObjectId { kind, namespace, name, .. } = &*found.object;
    let related = found.finding.related.iter().map(|related| {
        let [_, kind, namespace, name] = &related.object;
        [kind, namespace, name]
    });
    let objects = std::iter::once([kind, namespace, name]).chain(related);
    let found = objects.filter_map(|fields| {
        let [kind, namespace, name] = fields.map(|field| field.as_deref().unwrap_or_default());
        owners.get(&(kind, namespace, Cow::Borrowed(name)))
    });
    found.min().copied()
}
