//! The module's entry points for a waPC host, and the host calls that answer look-ups.
//!
//! No entry point returns a guest error: the host would reject the request, whatever the failure policy says.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use kubewarden_policy_sdk::metadata::ProtocolVersion;
use kubewarden_policy_sdk::settings::SettingsValidationResponse;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use wapc_guest::{CallResult, host_call, register_function};

use super::host_error::read_error;
use super::review;
use super::verdict::Verdict;
use crate::json::parse::{parse_value, utf8};
use crate::kubernetes::kind::{Kind, WorkloadKind};
use crate::kubernetes::name_of;
use crate::kubernetes::resources::{LookUp, Resource};
use crate::rules::parse_settings;
use crate::settings::Settings;
use crate::view::Scope;
use crate::view::cluster::{Cluster, Lookup, Query};
use crate::view::unavailable::Unavailable;

/// The host calls this once, before anything else.
#[unsafe(no_mangle)]
extern "C" fn wapc_init() {
    register_function("validate", validate);
    register_function("validate_settings", validate_settings);
    register_function("protocol_version", protocol_version);
}

fn validate(payload: &[u8]) -> CallResult {
    answer(&response(review::validate_in(payload, HostCluster::new)), payload.len())
}

/// Kubewarden's validation response. That of its SDK keeps the annotations in a hash map, which takes 5 KB of the
/// module.
#[derive(Serialize)]
struct Response {
    accepted: bool,
    message: Option<String>,
    code: Option<u16>,
    mutated_object: Option<Value>,
    audit_annotations: Option<Map<String, Value>>,
    warnings: Option<Vec<String>>,
}

fn response(verdict: Verdict) -> Response {
    // Collecting them would sort them first, and add 7 KB to the module.
    let mut annotations = Map::new();
    for (key, value) in verdict.audit_annotations {
        annotations.insert(key.to_owned(), Value::String(value));
    }
    Response {
        accepted: verdict.allowed,
        message: verdict.message,
        code: verdict.code,
        mutated_object: verdict.mutated_object,
        audit_annotations: Some(annotations).filter(|annotations| !annotations.is_empty()),
        warnings: Some(verdict.warnings).filter(|warnings| !warnings.is_empty()),
    }
}

fn validate_settings(payload: &[u8]) -> CallResult {
    let parsed = utf8(payload, "the settings").and_then(|text| parse_value(text, "the settings"));
    let settings = parsed.map_err(|error| error.to_string()).and_then(|value| parse_settings(&value));
    let response = SettingsValidationResponse { valid: settings.is_ok(), message: settings.err() };
    answer(&response, 0)
}

fn protocol_version(_: &[u8]) -> CallResult {
    answer(&ProtocolVersion::V1, 0)
}

fn answer(response: &impl Serialize, length: usize) -> CallResult {
    Ok(written(response, length))
}

/// The JSON text of a plain struct, which always serializes; `length` is about the text's.
fn written(value: &impl Serialize, length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length);
    let _ = serde_json::to_writer(&mut text, value);
    text
}

/// The cluster as the host shows it during one request. Each resource is listed at most once, each object asked for
/// once, and none that the settings do not name: Kubewarden never answers a list that its ServiceAccount may not read.
struct HostCluster {
    look_ups: Vec<&'static Resource>,
    lists: Chain<(Kind, Result<Vec<Value>, Unavailable>)>,
    objects: Chain<LookedUpObject>,
}

/// The answer about one object.
struct LookedUpObject {
    kind: Kind,
    name: String,
    answer: Result<Option<Value>, Unavailable>,
}

/// A list that grows behind a shared reference, so that look-ups can return references.
struct Chain<T>(OnceCell<Box<(T, Chain<T>)>>);

impl<T> Default for Chain<T> {
    fn default() -> Self {
        Chain(OnceCell::new())
    }
}

impl<T> Chain<T> {
    fn push(&self, item: T) -> &T {
        let mut end = self;
        while let Some(link) = end.0.get() {
            end = &link.1;
        }
        &end.0.get_or_init(|| Box::new((item, Chain::default()))).0
    }

    fn find(&self, is_meant: impl Fn(&T) -> bool) -> Option<&T> {
        let mut end = self;
        while let Some(link) = end.0.get() {
            if is_meant(&link.0) {
                return Some(&link.0);
            }
            end = &link.1;
        }
        None
    }
}

impl HostCluster {
    fn new(settings: &Settings) -> Self {
        HostCluster { look_ups: settings.look_ups.clone(), lists: Chain::default(), objects: Chain::default() }
    }

    fn may_look_up(&self, resource: &Resource) -> Result<(), Unavailable> {
        let is_named = self.look_ups.iter().any(|named| named.kind == resource.kind);
        is_named.then_some(()).ok_or(Unavailable::NotInSetting)
    }

    /// The objects of a resource in a namespace. One request asks about one namespace only.
    fn list(&self, resource: &'static Resource, namespace: &str) -> Result<&[Value], Unavailable> {
        self.may_look_up(resource)?;
        let is_meant = |(kind, _): &(Kind, _)| *kind == resource.kind;
        let (_, objects) = match self.lists.find(is_meant) {
            Some(listed) => listed,
            None => self.lists.push((resource.kind, list(resource, namespace))),
        };
        objects.as_deref().map_err(|reason| *reason)
    }
}

impl Cluster for HostCluster {
    fn scope(&self) -> Scope {
        Scope::Request
    }

    fn find(&self, query: &Query<'_>) -> Lookup<Vec<&Value>> {
        let mut found = Vec::new();
        let mut is_listed = false;
        for resource in query.resources().filter(|resource| resource.look_up == LookUp::List) {
            is_listed = true;
            match self.list(resource, query.namespace()) {
                Ok(objects) => found.extend(objects),
                Err(Unavailable::NotInstalled) => {}
                Err(reason) => return Lookup::Unavailable(reason),
            }
        }
        if is_listed { Lookup::Known(found) } else { Lookup::Unavailable(Unavailable::NotSupported) }
    }

    fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Lookup<Option<&Value>> {
        if let Err(reason) = self.may_look_up(resource) {
            return Lookup::Unavailable(reason);
        }
        // Several rules ask for the same claim. One request asks about one namespace only.
        let is_meant = |known: &LookedUpObject| known.kind == resource.kind && known.name == name;
        let looked_up = self.objects.find(is_meant).unwrap_or_else(|| {
            let answer = get(resource, namespace, name);
            self.objects.push(LookedUpObject { kind: resource.kind, name: name.to_owned(), answer })
        });
        match &looked_up.answer {
            Ok(object) => Lookup::Known(object.as_ref()),
            Err(reason) => Lookup::Unavailable(*reason),
        }
    }

    fn can_list(&self, kind: WorkloadKind) -> bool {
        Kind::Workload(kind).resource().is_some_and(|resource| resource.look_up == LookUp::List)
    }
}

/// A list as the host reads it.
#[derive(Serialize)]
struct List<'q> {
    api_version: &'q str,
    kind: &'static str,
    namespace: Option<&'q str>,
    label_selector: (),
    field_selector: (),
    field_masks: FieldMasks,
}

/// The fields of a resource that rules read, in the same order every time: the host keeps a watch for each distinct
/// list.
struct FieldMasks(&'static Resource);

impl Serialize for FieldMasks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.looked_up_paths())
    }
}

/// A look-up of one object as the host reads it.
#[derive(Serialize)]
struct Get<'q> {
    api_version: &'q str,
    kind: &'static str,
    namespace: Option<&'q str>,
    name: &'q str,
    disable_cache: bool,
    field_masks: [&'static str; 0],
}

/// Lists a resource, sorted by name: the host's order changes.
fn list(resource: &'static Resource, namespace: &str) -> Result<Vec<Value>, Unavailable> {
    let api_version = resource.api_version();
    let answer = call(
        "list_resources_by_namespace",
        &List {
            api_version: &api_version,
            kind: resource.name,
            namespace: non_empty(namespace),
            label_selector: (),
            field_selector: (),
            field_masks: FieldMasks(resource),
        },
        resource,
    )?;
    let mut answer = answer.ok_or(Unavailable::Failed)?;
    let items = answer.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
    // Sorting in place would add 10 KB to the module.
    let mut by_name = BTreeMap::new();
    for mut item in items.unwrap_or_default() {
        set_type(&mut item, &api_version, resource.name);
        by_name.insert(name_of(&item).to_owned(), item);
    }
    Ok(by_name.into_values().collect())
}

/// One object; `None` if it does not exist.
fn get(resource: &Resource, namespace: &str, name: &str) -> Result<Option<Value>, Unavailable> {
    let api_version = resource.api_version();
    let query = Get {
        api_version: &api_version,
        kind: resource.name,
        namespace: non_empty(namespace),
        name,
        disable_cache: false,
        field_masks: [],
    };
    let mut object = call("get_resource", &query, resource)?;
    if let Some(object) = &mut object {
        set_type(object, &api_version, resource.name);
    }
    Ok(object)
}

/// The namespace of a look-up; `None` for cluster-scoped objects, which have none.
fn non_empty(namespace: &str) -> Option<&str> {
    Some(namespace).filter(|namespace| !namespace.is_empty())
}

/// Sets the type of an object, which lists leave out.
fn set_type(object: &mut Value, api_version: &str, kind: &str) {
    if let Some(members) = object.as_object_mut() {
        members.insert("apiVersion".to_owned(), Value::from(api_version));
        members.insert("kind".to_owned(), Value::from(kind));
    }
}

/// About the longest text of a look-up, in bytes.
const QUERY_LENGTH: usize = 2048;

/// Calls the host. The answer is `None` if there is no object of that name.
fn call(operation: &str, query: &impl Serialize, resource: &Resource) -> Result<Option<Value>, Unavailable> {
    let query = written(query, QUERY_LENGTH);
    let answer = match host_call("kubewarden", "kubernetes", operation, &query) {
        Ok(answer) => answer,
        Err(error) => {
            let error = error.to_string();
            return if error.contains("Cannot find") { Ok(None) } else { Err(read_error(&error, resource)) };
        }
    };
    let parsed = utf8(&answer, "the answer").and_then(|text| parse_value(text, "the answer"));
    parsed.map(Some).map_err(|_| Unavailable::UnreadableAnswer)
}
