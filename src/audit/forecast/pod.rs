//! The container ends, the pod is deleted, the pod template changes.

use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::json::cursor::Cursor;
use sqledge_ha_policy::kubernetes::kind::WorkloadKind;

use super::situation::{Ended, Move, Situation};
use super::{Certainty, Draft, Failure, Forecast, Outcome, help};
use crate::audit::database::Controller;
use crate::audit::placement::Targets;
use crate::audit::timers::Seconds;

/// The process or the container ends; the kubelet starts it again on the same node.
pub(super) fn container_exit(situation: &Situation<'_, '_>) -> Forecast {
    let mut draft = Draft::default();
    let policy = situation.pod.spec().at("restartPolicy").str().unwrap_or("Always");
    if policy != "Always" {
        draft.certainly(
            Outcome::Waits,
            format!("the kubelet may not start the container again: `restartPolicy` is {policy}"),
            "set `restartPolicy: Always`",
        );
    }
    situation.lose_files_of_the_pod(&mut draft, Ended::Container);
    // The first restart is immediate; each further one within ten minutes waits twice as long, up to five minutes.
    draft.step(
        "the kubelet restarts the container",
        (Seconds::new(0.0, 10.0), "restart back-off of the kubelet".to_owned()),
    );
    draft.step(format!("{} starts", situation.product()), situation.start());
    draft.shows("Pod", situation.database.namespace, situation.pod.name(), "is restarted on its node");
    draft.finish(Failure::ContainerExit, Outcome::ComesBack, "the kubelet restarts the container on its node")
}

/// The pod is deleted, or evicted through the API.
pub(super) fn deletion(situation: &Situation<'_, '_>) -> Forecast {
    let mut draft = Draft::default();
    replace(situation, &mut draft);
    draft.finish(Failure::PodDeletion, Outcome::ComesBack, replaced_message(situation.database.controller))
}

fn replaced_message(controller: Controller) -> &'static str {
    match controller {
        Controller::AtOnce => "a replacement pod starts when the volume is free",
        Controller::AfterTheOldPod => "a replacement pod starts when the old pod is gone",
        Controller::OnEachNode | Controller::Nothing => "a replacement pod starts on the same node",
    }
}

/// Adds what happens if the pod is deleted and may start again on any node.
fn replace(situation: &Situation<'_, '_>, draft: &mut Draft) {
    let database = situation.database;
    situation.lose_files_of_the_pod(draft, Ended::Pod);
    if !situation.check_controller(draft) {
        return;
    }
    let (targets, movement) = start_again(situation, draft);
    if database.controller == Controller::AtOnce && situation.can_overlap(&targets) {
        overlap(situation, draft);
    }
    draft.step("the old pod stops", situation.stop());
    situation.add_start(draft, &targets, movement);
}

/// Finds the nodes on which the pod can start again, and adds what is lost if it moves.
fn start_again<'a>(situation: &Situation<'_, 'a>, draft: &mut Draft) -> (Targets<'a>, Move) {
    let stays = situation.database.controller == Controller::OnEachNode;
    let targets = situation.targets(|node| !stays || node.name() == situation.node_name());
    situation.check_targets(draft, &targets);
    let can_move = targets.good.iter().any(|node| node.name() != situation.node_name());
    let movement = match (can_move, targets.contains(situation.node_name())) {
        (false, _) => Move::No,
        (true, true) => Move::Perhaps,
        (true, false) => Move::Certain,
    };
    situation.lose_files_of_the_node(draft, movement);
    (targets, movement)
}

/// Adds that two pods run for as long as the old one takes to stop.
fn overlap(situation: &Situation<'_, '_>, draft: &mut Draft) {
    let grace = situation.stop().0;
    draft.possibly(
        Outcome::TwoServers,
        format!(
            "the replacement pod starts while the old pod stops, for up to {}, with the same database files",
            Seconds::new(grace.max, grace.max)
        ),
        help::USE_EXCLUSIVE_CLAIM,
    );
    for claim in situation.storage.claims() {
        draft.shows(
            "PersistentVolumeClaim",
            situation.database.namespace,
            &claim.name,
            "its access mode allows two pods at once",
        );
    }
}

/// The pod template changes.
pub(super) fn rollout(situation: &Situation<'_, '_>) -> Forecast {
    let mut draft = Draft::default();
    let object = situation.database.workload.object;
    let spec = object.at("spec");
    let nothing = |draft: Draft, message: &str| draft.finish(Failure::Rollout, Outcome::StaysUp, message);
    match situation.database.workload.kind {
        WorkloadKind::Deployment if spec.at("paused").is_true() => nothing(draft, "the Deployment is paused"),
        WorkloadKind::Deployment if spec.path(&["strategy", "type"]).str() == Some("Recreate") => {
            one_after_the_other(situation, draft)
        }
        WorkloadKind::Deployment => {
            rolling_update(situation, &mut draft);
            draft.finish(Failure::Rollout, Outcome::ComesBack, "the new pod replaces the old one")
        }
        WorkloadKind::StatefulSet => match spec.path(&["updateStrategy", "type"]).str() {
            Some("OnDelete") => nothing(draft, "the StatefulSet updates a pod only when somebody deletes it"),
            _ if spec.path(&["updateStrategy", "rollingUpdate", "partition"]).int().unwrap_or(0) > 0 => {
                nothing(draft, "the partition of the StatefulSet leaves the first pod as it is")
            }
            _ => one_after_the_other(situation, draft),
        },
        WorkloadKind::DaemonSet => one_after_the_other(situation, draft),
        WorkloadKind::Pod => nothing(draft, "the pod has no template"),
        WorkloadKind::ReplicaSet | WorkloadKind::ReplicationController => {
            nothing(draft, "a new template changes no running pod")
        }
        kind => {
            draft.certainly(Outcome::Unknown, format!("rollouts of a {} are not forecast", kind.name()), "");
            draft.finish(Failure::Rollout, Outcome::Unknown, "")
        }
    }
}

/// The old pod is gone before the new one starts.
fn one_after_the_other(situation: &Situation<'_, '_>, mut draft: Draft) -> Forecast {
    situation.lose_files_of_the_pod(&mut draft, Ended::Pod);
    let (targets, movement) = start_again(situation, &mut draft);
    draft.step("the old pod stops", situation.stop());
    situation.add_start(&mut draft, &targets, movement);
    draft.finish(Failure::Rollout, Outcome::ComesBack, "the new pod starts when the old one is gone")
}

/// A Deployment with a rolling update: with one replica and a surge, the new pod must be ready before the old one
/// stops.
fn rolling_update(situation: &Situation<'_, '_>, draft: &mut Draft) {
    let rolling = situation.database.workload.object.path(&["spec", "strategy", "rollingUpdate"]);
    let replicas = situation.database.workload.object.path(&["spec", "replicas"]).int().unwrap_or(1);
    let surge = share(&rolling.at("maxSurge"), replicas, Rounding::Up);
    let unavailable = share(&rolling.at("maxUnavailable"), replicas, Rounding::Down);
    if surge == 0 {
        replace(situation, draft);
        return;
    }
    const HELP: &str = "set `strategy.type: Recreate`; see `sqledge-ha explain recreate-strategy`";
    situation.lose_files_of_the_pod(draft, Ended::Pod);
    situation.check_quota(draft);
    let targets = situation.targets(|_| true);
    situation.check_targets(draft, &targets);
    let is_attached = situation.storage.attached().next().is_some();
    let others = targets.good.iter().any(|node| node.name() != situation.node_name());
    // A volume that is attached to the node cannot be used on another one.
    let can_hang = is_attached && others;
    if situation.can_overlap(&targets) {
        draft.add(
            Outcome::TwoServers,
            Certainty::certain_if(!can_hang),
            "the new pod starts beside the old one, with the same database files",
            HELP,
        );
    }
    let is_for_one_pod = situation.storage.claims().any(|claim| claim.is_for_one_pod);
    let reason = if is_for_one_pod { "its claim is for one pod" } else { "its volume is attached to another node" };
    if unavailable == 0 && (is_for_one_pod || can_hang) {
        let certainty = Certainty::certain_if(is_for_one_pod || !targets.contains(situation.node_name()));
        let hangs = if certainty == Certainty::Certain { "hangs" } else { "can hang" };
        draft.add(
            Outcome::Waits,
            certainty,
            format!(
                "the rollout {hangs}: the new pod cannot start ({reason}), and the old pod stays until it is ready"
            ),
            HELP,
        );
    }
    draft.shows(
        situation.database.workload.kind.name(),
        situation.database.namespace,
        situation.database.name(),
        format!("updates with a surge of {}", quoted(&surge.to_string())),
    );
    draft.step(format!("{} starts beside the old pod", situation.product()), situation.start());
}

/// How a part of a pod counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rounding {
    Up,
    Down,
}

/// A number of pods that is given as one, or as a share of the replicas; 25 % if it is not set.
fn share(value: &Cursor<'_>, replicas: i64, rounding: Rounding) -> i64 {
    if let Some(number) = value.int() {
        return number;
    }
    let percent = value.str().and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok()).unwrap_or(25);
    let hundredths = percent.saturating_mul(replicas);
    match rounding {
        Rounding::Up => hundredths.saturating_add(99) / 100,
        Rounding::Down => hundredths / 100,
    }
}
