//! What is left of a workload where only its relations to other objects are asked for.

use serde_json::Value;

use crate::kind::Kind;

/// What relations do not depend on, in a pod's `spec`.
const POD: [&str; 4] = ["securityContext", "tolerations", "topologySpreadConstraints", "volumes"];
/// The same in a container.
const CONTAINER: [&str; 10] = [
    "args",
    "command",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "resources",
    "securityContext",
    "startupProbe",
    "volumeDevices",
    "volumeMounts",
];

/// An object of `kind` without what no relational rule looks at ([`crate::rules::Rule::is_relational`]), neither in
/// the object that it judges nor in those that it finds around it. Whoever holds many objects until all are known can
/// hold these.
pub fn essence(mut object: Value, kind: Kind) -> Value {
    let template =
        kind.pod_template().and_then(|path| path.iter().try_fold(&mut object, |value, key| value.get_mut(key)));
    if let Some(pod) = template.and_then(|template| template.get_mut("spec")) {
        leave_out(pod, &POD);
        for list in ["containers", "initContainers"] {
            let containers = pod.get_mut(list).and_then(Value::as_array_mut);
            containers.into_iter().flatten().for_each(|container| leave_out(container, &CONTAINER));
        }
    }
    object
}

/// Leaves out members, and the room that they took.
fn leave_out(value: &mut Value, names: &[&str]) {
    if let Value::Object(members) = value {
        let left: Vec<(String, Value)> =
            std::mem::take(members).into_iter().filter(|(name, _)| !names.contains(&name.as_str())).collect();
        *members = left.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::Objects;
    use crate::rules::judge_relations;
    use crate::settings::Settings;
    use crate::subject::Subject;
    use crate::testing::{deployment, service, test};

    #[test]
    fn mounts_and_the_like_are_left_out() {
        let whole = json!({"kind": "Pod", "spec": {"volumes": [], "nodeSelector": {}, "containers": [
            {"name": "sql", "volumeMounts": [], "resources": {}, "ports": []}, "no container"]}});
        let left = json!({"kind": "Pod", "spec": {"nodeSelector": {}, "containers": [
            {"name": "sql", "ports": []}, "no container"]}});
        assert_eq!(essence(whole, Kind::Pod), left);
        assert_eq!(essence(json!({"spec": 5}), Kind::Pod), json!({"spec": 5}));
    }

    #[test]
    fn relations_are_the_same() {
        let settings = Settings::default();
        let changes = [
            ("/spec/template/spec/containers/0/ports", json!([{"containerPort": 5}])),
            ("/spec/template/spec/nodeSelector", json!({"kubernetes.io/os": "windows"})),
            ("/spec/template/metadata/labels", json!({"app": "other"})),
            ("/spec/template/spec/containers/0/env/0/name", json!("MSSQL_TCP_PORT")),
        ];
        for change in changes {
            let whole = deployment(&[change]);
            let left = essence(whole.clone(), Kind::Deployment);
            let service = service(&[("/spec/type", json!("ClusterIP"))]);
            let findings = |workload: &Value| {
                let world = Objects::closed([workload, &service]);
                [(workload, Kind::Deployment), (&service, Kind::Service)].map(|(object, kind)| {
                    Subject::read(object, kind, &settings, &world).map(|subject| judge_relations(&subject))
                })
            };
            assert_eq!(findings(&whole), findings(&left), "{whole}");
        }
    }
}
