//! Objects at hand as a cluster: those of files, of a live cluster, or of a fixture.

mod buckets;

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use self::buckets::{Bucket, BucketKey, Buckets, volume_bucket};
use super::Scope;
use super::cluster::{Cluster, Lookup, Query, is_autoscaler};
use crate::json::cursor::Cursor;
use crate::kubernetes::claim::claim_names;
use crate::kubernetes::kind::{Kind, WorkloadKind};
use crate::kubernetes::objects::{StorageClass, TcpRoute, Volume};
use crate::kubernetes::resources::Resource;
use crate::kubernetes::rollout::referenced_deployment;
use crate::kubernetes::selector::{POD_NAME, Pods, Selector, is_added_by_controllers};
use crate::kubernetes::service::Service;
use crate::kubernetes::{DEFAULT_NAMESPACE, name_of, namespace_of};

/// The most related objects that are compared with one object where all are checked, so that a set in which all have
/// the same labels takes linear time.
pub const MAX_RELATED: usize = 32;

/// The most objects that are searched for those that are related to one, where all are checked.
pub const MAX_SEARCHED: usize = 4096;

/// Objects, indexed so that every [`Query`] is cheap in large sets.
///
/// ```
/// use serde_json::json;
/// use sqledge_ha_policy::view::Scope;
/// use sqledge_ha_policy::view::cluster::Cluster;
/// use sqledge_ha_policy::view::index::ObjectIndex;
///
/// let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql"}});
/// assert_eq!(ObjectIndex::new(Scope::Application, [&service]).scope(), Scope::Application);
/// ```
#[derive(Debug, Default)]
pub struct ObjectIndex<'a> {
    scope: Scope,
    default_namespace: &'a str,
    objects: Vec<&'a Value>,
    /// Apart from the other Services, because most rules first ask for a LoadBalancer Service.
    load_balancers: Buckets<IndexedService<'a>>,
    services: Buckets<IndexedService<'a>>,
    workloads: Buckets<Pods<'a>>,
    others: Buckets<&'a Value>,
    /// The first LoadBalancer Services that select nothing, found when they are first asked for.
    idle_load_balancers: OnceLock<Vec<&'a Value>>,
    /// All objects by name, made when the first one is looked up.
    by_name: OnceLock<HashMap<ObjectName<'a>, &'a Value>>,
    /// Whether there is a claim, without which nothing is looked up by way of it.
    has_claims: bool,
    is_truncated: AtomicBool,
}

/// An object with the buckets that it belongs to. Entries can be read in parallel.
#[derive(Clone, Debug)]
pub struct IndexEntry<'a> {
    object: &'a Value,
    kind: EntryKind<'a>,
    bucket_keys: Vec<BucketKey>,
}

#[derive(Clone, Copy, Debug)]
enum EntryKind<'a> {
    LoadBalancer(IndexedService<'a>),
    Service(IndexedService<'a>),
    Workload(Pods<'a>),
    Claim,
    Other,
}

/// A Service, and what it selects.
#[derive(Clone, Copy, Debug)]
struct IndexedService<'a> {
    object: &'a Value,
    namespace: &'a str,
    selector: Option<Selector<'a>>,
}

/// The kind, namespace and name of an object.
type ObjectName<'a> = (Kind, &'a str, &'a str);

impl<'a> IndexEntry<'a> {
    /// Reads an object; `None` if it is of an unknown kind. `default_namespace` is that of objects that name none.
    pub fn read(object: &'a Value, default_namespace: &'a str) -> Option<Self> {
        let kind = Kind::from_object(object)?;
        let namespace = namespace_of(object).unwrap_or(default_namespace);
        let in_bucket =
            |bucket: Bucket<'_>| Some(IndexEntry { object, kind: EntryKind::Other, bucket_keys: vec![bucket.key()] });
        match kind {
            Kind::Service => Some(IndexEntry::from_service(object, namespace)),
            Kind::Workload(_) => match Pods::read(object) {
                Some(pods) => Some(IndexEntry::from_pods(Pods { namespace, ..pods })),
                None => Some(IndexEntry { object, kind: EntryKind::Other, bucket_keys: Vec::new() }),
            },
            Kind::Claim => Some(IndexEntry { object, kind: EntryKind::Claim, bucket_keys: Vec::new() }),
            Kind::TcpRoute => Some(IndexEntry::from_route(object, namespace)),
            Kind::Node => in_bucket(Bucket::Nodes),
            Kind::Volume => in_bucket(volume_bucket(&Volume::read(object))),
            Kind::StorageClass if StorageClass::read(object).is_default() => in_bucket(Bucket::DefaultStorageClasses),
            _ if is_autoscaler(kind) => in_bucket(Bucket::Autoscalers { namespace }),
            _ => Some(IndexEntry { object, kind: EntryKind::Other, bucket_keys: Vec::new() }),
        }
    }

    /// A Service has the buckets of every label that it selects; the index keeps the smallest.
    fn from_service(object: &'a Value, namespace: &'a str) -> Self {
        let service = Service::read(object);
        let selector = service.selector();
        let labels = selector.iter().flat_map(indexed_labels);
        let mut bucket_keys: Vec<BucketKey> =
            labels.map(|label| Bucket::Label { namespace, label: Some(label) }.key()).collect();
        if bucket_keys.is_empty() {
            bucket_keys.push(Bucket::Label { namespace, label: None }.key());
        }
        let indexed = IndexedService { object, namespace, selector };
        let kind =
            if service.is_load_balancer() { EntryKind::LoadBalancer(indexed) } else { EntryKind::Service(indexed) };
        IndexEntry { object, kind, bucket_keys }
    }

    /// A TCPRoute is in the bucket of every namespace that it leads to.
    fn from_route(object: &'a Value, namespace: &'a str) -> Self {
        let namespaces = TcpRoute::read(object, namespace).backend_namespaces();
        let mut bucket_keys: Vec<BucketKey> = namespaces.map(|namespace| Bucket::Routes { namespace }.key()).collect();
        // Two rules may lead to one namespace.
        bucket_keys.sort_unstable();
        bucket_keys.dedup();
        IndexEntry { object, kind: EntryKind::Other, bucket_keys }
    }

    /// A workload is in the bucket of every label of its pods, of its namespace, of every claim that it mounts, and of
    /// the Deployment whose pods it runs.
    fn from_pods(pods: Pods<'a>) -> Self {
        let namespace = pods.namespace;
        let mut bucket_keys: Vec<BucketKey> =
            labels(&pods).map(|label| Bucket::Label { namespace, label }.key()).collect();
        if pods.get_labels_at_run_time() {
            let labels = labels(&pods).flatten();
            bucket_keys.extend(labels.map(|label| Bucket::RunTimeLabels { namespace, label }.key()));
        }
        bucket_keys.extend(claim_names(&pods).iter().map(|claim| Bucket::Claim { namespace, claim }.key()));
        let deployment = referenced_deployment(&Cursor::root(pods.object));
        bucket_keys.extend(deployment.map(|deployment| Bucket::Rollouts { namespace, deployment }.key()));
        // Two volumes may name one claim.
        bucket_keys.sort_unstable();
        bucket_keys.dedup();
        IndexEntry { object: pods.object, kind: EntryKind::Workload(pods), bucket_keys }
    }
}

/// The number of Services in each bucket that they belong to.
fn service_bucket_sizes(entries: &[IndexEntry<'_>]) -> HashMap<BucketKey, usize> {
    let mut sizes = HashMap::new();
    for entry in entries {
        if let EntryKind::LoadBalancer(_) | EntryKind::Service(_) = entry.kind {
            entry.bucket_keys.iter().for_each(|key| *sizes.entry(*key).or_default() += 1);
        }
    }
    sizes
}

/// The buckets of the labels of all pod templates, if some pods get labels while they run.
fn template_labels(entries: &[IndexEntry<'_>]) -> Option<HashSet<BucketKey>> {
    let workloads = || entries.iter().filter(|entry| matches!(entry.kind, EntryKind::Workload(_)));
    let get_labels = |entry: &IndexEntry<'_>| match entry.kind {
        EntryKind::Workload(pods) => pods.get_labels_at_run_time(),
        _ => false,
    };
    workloads().any(get_labels).then(|| workloads().flat_map(|entry| entry.bucket_keys.iter().copied()).collect())
}

/// The labels of pods that can be in a bucket, and none.
fn labels<'p>(pods: &Pods<'p>) -> impl Iterator<Item = Option<(&'p str, &'p str)>> + use<'p> {
    let labels = pods.labels.into_iter().flatten();
    let is_named = pods.labels.is_some_and(|labels| labels.contains_key(POD_NAME));
    let added = (pods.kind == WorkloadKind::StatefulSet && !is_named).then_some((POD_NAME, pods.name));
    labels.filter_map(|(key, value)| indexed_label((key, value))).chain(added).map(Some).chain([None])
}

/// The labels of a selector that can be in a bucket.
fn indexed_labels<'l>(selector: &Selector<'l>) -> impl Iterator<Item = (&'l str, &'l str)> + use<'l> {
    selector.pairs().filter_map(indexed_label)
}

/// A label with a text value that is known before there are pods. Of a pod's name, that is the part without the
/// ordinal.
fn indexed_label<'l>((key, value): (&'l str, &'l Value)) -> Option<(&'l str, &'l str)> {
    let value = value.as_str()?;
    match key {
        POD_NAME => Some((key, value.rsplit_once('-').map_or(value, |(name, _)| name))),
        _ => Some((key, value)).filter(|_| !is_added_by_controllers(key)),
    }
}

impl<'a> ObjectIndex<'a> {
    /// The index of `objects`.
    pub fn new(scope: Scope, objects: impl IntoIterator<Item = &'a Value>) -> Self {
        let entries = objects.into_iter().filter_map(|object| IndexEntry::read(object, DEFAULT_NAMESPACE));
        ObjectIndex::from_entries(scope, DEFAULT_NAMESPACE, entries)
    }

    /// The index of objects that have been read with the same default namespace.
    pub fn from_entries(
        scope: Scope,
        default_namespace: &'a str,
        entries: impl IntoIterator<Item = IndexEntry<'a>>,
    ) -> Self {
        let mut index = ObjectIndex { scope, default_namespace, ..ObjectIndex::default() };
        let entries: Vec<IndexEntry<'a>> = entries.into_iter().collect();
        let (sizes, templates) = (service_bucket_sizes(&entries), template_labels(&entries));
        // All pods that a Service selects have each of its labels, so that the rarest is enough. Where some get labels
        // while they run, a Service with a label that no template has is in the buckets of all.
        let service_buckets = |keys: Vec<BucketKey>| {
            let is_of_templates = templates.as_ref().is_none_or(|labels| keys.iter().all(|key| labels.contains(key)));
            match keys.iter().min_by_key(|key| sizes.get(key)) {
                Some(rarest) if is_of_templates => vec![*rarest],
                _ => keys,
            }
        };
        for IndexEntry { object, kind, bucket_keys } in entries {
            index.objects.push(object);
            index.has_claims |= matches!(kind, EntryKind::Claim);
            match kind {
                EntryKind::LoadBalancer(service) => {
                    index.load_balancers.insert(&service_buckets(bucket_keys), service);
                }
                EntryKind::Service(service) => index.services.insert(&service_buckets(bucket_keys), service),
                EntryKind::Workload(pods) => index.workloads.insert(&bucket_keys, pods),
                EntryKind::Claim | EntryKind::Other => index.others.insert(&bucket_keys, object),
            }
        }
        index.load_balancers.sort();
        index.services.sort();
        index.workloads.sort();
        index.others.sort();
        index
    }

    /// Whether some objects were not compared: more than [`MAX_RELATED`] are related to one, or more than
    /// [`MAX_SEARCHED`] had to be searched.
    pub fn is_truncated(&self) -> bool {
        self.is_truncated.load(Ordering::Relaxed)
    }

    fn services_selecting(&self, pods: &Pods<'_>) -> Vec<&'a Value> {
        let namespace = pods.namespace;
        let selects = |service: &IndexedService<'_>| {
            service.namespace == namespace && service.selector.is_some_and(|selector| selector.matches(pods))
        };
        // Lazy, because only the first services are taken.
        let services = [&self.load_balancers, &self.services].into_iter().flat_map(|services| {
            labels(pods).flat_map(move |label| services.bucket(&Bucket::Label { namespace, label }))
        });
        let mut found = self.take_limited(self.searched(services).filter(selects).map(|service| service.object));
        if pods.get_labels_at_run_time() {
            // Some are in several buckets.
            let mut known = HashSet::new();
            found.retain(|service| known.insert(std::ptr::from_ref(*service)));
        }
        found
    }

    fn pods_selected_by(&self, namespace: &str, selector: &Selector<'_>) -> Vec<&'a Value> {
        let is_selected = |pods: &Pods<'_>| pods.namespace == namespace && selector.matches(pods);
        let labelled = indexed_labels(selector).map(Some);
        let buckets = labelled.chain([None]).map(|label| Bucket::Label { namespace, label });
        let Some(smallest) = buckets.min_by_key(|bucket| self.workloads.len(bucket)) else { return Vec::new() };
        let pods_in = |bucket| self.searched(self.workloads.bucket(bucket));
        let selected = self.take_limited(pods_in(&smallest).filter(is_selected).map(|pods| pods.object));
        if !selected.is_empty() {
            return selected;
        }
        // Those that get the label of that bucket while they run are not in it.
        let buckets = indexed_labels(selector).map(|label| Bucket::RunTimeLabels { namespace, label });
        let filled = buckets.filter(|bucket| self.workloads.len(bucket) > 0);
        let Some(smallest) = filled.min_by_key(|bucket| self.workloads.len(bucket)) else { return Vec::new() };
        self.take_limited(pods_in(&smallest).filter(is_selected).map(|pods| pods.object))
    }

    /// The first LoadBalancer Services that select nothing: each workload without one is compared with them.
    fn idle_load_balancers(&self) -> &[&'a Value] {
        self.idle_load_balancers.get_or_init(|| {
            let is_idle = |service: &&IndexedService<'a>| {
                let selector = service.selector;
                selector.is_some_and(|selector| self.pods_selected_by(service.namespace, &selector).is_empty())
            };
            let idle = self.load_balancers.iter().filter(is_idle);
            idle.take(MAX_RELATED).map(|service| service.object).collect()
        })
    }

    fn named(&self, name: ObjectName<'_>) -> Option<&'a Value> {
        let by_name = self.by_name.get_or_init(|| {
            let mut by_name = HashMap::new();
            for object in &self.objects {
                let Some(kind) = Kind::from_object(object) else { continue };
                let is_namespaced = kind.resource().is_none_or(|resource| resource.is_namespaced);
                let namespace = if is_namespaced { namespace_of(object).unwrap_or(self.default_namespace) } else { "" };
                by_name.entry((kind, namespace, name_of(object))).or_insert(*object);
            }
            by_name
        });
        by_name.get(&name).copied()
    }

    /// The first objects to search: all, unless each object is compared with all others.
    fn searched<T>(&self, objects: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let limit = if self.scope.reports_once() { MAX_SEARCHED } else { usize::MAX };
        let is_searched = move |position: usize| {
            if position == limit {
                self.is_truncated.store(true, Ordering::Relaxed);
            }
            position < limit
        };
        let searched = objects.enumerate().take_while(move |(position, _)| is_searched(*position));
        searched.map(|(_, object)| object)
    }

    /// The first objects: all, unless each object is compared with all others.
    fn take_limited(&self, mut found: impl Iterator<Item = &'a Value>) -> Vec<&'a Value> {
        let limit = if self.scope.reports_once() { MAX_RELATED } else { usize::MAX };
        let first = found.by_ref().take(limit).collect();
        if found.next().is_some() {
            self.is_truncated.store(true, Ordering::Relaxed);
        }
        first
    }
}

impl Cluster for ObjectIndex<'_> {
    fn scope(&self) -> Scope {
        self.scope
    }

    fn default_namespace(&self) -> &str {
        match self.default_namespace {
            "" => DEFAULT_NAMESPACE,
            namespace => namespace,
        }
    }

    fn find(&self, query: &Query<'_>) -> Lookup<Vec<&Value>> {
        let in_bucket = |bucket: Bucket<'_>| self.others.bucket(&bucket);
        Lookup::Known(match *query {
            Query::ServicesSelecting(pods) => self.services_selecting(&pods),
            Query::PodsSelectedBy { namespace, selector } => self.pods_selected_by(namespace, &selector),
            Query::UsersOfClaim { namespace, claim } => {
                self.take_limited(self.workloads.bucket(&Bucket::Claim { namespace, claim }).map(|pods| pods.object))
            }
            Query::AutoscalersIn(namespace) => self.searched(in_bucket(Bucket::Autoscalers { namespace })).collect(),
            Query::RoutesTo(namespace) => {
                // At admission, those of one namespace are listed.
                let is_listed = |route: &&Value| {
                    self.scope != Scope::Request || namespace_of(route).unwrap_or(self.default_namespace) == namespace
                };
                self.searched(in_bucket(Bucket::Routes { namespace })).filter(is_listed).collect()
            }
            Query::RolloutsOf { namespace, deployment } => {
                let rollouts = self.workloads.bucket(&Bucket::Rollouts { namespace, deployment });
                self.take_limited(rollouts.map(|pods| pods.object))
            }
            Query::IdleLoadBalancers => self.idle_load_balancers().to_vec(),
            Query::VolumesFor { namespace, claim, class } => {
                let reserved = self.others.bucket(&Bucket::VolumesForClaim { namespace, claim });
                self.take_limited(reserved.chain(self.others.bucket(&Bucket::VolumesOfClass { class })))
            }
            Query::DefaultStorageClasses => in_bucket(Bucket::DefaultStorageClasses).collect(),
            Query::Nodes => in_bucket(Bucket::Nodes).collect(),
        })
    }

    fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Lookup<Option<&Value>> {
        let is_there = resource.kind != Kind::Claim || self.has_claims;
        Lookup::Known(is_there.then(|| self.named((resource.kind, namespace, name))).flatten())
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

    fn found(index: &ObjectIndex<'_>, query: &Query<'_>) -> Vec<Value> {
        index.find(query).known().unwrap().into_iter().cloned().collect()
    }

    #[test]
    fn the_index_finds_what_a_search_of_all_objects_finds() {
        let by_name = |name: &str| json!({POD_NAME: name});
        let labels = [
            json!({}),
            json!({"app": "sql"}),
            json!({"app": "sql", "tier": "db"}),
            json!({"app": "x"}),
            by_name("sql-0"),
            by_name("sql"),
            by_name("other-0"),
        ];
        let (objects, mut count) = (crowd(&labels), 0);
        let index = ObjectIndex::new(Scope::Request, &objects);
        for pods in objects.iter().filter_map(Pods::read) {
            let selects = |other: &&Value| {
                let service = Service::read(other);
                other["kind"] == "Service" && namespace_of(other) == Some(pods.namespace) && service.selects(&pods)
            };
            let mut services = found(&index, &Query::ServicesSelecting(pods));
            services.sort_by_key(|service| objects.iter().position(|object| object == service));
            assert_eq!(services, objects.iter().filter(selects).cloned().collect::<Vec<_>>());
            count += services.len();
        }
        for service in objects.iter().filter(|object| object["kind"] == "Service") {
            let Some(selector) = Service::read(service).selector() else { continue };
            let namespace = namespace_of(service).unwrap();
            let is_selected = |other: &&Value| {
                Pods::read(other).is_some_and(|pods| pods.namespace == namespace && selector.matches(&pods))
            };
            let workloads = found(&index, &Query::PodsSelectedBy { namespace, selector });
            assert_eq!(workloads, objects.iter().filter(is_selected).cloned().collect::<Vec<_>>());
            count += workloads.len();
        }
        assert!(count > 50, "{count}");
    }

    #[test]
    fn only_the_first_of_many_related_objects_are_found_and_load_balancers_come_first() {
        let service = |number: usize, kind: &str| {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": number.to_string()},
                "spec": {"type": kind, "selector": {"app": "sql"}}})
        };
        let mut services: Vec<Value> = (0..MAX_RELATED).map(|number| service(number, "ClusterIP")).collect();
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sql", "labels": {"app": "sql"}}});
        let query = Query::ServicesSelecting(Pods::read(&pod).unwrap());
        let names = |services: &[Value]| {
            let index = ObjectIndex::new(Scope::Application, services);
            let names: Vec<Value> =
                found(&index, &query).iter().map(|service| service["metadata"]["name"].clone()).collect();
            (names, index.is_truncated())
        };
        let (all, is_truncated) = names(&services);
        assert_eq!((all.len(), is_truncated), (MAX_RELATED, false));
        services.push(service(99, "LoadBalancer"));
        let (first, is_truncated) = names(&services);
        assert_eq!((first.len(), &first[0], is_truncated), (MAX_RELATED, &json!("99"), true));
        // At admission, one object is compared with all others.
        assert_eq!(found(&ObjectIndex::new(Scope::Request, &services), &query).len(), services.len());
    }

    #[test]
    fn only_the_first_of_very_many_objects_are_searched() {
        let object = |api_version: &str, kind: &str, number: usize, spec: Value| {
            let metadata = json!({"name": number.to_string(), "labels": {"app": "sql"}});
            json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
        };
        let target = json!({"scaleTargetRef": {"kind": "Deployment", "name": "sql"}});
        let backends = json!({"rules": [{"backendRefs": [{"name": "sql"}]}]});
        let both = json!({"app": "sql", "tier": "db"});
        let selector = Selector::from_map(&Cursor::root(&both)).unwrap();
        let pod = object("v1", "Pod", 0, json!({}));
        let namespace = DEFAULT_NAMESPACE;
        let cases = [
            (object("autoscaling/v2", "HorizontalPodAutoscaler", 0, target), Query::AutoscalersIn(namespace)),
            (object("gateway.networking.k8s.io/v1", "TCPRoute", 0, backends), Query::RoutesTo(namespace)),
            (pod.clone(), Query::PodsSelectedBy { namespace, selector }),
            (
                object("v1", "Service", 0, json!({"selector": both})),
                Query::ServicesSelecting(Pods::read(&pod).unwrap()),
            ),
        ];
        for (object, query) in cases {
            let is_truncated = |scope: Scope, count: usize| {
                // Pods of the other label, so that no bucket is empty.
                let mut other = pod.clone();
                other["metadata"]["labels"] = json!({"tier": "db"});
                let others = vec![other; if object["kind"] == "Pod" { count } else { 0 }];
                let objects = vec![object.clone(); count];
                let index = ObjectIndex::new(scope, objects.iter().chain(&others));
                index.find(&query);
                index.is_truncated()
            };
            assert!(!is_truncated(Scope::Application, MAX_SEARCHED), "{query:?}");
            assert!(is_truncated(Scope::Application, MAX_SEARCHED + 1), "{query:?}");
            assert!(!is_truncated(Scope::Request, MAX_SEARCHED + 1), "{query:?}");
        }
    }

    #[test]
    fn every_query_finds_its_objects() {
        let named = |api_version: &str, kind: &str, name: &str, spec: Value| json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec});
        let deployment = json!({"kind": "Deployment", "name": "sql"});
        let backends = json!([{"name": "a"}, {"name": "b", "namespace": "db"}, {"name": "c", "namespace": "db"}]);
        let objects = [
            named("v1", "PersistentVolumeClaim", "data", json!({"volumeName": "pv"})),
            named("v1", "PersistentVolume", "pv", json!({})),
            named("v1", "Pod", "user", json!({"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]})),
            named("apps/v1", "StatefulSet", "set", json!({"volumeClaimTemplates": [{"metadata": {"name": "data"}}]})),
            named("autoscaling/v2", "HorizontalPodAutoscaler", "scaler", json!({})),
            named("keda.sh/v1alpha1", "ScaledObject", "keda", json!({})),
            named("v1", "Node", "node", json!({})),
            named("argoproj.io/v1alpha1", "Rollout", "rollout", json!({"workloadRef": deployment})),
            named("gateway.networking.k8s.io/v1", "TCPRoute", "route", json!({"rules": [{"backendRefs": backends}]})),
        ];
        let index = ObjectIndex::new(Scope::LiveCluster, &objects);
        let names = |query: Query<'_>| -> Vec<String> {
            let found = index.find(&query).known().unwrap();
            found.into_iter().map(|object| name_of(object).to_owned()).collect()
        };
        let namespace = DEFAULT_NAMESPACE;
        assert_eq!(names(Query::UsersOfClaim { namespace, claim: "data" }), ["user"]);
        assert_eq!(names(Query::UsersOfClaim { namespace, claim: "data-set-0" }), ["set"]);
        assert_eq!(names(Query::AutoscalersIn(namespace)), ["scaler", "keda"]);
        assert_eq!(names(Query::AutoscalersIn("other")), [""; 0]);
        assert_eq!(names(Query::Nodes), ["node"]);
        assert_eq!(names(Query::RolloutsOf { namespace, deployment: "sql" }), ["rollout"]);
        assert_eq!(names(Query::RolloutsOf { namespace, deployment: "web" }), [""; 0]);
        for (namespace, count) in [(namespace, 1), ("db", 1), ("web", 0)] {
            assert_eq!(names(Query::RoutesTo(namespace)).len(), count, "{namespace}");
        }
        let get = |kind: Kind, namespace: &str, name: &str| {
            index.get(kind.resource().unwrap(), namespace, name).known().unwrap().is_some()
        };
        assert!(get(Kind::Claim, namespace, "data") && !get(Kind::Claim, "other", "data"));
        assert!(get(Kind::Volume, "", "pv") && !get(Kind::Volume, "", "none"));
    }
}
