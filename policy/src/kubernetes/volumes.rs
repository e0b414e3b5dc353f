//! The mounts of a container, and the volumes behind them.

use serde_json::{Map, Value};

use crate::json::cursor::Cursor;

/// A path without repeated or trailing slashes and without `.` and `..`, as the kernel resolves it.
pub fn normalized(path: &str) -> String {
    let mut components = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(components.pop()),
            name => components.push(name),
        }
    }
    if components.is_empty() {
        return "/".to_owned();
    }
    let mut path = String::new();
    for component in components {
        path.push('/');
        path.push_str(component);
    }
    path
}

/// Whether `path` is `directory` or below it; both normalized.
pub fn is_within(path: &str, directory: &str) -> bool {
    directory == "/" || path.strip_prefix(directory).is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// The volume behind a mount.
#[derive(Clone, Debug)]
pub enum VolumeSource<'a> {
    /// A persistent volume claim; the cursor is at the `persistentVolumeClaim` source.
    Claim(Cursor<'a>),
    /// A claim template of the StatefulSet; the cursor is at the template.
    ClaimTemplate(Cursor<'a>),
    /// Another kind of volume, by the name of its field, e.g. `emptyDir`.
    Other(&'a str),
    /// The volume has no source: Kubernetes makes it an `emptyDir`.
    NoSource,
    /// No volume has the name in the mount.
    NoSuchVolume,
}

impl<'a> VolumeSource<'a> {
    /// Whether it is a claim, so that the files survive the pod.
    pub fn is_claim(&self) -> bool {
        self.kind() == VolumeKind::Claim
    }

    /// What the files on it outlive.
    pub fn kind(&self) -> VolumeKind {
        match self {
            VolumeSource::Claim(_) | VolumeSource::ClaimTemplate(_) => VolumeKind::Claim,
            VolumeSource::Other(field) => VolumeKind::of_field(field),
            VolumeSource::NoSource => VolumeKind::OfPod,
            VolumeSource::NoSuchVolume => VolumeKind::Missing,
        }
    }

    /// The field of a volume that is no claim, e.g. `emptyDir`; `None` for one without a source.
    pub fn field(&self) -> Option<&'a str> {
        match self {
            VolumeSource::Other(field) => Some(field),
            _ => None,
        }
    }
}

/// What the files on a volume outlive (<https://kubernetes.io/docs/concepts/storage/volumes/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeKind {
    /// A claim: the files outlive the pod, and follow it to another node.
    Claim,
    /// The files are lost with the pod.
    OfPod,
    /// The files stay on the node.
    OfNode,
    /// The files come from another object, and can only be read.
    OfObject,
    /// Another kind of volume, such as `nfs`, without a claim.
    Other,
    /// There is no such volume.
    Missing,
}

impl VolumeKind {
    /// The kind of a volume with this field, e.g. `emptyDir`, that is no claim.
    pub fn of_field(field: &str) -> Self {
        match field {
            // A generic ephemeral volume is a claim that ends with the pod.
            "emptyDir" | "ephemeral" | "csi" => VolumeKind::OfPod,
            "hostPath" => VolumeKind::OfNode,
            "configMap" | "secret" | "projected" | "downwardAPI" | "image" => VolumeKind::OfObject,
            _ => VolumeKind::Other,
        }
    }
}

/// One entry of a container's `volumeMounts`.
#[derive(Clone, Debug)]
pub struct Mount<'a> {
    /// The entry.
    pub entry: Cursor<'a>,
    /// The normalized `mountPath`.
    pub path: String,
    /// The volume's name.
    pub volume: &'a str,
    /// The volume behind it.
    pub source: VolumeSource<'a>,
}

impl Mount<'_> {
    /// The claim's name, or the claim template's.
    pub fn claim_name(&self) -> Option<&str> {
        match &self.source {
            VolumeSource::Claim(source) => source.at("claimName").str(),
            VolumeSource::ClaimTemplate(_) => Some(self.volume),
            _ => None,
        }
    }
}

/// The mounts of `container` in a pod with these volumes; `templates` are the StatefulSet's `volumeClaimTemplates`.
pub fn mounts<'a>(container: &Cursor<'a>, pod: &Cursor<'a>, templates: Option<&Cursor<'a>>) -> Vec<Mount<'a>> {
    let volumes = ByName::new(pod.at("volumes").items(), &["name"]);
    let templates = templates.map(|templates| ByName::new(templates.items(), &["metadata", "name"]));
    let mut mounts = Vec::new();
    for entry in container.at("volumeMounts").items() {
        let Some(path) = entry.at("mountPath").str().filter(|path| !path.is_empty()) else { continue };
        let volume = entry.at("name").str().unwrap_or_default();
        let template = templates.as_ref().and_then(|templates| templates.get(volume));
        let source = match (template, volumes.get(volume)) {
            // As in the StatefulSet controller.
            (Some(template), _) => VolumeSource::ClaimTemplate(template),
            (None, Some(volume)) => source(&volume),
            (None, None) => VolumeSource::NoSuchVolume,
        };
        mounts.push(Mount { path: normalized(path), volume, source, entry });
    }
    mounts
}

/// The first item of each name, so that an object with many mounts and volumes takes linear time.
#[derive(Debug)]
pub struct ByName<'a> {
    items: Vec<Cursor<'a>>,
    /// Positions in `items`, in the map of `serde_json`: another type of map would make the module larger.
    positions: Map<String, Value>,
}

impl<'a> ByName<'a> {
    /// Items that have their name at `path`.
    pub fn new(items: impl Iterator<Item = Cursor<'a>>, path: &[&'a str]) -> Self {
        let items: Vec<Cursor<'a>> = items.collect();
        let mut positions = Map::new();
        for (position, item) in items.iter().enumerate() {
            if let Some(name) = item.path(path).str() {
                positions.entry(name).or_insert_with(|| Value::from(position));
            }
        }
        ByName { items, positions }
    }

    /// The first item with this name.
    pub fn get(&self, name: &str) -> Option<Cursor<'a>> {
        let position = self.positions.get(name)?.as_u64()?;
        self.items.get(usize::try_from(position).ok()?).copied()
    }
}

/// What a volume is made of.
fn source<'a>(volume: &Cursor<'a>) -> VolumeSource<'a> {
    let source = volume.at("persistentVolumeClaim");
    if source.exists() {
        return VolumeSource::Claim(source);
    }
    let other = volume.members().find(|(key, member)| *key != "name" && member.exists());
    other.map_or(VolumeSource::NoSource, |(key, _)| VolumeSource::Other(key))
}

/// The mount that `directory` is in: the deepest one at or above it, in any order.
pub fn effective_mount<'m, 'a>(mounts: &'m [Mount<'a>], directory: &str) -> Option<&'m Mount<'a>> {
    mounts.iter().filter(|mount| is_within(directory, &mount.path)).max_by_key(|mount| mount.path.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    #[test]
    fn paths_are_normalized_as_in_the_kernel() {
        for (path, expected) in
            [("/var//opt/mssql/", "/var/opt/mssql"), ("a/../b/./c", "/b/c"), ("", "/"), ("/..", "/")]
        {
            assert_eq!(normalized(path), expected, "{path}");
        }
        assert!(is_within("/var/opt/mssql/data", "/var/opt/mssql"));
        assert!(is_within("/x", "/"));
        assert!(!is_within("/var/opt/mssql-data", "/var/opt/mssql"));
    }

    #[test]
    fn the_deepest_mount_counts_in_any_order() {
        let pod = json!({"volumes": [{"name": "c", "persistentVolumeClaim": {"claimName": "x"}}, {"name": "e", "emptyDir": {}}]});
        let container = json!({"volumeMounts": [
            {"name": "e", "mountPath": "/var/opt/mssql/data/"}, {"name": "c", "mountPath": "/var/opt/mssql"}]});
        let mounts = mounts(&Cursor::root(&container), &Cursor::root(&pod), None);
        assert_eq!(effective_mount(&mounts, "/var/opt/mssql/data").map(|mount| mount.volume), Some("e"));
        assert_eq!(effective_mount(&mounts, "/var/opt/mssql").map(|mount| mount.volume), Some("c"));
        assert!(effective_mount(&mounts, "/elsewhere").is_none());
    }
}
