//! The match conditions, evaluated without an API server.

use std::fs;

use cel::{Context, Env, Program, Value as CelValue};
use serde_json::{Value, json};
use sqledge_ha::install::match_conditions::match_conditions;
use sqledge_ha::install::requests::Requests;
use sqledge_ha_policy::admission::review::validate;
use sqledge_ha_policy::kubernetes::group_of;
use sqledge_ha_policy::rules::parse_settings;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::cluster::NoCluster;

use crate::corpus;
use crate::shared::objects;

/// Compiled conditions, of webhooks for all requests and for each kind.
struct Conditions(Vec<(Requests, Vec<Program>)>);

thread_local! {
    /// The conditions for [`strict`], cached because compiling takes longer than evaluating.
    static STRICT: Conditions = Conditions::new(&parse_settings(&strict()).unwrap());
}

impl Conditions {
    fn new(settings: &Settings) -> Self {
        let environment = Env::stdlib().with_optional_support(true);
        let compiled = |condition: &Value| environment.compile(condition["expression"].as_str().unwrap()).unwrap();
        let conditions = |requests| {
            let conditions = match_conditions(requests, settings);
            (requests, conditions.as_array().unwrap().iter().map(compiled).collect())
        };
        Conditions([Requests::All].into_iter().chain(Requests::SEPARATE).map(conditions).collect())
    }

    /// Whether the API server sends a request: all conditions are true.
    fn hold(&self, request: &Value) -> bool {
        let mut context = Context::default();
        context.add_variable("request", request.clone()).unwrap();
        context.add_variable("object", request["object"].clone()).unwrap();
        context.add_variable("oldObject", request["oldObject"].clone()).unwrap();
        let holds = |program: &Program| match program.execute(&context) {
            Ok(CelValue::Bool(holds)) => holds,
            other => panic!("{other:?} of {program:?} for {request}"),
        };
        let kind = match (request["kind"]["group"].as_str().unwrap(), request["kind"]["kind"].as_str()) {
            ("autoscaling", Some("Scale")) => Requests::Scale,
            ("", Some("Service")) => Requests::Services,
            (
                "" | "autoscaling" | "policy" | "keda.sh" | "autoscaling.k8s.io",
                Some(
                    "PersistentVolumeClaim"
                    | "HorizontalPodAutoscaler"
                    | "PodDisruptionBudget"
                    | "ScaledObject"
                    | "VerticalPodAutoscaler",
                ),
            ) => Requests::Related,
            ("argoproj.io", _) if request["object"]["spec"]["workloadRef"].is_object() => Requests::Related,
            _ => Requests::Workloads,
        };
        let of_kind = self.0.iter().filter(|(requests, _)| [Requests::All, kind].contains(requests));
        let all_hold = |(_, conditions): &(Requests, Vec<Program>)| {
            // All are evaluated, because none may have an error.
            let held: Vec<bool> = conditions.iter().map(holds).collect();
            !held.contains(&false)
        };
        let both: Vec<bool> = of_kind.map(all_hold).collect();
        assert!(both.len() == 2 && both[0] == both[1], "the conditions for {kind:?} differ: {request}");
        both[0]
    }
}

fn is_sent(settings: &Settings, request: &Value) -> bool {
    Conditions::new(settings).hold(request)
}

/// The request that creates an object, or updates `old` to it.
fn request(object: &Value, old: Option<&Value>) -> Value {
    let group = group_of(object["apiVersion"].as_str().unwrap_or_default());
    let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.entry("metadata").or_insert(json!({}));
    }
    json!({"operation": operation, "kind": {"group": group, "version": "v1", "kind": object["kind"]},
        "object": object, "oldObject": old})
}

fn creation_is_sent(settings: &Settings, object: &Value) -> bool {
    is_sent(settings, &request(object, None))
}

/// All engines are selected, for as many findings as possible.
fn strict() -> Value {
    json!({"engines": ["sql-edge", "sql-server"]})
}

#[test]
fn created_objects_with_findings_are_sent() {
    let sent = corpus_objects().iter().filter(|object| assert_findings_are_sent(&request(object, None))).count();
    assert!(sent > 100, "{sent}");
}

#[test]
fn updated_objects_with_findings_are_sent() {
    let (mut sent, mut kept) = (0, 0);
    for object in corpus_objects() {
        for (old, new) in changes(&object) {
            match assert_findings_are_sent(&request(&new, Some(&old))) {
                true => sent += 1,
                false => kept += 1,
            }
        }
    }
    assert!(sent > 500 && kept > 100, "{sent} sent, {kept} not");
}

/// Changes of fields that the rules read, in both directions.
fn changes(object: &Value) -> Vec<(Value, Value)> {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = object.clone();
        change(&mut changed);
        changed
    };
    let others = [
        with(&|changed| changed["metadata"] = json!({"labels": {"new": "label"}})),
        with(&|changed| changed["spec"] = json!({})),
        with(&|changed| changed["spec"]["replicas"] = json!(3)),
        with(&|changed| changed["spec"]["selector"] = json!({})),
        with(&|changed| changed["spec"]["type"] = json!("NodePort")),
        with(&without_an_engine),
        with(&|changed| {
            without_an_engine(changed);
            changed["spec"]["replicas"] = json!(3);
        }),
    ];
    others.into_iter().flat_map(|other| [(object.clone(), other.clone()), (other, object.clone())]).collect()
}

/// Replaces the images and removes the environment of all containers.
fn without_an_engine(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.contains_key("image") {
                members.insert("image".to_owned(), json!("web:1"));
                members.remove("env");
            }
            members.values_mut().for_each(without_an_engine);
        }
        Value::Array(items) => items.iter_mut().for_each(without_an_engine),
        _ => {}
    }
}

/// The objects of all manifests of the corpus, including those in Lists.
fn corpus_objects() -> Vec<Value> {
    let mut found = Vec::new();
    for folder in fs::read_dir(corpus::folder()).unwrap().map(|entry| entry.unwrap().path()) {
        for part in ["pass", "fail"] {
            let Ok(files) = fs::read_dir(folder.join(part)) else { continue };
            let texts = files.filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok());
            found.extend(texts.flat_map(|text| valid_objects(&objects(&text))));
        }
    }
    found
}

/// The objects, including those in Lists, without those that the API server would reject.
fn valid_objects(objects: &[Value]) -> Vec<Value> {
    let items = |object: &Value| match object["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![object.clone()],
    };
    let is_an_object = |object: &Value| object["kind"].is_string() && object["spec"].is_object();
    objects.iter().flat_map(items).filter(is_an_object).collect()
}

/// Whether a request is sent. It must be sent if there are findings.
fn assert_findings_are_sent(request: &Value) -> bool {
    let payload = json!({"request": request, "settings": strict()});
    let verdict = validate(payload.to_string().as_bytes(), &NoCluster);
    let is_sent = STRICT.with(|conditions| conditions.hold(request));
    let has_findings = verdict != sqledge_ha_policy::admission::verdict::Verdict::allow();
    assert!(!has_findings || is_sent, "{request}: {verdict:?}");
    is_sent
}

#[test]
fn databases_in_all_kinds_of_workloads_are_sent() {
    let settings = Settings::default();
    let pod = |container: Value| json!({"containers": [{"name": "web", "image": "web"}, container]});
    let shapes: [fn(&str, &str, Value) -> Value; 4] = [
        |group, kind, pod| json!({"apiVersion": group, "kind": kind, "spec": pod}),
        |group, kind, pod| json!({"apiVersion": group, "kind": kind, "spec": {"template": {"spec": pod}}}),
        |group, kind, pod| json!({"apiVersion": group, "kind": kind, "template": {"spec": pod}}),
        |group, kind, pod| json!({"apiVersion": group, "kind": kind, "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}),
    ];
    let kinds = [
        ("v1", "Pod", 0),
        ("apps/v1", "Deployment", 1),
        ("apps/v1", "StatefulSet", 1),
        ("apps/v1", "DaemonSet", 1),
        ("apps/v1", "ReplicaSet", 1),
        ("v1", "ReplicationController", 1),
        ("batch/v1", "Job", 1),
        ("argoproj.io/v1alpha1", "Rollout", 1),
        ("apps.openshift.io/v1", "DeploymentConfig", 1),
        ("serving.knative.dev/v1", "Service", 1),
        ("v1", "PodTemplate", 2),
        ("batch/v1", "CronJob", 3),
    ];
    for (group, kind, shape) in kinds {
        let of = |container: Value| shapes[shape](group, kind, pod(container));
        let sent = |container: Value| creation_is_sent(&settings, &of(container));
        assert!(sent(json!({"image": "mcr.microsoft.com/azure-sql-edge:1.0.7"})), "{kind}");
        assert!(sent(json!({"image": "registry:5000/mssql/server@sha256:00"})), "{kind}");
        assert!(
            sent(json!({"image": "ours", "env": [{"name": "TZ"}, {"name": "ACCEPT_EULA", "value": "Y"}]})),
            "{kind}"
        );
        assert!(!sent(json!({"image": "nginx", "env": [{"name": "TZ", "value": "ACCEPT_EULA"}]})), "{kind}");
        let sidecar =
            json!({"containers": [], "initContainers": [{"image": "azure-sql-edge", "restartPolicy": "Always"}]});
        assert!(creation_is_sent(&settings, &shapes[shape](group, kind, sidecar)), "{kind}");
    }
}

#[test]
fn images_in_the_settings_are_sent() {
    let settings = json!({"images": [{"repository": "team/it's", "engine": "sql-edge"}]});
    let settings = parse_settings(&settings).unwrap();
    let pod = |image: &str| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": image}]}});
    assert!(creation_is_sent(&settings, &pod("r.io/team/it's:1")));
    assert!(!creation_is_sent(&settings, &pod("r.io/team/its:1")));
}

#[test]
fn a_rollout_that_runs_other_pods_is_sent() {
    let spec = json!({"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql"}});
    let rollout = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "spec": spec});
    assert!(creation_is_sent(&Settings::default(), &rollout));
}

#[test]
fn missing_and_null_fields_are_no_errors() {
    let settings = Settings::default();
    for spec in [
        json!(null),
        json!({}),
        json!({"template": null}),
        json!({"template": {"metadata": {"creationTimestamp": null}, "spec": {"containers": null}}}),
        json!({"template": {"spec": {"containers": [{"image": null, "env": null}, {}, null]}}}),
        json!({"template": {"spec": {"containers": [{"env": [{}, {"name": null}]}], "initContainers": []}}}),
    ] {
        let rollout = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "spec": spec});
        assert!(!creation_is_sent(&settings, &rollout), "{rollout}");
    }
    for object in [
        json!({"apiVersion": "v1", "kind": "Service"}),
        json!({"apiVersion": "v1", "kind": "Service", "spec": {"selector": {}}}),
        json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": "ExternalName", "externalName": "a.b"}}),
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {}}),
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale"}),
    ] {
        assert!(!creation_is_sent(&settings, &object), "{object}");
    }
}

#[test]
fn objects_of_checked_controllers_are_not_sent() {
    let settings = Settings::default();
    let spec = json!({"containers": [{"image": "azure-sql-edge"}]});
    let owned = |owner: Value| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"ownerReferences": [owner]}, "spec": spec});
        !creation_is_sent(&settings, &pod)
    };
    let deployment_of = |owner: Value| {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"ownerReferences": [owner]},
            "spec": {"template": {"spec": spec}}});
        !creation_is_sent(&settings, &object)
    };
    let controller = |group: &str, kind: &str| json!({"apiVersion": group, "kind": kind, "controller": true});
    assert!(deployment_of(controller("serving.knative.dev/v1", "Revision")));
    assert!(!deployment_of(controller("serving.knative.dev/v1", "Service")));
    assert!(!deployment_of(controller("apps/v1", "Deployment")), "of an operator");
    for (group, kind) in [
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("v1", "ReplicationController"),
        ("batch/v1", "Job"),
    ] {
        assert!(owned(json!({"apiVersion": group, "kind": kind, "controller": true})), "{kind}");
        assert!(!owned(json!({"apiVersion": group, "kind": kind})), "{kind}");
        assert!(!owned(json!({"apiVersion": group, "kind": kind, "controller": false})), "{kind}");
    }
    assert!(!owned(json!({"apiVersion": "example.com/v1", "kind": "ReplicaSet", "controller": true})));
    assert!(!owned(json!({"apiVersion": "v1", "kind": "ReplicaSet", "controller": true})));
}

#[test]
fn deleted_scaled_down_and_unchanged_objects_are_not_sent() {
    let settings = Settings::default();
    let deployment = |metadata: Value| {
        let template = json!({"spec": {"containers": [{"image": "azure-sql-edge"}]}});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}})
    };
    assert!(creation_is_sent(&settings, &deployment(json!({}))));
    let terminating = deployment(json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}));
    assert!(creation_is_sent(&settings, &terminating), "the API server clears the time");
    assert!(!is_sent(&settings, &request(&terminating, Some(&deployment(json!({}))))));

    let scale =
        |replicas: i32| json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": replicas}});
    let sent = [0, 1, 2, 300].map(|replicas| creation_is_sent(&settings, &scale(replicas)));
    assert_eq!(sent, [false, false, true, true]);

    let service =
        |spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql"}, "spec": spec});
    let (selects, balances) =
        (json!({"selector": {"app": "sql"}}), json!({"type": "LoadBalancer", "selector": {"app": "sql"}}));
    assert!(creation_is_sent(&settings, &service(selects.clone())));
    let changed =
        |old: &Value, new: &Value| is_sent(&settings, &request(&service(new.clone()), Some(&service(old.clone()))));
    assert!(changed(&balances, &selects), "no longer a LoadBalancer");
    assert!(changed(&balances, &json!({"type": "ClusterIP"})), "no longer a selector");
    assert!(!changed(&balances, &balances), "a controller writes a finalizer");
}
