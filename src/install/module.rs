//! The metadata of the embedded module: which resources it checks and looks up.

use serde_json::Value;
use sqledge_ha_policy::kubernetes::resources::Resource;

use super::requests::Requests;
use crate::wasm_host::{EMBEDDED, known_resource, metadata};

/// The metadata of the embedded module.
#[derive(Clone, Debug)]
pub struct ModuleMetadata {
    metadata: Value,
}

/// A resource that the module looks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedUp {
    /// Its API group, empty for the core group.
    pub group: String,
    /// Its plural name.
    pub plural: String,
}

/// The resources that a namespaced policy can name, by API group. Kubewarden 1.38 and later reject a policy that names
/// others. This is the default of `namespacedPoliciesAllowedResources` in Kubewarden's chart
/// (kubewarden/adm-controller, charts/admission-controller/values.yaml). Source:
/// <https://docs.kubewarden.io/admission-controller/1.38/en/howtos/security-hardening/security-hardening.html>
pub const NAMESPACED: [(&str, &[&str]); 5] = [
    ("", &["pods", "replicationcontrollers", "configmaps", "secrets", "services", "persistentvolumeclaims"]),
    ("apps", &["deployments", "statefulsets", "replicasets", "daemonsets"]),
    ("batch", &["jobs", "cronjobs"]),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("policy", &["poddisruptionbudgets"]),
];

impl ModuleMetadata {
    /// Reads the metadata of the embedded module.
    ///
    /// # Errors
    /// [`metadata::Error`] only for a bug of the build.
    pub fn embedded() -> Result<Self, metadata::Error> {
        Ok(ModuleMetadata { metadata: metadata::read(EMBEDDED)? })
    }

    /// The admission rules: the operations and resources to check.
    pub fn rules(&self) -> Vec<Value> {
        self.list("rules")
    }

    /// The admission rules for some of the requests.
    pub fn rules_for(&self, requests: Requests) -> Vec<Value> {
        self.rules_with(|groups, resource| requests.include(groups, resource))
    }

    /// The admission rules for some of the requests, and only for resources that every cluster has.
    pub fn built_in_rules_for(&self, requests: Requests) -> Vec<Value> {
        self.rules_for(requests).into_iter().filter(is_built_in).collect()
    }

    /// The admission rules for some of the requests, and only for resources that not every cluster has.
    pub fn custom_rules_for(&self, requests: Requests) -> Vec<Value> {
        self.rules_for(requests).into_iter().filter(|rule| !is_built_in(rule)).collect()
    }

    /// The admission rules of a namespaced policy: resources that it can name ([`NAMESPACED`]) and check without
    /// look-ups. These are workloads: Services and scale requests need look-ups of workloads.
    pub fn namespaced_rules(&self) -> Vec<Value> {
        let may_name = |group: &Value, resource: &str| {
            let allowed = NAMESPACED.iter().find(|(known, _)| group == known);
            allowed.is_some_and(|(_, resources)| resources.contains(&resource))
        };
        self.rules_with(|groups, resource| {
            Requests::Workloads.include(groups, resource) && groups.iter().all(|group| may_name(group, resource))
        })
    }

    /// The admission rules with only the resources that are kept, and without rules that then have none.
    fn rules_with(&self, is_kept: impl Fn(&[Value], &str) -> bool) -> Vec<Value> {
        let mut rules = self.rules();
        for rule in &mut rules {
            let groups = texts(rule, "apiGroups");
            if let Some(resources) = rule.get_mut("resources").and_then(Value::as_array_mut) {
                resources.retain(|resource| is_kept(&groups, resource.as_str().unwrap_or_default()));
            }
        }
        rules.retain(|rule| !texts(rule, "resources").is_empty());
        rules
    }

    /// Whether the module can mutate objects.
    pub fn is_mutating(&self) -> bool {
        self.metadata.get("mutating").and_then(Value::as_bool).unwrap_or_default()
    }

    /// `contextAwareResources` in Kubewarden's form.
    pub fn context_aware_resources(&self) -> Vec<Value> {
        self.list("contextAwareResources")
    }

    /// The resources that the module looks up.
    pub fn looked_up(&self) -> Vec<LookedUp> {
        let resources = self.context_aware_resources();
        // A test makes sure that the table of resources has them all.
        let row = |resource: &Value| known_resource(text(resource, "apiVersion"), text(resource, "kind"));
        let looked_up = |row: &Resource| LookedUp { group: row.group.to_owned(), plural: row.plural.to_owned() };
        resources.iter().filter_map(row).map(looked_up).collect()
    }

    /// An annotation of the module, or an empty string.
    pub fn annotation(&self, name: &str) -> &str {
        self.metadata.get("annotations").and_then(|all| all.get(name)).and_then(Value::as_str).unwrap_or_default()
    }

    /// The reference of the published module, in Kubewarden's form.
    pub fn published_at(&self) -> String {
        let (repository, version) = ("io.kubewarden.policy.ociUrl", "io.kubewarden.policy.version");
        format!("registry://{}:v{}", self.annotation(repository), self.annotation(version))
    }

    fn list(&self, name: &str) -> Vec<Value> {
        texts(&self.metadata, name)
    }
}

/// Whether every cluster has the resources of an admission rule.
fn is_built_in(rule: &Value) -> bool {
    texts(rule, "apiGroups").iter().all(|group| group.as_str().is_some_and(|group| !group.contains('.')))
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn texts(value: &Value, key: &str) -> Vec<Value> {
    value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::kubernetes::resources::RESOURCES;

    use super::*;

    fn resources(rules: &[Value]) -> Vec<String> {
        rules.iter().flat_map(|rule| texts(rule, "resources")).map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn built_in_rules_have_no_custom_resources() {
        let rules = resources(&ModuleMetadata::embedded().unwrap().built_in_rules_for(Requests::All));
        assert!(rules.contains(&"deployments/scale".to_owned()) && rules.contains(&"services".to_owned()), "{rules:?}");
        assert!(!rules.contains(&"rollouts".to_owned()), "{rules:?}");
    }

    #[test]
    fn each_resource_but_rollouts_is_in_one_kind_of_requests() {
        let module = ModuleMetadata::embedded().unwrap();
        let [workloads, services, scale, related] =
            Requests::SEPARATE.map(|requests| resources(&module.rules_for(requests)));
        assert_eq!(services, ["services"]);
        assert!(scale.contains(&"deployments/scale".to_owned()) && scale.iter().all(|name| name.contains('/')));
        assert!(workloads.contains(&"deployments".to_owned()) && !workloads.iter().any(|name| name.contains('/')));
        assert!(related.contains(&"persistentvolumeclaims".to_owned()), "{related:?}");
        let all = [workloads.len(), services.len(), scale.len(), related.len()];
        assert!(workloads.contains(&"rollouts".to_owned()) && related.contains(&"rollouts".to_owned()), "{related:?}");
        assert_eq!(all.iter().sum::<usize>(), resources(&module.rules()).len() + 1);
        // A Service of Knative is a workload.
        assert!(workloads.contains(&"services".to_owned()));
        assert_eq!(module.rules_for(Requests::All), module.rules());
    }

    #[test]
    fn a_namespaced_policy_names_allowed_workloads_only() {
        let rules = ModuleMetadata::embedded().unwrap().namespaced_rules();
        for row in RESOURCES.iter().filter(|row| row.kind.is_checked()) {
            let in_group: Vec<_> =
                rules.iter().filter(|rule| texts(rule, "apiGroups").contains(&row.group.into())).cloned().collect();
            let allowed = NAMESPACED.iter().find(|(group, _)| *group == row.group);
            let is_allowed = allowed.is_some_and(|(_, resources)| resources.contains(&row.plural));
            let is_named = resources(&in_group).contains(&row.plural.to_owned());
            assert_eq!(is_named, row.kind.workload().is_some() && is_allowed, "{} {}", row.group, row.plural);
        }
        assert!(!resources(&rules).iter().any(|name| name.ends_with("/scale")), "{rules:?}");
    }

    #[test]
    fn looked_up_resources_have_the_names_in_the_table() {
        let found: Vec<_> =
            ModuleMetadata::embedded().unwrap().looked_up().into_iter().map(|kind| (kind.group, kind.plural)).collect();
        let expected = RESOURCES.iter().filter(|row| row.look_up.at_admission());
        let expected: Vec<_> = expected.map(|row| (row.group.to_owned(), row.plural.to_owned())).collect();
        assert_eq!(found.len(), expected.len());
        assert!(expected.iter().all(|row| found.contains(row)), "{found:?}");
    }
}
