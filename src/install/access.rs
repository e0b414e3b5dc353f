//! The rights that look-ups need: to read what stands in the module's `contextAwareResources`, and nothing else.

use serde_json::{Value, json};

use super::Manifest;
use super::module::Module;

/// The service account that something runs as.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What keeps an object in view: what is listed once, and watched from then on.
pub const IN_VIEW: &[&str] = &["list", "watch"];

/// What Kubewarden's policy server does: it also gets single objects.
const IN_VIEW_AND_SINGLE: &[&str] = &["get", "list", "watch"];

/// The rules of a role that allows the module's look-ups by these verbs: one for each API group.
pub fn look_ups(module: &Module, verbs: &[&str]) -> Vec<Value> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for kind in module.looked_up() {
        match groups.iter_mut().find(|(group, _)| *group == kind.group) {
            Some((_, plurals)) => plurals.push(kind.plural),
            None => groups.push((kind.group, vec![kind.plural])),
        }
    }
    let rule =
        |(group, plurals): &(String, Vec<String>)| json!({"apiGroups": [group], "resources": plurals, "verbs": verbs});
    groups.iter().map(rule).collect()
}

/// A ClusterRole called `name` with these rules, and what binds it to `account`.
pub fn cluster_role(name: &str, rules: &[Value], account: &Account) -> [Value; 2] {
    let api_version = "rbac.authorization.k8s.io/v1";
    [
        json!({"apiVersion": api_version, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
        json!({"apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [subject(account)]}),
    ]
}

/// A service account, as bindings name it.
pub fn subject(account: &Account) -> Value {
    json!({"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace})
}

/// What allows Kubewarden's policy server, running as `account`, the look-ups.
pub fn policy_server(module: &Module, account: &Account) -> Vec<Manifest> {
    let [role, binding] = cluster_role("sqledge-ha-look-ups", &look_ups(module, IN_VIEW_AND_SINGLE), account);
    vec![
        Manifest {
            comment: "\
What the policies look up, for the account of the policy server that runs them. Watching is part of it: the server
keeps what it has listed up to date. Without these rights nothing breaks: the rules that need a look stay silent, and
an audit annotation says so.",
            object: role,
        },
        Manifest {
            comment: "\
The account is that of the policy server `default` as Kubewarden's chart installs it. Another policy server runs as what
its `spec.serviceAccountName` says; `sqledge-ha policy access --service-account NAME` prints this for it.",
            object: binding,
        },
    ]
}
