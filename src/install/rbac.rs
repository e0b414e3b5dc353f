//! Permissions for look-ups: to read the module's `contextAwareResources`, and nothing else.

use serde_json::{Value, json};

use super::CommentedObject;
use super::module::ModuleMetadata;

/// A ServiceAccount.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The verbs to keep a cache of objects.
pub const WATCH_VERBS: &[&str] = &["list", "watch"];

/// The verbs of Kubewarden's policy server, which also gets single objects.
const GET_AND_WATCH_VERBS: &[&str] = &["get", "list", "watch"];

/// The rules of a role for the module's look-ups, one for each API group.
pub fn look_up_rules(module: &ModuleMetadata, verbs: &[&str]) -> Vec<Value> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for resource in module.looked_up() {
        match groups.iter_mut().find(|(group, _)| *group == resource.group) {
            Some((_, plurals)) => plurals.push(resource.plural),
            None => groups.push((resource.group, vec![resource.plural])),
        }
    }
    let rule =
        |(group, plurals): &(String, Vec<String>)| json!({"apiGroups": [group], "resources": plurals, "verbs": verbs});
    groups.iter().map(rule).collect()
}

/// A ClusterRole with these rules, and its ClusterRoleBinding for `account`.
pub fn cluster_role(name: &str, rules: &[Value], account: &ServiceAccount) -> [Value; 2] {
    let api_version = "rbac.authorization.k8s.io/v1";
    [
        json!({"apiVersion": api_version, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
        json!({"apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [subject(account)]}),
    ]
}

/// A ServiceAccount as the subject of a binding.
pub fn subject(account: &ServiceAccount) -> Value {
    json!({"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace})
}

/// The look-up permissions of Kubewarden's policy server, which runs as `account`.
pub fn policy_server(module: &ModuleMetadata, account: &ServiceAccount) -> Vec<CommentedObject> {
    let rules = look_up_rules(module, GET_AND_WATCH_VERBS);
    let [role, binding] = cluster_role("sqledge-ha-look-ups", &rules, account);
    vec![
        CommentedObject {
            comment: "\
Look-up permissions for the ServiceAccount of the policy server. The server watches the resources to keep its cache up to
date. Apply them before a policy whose setting `lookUps` names these kinds: the server never answers a policy that lists what
it may not list. Rules that need kinds which the setting does not name are not checked; the audit annotation `unchecked` says
so.",
            object: role,
        },
        CommentedObject {
            comment: "\
This is the ServiceAccount of the policy server `default` of Kubewarden's chart. For another policy server, see its
`spec.serviceAccountName`, and run `sqledge-ha policy access --service-account NAME`.",
            object: binding,
        },
    ]
}
