//! # What must hold
//! The volume behind every claim that holds database files can be attached to another node. What is bound to one node
//! is rejected: a PersistentVolume with `hostPath` or `local`, or with a node affinity to `kubernetes.io/hostname`, and
//! one whose driver, or a StorageClass whose provisioner, makes such volumes. If only the name of a class suggests it (`local-path`,
//! `hostpath`, `local-storage` and the like, or one in the setting `localStorageClasses`), it is a warning. Where Nodes
//! are in view, and at most one of them can run the pod anyway, it is a warning, too.
//!
//! # Why
//! A pod can run only where its volume is. If the node fails, the replacement stays Pending until the node comes back,
//! and if its disk is lost, so are the databases.
//!
//! # Example
//! ```yaml
//! kind: PersistentVolume
//! spec:
//!   hostPath:
//!     path: /data/sql
//! ```
//!
//! # Instead
//! ```yaml
//! kind: PersistentVolumeClaim
//! spec:
//!   storageClassName: managed-csi   # a class with network storage or replication
//! ```
//!
//! # Fix
//! None: which storage other nodes can attach depends on the cluster, and the data has to be moved.
//!
//! # Sources
//! - Kubernetes documentation, *Persistent Volumes*: `hostPath` is for single node testing, and does not work in a
//!   multi-node cluster
//! - Kubernetes documentation, *Volumes*: `local` volumes depend on the availability of their node

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, FindingKind, Findings, quoted};
use crate::kubernetes::kind::Kind;
use crate::view::storage::{DataStorage, NO_PROVISIONER};
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "portable-storage",
    summary: "the volume can be attached to another node",
    loss: Loss::Availability,
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[Kind::Claim, Kind::Volume, Kind::StorageClass, Kind::Node],
    checks: &[],
    relations: if cfg!(feature = "guest") {
        &[Check::Workload(check_claims)]
    } else {
        &[Check::Workload(check_claims), Check::Workload(check)]
    },
};

/// Provisioners and CSI drivers whose volumes stay on one node: of Kubernetes, Rancher, OpenEBS (the last two for LVM
/// and ZFS) and TopoLVM.
const PROVISIONERS: [&str; 7] = [
    NO_PROVISIONER,
    "rancher.io/local-path",
    "topolvm.io",
    "topolvm.cybozu.com",
    "openebs.io/local",
    "local.csi.openebs.io",
    "zfs.csi.openebs.io",
];
/// Words in the names of StorageClasses that suggest the same, e.g. `local-path`, `ase-node-local`, `openebs-hostpath`.
const WORDS: [&str; 2] = ["local", "hostpath"];

/// At admission, where StorageClasses are not looked up, the name of the class is all that is known.
fn check_claims(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    for storage in context.view.data_storage_at_admission(workload) {
        findings.extend(suspicious_name(context, &storage));
    }
}

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    for storage in context.view.data_storage_offline(workload) {
        let Some(finding) = finding_on(context, &storage) else { continue };
        let is_certain = finding.kind != FindingKind::Advice;
        findings.push(if is_certain && nodes_for(context, workload).is_some_and(|nodes| nodes <= 1) {
            Finding { kind: FindingKind::Advice, ..finding }.reason("at most one node can run the pod anyway")
        } else {
            finding
        });
    }
}

fn finding_on(context: &CheckContext<'_>, storage: &DataStorage<'_>) -> Option<Finding> {
    const MESSAGE: &str = "the volume stays on one node: if it fails, the database stays down";
    let certain = || Finding::contradiction(&storage.location, MESSAGE).help(HELP);
    if let Some(volume) = &storage.volume {
        let driver = volume.object.path(&["spec", "csi", "driver"]);
        let of_driver = || driver.str().is_some_and(is_of_one_node).then_some(driver);
        let place = volume.node().or_else(of_driver)?;
        return Some(storage.about(certain(), &volume.object, &place, "this binds the volume to one node"));
    }
    if let Some(class) = &storage.class {
        let provisioner = class.provisioner();
        if provisioner.str().is_some_and(is_of_one_node) {
            let label = "the volumes of this provisioner stay on one node";
            return Some(storage.about(certain(), &class.object, &provisioner, label));
        }
        return None;
    }
    suspicious_name(context, storage)
}

/// Only the name of the class says that its volumes stay on one node.
fn suspicious_name(context: &CheckContext<'_>, storage: &DataStorage<'_>) -> Option<Finding> {
    let name =
        storage.claim.class_name().filter(|name| is_local_name(name, &context.settings.local_storage_classes))?;
    let message = format!("the name of StorageClass {} suggests that its volumes stay on one node", quoted(name));
    let finding = Finding::advice(&storage.location, message).help(HELP);
    Some(finding.for_reports(|finding| finding.related(storage.existing_class())))
}

const HELP: &str = "use a StorageClass whose volumes other nodes can attach, and move the data";

fn is_of_one_node(provisioner: &str) -> bool {
    PROVISIONERS.contains(&provisioner) || provisioner.contains("hostpath")
}

fn is_local_name(name: &str, configured: &[String]) -> bool {
    name.split(['-', '.']).any(|word| WORDS.contains(&word)) || configured.iter().any(|class| class == name)
}

/// The number of nodes that can run the pod; `None` if no node is known.
fn nodes_for(context: &CheckContext<'_>, workload: &Workload<'_>) -> Option<usize> {
    let nodes = context.view.nodes().known().filter(|nodes| !nodes.is_empty())?;
    Some(nodes.iter().filter(|node| node.admits(&workload.pod)).count())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, claim, closed, deployment, findings_of, open_index, settings, stateful_set, test};

    const NAME: &str = "/spec/template/spec/volumes/0/persistentVolumeClaim/claimName";

    fn volume(spec: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"}, "spec": spec})
    }

    fn class(name: &str, provisioner: &str) -> Value {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
            "provisioner": provisioner})
    }

    fn found(claim: &Value, others: &[&Value]) -> Vec<String> {
        let database = deployment(&[]);
        let all = others.iter().copied().chain([claim, &database]);
        ask_in(&RULE, &database, &closed(all), &Settings::default())
    }

    #[test]
    fn a_volume_of_one_node_is_rejected() {
        let bound = claim("sql-data", &[("/spec/volumeName", json!("disk"))]);
        let on_nodes = |operator: &str, names: &[&str]| {
            json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": operator, "values": names}]}]}})
        };
        let with_affinity = |affinity: Value| volume(json!({"csi": {"driver": "d"}, "nodeAffinity": affinity}));
        for spec in [
            json!({"hostPath": {"path": "/data"}}),
            json!({"local": {"path": "/data"}}),
            json!({"csi": {"driver": "d"}, "nodeAffinity": on_nodes("In", &["n1"])}),
            json!({"csi": {"driver": "topolvm.io"}}),
            json!({"csi": {"driver": "kubevirt.io.hostpath-provisioner"}}),
        ] {
            assert_eq!(found(&bound, &[&volume(spec)]), [format!("reject {NAME}")]);
        }
        assert!(found(&bound, &[&volume(json!({"csi": {"driver": "disk.csi.azure.com"}}))]).is_empty());
        assert!(found(&bound, &[]).is_empty(), "the volume is not known");
        assert!(found(&bound, &[&with_affinity(on_nodes("In", &["n1", "n2"]))]).is_empty());
        assert!(found(&bound, &[&with_affinity(on_nodes("NotIn", &["n1"]))]).is_empty());
    }

    #[test]
    fn an_unbound_claim_does_not_get_a_volume_that_lacks_what_it_asks_for() {
        let selector = json!({"matchLabels": {"disk": "fast"}});
        let manual = claim("sql-data", &[("/spec/storageClassName", json!("manual")), ("/spec/selector", selector)]);
        let of_volume = |capacity: &str, mode: &str, disk: &str| {
            let mut volume = volume(json!({"storageClassName": "manual", "hostPath": {"path": "/data"},
                "capacity": {"storage": capacity}, "accessModes": [mode]}));
            volume["metadata"]["labels"] = json!({"disk": disk});
            volume
        };
        let found = |capacity: &str, mode: &str, disk: &str| found(&manual, &[&of_volume(capacity, mode, disk)]).len();
        assert_eq!(found("8Gi", "ReadWriteOnce", "fast"), 1);
        assert_eq!(found("1Gi", "ReadWriteOnce", "fast"), 0, "too small");
        assert_eq!(found("8Gi", "ReadOnlyMany", "fast"), 1, "it is probably meant");
        assert_eq!(found("8Gi", "ReadWriteOnce", "slow"), 0, "another label");
        let fast = || of_volume("8Gi", "ReadWriteOnce", "fast");
        for (operator, values, count) in
            [("In", json!(["fast"]), 1), ("In", json!(["slow"]), 0), ("NotIn", json!(["fast"]), 0)]
        {
            let expressions = json!({"matchExpressions": [{"key": "disk", "operator": operator, "values": values}]});
            let changes = [("/spec/storageClassName", json!("manual")), ("/spec/selector", expressions)];
            assert_eq!(self::found(&claim("sql-data", &changes), &[&fast()]).len(), count, "{operator} {values}");
        }
        let mut device = fast();
        device["spec"]["volumeMode"] = json!("Block");
        assert!(self::found(&manual, &[&device]).is_empty(), "a device without a file system");
        let by_name =
            claim("sql-data", &[("/spec/storageClassName", json!("manual")), ("/spec/volumeName", json!("b"))]);
        assert!(self::found(&by_name, &[&fast()]).is_empty(), "another volume, which is not known");
        let by_mode = |mode: &str, source: Value| {
            let mut volume = volume(json!({"storageClassName": "free", "accessModes": [mode]}));
            volume["metadata"]["name"] = json!(mode);
            volume["spec"].as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
            volume
        };
        let free = claim("sql-data", &[("/spec/storageClassName", json!("free"))]);
        let (local, disk) = (
            by_mode("ReadOnlyMany", json!({"hostPath": {"path": "/data"}})),
            by_mode("ReadWriteOnce", json!({"csi": {"driver": "disk.csi.azure.com"}})),
        );
        assert!(self::found(&free, &[&local, &disk]).is_empty(), "the claim gets the other one");
    }

    #[test]
    fn an_unbound_claim_gets_a_volume_of_its_class_or_the_one_reserved_for_it() {
        let manual = claim("sql-data", &[("/spec/storageClassName", json!("manual"))]);
        let of_class = |class: &str| volume(json!({"storageClassName": class, "hostPath": {"path": "/data"}}));
        assert_eq!(found(&manual, &[&of_class("manual")]), [format!("reject {NAME}")]);
        assert!(found(&manual, &[&of_class("other")]).is_empty());
        let makes = class("manual", "disk.csi.azure.com");
        assert!(found(&manual, &[&of_class("manual"), &makes]).is_empty(), "the plugin makes a volume");
        let reserved =
            volume(json!({"claimRef": {"namespace": "default", "name": "sql-data"}, "local": {"path": "/d"}}));
        assert_eq!(found(&manual, &[&reserved, &makes]), [format!("reject {NAME}")]);
        for other in [json!({"namespace": "default", "name": "other"}), json!({"name": "other"}), json!({})] {
            let for_other =
                volume(json!({"storageClassName": "manual", "hostPath": {"path": "/data"}, "claimRef": other}));
            assert!(found(&manual, &[&for_other]).is_empty(), "{other}");
        }
    }

    #[test]
    fn a_class_is_checked_by_its_provisioner_or_else_by_its_name() {
        let of = |name: &str| claim("sql-data", &[("/spec/storageClassName", json!(name))]);
        for provisioner in ["rancher.io/local-path", NO_PROVISIONER, "docker.io/hostpath", "local.csi.openebs.io"] {
            assert_eq!(found(&of("fast"), &[&class("fast", provisioner)]), [format!("reject {NAME}")]);
        }
        assert!(found(&of("local-path"), &[&class("local-path", "driver.longhorn.io")]).is_empty());
        assert_eq!(found(&of("local-path"), &[]), [format!("warn {NAME}")]);
        assert!(found(&of("fast"), &[]).is_empty());
        let (database, fast) = (deployment(&[]), of("fast"));
        let own = settings(json!({"localStorageClasses": ["fast"]}));
        assert_eq!(ask_in(&RULE, &database, &closed([&fast, &database]), &own), [format!("warn {NAME}")]);
        let mut default = class("standard", "rancher.io/local-path");
        default["metadata"]["annotations"] = json!({"storageclass.kubernetes.io/is-default-class": "true"});
        assert_eq!(found(&claim_without_class(), &[&default]), [format!("reject {NAME}")]);
        let beta = json!({"volume.beta.kubernetes.io/storage-class": "local-storage"});
        let old = claim("sql-data", &[("/metadata/annotations", beta)]);
        assert_eq!(found(&old, &[]), [format!("warn {NAME}")]);
    }

    fn of_local_class() -> Value {
        claim("sql-data", &[("/spec/storageClassName", json!("local-path"))])
    }

    fn claim_without_class() -> Value {
        claim("sql-data", &[])
    }

    #[test]
    fn claims_of_templates_are_read_too() {
        let set = stateful_set(&[("/spec/volumeClaimTemplates/0/spec/storageClassName", json!("local-path"))]);
        let expected = ["warn /spec/volumeClaimTemplates/0/metadata/name"];
        assert_eq!(ask_in(&RULE, &set, &closed([&set]), &Settings::default()), expected);
        let local =
            volume(json!({"claimRef": {"namespace": "default", "name": "data-sql-0"}, "local": {"path": "/d"}}));
        let found = ask_in(&RULE, &set, &closed([&set, &local]), &Settings::default());
        assert_eq!(found, ["reject /spec/volumeClaimTemplates/0/metadata/name"]);
    }

    #[test]
    fn a_stateful_set_uses_a_claim_that_exists() {
        let set = stateful_set(&[("/spec/volumeClaimTemplates/0/spec/storageClassName", json!("managed"))]);
        let (local, managed) = (class("local-path", "rancher.io/local-path"), class("managed", "disk.csi.azure.com"));
        let found = |name: &str, index: &dyn Fn(&[&Value]) -> Findings| {
            let existing = claim("data-sql-0", &[("/spec/storageClassName", json!(name))]);
            let findings = index(&[&set, &existing]);
            let related = |finding: Finding| finding.related.into_iter().map(|related| related.pointer).collect();
            findings.into_iter().map(related).collect::<Vec<Vec<String>>>()
        };
        let closed_with = |classes: &[&Value], all: &[&Value]| {
            let all = all.iter().chain(classes).copied();
            findings_of(&RULE, &set, &closed(all), &Settings::default())
        };
        let both = |all: &[&Value]| closed_with(&[&local, &managed], all);
        let (provisioner, name) = ("/provisioner".to_owned(), "/spec/storageClassName".to_owned());
        assert_eq!(found("local-path", &both), [[provisioner, name.clone()]]);
        assert!(found("managed", &both).is_empty());
        assert_eq!(found("local-path", &|all| closed_with(&[], all)), [[name]], "only the name is known");
    }

    #[test]
    fn at_admission_the_name_of_a_templates_class_is_a_warning() {
        let set = stateful_set(&[("/spec/volumeClaimTemplates/0/spec/storageClassName", json!("local-path"))]);
        let at_admission = |set: &Value| ask_in(&RULE, set, &open_index([]), &Settings::default());
        assert_eq!(at_admission(&set), ["warn /spec/volumeClaimTemplates/0/metadata/name"]);
        assert!(at_admission(&stateful_set(&[])).is_empty());
    }

    #[test]
    fn with_one_node_it_is_a_warning() {
        let node = |name: &str| {
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name,
                "labels": {"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name}}})
        };
        let bound = claim("sql-data", &[("/spec/volumeName", json!("disk"))]);
        let local = volume(json!({"local": {"path": "/data"}}));
        assert_eq!(found(&bound, &[&local, &node("a")]), [format!("warn {NAME}")]);
        assert_eq!(found(&bound, &[&local, &node("a"), &node("b")]), [format!("reject {NAME}")]);
    }

    #[test]
    fn at_admission_volumes_are_not_looked_up() {
        let (database, claim) = (deployment(&[]), claim("sql-data", &[("/spec/volumeName", json!("disk"))]));
        let local = volume(json!({"local": {"path": "/data"}}));
        assert!(ask_in(&RULE, &database, &open_index([&claim, &local]), &Settings::default()).is_empty());
        let by_name = of_local_class();
        assert_eq!(ask_in(&RULE, &database, &open_index([&by_name]), &Settings::default()), [format!("warn {NAME}")]);
    }
}
