//! Reads what an audit needs from an API server, page by page. Nothing is written.
//!
//! | file | contents |
//! |---|---|
//! | `list` | one list: pages and errors |

mod list;

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use kube::Client;
use serde_json::Value;
use sqledge_ha_policy::engine::Engine;
use sqledge_ha_policy::json::cursor::Cursor;
use sqledge_ha_policy::json::field_mask::FieldMask;
use sqledge_ha_policy::kubernetes::config_maps::config_map_names;
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind, controller_of, has_checked_owner};
use sqledge_ha_policy::kubernetes::{DEFAULT_NAMESPACE, namespace_of};
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::pruning::prune;
use sqledge_ha_policy::workload::Workload;

use self::list::{ListError, list};
use super::configuration::{may_run_database, resolve_possible_databases};
use super::inventory::{Inventory, NodeUsage, Unread, add_usage};
use super::placement::ANTI_AFFINITY;
use super::resources::{self, ListedResource};
use crate::cluster_client::Platform;
use crate::linter::runs_other_pods;

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ClusterReadError(pub String);

/// How many lists are read at the same time.
const PARALLEL: usize = 4;

/// With more namespaces than this, lists of all namespaces are read.
const MAX_SINGLE_NAMESPACES: usize = 20;

/// What is told about the progress: the resource, and how many objects of it were read so far.
pub type Progress<'p> = &'p (dyn Fn(&str, usize) + Sync);

/// Reads the databases of some namespaces, or of all if `namespaces` is empty, with what decides about them.
///
/// # Errors
/// [`ClusterReadError`] if the API server cannot be reached, or does not accept the credentials. Objects that cannot be
/// read are in [`Inventory::unread`].
pub async fn read(
    client: &Client,
    namespaces: &[String],
    settings: &Settings,
    progress: Progress<'_>,
) -> Result<Inventory, ClusterReadError> {
    let version = list::first_answer(client).await?;
    let minor_version = version.minor.trim_end_matches('+').parse().ok();
    let is_openshift = Platform::detect(client).await == Platform::OpenShift;
    let groups = list::groups(client).await;
    let mut reader = Reader {
        client,
        settings,
        progress,
        groups,
        inventory: Inventory { minor_version, is_openshift, ..Inventory::default() },
        counts: BTreeMap::new(),
    };
    let scopes: Vec<Option<&str>> = match namespaces {
        [] => vec![None],
        named => named.iter().map(|name| Some(name.as_str())).collect(),
    };
    let databases = reader.workloads(&scopes).await;
    let databases = reader.pods(&scopes, databases).await;
    if !databases.is_empty() {
        reader.related(&databases, namespaces.is_empty()).await;
        reader.config_maps().await;
        resolve_possible_databases(&mut reader.inventory, settings);
    }
    Ok(reader.inventory)
}

struct Reader<'r> {
    client: &'r Client,
    settings: &'r Settings,
    progress: Progress<'r>,
    /// The API groups that the cluster serves; `None` if that is not known. A resource of another group does not exist,
    /// and asking for it would be forbidden to most accounts.
    groups: Option<BTreeSet<String>>,
    inventory: Inventory,
    /// The number of objects that were read, by the full name of their resource.
    counts: BTreeMap<String, usize>,
}

/// An object that is kept only if its namespace has a database: as text, which is a fifth of the size in memory.
struct Stored {
    namespace: String,
    text: Box<str>,
}

impl Reader<'_> {
    fn is_served(&self, resource: &ListedResource) -> bool {
        resource.group.is_empty() || self.groups.as_ref().is_none_or(|groups| groups.contains(resource.group))
    }

    /// Reads the workloads. Returns the namespaces with databases; their other workloads are kept.
    async fn workloads(&mut self, scopes: &[Option<&str>]) -> BTreeSet<String> {
        let mut databases = BTreeSet::new();
        let mut stored: Vec<Stored> = Vec::new();
        for resource in
            resources::workloads().into_iter().filter(|resource| self.is_served(resource)).collect::<Vec<_>>()
        {
            for scope in scopes {
                let mut kept = Vec::new();
                let settings = self.settings;
                let answer = list(self.client, &resource, *scope, &mut |object| {
                    let namespace = namespace_of(&object).unwrap_or(DEFAULT_NAMESPACE).to_owned();
                    let is_database = may_run_database(&object, settings);
                    if is_database && !is_owned(&object) {
                        databases.insert(namespace);
                        kept.push(object);
                    } else if let Some(object) = reduced(object, is_database, settings) {
                        stored.push(Stored { namespace, text: object.to_string().into() });
                    }
                })
                .await;
                self.inventory.objects.append(&mut kept);
                self.finish(&resource, *scope, answer);
            }
        }
        let kept = stored.into_iter().filter(|stored| databases.contains(&stored.namespace));
        self.inventory.objects.extend(kept.filter_map(|stored| serde_json::from_str(&stored.text).ok()));
        databases
    }

    /// Reads the pods: adds up what they request, and keeps those of the namespaces with databases. Returns these, with
    /// the namespaces of databases in pods without a controller.
    async fn pods(&mut self, scopes: &[Option<&str>], databases: BTreeSet<String>) -> BTreeSet<String> {
        let Some(resource) = resources::pods() else { return databases };
        let named: Vec<&str> = scopes.iter().copied().flatten().collect();
        let mut keeper = PodKeeper::new(self.settings, &self.inventory.objects, databases);
        // What a node has left depends on the pods of all namespaces.
        let mut usage: BTreeMap<String, NodeUsage> = BTreeMap::new();
        let answer = list(self.client, &resource, None, &mut |pod| {
            add_usage(&mut usage, &pod);
            if named.is_empty() || namespace_of(&pod).is_some_and(|own| named.contains(&own)) {
                keeper.keep(pod);
            }
        })
        .await;
        self.inventory.usage = answer.is_ok().then_some(usage);
        let is_complete = answer.is_ok();
        self.finish(&resource, None, answer);
        if !is_complete {
            keeper.kept.clear();
            for scope in named {
                let answer = list(self.client, &resource, Some(scope), &mut |pod| keeper.keep(pod)).await;
                self.finish(&resource, Some(scope), answer);
            }
        }
        self.inventory.objects.append(&mut keeper.kept);
        keeper.databases
    }

    /// Reads the other objects of the namespaces with databases, and those of the cluster. `is_whole` says whether all
    /// namespaces are read: a TCPRoute can be in another one than the database that it leads to.
    async fn related(&mut self, databases: &BTreeSet<String>, is_whole: bool) {
        let of_namespaces = resources::of_namespaces().into_iter().filter(|resource| self.is_served(resource));
        let of_namespaces = of_namespaces.flat_map(|resource| {
            let is_of_all = databases.len() > MAX_SINGLE_NAMESPACES || is_whole && resource.kind == "TCPRoute";
            let scopes: Vec<Option<String>> =
                if is_of_all { vec![None] } else { databases.iter().cloned().map(Some).collect() };
            scopes.into_iter().map(move |scope| (resource.clone(), scope))
        });
        let of_cluster = resources::of_whole_cluster().into_iter().filter(|resource| self.is_served(resource));
        let of_cluster = of_cluster.map(|resource| (resource, None));
        let images = self.images();
        let (client, images) = (self.client, &images);
        let lists = of_namespaces.chain(of_cluster).map(|(resource, scope)| async move {
            let mut objects = Vec::new();
            let answer = list(client, &resource, scope.as_deref(), &mut |object| {
                let is_there =
                    !resource.is_namespaced || scope.is_some() || !is_in_other_namespace(&resource, &object, databases);
                if is_there && concerns(&object, databases) {
                    objects.push(with_few_images(object, images));
                }
            })
            .await;
            (resource, scope, objects, answer)
        });
        let mut lists = futures::stream::iter(lists.collect::<Vec<_>>()).buffered(PARALLEL);
        while let Some((resource, scope, mut objects, answer)) = lists.next().await {
            self.inventory.objects.append(&mut objects);
            self.finish(&resource, scope.as_deref(), answer);
        }
    }

    /// The names by which nodes list the images of databases.
    fn images(&self) -> Vec<String> {
        let of_engine = |engine: &&'static Engine| engine.images.iter().map(|name| (*name).to_owned());
        let known = self.settings.engines.iter().flat_map(of_engine);
        known.chain(self.settings.images.iter().map(|mapping| mapping.repository.clone())).collect()
    }

    /// Reads the ConfigMaps that configure databases.
    async fn config_maps(&mut self) {
        let mut wanted = BTreeSet::new();
        for object in &self.inventory.objects {
            let Some(kind) = Kind::from_object(object).and_then(Kind::workload) else { continue };
            if may_run_database(object, self.settings) {
                let namespace = namespace_of(object).unwrap_or(DEFAULT_NAMESPACE);
                wanted.extend(config_map_names(object, kind).into_iter().map(|name| (namespace.to_owned(), name)));
            }
        }
        let Some(resource) = Kind::ConfigMap.resource().map(ListedResource::from) else { return };
        for (namespace, name) in wanted {
            match list::get(self.client, &resource, &namespace, &name).await {
                Ok(object) => self.inventory.objects.extend(object),
                Err(error) => self.finish(&resource, Some(&namespace), Err(error)),
            }
        }
    }

    /// Records how a list ended. An API that is not installed has no objects.
    fn finish(&mut self, resource: &ListedResource, namespace: Option<&str>, answer: Result<usize, ListError>) {
        match answer {
            Ok(count) => {
                self.inventory.objects_read += count;
                let of_resource = self.counts.entry(resource.full_name()).or_default();
                *of_resource += count;
                (self.progress)(resource.plural, *of_resource);
            }
            Err(ListError::NotServed) if !resource.is_built_in() => {}
            Err(error) => self.inventory.unread.push(Unread {
                resource: resource.full_name(),
                namespace: namespace.map(str::to_owned),
                reason: error.to_string(),
            }),
        }
    }
}

/// Whether a namespaced object is in a namespace without a database. Objects that configure the whole cluster, and
/// those that lead from one namespace to another, count everywhere.
fn is_in_other_namespace(resource: &ListedResource, object: &Value, databases: &BTreeSet<String>) -> bool {
    let is_for_all =
        matches!(resource.kind, "MachineHealthCheck" | "Setting" | "TCPRoute") || resource.group == "velero.io";
    !is_for_all && !namespace_of(object).is_some_and(|namespace| databases.contains(namespace))
}

/// Whether a volume or attachment can belong to a database: a volume that is bound to a claim of another namespace does
/// not.
fn concerns(object: &Value, databases: &BTreeSet<String>) -> bool {
    let claim = Cursor::root(object).path(&["spec", "claimRef", "namespace"]);
    claim.str().is_none_or(|namespace| databases.contains(namespace))
}

/// A Node without the images that are none of a database.
fn with_few_images(mut object: Value, images: &[String]) -> Value {
    if let Some(listed) = object.pointer_mut("/status/images").and_then(Value::as_array_mut) {
        listed.retain(|image| {
            let names = image.get("names").and_then(Value::as_array);
            names
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .any(|name| images.iter().any(|known| name.contains(known.as_str())))
        });
    }
    object
}

fn is_owned(object: &Value) -> bool {
    Kind::from_object(object).is_some_and(|kind| has_checked_owner(kind, object))
}

/// A workload that others depend on. Of one that a checked controller owns, only the owner is kept, if it runs a
/// database: its pods are found by it. `None` for the others, and for old revisions, which run nothing.
fn reduced(mut object: Value, is_database: bool, settings: &Settings) -> Option<Value> {
    let kind = Kind::from_object(&object)?;
    let replicas = Cursor::root(&object).path(&["spec", "replicas"]).int();
    if is_owned(&object) {
        if !is_database || replicas == Some(0) {
            return None;
        }
        FieldMask::new(["apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.ownerReferences"])
            .prune(&mut object);
        return Some(object);
    }
    let workload = kind.workload()?;
    if runs_other_pods(&object, workload) {
        return Some(object);
    }
    prune(&mut object, kind);
    // Commands and variables of a CronJob show which database it backs up.
    if workload != WorkloadKind::CronJob && Workload::read(&object, workload, settings).is_none() {
        remove_configuration(&mut object, workload);
    }
    Some(object)
}

/// Removes the configuration of containers that run no database, which is most of a pod template.
fn remove_configuration(object: &mut Value, kind: WorkloadKind) {
    let template = kind.template_path().iter().try_fold(object, |value, name| value.get_mut(name));
    let Some(spec) = template.and_then(|template| template.get_mut("spec")) else { return };
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(fields) = container.as_object_mut() {
                fields.retain(|name, _| matches!(name.as_str(), "name" | "image" | "ports" | "restartPolicy"));
            }
        }
    }
}

/// Keeps the pods that matter, of tens of thousands.
struct PodKeeper<'k> {
    settings: &'k Settings,
    /// The namespaces with databases.
    databases: BTreeSet<String>,
    /// Those in which a database keeps away from other pods.
    with_anti_affinity: BTreeSet<String>,
    kept: Vec<Value>,
}

impl<'k> PodKeeper<'k> {
    fn new(settings: &'k Settings, workloads: &[Value], databases: BTreeSet<String>) -> Self {
        let with_anti_affinity = workloads.iter().filter(|object| has_anti_affinity(object));
        let with_anti_affinity =
            with_anti_affinity.filter_map(|object| namespace_of(object).map(str::to_owned)).collect();
        PodKeeper { settings, databases, with_anti_affinity, kept: Vec::new() }
    }

    /// Keeps a pod of a database in full; a pod without a controller, which may use its claim; and others as far as an
    /// anti-affinity depends on them.
    fn keep(&mut self, mut pod: Value) {
        let namespace = namespace_of(&pod).unwrap_or(DEFAULT_NAMESPACE).to_owned();
        if may_run_database(&pod, self.settings) {
            if !is_owned(&pod) {
                self.databases.insert(namespace);
            }
            self.kept.push(pod);
            return;
        }
        let is_alone = controller_of(&pod).is_none() && self.databases.contains(&namespace);
        if is_alone || self.with_anti_affinity.contains(&namespace) {
            resources::pod_mask().prune(&mut pod);
            self.kept.push(pod);
        }
    }
}

fn has_anti_affinity(workload: &Value) -> bool {
    let Some(kind) = Kind::from_object(workload).and_then(Kind::workload) else { return false };
    let pod = Cursor::root(workload).path(kind.template_path()).at("spec");
    pod.path(&ANTI_AFFINITY).exists()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use kube::Config;
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn the_progress_counts_the_objects_of_each_resource() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let client = Client::try_from(Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
        let shown = Mutex::new(Vec::new());
        let progress = |resource: &str, objects: usize| shown.lock().unwrap().push((resource.to_owned(), objects));
        let mut reader = Reader {
            client: &client,
            settings: &Settings::default(),
            progress: &progress,
            groups: None,
            inventory: Inventory::default(),
            counts: BTreeMap::new(),
        };
        let (pods, nodes) = (resources::pods().unwrap(), ListedResource::from(Kind::Node.resource().unwrap()));
        reader.finish(&nodes, None, Ok(3));
        reader.finish(&pods, Some("a"), Ok(2));
        reader.finish(&pods, Some("b"), Ok(4));
        assert_eq!(reader.inventory.objects_read, 9);
        let expected = [("nodes", 3), ("pods", 2), ("pods", 6)].map(|(name, count)| (name.to_owned(), count));
        assert_eq!(*shown.lock().unwrap(), expected);
    }
}
