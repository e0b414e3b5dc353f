//! Sends all published manifests and the corpus to an API server with the webhook and to one without. Valid objects
//! stay valid, stored objects need no further mutation, and no pod restarts by itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Service, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client, Error};
use serde_json::{Value, json};
use sqledge_ha::cluster_client::connect;
use sqledge_ha::manifest::read;
use sqledge_ha_policy::admission::review::validate;
use sqledge_ha_policy::kubernetes::group_of;
use sqledge_ha_policy::kubernetes::kind::{Kind, WorkloadKind};
use sqledge_ha_policy::view::index::ObjectIndex;

use crate::environment::{Environment, RUNTIME};
use crate::kubernetes::Cluster;
use crate::results::{self, Table};
use crate::shared::{folder, manifests};
use crate::webhook_configurations::list;

/// The label of namespaces in which SQL Server is checked, too.
const ALL: &str = "all-engines";

/// The settings of the webhook: most published manifests run SQL Server.
pub(crate) fn settings() -> Value {
    json!({"engines": ["sql-edge", "sql-server"], "exposure": "internal"})
}

/// What the API server did with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Decision {
    /// Stored as without the webhook.
    Unchanged,
    /// Stored with mutations.
    Mutated,
    /// Stored, but invalid without the mutations.
    MadeValid,
    /// Rejected by a rule.
    Rejected,
    /// Rejected by the API server, with and without the webhook.
    Invalid,
    /// Not sent: the API server does not know the kind, or it is not namespaced.
    NotSent,
}

/// All manifests: published ones, and the corpus.
fn files() -> Vec<(&'static str, PathBuf)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/corpus");
    let mut files: Vec<(&str, PathBuf)> = Vec::new();
    for name in ["wild", "reference"] {
        files.extend(folder(name).iter().flat_map(|folder| manifests(folder)).map(|path| (name, path)));
    }
    for rule in fs::read_dir(corpus).unwrap() {
        for verdict in ["pass", "fail"] {
            let folder = rule.as_ref().unwrap().path().join(verdict);
            let entries = fs::read_dir(folder).into_iter().flatten();
            files.extend(entries.map(|entry| ("corpus", entry.unwrap().path())));
        }
    }
    files.sort();
    files
}

/// The objects of a file; none if it cannot be read.
fn objects(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    read(&text).into_iter().filter_map(|document| Some(document.ok()?.value)).filter(Value::is_object).collect()
}

/// Kinds of other projects, without their schemas and controllers.
fn definitions() -> Vec<Value> {
    let kinds = [
        ("argoproj.io", "v1alpha1", "Rollout"),
        ("apps.openshift.io", "v1", "DeploymentConfig"),
        ("serving.knative.dev", "v1", "Service"),
    ];
    let definition = |(group, version, kind): &(&str, &str, &str)| {
        let plural = format!("{}s", kind.to_lowercase());
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")}, "spec": {
                "group": group, "scope": "Namespaced",
                "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural,
                    "singular": kind.to_lowercase()},
                "versions": [{"name": version, "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
    };
    kinds.iter().map(definition).collect()
}

fn define_kinds(cluster: &Cluster) {
    cluster.must(&["create", "-f", "-"], &list(&definitions()));
    cluster.must(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
}

/// Sends all manifests to a cluster with the webhook and to an API server without.
pub(crate) fn valid_objects_stay_valid(environment: Environment) {
    let environment = environment.and_settings(ALL, &settings());
    let without = Cluster::api_only();
    [&environment.cluster, &without].into_iter().for_each(define_kinds);
    let files = files();
    let decisions = RUNTIME.block_on(async {
        let client = |cluster: &Cluster| {
            let kubeconfig = cluster.kubeconfig().to_owned();
            async move { connect(Some(Path::new(&kubeconfig))).await.unwrap() }
        };
        let (with, without) = (client(&environment.cluster).await, client(&without).await);
        let sent = files.iter().enumerate().map(|(number, (source, path))| {
            let pair = Pair { with: with.clone(), without: without.clone(), namespace: format!("accept-{number}") };
            async move { pair.send(path).await.map(|decisions| (*source, decisions)) }
        });
        stream::iter(sent).buffer_unordered(4).try_collect::<Vec<_>>().await
    });
    let mut counts: BTreeMap<(&str, Decision), usize> = BTreeMap::new();
    for (source, decisions) in decisions.unwrap_or_else(|what| panic!("{what}")) {
        decisions.into_iter().for_each(|decision| *counts.entry((source, decision)).or_default() += 1);
    }
    for (place, (source, words)) in
        [("wild", "published manifests"), ("reference", "Microsoft's samples"), ("corpus", "the rules' corpus")]
            .into_iter()
            .enumerate()
    {
        let count = |decision| counts.get(&(source, decision)).copied().unwrap_or_default().to_string();
        let read = files.iter().filter(|(of, _)| *of == source).count().to_string();
        let decisions = [
            Decision::Unchanged,
            Decision::Mutated,
            Decision::MadeValid,
            Decision::Rejected,
            Decision::Invalid,
            Decision::NotSent,
        ];
        let cells: Vec<String> = [words.to_owned(), read].into_iter().chain(decisions.map(count)).collect();
        results::row(Table::Acceptance, place, &cells);
    }
}

/// Two API servers, and a namespace in both.
struct Pair {
    with: Client,
    without: Client,
    namespace: String,
}

type Outcome<T> = Result<T, String>;

impl Pair {
    async fn send(&self, path: &Path) -> Outcome<Vec<Decision>> {
        let failed = |what: String| format!("{}: {what}", path.display());
        for client in [&self.with, &self.without] {
            self.make_namespace(client).await.map_err(|error| failed(error.to_string()))?;
        }
        let mut decisions = Vec::new();
        for object in objects(path) {
            if object["kind"] == "Service" {
                // The webhook's watches see a workload shortly after it is stored.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            decisions.push(self.send_object(object).await.map_err(failed)?);
        }
        for client in [&self.with, &self.without] {
            let services: Api<Service> = Api::namespaced(client.clone(), &self.namespace);
            let deleted = services.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
            deleted.map_err(|error| failed(error.to_string()))?;
        }
        Ok(decisions)
    }

    /// Creates a namespace, and the service account that pods need, without waiting for the controller.
    async fn make_namespace(&self, client: &Client) -> Result<(), Error> {
        let labels = [("proof.sqledge-ha/settings".to_owned(), ALL.to_owned())].into();
        let metadata = ObjectMeta { name: Some(self.namespace.clone()), labels: Some(labels), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
        let metadata = ObjectMeta { name: Some("default".to_owned()), ..ObjectMeta::default() };
        let observations = ServiceAccount { metadata, ..ServiceAccount::default() };
        match Api::namespaced(client.clone(), &self.namespace).create(&PostParams::default(), &observations).await {
            Err(Error::Api(status)) if status.code == 409 => Ok(()),
            created => created.map(drop),
        }
    }

    async fn send_object(&self, mut object: Value) -> Outcome<Decision> {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("namespace");
        }
        let Some((with, without)) = self.apis(&object).await else { return Ok(Decision::NotSent) };
        let Ok(object) = serde_json::from_value::<DynamicObject>(object) else { return Ok(Decision::NotSent) };
        let before = create(&without, &object).await;
        match (create(&with, &object).await, before) {
            (Ok(stored), before) => {
                let name = stored.metadata.name.clone().unwrap_or_default();
                needs_no_mutation(&stored, &self.namespace)?;
                no_op_update_changes_nothing(&with, &name).await?;
                Ok(decision(&stored, before.ok().as_ref()))
            }
            (Err(Error::Api(rejection)), _)
                if rejection.message.contains("sqledge-ha.github.io\" denied the request") =>
            {
                let reason = rejection.message.lines().any(|line| line.starts_with("- ") && line.contains(": "));
                if reason {
                    Ok(Decision::Rejected)
                } else {
                    Err(format!("rejected without a reason: {}", rejection.message))
                }
            }
            (Err(rejection), Ok(_)) => Err(format!("was valid and is rejected now: {rejection}")),
            (Err(_), Err(_)) => Ok(Decision::Invalid),
        }
    }

    /// The API for the object; `None` if the cluster does not know its kind, or it is not namespaced.
    async fn apis(&self, object: &Value) -> Option<(Api<DynamicObject>, Api<DynamicObject>)> {
        let api_version = object["apiVersion"].as_str()?;
        let version = api_version.rsplit('/').next()?;
        let kind = GroupVersionKind::gvk(group_of(api_version), version, object["kind"].as_str()?);
        let (resource, capabilities) = pinned_kind(&self.with, &kind).await.ok()?;
        let api = |client: &Client| Api::namespaced_with(client.clone(), &self.namespace, &resource);
        (capabilities.scope == Scope::Namespaced).then(|| (api(&self.with), api(&self.without)))
    }
}

/// Creates an object. Retries if another Service has the requested node port by chance, until that one is deleted.
async fn create(api: &Api<DynamicObject>, object: &DynamicObject) -> Result<DynamicObject, Error> {
    for _ in 0..40 {
        match api.create(&PostParams::default(), object).await {
            Err(Error::Api(status)) if status.message.contains("provided port is already allocated") => {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            created => return created,
        }
    }
    api.create(&PostParams::default(), object).await
}

fn decision(stored: &DynamicObject, before: Option<&DynamicObject>) -> Decision {
    match before {
        None => Decision::MadeValid,
        Some(before) if comparable(before) == comparable(stored) => Decision::Unchanged,
        Some(_) => Decision::Mutated,
    }
}

/// The parts that the webhook may change, without values that each API server chooses.
fn comparable(object: &DynamicObject) -> Option<(Value, Option<BTreeMap<String, String>>)> {
    let kind = Kind::from_object(&serde_json::to_value(object).ok()?)?;
    let chosen: &[&str] = match kind {
        Kind::Service => &["clusterIP", "clusterIPs", "healthCheckNodePort", "ports"],
        Kind::Workload(WorkloadKind::Pod) => &["tolerations", "volumes", "containers", "initContainers"],
        _ => &[],
    };
    let mut spec = object.data["spec"].clone();
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|key, _| !chosen.contains(&key.as_str()));
    }
    Some((spec, object.metadata.annotations.clone()))
}

/// Fails if the stored object would be mutated or rejected when it is sent again.
fn needs_no_mutation(stored: &DynamicObject, namespace: &str) -> Outcome<()> {
    let mut object = serde_json::to_value(stored).map_err(|error| error.to_string())?;
    if let Some(metadata) = object["metadata"].as_object_mut() {
        // With a resource version, the request would be one of the audit scanner.
        metadata.remove("resourceVersion");
    }
    let types = stored.types.clone().unwrap_or_default();
    let kind = json!({"group": group_of(&types.api_version), "version": "v1", "kind": types.kind});
    let request = json!({"uid": "u", "kind": kind, "operation": "CREATE", "namespace": namespace, "object": object});
    let payload = json!({"request": request, "settings": settings()}).to_string();
    let verdict = validate(payload.as_bytes(), &ObjectIndex::default());
    if verdict.allowed && verdict.mutated_object.is_none() {
        return Ok(());
    }
    Err(format!("the stored object needs a mutation: {:?} {:?}", verdict.message, verdict.audit_annotations))
}

/// An object without the API server's bookkeeping.
fn without_bookkeeping(object: &DynamicObject) -> DynamicObject {
    let mut object = object.clone();
    object.metadata.managed_fields = None;
    object.metadata.resource_version = None;
    object
}

/// Fails if a no-op update changes the object, or a label starts a rollout.
async fn no_op_update_changes_nothing(api: &Api<DynamicObject>, name: &str) -> Outcome<()> {
    for _ in 0..20 {
        let before = match api.get_opt(name).await {
            Ok(Some(before)) => before,
            // The garbage collector deleted it, because its owner does not exist.
            Ok(None) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        match api.replace(name, &PostParams::default(), &before).await {
            // A controller or the garbage collector was faster.
            Err(Error::Api(status)) if [404, 409].contains(&status.code) => {
                tokio::time::sleep(Duration::from_millis(20)).await
            }
            Err(error) => return Err(format!("a no-op update is rejected: {error}")),
            Ok(after) => {
                if without_bookkeeping(&after) != without_bookkeeping(&before) {
                    return Err(format!("a no-op update changes the object:\n{before:?}\n{after:?}"));
                }
                // Schedulers and controllers change the specs of objects without a template.
                if before.data["spec"].get("template").is_none() {
                    return Ok(());
                }
                let label = Patch::Merge(json!({"metadata": {"labels": {"proof.sqledge-ha/seen": "yes"}}}));
                let after = api.patch(name, &PatchParams::default(), &label).await;
                let after = after.map_err(|error| format!("a label is rejected: {error}"))?;
                if after.data["spec"] != before.data["spec"] || after.metadata.generation != before.metadata.generation
                {
                    return Err("a label changes the spec".to_owned());
                }
                return Ok(());
            }
        }
    }
    Err("the object keeps changing".to_owned())
}
