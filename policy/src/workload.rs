//! A workload whose pods run a database: its pod template, and the containers that matter.

pub mod claims;
pub mod ports;
pub mod storage;

use std::cell::OnceCell;
use std::ops::Deref;

use serde_json::{Map, Value};

use self::claims::DataClaim;
use self::storage::{ContainerStorage, data_directories};
use crate::engine::variables::{CONF_FILE, CONF_IS_READ, HADR, TCP_PORT};
use crate::engine::{DetectedEngine, Engine, detect};
use crate::finding::quoted;
use crate::json::cursor::Cursor;
use crate::kubernetes::environment::{Environment, Variable};
use crate::kubernetes::kind::WorkloadKind;
use crate::kubernetes::scheduling::{BETA_OS, OS};
use crate::kubernetes::selector::Pods;
use crate::kubernetes::volumes::{Mount, VolumeSource, effective_mount, mounts};
use crate::settings::Settings;

/// A workload with at least one database container.
#[derive(Clone, Debug)]
pub struct Workload<'a> {
    /// Its kind.
    pub kind: WorkloadKind,
    /// The whole object.
    pub object: Cursor<'a>,
    /// The value that holds the pod's `metadata` and `spec`; for a Pod the object itself.
    pub template: Cursor<'a>,
    /// The pod's `spec`.
    pub pod: Cursor<'a>,
    /// The containers of selected products: containers first, then init containers that keep running.
    pub engines: Vec<EngineContainer<'a>>,
    /// The containers of products that the settings do not select.
    pub unselected_engines: Vec<EngineContainer<'a>>,
    /// Whether the pod requires a Windows node, where the Linux image cannot run.
    pub on_windows: bool,
    /// Computed once, because many rules need it.
    data_claims: OnceCell<Vec<DataClaim<'a>>>,
}

/// A container that runs a database.
#[derive(Clone, Debug)]
pub struct EngineContainer<'a> {
    /// The container.
    pub container: Cursor<'a>,
    /// The product in it.
    pub engine: &'static Engine,
    /// Whether its image's name says so, rather than its environment.
    pub by_image: bool,
    /// Computed once, because many rules need it.
    storage: OnceCell<ContainerStorage<'a>>,
    /// Computed once, because it is compared with the ports of many Services.
    port: OnceCell<Option<i64>>,
}

/// A database container together with its workload.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseContainer<'w, 'a> {
    /// The workload.
    pub workload: &'w Workload<'a>,
    /// The container.
    pub engine_container: &'w EngineContainer<'a>,
}

impl<'w, 'a> DatabaseContainer<'w, 'a> {
    /// Its mounts and data directories.
    pub fn storage(&self) -> &'w ContainerStorage<'a> {
        self.workload.storage(self.engine_container)
    }

    /// Whether more may be configured than `env` shows: by `envFrom`, or by an `mssql.conf` that was not read.
    pub fn may_have_more(&self) -> bool {
        let is_unread = |mount: &Mount<'_>| {
            // A directory of another kind of volume has a file only if the database or its user wrote one.
            let is_given = matches!(mount.source, VolumeSource::Other("configMap" | "secret" | "projected"));
            (mount.path == CONF_FILE || is_given) && !mount.entry.at(CONF_IS_READ).exists()
        };
        self.environment().has_env_from() || effective_mount(&self.storage().mounts, CONF_FILE).is_some_and(is_unread)
    }
}

impl<'a> Deref for DatabaseContainer<'_, 'a> {
    type Target = EngineContainer<'a>;

    fn deref(&self) -> &EngineContainer<'a> {
        self.engine_container
    }
}

impl<'a> Workload<'a> {
    /// Reads an object; `None` if none of its containers runs a database.
    pub fn read(object: &'a Value, kind: WorkloadKind, settings: &Settings) -> Option<Self> {
        let root = Cursor::root(object);
        let template = root.path(kind.template_path());
        let pod = template.at("spec");
        let on_windows = requires_windows(&pod);
        let (mut engines, mut unselected_engines) = (Vec::new(), Vec::new());
        for container in long_running_containers(&pod) {
            let Some(detected) = detect(&container, kind, &settings.images) else { continue };
            // An unknown image on a Windows node is a Windows image.
            if on_windows && !detected.by_image {
                continue;
            }
            let is_selected = settings.engines.contains(&detected.engine);
            let list = if is_selected { &mut engines } else { &mut unselected_engines };
            list.push(EngineContainer::new(container, detected));
        }
        let data_claims = OnceCell::new();
        let workload =
            Workload { kind, object: root, template, pod, engines, unselected_engines, on_windows, data_claims };
        (!workload.engines.is_empty() || !workload.unselected_engines.is_empty()).then_some(workload)
    }

    /// Whether it runs a database that the settings select.
    pub fn has_selected_engine(&self) -> bool {
        !self.engines.is_empty()
    }

    /// Whether its pods can be the replicas of an availability group: each has files of its own.
    pub fn can_be_availability_group(&self) -> bool {
        self.containers().all(|container| {
            let storage = container.storage();
            let has_own_files = storage.directories.iter().all(|directory| {
                let mount = directory.path.as_deref().and_then(|path| effective_mount(&storage.mounts, path));
                mount.is_some_and(|mount| matches!(mount.source, VolumeSource::ClaimTemplate(_)))
            });
            container.uses_availability_groups() && has_own_files
        })
    }

    /// Its database containers of selected products.
    pub fn containers(&self) -> impl Iterator<Item = DatabaseContainer<'_, 'a>> {
        self.engines.iter().map(|engine_container| DatabaseContainer { workload: self, engine_container })
    }

    /// `metadata.name`; empty where the server will generate one.
    pub fn name(&self) -> &'a str {
        self.object.path(&["metadata", "name"]).str().unwrap_or_default()
    }

    /// The product's name for messages: that of the first database container.
    pub fn product(&self) -> &'static str {
        self.engines.first().map_or("the database", |engine| engine.engine.product)
    }

    /// The labels of its pod template.
    pub fn labels(&self) -> Option<&'a Map<String, Value>> {
        self.template.path(&["metadata", "labels"]).map()
    }

    /// Its pods, as selectors in `namespace` see them.
    pub fn pods<'p>(&self, namespace: &'p str) -> Pods<'p>
    where
        'a: 'p,
    {
        let object = self.object.value().unwrap_or(&Value::Null);
        Pods { object, kind: self.kind, namespace, name: self.name(), labels: self.labels() }
    }

    /// How a message names it, e.g. ``Deployment `sql` ``.
    pub fn describe(&self) -> String {
        match self.name() {
            "" => format!("this {}", self.kind.name()),
            name => format!("{} {}", self.kind.name(), quoted(name)),
        }
    }

    /// The StatefulSet's `volumeClaimTemplates`.
    pub fn claim_templates(&self) -> Option<Cursor<'a>> {
        (self.kind == WorkloadKind::StatefulSet).then(|| self.object.path(&["spec", "volumeClaimTemplates"]))
    }

    /// The mounts and data directories of one of its containers.
    pub fn storage<'e>(&self, engine: &'e EngineContainer<'a>) -> &'e ContainerStorage<'a> {
        engine.storage.get_or_init(|| ContainerStorage {
            mounts: mounts(&engine.container, &self.pod, self.claim_templates().as_ref()),
            directories: data_directories(&engine.environment(), engine.engine),
        })
    }
}

/// The containers, and the init containers that keep running beside them (sidecars).
pub fn long_running_containers<'a>(pod: &Cursor<'a>) -> impl Iterator<Item = Cursor<'a>> + use<'a> {
    let is_sidecar = |container: &Cursor<'_>| container.at("restartPolicy").str() == Some("Always");
    pod.at("containers").items().chain(pod.at("initContainers").items().filter(is_sidecar))
}

impl<'a> EngineContainer<'a> {
    fn new(container: Cursor<'a>, DetectedEngine { engine, by_image }: DetectedEngine) -> Self {
        EngineContainer { container, engine, by_image, storage: OnceCell::new(), port: OnceCell::new() }
    }

    /// Its environment.
    pub fn environment(&self) -> Environment<'a> {
        Environment::new(&self.container)
    }

    /// The TCP port on which the database listens; `None` if it is outside the manifest. No message quotes it, because
    /// it may come from the environment.
    pub fn port(&self) -> Option<i64> {
        *self.port.get_or_init(|| match self.environment().value(TCP_PORT) {
            Variable::Absent => Some(self.engine.port),
            Variable::Known(text) => text.trim().parse().ok().or(Some(self.engine.port)),
            Variable::Unresolved => None,
        })
    }

    /// The last Linux kernel, major and minor version, on which its image works; `None` if it is not known to fail.
    pub fn last_working_kernel(&self) -> Option<(u32, u32)> {
        self.engine.last_working_kernel(self.container.at("image").str().unwrap_or_default())
    }

    /// Whether availability groups are switched on, so that there may be several replicas.
    pub fn uses_availability_groups(&self) -> bool {
        let enabled = self.environment().value(HADR);
        self.engine.has_availability_groups && enabled == Variable::Known("1".to_owned())
    }

    /// How a message names it, e.g. ``SQL Edge in `sql` ``.
    pub fn describe(&self) -> String {
        let product = self.engine.product;
        match self.container.at("name").str() {
            Some(name) => format!("{product} in {}", quoted(name)),
            None => product.to_owned(),
        }
    }
}

fn requires_windows(pod: &Cursor<'_>) -> bool {
    let selector = pod.at("nodeSelector");
    let choices = [selector.at(OS), selector.at(BETA_OS), pod.path(&["os", "name"])];
    choices.iter().any(|choice| choice.str() == Some("windows"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::SQL_SERVER;
    use crate::testing::test;

    const IMAGE: &str = "mcr.microsoft.com/azure-sql-edge:1.0.7";

    fn read(pod: Value) -> Option<(usize, Option<&'static Engine>)> {
        let object = json!({"metadata": {"name": "sql"}, "spec": pod});
        let workload = Workload::read(&object, WorkloadKind::Pod, &Settings::default())?;
        Some((workload.engines.len(), workload.unselected_engines.first().map(|engine| engine.engine)))
    }

    #[test]
    fn containers_and_sidecars_count_but_plain_init_containers_do_not() {
        assert_eq!(read(json!({"containers": [{"image": IMAGE}]})), Some((1, None)));
        assert_eq!(read(json!({"initContainers": [{"image": IMAGE, "restartPolicy": "Always"}]})), Some((1, None)));
        assert_eq!(read(json!({"initContainers": [{"image": IMAGE}], "containers": [{"image": "web"}]})), None);
        assert_eq!(read(json!({"containers": {}, "initContainers": null})), None);
    }

    #[test]
    fn a_product_that_is_not_selected_is_recorded() {
        let server = json!({"containers": [{"image": "mcr.microsoft.com/mssql/server"}]});
        assert_eq!(read(server), Some((0, Some(&SQL_SERVER))));
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
            let workload = Workload::read(&object, WorkloadKind::Pod, &Settings::default()).unwrap();
            workload.storage(workload.engines.first().unwrap()).data_mounts().len()
        };
        assert_eq!(mounts(&["/var/opt/mssql"]), 1);
        assert_eq!(mounts(&["/var/opt/mssql/data", "/var/opt/mssql/log", "/elsewhere"]), 2);
    }

    #[test]
    fn the_port_and_availability_groups_come_from_the_environment() {
        let container = |env: Value| json!({"image": "mcr.microsoft.com/mssql/server", "env": env});
        let engine = |node: &Value| {
            let engine =
                EngineContainer::new(Cursor::root(node), DetectedEngine { engine: &SQL_SERVER, by_image: true });
            (engine.port(), engine.uses_availability_groups())
        };
        assert_eq!(engine(&container(json!([]))), (Some(1433), false));
        let set = json!([{"name": "MSSQL_TCP_PORT", "value": "14330"}, {"name": "MSSQL_ENABLE_HADR", "value": "1"}]);
        assert_eq!(engine(&container(set)), (Some(14330), true));
        let unseen = json!([{"name": "MSSQL_TCP_PORT", "valueFrom": {"configMapKeyRef": {}}}]);
        assert_eq!(engine(&container(unseen)), (None, false));
    }

    #[test]
    fn more_may_be_configured_by_env_from_and_by_a_file_from_another_object() {
        let may_have_more = |path: &str, volume: Value| {
            let mount = json!({"name": "v", "mountPath": path});
            let mut pod = json!({"containers": [{"image": IMAGE, "volumeMounts": [mount]}], "volumes": [volume]});
            pod["volumes"][0]["name"] = json!("v");
            let object = json!({"spec": pod});
            let workload = Workload::read(&object, WorkloadKind::Pod, &Settings::default()).unwrap();
            workload.containers().next().unwrap().may_have_more()
        };
        for volume in ["configMap", "secret", "projected"] {
            for path in
                ["/var/opt/mssql/mssql.conf", "/var/opt/mssql//mssql.conf/", "/var/opt/mssql", "/var/opt/mssql/"]
            {
                assert!(may_have_more(path, json!({volume: {}})), "{path} {volume}");
            }
            assert!(!may_have_more("/var/opt/mssql/data", json!({volume: {}})), "{volume}");
        }
        assert!(!may_have_more("/var/opt/mssql", json!({"persistentVolumeClaim": {"claimName": "c"}})));
        assert!(!may_have_more("/var/opt/mssql", json!({"emptyDir": {}})));
    }
}
