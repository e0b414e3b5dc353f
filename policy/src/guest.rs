//! The module's entry points: what a waPC host calls, and the host calls that answer look-ups.
//!
//! Nothing here ever returns a guest error: that would deny a request whatever the failure policy says.

use std::borrow::Cow;
use std::cell::OnceCell;

use kubewarden_policy_sdk::metadata::ProtocolVersion;
use kubewarden_policy_sdk::response::ValidationResponse;
use kubewarden_policy_sdk::settings::SettingsValidationResponse;
use serde::Serialize;
use serde_json::{Map, Value};
use wapc_guest::{CallResult, host_call, register_function};

use crate::cluster::{Cluster, Lookup, Narrow, Resource};
use crate::kind::Kind;
use crate::request::{parse_value, utf8};
use crate::review;
use crate::settings::Settings;
use crate::verdict::Verdict;

/// Called by the host once, before anything else.
#[unsafe(no_mangle)]
extern "C" fn wapc_init() {
    register_function("validate", validate);
    register_function("validate_settings", validate_settings);
    register_function("protocol_version", protocol_version);
}

fn validate(payload: &[u8]) -> CallResult {
    answer(&response(review::validate(payload, &HostCluster::default())))
}

fn response(verdict: Verdict) -> ValidationResponse {
    let annotations = verdict.audit_annotations.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    ValidationResponse {
        accepted: verdict.accepted,
        message: verdict.message,
        code: verdict.code,
        mutated_object: verdict.mutated_object,
        audit_annotations: Some(annotations)
            .filter(|annotations: &std::collections::HashMap<_, _>| !annotations.is_empty()),
        warnings: Some(verdict.warnings).filter(|warnings| !warnings.is_empty()),
    }
}

fn validate_settings(payload: &[u8]) -> CallResult {
    let parsed = utf8(payload, "the settings").and_then(|text| parse_value(text, "the settings"));
    let outcome = parsed.map_err(|error| error.to_string()).and_then(|value| Settings::from_value(&value));
    let response = SettingsValidationResponse { valid: outcome.is_ok(), message: outcome.err() };
    answer(&response)
}

fn protocol_version(_: &[u8]) -> CallResult {
    answer(&ProtocolVersion::V1)
}

/// What is answered are plain structs, which always serialize.
fn answer(response: &impl Serialize) -> CallResult {
    Ok(serde_json::to_vec(response).unwrap_or_default())
}

/// A kind that can be listed, and the fields that rules look at. The masks are constant and sorted: the host keeps one
/// watch for each distinct set of them.
struct Listed {
    api_version: &'static str,
    kind: &'static str,
    masks: &'static [&'static str],
}

const SERVICE_MASKS: &[&str] = &["spec.clusterIP", "spec.ports", "spec.selector", "spec.type"];
const WORKLOAD_MASKS: &[&str] = &[
    "spec.template.metadata.labels",
    "spec.template.spec.containers",
    "spec.template.spec.initContainers",
    "spec.template.spec.nodeSelector",
    "spec.template.spec.os",
];
const SERVICES: &[Listed] = &[Listed { api_version: "v1", kind: "Service", masks: SERVICE_MASKS }];
const WORKLOADS: &[Listed] = &[
    Listed { api_version: "apps/v1", kind: "Deployment", masks: WORKLOAD_MASKS },
    Listed { api_version: "apps/v1", kind: "StatefulSet", masks: WORKLOAD_MASKS },
];

/// No object has this name: an underscore is never allowed in one.
const IMPOSSIBLE_NAME: &str = "sqledge-ha_probe";

/// The cluster as the policy server shows it, for the length of one request: each resource is listed at most once.
#[derive(Default)]
struct HostCluster {
    services: OnceCell<Result<Vec<Value>, String>>,
    workloads: OnceCell<Result<Vec<Value>, String>>,
}

impl Cluster for HostCluster {
    fn list(&self, resource: Resource, namespace: &str, _: Narrow<'_>) -> Lookup<Vec<Cow<'_, Value>>> {
        // A request looks into one namespace only: that of its object.
        let (cell, kinds) = match resource {
            Resource::Services => (&self.services, SERVICES),
            Resource::Workloads => (&self.workloads, WORKLOADS),
        };
        match cell.get_or_init(|| list_all(kinds, namespace)) {
            Ok(objects) => Lookup::Known(objects.iter().map(Cow::Borrowed).collect()),
            Err(why) => Lookup::Unknown(why.clone()),
        }
    }

    fn get(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Lookup<Option<Cow<'_, Value>>> {
        match get(api_version, kind, namespace, name) {
            Ok(None) => Lookup::Known(None),
            Ok(Some(mut object)) => {
                self::name(&mut object, api_version, kind);
                Lookup::Known(Some(Cow::Owned(object)))
            }
            Err(why) => Lookup::Unknown(why),
        }
    }

    fn shows(&self, workload: Kind) -> bool {
        WORKLOADS.iter().any(|listed| listed.kind == workload.name())
    }

    fn closed(&self) -> bool {
        false
    }
}

fn list_all(kinds: &[Listed], namespace: &str) -> Result<Vec<Value>, String> {
    let mut objects = Vec::new();
    for listed in kinds {
        objects.extend(list(listed, namespace)?);
    }
    Ok(objects)
}

/// Lists a kind, after making sure that the server's account may read it: a list that it may not make never answers,
/// while a `get` does.
fn list(listed: &Listed, namespace: &str) -> Result<Vec<Value>, String> {
    let Listed { api_version, kind, masks } = *listed;
    get(api_version, kind, namespace, IMPOSSIBLE_NAME)?;
    let more = [
        ("label_selector", Value::Null),
        ("field_selector", Value::Null),
        ("field_masks", masks.iter().copied().map(Value::from).collect()),
    ];
    let mut answer = call("list_resources_by_namespace", api_version, kind, namespace, more)?;
    let items = answer.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
    let mut items = items.unwrap_or_default();
    // Lists leave out what every item is.
    items.iter_mut().for_each(|item| name(item, api_version, kind));
    Ok(items)
}

/// One object; `None` if it does not exist.
fn get(api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Option<Value>, String> {
    let more =
        [("name", Value::from(name)), ("disable_cache", Value::Bool(false)), ("field_masks", Value::Array(Vec::new()))];
    match call("get_resource", api_version, kind, namespace, more) {
        Ok(object) => Ok(Some(object)),
        Err(why) if why == NOT_FOUND => Ok(None),
        Err(why) => Err(format!("{kind}: {why}")),
    }
}

/// Writes into an object what it is.
fn name(object: &mut Value, api_version: &str, kind: &str) {
    if let Some(members) = object.as_object_mut() {
        members.insert("apiVersion".to_owned(), Value::from(api_version));
        members.insert("kind".to_owned(), Value::from(kind));
    }
}

const NOT_FOUND: &str = "does not exist";

/// Asks the host. Its errors can carry a whole stack trace and are reduced to a few words.
fn call(
    operation: &str,
    api_version: &str,
    kind: &str,
    namespace: &str,
    more: [(&str, Value); 3],
) -> Result<Value, String> {
    let mut request = Map::new();
    for (key, value) in [("api_version", api_version), ("kind", kind), ("namespace", namespace)] {
        request.insert(key.to_owned(), Value::from(value));
    }
    for (key, value) in more {
        request.insert(key.to_owned(), value);
    }
    let request = serde_json::to_vec(&Value::Object(request)).unwrap_or_default();
    let answer =
        host_call("kubewarden", "kubernetes", operation, &request).map_err(|error| reason(&error.to_string()))?;
    utf8(&answer, "the answer").and_then(|text| parse_value(text, "the answer")).map_err(|error| error.to_string())
}

fn reason(error: &str) -> &'static str {
    let known = [
        ("Cannot find", NOT_FOUND),
        ("is forbidden", "the policy server's account may not read it"),
        ("has not been granted access", "the policy was not granted access"),
        ("404", "the kind is not installed"),
        ("too much for the module", "there is too much to look through"),
    ];
    known.iter().find(|(text, _)| error.contains(text)).map_or("the look-up failed", |(_, reason)| reason)
}
