//! What is left of a workload where only its relations to other objects are asked for.

use serde_json::Value;

use crate::engine::{LICENCE_VARIABLE, detect};
use crate::kind::Kind;
use crate::node::Node;
use crate::settings::Settings;

/// What relations do not depend on, in the `spec` of what makes pods.
const CONTROLLER: [&str; 4] = ["selector", "strategy", "updateStrategy", "volumeClaimTemplates"];
/// The same in a pod's `spec`.
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

/// Variables by which an engine is known: that they are there is enough.
const TELLING: [&str; 3] = [LICENCE_VARIABLE, "MSSQL_SA_PASSWORD", "SA_PASSWORD"];
/// Variables on whose values relations depend.
const DECIDING: [&str; 2] = ["MSSQL_TCP_PORT", "MSSQL_ENABLE_HADR"];

/// An object of `kind` without what no relational rule looks at ([`crate::rules::Rule::is_relational`]), neither in
/// the object that it judges nor in those that it finds around it. Whoever holds many objects until all are known can
/// hold these.
pub fn essence(mut object: Value, kind: Kind) -> Value {
    let Some(path) = kind.pod_template() else { return object };
    if !path.is_empty() {
        // The labels of a Pod itself are what Services select.
        object.get_mut("metadata").into_iter().for_each(|metadata| leave_out(metadata, &["labels"]));
        object.get_mut("spec").into_iter().for_each(|spec| leave_out(spec, &CONTROLLER));
    }
    let template = path.iter().try_fold(&mut object, |value, key| value.get_mut(key));
    if let Some(pod) = template.and_then(|template| template.get_mut("spec")) {
        leave_out(pod, &POD);
        for list in ["containers", "initContainers"] {
            let containers = pod.get_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                leave_out(container, &CONTAINER);
                let is_known = is_known_by_image(container);
                let variables = container.get_mut("env").and_then(Value::as_array_mut);
                variables.into_iter().for_each(|variables| leave_out_variables(variables, is_known));
            }
        }
    }
    object
}

/// Whether the image tells the engine, whatever the settings are: then no variable has to.
fn is_known_by_image(container: &Value) -> bool {
    let detection = detect(&Node::root(container), Kind::Pod, &Settings::default());
    detection.is_some_and(|detection| detection.by_image)
}

/// Leaves out variables, unless some are made of others. `is_known`: no variable has to tell what runs.
fn leave_out_variables(variables: &mut Vec<Value>, is_known: bool) {
    let is_composed = |variable: &Value| variable["value"].as_str().is_some_and(|value| value.contains("$("));
    if variables.iter().any(is_composed) {
        return;
    }
    let is_among =
        |variable: &Value, names: &[&str]| variable["name"].as_str().is_some_and(|name| names.contains(&name));
    variables.retain(|variable| !is_known && is_among(variable, &TELLING) || is_among(variable, &DECIDING));
    variables.iter_mut().filter(|variable| is_among(variable, &TELLING)).for_each(|variable| {
        leave_out(variable, &["value", "valueFrom"]);
    });
    variables.shrink_to_fit();
}

/// Leaves out members, and the room that they took.
fn leave_out(value: &mut Value, names: &[&str]) {
    if let Value::Object(members) = value
        && members.keys().any(|name| names.contains(&name.as_str()))
    {
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
    use crate::subject::Subject;
    use crate::testing::{deployment, service, test};

    #[test]
    fn mounts_and_the_like_are_left_out() {
        let whole = json!({"kind": "Pod", "metadata": {"labels": {}}, "spec": {"volumes": [], "nodeSelector": {},
            "containers": [{"name": "sql", "volumeMounts": [], "resources": {}, "ports": []}, "no container"]}});
        let left = json!({"kind": "Pod", "metadata": {"labels": {}}, "spec": {"nodeSelector": {}, "containers": [
            {"name": "sql", "ports": []}, "no container"]}});
        assert_eq!(essence(whole, Kind::Pod), left);
        assert_eq!(essence(json!({"spec": 5}), Kind::Pod), json!({"spec": 5}));
    }

    #[test]
    fn of_variables_those_are_left_that_say_what_runs_and_where_it_listens() {
        let left = |variables: Value| {
            let pod = json!({"spec": {"containers": [{"env": variables}]}});
            essence(pod, Kind::Pod)["spec"]["containers"][0]["env"].clone()
        };
        let secret = json!({"name": "SA_PASSWORD", "valueFrom": {"secretKeyRef": {}}});
        let port = json!({"name": "MSSQL_TCP_PORT", "valueFrom": {"configMapKeyRef": {}}});
        assert_eq!(
            left(json!([{"name": "ACCEPT_EULA", "value": "Y"}, {"name": "TZ", "value": "UTC"}, secret, port, 5])),
            json!([{"name": "ACCEPT_EULA"}, {"name": "SA_PASSWORD"}, port])
        );
        let known = json!({"spec": {"containers": [{"image": "azure-sql-edge", "env": [
            {"name": "ACCEPT_EULA", "value": "Y"}, {"name": "MSSQL_TCP_PORT", "value": "5"}]}]}});
        let left_of_known = &essence(known, Kind::Pod)["spec"]["containers"][0]["env"];
        assert_eq!(*left_of_known, json!([{"name": "MSSQL_TCP_PORT", "value": "5"}]), "the image says what runs");
        let composed = json!([{"name": "P", "value": "5"}, {"name": "MSSQL_TCP_PORT", "value": "$(P)"}]);
        assert_eq!(left(composed.clone()), composed);
    }

    #[test]
    fn relations_are_the_same() {
        let settings = Settings::from_value(&json!({"engines": ["sql-edge", "sql-server"]})).unwrap();
        let container = |member: &str| format!("/spec/template/spec/containers/0/{member}");
        let known_by = |password: Value| json!([{"name": "ACCEPT_EULA", "value": "Y"}, password]);
        let secret = json!({"name": "SA_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}});
        let own = || (container("image"), json!("team/own"));
        let changes: [Vec<(String, Value)>; 8] = [
            vec![(container("ports"), json!([{"containerPort": 5}]))],
            vec![("/spec/template/spec/nodeSelector".to_owned(), json!({"kubernetes.io/os": "windows"}))],
            vec![("/spec/template/metadata/labels".to_owned(), json!({"app": "other"}))],
            vec![(container("env/-"), json!({"name": "MSSQL_TCP_PORT", "value": "5"}))],
            vec![own()],
            vec![own(), (container("env"), known_by(secret))],
            vec![own(), (container("env"), known_by(json!({"name": "MSSQL_SA_PASSWORD", "value": "x"})))],
            vec![(container("envFrom"), json!([{"configMapRef": {"name": "c"}}]))],
        ];
        let services = [
            service(&[("/spec/type", json!("ClusterIP"))]),
            service(&[("/spec/ports/0/targetPort", json!(1433))]),
            service(&[("/spec/ports/0/targetPort", json!(5))]),
        ];
        let mut seen = 0;
        for (change, service) in changes.iter().flat_map(|change| services.iter().map(move |service| (change, service)))
        {
            let change: Vec<(&str, Value)> = change.iter().map(|(at, value)| (at.as_str(), value.clone())).collect();
            let whole = deployment(&change);
            let left = essence(whole.clone(), Kind::Deployment);
            let findings = |workload: &Value| {
                let world = Objects::closed([workload, service]);
                [(workload, Kind::Deployment), (service, Kind::Service)].map(|(object, kind)| {
                    Subject::read(object, kind, &settings, &world).map(|subject| judge_relations(&subject))
                })
            };
            let of_whole = findings(&whole);
            seen += of_whole.iter().flatten().flatten().count();
            assert_eq!(of_whole, findings(&left), "{whole}");
        }
        assert!(seen > 10, "{seen}");
    }
}
