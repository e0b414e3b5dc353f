//! A world made of objects at hand: the files being linted, or a fixture.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::cluster::{Cluster, Lookup, Narrow, Resource};
use crate::kind::{Kind, has_judged_owner};
use crate::selector::is_added_by_controllers;
use crate::subject::{DEFAULT_NAMESPACE, namespace_of};

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
    by_name: HashMap<&'a str, Vec<&'a Value>>,
    services: Index<'a>,
    workloads: Index<'a>,
}

/// Objects by namespace, label and value.
#[derive(Debug, Default)]
struct Index<'a> {
    by_label: HashMap<&'a str, HashMap<&'a str, HashMap<&'a str, Vec<&'a Value>>>>,
    /// Objects that have to be looked at whatever the labels.
    others: HashMap<&'a str, Vec<&'a Value>>,
}

impl<'a> Objects<'a> {
    /// Everything there is: what is not among `objects` does not exist.
    pub fn closed(objects: impl IntoIterator<Item = &'a Value>) -> Self {
        Objects { closed: true, ..Objects::partial(objects) }
    }

    /// A part of what there is, all of which is judged.
    pub fn partial(objects: impl IntoIterator<Item = &'a Value>) -> Self {
        Objects { together: true, ..Objects::open(objects) }
    }

    /// Some of what there is, beside the object that is judged.
    pub fn open(objects: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut set = Objects::default();
        for object in objects {
            set.add(object);
        }
        set
    }

    fn add(&mut self, object: &'a Value) {
        let Some(kind) = Kind::of_object(object) else { return };
        let namespace = namespace_of(object).unwrap_or(DEFAULT_NAMESPACE);
        if let Some(name) = object.pointer("/metadata/name").and_then(Value::as_str) {
            self.by_name.entry(name).or_default().push(object);
        }
        if kind == Kind::Service {
            self.services.add_selector(namespace, object);
        } else if let Some(template) = kind.pod_template().filter(|_| !has_judged_owner(object)) {
            self.workloads.add_labels(namespace, object, template);
        }
    }
}

impl<'a> Index<'a> {
    /// Files a Service under one pair of its selector: whoever has all pairs has that one.
    fn add_selector(&mut self, namespace: &'a str, service: &'a Value) {
        let selector = service.pointer("/spec/selector").and_then(Value::as_object);
        match selector.into_iter().flat_map(pairs).next() {
            Some((key, value)) => self.file(namespace, key, value, service),
            None => self.others.entry(namespace).or_default().push(service),
        }
    }

    /// Files a workload under every label of its pods.
    fn add_labels(&mut self, namespace: &'a str, workload: &'a Value, template: &[&'static str]) {
        let template = template.iter().try_fold(workload, |value, key| value.get(key));
        let labels = template.and_then(|template| template.pointer("/metadata/labels")).and_then(Value::as_object);
        for (key, value) in labels.into_iter().flat_map(pairs) {
            self.file(namespace, key, value, workload);
        }
        self.others.entry(namespace).or_default().push(workload);
    }

    fn file(&mut self, namespace: &'a str, key: &'a str, value: &'a str, object: &'a Value) {
        let values = self.by_label.entry(namespace).or_default().entry(key).or_default();
        values.entry(value).or_default().push(object);
    }

    fn under(&self, namespace: &str, key: &str, value: &str) -> &[&'a Value] {
        let values = self.by_label.get(namespace).and_then(|keys| keys.get(key));
        values.and_then(|values| values.get(value)).map_or(&[], Vec::as_slice)
    }

    fn others(&self, namespace: &str) -> &[&'a Value] {
        self.others.get(namespace).map_or(&[], Vec::as_slice)
    }
}

/// The labels with text values that a manifest can carry itself.
fn pairs<'l>(labels: &'l Map<String, Value>) -> impl Iterator<Item = (&'l str, &'l str)> + use<'l> {
    let labels = labels.iter().filter(|(key, _)| !is_added_by_controllers(key));
    labels.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

impl Cluster for Objects<'_> {
    fn list(&self, resource: Resource, namespace: &str, narrow: Narrow<'_>) -> Lookup<Vec<Cow<'_, Value>>> {
        let index = match resource {
            Resource::Services => &self.services,
            Resource::Workloads => &self.workloads,
        };
        let found: Vec<&Value> = match narrow {
            Narrow::SelectorMatching(labels) => {
                let labelled = pairs(labels).flat_map(|(key, value)| index.under(namespace, key, value));
                labelled.chain(index.others(namespace)).copied().collect()
            }
            Narrow::LabelsMatching(selector) => {
                let rarest = pairs(selector)
                    .map(|(key, value)| index.under(namespace, key, value))
                    .min_by_key(|list| list.len());
                rarest.unwrap_or_else(|| index.others(namespace)).to_vec()
            }
        };
        Lookup::Known(found.into_iter().map(Cow::Borrowed).collect())
    }

    fn get(&self, _: &str, kind: &str, namespace: &str, name: &str) -> Lookup<Option<Cow<'_, Value>>> {
        let is_meant = |object: &&&Value| {
            let own = Kind::of_object(object).map(Kind::name);
            own == Some(kind) && namespace_of(object).unwrap_or(DEFAULT_NAMESPACE) == namespace
        };
        match self.by_name.get(name).into_iter().flatten().find(is_meant) {
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
