//! How the module's calls to its host are answered: as Kubewarden's policy server does (`runtimes/callback.rs` and
//! `callback_handler/kubernetes` of its policy evaluator), error texts included, because the module reads them.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::grants::Grants;
use super::mask::Mask;
use super::room::Room;
use super::world::{Get, List, World};

/// Answers the calls of one instance.
pub(super) struct Callback {
    pub(super) grants: Arc<Grants>,
    pub(super) world: Arc<dyn World>,
    pub(super) room: Room,
}

/// A list as the API server writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'q> {
    api_version: &'q str,
    kind: String,
    metadata: Map<String, Value>,
    items: Vec<Box<RawValue>>,
}

impl Callback {
    /// Answers one call: JSON in, JSON out.
    ///
    /// # Errors
    /// The text that the module gets to see.
    pub(super) fn answer(
        &self,
        binding: &str,
        namespace: &str,
        operation: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, String> {
        match (binding, namespace, operation) {
            ("kubewarden", "tracing", "log") => return Ok(Vec::new()),
            ("kubewarden", "kubernetes", _) => {}
            ("kubewarden", ..) => return Err(format!("unknown namespace: {namespace}")),
            _ => return Err(format!("unknown binding: {binding}")),
        }
        self.grants.capability(namespace, operation)?;
        match operation {
            "get_resource" => self.get(&parse(payload)?),
            "list_resources_by_namespace" => self.list(&parse(payload)?),
            _ => Err(format!("unknown operation: {operation}")),
        }
    }

    fn get(&self, query: &Get) -> Result<Vec<u8>, String> {
        let Get { api_version, kind, name, namespace, field_masks, .. } = query;
        self.grants.kind(api_version, kind)?;
        if namespace.is_none() {
            // Every kind that the module may look up lives in a namespace.
            return Err(failure(&format!(
                "Resource {api_version}/{kind} is namespaced, but no namespace was provided"
            )));
        }
        let found = self.world.get(query).map_err(|why| failure(&why))?;
        let mut object = found.map(Cow::into_owned).ok_or_else(|| {
            failure(&format!("Cannot find {api_version}/{kind} named '{name}' inside of namespace '{namespace:?}'"))
        })?;
        if !field_masks.is_empty() {
            // What it is and its metadata are never pruned.
            mask(field_masks, &["apiVersion", "kind", "metadata"]).prune(&mut object);
        }
        let text = write(&object)?;
        let mut room = self.room;
        room.take(&text).map_err(|why| failure(&why))?;
        Ok(text.into_bytes())
    }

    fn list(&self, query: &List) -> Result<Vec<u8>, String> {
        let List { api_version, kind, field_masks, .. } = query;
        self.grants.kind(api_version, kind)?;
        let mask = mask(field_masks, &[]);
        let mut room = self.room;
        let mut items = Vec::new();
        for object in self.world.list(query).map_err(|why| failure(&why))? {
            let mut item = object.map_err(|why| failure(&why))?.into_owned();
            mask.prune_item(&mut item);
            let item = to_raw_value(&item).map_err(|error| error.to_string())?;
            room.take(item.get()).map_err(|why| failure(&why))?;
            items.push(item);
        }
        let kind = format!("{kind}List");
        Ok(write(&Listed { api_version, kind, metadata: Map::new(), items })?.into_bytes())
    }
}

fn parse<'p, T: serde::Deserialize<'p>>(payload: &'p [u8]) -> Result<T, String> {
    serde_json::from_slice(payload).map_err(|error| error.to_string())
}

fn write(answer: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(answer).map_err(|error| error.to_string())
}

fn failure(why: &str) -> String {
    format!("Callback evaluation failure: {why}")
}

fn mask(paths: &[String], always: &[&str]) -> Mask {
    Mask::new(paths.iter().map(String::as_str).chain(always.iter().copied()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::module::ObjectSet;

    fn ask(namespace: &str, operation: &str, query: &Value) -> Result<Value, String> {
        ask_within(Room::UNBOUNDED, namespace, operation, query)
    }

    fn ask_within(room: Room, namespace: &str, operation: &str, query: &Value) -> Result<Value, String> {
        let metadata = json!({
            "hostCapabilities": ["kubernetes/get_resource", "kubernetes/list*"],
            "contextAwareResources": [{"apiVersion": "v1", "kind": "Service"}],
        });
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql", "namespace": "db"},
            "spec": {"type": "ClusterIP", "selector": {"app": "sql"}}});
        let grants = Arc::new(Grants::from_metadata(&metadata).unwrap());
        let callback = Callback { grants, world: Arc::new(ObjectSet(vec![service])), room };
        let answer = callback.answer("kubewarden", namespace, operation, query.to_string().as_bytes())?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    fn get(kind: &str, name: &str, namespace: Option<&str>) -> Result<Value, String> {
        let query = json!({"api_version": "v1", "kind": kind, "name": name, "namespace": namespace,
            "disable_cache": false, "field_masks": ["spec.type"]});
        ask("kubernetes", "get_resource", &query)
    }

    #[test]
    fn what_exists_is_shown_pruned() {
        let found = get("Service", "sql", Some("db")).unwrap();
        assert_eq!(
            found,
            json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "sql", "namespace": "db"}, "spec": {"type": "ClusterIP"}})
        );
        let query = json!({"api_version": "v1", "kind": "Service", "namespace": "db", "label_selector": null,
            "field_selector": null, "field_masks": ["spec.selector"]});
        let listed = ask("kubernetes", "list_resources_by_namespace", &query).unwrap();
        assert_eq!(
            listed,
            json!({"apiVersion": "v1", "kind": "ServiceList", "metadata": {}, "items": [
            {"metadata": {"name": "sql", "namespace": "db"}, "spec": {"selector": {"app": "sql"}}}]})
        );
    }

    #[test]
    fn what_does_not_fit_into_the_module_is_an_error() {
        let query = json!({"api_version": "v1", "kind": "Service", "name": "sql", "namespace": "db"});
        for operation in ["get_resource", "list_resources_by_namespace"] {
            let ask = |memory| ask_within(Room::within(memory), "kubernetes", operation, &query);
            assert!(ask(64 << 10).is_ok());
            assert_eq!(ask(1 << 10).unwrap_err(), failure("this is too much for the module's memory"));
        }
    }

    #[test]
    fn what_is_refused_is_refused_in_the_words_of_the_policy_server() {
        let cases = [
            (
                get("Service", "x", Some("db")),
                "Callback evaluation failure: \
              Cannot find v1/Service named 'x' inside of namespace 'Some(\"db\")'",
            ),
            (
                get("Service", "x", None),
                "Callback evaluation failure: \
              Resource v1/Service is namespaced, but no namespace was provided",
            ),
            (
                get("Secret", "x", Some("db")),
                "Policy has not been granted access to Kubernetes v1/Secret resources. \
              The violation has been reported.",
            ),
            (
                ask("kubernetes", "can_i", &json!({})),
                "Policy has not been granted access to the 'kubernetes/can_i' \
              host capability. The violation has been reported.",
            ),
            (ask("oci", "v1/verify", &json!({})), "unknown namespace: oci"),
        ];
        for (answer, expected) in cases {
            assert_eq!(answer.unwrap_err(), expected);
        }
    }
}
