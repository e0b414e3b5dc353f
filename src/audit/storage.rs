//! Where the files of a database are, and what becomes of them when its pod ends or moves.

use serde_json::{Map, Value};
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::json::cursor::Cursor;
use sqledge_ha_policy::kubernetes::claim::Claim;
use sqledge_ha_policy::kubernetes::objects::Volume;
use sqledge_ha_policy::kubernetes::scheduling::Placement;
use sqledge_ha_policy::kubernetes::volumes::{VolumeKind, VolumeSource, effective_mount};

use super::database::{Database, Pod};
use super::inventory::Objects;

/// Where the database files of a pod are: one entry for each place.
#[derive(Debug)]
pub struct Storage<'a> {
    /// The places, each once.
    pub homes: Vec<Home<'a>>,
}

/// A place that holds database files.
#[derive(Debug)]
pub enum Home<'a> {
    /// The container filesystem, which ends with the container.
    Container {
        /// The directory.
        directory: String,
    },
    /// A volume that ends with the pod, by its name.
    PodVolume {
        /// The volume.
        name: &'a str,
        /// Whether it is in memory, and ends with the node's power.
        is_in_memory: bool,
    },
    /// A directory of the node.
    NodePath {
        /// The volume or claim.
        name: String,
    },
    /// A claim.
    Claim(ClaimHome<'a>),
    /// A volume of another kind, such as an NFS share. Its files survive the pod.
    Network {
        /// The volume.
        name: &'a str,
    },
    /// The manifest does not show it.
    Unknown,
}

impl Home<'_> {
    /// Whether pods on other nodes can find the same files, as far as that is known.
    fn is_on_the_network(&self) -> bool {
        matches!(self, Home::Claim(_) | Home::Network { .. } | Home::Unknown)
    }
}

/// A claim with the volume behind it.
#[derive(Debug)]
pub struct ClaimHome<'a> {
    /// The claim's name.
    pub name: String,
    /// Whether the claim exists.
    pub exists: bool,
    /// Whether it is bound to a volume.
    pub is_bound: bool,
    /// The volume.
    pub volume: Option<Volume<'a>>,
    /// Whether only one pod can use it.
    pub is_for_one_pod: bool,
    /// Whether it must be attached to a node; `None` if that is not known.
    pub is_attached: Option<bool>,
    /// The node that it is attached to.
    pub attached_to: Option<&'a str>,
    /// The CSI driver.
    pub driver: Option<&'a str>,
}

impl ClaimHome<'_> {
    /// How messages name the volume, e.g. ``volume `pvc-1` of claim `data` ``.
    pub fn describe(&self) -> String {
        match self.volume_name() {
            Some(volume) => format!("volume {} of claim {}", quoted(volume), quoted(&self.name)),
            None => format!("claim {}", quoted(&self.name)),
        }
    }

    /// The name of the volume.
    pub fn volume_name(&self) -> Option<&str> {
        self.volume.as_ref()?.object.path(&["metadata", "name"]).str()
    }

    /// Whether the volume can be used on the node with this name and these labels.
    pub fn admits(&self, name: &str, labels: &Map<String, Value>) -> bool {
        let Some(volume) = &self.volume else { return true };
        let spec = volume.object.at("spec");
        let terms = spec.path(&["nodeAffinity", "required", "nodeSelectorTerms"]);
        // A volume has no node selector.
        Placement { selector: spec.at("nodeSelector"), terms }.admits(name, labels)
    }

    /// Whether the files are on the disk of one node.
    pub fn is_on_one_node(&self) -> bool {
        self.volume.as_ref().is_some_and(|volume| volume.node().is_some())
    }
}

impl<'a> Storage<'a> {
    /// The places of the files of a database in `pod`.
    pub fn new(database: &Database<'a>, pod: &Pod<'a>, objects: &Objects<'a>) -> Self {
        let mut homes: Vec<Home<'a>> = Vec::new();
        for container in database.workload.containers() {
            let storage = container.storage();
            for directory in &storage.directories {
                let Some(path) = directory.path.as_deref() else {
                    push(&mut homes, Home::Unknown);
                    continue;
                };
                let home = match effective_mount(&storage.mounts, path) {
                    None => Home::Container { directory: path.to_owned() },
                    Some(mount) => match &mount.source {
                        VolumeSource::Claim(source) => {
                            let name = source.at("claimName").str().unwrap_or_default();
                            claim_home(name.to_owned(), database.namespace, objects)
                        }
                        VolumeSource::ClaimTemplate(_) => {
                            claim_home(format!("{}-{}", mount.volume, pod.name()), database.namespace, objects)
                        }
                        VolumeSource::NoSource | VolumeSource::NoSuchVolume => {
                            Home::PodVolume { name: mount.volume, is_in_memory: false }
                        }
                        VolumeSource::Other(kind) => other_home(kind, mount.volume, &database.workload.pod),
                    },
                };
                push(&mut homes, home);
            }
        }
        Storage { homes }
    }

    /// The claims.
    pub fn claims(&self) -> impl Iterator<Item = &ClaimHome<'a>> {
        self.homes.iter().filter_map(|home| if let Home::Claim(claim) = home { Some(claim) } else { None })
    }

    /// Whether two pods on the same node can use the files at the same time: some are outside of the pod, and no place
    /// is for one pod only.
    pub fn is_shared(&self) -> bool {
        self.has_home_for_several_pods(|home| home.is_on_the_network() || matches!(home, Home::NodePath { .. }))
    }

    /// Whether two pods on different nodes can: a directory of a node does not count, as it is another one there. That
    /// a volume must be attached to one node at a time is not looked at.
    pub fn is_shared_across_nodes(&self) -> bool {
        self.has_home_for_several_pods(Home::is_on_the_network)
    }

    fn has_home_for_several_pods(&self, is_outside: impl Fn(&Home<'a>) -> bool) -> bool {
        self.homes.iter().any(is_outside) && !self.claims().any(|claim| claim.is_for_one_pod)
    }

    /// The claims whose volume must be attached to a node, or may have to be.
    pub fn attached(&self) -> impl Iterator<Item = &ClaimHome<'a>> {
        self.claims().filter(|claim| claim.is_attached != Some(false))
    }
}

/// Adds a place unless it is known.
fn push<'a>(homes: &mut Vec<Home<'a>>, home: Home<'a>) {
    let is_same = |other: &Home<'a>| match (other, &home) {
        (Home::Container { directory: one }, Home::Container { directory: other }) => one == other,
        (Home::PodVolume { name: one, .. }, Home::PodVolume { name: other, .. })
        | (Home::Network { name: one }, Home::Network { name: other }) => one == other,
        (Home::NodePath { name: one }, Home::NodePath { name: other }) => one == other,
        (Home::Claim(one), Home::Claim(other)) => one.name == other.name,
        (Home::Unknown, Home::Unknown) => true,
        _ => false,
    };
    if !homes.iter().any(is_same) {
        homes.push(home);
    }
}

/// A volume that is no claim, by the name of its field.
fn other_home<'a>(field: &str, name: &'a str, pod: &Cursor<'a>) -> Home<'a> {
    match VolumeKind::of_field(field) {
        VolumeKind::OfPod => {
            let volume = pod.at("volumes").items().find(|volume| volume.at("name").str() == Some(name));
            let medium = volume.and_then(|volume| volume.path(&["emptyDir", "medium"]).str());
            Home::PodVolume { name, is_in_memory: medium == Some("Memory") }
        }
        VolumeKind::OfNode => Home::NodePath { name: name.to_owned() },
        VolumeKind::Other if NETWORK_VOLUMES.contains(&field) => Home::Network { name },
        _ => Home::Unknown,
    }
}

/// Volumes on a file server, by the names of their fields.
const NETWORK_VOLUMES: [&str; 4] = ["nfs", "cephfs", "glusterfs", "azureFile"];

fn claim_home<'a>(name: String, namespace: &str, objects: &Objects<'a>) -> Home<'a> {
    let claim = objects.get("PersistentVolumeClaim", namespace, &name).map(Claim::read);
    if claim.is_none() && objects.is_unread("persistentvolumeclaims") {
        return Home::Unknown;
    }
    let volume = claim.and_then(|claim| objects.get("PersistentVolume", "", claim.volume_name()?)).map(Volume::read);
    let spec = volume.map(|volume| volume.object.at("spec"));
    // A path of a node without an affinity: on another node, the same path is empty.
    let has_affinity = spec.is_some_and(|spec| spec.path(&["nodeAffinity", "required"]).exists());
    if spec.is_some_and(|spec| spec.at("hostPath").exists()) && !has_affinity {
        return Home::NodePath { name };
    }
    let modes = claim.map(|claim| claim.object.path(&["spec", "accessModes"]));
    let has_mode = |mode: &str| modes.is_some_and(|modes| modes.items().any(|item| item.str() == Some(mode)));
    let volume_name = claim.and_then(|claim| claim.volume_name());
    let attachment = objects.of_kind("VolumeAttachment").iter().find(|attachment| {
        let source = Cursor::root(attachment).path(&["spec", "source", "persistentVolumeName"]);
        source.str().is_some() && source.str() == volume_name
    });
    let attached_to = attachment.and_then(|attachment| Cursor::root(attachment).path(&["spec", "nodeName"]).str());
    let driver = spec.and_then(|spec| spec.path(&["csi", "driver"]).str());
    Home::Claim(ClaimHome {
        exists: claim.is_some(),
        is_bound: volume_name.is_some(),
        is_for_one_pod: has_mode("ReadWriteOncePod"),
        is_attached: must_be_attached(spec.as_ref(), driver, attached_to.is_some(), objects),
        attached_to,
        driver,
        volume,
        name,
    })
}

/// Whether a volume must be attached to a node. A CSI driver says so in its CSIDriver object; the default is yes
/// (<https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/csi-driver-v1/>).
fn must_be_attached(
    spec: Option<&Cursor<'_>>,
    driver: Option<&str>,
    has_attachment: bool,
    objects: &Objects<'_>,
) -> Option<bool> {
    const ATTACHED: [&str; 7] =
        ["awsElasticBlockStore", "azureDisk", "cinder", "gcePersistentDisk", "portworxVolume", "rbd", "vsphereVolume"];
    let spec = spec?;
    if has_attachment {
        return Some(true);
    }
    let Some(driver) = driver else { return Some(spec.first_of(&ATTACHED).is_some()) };
    let object = objects.get("CSIDriver", "", driver)?;
    Some(Cursor::root(object).path(&["spec", "attachRequired"]).value() != Some(&Value::Bool(false)))
}
