//! What becomes of the databases of a released node.

use kube::Client;
use sqledge_ha_policy::settings::Settings;

use crate::audit::database::{Database, Pod, State};
use crate::audit::inventory::{Inventory, Objects, Unread};
use crate::audit::read::{ClusterReadError, read};
use crate::audit::resources::has_databases;

/// A database on its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returning {
    /// Its namespace and name.
    pub name: String,
    /// What it does now, for people.
    pub state: String,
    /// Whether it is ready on another node.
    pub is_back: bool,
}

/// The databases of some namespaces as they are now, away from `node`.
///
/// # Errors
/// [`ClusterReadError`] if the API server cannot be asked, or does not show the databases.
pub async fn read_progress(
    client: &Client,
    settings: &Settings,
    namespaces: &[String],
    node: &str,
) -> Result<Vec<Returning>, ClusterReadError> {
    let inventory = read(client, namespaces, settings, &|_, _| {}).await?;
    match inventory.unread.iter().find(|unread| has_databases(&unread.resource)) {
        Some(Unread { resource, reason, .. }) => Err(ClusterReadError(format!("{resource}: {reason}"))),
        None => Ok(states(&inventory, settings, node)),
    }
}

/// The databases of an inventory, away from `node`.
fn states(inventory: &Inventory, settings: &Settings, node: &str) -> Vec<Returning> {
    let objects = Objects::new(inventory);
    let databases = Database::find_all(&objects, &inventory.objects, settings);
    databases.iter().map(|database| state(database, node)).collect()
}

fn nodes_of(pods: &[&Pod<'_>]) -> String {
    pods.iter().filter_map(|pod| pod.node()).collect::<Vec<_>>().join(" and ")
}

fn state(database: &Database<'_>, node: &str) -> Returning {
    let on_node = database.pods.iter().any(|pod| pod.node() == Some(node) && !pod.has_ended());
    let elsewhere: Vec<&Pod<'_>> =
        database.pods.iter().filter(|pod| pod.node() != Some(node) && !pod.has_ended()).collect();
    let (ready, others): (Vec<&Pod<'_>>, Vec<&Pod<'_>>) =
        elsewhere.into_iter().partition(|pod| pod.is_ready() && pod.node().is_some());
    let wanted = database.workload.object.path(&["spec", "replicas"]).int().unwrap_or(1).max(1);
    let is_back = i64::try_from(ready.len()).is_ok_and(|ready| ready >= wanted);
    let state = match (others.first(), on_node) {
        _ if is_back => format!("ready on node {}", nodes_of(&ready)),
        (Some(pod), _) => match pod.node() {
            Some(other) => format!("the new pod waits for its volume or starts on node {other}"),
            None => "the new pod waits for a node".to_owned(),
        },
        (None, true) => format!("the old pod still exists on node {node}"),
        (None, false) if database.now.state == State::Stopped => "stopped".to_owned(),
        (None, false) => "the old pod is gone".to_owned(),
    };
    Returning { name: database.full_name(), state, is_back }
}
