//! Right examples and worlds for the tests.

pub(crate) mod generate;

use serde_json::{Value, json};

fn template() -> Value {
    json!({
        "metadata": {"labels": {"app": "sql"}},
        "spec": {
            "nodeSelector": {"kubernetes.io/arch": "amd64"},
            "securityContext": {"fsGroup": 10001},
            "containers": [{
                "name": "sql", "image": "mcr.microsoft.com/azure-sql-edge:1.0.7",
                "env": [{"name": "ACCEPT_EULA", "value": "Y"}],
                "ports": [{"name": "tds", "containerPort": 1433}],
                "readinessProbe": {"tcpSocket": {"port": 1433}},
                "resources": {"requests": {"memory": "2Gi"}},
                "volumeMounts": [{"name": "data", "mountPath": "/var/opt/mssql"}],
            }],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "sql-data"}}],
        },
    })
}

/// A Deployment with which nothing is wrong.
pub(crate) fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sql", "creationTimestamp": null},
        "spec": {
            "replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": {"app": "sql"}},
            "template": template(), "futureField": {"kept": null},
        },
    })
}

/// A StatefulSet with which nothing is wrong.
pub(crate) fn stateful_set() -> Value {
    let mut template = template();
    template["spec"]["volumes"] = json!([]);
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "sql"},
        "spec": {
            "replicas": 1, "serviceName": "sql", "selector": {"matchLabels": {"app": "sql"}}, "template": template,
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
        },
    })
}

/// A load balancer in front of them.
pub(crate) fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql"},
        "spec": {
            "type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"],
            "selector": {"app": "sql"}, "ports": [{"port": 1433}],
        },
    })
}

/// The claim of [`deployment`].
pub(crate) fn claim() -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "sql-data"},
        "spec": {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "8Gi"}}}})
}

/// What has to exist for all of them to be right.
pub(crate) fn right_world() -> Vec<Value> {
    vec![claim(), service(), deployment()]
}
