//! An object that runs the engine: its pod, and the containers that matter in it.

use std::cell::OnceCell;

use serde_json::{Map, Value};

use crate::engine::{Detection, Engine, detect};
use crate::environment::{Environment, Variable};
use crate::kind::Kind;
use crate::node::Node;
use crate::scheduling::{BETA_OS, OS};
use crate::settings::Settings;
use crate::volumes::{Files, data_directories, mounts};

/// The port on which the engine listens unless `MSSQL_TCP_PORT` says otherwise.
pub const DEFAULT_PORT: i64 = 1433;

/// An object of a pod-shaped kind with at least one container that runs an engine.
#[derive(Clone, Debug)]
pub struct Workload<'a> {
    /// Its kind.
    pub kind: Kind,
    /// The whole object.
    pub object: Node<'a>,
    /// What holds the pod's `metadata` and `spec`; for a Pod the object itself.
    pub template: Node<'a>,
    /// The pod's `spec`.
    pub pod: Node<'a>,
    /// The containers that run an engine the settings govern: containers first, then init containers that keep running.
    pub engines: Vec<EngineContainer<'a>>,
    /// The containers that run an engine the settings leave alone.
    pub ungoverned: Vec<EngineContainer<'a>>,
    /// Whether the pod asks for a Windows node, where the Linux engine cannot run.
    pub on_windows: bool,
}

/// A container that runs an engine.
#[derive(Clone, Debug)]
pub struct EngineContainer<'a> {
    /// The container.
    pub node: Node<'a>,
    /// The engine in it.
    pub engine: Engine,
    /// Whether the image's name says so, rather than the environment.
    pub by_image: bool,
    /// Once a rule has asked: many do.
    files: OnceCell<Files<'a>>,
}

impl<'a> Workload<'a> {
    /// Reads an object; `None` if no container of it runs an engine.
    pub fn read(object: &'a Value, kind: Kind, settings: &Settings) -> Option<Self> {
        let root = Node::root(object);
        let template = root.path(kind.pod_template()?);
        let pod = template.at("spec");
        let on_windows = asks_for_windows(&pod);
        let mut workload =
            Workload { kind, object: root, template, pod, engines: Vec::new(), ungoverned: Vec::new(), on_windows };
        for node in workload.long_running_containers() {
            let Some(detection) = detect(&node, kind, settings) else { continue };
            // An unknown image on a Windows node is a Windows image.
            if on_windows && !detection.by_image {
                continue;
            }
            let engine = EngineContainer::of(node, detection);
            if settings.engines.contains(&engine.engine) {
                workload.engines.push(engine);
            } else {
                workload.ungoverned.push(engine);
            }
        }
        (!workload.engines.is_empty() || !workload.ungoverned.is_empty()).then_some(workload)
    }

    /// The containers, and the init containers that keep running beside them (sidecars).
    fn long_running_containers(&self) -> Vec<Node<'a>> {
        let mut containers = Vec::new();
        containers.extend(self.pod.at("containers").items());
        for container in self.pod.at("initContainers").items() {
            if container.at("restartPolicy").str() == Some("Always") {
                containers.push(container);
            }
        }
        containers
    }

    /// Whether the rules govern it.
    pub fn is_governed(&self) -> bool {
        !self.engines.is_empty()
    }

    /// `metadata.name`, empty where the server will generate one.
    pub fn name(&self) -> &'a str {
        self.object.path(&["metadata", "name"]).str().unwrap_or_default()
    }

    /// The labels its pods will have, as far as the manifest shows them.
    pub fn labels(&self) -> Option<&'a Map<String, Value>> {
        self.template.path(&["metadata", "labels"]).map()
    }

    /// How a message speaks of it, e.g. ``Deployment `sql` ``.
    pub fn describe(&self) -> String {
        let name = self.name();
        if name.is_empty() {
            return format!("this {}", self.kind.name());
        }
        format!("{} {}", self.kind.name(), crate::finding::quoted(name))
    }

    /// The StatefulSet's `volumeClaimTemplates`.
    pub fn claim_templates(&self) -> Option<Node<'a>> {
        (self.kind == Kind::StatefulSet).then(|| self.object.path(&["spec", "volumeClaimTemplates"]))
    }

    /// Where one of its engines keeps its files.
    pub fn files<'e>(&self, engine: &'e EngineContainer<'a>) -> &'e Files<'a> {
        engine.files.get_or_init(|| Files {
            mounts: mounts(&engine.node, &self.pod, self.claim_templates().as_ref()),
            directories: data_directories(&engine.environment()),
        })
    }
}

impl<'a> EngineContainer<'a> {
    fn of(node: Node<'a>, Detection { engine, by_image }: Detection) -> Self {
        EngineContainer { node, engine, by_image, files: OnceCell::new() }
    }

    /// Its environment.
    pub fn environment(&self) -> Environment<'a> {
        Environment::of(&self.node)
    }

    /// The TCP port on which the engine listens; `None` if the manifest does not show it. It may come from the
    /// environment, so no message quotes it.
    pub fn port(&self) -> Option<i64> {
        match self.environment().value("MSSQL_TCP_PORT") {
            Variable::Absent => Some(DEFAULT_PORT),
            Variable::Known(text) => text.trim().parse().ok().or(Some(DEFAULT_PORT)),
            Variable::Unseen => None,
        }
    }

    /// Whether availability groups are switched on, so that SQL Server may have more than one replica.
    pub fn has_availability_groups(&self) -> bool {
        let enabled = self.environment().value("MSSQL_ENABLE_HADR");
        self.engine == Engine::SqlServer && enabled == Variable::Known("1".to_owned())
    }
}

fn asks_for_windows(pod: &Node<'_>) -> bool {
    let selector = pod.at("nodeSelector");
    [selector.at(OS), selector.at(BETA_OS), pod.path(&["os", "name"])].iter().any(|node| node.str() == Some("windows"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    const IMAGE: &str = "mcr.microsoft.com/azure-sql-edge:1.0.7";

    fn read(pod: Value) -> Option<(usize, Option<Engine>)> {
        let object = json!({"metadata": {"name": "sql"}, "spec": pod});
        let workload = Workload::read(&object, Kind::Pod, &Settings::default())?;
        Some((workload.engines.len(), workload.ungoverned.first().map(|engine| engine.engine)))
    }

    #[test]
    fn containers_and_sidecars_count_and_plain_init_containers_do_not() {
        assert_eq!(read(json!({"containers": [{"image": IMAGE}]})), Some((1, None)));
        assert_eq!(read(json!({"initContainers": [{"image": IMAGE, "restartPolicy": "Always"}]})), Some((1, None)));
        assert_eq!(read(json!({"initContainers": [{"image": IMAGE}], "containers": [{"image": "web"}]})), None);
        assert_eq!(read(json!({"containers": {}, "initContainers": null})), None);
    }

    #[test]
    fn an_engine_that_is_not_governed_is_noticed() {
        let server = json!({"containers": [{"image": "mcr.microsoft.com/mssql/server"}]});
        assert_eq!(read(server), Some((0, Some(Engine::SqlServer))));
    }

    #[test]
    fn a_windows_pod_counts_only_with_an_image_known_by_name() {
        let by_environment = json!({"name": "x", "env": [{"name": "ACCEPT_EULA"}, {"name": "SA_PASSWORD"}]});
        assert_eq!(read(json!({"os": {"name": "windows"}, "containers": [by_environment]})), None);
        assert_eq!(read(json!({"nodeSelector": {OS: "windows"}, "containers": [{"image": IMAGE}]})), Some((1, None)));
    }

    #[test]
    fn a_mount_that_holds_several_directories_counts_once() {
        let mounts = |paths: &[&str]| {
            let mounts: Vec<Value> = paths.iter().map(|path| json!({"name": "v", "mountPath": path})).collect();
            let object = json!({"spec": {"containers": [{"image": IMAGE, "volumeMounts": mounts,
                "env": [{"name": "MSSQL_LOG_DIR", "value": "/var/opt/mssql/log"}]}]}});
            let workload = Workload::read(&object, Kind::Pod, &Settings::default()).unwrap();
            workload.files(workload.engines.first().unwrap()).data_mounts().len()
        };
        assert_eq!(mounts(&["/var/opt/mssql"]), 1);
        assert_eq!(mounts(&["/var/opt/mssql/data", "/var/opt/mssql/log", "/elsewhere"]), 2);
    }

    #[test]
    fn the_port_and_availability_groups_come_from_the_environment() {
        let container = |env: Value| json!({"image": "mcr.microsoft.com/mssql/server", "env": env});
        let engine = |node: &Value| {
            let engine = EngineContainer::of(Node::root(node), Detection { engine: Engine::SqlServer, by_image: true });
            (engine.port(), engine.has_availability_groups())
        };
        assert_eq!(engine(&container(json!([]))), (Some(1433), false));
        let set = json!([{"name": "MSSQL_TCP_PORT", "value": "14330"}, {"name": "MSSQL_ENABLE_HADR", "value": "1"}]);
        assert_eq!(engine(&container(set)), (Some(14330), true));
        let unseen = json!([{"name": "MSSQL_TCP_PORT", "valueFrom": {"configMapKeyRef": {}}}]);
        assert_eq!(engine(&container(unseen)), (None, false));
    }
}
