//! Objects without the fields that rules do not read when they look them up.

use std::sync::LazyLock;

use serde_json::Value;

use crate::json::field_mask::FieldMask;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::resources::RESOURCES;

/// Removes the fields that no rule with look-ups reads, in the object that it checks or in those that it looks up: what
/// is left are `metadata` and the fields of the table of resources.
pub fn prune(object: &mut Value, kind: Kind) {
    static MASKS: LazyLock<Vec<(Kind, FieldMask)>> =
        LazyLock::new(|| RESOURCES.iter().map(|resource| (resource.kind, resource.field_mask())).collect());
    if let Some((_, mask)) = MASKS.iter().find(|(known, _)| *known == kind) {
        mask.prune(object);
    }
}

/// Removes `managedFields` and the last applied configuration from `metadata`, which are large and which no rule reads.
pub fn remove_large_metadata(metadata: &mut Value) {
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::kind::WorkloadKind;
    use crate::rules::check::CheckContext;
    use crate::rules::{check_relations, parse_settings};
    use crate::testing::{deployment, service, test};
    use crate::view::Scope;
    use crate::view::index::ObjectIndex;

    #[test]
    fn fields_that_no_rule_looks_up_are_removed() {
        let mut object = json!({"kind": "Pod", "metadata": {"labels": {}}, "status": {}, "spec": {"hostNetwork": true,
            "nodeSelector": {}, "containers": [{"name": "sql", "resources": {}, "ports": []}, "no container"]}});
        prune(&mut object, Kind::Workload(WorkloadKind::Pod));
        let expected = json!({"kind": "Pod", "metadata": {"labels": {}}, "spec": {"nodeSelector": {}, "containers": [
            {"name": "sql", "ports": []}, "no container"]}});
        assert_eq!(object, expected);
        let mut odd = json!({"spec": 5});
        prune(&mut odd, Kind::DEPLOYMENT);
        assert_eq!(odd, json!({"spec": 5}));
    }

    #[test]
    fn rules_with_look_ups_find_the_same_in_pruned_objects() {
        let settings = parse_settings(&json!({"engines": ["sql-edge", "sql-server"]})).unwrap();
        let container = |field: &str| format!("/spec/template/spec/containers/0/{field}");
        let marked_by = |password: Value| json!([{"name": "ACCEPT_EULA", "value": "Y"}, password]);
        let secret = json!({"name": "SA_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}});
        let own = || (container("image"), json!("team/own"));
        let conf = |volume: Value| {
            let mount = json!({"name": "conf", "mountPath": "/var/opt/mssql/"});
            vec![
                ("/spec/template/spec/containers/0/volumeMounts/0/mountPath".to_owned(), json!("/var/opt/mssql/data")),
                (container("volumeMounts/-"), mount),
                ("/spec/template/spec/volumes/-".to_owned(), volume),
            ]
        };
        let changes: [Vec<(String, Value)>; 11] = [
            conf(json!({"name": "conf", "configMap": {"name": "c", "defaultMode": 420}})),
            conf(json!({"name": "conf", "secret": {"secretName": "c", "items": []}})),
            conf(json!({"name": "conf", "projected": {"sources": [{"secret": {"name": "c"}}]}})),
            vec![(container("ports"), json!([{"containerPort": 5}]))],
            vec![("/spec/template/spec/nodeSelector".to_owned(), json!({"kubernetes.io/os": "windows"}))],
            vec![("/spec/template/metadata/labels".to_owned(), json!({"app": "other"}))],
            vec![(container("env/-"), json!({"name": "MSSQL_TCP_PORT", "value": "5"}))],
            vec![own()],
            vec![own(), (container("env"), marked_by(secret))],
            vec![own(), (container("env"), marked_by(json!({"name": "MSSQL_SA_PASSWORD", "value": "x"})))],
            vec![(container("envFrom"), json!([{"configMapRef": {"name": "c"}}]))],
        ];
        let services = [
            service(&[("/spec/type", json!("ClusterIP"))]),
            service(&[("/spec/ports/0/targetPort", json!(1433))]),
            service(&[("/spec/ports/0/targetPort", json!(5))]),
            service(&[
                ("/spec/externalTrafficPolicy", json!("Local")),
                ("/spec/loadBalancerClass", json!("tailscale")),
            ]),
            service(&[("/spec/internalTrafficPolicy", json!("Local")), ("/spec/loadBalancerIP", json!("10.0.0.1"))]),
            service(&[
                ("/spec/publishNotReadyAddresses", json!(true)),
                ("/status/loadBalancer/ingress", json!([{"ip": "10.0.0.1"}])),
            ]),
        ];
        let mut count = 0;
        for (change, service) in changes.iter().flat_map(|change| services.iter().map(move |service| (change, service)))
        {
            let change: Vec<(&str, Value)> = change.iter().map(|(at, value)| (at.as_str(), value.clone())).collect();
            let whole = deployment(&change);
            let (mut pruned, mut pruned_service) = (whole.clone(), service.clone());
            prune(&mut pruned, Kind::DEPLOYMENT);
            prune(&mut pruned_service, Kind::Service);
            let findings = |workload: &Value, service: &Value| {
                let index = ObjectIndex::new(Scope::Application, [workload, service]);
                [(workload, Kind::DEPLOYMENT), (service, Kind::Service)].map(|(object, kind)| {
                    CheckContext::read(object, kind, &settings, &index).map(|context| check_relations(&context))
                })
            };
            let of_whole = findings(&whole, service);
            count += of_whole.iter().flatten().flatten().count();
            assert_eq!(of_whole, findings(&pruned, &pruned_service), "{whole}");
        }
        assert!(count > 10, "{count}");
    }
}
