//! Every real manifest and every one of the corpus, sent to a real API server with the webhook and to one without: what
//! was valid stays valid, what is stored needs no more mending, and nothing restarts by itself.

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
use sqledge_ha::manifest::read;
use sqledge_ha::webhook::cluster_client::connect;
use sqledge_ha_policy::kind::{Kind, group_of};
use sqledge_ha_policy::objects::Objects;
use sqledge_ha_policy::review::validate;

use crate::kubernetes::Cluster;
use crate::ledger::{self, Table};
use crate::shared::{folder, manifests};
use crate::site::{RUNTIME, Site};
use crate::webhook_configurations::list;

/// The label of namespaces in which SQL Server is governed as well.
const ALL: &str = "all-engines";

/// The settings of the webhook: most real manifests run SQL Server.
pub(crate) fn settings() -> Value {
    json!({"engines": ["sql-edge", "sql-server"]})
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Stored as it is without the webhook.
    Unchanged,
    /// Stored with something mended.
    Mended,
    /// Stored, though without the webhook the API server would not have taken it.
    Rescued,
    /// Refused by a rule.
    Refused,
    /// Refused by the API server, with the webhook and without.
    Invalid,
    /// Of a kind that this API server does not know, or that is not in a namespace.
    NotSent,
}

/// Every manifest there is: real ones, and the corpus.
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

/// The objects of a file; none where it is not to be read.
fn objects(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    read(&text).into_iter().filter_map(|document| Some(document.ok()?.value)).filter(Value::is_object).collect()
}

/// Kinds that controllers of other projects bring, without their schemas and without the controllers.
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

/// Sends everything to a cluster with the webhook and to an API server without.
pub(crate) fn what_was_valid_stays_valid(site: Site) {
    let site = site.and_settings(ALL, &settings());
    let without = Cluster::api_only();
    [&site.cluster, &without].into_iter().for_each(define_kinds);
    let files = files();
    let fates = RUNTIME.block_on(async {
        let client = |cluster: &Cluster| {
            let kubeconfig = cluster.kubeconfig().to_owned();
            async move { connect(Some(Path::new(&kubeconfig))).await.unwrap() }
        };
        let (with, without) = (client(&site.cluster).await, client(&without).await);
        let sent = files.iter().enumerate().map(|(number, (source, path))| {
            let pair = Pair { with: with.clone(), without: without.clone(), namespace: format!("accept-{number}") };
            async move { pair.send(path).await.map(|fates| (*source, fates)) }
        });
        stream::iter(sent).buffer_unordered(4).try_collect::<Vec<_>>().await
    });
    let mut counts: BTreeMap<(&str, Fate), usize> = BTreeMap::new();
    for (source, fates) in fates.unwrap_or_else(|what| panic!("{what}")) {
        fates.into_iter().for_each(|fate| *counts.entry((source, fate)).or_default() += 1);
    }
    for (place, (source, words)) in
        [("wild", "real manifests"), ("reference", "Microsoft's samples"), ("corpus", "the rules' corpus")]
            .into_iter()
            .enumerate()
    {
        let count = |fate| counts.get(&(source, fate)).copied().unwrap_or_default().to_string();
        let read = files.iter().filter(|(of, _)| *of == source).count().to_string();
        let fates = [Fate::Unchanged, Fate::Mended, Fate::Rescued, Fate::Refused, Fate::Invalid, Fate::NotSent];
        let cells: Vec<String> = [words.to_owned(), read].into_iter().chain(fates.map(count)).collect();
        ledger::row(Table::Acceptance, place, &cells);
    }
}

/// Two API servers and a namespace in both.
struct Pair {
    with: Client,
    without: Client,
    namespace: String,
}

type Outcome<T> = Result<T, String>;

impl Pair {
    async fn send(&self, path: &Path) -> Outcome<Vec<Fate>> {
        let failed = |what: String| format!("{}: {what}", path.display());
        for client in [&self.with, &self.without] {
            self.make_namespace(client).await.map_err(|error| failed(error.to_string()))?;
        }
        let mut fates = Vec::new();
        for object in objects(path) {
            if object["kind"] == "Service" {
                // The webhook's watches learn of a workload a moment after it is stored.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            fates.push(self.send_object(object).await.map_err(failed)?);
        }
        for client in [&self.with, &self.without] {
            let services: Api<Service> = Api::namespaced(client.clone(), &self.namespace);
            let deleted = services.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
            deleted.map_err(|error| failed(error.to_string()))?;
        }
        Ok(fates)
    }

    /// A namespace with the service account that pods need, which a controller would make otherwise.
    async fn make_namespace(&self, client: &Client) -> Result<(), Error> {
        let labels = [("proof.sqledge-ha/settings".to_owned(), ALL.to_owned())].into();
        let metadata = ObjectMeta { name: Some(self.namespace.clone()), labels: Some(labels), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
        let metadata = ObjectMeta { name: Some("default".to_owned()), ..ObjectMeta::default() };
        let account = ServiceAccount { metadata, ..ServiceAccount::default() };
        match Api::namespaced(client.clone(), &self.namespace).create(&PostParams::default(), &account).await {
            Err(Error::Api(status)) if status.code == 409 => Ok(()),
            created => created.map(drop),
        }
    }

    async fn send_object(&self, mut object: Value) -> Outcome<Fate> {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("namespace");
        }
        let Some((with, without)) = self.apis(&object).await else { return Ok(Fate::NotSent) };
        let Ok(object) = serde_json::from_value::<DynamicObject>(object) else { return Ok(Fate::NotSent) };
        let before = create(&without, &object).await;
        match (create(&with, &object).await, before) {
            (Ok(stored), before) => {
                let name = stored.metadata.name.clone().unwrap_or_default();
                nothing_is_left(&stored, &self.namespace)?;
                stays_as_it_is(&with, &name).await?;
                Ok(fate(&stored, before.ok().as_ref()))
            }
            (Err(Error::Api(refusal)), _) if refusal.message.contains("sqledge-ha.github.io\" denied the request") => {
                let reason = refusal.message.lines().any(|line| line.starts_with("- ") && line.contains(": "));
                if reason { Ok(Fate::Refused) } else { Err(format!("refused without a reason: {}", refusal.message)) }
            }
            (Err(refusal), Ok(_)) => Err(format!("was valid and is not any more: {refusal}")),
            (Err(_), Err(_)) => Ok(Fate::Invalid),
        }
    }

    /// Where the object is sent, by its kind; `None` if the cluster does not know it, or keeps it in no namespace.
    async fn apis(&self, object: &Value) -> Option<(Api<DynamicObject>, Api<DynamicObject>)> {
        let api_version = object["apiVersion"].as_str()?;
        let version = api_version.rsplit('/').next()?;
        let kind = GroupVersionKind::gvk(group_of(api_version), version, object["kind"].as_str()?);
        let (resource, capabilities) = pinned_kind(&self.with, &kind).await.ok()?;
        let api = |client: &Client| Api::namespaced_with(client.clone(), &self.namespace, &resource);
        (capabilities.scope == Scope::Namespaced).then(|| (api(&self.with), api(&self.without)))
    }
}

/// Creates an object. A port of the nodes that it asks for may by chance have been given to another Service, which is
/// deleted with the rest of its file.
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

fn fate(stored: &DynamicObject, before: Option<&DynamicObject>) -> Fate {
    match before {
        None => Fate::Rescued,
        Some(before) if comparable(before) == comparable(stored) => Fate::Unchanged,
        Some(_) => Fate::Mended,
    }
}

/// What the webhook may have a say in, without what API servers make up, each differently.
fn comparable(object: &DynamicObject) -> Option<(Value, Option<BTreeMap<String, String>>)> {
    let kind = Kind::of_object(&serde_json::to_value(object).ok()?)?;
    let made_up: &[&str] = match kind {
        Kind::Service => &["clusterIP", "clusterIPs", "healthCheckNodePort", "ports"],
        Kind::Pod => &["tolerations", "volumes", "containers", "initContainers"],
        _ => &[],
    };
    let mut spec = object.data["spec"].clone();
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|key, _| !made_up.contains(&key.as_str()));
    }
    Some((spec, object.metadata.annotations.clone()))
}

/// What is stored would not be mended if it came in like this, nor refused.
fn nothing_is_left(stored: &DynamicObject, namespace: &str) -> Outcome<()> {
    let mut object = serde_json::to_value(stored).map_err(|error| error.to_string())?;
    if let Some(metadata) = object["metadata"].as_object_mut() {
        // With it, it would be the audit scanner's.
        metadata.remove("resourceVersion");
    }
    let types = stored.types.clone().unwrap_or_default();
    let kind = json!({"group": group_of(&types.api_version), "version": "v1", "kind": types.kind});
    let request = json!({"uid": "u", "kind": kind, "operation": "CREATE", "namespace": namespace, "object": object});
    let payload = json!({"request": request, "settings": settings()}).to_string();
    let verdict = validate(payload.as_bytes(), &Objects::open(&[]));
    if verdict.accepted && verdict.mutated_object.is_none() {
        return Ok(());
    }
    Err(format!("something is left: {:?} {:?}", verdict.message, verdict.audit_annotations))
}

/// An object without the API server's own bookkeeping.
fn lasting(object: &DynamicObject) -> DynamicObject {
    let mut object = object.clone();
    object.metadata.managed_fields = None;
    object.metadata.resource_version = None;
    object
}

/// An update that changes nothing changes nothing, and a label on the object starts no rollout.
async fn stays_as_it_is(api: &Api<DynamicObject>, name: &str) -> Outcome<()> {
    for _ in 0..20 {
        let before = match api.get_opt(name).await {
            Ok(Some(before)) => before,
            // An owner that never was: the garbage collector was here.
            Ok(None) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        match api.replace(name, &PostParams::default(), &before).await {
            // A controller was faster, or the garbage collector.
            Err(Error::Api(status)) if [404, 409].contains(&status.code) => {
                tokio::time::sleep(Duration::from_millis(20)).await
            }
            Err(error) => return Err(format!("a no-op update is refused: {error}")),
            Ok(after) => {
                if lasting(&after) != lasting(&before) {
                    return Err(format!("a no-op update changes the object:\n{before:?}\n{after:?}"));
                }
                // Schedulers and controllers write into the others' specs.
                if before.data["spec"].get("template").is_none() {
                    return Ok(());
                }
                let label = Patch::Merge(json!({"metadata": {"labels": {"proof.sqledge-ha/seen": "yes"}}}));
                let after = api.patch(name, &PatchParams::default(), &label).await;
                let after = after.map_err(|error| format!("a label is refused: {error}"))?;
                if after.data["spec"] != before.data["spec"] || after.metadata.generation != before.metadata.generation
                {
                    return Err("a label changes the spec".to_owned());
                }
                return Ok(());
            }
        }
    }
    Err("the object never rests".to_owned())
}
