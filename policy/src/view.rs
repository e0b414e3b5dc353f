//! What else exists: the other objects that rules look up, and whether a missing object proves that it does not exist.

pub mod cluster;
pub mod index;
pub mod load_balancer;
#[cfg(not(feature = "guest"))]
pub mod pruning;
pub mod storage;
pub mod unavailable;

use std::cell::RefCell;

use serde_json::Value;

use self::cluster::{Cluster, Lookup, Query};
use crate::json::cursor::Cursor;
use crate::kubernetes::claim::{Claim, claim_names};
use crate::kubernetes::kind::{Kind, WorkloadKind};
use crate::kubernetes::namespace_of;
use crate::kubernetes::objects::{Autoscaler, DisruptionBudget, Node, StorageClass, TcpRoute};
use crate::kubernetes::resources::RESOURCES;
use crate::kubernetes::rollout::referenced_deployment;
use crate::kubernetes::selector::Pods;
use crate::kubernetes::service::Service;
use crate::settings::Settings;
use crate::workload::Workload;

/// How much of what exists can be looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// One admission request. Other objects are looked up; more may arrive later.
    #[default]
    Request,
    /// A part of an application, all of which is checked. Other objects may exist.
    Part,
    /// A whole application, all of which is checked.
    Application,
    /// A live cluster, all of which is checked.
    LiveCluster,
}

impl Scope {
    /// Whether an object that is not found does not exist.
    pub fn is_complete(self) -> bool {
        matches!(self, Scope::Application | Scope::LiveCluster)
    }

    /// Whether both ends of a relation are checked, so that a finding about it is reported on one of them only.
    pub fn reports_once(self) -> bool {
        self != Scope::Request
    }
}

/// The objects beside the one that is checked. Each method is a question that rules ask.
///
/// A question that cannot be answered is recorded in [`View::unchecked`], once.
pub struct View<'a> {
    cluster: &'a dyn Cluster,
    settings: &'a Settings,
    namespace: &'a str,
    unchecked: RefCell<Vec<String>>,
}

impl<'a> View<'a> {
    /// The view of an object in `namespace`.
    pub fn new(cluster: &'a dyn Cluster, settings: &'a Settings, namespace: &'a str) -> Self {
        View { cluster, settings, namespace, unchecked: RefCell::default() }
    }

    /// How much can be looked up. The module sees single requests, and the whole cluster for the audit scanner: the
    /// compiler leaves out of it what is for files.
    #[inline(always)]
    pub fn scope(&self) -> Scope {
        match self.cluster.scope() {
            Scope::LiveCluster => Scope::LiveCluster,
            _ if cfg!(feature = "guest") => Scope::Request,
            scope => scope,
        }
    }

    /// The namespace of the checked object.
    pub fn namespace(&self) -> &'a str {
        self.namespace
    }

    /// The Services that select the pods of `workload`.
    pub fn services_selecting(&self, workload: &Workload<'_>) -> Lookup<Vec<Service<'a>>> {
        let pods = workload.pods(self.namespace);
        if pods.labels.is_none() {
            return Lookup::Known(Vec::new());
        }
        let services = self.find(&Query::ServicesSelecting(pods));
        services
            .map(|services| services.into_iter().map(Service::read).filter(|service| service.selects(&pods)).collect())
    }

    /// The workloads whose pods `service` selects, with or without a database.
    pub fn pods_selected_by(&self, service: &Service<'_>) -> Lookup<Vec<Pods<'a>>> {
        let Some(selector) = service.selector() else { return Lookup::Known(Vec::new()) };
        let workloads = self.find(&Query::PodsSelectedBy { namespace: self.namespace, selector });
        workloads.map(|workloads| {
            let mut selected: Vec<Pods<'a>> = Vec::new();
            for pods in workloads.into_iter().filter_map(Pods::read).filter(|pods| service.selects(pods)) {
                // In files, variants of an application have objects of the same name.
                let is_same = |known: &Pods<'a>| known.kind == pods.kind && known.name == pods.name;
                if self.scope() == Scope::Request || !selected.iter().any(is_same) {
                    selected.push(pods);
                }
            }
            selected
        })
    }

    /// The long-running workloads on Linux nodes that run a selected product and that `service` selects.
    pub fn databases_selected_by(&self, service: &Service<'_>) -> Lookup<Vec<Workload<'a>>> {
        let read = |pods: Pods<'a>| {
            let workload = Workload::read(pods.object, pods.kind, self.settings)?;
            (pods.kind.is_long_running() && workload.has_selected_engine() && !workload.on_windows).then_some(workload)
        };
        self.pods_selected_by(service).map(|workloads| workloads.into_iter().filter_map(read).collect())
    }

    /// Whether `service` selects the pods of any database, selected or not.
    pub fn selects_any_database(&self, service: &Service<'_>) -> Lookup<bool> {
        let is_database = |pods: &Pods<'a>| Workload::read(pods.object, pods.kind, self.settings).is_some();
        self.pods_selected_by(service).map(|workloads| workloads.iter().any(is_database))
    }

    /// The workloads whose pods mount the claim `name`.
    pub fn users_of_claim(&self, name: &str) -> Lookup<Vec<Pods<'a>>> {
        let workloads = self.find(&Query::UsersOfClaim { namespace: self.namespace, claim: name });
        let uses = |pods: &Pods<'_>| claim_names(pods).iter().any(|claim| claim == name);
        workloads.map(|workloads| workloads.into_iter().filter_map(Pods::read).filter(uses).collect())
    }

    /// The claim `name`; `Known(None)` if it does not exist.
    pub fn claim(&self, name: &str) -> Lookup<Option<Claim<'a>>> {
        self.get(Kind::Claim, name).map(|claim| claim.map(Claim::read))
    }

    /// The StorageClass that a claim names; `Known(None)` if it names none, or the class does not exist.
    pub fn class_of(&self, claim: &Claim<'_>) -> Lookup<Option<StorageClass<'a>>> {
        let Some(name) = claim.named_class() else { return Lookup::Known(None) };
        self.get(Kind::StorageClass, name).map(|class| class.map(StorageClass::read))
    }

    /// The databases of selected products whose pods a budget selects.
    pub fn databases_in_budget(&self, budget: &DisruptionBudget<'_>) -> Vec<Workload<'a>> {
        let Some(selector) = budget.selector() else { return Vec::new() };
        let workloads = self.find(&Query::PodsSelectedBy { namespace: self.namespace, selector });
        let workloads = workloads.known().unwrap_or_default().into_iter().filter_map(Pods::read);
        let selected = workloads.filter(|pods| pods.kind.is_long_running() && selector.matches(pods));
        let read = |pods: Pods<'a>| Workload::read(pods.object, pods.kind, self.settings);
        selected.filter_map(read).filter(Workload::has_selected_engine).collect()
    }

    /// The autoscalers of every kind that target `workload`.
    pub fn autoscalers_of(&self, workload: &Workload<'_>) -> Lookup<Vec<Autoscaler<'a>>> {
        let (kind, name) = (workload.kind.name(), workload.name());
        let targets = |autoscaler: &Autoscaler<'_>| {
            autoscaler.target().is_some_and(|target| target == (kind, name) || self.runs_pods_of(target, workload))
        };
        let autoscalers = self.find(&Query::AutoscalersIn(self.namespace));
        autoscalers.map(|autoscalers| autoscalers.into_iter().map(Autoscaler::read).filter(targets).collect())
    }

    /// Whether the target of an autoscaler is a Rollout that runs the pods of `workload`, a Deployment.
    fn runs_pods_of(&self, (kind, name): (&str, &str), workload: &Workload<'_>) -> bool {
        if kind != WorkloadKind::Rollout.name() || workload.kind != WorkloadKind::Deployment {
            return false;
        }
        let rollout = self.get(Kind::ROLLOUT, name).known().flatten();
        rollout.is_some_and(|rollout| referenced_deployment(&Cursor::root(rollout)) == Some(workload.name()))
    }

    /// The workload of a selected product that an autoscaler scales.
    pub fn target_of(&self, autoscaler: &Autoscaler<'_>) -> Option<Workload<'a>> {
        let (kind_name, name) = autoscaler.target()?;
        let mut kinds = RESOURCES.iter().filter(|row| row.is_scalable).filter_map(|row| row.kind.workload());
        let kind = kinds.find(|kind| kind.name() == kind_name)?;
        let object = self.get(Kind::Workload(kind), name).known().flatten()?;
        Workload::read(object, kind, self.settings).filter(Workload::has_selected_engine)
    }

    /// The TCPRoutes that lead to Services of the namespace; at admission only those in it. Where the Gateway API is not
    /// installed, there are none.
    pub fn tcp_routes(&self) -> Lookup<Vec<TcpRoute<'a>>> {
        let read = |object| TcpRoute::read(object, self.cluster.default_namespace());
        self.find(&Query::RoutesTo(self.namespace)).map(|routes| routes.into_iter().map(read).collect())
    }

    /// Whether a Rollout in files or in a live cluster runs the pods of `workload`, a Deployment.
    pub fn is_run_by_rollout(&self, workload: &Workload<'_>) -> bool {
        let (namespace, deployment) = (self.namespace, workload.name());
        let rollouts = match self.scope() {
            Scope::Part | Scope::Application | Scope::LiveCluster => {
                self.find(&Query::RolloutsOf { namespace, deployment }).known().unwrap_or_default()
            }
            Scope::Request => Vec::new(),
        };
        rollouts.into_iter().any(|rollout| referenced_deployment(&Cursor::root(rollout)) == Some(deployment))
    }

    /// The namespace of an object that was looked up.
    pub fn namespace_of(&self, object: &Cursor<'a>) -> &'a str {
        object.value().and_then(namespace_of).unwrap_or(self.cluster.default_namespace())
    }

    /// The LoadBalancer Services of a whole application that select nothing in it.
    pub fn idle_load_balancers(&self) -> Vec<Service<'a>> {
        let services = match self.scope() {
            Scope::Application => self.find(&Query::IdleLoadBalancers).known(),
            Scope::Request | Scope::Part | Scope::LiveCluster => None,
        };
        services.into_iter().flatten().map(Service::read).collect()
    }

    /// Every Node.
    pub fn nodes(&self) -> Lookup<Vec<Node<'a>>> {
        self.find(&Query::Nodes).map(|nodes| nodes.into_iter().map(Node::read).collect())
    }

    /// Whether a finding that a Service and `workload` have in common is reported on the Service: both are checked, and
    /// the Service's check can look up the workload.
    pub fn is_reported_on_service(&self, workload: &Workload<'_>) -> bool {
        self.scope().reports_once() && self.cluster.can_list(workload.kind)
    }

    /// The look-ups that failed, and why: one line each.
    pub fn unchecked(&self) -> Vec<String> {
        self.unchecked.borrow().clone()
    }

    fn find(&self, query: &Query<'_>) -> Lookup<Vec<&'a Value>> {
        self.record(query.subject(), self.cluster.find(query))
    }

    fn get(&self, kind: Kind, name: &str) -> Lookup<Option<&'a Value>> {
        let Some(resource) = kind.resource() else { return Lookup::Known(None) };
        let namespace = if resource.is_namespaced { self.namespace } else { "" };
        self.record(resource.plural, self.cluster.get(resource, namespace, name))
    }

    /// Records why a look-up failed.
    fn record<T>(&self, subject: &str, answer: Lookup<T>) -> Lookup<T> {
        if let Lookup::Unavailable(reason) = &answer {
            let mut unchecked = self.unchecked.borrow_mut();
            let line = format!("{subject}: {}", reason.words());
            // Many rules ask the same.
            if !unchecked.contains(&line) {
                unchecked.push(line);
            }
        }
        answer
    }
}
