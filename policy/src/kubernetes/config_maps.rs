//! What ConfigMaps add to the environment of containers: variables, and the settings of a mounted `mssql.conf`.
//!
//! A workload is read with them by writing them into a copy of it. No entry of the copy moves, so that a finding in the
//! copy is one in the original.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::kind::WorkloadKind;
use super::volumes::{effective_mount, mounts, normalized};
use crate::engine::ENGINES;
use crate::engine::variables::{self, CONF_FILE, CONF_IS_READ};
use crate::json::cursor::{Cursor, get_path, push_key};

/// The settings of `mssql.conf` that rules read, by section and name, and the variables with the same effect
/// (Microsoft, *Configure SQL Server settings with environment variables on Linux*, and *Configure with mssql-conf*).
const CONF_SETTINGS: [(&str, &str, &str); 9] = [
    ("eula", "accepteula", variables::EULA),
    ("filelocation", "defaultdatadir", variables::DATA_DIRECTORY),
    ("filelocation", "defaultlogdir", variables::LOG_DIRECTORY),
    ("filelocation", "masterdatafile", variables::MASTER_DATA_FILE),
    ("filelocation", "masterlogfile", variables::MASTER_LOG_FILE),
    ("hadr", "hadrenabled", variables::HADR),
    ("memory", "memorylimitmb", variables::MEMORY_LIMIT),
    ("network", "ipaddress", variables::IP_ADDRESS),
    ("network", "tcpport", variables::TCP_PORT),
];

const CONTAINER_LISTS: [&str; 2] = ["containers", "initContainers"];

/// The names of the ConfigMaps that the containers of a workload read.
pub fn config_map_names(workload: &Value, kind: WorkloadKind) -> Vec<String> {
    let pod = Cursor::root(workload).path(kind.template_path()).at("spec");
    let mut names = Vec::new();
    for container in CONTAINER_LISTS.into_iter().flat_map(|list| pod.at(list).items()) {
        for entry in container.at("env").items() {
            names.extend(entry.path(&["valueFrom", "configMapKeyRef", "name"]).str().map(str::to_owned));
        }
        for source in container.at("envFrom").items() {
            names.extend(source.path(&["configMapRef", "name"]).str().map(str::to_owned));
        }
        if let Some(ConfMount { volume, .. }) = ConfMount::find(&container, &pod) {
            names.extend(config_map_sources(volume).filter_map(name_in).map(str::to_owned));
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// A copy of a workload in which the containers that take the variables of a ConfigMap have those that mark a database,
/// too. `None` if none takes any.
pub fn with_marking_variables(workload: &Value, kind: WorkloadKind) -> Option<Value> {
    let takes_variables = |container: &Cursor<'_>| {
        container.at("envFrom").items().any(|source| source.path(&["configMapRef", "name"]).exists())
    };
    let pod = Cursor::root(workload).path(kind.template_path()).at("spec");
    if !CONTAINER_LISTS.into_iter().flat_map(|list| pod.at(list).items()).any(|container| takes_variables(&container)) {
        return None;
    }
    let mut copy = workload.clone();
    let pod = pod_mut(&mut copy, kind)?;
    for list in CONTAINER_LISTS {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if takes_variables(&Cursor::root(container)) {
                let names =
                    ENGINES.iter().flat_map(|engine| engine.marking_variables).filter_map(|names| names.first());
                add_variables(container, names.map(|name| ((*name).to_owned(), Value::Null)));
            }
        }
    }
    Some(copy)
}

fn pod_mut(workload: &mut Value, kind: WorkloadKind) -> Option<&mut Value> {
    let mut pod = String::new();
    kind.template_path().iter().chain(&["spec"]).for_each(|key| push_key(&mut pod, key));
    workload.pointer_mut(&pod)
}

/// Writes what the ConfigMaps contain into a copy of a workload. `find` is asked for ConfigMaps by name; what it does
/// not know stays as it is.
pub fn resolve<'m>(workload: &mut Value, kind: WorkloadKind, find: &mut dyn FnMut(&str) -> Option<&'m Value>) {
    let Some(pod) = pod_mut(workload, kind) else { return };
    let volumes = json!({"volumes": pod.get("volumes")});
    for list in CONTAINER_LISTS {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            resolve_container(container, &volumes, find);
        }
    }
}

fn resolve_container<'m>(container: &mut Value, volumes: &Value, find: &mut dyn FnMut(&str) -> Option<&'m Value>) {
    resolve_references(container, find);
    let mut more = Map::new();
    take_conf(container, volumes, find, &mut more);
    // They override the file.
    take_env_from(container, find, &mut more);
    if !more.is_empty() {
        add_variables(container, more);
    }
}

/// Adds the variables that `env` does not set: it overrides all others.
fn add_variables(container: &mut Value, variables: impl IntoIterator<Item = (String, Value)>) {
    let Some(members) = container.as_object_mut() else { return };
    let env = members.entry("env").or_insert(Value::Null);
    if env.is_null() {
        *env = json!([]);
    }
    let Some(env) = env.as_array_mut() else { return };
    let names = env.iter().filter_map(|entry| entry.get("name")?.as_str());
    let mut known: HashSet<String> = names.map(str::to_owned).collect();
    for (name, value) in variables {
        // Appended, because JSON Pointers of findings count the entries of the file.
        if known.insert(name.clone()) {
            env.push(json!({"name": name, "value": value, IS_OF_CONFIG_MAP: true}));
        }
    }
}

/// The field of variables that only the copy has.
const IS_OF_CONFIG_MAP: &str = "configMap";

/// Shortens the JSON Pointer of a finding in a copy to the container, if it leads to a variable that only the copy has.
pub fn shorten_to_container(pointer: &mut String, copy: &Value) {
    let Some((container, variable)) = pointer.rsplit_once("/env/") else { return };
    let position = variable.split('/').next().unwrap_or_default();
    let entry = copy.pointer(&format!("{container}/env/{position}"));
    if entry.is_some_and(|entry| entry.get(IS_OF_CONFIG_MAP).is_some()) {
        let end = container.len();
        pointer.truncate(end);
    }
}

/// Replaces `valueFrom.configMapKeyRef` by the value.
fn resolve_references<'m>(container: &mut Value, find: &mut dyn FnMut(&str) -> Option<&'m Value>) {
    for entry in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(reference) = get_path(entry, &["valueFrom", "configMapKeyRef"]) else { continue };
        let text = |key| reference.get(key).and_then(Value::as_str).unwrap_or_default();
        let is_optional = reference.get("optional").and_then(Value::as_bool) == Some(true);
        let Some(map) = find(text("name")) else { continue };
        match data(map).and_then(|data| data.get(text("key"))).cloned() {
            Some(value) => {
                if let Some(members) = entry.as_object_mut() {
                    members.remove("valueFrom");
                    members.insert("value".to_owned(), value);
                }
            }
            // The variable is not set.
            None if is_optional => *entry = Value::Null,
            None => {}
        }
    }
}

/// Takes the variables that `envFrom` adds. A later ConfigMap overrides an earlier one.
fn take_env_from<'m>(
    container: &mut Value,
    find: &mut dyn FnMut(&str) -> Option<&'m Value>,
    variables: &mut Map<String, Value>,
) {
    for source in container.get_mut("envFrom").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = get_path(source, &["configMapRef", "name"]).and_then(Value::as_str);
        let Some(data) = name.and_then(&mut *find).and_then(data) else { continue };
        let prefix = source.get("prefix").and_then(Value::as_str).unwrap_or_default();
        variables.extend(data.iter().map(|(key, value)| (format!("{prefix}{key}"), value.clone())));
        *source = Value::Null;
    }
}

/// Takes the settings of an `mssql.conf` that is mounted from a ConfigMap.
fn take_conf<'m>(
    container: &mut Value,
    volumes: &Value,
    find: &mut dyn FnMut(&str) -> Option<&'m Value>,
    variables: &mut Map<String, Value>,
) {
    let Some(ConfMount { position, volume, file }) = ConfMount::find(&Cursor::root(container), &Cursor::root(volumes))
    else {
        return;
    };
    let conf = config_map_sources(volume).find_map(|source| {
        let data = name_in(source).and_then(&mut *find).and_then(data)?;
        data.get(key_of(source, &file)?)?.as_str()
    });
    variables.extend(conf.into_iter().flat_map(conf_variables).map(|(name, value)| (name.to_owned(), value.into())));
    // The ConfigMap may be known, but have no such key: then there is no `mssql.conf`.
    let is_read = conf.is_some() || volume.get("configMap").and_then(name_in).and_then(find).is_some();
    let mount = container.get_mut("volumeMounts").and_then(|mounts| mounts.get_mut(position));
    if let Some(mount) = mount.and_then(Value::as_object_mut).filter(|_| is_read) {
        mount.insert(CONF_IS_READ.to_owned(), Value::Bool(true));
    }
}

/// The mount that `mssql.conf` is in.
struct ConfMount<'a> {
    /// Its position among the mounts of the container.
    position: usize,
    /// The volume of the pod.
    volume: &'a Value,
    /// The path of the file in the volume.
    file: String,
}

impl<'a> ConfMount<'a> {
    /// The mount of a container in a pod with these volumes; `None` if the file is in the container filesystem.
    fn find(container: &Cursor<'a>, pod: &Cursor<'a>) -> Option<Self> {
        let mounts = mounts(container, pod, None);
        let mount = effective_mount(&mounts, CONF_FILE)?;
        let position = container.at("volumeMounts").items().position(|entry| entry.is_same(&mount.entry))?;
        let volume = pod.at("volumes").items().find(|volume| volume.at("name").str() == Some(mount.volume))?.value()?;
        let below = CONF_FILE.strip_prefix(mount.path.trim_end_matches('/'))?;
        let sub_path = mount.entry.at("subPath").str().unwrap_or_default();
        let file = match normalized(&[sub_path, below].concat()).trim_start_matches('/') {
            "" => "mssql.conf".to_owned(),
            file => file.to_owned(),
        };
        Some(ConfMount { position, volume, file })
    }
}

/// The ConfigMaps of a volume, alone or projected with others.
fn config_map_sources(volume: &Value) -> impl Iterator<Item = &Value> {
    let projected = get_path(volume, &["projected", "sources"]).and_then(Value::as_array).into_iter().flatten();
    std::iter::once(volume).chain(projected).filter_map(|source| source.get("configMap"))
}

fn name_in(reference: &Value) -> Option<&str> {
    reference.get("name")?.as_str()
}

/// The key of a ConfigMap that becomes a file of its volume; `None` if none does.
fn key_of<'a>(source: &'a Value, file: &'a str) -> Option<&'a str> {
    match source.get("items").and_then(Value::as_array) {
        Some(items) if !items.is_empty() => {
            let item = items.iter().find(|item| item.get("path").and_then(Value::as_str) == Some(file))?;
            item.get("key")?.as_str()
        }
        _ => Some(file),
    }
}

/// The variables with the effect of the settings in a text of `mssql.conf`.
fn conf_variables(text: &str) -> impl Iterator<Item = (&'static str, &str)> {
    let mut section = "";
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.trim();
            return None;
        }
        let (name, value) = line.split_once('=')?;
        let is_meant = |known: &&(&str, &str, &str)| {
            known.0.eq_ignore_ascii_case(section) && known.1.eq_ignore_ascii_case(name.trim())
        };
        let (_, _, variable) = CONF_SETTINGS.iter().find(is_meant)?;
        // A license that is rejected is as good as none.
        let is_rejected = *variable == variables::EULA && !value.trim().eq_ignore_ascii_case("y");
        (!is_rejected).then_some((*variable, value.trim()))
    })
}

fn data(config_map: &Value) -> Option<&Map<String, Value>> {
    config_map.get("data")?.as_object()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{deployment, test};

    fn config_map(data: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": data})
    }

    fn resolved(changes: &[(&str, Value)], data: Value) -> Value {
        let (mut object, map) = (deployment(changes), config_map(data));
        resolve(&mut object, WorkloadKind::Deployment, &mut |name| (name == "conf").then_some(&map));
        object["spec"]["template"]["spec"]["containers"][0].clone()
    }

    const CONTAINER: &str = "/spec/template/spec/containers/0";

    fn value_of<'v>(container: &'v Value, name: &str) -> Option<&'v str> {
        let mut entries = container["env"].as_array().unwrap().iter();
        entries.find(|entry| entry["name"] == name).and_then(|entry| entry["value"].as_str())
    }

    #[test]
    fn variables_come_from_references_and_from_whole_config_maps() {
        let reference = json!({"name": "A", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "a"}}});
        let sources = json!([{"configMapRef": {"name": "conf"}, "prefix": "P_"}, {"configMapRef": {"name": "other"}}]);
        let changes = [(&*format!("{CONTAINER}/env/-"), reference), (&*format!("{CONTAINER}/envFrom"), sources)];
        let container = resolved(&changes, json!({"a": "1", "b": "2"}));
        assert_eq!((value_of(&container, "A"), value_of(&container, "P_b")), (Some("1"), Some("2")));
        assert_eq!(container["envFrom"], json!([null, {"configMapRef": {"name": "other"}}]));
        assert_eq!(container["env"][0], json!({"name": "ACCEPT_EULA", "value": "Y"}), "no entry moves");
    }

    #[test]
    fn a_mounted_configuration_file_is_read_like_variables() {
        let conf = "[network]\n tcpport = 1533\n# no\n[FileLocation]\ndefaultdatadir=/fast\nother = 1\n";
        let volume = |items: Value| json!({"name": "conf", "configMap": {"name": "conf", "items": items}});
        let projected = |items: Value| {
            let others = json!({"configMap": {"name": "others"}});
            let sources = json!([{"secret": {"name": "tls"}}, others, {"configMap": {"name": "conf", "items": items}}]);
            json!({"name": "conf", "projected": {"sources": sources}})
        };
        let mount = |path: &str, file: Value| json!({"name": "conf", "mountPath": path, "subPath": file});
        let renamed = json!([{"key": "settings", "path": "x"}]);
        for (mount, volume, key) in [
            (mount(CONF_FILE, json!("mssql.conf")), volume(json!(null)), "mssql.conf"),
            (mount(CONF_FILE, json!("x")), volume(renamed.clone()), "settings"),
            (mount("/var/opt/mssql/", json!(null)), volume(json!(null)), "mssql.conf"),
            (mount("/var/opt/mssql//mssql.conf/", json!("x")), volume(renamed.clone()), "settings"),
            (mount(CONF_FILE, json!("mssql.conf")), projected(json!(null)), "mssql.conf"),
            (mount(CONF_FILE, json!("x")), projected(renamed), "settings"),
        ] {
            let changes = [
                (&*format!("{CONTAINER}/volumeMounts/0/mountPath"), json!("/var/opt/mssql/data")),
                (&*format!("{CONTAINER}/volumeMounts/-"), mount.clone()),
                ("/spec/template/spec/volumes/-", volume.clone()),
                (&*format!("{CONTAINER}/env/-"), json!({"name": "MSSQL_DATA_DIR", "value": "/slow"})),
            ];
            let container = resolved(&changes, json!({key: conf}));
            assert_eq!(value_of(&container, "MSSQL_TCP_PORT"), Some("1533"), "{mount} {volume}");
            assert_eq!(value_of(&container, "MSSQL_DATA_DIR"), Some("/slow"), "`env` overrides the file");
            assert_eq!(container["volumeMounts"][1]["mountPath"], mount["mountPath"], "the directory is still mounted");
            assert_eq!(container["volumeMounts"][1][CONF_IS_READ], true);
        }
    }

    #[test]
    fn a_key_that_is_not_among_the_items_is_no_file() {
        let items = json!([{"key": "other", "path": "other"}]);
        let changes = [
            (&*format!("{CONTAINER}/volumeMounts/-"), json!({"name": "conf", "mountPath": "/var/opt/mssql"})),
            ("/spec/template/spec/volumes/-", json!({"name": "conf", "configMap": {"name": "conf", "items": items}})),
        ];
        let container = resolved(&changes, json!({"mssql.conf": "[network]\ntcpport = 1533\n"}));
        assert_eq!(value_of(&container, "MSSQL_TCP_PORT"), None);
        assert_eq!(container["volumeMounts"][1][CONF_IS_READ], true, "it is known that there is none");
    }

    #[test]
    fn a_rejected_license_and_a_missing_optional_key_are_unset() {
        let conf = |answer: &str| {
            let changes = [
                (&*format!("{CONTAINER}/volumeMounts/-"), json!({"name": "conf", "mountPath": "/var/opt/mssql"})),
                ("/spec/template/spec/volumes/-", json!({"name": "conf", "configMap": {"name": "conf"}})),
                (&*format!("{CONTAINER}/env"), json!([])),
            ];
            resolved(&changes, json!({"mssql.conf": format!("[EULA]\naccepteula = {answer}\n")}))
        };
        assert_eq!(value_of(&conf("Y"), "ACCEPT_EULA"), Some("Y"));
        assert_eq!(value_of(&conf("N"), "ACCEPT_EULA"), None);
        let reference = |optional: bool| {
            let source = json!({"configMapKeyRef": {"name": "conf", "key": "missing", "optional": optional}});
            let changes = [(&*format!("{CONTAINER}/env/0"), json!({"name": "MSSQL_DATA_DIR", "valueFrom": source}))];
            resolved(&changes, json!({}))["env"][0].clone()
        };
        assert_eq!(reference(true), Value::Null);
        assert_eq!(reference(false)["name"], "MSSQL_DATA_DIR");
    }

    #[test]
    fn a_container_that_takes_the_variables_of_a_config_map_may_be_marked_by_them() {
        let marked = |sources: Value| {
            let object =
                deployment(&[(&format!("{CONTAINER}/envFrom"), sources), (&format!("{CONTAINER}/env"), json!([]))]);
            let copy = with_marking_variables(&object, WorkloadKind::Deployment)?;
            let env = copy["spec"]["template"]["spec"]["containers"][0]["env"].as_array()?.clone();
            Some(env.iter().map(|entry| entry["name"].clone()).collect::<Vec<Value>>())
        };
        let names = vec![json!("ACCEPT_EULA"), json!("MSSQL_SA_PASSWORD")];
        assert_eq!(marked(json!([{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "c"}}])), Some(names));
        assert_eq!(marked(json!([{"secretRef": {"name": "s"}}])), None);
    }

    #[test]
    fn a_finding_about_a_variable_of_a_config_map_is_one_about_the_container() {
        let own = json!([{"name": "OWN", "value": "1"}]);
        let container = resolved(
            &[
                (&format!("{CONTAINER}/env"), own),
                (&format!("{CONTAINER}/envFrom"), json!([{"configMapRef": {"name": "conf"}}])),
            ],
            json!({"OTHER": "2"}),
        );
        let copy = json!({"spec": {"containers": [container]}});
        for (pointer, expected) in [
            ("/spec/containers/0/env/0/value", "/spec/containers/0/env/0/value"),
            ("/spec/containers/0/env/1/name", "/spec/containers/0"),
            ("/spec/containers/0/env", "/spec/containers/0/env"),
        ] {
            let mut shortened = pointer.to_owned();
            shorten_to_container(&mut shortened, &copy);
            assert_eq!(shortened, expected, "{pointer}");
        }
    }

    #[test]
    fn the_names_of_all_config_maps_are_known() {
        let sources = json!([{"configMapRef": {"name": "b"}}, {"secretRef": {"name": "s"}}]);
        let reference = json!({"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "a"}}});
        let object = deployment(&[
            (&format!("{CONTAINER}/envFrom"), sources),
            (&format!("{CONTAINER}/env/-"), reference),
            (&format!("{CONTAINER}/volumeMounts/-"), json!({"name": "conf", "mountPath": CONF_FILE})),
            (
                "/spec/template/spec/volumes/-",
                json!({"name": "conf", "projected": {"sources": [{"configMap": {"name": "c"}}, {"configMap": {"name": "d"}}]}}),
            ),
        ]);
        assert_eq!(config_map_names(&object, WorkloadKind::Deployment), ["a", "b", "c", "d"]);
    }
}
