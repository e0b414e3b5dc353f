//! What a rule is asked about: one object, the settings, and the world around it.

use std::borrow::Cow;
use std::cell::RefCell;

use serde_json::Value;

use crate::cluster::{Cluster, Lookup, Narrow, Resource};
use crate::kind::{Kind, has_judged_owner};
use crate::node::{Node, reach};
use crate::service::Service;
use crate::settings::Settings;
use crate::workload::Workload;

/// The namespace of objects that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// One object with everything a rule may ask about it.
pub struct Subject<'a> {
    /// The object, read as what it is.
    pub target: Target<'a>,
    /// The object as it was before an UPDATE.
    pub old: Option<&'a Value>,
    /// Its namespace.
    pub namespace: &'a str,
    /// The settings.
    pub settings: &'a Settings,
    /// Whether not seeing an object proves that it does not exist.
    pub closed: bool,
    /// Whether what this object and another lack together is reported on one of them only.
    pub together: bool,
    cluster: &'a dyn Cluster,
    unchecked: RefCell<Vec<String>>,
}

/// An object, read as what it is.
#[derive(Clone, Debug)]
pub enum Target<'a> {
    /// It runs an engine that the rules govern.
    Workload(Workload<'a>),
    /// It is a core Service.
    Service(Service<'a>),
    /// It changes the number of replicas of the workload.
    Scale {
        /// The `autoscaling/v1` Scale.
        scale: Node<'a>,
        /// What is scaled.
        parent: Workload<'a>,
    },
}

impl<'a> Subject<'a> {
    /// A subject in a world.
    pub fn new(target: Target<'a>, namespace: &'a str, settings: &'a Settings, cluster: &'a dyn Cluster) -> Self {
        let closed = cluster.closed();
        let together = cluster.judged_together();
        Subject { target, old: None, namespace, settings, closed, together, cluster, unchecked: RefCell::default() }
    }

    /// Reads `object`; `None` if it is of no kind that the rules judge, or runs no engine that they govern.
    pub fn read(object: &'a Value, kind: Kind, settings: &'a Settings, cluster: &'a dyn Cluster) -> Option<Self> {
        let target = match kind {
            Kind::Service => Target::Service(Service::read(object)),
            _ => Target::Workload(Workload::read(object, kind, settings).filter(Workload::is_governed)?),
        };
        Some(Subject::new(target, namespace_of(object).unwrap_or(DEFAULT_NAMESPACE), settings, cluster))
    }

    /// The same subject in another namespace than the object names: manifests may leave it to the request.
    #[must_use]
    pub fn in_namespace(self, namespace: &'a str) -> Self {
        Subject { namespace, ..self }
    }

    /// The same subject as the outcome of an UPDATE of `old`.
    #[must_use]
    pub fn after(self, old: Option<&'a Value>) -> Self {
        Subject { old, ..self }
    }

    /// The object itself.
    pub fn object(&self) -> &'a Value {
        let node = match &self.target {
            Target::Workload(workload) => &workload.object,
            Target::Service(service) => &service.object,
            Target::Scale { scale, .. } => scale,
        };
        node.value().unwrap_or(&Value::Null)
    }

    /// The workload, if it is one and its pods go to Linux nodes. On Windows nodes only `linux-node` has a say.
    pub fn workload(&self) -> Option<&Workload<'a>> {
        self.workload_on_any_node().filter(|workload| !workload.on_windows)
    }

    /// The workload, wherever its pods go.
    pub fn workload_on_any_node(&self) -> Option<&Workload<'a>> {
        match &self.target {
            Target::Workload(workload) => Some(workload),
            _ => None,
        }
    }

    /// The Service, if it is one.
    pub fn service(&self) -> Option<&Service<'a>> {
        match &self.target {
            Target::Service(service) => Some(service),
            _ => None,
        }
    }

    /// The Services that select `workload`, leaving out the one called `except`. `None` if nobody can tell, which is
    /// noted for the audit annotations.
    pub fn services_of(&self, workload: &Workload<'_>, except: Option<&str>) -> Option<Vec<Cow<'_, Value>>> {
        let mut services = match workload.labels() {
            Some(labels) => {
                let (kind, name) = (workload.kind, workload.name());
                self.list(Resource::Services, Narrow::SelectorMatching { labels, kind, name })?
            }
            None => Vec::new(),
        };
        services.retain(|object| {
            let service = Service::read(object);
            Some(service.name()) != except && service.selects(workload)
        });
        Some(services)
    }

    /// The objects whose pods `service` selects, engine or not. `None` if nobody can tell, which is noted.
    pub fn selected_by(&self, service: &Service<'_>) -> Option<Vec<Cow<'_, Value>>> {
        self.list(Resource::Workloads, Narrow::LabelsMatching(service.selector()?))
    }

    fn list(&self, resource: Resource, narrow: Narrow<'_>) -> Option<Vec<Cow<'_, Value>>> {
        match self.cluster.list(resource, self.namespace, narrow) {
            Lookup::Known(objects) => Some(objects),
            Lookup::Unknown(why) => {
                let line = format!("{}: {why}", resource.plural());
                let mut unchecked = self.unchecked.borrow_mut();
                if !unchecked.contains(&line) {
                    unchecked.push(line);
                }
                None
            }
        }
    }

    /// Whether what `workload` and `service` lack together is reported on the Service: whoever judges it sees the workload.
    pub fn is_reported_on(&self, service: &Service<'_>, workload: &Workload<'_>) -> bool {
        self.together
            && self.cluster.shows(workload.kind)
            && service.address().can_become_load_balancer()
            && !service.object.value().is_some_and(has_judged_owner)
    }

    /// What could not be looked up, and why: one line each.
    pub fn unchecked(&self) -> Vec<String> {
        self.unchecked.borrow().clone()
    }
}

/// Reads those of `objects` that run a governed engine on Linux nodes and are selected by `service`.
pub fn governed<'v>(objects: &'v [Cow<'_, Value>], service: &Service<'_>, settings: &Settings) -> Vec<Workload<'v>> {
    let mut governed = Vec::new();
    for object in objects {
        let Some(kind) = Kind::of_object(object).filter(|kind| kind.keeps_running()) else { continue };
        let Some(workload) = Workload::read(object, kind, settings) else { continue };
        if workload.is_governed() && !workload.on_windows && service.selects(&workload) {
            governed.push(workload);
        }
    }
    governed
}

/// `metadata.namespace`, unless it is absent or empty.
pub fn namespace_of(object: &Value) -> Option<&str> {
    reach(object, &["metadata", "namespace"]).and_then(Value::as_str).filter(|namespace| !namespace.is_empty())
}
