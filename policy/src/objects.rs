//! A world made of objects at hand: the files being linted, or a fixture.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, OnceLock};

use serde_json::{Map, Value};

use crate::address::is_load_balancer;
use crate::cluster::{Cluster, Lookup, Narrow, Resource};
use crate::kind::{Kind, has_judged_owner};
use crate::node::reach;
use crate::selector::{is_added_by_controllers, matches};
use crate::service::Service;
use crate::subject::{DEFAULT_NAMESPACE, namespace_of};

/// How many relations of one object are looked at where many are judged together, so that sets in which all carry the
/// same labels take a time that is linear.
pub const MOST_RELATIONS: usize = 32;

/// What one object of a set is found by. Reading it takes most of the time that building a set takes, and can be done side by
/// side.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    object: &'a Value,
    role: Role<'a>,
    /// What it is filed under.
    drawers: Vec<Drawer>,
}

/// What an object is to others.
#[derive(Clone, Copy, Debug)]
enum Role<'a> {
    Balancer(Selector<'a>),
    Service(Selector<'a>),
    Workload(Pods<'a>),
    Other,
}

/// The hash of a namespace, and of a label with its value if there is one.
type Drawer = u64;

fn drawer(namespace: &str, label: Option<(&str, &str)>) -> Drawer {
    /// One for all sets: objects are read before it is known which set they will be in.
    static HASH: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    HASH.hash_one((namespace, label))
}

/// A set of objects, indexed so that looking for relations stays cheap in large sets.
///
/// ```
/// use serde_json::json;
/// use sqledge_ha_policy::cluster::Cluster;
/// use sqledge_ha_policy::objects::Objects;
///
/// let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql"}});
/// assert!(Objects::closed([&service]).closed());
/// ```
#[derive(Debug, Default)]
pub struct Objects<'a> {
    closed: bool,
    together: bool,
    /// All that are of a kind that the rules know.
    objects: Vec<&'a Value>,
    /// They come first: whether there is one is what most rules ask.
    balancers: Index<Selector<'a>>,
    services: Index<Selector<'a>>,
    workloads: Index<Pods<'a>>,
    /// All by name. No rule asks for it: it is made when the parent of a scale request is looked for.
    by_name: OnceLock<HashMap<&'a str, Vec<&'a Value>>>,
    has_left_out: AtomicBool,
}

/// A Service, and what it selects.
#[derive(Clone, Copy, Debug)]
struct Selector<'a> {
    object: &'a Value,
    namespace: &'a str,
    selector: Option<&'a Map<String, Value>>,
}

/// A workload, and what its pods can be selected by.
#[derive(Clone, Copy, Debug)]
struct Pods<'a> {
    object: &'a Value,
    namespace: &'a str,
    labels: Option<&'a Map<String, Value>>,
    kind: Kind,
    name: &'a str,
}

/// Objects by what they are filed under. In one vector, in the order of the drawers: a set is built in a moment, and what is
/// of one drawer stays in the order in which it came. Two labels may come to share a drawer, so that whoever looks into one
/// has to look at the objects.
#[derive(Debug)]
struct Index<T> {
    objects: Vec<T>,
    /// The drawers, and which of the objects are in them.
    filed: Vec<(Drawer, u32)>,
}

impl<'a> Entry<'a> {
    /// Reads an object; `None` if it is of no kind that the rules know.
    pub fn read(object: &'a Value) -> Option<Self> {
        let kind = Kind::of_object(object)?;
        let namespace = namespace_of(object).unwrap_or(DEFAULT_NAMESPACE);
        Some(if kind == Kind::Service {
            Entry::of_service(Selector {
                object,
                namespace,
                selector: reach(object, &["spec", "selector"]).and_then(Value::as_object),
            })
        } else if let Some(template) = kind.pod_template().filter(|_| !has_judged_owner(object)) {
            let labels = reach(object, template).and_then(|template| reach(template, &["metadata", "labels"]));
            let name = name_of(object).unwrap_or_default();
            Entry::of_pods(Pods { object, namespace, labels: labels.and_then(Value::as_object), kind, name })
        } else {
            Entry { object, role: Role::Other, drawers: Vec::new() }
        })
    }

    /// Files a Service under one pair of its selector: whoever has all pairs has that one.
    fn of_service(service: Selector<'a>) -> Self {
        let first = service.selector.into_iter().flat_map(pairs).next();
        let is_balancer = is_load_balancer(&Service::read(service.object));
        let role = if is_balancer { Role::Balancer(service) } else { Role::Service(service) };
        Entry { object: service.object, role, drawers: vec![drawer(service.namespace, first)] }
    }

    /// Files a workload under every label of its pods, and under its namespace for who selects by other things.
    fn of_pods(pods: Pods<'a>) -> Self {
        let labels = pods.labels.into_iter().flat_map(pairs).map(Some);
        let drawers = labels.chain([None]).map(|label| drawer(pods.namespace, label)).collect();
        Entry { object: pods.object, role: Role::Workload(pods), drawers }
    }
}

fn name_of(object: &Value) -> Option<&str> {
    reach(object, &["metadata", "name"])?.as_str()
}

impl<'a> Objects<'a> {
    /// Everything there is: what is not among `objects` does not exist.
    pub fn closed(objects: impl IntoIterator<Item = &'a Value>) -> Self {
        Objects::closed_of(objects.into_iter().filter_map(Entry::read))
    }

    /// The same, made of what has been read.
    pub fn closed_of(entries: impl IntoIterator<Item = Entry<'a>>) -> Self {
        Objects { closed: true, ..Objects::partial_of(entries) }
    }

    /// A part of what there is, all of which is judged, made of what has been read.
    pub fn partial_of(entries: impl IntoIterator<Item = Entry<'a>>) -> Self {
        Objects { together: true, ..Objects::open_of(entries) }
    }

    /// Some of what there is, beside the object that is judged.
    pub fn open(objects: impl IntoIterator<Item = &'a Value>) -> Self {
        Objects::open_of(objects.into_iter().filter_map(Entry::read))
    }

    fn open_of(entries: impl IntoIterator<Item = Entry<'a>>) -> Self {
        let mut set = Objects::default();
        for entry in entries {
            set.add(entry);
        }
        set.balancers.sort();
        set.services.sort();
        set.workloads.sort();
        set
    }

    /// Whether some object had more than [`MOST_RELATIONS`] relations, of which the rest was left out.
    pub fn has_left_out(&self) -> bool {
        self.has_left_out.load(Ordering::Relaxed)
    }

    fn add(&mut self, Entry { object, role, drawers }: Entry<'a>) {
        self.objects.push(object);
        match role {
            Role::Balancer(service) => self.balancers.file(&drawers, service),
            Role::Service(service) => self.services.file(&drawers, service),
            Role::Workload(pods) => self.workloads.file(&drawers, pods),
            Role::Other => {}
        }
    }

    fn named(&self, name: &str) -> &[&'a Value] {
        let by_name = self.by_name.get_or_init(|| {
            let mut by_name: HashMap<&str, Vec<&Value>> = HashMap::new();
            for object in &self.objects {
                if let Some(name) = name_of(object) {
                    by_name.entry(name).or_default().push(object);
                }
            }
            by_name
        });
        by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// As many as are looked at: all, unless all are judged, each with all others.
    fn first(&self, mut found: impl Iterator<Item = &'a Value>) -> Vec<&'a Value> {
        let most = if self.together { MOST_RELATIONS } else { usize::MAX };
        let first = found.by_ref().take(most).collect();
        if found.next().is_some() {
            self.has_left_out.store(true, Ordering::Relaxed);
        }
        first
    }
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Index { objects: Vec::new(), filed: Vec::new() }
    }
}

impl<T: Copy> Index<T> {
    fn file(&mut self, drawers: &[Drawer], object: T) {
        // More would not fit into any memory.
        let number = u32::try_from(self.objects.len()).unwrap_or(u32::MAX);
        self.objects.push(object);
        self.filed.extend(drawers.iter().map(|drawer| (*drawer, number)));
    }

    fn sort(&mut self) {
        self.filed.sort_unstable();
    }

    /// What is filed there, and at most what shares the drawer.
    fn under(&self, namespace: &str, label: Option<(&str, &str)>) -> &[(Drawer, u32)] {
        let wanted = drawer(namespace, label);
        let first = self.filed.partition_point(|(drawer, _)| *drawer < wanted);
        let rest = self.filed.get(first..).unwrap_or_default();
        rest.get(..rest.partition_point(|(drawer, _)| *drawer == wanted)).unwrap_or_default()
    }

    fn objects<'s>(&'s self, filed: &'s [(Drawer, u32)]) -> impl Iterator<Item = T> + 's {
        filed.iter().filter_map(|(_, number)| self.objects.get(*number as usize).copied())
    }
}

impl<'a> Index<Selector<'a>> {
    fn selecting<'s>(&'s self, pods: Pods<'s>) -> impl Iterator<Item = &'a Value> {
        let labels = pods.labels.into_iter().flat_map(pairs).map(Some);
        let filed = labels.chain([None]).map(move |label| self.under(pods.namespace, label));
        let selects = move |service: &Selector<'a>| {
            service.namespace == pods.namespace
                && service.selector.is_some_and(|selector| matches(selector, pods.labels, pods.kind, pods.name))
        };
        filed.flat_map(|filed| self.objects(filed)).filter(selects).map(|service| service.object)
    }
}

impl<'a> Index<Pods<'a>> {
    fn selected_by<'s>(
        &'s self,
        namespace: &'s str,
        selector: &'s Map<String, Value>,
    ) -> impl Iterator<Item = &'a Value> {
        let labelled = pairs(selector).map(|label| self.under(namespace, Some(label)));
        let rarest = labelled.min_by_key(|list| list.len()).unwrap_or_else(|| self.under(namespace, None));
        let is_selected =
            move |pods: &Pods<'a>| pods.namespace == namespace && matches(selector, pods.labels, pods.kind, pods.name);
        self.objects(rarest).filter(is_selected).map(|pods| pods.object)
    }
}

/// The labels with text values that a manifest can carry itself.
fn pairs<'l>(labels: &'l Map<String, Value>) -> impl Iterator<Item = (&'l str, &'l str)> + use<'l> {
    let labels = labels.iter().filter(|(key, _)| !is_added_by_controllers(key));
    labels.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

impl Cluster for Objects<'_> {
    fn list(&self, _: Resource, namespace: &str, narrow: Narrow<'_>) -> Lookup<Vec<Cow<'_, Value>>> {
        let found = match narrow {
            Narrow::SelectorMatching { labels, kind, name } => {
                let pods = Pods { object: &Value::Null, namespace, labels: Some(labels), kind, name };
                let balancers = self.balancers.selecting(pods);
                self.first(balancers.chain(self.services.selecting(pods)))
            }
            Narrow::LabelsMatching(selector) => self.first(self.workloads.selected_by(namespace, selector)),
        };
        Lookup::Known(found.into_iter().map(Cow::Borrowed).collect())
    }

    fn get(&self, _: &str, kind: &str, namespace: &str, name: &str) -> Lookup<Option<Cow<'_, Value>>> {
        let is_meant = |object: &&&Value| {
            let own = Kind::of_object(object).map(Kind::name);
            own == Some(kind) && namespace_of(object).unwrap_or(DEFAULT_NAMESPACE) == namespace
        };
        match self.named(name).iter().find(is_meant) {
            Some(object) => Lookup::Known(Some(Cow::Borrowed(object))),
            None if self.closed => Lookup::Known(None),
            None => Lookup::Unknown("the object is not in view".to_owned()),
        }
    }

    fn closed(&self) -> bool {
        self.closed
    }

    fn judged_together(&self) -> bool {
        self.together
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    /// Services and workloads with these labels, several of each, in two namespaces.
    fn crowd(labels: &[Value]) -> Vec<Value> {
        let mut objects = Vec::new();
        for namespace in ["db", "web"].repeat(3) {
            for labels in labels {
                let number = objects.len().to_string();
                let service = json!({"name": number, "namespace": namespace});
                objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": service,
                    "spec": {"selector": labels}}));
                let workload = json!({"name": "sql", "namespace": namespace, "uid": number});
                objects.push(json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": workload,
                    "spec": {"template": {"metadata": {"labels": labels}}}}));
            }
        }
        objects
    }

    #[test]
    fn relations_are_those_that_a_look_at_everything_finds() {
        let by_name = json!({"statefulset.kubernetes.io/pod-name": "sql-0"});
        let labels =
            [json!({}), json!({"app": "sql"}), json!({"app": "sql", "tier": "db"}), json!({"app": "x"}), by_name];
        let (objects, kind, mut count) = (crowd(&labels), Kind::StatefulSet, 0);
        let world = Objects::open(&objects);
        for (namespace, labels) in
            ["db", "web", "none"].into_iter().flat_map(|one| labels.iter().map(move |two| (one, two)))
        {
            let labels = labels.as_object().unwrap();
            let found = |narrow| {
                let Lookup::Known(found) = world.list(Resource::Services, namespace, narrow) else { panic!() };
                found.into_iter().map(Cow::into_owned).collect::<Vec<Value>>()
            };
            let all = |kind: &str, is_related: &dyn Fn(&Value) -> bool| -> Vec<Value> {
                let mut all = objects.clone();
                all.retain(|object| {
                    object["kind"] == kind && namespace_of(object) == Some(namespace) && is_related(object)
                });
                all
            };
            let selects = |service: &Value| {
                service["spec"]["selector"]
                    .as_object()
                    .is_some_and(|selector| matches(selector, Some(labels), kind, "sql"))
            };
            let mut services = found(Narrow::SelectorMatching { labels, kind, name: "sql" });
            services.sort_by_key(|service| objects.iter().position(|object| object == service));
            assert_eq!(services, all("Service", &selects));
            let is_selected = |workload: &Value| {
                matches(labels, workload["spec"]["template"]["metadata"]["labels"].as_object(), kind, "sql")
            };
            let workloads = found(Narrow::LabelsMatching(labels));
            assert_eq!(workloads, all("StatefulSet", &is_selected));
            count += services.len() + workloads.len();
        }
        assert!(count > 50, "{count}");
    }

    #[test]
    fn of_many_relations_the_first_are_looked_at_and_load_balancers_first() {
        let service = |number: usize, kind: &str| {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": number.to_string()},
                "spec": {"type": kind, "selector": {"app": "sql"}}})
        };
        let mut services: Vec<Value> = (0..MOST_RELATIONS).map(|number| service(number, "ClusterIP")).collect();
        let labels = json!({"app": "sql", "tier": "db"});
        let narrow = Narrow::SelectorMatching { labels: labels.as_object().unwrap(), kind: Kind::Pod, name: "sql" };
        let names = |services: &[Value]| {
            let world = Objects::closed(services);
            let Lookup::Known(found) = world.list(Resource::Services, DEFAULT_NAMESPACE, narrow) else { panic!() };
            let names: Vec<Value> = found.iter().map(|service| service["metadata"]["name"].clone()).collect();
            (names, world.has_left_out())
        };
        let (all, has_left_out) = names(&services);
        assert_eq!((all.len(), has_left_out), (MOST_RELATIONS, false));
        services.push(service(99, "LoadBalancer"));
        let (first, has_left_out) = names(&services);
        assert_eq!((first.len(), &first[0], has_left_out), (MOST_RELATIONS, &json!("99"), true));
        // One object at admission sees all that there is.
        let open = Objects::open(&services);
        let Lookup::Known(all) = open.list(Resource::Services, DEFAULT_NAMESPACE, narrow) else { panic!() };
        assert_eq!(all.len(), services.len());
    }
}
