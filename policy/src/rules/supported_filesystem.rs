//! # What must hold
//! The database files are on an ext4 or XFS file system of a block device. A claim with `volumeMode: Block` is
//! rejected. Another `fsType`, and network file systems whose locks are not reliable for databases (NFS, SMB, CephFS,
//! GlusterFS, and the drivers of cloud file shares), are warnings.
//!
//! # Why
//! Microsoft supports the databases on XFS and ext4 only. On a network share, locks can outlive a failed node or be
//! lost with the connection: the replacement does not start, or two servers open the same files. With
//! `volumeMode: Block` the pod does not start, because a device cannot be mounted as a directory.
//!
//! # Example
//! ```yaml
//! kind: StorageClass
//! provisioner: file.csi.azure.com
//! ```
//!
//! # Instead
//! ```yaml
//! kind: StorageClass
//! provisioner: disk.csi.azure.com
//! ```
//!
//! # Fix
//! None: the data has to be moved to another volume.
//!
//! # Sources
//! - Microsoft, *Release notes for SQL Server on Linux*: supported file systems are XFS and ext4
//! - <https://github.com/microsoft/mssql-docker/issues/851>: NFS locks
//! - Kubernetes documentation, *Persistent Volumes*: raw block volumes

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, FindingKind, Findings};
use crate::json::cursor::Cursor;
use crate::kubernetes::kind::Kind;
use crate::view::storage::DataStorage;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "supported-filesystem",
    summary: "the database files are on ext4 or XFS",
    loss: Loss::Data,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[Kind::Claim, Kind::Volume, Kind::StorageClass],
    checks: &[],
    relations: if cfg!(feature = "guest") {
        &[Check::Workload(check_claims)]
    } else {
        &[Check::Workload(check_claims), Check::Workload(check)]
    },
};

/// Volume sources of network file systems.
const SOURCES: [&str; 4] = ["nfs", "azureFile", "cephfs", "glusterfs"];
/// Parts of the names of drivers for network file systems, e.g. `nfs.csi.k8s.io`, `smb.csi.k8s.io`,
/// `rook-ceph.cephfs.csi.ceph.com`, `file.csi.azure.com`, `fsx.csi.aws.com`, `filestore.csi.storage.gke.io`,
/// `nasplugin.csi.alibabacloud.com` (<https://kubernetes-csi.github.io/docs/drivers.html>).
const DRIVERS: [&str; 11] = [
    "nfs",
    "smb",
    "cifs",
    "cephfs",
    "glusterfs",
    "azurefile",
    "azure-file",
    "file.csi",
    "filestore",
    "fsx.",
    "nasplugin",
];
/// The same whose name is part of other words, e.g. `openshift.org/aws-efs`.
const EFS: &str = "efs";
/// Keys in the parameters of a StorageClass that name a file system.
const PARAMETERS: [&str; 3] = ["csi.storage.k8s.io/fstype", "fsType", "fstype"];

/// At admission, where PersistentVolumes and StorageClasses are not looked up, the claim is all that is known.
fn check_claims(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    for storage in context.view.data_storage_at_admission(workload) {
        findings.extend(check_mode(&storage));
    }
}

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    for storage in context.view.data_storage_offline(workload) {
        findings.extend(check_mode(&storage).or_else(|| check_share(&storage)).or_else(|| check_type(&storage)));
    }
}

fn check_mode(storage: &DataStorage<'_>) -> Option<Finding> {
    let mode = storage.claim.object.path(&["spec", "volumeMode"]);
    (mode.str() == Some("Block")).then(|| {
        let message = "the pod does not start: this claim is a block device without a file system";
        let finding = Finding::contradiction(&storage.location, message).help("set `volumeMode: Filesystem`");
        storage.about(Finding { kind: FindingKind::Severe, ..finding }, &storage.claim.object, &mode, "set here")
    })
}

fn check_share(storage: &DataStorage<'_>) -> Option<Finding> {
    let (object, at) = network_share(storage)?;
    let message = "the database files are on a network file system, whose locks can fail after a failover";
    let finding = Finding::contradiction(&storage.location, message).help("use a volume with ext4 or XFS");
    Some(storage.about(finding, &object, &at, "this is a network file system"))
}

/// What says that the volume is a network file system: the object, and the place in it.
pub(super) fn network_share<'a>(storage: &DataStorage<'a>) -> Option<(Cursor<'a>, Cursor<'a>)> {
    let is_share = |driver: &str| {
        DRIVERS.iter().any(|part| driver.contains(part)) || driver.split(['-', '.', '/']).any(|word| word == EFS)
    };
    if let Some(volume) = &storage.volume {
        let (name, source) = volume.source()?;
        let driver = source.at("driver");
        let at = if SOURCES.contains(&name) { source } else { driver };
        let is_network = SOURCES.contains(&name) || driver.str().is_some_and(is_share);
        return is_network.then_some((volume.object, at));
    }
    let class = storage.class.as_ref()?;
    let provisioner = class.provisioner();
    provisioner.str().is_some_and(is_share).then_some((class.object, provisioner))
}

fn check_type(storage: &DataStorage<'_>) -> Option<Finding> {
    let of_volume = storage.volume.and_then(|volume| Some((volume.object, volume.source()?.1.at("fsType"))));
    let of_class = storage.class.and_then(|class| {
        let parameters = class.object.at("parameters");
        Some((class.object, parameters.first_of(&PARAMETERS)?))
    });
    let (object, at) = of_volume.or(of_class)?;
    let is_right = at.str().is_none_or(|name| matches!(name, "" | "ext4" | "xfs"));
    (!is_right).then(|| {
        let message = "Microsoft does not support this file system for the database files";
        let finding = Finding::contradiction(&storage.location, message).help("use a volume with ext4 or XFS");
        storage.about(finding, &object, &at, "this is another file system")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask_in, claim, closed, deployment, open_index, stateful_set, test};

    const NAME: &str = "/spec/template/spec/volumes/0/persistentVolumeClaim/claimName";

    fn found(claim: &Value, other: &Value) -> Vec<String> {
        let database = deployment(&[]);
        ask_in(&RULE, &database, &closed([&database, claim, other]), &Settings::default())
    }

    fn on_volume(spec: Value) -> Vec<String> {
        let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": spec});
        found(&claim("sql-data", &[("/spec/volumeName", json!("v"))]), &volume)
    }

    fn of_class(fields: Value) -> Vec<String> {
        let mut class = fields;
        class["apiVersion"] = json!("storage.k8s.io/v1");
        class["kind"] = json!("StorageClass");
        class["metadata"] = json!({"name": "c"});
        found(&claim("sql-data", &[("/spec/storageClassName", json!("c"))]), &class)
    }

    #[test]
    fn a_device_without_a_file_system_is_rejected() {
        let block = claim("sql-data", &[("/spec/volumeMode", json!("Block"))]);
        assert_eq!(found(&block, &block), [format!("reject {NAME}")]);
        let plain = claim("sql-data", &[("/spec/volumeMode", json!("Filesystem"))]);
        assert!(found(&plain, &plain).is_empty());
    }

    #[test]
    fn at_admission_a_template_of_a_device_is_rejected() {
        let set = stateful_set(&[("/spec/volumeClaimTemplates/0/spec/volumeMode", json!("Block"))]);
        let expected = ["reject /spec/volumeClaimTemplates/0/metadata/name"];
        for index in [open_index([]), closed([&set])] {
            assert_eq!(ask_in(&RULE, &set, &index, &Settings::default()), expected);
        }
    }

    #[test]
    fn a_stateful_set_uses_a_claim_that_exists() {
        let (set, block) = (stateful_set(&[]), claim("data-sql-0", &[("/spec/volumeMode", json!("Block"))]));
        let expected = ["reject /spec/volumeClaimTemplates/0/metadata/name"];
        assert_eq!(ask_in(&RULE, &set, &closed([&set, &block]), &Settings::default()), expected);
        assert!(ask_in(&RULE, &set, &open_index([&block]), &Settings::default()).is_empty(), "at admission");
    }

    #[test]
    fn network_file_systems_are_warnings() {
        let warning = [format!("warn {NAME}")];
        assert_eq!(on_volume(json!({"nfs": {"server": "s", "path": "/p"}})), warning);
        assert_eq!(on_volume(json!({"capacity": {"storage": "1Gi"}, "csi": {"driver": "smb.csi.k8s.io"}})), warning);
        assert!(on_volume(json!({"capacity": {"storage": "1Gi"}, "csi": {"driver": "disk.csi.azure.com"}})).is_empty());
        for provisioner in [
            "file.csi.azure.com",
            "efs.csi.aws.com",
            "openshift.org/aws-efs",
            "filestore.csi.storage.gke.io",
            "fsx.csi.aws.com",
            "nasplugin.csi.alibabacloud.com",
            "rook-ceph.cephfs.csi.ceph.com",
            "kubernetes.io/glusterfs",
            "k8s-sigs.io/nfs",
        ] {
            assert_eq!(of_class(json!({"provisioner": provisioner})), warning, "{provisioner}");
        }
        for provisioner in [
            "disk.csi.azure.com",
            "ebs.csi.aws.com",
            "driver.longhorn.io",
            "kubernetes.io/azure-disk",
            "example.com/prefs",
        ] {
            assert!(of_class(json!({"provisioner": provisioner})).is_empty(), "{provisioner}");
        }
    }

    #[test]
    fn other_types_are_warnings() {
        let warning = [format!("warn {NAME}")];
        assert_eq!(on_volume(json!({"csi": {"driver": "d", "fsType": "btrfs"}})), warning);
        for right in [json!("ext4"), json!("xfs"), json!(""), json!(null)] {
            assert!(on_volume(json!({"csi": {"driver": "d", "fsType": right}})).is_empty());
        }
        for key in PARAMETERS {
            let mut class = json!({"provisioner": "disk.csi.azure.com", "parameters": {}});
            class["parameters"][key] = json!("ntfs");
            assert_eq!(of_class(class), warning, "{key}");
        }
    }
}
