//! Where the database files lie, and what backs each place.

use serde_json::Value;

use crate::environment::{Environment, Variable};
use crate::node::Node;

/// The directory that holds everything the engine keeps: databases, logs, the machine key, `.system`.
pub const DATA_ROOT: &str = "/var/opt/mssql";
/// Where database files lie unless the environment says otherwise
/// (<https://learn.microsoft.com/sql/linux/sql-server-linux-configure-environment-variables>).
pub const DEFAULT_DATA: &str = "/var/opt/mssql/data";

/// A directory that holds database files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDirectory {
    /// The normalised path, if the manifest shows it.
    pub path: Option<String>,
    /// The variable that chose it; `None` for the default.
    pub variable: Option<&'static str>,
}

impl DataDirectory {
    /// How a message speaks of it: environment values are never quoted.
    pub fn describe(&self) -> String {
        match self.variable {
            Some(variable) => format!("the directory that {variable} names"),
            None => DEFAULT_DATA.to_owned(),
        }
    }
}

/// Every directory that holds database files of the container with this environment, each path once.
pub fn data_directories(environment: &Environment<'_>) -> Vec<DataDirectory> {
    let data = directory(environment, "MSSQL_DATA_DIR", false);
    let log = directory(environment, "MSSQL_LOG_DIR", false);
    let candidates = [
        directory(environment, "MSSQL_MASTER_DATA_FILE", true).unwrap_or_else(default_data),
        directory(environment, "MSSQL_MASTER_LOG_FILE", true).unwrap_or_else(default_data),
        log.or_else(|| data.clone()).unwrap_or_else(default_data),
        data.unwrap_or_else(default_data),
    ];
    let mut directories: Vec<DataDirectory> = Vec::new();
    for candidate in candidates {
        let same = |other: &DataDirectory| match other.path {
            Some(_) => other.path == candidate.path,
            None => *other == candidate,
        };
        if !directories.iter().any(same) {
            directories.push(candidate);
        }
    }
    directories
}

fn default_data() -> DataDirectory {
    DataDirectory { path: Some(DEFAULT_DATA.to_owned()), variable: None }
}

fn directory(environment: &Environment<'_>, variable: &'static str, is_file: bool) -> Option<DataDirectory> {
    let path = match environment.value(variable) {
        Variable::Absent => return None,
        Variable::Unseen => None,
        Variable::Known(value) => {
            let path = normalised(&value);
            Some(if is_file { parent(&path).to_owned() } else { path })
        }
    };
    Some(DataDirectory { path, variable: Some(variable) })
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// A path without doubled or trailing slashes and without `.` and `..`, as the kernel resolves it.
pub fn normalised(path: &str) -> String {
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

/// Whether `path` is `directory` or lies below it; both normalised.
pub fn is_within(path: &str, directory: &str) -> bool {
    directory == "/" || path.strip_prefix(directory).is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// What backs a mount.
#[derive(Clone, Debug)]
pub enum Backing<'a> {
    /// A persistent volume claim; the node is the `persistentVolumeClaim` source.
    Claim(Node<'a>),
    /// A claim template of the StatefulSet; the node is the template.
    ClaimTemplate(Node<'a>),
    /// Another kind of volume; the name is that of its field, e.g. `emptyDir`.
    Other(&'a str),
    /// The volume has no source at all, which Kubernetes reads as an `emptyDir`.
    NoSource,
    /// The mount names a volume that does not exist.
    NoSuchVolume,
}

impl Backing<'_> {
    /// Whether the files survive the pod under a claim.
    pub fn is_claim(&self) -> bool {
        matches!(self, Backing::Claim(_) | Backing::ClaimTemplate(_))
    }
}

/// One entry of a container's `volumeMounts`.
#[derive(Clone, Debug)]
pub struct Mount<'a> {
    /// The entry.
    pub node: Node<'a>,
    /// The normalised `mountPath`.
    pub path: String,
    /// The volume's name.
    pub volume: &'a str,
    /// What backs it.
    pub backing: Backing<'a>,
}

impl Mount<'_> {
    /// The claim's name, or the claim template's.
    pub fn claim_name(&self) -> Option<&str> {
        match &self.backing {
            Backing::Claim(source) => source.at("claimName").str(),
            Backing::ClaimTemplate(_) => Some(self.volume),
            _ => None,
        }
    }
}

/// The mounts of `container` in a pod with these volumes; `templates` are the StatefulSet's `volumeClaimTemplates`.
pub fn mounts<'a>(container: &Node<'a>, pod: &Node<'a>, templates: Option<&Node<'a>>) -> Vec<Mount<'a>> {
    let mut mounts = Vec::new();
    for node in container.at("volumeMounts").items() {
        let Some(path) = node.at("mountPath").str().filter(|path| !path.is_empty()) else { continue };
        let volume = node.at("name").str().unwrap_or_default();
        mounts.push(Mount { path: normalised(path), volume, backing: backing(volume, pod, templates), node });
    }
    mounts
}

/// What backs the volume `name`. A claim template wins over a volume of the same name, as in the StatefulSet controller.
fn backing<'a>(name: &str, pod: &Node<'a>, templates: Option<&Node<'a>>) -> Backing<'a> {
    let template = templates.and_then(|templates| {
        templates.items().find(|template| template.path(&["metadata", "name"]).str() == Some(name))
    });
    if let Some(template) = template {
        return Backing::ClaimTemplate(template);
    }
    let Some(volume) =
        pod.at("volumes").items().find(|volume| volume.get("name").and_then(Value::as_str) == Some(name))
    else {
        return Backing::NoSuchVolume;
    };
    let source = volume.at("persistentVolumeClaim");
    if source.exists() {
        return Backing::Claim(source);
    }
    let other = volume.members().find(|(key, member)| *key != "name" && member.exists());
    other.map_or(Backing::NoSource, |(key, _)| Backing::Other(key))
}

/// Where a container's files lie.
#[derive(Clone, Debug)]
pub struct Files<'a> {
    /// What is mounted in it.
    pub mounts: Vec<Mount<'a>>,
    /// The directories that hold database files.
    pub directories: Vec<DataDirectory>,
}

impl<'a> Files<'a> {
    /// The mounts that hold database files, each once.
    pub fn data_mounts(&self) -> Vec<&Mount<'a>> {
        let mut holding: Vec<&Mount<'a>> = Vec::new();
        for path in self.directories.iter().filter_map(|directory| directory.path.as_deref()) {
            let Some(mount) = deciding_mount(&self.mounts, path) else { continue };
            if !holding.iter().any(|known| known.path == mount.path) {
                holding.push(mount);
            }
        }
        holding
    }
}

/// The mount that decides where `directory` lies: the deepest one above it, whatever the order.
pub fn deciding_mount<'m, 'a>(mounts: &'m [Mount<'a>], directory: &str) -> Option<&'m Mount<'a>> {
    mounts.iter().filter(|mount| is_within(directory, &mount.path)).max_by_key(|mount| mount.path.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    fn directories(env: Value) -> Vec<Option<String>> {
        let container = json!({"env": env});
        let environment = Environment::of(&Node::root(&container));
        data_directories(&environment).into_iter().map(|directory| directory.path).collect()
    }

    #[test]
    fn the_environment_moves_the_directories() {
        let set = |name: &str, value: &str| json!({"name": name, "value": value});
        assert_eq!(directories(json!([])), [Some(DEFAULT_DATA.into())]);
        assert_eq!(
            directories(json!([set("MSSQL_DATA_DIR", "/sql//data/")])),
            [Some(DEFAULT_DATA.into()), Some("/sql/data".into())]
        );
        let moved = json!([
            set("MSSQL_MASTER_DATA_FILE", "/m/master.mdf"),
            set("MSSQL_MASTER_LOG_FILE", "/m/mastlog.ldf"),
            set("MSSQL_DATA_DIR", "/d"),
            set("MSSQL_LOG_DIR", "/l")
        ]);
        assert_eq!(directories(moved), [Some("/m".into()), Some("/l".into()), Some("/d".into())]);
        let unseen = json!([{"name": "MSSQL_DATA_DIR", "valueFrom": {"configMapKeyRef": {}}}]);
        assert_eq!(directories(unseen), [Some(DEFAULT_DATA.into()), None]);
    }

    #[test]
    fn paths_are_read_as_the_kernel_reads_them() {
        for (path, expected) in
            [("/var//opt/mssql/", "/var/opt/mssql"), ("a/../b/./c", "/b/c"), ("", "/"), ("/..", "/")]
        {
            assert_eq!(normalised(path), expected, "{path}");
        }
        assert!(is_within("/var/opt/mssql/data", "/var/opt/mssql"));
        assert!(is_within("/x", "/"));
        assert!(!is_within("/var/opt/mssql-data", "/var/opt/mssql"));
    }

    #[test]
    fn depth_decides_not_order() {
        let pod = json!({"volumes": [{"name": "c", "persistentVolumeClaim": {"claimName": "x"}}, {"name": "e", "emptyDir": {}}]});
        let container = json!({"volumeMounts": [
            {"name": "e", "mountPath": "/var/opt/mssql/data/"}, {"name": "c", "mountPath": "/var/opt/mssql"}]});
        let mounts = mounts(&Node::root(&container), &Node::root(&pod), None);
        assert_eq!(deciding_mount(&mounts, DEFAULT_DATA).map(|mount| mount.volume), Some("e"));
        assert_eq!(deciding_mount(&mounts, DATA_ROOT).map(|mount| mount.volume), Some("c"));
        assert!(deciding_mount(&mounts, "/elsewhere").is_none());
    }
}
