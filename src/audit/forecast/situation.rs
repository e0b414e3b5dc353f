//! What the failures of one database have in common.

use std::collections::BTreeMap;

use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::json::cursor::Cursor;
use sqledge_ha_policy::kubernetes::image::ImageReference;
use sqledge_ha_policy::kubernetes::objects::Node;
use sqledge_ha_policy::kubernetes::quantity::quantity;

use super::super::clock::parse_time;
use super::super::database::{Controller, Database, Pod};
use super::super::inventory::{NodeUsage, Objects, Requests};
use super::super::placement::{Scheduling, Targets, Verdicts};
use super::super::storage::{Home, Storage};
use super::super::timers::{Seconds, Sourced, Timer};
use super::{Certainty, Conditions, Draft, Outcome, help};

/// A database with a pod on a node, and the rest of the cluster.
#[derive(Debug)]
pub struct Situation<'s, 'a> {
    /// The database.
    pub database: &'s Database<'a>,
    /// Its pod.
    pub pod: &'s Pod<'a>,
    /// The pod's node; `None` if the Node cannot be read.
    pub node: Option<Node<'a>>,
    /// Where its files are.
    pub storage: Storage<'a>,
    /// All objects.
    pub objects: &'s Objects<'a>,
    /// Which nodes can take the pod.
    pub verdicts: Verdicts<'a>,
    /// What the forecasts of all databases have in common.
    pub conditions: &'s Conditions,
}

/// How many nodes of one kind are named as evidence.
const SHOWN_NODES: usize = 5;

/// Whether the replacement pod starts on another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// It can be the same node or another one.
    Perhaps,
    /// It is another node.
    Certain,
    /// It is the same node.
    No,
}

/// What a failure ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The container; the pod stays, with its volumes.
    Container,
    /// The pod.
    Pod,
}

impl<'s, 'a> Situation<'s, 'a> {
    /// The situation of a database for one of its pods; `None` if the pod is on no node.
    pub fn new(
        database: &'s Database<'a>,
        pod: &'s Pod<'a>,
        objects: &'s Objects<'a>,
        usage: Option<&'s BTreeMap<String, NodeUsage>>,
        conditions: &'s Conditions,
    ) -> Option<Self> {
        let node = objects.node(pod.node()?);
        let storage = Storage::new(database, pod, objects);
        let verdicts = Scheduling { database, pod, storage: &storage, objects, usage }.verdicts();
        Some(Situation { database, pod, node, storage, objects, verdicts, conditions })
    }

    /// The name of the pod's node.
    pub fn node_name(&self) -> &'a str {
        self.pod.node().unwrap_or_default()
    }

    /// The nodes that can take the replacement pod, of those that `is_there` leaves.
    pub(super) fn targets(&self, is_there: impl Fn(&Node<'a>) -> bool) -> Targets<'a> {
        self.verdicts.targets(is_there)
    }

    /// The nodes that can take the replacement pod, without the pod's own.
    pub(super) fn other_targets(&self) -> Targets<'a> {
        self.targets(|node| node.name() != self.node_name())
    }

    /// The product's name.
    pub(super) fn product(&self) -> &'static str {
        self.database.workload.product()
    }

    /// Adds what becomes of files in the container's own filesystem, or in volumes of the pod.
    pub(super) fn lose_files_of_the_pod(&self, draft: &mut Draft, ended: Ended) {
        for home in &self.storage.homes {
            match home {
                Home::Container { directory } => {
                    draft.certainly(
                        Outcome::LosesData,
                        format!("{directory} is in the container filesystem, which ends with the container"),
                        help::KEEP_FILES_ON_CLAIM,
                    );
                }
                Home::PodVolume { name, .. } if ended == Ended::Pod => {
                    draft.certainly(
                        Outcome::LosesData,
                        format!("volume {} ends with the pod", quoted(name)),
                        help::KEEP_FILES_ON_CLAIM,
                    );
                }
                _ => {}
            }
        }
        self.doubt_about_files(draft);
    }

    /// Whether the place of some files is not known.
    pub(super) fn has_unknown_files(&self) -> bool {
        self.storage.homes.iter().any(|home| matches!(home, Home::Unknown))
    }

    /// Says that the place of some files is not known.
    fn doubt_about_files(&self, draft: &mut Draft) {
        if self.has_unknown_files() {
            draft.certainly(Outcome::Unknown, "the manifest does not show where all database files are", "");
        }
    }

    /// Adds what becomes of files in a directory of the node if the pod moves.
    pub(super) fn lose_files_of_the_node(&self, draft: &mut Draft, movement: Move) {
        for home in &self.storage.homes {
            if let Home::NodePath { name } = home
                && movement != Move::No
            {
                let certainty = Certainty::certain_if(movement == Move::Certain);
                let starts = if certainty == Certainty::Certain { "starts" } else { "can start" };
                let node = quoted(self.node_name());
                draft.add(
                    Outcome::LosesData,
                    certainty,
                    format!(
                        "it {starts} empty on another node: the files of volume {} stay on node {node}",
                        quoted(name)
                    ),
                    help::USE_PORTABLE_STORAGE,
                );
            }
        }
    }

    /// Adds that no node can take the pod, or that it can start where the database does not work.
    pub(super) fn check_targets(&self, draft: &mut Draft, targets: &Targets<'a>) {
        if let Some(doubt) = targets.doubt {
            draft.also.push(format!("not evaluated: {doubt}"));
        }
        if targets.is_empty() {
            let why = targets.why_none();
            let why = if why.is_empty() { "there is no other node".to_owned() } else { why };
            draft.certainly(
                Outcome::Waits,
                format!("no node can take the pod: {why}"),
                "add a node that fits, or free one",
            );
            return;
        }
        for node in targets.good.iter().take(SHOWN_NODES) {
            draft.shows("Node", "", node.name(), "can take the pod");
        }
        if targets.good.len() > SHOWN_NODES {
            draft.also.push(format!("{} nodes can take the pod", targets.good.len()));
        }
        if let Some((node, unfit)) = targets.bad.first() {
            let (name, reason) = (quoted(node.name()), unfit.reason());
            let message = match (targets.good.is_empty(), targets.bad.len()) {
                (true, 1) => format!("only node {name} can take the pod: {reason}"),
                (true, count) => {
                    format!("it starts on none of the {count} nodes that can take the pod; on {name}, {reason}")
                }
                (false, _) => format!("the scheduler may choose node {name}: {reason}"),
            };
            let certainty = Certainty::certain_if(targets.good.is_empty());
            draft.add(Outcome::NeverStarts, certainty, message, unfit.help());
            for (node, unfit) in targets.bad.iter().take(SHOWN_NODES) {
                draft.shows("Node", "", node.name(), unfit.reason());
            }
        }
    }

    /// Adds that the cluster has no room in a quota of the namespace for a pod beside the old one.
    pub(super) fn check_quota(&self, draft: &mut Draft) {
        let Requests { cpu, memory } = Requests::from_pod_spec(&self.pod.spec());
        let limits = Requests::limits_from_pod_spec(&self.pod.spec());
        let needs = [
            ("pods", 1.0),
            ("count/pods", 1.0),
            ("cpu", cpu),
            ("requests.cpu", cpu),
            ("memory", memory),
            ("requests.memory", memory),
            ("limits.cpu", limits.cpu),
            ("limits.memory", limits.memory),
        ];
        for quota in self.objects.in_namespace("ResourceQuota", self.database.namespace) {
            let quota = Cursor::root(quota);
            let (hard, used) = (quota.path(&["status", "hard"]), quota.path(&["status", "used"]));
            let amount = |map: &Cursor<'_>, key: &str| map.get(key).and_then(|value| quantity(&Cursor::root(value)));
            let is_full = |(key, need): &(&str, f64)| matches!((amount(&hard, key), amount(&used, key)), (Some(hard), Some(used)) if used + need > hard);
            if let Some((key, _)) = needs.iter().find(|need| is_full(need)) {
                let name = quota.path(&["metadata", "name"]).str().unwrap_or_default();
                draft.certainly(
                    Outcome::Waits,
                    format!("ResourceQuota {} leaves no room for a pod beside the old one", quoted(name)),
                    "raise the quota by what one pod needs",
                );
                draft.shows(
                    "ResourceQuota",
                    self.database.namespace,
                    name,
                    format!("has too little left of {}", quoted(key)),
                );
            }
        }
    }

    /// Whether the database files could be used by two pods at once, if the replacement can start on these nodes while
    /// the old pod still runs on its own: a volume that must be attached is on one node at a time.
    pub(super) fn can_overlap(&self, targets: &Targets<'a>) -> bool {
        let is_attached = self.storage.attached().next().is_some();
        targets.contains(self.node_name()) && self.storage.is_shared()
            || !targets.is_empty() && !is_attached && self.storage.is_shared_across_nodes()
    }

    /// Stopping the pod: between nothing and its grace period.
    pub(super) fn stop(&self) -> Sourced {
        let grace = self.pod.spec().at("terminationGracePeriodSeconds").value().and_then(serde_json::Value::as_f64);
        let grace = grace.unwrap_or(30.0);
        let observed = (Seconds::new(0.0, grace), "terminationGracePeriodSeconds of the pod".to_owned());
        self.conditions.timers.get(Timer::Stop, Some(observed))
    }

    /// Starting the container until the pod is ready, as the cluster shows it for the last start.
    pub(super) fn start(&self) -> Sourced {
        self.conditions.timers.get(Timer::Start, self.observed_start())
    }

    fn observed_start(&self) -> Option<Sourced> {
        let ready = self.pod.condition("Ready").filter(|_| self.pod.is_ready())?;
        let ready_at = parse_time(ready.at("lastTransitionTime").str()?)?;
        let started = self
            .pod
            .container_statuses()
            .filter_map(|status| parse_time(status.path(&["state", "running", "startedAt"]).str()?));
        let seconds = ready_at - started.max_by(f64::total_cmp)?;
        // A readiness that was lost and regained says nothing about a start.
        if !(0.0..=600.0).contains(&seconds) {
            return None;
        }
        let range = Seconds::new((seconds / 2.0).floor(), seconds * 2.0 + 10.0);
        Some((range, format!("its last start took {seconds:.0} s")))
    }

    /// The steps of a pod that starts: its volume comes, the image is pulled, the database starts.
    pub(super) fn add_start(&self, draft: &mut Draft, targets: &Targets<'a>, movement: Move) {
        let is_attached = self.storage.attached().next().is_some();
        if is_attached && movement != Move::No {
            for (timer, what) in [(Timer::Detach, "the volume is detached"), (Timer::Attach, "the volume is attached")]
            {
                let (mut seconds, source) = self.conditions.timers.get(timer, None);
                if movement == Move::Perhaps {
                    seconds.min = 0.0;
                }
                draft.step(what, (seconds, source));
            }
        }
        if movement != Move::No {
            self.add_pull(draft, targets);
        }
        draft.step(format!("{} starts", self.product()), self.start());
        self.note_address(draft);
    }

    /// Pulling the image, unless it is on every node that can take the pod.
    fn add_pull(&self, draft: &mut Draft, targets: &Targets<'a>) {
        let image = self.database.image();
        let without: Vec<&Node<'_>> =
            targets.good.iter().filter(|node| node.name() != self.node_name() && !has_image(node, image)).collect();
        let Some(first) = without.first() else { return };
        let (mut seconds, source) = self.conditions.timers.get(Timer::Pull, None);
        let lists_images = |node: &&Node<'_>| node.object.path(&["status", "images"]).exists();
        if without.len() < targets.good.len() || !without.iter().all(lists_images) {
            seconds.min = 0.0;
        }
        draft.step("the image is pulled, where it is missing", (seconds, source));
        draft.shows("Node", "", first.name(), format!("does not list the image {image}"));
    }

    /// How clients find the pod at its new address.
    fn note_address(&self, draft: &mut Draft) {
        match self.database.services.first() {
            Some(service) => {
                draft.shows("Service", self.database.namespace, service.name(), "leads clients to the new pod")
            }
            None => {
                draft.also.push("no Service selects the pod: clients must find its new address themselves".to_owned())
            }
        }
    }

    /// Whether the workload creates pods again.
    pub(super) fn is_controlled(&self) -> bool {
        self.database.controller != Controller::Nothing
    }

    /// Adds that nothing creates the pod again, unless a controller owns it. Returns whether one does.
    pub(super) fn check_controller(&self, draft: &mut Draft) -> bool {
        if !self.is_controlled() {
            let message = "nothing creates the pod again: no controller owns it";
            draft.certainly(Outcome::Waits, message, help::USE_CONTROLLER);
        }
        self.is_controlled()
    }
}

/// Whether a node lists an image among those that it has. The kubelet reports the largest 50.
fn has_image(node: &Node<'_>, image: &str) -> bool {
    let wanted = normalized_image(image);
    let images = node.object.path(&["status", "images"]);
    images.items().any(|entry| {
        entry.at("names").items().filter_map(|name| name.str()).any(|name| normalized_image(name) == wanted)
    })
}

/// An image's reference with its default tag.
fn normalized_image(image: &str) -> String {
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    let reference = ImageReference::parse(image);
    if reference.tag.is_none() && reference.digest.is_none() { format!("{image}:latest") } else { image.to_owned() }
}
