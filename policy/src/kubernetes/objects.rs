//! Typed views of the other objects that rules look up.

use serde_json::Value;

use super::selector::Selector;
use crate::json::cursor::Cursor;

/// A PersistentVolume.
#[derive(Clone, Copy, Debug)]
pub struct Volume<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

/// A StorageClass.
#[derive(Clone, Copy, Debug)]
pub struct StorageClass<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

/// A PodDisruptionBudget.
#[derive(Clone, Copy, Debug)]
pub struct DisruptionBudget<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

/// A HorizontalPodAutoscaler, a KEDA ScaledObject, or a VerticalPodAutoscaler.
#[derive(Clone, Copy, Debug)]
pub struct Autoscaler<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

/// A Node.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

/// A TCPRoute of the Gateway API.
#[derive(Clone, Copy, Debug)]
pub struct TcpRoute<'a> {
    /// The whole object.
    pub object: Cursor<'a>,
}

impl<'a> TcpRoute<'a> {
    /// Reads a TCPRoute.
    pub fn read(object: &'a Value) -> Self {
        TcpRoute { object: Cursor::root(object) }
    }

    /// Whether it sends connections to the Service `name` in `namespace`, if it is in that namespace, too.
    pub fn leads_to(&self, name: &str, namespace: &str) -> bool {
        let is_or_absent = |field: Cursor<'_>, expected: &str| !field.exists() || field.str() == Some(expected);
        let mut backends = self.object.path(&["spec", "rules"]).items().flat_map(|rule| rule.at("backendRefs").items());
        backends.any(|backend| {
            backend.at("name").str() == Some(name)
                && is_or_absent(backend.at("group"), "")
                && is_or_absent(backend.at("kind"), "Service")
                && is_or_absent(backend.at("namespace"), namespace)
        })
    }
}

impl<'a> Volume<'a> {
    /// Reads a PersistentVolume.
    pub fn read(object: &'a Value) -> Self {
        Volume { object: Cursor::root(object) }
    }

    /// The `readOnly: true` of its source, if there is one.
    pub fn read_only(&self) -> Option<Cursor<'a>> {
        let spec = self.object.at("spec");
        let flags = spec.map().into_iter().flatten().map(|(source, _)| spec.at(source).at("readOnly"));
        flags.into_iter().find(Cursor::is_true)
    }

    /// Its source, if the kubelet does not change the group of the files in it: a path of a node, or an in-tree NFS
    /// share.
    pub fn source_without_ownership(&self) -> Option<Cursor<'a>> {
        self.object.at("spec").first_of(&["hostPath", "nfs"])
    }
}

impl<'a> StorageClass<'a> {
    /// Reads a StorageClass.
    pub fn read(object: &'a Value) -> Self {
        StorageClass { object: Cursor::root(object) }
    }
}

impl<'a> DisruptionBudget<'a> {
    /// Reads a PodDisruptionBudget.
    pub fn read(object: &'a Value) -> Self {
        DisruptionBudget { object: Cursor::root(object) }
    }

    /// The pods that it protects; `None` if it selects nothing.
    pub fn selector(&self) -> Option<Selector<'a>> {
        Selector::from_label_selector(&self.object.path(&["spec", "selector"]))
    }
}

impl<'a> Autoscaler<'a> {
    /// Reads an autoscaler.
    pub fn read(object: &'a Value) -> Self {
        Autoscaler { object: Cursor::root(object) }
    }

    /// The kind and the name of the workload that it scales. A ScaledObject may leave out the kind: it is then a
    /// Deployment.
    pub fn target(&self) -> Option<(&'a str, &'a str)> {
        let target = self.object.at("spec").first_of(&["scaleTargetRef", "targetRef"])?;
        Some((target.at("kind").str().unwrap_or("Deployment"), target.at("name").str()?))
    }
}

impl<'a> Node<'a> {
    /// Reads a Node.
    pub fn read(object: &'a Value) -> Self {
        Node { object: Cursor::root(object) }
    }
}
