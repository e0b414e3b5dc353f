//! Argo CD and Flux, as the libraries that they consist of (`e2e/gitops`), apply manifests that are mutated: what the
//! manifests leave out makes no difference, and what they state otherwise differs as listed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::rules::RULES;
use sqledge_ha_policy::rules::overwrites::{Overwrite, overwrites};
use sqledge_ha_policy::settings::{Exposure, Settings};

use crate::application::Application;
use crate::environment::{Environment, SETTINGS};
use crate::ran::{Ran, with_input};
use crate::results::{self, Table};
use crate::shared::{objects, root};
use crate::tools::tool;
use crate::webhook_configurations::list;

/// The flags of the cluster: its controllers would write to the objects, too.
pub(crate) const FLAGS: [&str; 1] = ["--api-only"];

/// The strategies of the program, as text: apply, comparison, and where it applies.
const STRATEGIES: [(&str, &str, &str); 5] = [
    ("argo-client-side", "Argo CD", "client-side apply, three-way diff (the default)"),
    ("argo-server-side", "Argo CD", "`ServerSideApply=true`, structured-merge diff"),
    ("argo-server-side-diff", "Argo CD", "`ServerSideApply=true`, `ServerSideDiff=true`"),
    (
        "argo-server-side-diff-with-webhooks",
        "Argo CD",
        "`ServerSideApply=true`, `ServerSideDiff=true,IncludeMutationWebhook=true`",
    ),
    ("flux", "Flux", "server-side apply after a dry run"),
];

/// The strategy whose comparison also differs in maps and lists that a manifest states and a mutation or a default adds
/// to.
const MERGE_DIFF: &str = "argo-server-side";

/// A sample with two Services, one of which can be rejected or not if both are applied at the same time.
const RACE: &str = "the-load-balancer-is-for-metrics.yaml";

/// What the program prints.
#[derive(Debug, Deserialize)]
struct Answer {
    rejected: BTreeMap<String, String>,
    differs: BTreeMap<String, Vec<String>>,
    rewritten: Option<Vec<String>>,
    attempted: Option<Vec<String>>,
}

/// Runs the program.
fn reconcile(environment: &Environment, strategy: &str, steps: &[Vec<Value>], ignore: &[Value]) -> Answer {
    let kubeconfig = environment.cluster.kubeconfig();
    let request = json!({"kubeconfig": kubeconfig, "strategy": strategy, "steps": steps, "ignore": ignore});
    let ran = with_input(&mut Command::new(tool("e2e-gitops")), &request.to_string());
    assert_eq!(ran.code, 0, "{strategy}: {}{}", ran.output, ran.stderr);
    serde_json::from_str(&ran.output).unwrap()
}

/// The fields that `webhook gitops` prints for the settings of the manifests.
fn ignored() -> Vec<Value> {
    let settings = Settings { exposure: Some(Exposure::Internal), ..Settings::default() };
    let field =
        |overwrite: &Overwrite| json!({"group": overwrite.group, "kind": overwrite.kind, "paths": [overwrite.pointer]});
    overwrites(&settings).map(field).collect()
}

/// Microsoft's sample, and the corpus of the rules that mutate: each set of objects becomes one namespace.
fn samples() -> Vec<Vec<Value>> {
    let mut samples: Vec<Vec<Value>> = Application::microsoft().into_iter().map(|sample| sample.objects).collect();
    for rule in RULES.iter().filter(|rule| rule.default_action == Action::Mutate) {
        let corpus = root().join("e2e/corpus").join(rule.id);
        let mut names: Vec<_> =
            fs::read_dir(corpus.join("fixed")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        let is_plain = |name: &&OsString| !corpus.join("settings").join(name).exists() && **name != *RACE;
        for name in names.iter().filter(is_plain) {
            samples.push(objects(&fs::read_to_string(corpus.join("fail").join(name)).unwrap()));
        }
    }
    let kinds = ["Deployment", "StatefulSet", "Service", "PersistentVolumeClaim", "Secret", "ConfigMap"];
    let is_known = |object: &Value| {
        let is_current = matches!(object["apiVersion"].as_str(), Some("v1" | "apps/v1"));
        is_current && kinds.iter().any(|kind| object["kind"] == *kind) && object["metadata"]["name"].is_string()
    };
    samples.iter_mut().for_each(|objects| objects.retain(is_known));
    samples.iter_mut().flatten().for_each(drop_nulls);
    // The same node port cannot be used in several namespaces.
    for port in
        samples.iter_mut().flatten().filter_map(|object| object.pointer_mut("/spec/ports")?.as_array_mut()).flatten()
    {
        port.as_object_mut().unwrap().remove("nodePort");
    }
    samples.retain(|objects| objects.iter().any(|object| object["spec"]["template"].is_object()));
    samples
}

/// Removes fields that are stated as `null`, as if they were left out.
fn drop_nulls(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(drop_nulls);
    }
}

/// What one strategy does with all samples.
pub(crate) fn only_contradictions_differ(environment: &Environment) {
    let ignored = ignored();
    let mut problems = Vec::new();
    for (place, (strategy, controller, how)) in STRATEGIES.into_iter().enumerate() {
        let all = in_namespaces(environment, strategy);
        let workloads: Vec<Value> = all.iter().filter(|object| object["kind"] != "Service").cloned().collect();
        // A controller applies Services first, so that no ClusterIP Service would be mutated.
        let answer = reconcile(environment, strategy, &[workloads, all.clone()], &[]);
        problems.extend(answer.rejected.iter().map(|(object, reason)| format!("{strategy}: {object}: {reason}")));
        let manifest = |object: &String| all.iter().find(|manifest| key(manifest) == *object).unwrap();
        let ignoring = reconcile(environment, strategy, std::slice::from_ref(&all), &ignored);
        for (object, path) in
            answer.differs.iter().flat_map(|(object, paths)| paths.iter().map(move |path| (object, path)))
        {
            let is_known = strategy == MERGE_DIFF
                || is_empty_at(manifest(object), path)
                || is_stated(manifest(object), path, &ignored);
            if !is_known {
                problems.push(format!("{strategy}: {object} does not state {path}, and it differs"));
            }
        }
        let rewritten = answer.rewritten.iter().flatten();
        problems.extend(rewritten.map(|object| format!("{strategy}: the second apply changes {object}")));
        let is_known = |(object, paths): &(&String, &Vec<String>)| {
            strategy == MERGE_DIFF || paths.iter().all(|path| is_empty_at(manifest(object), path))
        };
        let others = ignoring.differs.iter().filter(|differs| !is_known(differs));
        problems.extend(others.map(|(object, paths)| format!("{strategy}: {object} differs, if ignored: {paths:?}")));
        for (seen, written) in [(&answer.differs, &answer.attempted), (&ignoring.differs, &ignoring.attempted)] {
            let (seen, written): (BTreeSet<_>, BTreeSet<_>) =
                (seen.keys().collect(), written.iter().flatten().collect());
            if seen != written {
                problems.push(format!("{strategy}: applies {written:?}, but {seen:?} differ"));
            }
        }
        let listed = |answer: &Answer| {
            let objects = answer.differs.iter();
            let label = |(object, paths): (&String, &Vec<String>)| {
                let manifest = manifest(object);
                paths.iter().map(|path| label(manifest, path)).collect::<Vec<_>>()
            };
            let labels: BTreeSet<String> = objects.flat_map(label).collect();
            if labels.is_empty() { "nothing".to_owned() } else { Vec::from_iter(labels).join(", ") }
        };
        let cells = [controller, how, &all.len().to_string(), "nothing", &listed(&answer), &listed(&ignoring)];
        results::row(Table::GitOps, place, &cells.map(str::to_owned));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// All samples, each in a new namespace.
fn in_namespaces(environment: &Environment, strategy: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut namespaces = Vec::new();
    for (number, mut objects) in samples().into_iter().enumerate() {
        let namespace = format!("{strategy}-{number}");
        objects.iter_mut().for_each(|object| object["metadata"]["namespace"] = json!(namespace));
        namespaces.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        all.extend(objects);
    }
    environment.cluster.must(&["create", "-f", "-"], &list(&namespaces));
    all
}

/// The name of an object in an answer.
fn key(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap();
    format!("{}/{}/{}", text("/metadata/namespace"), text("/kind"), text("/metadata/name"))
}

/// Whether a path leads into a field that can be overwritten, and a manifest states it.
fn is_stated(manifest: &Value, path: &str, overwritten: &[Value]) -> bool {
    let pointers = overwritten.iter().filter(|field| field["kind"] == manifest["kind"]);
    let mut pointers = pointers.map(|field| field["paths"][0].as_str().unwrap());
    let is_empty = |value: &Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    pointers.any(|pointer| path.starts_with(pointer) && manifest.pointer(pointer).is_some_and(|value| !is_empty(value)))
}

/// A field that differs.
fn label(manifest: &Value, path: &str) -> String {
    let kind = manifest["kind"].as_str().unwrap();
    let note = if is_empty_at(manifest, path) { " (written as `{}`)" } else { "" };
    format!("{kind} `{path}`{note}")
}

/// Whether a manifest states an empty object, which the API server does not store, at a path.
fn is_empty_at(manifest: &Value, path: &str) -> bool {
    manifest.pointer(path).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty)
}

/// A live Deployment under server-side apply that becomes `Recreate`: the API server rejects it, unless it is mutated.
pub(crate) fn a_live_deployment_becomes_recreate(environment: &Environment) {
    let manifest = |namespace: &str, strategy: Option<&str>| {
        let mut deployment = Application::deployment("ReadWriteOncePod").objects.pop().unwrap();
        deployment["metadata"]["namespace"] = json!(namespace);
        let spec = deployment["spec"].as_object_mut().unwrap();
        spec.remove("strategy");
        if let Some(strategy) = strategy {
            spec.insert("strategy".to_owned(), json!({"type": strategy}));
        }
        deployment
    };
    let appliers = [
        ("kubectl", "`kubectl apply --server-side`"),
        ("argo-server-side", "Argo CD, `ServerSideApply=true`"),
        ("flux", "Flux"),
    ];
    let apply = |applier: &str, object: Value| -> Result<(), String> {
        if applier == "kubectl" {
            let arguments = ["apply", "--server-side", "-f", "-"];
            let Ran { code, stderr, .. } = environment.cluster.kubectl(&arguments, &object.to_string());
            return if code == 0 { Ok(()) } else { Err(stderr) };
        }
        let answer = reconcile(environment, applier, &[vec![object]], &[]);
        answer.rejected.into_values().next().map_or(Ok(()), Err)
    };
    for (place, (applier, how)) in appliers.into_iter().enumerate() {
        let [without, with] = ["without", "with"].map(|name| format!("trap-{applier}-{name}"));
        for namespace in [&without, &with] {
            // No webhook has settings of this name.
            environment.namespace_with(namespace, "unchecked");
            apply(applier, manifest(namespace, None)).unwrap();
        }
        environment.cluster.must(&["label", "namespace", &with, &format!("{SETTINGS}-")], "");
        environment.wait_until_checked(&with);
        let error = apply(applier, manifest(&without, Some("Recreate"))).unwrap_err();
        assert!(error.contains("spec.strategy.rollingUpdate: Forbidden"), "{error}");
        apply(applier, manifest(&with, Some("Recreate"))).unwrap();
        let get = ["get", "deployment", "ledger", "-o=jsonpath={.spec.strategy}"];
        assert_eq!(environment.must(&with, &get, ""), r#"{"type":"Recreate"}"#);
        let cells = [how, "rejected: `spec.strategy.rollingUpdate: Forbidden`", "stored, without `rollingUpdate`"];
        results::row(Table::Trap, place, &cells.map(str::to_owned));
    }
}
