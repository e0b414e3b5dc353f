//! The conditions under which the API server asks, evaluated outside of it.

use std::fs;

use cel::{Context, Env, Program, Value as CelValue};
use serde_json::{Value, json};
use sqledge_ha::install::match_conditions::match_conditions;
use sqledge_ha_policy::cluster::NoCluster;
use sqledge_ha_policy::kind::group_of;
use sqledge_ha_policy::review::validate;
use sqledge_ha_policy::settings::Settings;

use crate::corpus;
use crate::shared::objects;

/// Conditions, compiled.
struct Conditions(Vec<Program>);

thread_local! {
    /// Those for [`strict`], which takes longer than their evaluation.
    static STRICT: Conditions = Conditions::of(&Settings::from_value(&strict()).unwrap());
}

impl Conditions {
    fn of(settings: &Settings) -> Self {
        let environment = Env::stdlib().with_optional_support(true);
        let conditions = match_conditions(settings);
        let compiled = |condition: &Value| environment.compile(condition["expression"].as_str().unwrap()).unwrap();
        Conditions(conditions.as_array().unwrap().iter().map(compiled).collect())
    }

    /// Whether a request is sent: every condition is true.
    fn hold(&self, request: &Value) -> bool {
        let mut context = Context::default();
        context.add_variable("request", request.clone()).unwrap();
        context.add_variable("object", request["object"].clone()).unwrap();
        context.add_variable("oldObject", request["oldObject"].clone()).unwrap();
        let holds = |program: &Program| match program.execute(&context) {
            Ok(CelValue::Bool(holds)) => holds,
            other => panic!("{other:?} of {program:?} for {request}"),
        };
        // Each is evaluated, whatever the others say: none may go wrong.
        let held: Vec<bool> = self.0.iter().map(holds).collect();
        !held.contains(&false)
    }
}

fn is_sent(settings: &Settings, request: &Value) -> bool {
    Conditions::of(settings).hold(request)
}

/// The request that creates an object, or changes `old` into it.
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

fn is_created_with_a_word(settings: &Settings, object: &Value) -> bool {
    is_sent(settings, &request(object, None))
}

/// All engines are governed, so that the rules speak up as often as they can.
fn strict() -> Value {
    json!({"engines": ["sql-edge", "sql-server"]})
}

#[test]
fn whatever_the_rules_say_of_a_created_object_is_sent() {
    let sent = of_the_corpus().iter().filter(|object| assert_spoken_of_is_sent(&request(object, None))).count();
    assert!(sent > 100, "{sent}");
}

#[test]
fn whatever_the_rules_say_of_a_changed_object_is_sent() {
    let (mut sent, mut kept) = (0, 0);
    for object in of_the_corpus() {
        for (old, new) in changes(&object) {
            match assert_spoken_of_is_sent(&request(&new, Some(&old))) {
                true => sent += 1,
                false => kept += 1,
            }
        }
    }
    assert!(sent > 500 && kept > 100, "{sent} sent, {kept} not");
}

/// Every change of an object that turns on what the rules look at, there and back.
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

/// Takes the engine out, wherever it stands.
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

/// The objects of all manifests of the corpus, those in Lists one by one.
fn of_the_corpus() -> Vec<Value> {
    let mut found = Vec::new();
    for folder in fs::read_dir(corpus::folder()).unwrap().map(|entry| entry.unwrap().path()) {
        for part in ["pass", "fail"] {
            let Ok(files) = fs::read_dir(folder.join(part)) else { continue };
            let texts = files.filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok());
            found.extend(texts.flat_map(|text| whole(&objects(&text))));
        }
    }
    found
}

/// The objects, those in Lists one by one. Only what has the shape that the API server lets through counts.
fn whole(objects: &[Value]) -> Vec<Value> {
    let items = |object: &Value| match object["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![object.clone()],
    };
    let is_an_object = |object: &Value| object["kind"].is_string() && object["spec"].is_object();
    objects.iter().flat_map(items).filter(is_an_object).collect()
}

/// Whether a request is sent, which it is if the rules speak up.
fn assert_spoken_of_is_sent(request: &Value) -> bool {
    let payload = json!({"request": request, "settings": strict()});
    let verdict = validate(payload.to_string().as_bytes(), &NoCluster);
    let is_sent = STRICT.with(|conditions| conditions.hold(request));
    let spoke = verdict != sqledge_ha_policy::verdict::Verdict::accept();
    assert!(!spoke || is_sent, "{request}: {verdict:?}");
    is_sent
}

#[test]
fn an_engine_is_noticed_wherever_a_pod_may_stand() {
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
        let sent = |container: Value| is_created_with_a_word(&settings, &of(container));
        assert!(sent(json!({"image": "mcr.microsoft.com/azure-sql-edge:1.0.7"})), "{kind}");
        assert!(sent(json!({"image": "registry:5000/mssql/server@sha256:00"})), "{kind}");
        assert!(
            sent(json!({"image": "ours", "env": [{"name": "TZ"}, {"name": "ACCEPT_EULA", "value": "Y"}]})),
            "{kind}"
        );
        assert!(!sent(json!({"image": "nginx", "env": [{"name": "TZ", "value": "ACCEPT_EULA"}]})), "{kind}");
        let sidecar =
            json!({"containers": [], "initContainers": [{"image": "azure-sql-edge", "restartPolicy": "Always"}]});
        assert!(is_created_with_a_word(&settings, &shapes[shape](group, kind, sidecar)), "{kind}");
    }
}

#[test]
fn images_of_the_settings_are_noticed() {
    let settings = json!({"images": [{"repository": "team/it's", "engine": "sql-edge"}]});
    let settings = Settings::from_value(&settings).unwrap();
    let pod = |image: &str| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": image}]}});
    assert!(is_created_with_a_word(&settings, &pod("r.io/team/it's:1")));
    assert!(!is_created_with_a_word(&settings, &pod("r.io/team/its:1")));
}

#[test]
fn what_is_absent_or_null_has_an_answer() {
    let settings = Settings::default();
    for spec in [
        json!(null),
        json!({}),
        json!({"template": null}),
        json!({"template": {"metadata": {"creationTimestamp": null}, "spec": {"containers": null}}}),
        json!({"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql"}}),
        json!({"template": {"spec": {"containers": [{"image": null, "env": null}, {}, null]}}}),
        json!({"template": {"spec": {"containers": [{"env": [{}, {"name": null}]}], "initContainers": []}}}),
    ] {
        let rollout = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "spec": spec});
        assert!(!is_created_with_a_word(&settings, &rollout), "{rollout}");
    }
    for object in [
        json!({"apiVersion": "v1", "kind": "Service"}),
        json!({"apiVersion": "v1", "kind": "Service", "spec": {"selector": {}}}),
        json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": "ExternalName", "externalName": "a.b"}}),
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {}}),
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale"}),
    ] {
        assert!(!is_created_with_a_word(&settings, &object), "{object}");
    }
}

#[test]
fn what_a_controller_creates_is_never_held_up() {
    let settings = Settings::default();
    let owned = |owner: Value| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"ownerReferences": [owner]},
            "spec": {"containers": [{"image": "azure-sql-edge"}]}});
        !is_created_with_a_word(&settings, &pod)
    };
    for (group, kind) in [
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("v1", "ReplicationController"),
        ("batch/v1", "Job"),
        ("serving.knative.dev/v1", "Revision"),
    ] {
        assert!(owned(json!({"apiVersion": group, "kind": kind, "controller": true})), "{kind}");
        assert!(!owned(json!({"apiVersion": group, "kind": kind})), "{kind}");
        assert!(!owned(json!({"apiVersion": group, "kind": kind, "controller": false})), "{kind}");
    }
    assert!(!owned(json!({"apiVersion": "example.com/v1", "kind": "ReplicaSet", "controller": true})));
    assert!(!owned(json!({"apiVersion": "v1", "kind": "ReplicaSet", "controller": true})));
}

#[test]
fn what_is_deleted_scaled_down_or_left_as_it_was_passes() {
    let settings = Settings::default();
    let deployment = |metadata: Value| {
        let template = json!({"spec": {"containers": [{"image": "azure-sql-edge"}]}});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}})
    };
    assert!(is_created_with_a_word(&settings, &deployment(json!({}))));
    assert!(!is_created_with_a_word(&settings, &deployment(json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}))));

    let scale =
        |replicas: i32| json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": replicas}});
    let sent = [0, 1, 2, 300].map(|replicas| is_created_with_a_word(&settings, &scale(replicas)));
    assert_eq!(sent, [false, false, true, true]);

    let service =
        |spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sql"}, "spec": spec});
    let (selects, balances) =
        (json!({"selector": {"app": "sql"}}), json!({"type": "LoadBalancer", "selector": {"app": "sql"}}));
    assert!(is_created_with_a_word(&settings, &service(selects.clone())));
    let changed =
        |old: &Value, new: &Value| is_sent(&settings, &request(&service(new.clone()), Some(&service(old.clone()))));
    assert!(changed(&balances, &selects), "the load balancer is taken away");
    assert!(changed(&balances, &json!({"type": "ClusterIP"})), "nothing is selected any more");
    assert!(!changed(&balances, &balances), "a controller writes a finalizer");
}
