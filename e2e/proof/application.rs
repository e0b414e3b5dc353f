//! Applications to run: Microsoft's sample, and ours.

use serde_json::{Value, json};
use sqledge_ha::manifest::read;
use sqledge_ha_policy::json::edit::{Edit, apply};

use crate::shared::folder;

/// The objects of one application, in the order in which they are applied.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    pub(crate) objects: Vec<Value>,
    /// The label `app` of its pods.
    pub(crate) app: String,
    /// The name of its Service.
    pub(crate) service: String,
    /// The workload as `kubectl` names it.
    pub(crate) workload: String,
}

/// A pod spec without findings.
fn pod() -> Value {
    json!({
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "terminationGracePeriodSeconds": 10,
        "securityContext": {"fsGroup": 10001},
        "containers": [{
            "name": "engine",
            "image": "mcr.microsoft.com/azure-sql-edge:1.0.7",
            "env": [
                {"name": "ACCEPT_EULA", "value": "Y"},
                {"name": "MSSQL_SA_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "engine", "key": "password"}}}],
            "ports": [{"name": "tds", "containerPort": 1433}],
            "readinessProbe": {"tcpSocket": {"port": 1433}},
            "resources": {"requests": {"memory": "1Gi"}},
            "volumeMounts": [{"name": "data", "mountPath": "/var/opt/mssql"}]}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "ledger"}}]})
}

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "ledger"}}, "spec": pod()})
}

fn claim(access_mode: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "ledger"}, "spec": {
        "accessModes": [access_mode], "resources": {"requests": {"storage": "8Gi"}}}})
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ledger"}, "spec": {
        "type": "LoadBalancer", "selector": {"app": "ledger"},
        "ports": [{"name": "tds", "port": 1433, "targetPort": 1433}]}})
}

impl Application {
    fn ours(workload: Value, claims: Vec<Value>) -> Self {
        let name = format!("{}/ledger", workload["kind"].as_str().unwrap().to_lowercase());
        let objects = [claims, vec![service(), workload]].concat();
        Application { objects, app: "ledger".to_owned(), service: "ledger".to_owned(), workload: name }
    }

    /// A Deployment without findings.
    pub(crate) fn deployment(access_mode: &str) -> Self {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "ledger"}, "spec": {
            "replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": {"app": "ledger"}},
            "template": template()}});
        Application::ours(deployment, vec![claim(access_mode)])
    }

    /// A StatefulSet without findings.
    pub(crate) fn stateful_set() -> Self {
        let mut template = template();
        template["spec"].as_object_mut().unwrap().remove("volumes");
        let mut claim = claim("ReadWriteOnce");
        claim["metadata"]["name"] = json!("data");
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "ledger"}, "spec": {
            "replicas": 1, "serviceName": "ledger", "selector": {"matchLabels": {"app": "ledger"}},
            "template": template, "volumeClaimTemplates": [{"metadata": claim["metadata"], "spec": claim["spec"]}]}});
        Application::ours(set, Vec::new())
    }

    /// A bare Pod.
    pub(crate) fn pod() -> Self {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ledger", "labels": {"app": "ledger"}},
            "spec": pod()});
        Application::ours(pod, vec![claim("ReadWriteOnce")])
    }

    /// Microsoft's sample for SQL Edge without its storage class. `None` if the files do not exist.
    pub(crate) fn microsoft() -> Option<Self> {
        let folder = folder("reference")?;
        let files = ["reference-azure-sql-edge-pvc.yaml", "reference-azure-sql-edge-deployment-service.yaml"];
        let texts = files.map(|file| std::fs::read_to_string(folder.join(file)).unwrap());
        let objects = texts.iter().flat_map(|text| read(text)).map(|document| document.unwrap().value);
        Some(Application {
            objects: objects.filter(|object| object["kind"] != "StorageClass").collect(),
            app: "sqledge".to_owned(),
            service: "sqledge-deployment".to_owned(),
            workload: "deployment/sqledge-deployment".to_owned(),
        })
    }

    fn object_mut(&mut self, kind: &str) -> &mut Value {
        self.objects.iter_mut().find(|object| object["kind"] == kind).unwrap()
    }

    /// Sets a value in the object of a kind.
    pub(crate) fn with(mut self, kind: &str, pointer: &str, value: Value) -> Self {
        apply(self.object_mut(kind), &[Edit::Set { pointer: pointer.to_owned(), value }]).unwrap();
        self
    }

    /// Removes a value from the object of a kind.
    pub(crate) fn without(mut self, kind: &str, pointer: &str) -> Self {
        apply(self.object_mut(kind), &[Edit::Remove { pointer: pointer.to_owned() }]).unwrap();
        self
    }

    /// Removes the fields that admission adds again.
    pub(crate) fn incomplete(self) -> Self {
        let kind = if self.workload.starts_with("deployment") { "Deployment" } else { "StatefulSet" };
        self.without(kind, "/spec/strategy")
            .without(kind, "/spec/template/spec/nodeSelector")
            .without(kind, "/spec/template/spec/securityContext")
    }

    /// Renames the application.
    pub(crate) fn named(self, name: &str) -> Self {
        let text = serde_json::to_string(&self.objects).unwrap().replace("\"ledger\"", &format!("\"{name}\""));
        let workload = self.workload.replace("ledger", name);
        let objects = serde_json::from_str(&text).unwrap();
        Application { objects, app: name.to_owned(), service: name.to_owned(), workload }
    }
}
