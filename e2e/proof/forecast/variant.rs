//! The kinds of databases of which a failure is foretold.

use serde_json::{Value, json};

use crate::application::Application;

/// What creates the pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controller {
    Recreate,
    RollingUpdate,
    StatefulSet,
    Pod,
}

/// Where the database files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    ReadWriteOnce,
    ReadWriteOncePod,
    /// A volume that is not attached, as NFS: any node can use it.
    Shared,
    /// On the disk of the first node.
    Local,
    EmptyDir,
}

/// A database of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) controller: Controller,
    pub(crate) storage: Storage,
    /// Whether it selects nodes of its architecture.
    pub(crate) selects_amd64: bool,
    /// Whether it tolerates failed nodes for ever.
    pub(crate) is_patient: bool,
    /// Whether a disruption budget forbids evictions.
    pub(crate) has_budget: bool,
}

const BASE: Variant = Variant {
    controller: Controller::Recreate,
    storage: Storage::ReadWriteOncePod,
    selects_amd64: true,
    is_patient: false,
    has_budget: false,
};

/// One of each kind that leads to an outcome of its own.
pub(crate) const HAND_MADE: [Variant; 10] = [
    BASE,
    Variant { storage: Storage::ReadWriteOnce, ..BASE },
    Variant { storage: Storage::Shared, ..BASE },
    Variant { storage: Storage::Local, ..BASE },
    Variant { storage: Storage::EmptyDir, ..BASE },
    Variant { controller: Controller::RollingUpdate, ..BASE },
    Variant { controller: Controller::RollingUpdate, storage: Storage::ReadWriteOnce, ..BASE },
    Variant { controller: Controller::StatefulSet, storage: Storage::ReadWriteOnce, ..BASE },
    Variant { controller: Controller::Pod, storage: Storage::ReadWriteOnce, ..BASE },
    Variant { storage: Storage::Shared, is_patient: true, ..BASE },
];

impl Variant {
    /// Draws a kind with a simple generator of numbers (Knuth's constants), so that each run has the same ones.
    pub(crate) fn draw(state: &mut u64) -> Self {
        let mut below = |count: usize| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(*state >> 33).unwrap() % count
        };
        let controllers = [Controller::Recreate, Controller::RollingUpdate, Controller::StatefulSet, Controller::Pod];
        let storages =
            [Storage::ReadWriteOnce, Storage::ReadWriteOncePod, Storage::Shared, Storage::Local, Storage::EmptyDir];
        Variant {
            controller: controllers[below(4)],
            storage: storages[below(5)],
            selects_amd64: below(3) > 0,
            is_patient: below(4) == 0,
            has_budget: below(3) == 0,
        }
    }

    pub(crate) fn describe(self) -> String {
        let mut text = match self.controller {
            Controller::Recreate => "Deployment, Recreate",
            Controller::RollingUpdate => "Deployment, RollingUpdate",
            Controller::StatefulSet => "StatefulSet",
            Controller::Pod => "Pod",
        }
        .to_owned();
        text.push_str(match self.storage {
            Storage::ReadWriteOnce => ", ReadWriteOnce",
            Storage::ReadWriteOncePod => ", ReadWriteOncePod",
            Storage::Shared => ", volume without attachment",
            Storage::Local => ", volume on a node",
            Storage::EmptyDir => ", `emptyDir`",
        });
        for (is_so, what) in [
            (!self.selects_amd64, ", any architecture"),
            (self.is_patient, ", tolerates failed nodes"),
            (self.has_budget, ", `minAvailable: 1`"),
        ] {
            text.push_str(if is_so { what } else { "" });
        }
        text
    }

    /// The application in a namespace, which the names of its volumes contain.
    pub(crate) fn application(self, namespace: &str) -> Application {
        let mode = match self.storage {
            Storage::ReadWriteOncePod => "ReadWriteOncePod",
            Storage::Shared => "ReadWriteMany",
            Storage::ReadWriteOnce | Storage::Local | Storage::EmptyDir => "ReadWriteOnce",
        };
        let (kind, mut application) = match self.controller {
            Controller::Recreate => ("Deployment", Application::deployment(mode)),
            Controller::RollingUpdate => {
                ("Deployment", Application::deployment(mode).with("Deployment", "/spec/strategy", json!({})))
            }
            Controller::StatefulSet => ("StatefulSet", Application::stateful_set()),
            Controller::Pod => ("Pod", Application::pod()),
        };
        let pod = if self.controller == Controller::Pod { "/spec" } else { "/spec/template/spec" };
        if !self.selects_amd64 {
            application = application.without(kind, &format!("{pod}/nodeSelector"));
        }
        if self.is_patient {
            let taints = ["node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"];
            let forever = taints.map(|key| json!({"key": key, "operator": "Exists", "effect": "NoExecute"})).into();
            application = application.with(kind, &format!("{pod}/tolerations"), Value::Array(forever));
        }
        let is_set = self.controller == Controller::StatefulSet;
        if is_set {
            application = application.with(kind, "/spec/volumeClaimTemplates/0/spec/accessModes", json!([mode]));
        } else if self.controller == Controller::Pod {
            application = application.with("PersistentVolumeClaim", "/spec/accessModes", json!([mode]));
        }
        match self.storage {
            Storage::EmptyDir => {
                let volumes = json!([{"name": "data", "emptyDir": {}}]);
                application = application.with(kind, &format!("{pod}/volumes"), volumes);
                if is_set {
                    application = application.without(kind, "/spec/volumeClaimTemplates");
                }
            }
            Storage::Shared | Storage::Local => {
                let class = json!("by-hand");
                let pointer = if is_set {
                    "/spec/volumeClaimTemplates/0/spec/storageClassName"
                } else {
                    "/spec/storageClassName"
                };
                application = application.with(if is_set { kind } else { "PersistentVolumeClaim" }, pointer, class);
                application.objects.insert(0, self.volume(namespace, mode));
            }
            Storage::ReadWriteOnce | Storage::ReadWriteOncePod => {}
        }
        if self.has_budget {
            application.objects.push(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                "metadata": {"name": "ledger"},
                "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "ledger"}}}}));
        }
        application
    }

    /// A volume that is made by hand.
    fn volume(self, namespace: &str, mode: &str) -> Value {
        let claim = if self.controller == Controller::StatefulSet { "data-ledger-0" } else { "ledger" };
        let mut spec = json!({"capacity": {"storage": "8Gi"}, "accessModes": [mode], "storageClassName": "by-hand",
            "claimRef": {"namespace": namespace, "name": claim}});
        if self.storage == Storage::Shared {
            spec["nfs"] = json!({"server": "nfs.example.com", "path": "/ledger"});
        } else {
            spec["local"] = json!({"path": "/disks/ledger"});
            spec["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["amd64-a"]}]}]}});
        }
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("{namespace}-ledger")}, "spec": spec})
    }
}
