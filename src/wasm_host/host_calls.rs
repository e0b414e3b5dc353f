//! Answers the module's calls to its host as Kubewarden's policy server does (`runtimes/callback.rs` and
//! `callback_handler/kubernetes` of its policy evaluator). The error messages are the same too, because the module
//! reads them.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use sqledge_ha_policy::json::field_mask::FieldMask;

use super::known_resource;
use super::list_item::prune_item;
use super::lookup::{Get, List, LookupSource};
use super::memory_budget::MemoryBudget;
use super::permissions::ModulePermissions;

/// Answers the calls of one instance.
pub(super) struct HostCalls {
    pub(super) permissions: Arc<ModulePermissions>,
    pub(super) lookups: Arc<dyn LookupSource>,
    pub(super) budget: MemoryBudget,
}

impl HostCalls {
    /// Answers one call. Payload and answer are JSON.
    ///
    /// # Errors
    /// The message that the module receives.
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
        self.permissions.check_capability(namespace, operation)?;
        match operation {
            "get_resource" => self.get(&parse(payload)?),
            "list_resources_by_namespace" => self.list(&parse(payload)?),
            _ => Err(format!("unknown operation: {operation}")),
        }
    }

    fn get(&self, query: &Get) -> Result<Vec<u8>, String> {
        let Get { api_version, kind, name, namespace, field_masks, .. } = query;
        self.permissions.check_kind(api_version, kind)?;
        if namespace.is_none() && known_resource(api_version, kind).is_some_and(|resource| resource.is_namespaced) {
            return Err(failure(&format!(
                "Resource {api_version}/{kind} is namespaced, but no namespace was provided"
            )));
        }
        let found = self.lookups.get(query).map_err(|reason| failure(&reason))?;
        let mut object = found.map(Cow::into_owned).ok_or_else(|| {
            failure(&format!("Cannot find {api_version}/{kind} named '{name}' inside of namespace '{namespace:?}'"))
        })?;
        if !field_masks.is_empty() {
            mask(field_masks, &["apiVersion", "kind", "metadata"]).prune(&mut object);
        }
        let text = write(&object)?;
        let mut budget = self.budget;
        budget.spend(&text).map_err(|reason| failure(&reason))?;
        Ok(text.into_bytes())
    }

    /// A list in the format of the API server.
    fn list(&self, query: &List) -> Result<Vec<u8>, String> {
        let List { api_version, kind, .. } = query;
        self.permissions.check_kind(api_version, kind)?;
        let mut budget = self.budget;
        let mut answer = format!(
            r#"{{"apiVersion":{},"kind":{},"metadata":{{}},"items":["#,
            write(api_version)?,
            write(&format!("{kind}List"))?
        );
        let mut separator = "";
        let mut add = |item: &str| {
            budget.spend(item)?;
            answer.push_str(separator);
            answer.push_str(item);
            separator = ",";
            Ok(())
        };
        self.for_each_item(query, &mut add).map_err(|reason| failure(&reason))?;
        answer.push_str("]}");
        Ok(answer.into_bytes())
    }

    /// The pruned objects of a list, as JSON text.
    fn for_each_item(&self, query: &List, add: &mut dyn FnMut(&str) -> Result<(), String>) -> Result<(), String> {
        if let Some(items) = self.lookups.pruned_list(query) {
            return items?.iter().try_for_each(|item| add(item));
        }
        let objects = self.lookups.list(query)?;
        let mask = mask(&query.field_masks, &[]);
        for object in objects {
            let mut item = object?.into_owned();
            prune_item(&mask, &mut item);
            add(&write(&item)?)?;
        }
        Ok(())
    }
}

fn parse<'p, T: serde::Deserialize<'p>>(payload: &'p [u8]) -> Result<T, String> {
    serde_json::from_slice(payload).map_err(|error| error.to_string())
}

fn write(answer: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(answer).map_err(|error| error.to_string())
}

fn failure(reason: &str) -> String {
    format!("Callback evaluation failure: {reason}")
}

fn mask(paths: &[String], always: &[&str]) -> FieldMask {
    FieldMask::new(paths.iter().map(String::as_str).chain(always.iter().copied()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::wasm_host::ObjectSet;

    fn call(namespace: &str, operation: &str, query: &Value) -> Result<Value, String> {
        call_within(MemoryBudget::UNBOUNDED, namespace, operation, query)
    }

    fn call_within(budget: MemoryBudget, namespace: &str, operation: &str, query: &Value) -> Result<Value, String> {
        let metadata = json!({
            "hostCapabilities": ["kubernetes/get_resource", "kubernetes/list*"],
            "contextAwareResources": [
                {"apiVersion": "v1", "kind": "Service"}, {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass"}],
        });
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql", "namespace": "db"},
            "spec": {"type": "ClusterIP", "selector": {"app": "sql"}}});
        let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}});
        let permissions = Arc::new(ModulePermissions::from_metadata(&metadata).unwrap());
        let calls = HostCalls { permissions, lookups: Arc::new(ObjectSet(vec![service, class])), budget };
        let answer = calls.answer("kubewarden", namespace, operation, query.to_string().as_bytes())?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    fn get(kind: &str, name: &str, namespace: Option<&str>) -> Result<Value, String> {
        let query = json!({"api_version": "v1", "kind": kind, "name": name, "namespace": namespace,
            "disable_cache": false, "field_masks": ["spec.type"]});
        call("kubernetes", "get_resource", &query)
    }

    #[test]
    fn get_and_list_return_pruned_objects() {
        let found = get("Service", "sql", Some("db")).unwrap();
        assert_eq!(
            found,
            json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "sql", "namespace": "db"}, "spec": {"type": "ClusterIP"}})
        );
        let query = json!({"api_version": "v1", "kind": "Service", "namespace": "db", "label_selector": null,
            "field_selector": null, "field_masks": ["spec.selector"]});
        let listed = call("kubernetes", "list_resources_by_namespace", &query).unwrap();
        assert_eq!(
            listed,
            json!({"apiVersion": "v1", "kind": "ServiceList", "metadata": {}, "items": [
            {"metadata": {"name": "sql", "namespace": "db"}, "spec": {"selector": {"app": "sql"}}}]})
        );
    }

    #[test]
    fn cluster_scoped_objects_have_no_namespace() {
        let query = json!({"api_version": "storage.k8s.io/v1", "kind": "StorageClass", "name": "fast",
            "namespace": null, "disable_cache": false, "field_masks": []});
        assert_eq!(call("kubernetes", "get_resource", &query).unwrap()["metadata"], json!({"name": "fast"}));
        let listed = call("kubernetes", "list_resources_by_namespace", &query).unwrap();
        assert_eq!(listed["items"], json!([{"metadata": {"name": "fast"}}]));
    }

    #[test]
    fn an_answer_that_does_not_fit_into_the_module_is_an_error() {
        let query = json!({"api_version": "v1", "kind": "Service", "name": "sql", "namespace": "db"});
        for operation in ["get_resource", "list_resources_by_namespace"] {
            let call = |memory| call_within(MemoryBudget::new(memory), "kubernetes", operation, &query);
            assert!(call(64 << 10).is_ok());
            assert_eq!(call(1 << 10).unwrap_err(), failure("the answer is too much for the module's memory"));
        }
    }

    #[test]
    fn errors_are_those_of_the_policy_server() {
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
                call("kubernetes", "can_i", &json!({})),
                "Policy has not been granted access to the 'kubernetes/can_i' \
              host capability. The violation has been reported.",
            ),
            (call("oci", "v1/verify", &json!({})), "unknown namespace: oci"),
        ];
        for (answer, expected) in cases {
            assert_eq!(answer.unwrap_err(), expected);
        }
    }
}
