//! Who removes a failed node, so that its pods and volumes are released: a remediator in the cluster, or the cloud.

use serde_json::Value;
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::json::cursor::Cursor;
use sqledge_ha_policy::kubernetes::objects::Node;
use sqledge_ha_policy::kubernetes::selector::Selector;
use sqledge_ha_policy::kubernetes::{name_of, namespace_of};

use super::database::Controller;
use super::inventory::{Objects, kind_of};
use super::storage::Storage;
use super::timers::Seconds;

/// Something in the cluster that acts when a node fails.
#[derive(Clone, Debug)]
pub struct Remediator {
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty for kinds without one.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How long a node must have failed before it acts, if it says so.
    pub after: Option<Seconds>,
    /// What it does.
    pub effect: Effect,
    /// Its label selector for nodes; `None` if it selects other objects, or everything.
    selector: Option<Value>,
}

/// What a remediator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It taints the node as out of service, or does the same: pods and volumes are released at once.
    Taints,
    /// It removes the Node: its pods are removed, and its volumes some minutes later.
    Removes,
    /// It deletes the pods of some controllers whose volumes are its own.
    DeletesPods {
        /// Those of StatefulSets.
        of_stateful_sets: bool,
        /// Those of Deployments.
        of_deployments: bool,
    },
}

impl Remediator {
    /// Every remediator that the objects show.
    pub fn find_all(objects: &Objects<'_>) -> Vec<Self> {
        let checks = ["NodeHealthCheck", "MachineHealthCheck"].into_iter().flat_map(|kind| objects.of_kind(kind));
        let longhorn = objects.of_kind("Setting").iter().filter_map(|setting| longhorn(setting));
        checks.filter_map(|check| health_check(check)).chain(longhorn).collect()
    }

    /// Its kind and name, for messages.
    pub fn describe(&self) -> String {
        format!("{} {}", self.kind, quoted(&self.name))
    }

    /// Whether it releases the pods of a database on a node.
    pub fn acts_on(&self, node: &Node<'_>, controller: Controller, storage: &Storage<'_>) -> bool {
        match self.effect {
            Effect::Taints | Effect::Removes => self.selects(node),
            Effect::DeletesPods { of_stateful_sets, of_deployments } => {
                let is_meant = match controller {
                    Controller::AfterTheOldPod => of_stateful_sets,
                    Controller::AtOnce => of_deployments,
                    Controller::Nothing | Controller::OnEachNode => false,
                };
                is_meant && storage.claims().any(|claim| claim.driver == Some(LONGHORN))
            }
        }
    }

    fn selects(&self, node: &Node<'_>) -> bool {
        let Some(selector) = &self.selector else { return true };
        let selector = Selector::from_label_selector(&Cursor::root(selector));
        selector.is_some_and(|selector| selector.matches_labels(node.labels()))
    }
}

const LONGHORN: &str = "driver.longhorn.io";

/// A health check for nodes of medik8s, or for machines of Cluster API or OpenShift. Those that only restart the
/// machine do not count: a machine that stays off is not released
/// (<https://www.medik8s.io/remediation/node-healthcheck-operator/node-healthcheck-operator/>).
fn health_check(object: &Value) -> Option<Remediator> {
    let check = Cursor::root(object);
    let spec = check.at("spec");
    let is_for_nodes = kind_of(object) == "NodeHealthCheck";
    let template = spec.path(&["remediationTemplate", "kind"]).str().unwrap_or_default();
    if is_for_nodes && spec.path(&["pauseRequests"]).items().next().is_some() {
        return None;
    }
    if is_for_nodes && template.starts_with("Metal3") {
        return None;
    }
    let after = spec.at("unhealthyConditions").items().chain(spec.at("unhealthyNodeConditions").items());
    let of_ready = after.filter(|condition| condition.at("type").str() == Some("Ready"));
    let times = of_ready.filter_map(|condition| {
        let field = condition.first_of(&["duration", "timeout", "timeoutSeconds"])?;
        field.str().and_then(go_duration).or_else(|| field.value()?.as_f64())
    });
    let longest =
        times.fold(None, |longest: Option<f64>, time| Some(longest.map_or(time, |longest| longest.max(time))));
    Some(Remediator {
        kind: kind_of(object).to_owned(),
        namespace: namespace_of(object).unwrap_or_default().to_owned(),
        name: name_of(object).to_owned(),
        // The remediation itself takes up to some minutes.
        after: longest.map(|time| Seconds::new(time, time + 300.0)),
        effect: if is_for_nodes && !template.starts_with("MachineDeletion") { Effect::Taints } else { Effect::Removes },
        selector: spec.at("selector").value().filter(|_| is_for_nodes).cloned(),
    })
}

/// Longhorn's setting of what happens to pods on a node that is down
/// (<https://longhorn.io/docs/latest/references/settings/#pod-deletion-policy-when-node-is-down>).
fn longhorn(object: &Value) -> Option<Remediator> {
    if name_of(object) != "node-down-pod-deletion-policy" {
        return None;
    }
    let value = object.get("value")?.as_str()?;
    let both = value == "delete-both-statefulset-and-deployment-pod";
    let effect = Effect::DeletesPods {
        of_stateful_sets: both || value == "delete-statefulset-pod",
        of_deployments: both || value == "delete-deployment-pod",
    };
    Some(Remediator {
        kind: "Setting".to_owned(),
        namespace: namespace_of(object).unwrap_or_default().to_owned(),
        name: name_of(object).to_owned(),
        after: Some(Seconds::new(0.0, 60.0)),
        effect,
        selector: None,
    })
}

/// A duration as Go prints it, e.g. `300s`, `5m0s`, in seconds.
fn go_duration(text: &str) -> Option<f64> {
    let (mut total, mut number) = (0.0, String::new());
    for character in text.chars() {
        let unit = match character {
            '0'..='9' | '.' => {
                number.push(character);
                continue;
            }
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * unit;
        number.clear();
    }
    (number.is_empty() && !text.is_empty()).then_some(total)
}

/// The cloud that a node belongs to, which deletes the Node when it deletes the machine. Nodes of kind, k3s and bare
/// metal have none (<https://kubernetes.io/docs/concepts/architecture/cloud-controller/>).
pub fn cloud_of<'a>(node: &Node<'a>) -> Option<&'a str> {
    const WITHOUT_CLOUD: [&str; 6] = ["kind", "k3s", "rke2", "baremetal", "metal3", "minikube"];
    let (provider, _) = node.object.path(&["spec", "providerID"]).str()?.split_once("://")?;
    (!WITHOUT_CLOUD.contains(&provider)).then_some(provider)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        assert_eq!(go_duration("300s"), Some(300.0));
        assert_eq!(go_duration("5m0s"), Some(300.0));
        assert_eq!(go_duration("1h30m"), Some(5400.0));
        assert_eq!((go_duration(""), go_duration("5"), go_duration("x")), (None, None, None));
    }

    #[test]
    fn a_node_belongs_to_a_cloud_by_its_provider() {
        let cloud = |provider: &str| {
            let node = json!({"spec": {"providerID": provider}});
            cloud_of(&Node::read(&node)).map(str::to_owned)
        };
        assert_eq!(cloud("azure:///subscriptions/1"), Some("azure".to_owned()));
        assert_eq!((cloud("k3s://node"), cloud("")), (None, None));
    }
}
