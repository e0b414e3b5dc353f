//! The node is drained, restarted, fails, loses its network, or is replaced; the zone fails.

use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::kubernetes::objects::DisruptionBudget;

use super::situation::{Ended, Move, Situation};
use super::{Certainty, Draft, Failure, Forecast, Outcome, help};
use crate::audit::database::{Controller, as_selected};
use crate::audit::placement::{Targets, Unfit, toleration_seconds};
use crate::audit::remediation::{Effect, Remediator, cloud_of};
use crate::audit::storage::Home;
use crate::audit::timers::{Seconds, Timer};

/// `kubectl drain` cordons the node and evicts its pods.
pub(super) fn drain(situation: &Situation<'_, '_>) -> Forecast {
    if situation.database.controller == Controller::OnEachNode {
        let draft = Draft::default();
        return draft.finish(Failure::Drain, Outcome::StaysUp, "a drain leaves the pods of a DaemonSet on the node");
    }
    let mut draft = Draft::default();
    evict(situation, &mut draft);
    draft.finish(Failure::Drain, Outcome::ComesBack, "the pod moves to another node")
}

/// Adds what happens if the pod is evicted and cannot stay on its node.
fn evict(situation: &Situation<'_, '_>, draft: &mut Draft) {
    let database = situation.database;
    check_budgets(situation, draft);
    situation.lose_files_of_the_pod(draft, Ended::Pod);
    if !situation.is_controlled() {
        draft.certainly(
            Outcome::Waits,
            "`kubectl drain` refuses to delete a pod without a controller, and nothing would create it again",
            help::USE_CONTROLLER,
        );
        return;
    }
    let targets = situation.other_targets();
    situation.check_targets(draft, &targets);
    situation.lose_files_of_the_node(draft, Move::Certain);
    if database.controller == Controller::AtOnce && situation.can_overlap(&targets) {
        draft.possibly(
            Outcome::TwoServers,
            "the replacement pod starts on another node while the old pod stops, with the same database files",
            help::USE_EXCLUSIVE_CLAIM,
        );
    }
    draft.step("the old pod stops", situation.stop());
    situation.add_start(draft, &targets, Move::Certain);
}

/// Adds that a budget rejects the eviction.
fn check_budgets(situation: &Situation<'_, '_>, draft: &mut Draft) {
    let namespace = situation.database.namespace;
    let Some(pod) = as_selected(situation.pod, namespace) else { return };
    let budgets = situation.objects.in_namespace("PodDisruptionBudget", namespace).map(DisruptionBudget::read);
    let selecting: Vec<DisruptionBudget<'_>> =
        budgets.filter(|budget| budget.selector().is_some_and(|selector| selector.matches(&pod))).collect();
    for budget in &selecting {
        let name = budget.object.path(&["metadata", "name"]).str().unwrap_or_default();
        let allowed = budget.object.path(&["status", "disruptionsAllowed"]).int();
        draft.shows(
            "PodDisruptionBudget",
            namespace,
            name,
            match allowed {
                Some(count) => format!(
                    "allows {} now",
                    crate::counted::counted(usize::try_from(count).unwrap_or_default(), "disruption")
                ),
                None => "does not say how many disruptions it allows".to_owned(),
            },
        );
        if allowed == Some(0) {
            draft.certainly(
                Outcome::Waits,
                format!("PodDisruptionBudget {} rejects the eviction, and the drain does not end", quoted(name)),
                "set `maxUnavailable: 1`; see `sqledge-ha explain drainable`",
            );
        }
    }
    if selecting.len() > 1 {
        draft.certainly(
            Outcome::Waits,
            format!("{} disruption budgets select the pod: the API server refuses to evict it", selecting.len()),
            "leave one budget; see `sqledge-ha explain drainable`",
        );
    }
}

/// The node restarts and comes back.
pub(super) fn reboot(situation: &Situation<'_, '_>) -> Forecast {
    let mut draft = Draft::default();
    situation.lose_files_of_the_pod(&mut draft, Ended::Container);
    for home in &situation.storage.homes {
        if let Home::PodVolume { name, is_in_memory: true } = home {
            draft.certainly(
                Outcome::LosesData,
                format!("volume {} is in the node's memory", quoted(name)),
                help::KEEP_FILES_ON_CLAIM,
            );
        }
    }
    let timers = &situation.conditions.timers;
    let (reboot, grace) = (timers.get(Timer::Reboot, None), timers.get(Timer::NodeGrace, None));
    let evicted_after = toleration_seconds(&situation.pod.spec()).map(|seconds| grace.0.min + seconds);
    if let Some(limit) = evicted_after
        && reboot.0.max > limit
    {
        let limit = Seconds::new(limit, limit);
        if situation.is_controlled() {
            draft.also.push(format!(
                "if the node is away longer than {limit}, the pod is deleted and starts again, perhaps on another node"
            ));
        } else {
            draft.possibly(
                Outcome::Waits,
                format!("if the node is away longer than {limit}, the pod is deleted, and nothing creates it again"),
                help::USE_CONTROLLER,
            );
        }
    }
    if let Some(node) = &situation.node {
        let own = situation.targets(|other| other.name() == node.name());
        if let Some((_, unfit)) = own.bad.first() {
            let message = format!("it does not start on its node again: {}", unfit.reason());
            draft.certainly(Outcome::NeverStarts, message, unfit.help());
        }
    }
    draft.step("the node restarts", reboot);
    draft.step(format!("{} starts", situation.product()), situation.start());
    draft.shows("Node", "", situation.node_name(), "runs the pod");
    draft.finish(Failure::Reboot, Outcome::ComesBack, "the kubelet starts the pod again when the node is back")
}

/// The machine of the node fails and stays off.
pub(super) fn failure(situation: &Situation<'_, '_>) -> Forecast {
    let mut draft = Draft::default();
    node_is_lost(situation, &mut draft, &situation.other_targets(), None);
    draft.finish(Failure::NodeFailure, Outcome::ComesBack, "a replacement pod starts on another node")
}

/// The nodes of the pod's zone fail.
pub(super) fn zone_failure(situation: &Situation<'_, '_>) -> Forecast {
    let mut draft = Draft::default();
    let zone = situation.node.and_then(|node| node.zone());
    let Some(zone) = zone else {
        draft.certainly(Outcome::Unknown, format!("node {} has no zone label", quoted(situation.node_name())), "");
        return draft.finish(Failure::ZoneFailure, Outcome::Unknown, "");
    };
    let in_zone = situation.objects.nodes().filter(|node| node.zone() == Some(zone)).count();
    let targets = situation.targets(|node| node.zone() != Some(zone));
    draft.shows("Node", "", situation.node_name(), format!("is in zone {}", quoted(zone)));
    node_is_lost(situation, &mut draft, &targets, Some(in_zone));
    draft.finish(Failure::ZoneFailure, Outcome::ComesBack, "a replacement pod starts in another zone")
}

/// Adds what happens if the node of the pod stops answering for good. `in_zone` is the number of nodes that fail with
/// it.
fn node_is_lost<'a>(situation: &Situation<'_, 'a>, draft: &mut Draft, targets: &Targets<'a>, in_zone: Option<usize>) {
    let timers = &situation.conditions.timers;
    draft.step("the node counts as failed", timers.get(Timer::NodeGrace, None));
    if let Some(nodes) = in_zone.filter(|nodes| *nodes > 1) {
        // The controller taints one node in ten seconds (kube-controller-manager, --node-eviction-rate 0.1).
        #[allow(clippy::cast_precision_loss, reason = "a cluster has few nodes")]
        let last = (nodes - 1) as f64 * 10.0;
        draft.step(
            "the nodes of the zone are tainted one by one",
            (Seconds::new(0.0, last), "default of --node-eviction-rate".to_owned()),
        );
    }
    situation.lose_files_of_the_pod(draft, Ended::Pod);
    situation.lose_files_of_the_node(draft, Move::Certain);
    situation.check_targets(draft, targets);
    if !add_release(situation, draft) {
        draft.shows("Node", "", situation.node_name(), "nothing in the cluster removes it when it fails");
        return;
    }
    situation.add_start(draft, targets, Move::Certain);
}

/// Adds who releases the pod and the volume of a failed node. Returns whether the cluster itself does, or need not: else
/// the replacement waits for a person or the cloud.
fn add_release(situation: &Situation<'_, '_>, draft: &mut Draft) -> bool {
    let toleration = toleration_seconds(&situation.pod.spec());
    let Some(held) = held_by(situation, toleration) else {
        if let Some(seconds) = toleration {
            let source = format!("`tolerationSeconds` of pod {}", quoted(situation.pod.name()));
            draft.step("the pod is evicted", (Seconds::new(seconds, seconds), source));
        }
        return true;
    };
    if !situation.check_controller(draft) {
        return false;
    }
    let remediator = remediator_of(situation);
    match remediator {
        Some(remediator) => remediate(situation, draft, remediator),
        None => wait_for_person(situation, draft, held),
    }
    remediator.is_some()
}

/// The remediator that acts when the pod's node fails.
fn remediator_of<'s>(situation: &Situation<'s, '_>) -> Option<&'s Remediator> {
    let node = situation.node.as_ref()?;
    let mut remediators = situation.conditions.remediators.iter();
    remediators.find(|remediator| remediator.acts_on(node, situation.database.controller, &situation.storage))
}

/// Adds what a remediator does to a failed node.
fn remediate(situation: &Situation<'_, '_>, draft: &mut Draft, remediator: &Remediator) {
    let timers = &situation.conditions.timers;
    draft.shows(&remediator.kind, &remediator.namespace, &remediator.name, "releases pods and volumes of failed nodes");
    let observed = remediator.after.map(|after| (after, remediator.describe()));
    draft.step("the node is remediated", timers.get(Timer::Remediation, observed));
    if remediator.effect != Effect::Removes {
        draft.step("its pods are removed", timers.get(Timer::Cleanup, None));
        return;
    }
    // The collector waits 40 s more for the pods of a removed node.
    let cleanup = (Seconds::new(40.0, 65.0), "pod garbage collector".to_owned());
    draft.step("its pods are removed", timers.get(Timer::Cleanup, Some(cleanup)));
    if situation.storage.attached().next().is_some() {
        draft.step("its volumes are detached by force", timers.get(Timer::ForceDetach, None));
    }
}

/// Adds that the database is down until a person or the cloud acts, because of what it is `held` by.
fn wait_for_person(situation: &Situation<'_, '_>, draft: &mut Draft, held: String) {
    let node = situation.node_name();
    let help = format!("make sure that the machine is off, then run `sqledge-ha recover {node}`");
    let Some(cloud) = situation.node.as_ref().and_then(cloud_of) else {
        draft.certainly(Outcome::Waits, held, help);
        return;
    };
    let message = format!("{held} until the cloud ({cloud}) deletes the machine, or a person acts");
    draft.certainly(Outcome::Unknown, message, help);
    draft.shows("Node", "", node, format!("belongs to the cloud {}", quoted(cloud)));
}

/// What holds the replacement back until the failed node is released; `None` if nothing does.
fn held_by(situation: &Situation<'_, '_>, toleration: Option<f64>) -> Option<String> {
    let node = quoted(situation.node_name());
    if !situation.is_controlled() {
        return Some("no controller owns the pod".to_owned());
    }
    if toleration.is_none() {
        return Some(format!(
            "Kubernetes does not evict the pod from failed node {node}: its toleration has no `tolerationSeconds`"
        ));
    }
    match situation.database.controller {
        Controller::AfterTheOldPod => {
            return Some(format!("the StatefulSet creates no replacement while the old pod exists on node {node}"));
        }
        Controller::OnEachNode => return Some(format!("the pod of a DaemonSet waits for node {node}")),
        Controller::AtOnce | Controller::Nothing => {}
    }
    if let Some(claim) = situation.storage.claims().find(|claim| claim.is_for_one_pod) {
        return Some(format!(
            "claim {} is for one pod, and the old pod still exists on node {node}",
            quoted(&claim.name)
        ));
    }
    let attached = situation.storage.attached().next()?;
    Some(format!("{} stays attached to node {node}", attached.describe()))
}

/// The node loses its network, and its containers run on.
pub(super) fn isolation(situation: &Situation<'_, '_>) -> Forecast {
    let mut draft = Draft::default();
    let targets = situation.other_targets();
    let toleration = toleration_seconds(&situation.pod.spec());
    let timers = &situation.conditions.timers;
    draft.step("the node counts as failed", timers.get(Timer::NodeGrace, None));
    match held_by(situation, toleration) {
        None if targets.is_empty() => situation.check_targets(&mut draft, &targets),
        None => {
            situation.check_targets(&mut draft, &targets);
            if situation.storage.is_shared_across_nodes() {
                draft.add(
                    Outcome::TwoServers,
                    Certainty::certain_if(!situation.has_unknown_files()),
                    "a replacement pod starts on another node while the old one runs on, and both can write the same database files",
                    "use storage that is attached to one node at a time; see `sqledge-ha explain single-node-claim`",
                );
            }
            situation.lose_files_of_the_pod(&mut draft, Ended::Pod);
            situation.lose_files_of_the_node(&mut draft, Move::Certain);
            if let Some(seconds) = toleration {
                draft.step(
                    "the pod is evicted",
                    (Seconds::new(seconds, seconds), "`tolerationSeconds` of the pod".to_owned()),
                );
            }
            situation.add_start(&mut draft, &targets, Move::Certain);
        }
        Some(held) => {
            draft.certainly(
                Outcome::Waits,
                format!("clients cannot reach it until the network is back: {held}"),
                format!(
                    "repair the network; or switch the machine off and run `sqledge-ha recover {}`",
                    situation.node_name()
                ),
            );
        }
    }
    draft.finish(Failure::NodeIsolation, Outcome::ComesBack, "it is reachable again when the network is back")
}

/// All nodes are drained and replaced by nodes with a new image, as in an upgrade.
pub(super) fn replacement(situation: &Situation<'_, '_>) -> Forecast {
    let mut draft = Draft::default();
    check_budgets(situation, &mut draft);
    situation.lose_files_of_the_pod(&mut draft, Ended::Pod);
    situation.lose_files_of_the_node(&mut draft, Move::Certain);
    for claim in situation.storage.claims().filter(|claim| claim.is_on_one_node()) {
        draft.certainly(
            Outcome::LosesData,
            format!("{} is on the disk of its node, which is replaced", claim.describe()),
            help::USE_PORTABLE_STORAGE,
        );
    }
    situation.check_controller(&mut draft);
    check_kernels(situation, &mut draft);
    draft.step("the old pod stops", situation.stop());
    situation.add_start(&mut draft, &situation.targets(|_| true), Move::Certain);
    draft.finish(Failure::NodeReplacement, Outcome::ComesBack, "the pod moves to a new node")
}

/// Adds whether the database works on the kernel of a new image, which the cluster does not show.
fn check_kernels(situation: &Situation<'_, '_>, draft: &mut Draft) {
    let Some(container) = situation.database.workload.engines.first() else { return };
    let Some((major, minor)) = container.last_working_kernel() else { return };
    let kernel = situation.node.and_then(|node| node.kernel().str());
    if let Some(kernel) = kernel {
        draft.shows("Node", "", situation.node_name(), format!("has the kernel {kernel}"));
    }
    let product = container.engine.product;
    let has_newer = situation.targets(|_| true).bad.iter().any(|(_, unfit)| matches!(unfit, Unfit::Kernel(_)));
    let message = format!("{product} crashes if the new image has a kernel after {major}.{minor}");
    let help =
        format!("keep node images with Linux {major}.{minor} or older; see `sqledge-ha explain kernel-compatible`");
    if has_newer {
        draft.certainly(Outcome::NeverStarts, format!("{message}, as some nodes already have"), help);
    } else {
        draft.possibly(Outcome::Unknown, message, help);
    }
}
