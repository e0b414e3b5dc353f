//! When rules are asked, and what becomes of their findings: the principles of a decision, one test each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected should fail on the spot"
)]

#[allow(dead_code, reason = "each test binary uses its own part of the world")]
mod world;

use serde_json::{Value, json};
use sqledge_ha_policy::cluster::NoCluster;
use sqledge_ha_policy::finding::{Edit, apply};
use sqledge_ha_policy::objects::Objects;
use sqledge_ha_policy::review::validate;
use sqledge_ha_policy::verdict::{LONGEST_WARNING, Verdict};

use world::{deployment, right_world, service, stateful_set};

/// A request about `object`; `old` makes it an UPDATE.
fn request(object: &Value, old: Option<&Value>) -> Value {
    let (group, version) = match object["apiVersion"].as_str().unwrap().split_once('/') {
        Some((group, version)) => (group, version),
        None => ("", object["apiVersion"].as_str().unwrap()),
    };
    json!({
        "uid": "1", "operation": if old.is_some() { "UPDATE" } else { "CREATE" }, "namespace": "default",
        "kind": {"group": group, "version": version, "kind": object["kind"]},
        "name": object["metadata"]["name"], "object": object, "oldObject": old,
    })
}

fn decide(request: &Value, settings: Value, world: &Objects<'_>) -> Verdict {
    validate(json!({"request": request, "settings": settings}).to_string().as_bytes(), world)
}

fn create(object: &Value) -> Verdict {
    let others = right_world();
    decide(&request(object, None), json!({}), &Objects::open(&others))
}

fn update(old: &Value, new: &Value) -> Verdict {
    let others = right_world();
    decide(&request(new, Some(old)), json!({}), &Objects::open(&others))
}

fn with(object: &Value, changes: &[(&str, Value)]) -> Value {
    let mut object = object.clone();
    for (pointer, value) in changes {
        let edit = Edit::Set { pointer: (*pointer).to_owned(), value: value.clone() };
        apply(&mut object, &[edit]).expect("the change fits the object");
    }
    object
}

const SELECTOR: &str = "/spec/template/spec/nodeSelector";
const REPLICAS: &str = "/spec/replicas";

fn annotation<'v>(verdict: &'v Verdict, key: &str) -> &'v str {
    verdict.audit_annotations.iter().find(|(known, _)| *known == key).map_or("", |(_, value)| value)
}

#[test]
fn a_right_object_passes_without_a_word() {
    for object in [deployment(), stateful_set(), service()] {
        assert_eq!(create(&object), Verdict::accept(), "{object}");
    }
}

#[test]
fn omissions_are_mended_contradictions_refused_and_advice_is_a_warning() {
    let omission = create(&with(&deployment(), &[(SELECTOR, json!(null))]));
    assert!(omission.accepted);
    assert_eq!(
        omission.mutated_object.as_ref().unwrap().pointer(SELECTOR),
        Some(&json!({"kubernetes.io/arch": "amd64"}))
    );
    assert_eq!(annotation(&omission, "mended"), "amd64-node-selector");
    let contradiction = create(&with(&deployment(), &[(SELECTOR, json!({"kubernetes.io/arch": "arm64"}))]));
    assert_eq!((contradiction.accepted, contradiction.code), (false, Some(403)));
    assert!(contradiction.mutated_object.is_none());
    assert_eq!(annotation(&contradiction, "refused"), "amd64-node-selector");
    let advice = create(&with(&deployment(), &[(REPLICAS, json!(0))]));
    assert!(advice.accepted && advice.mutated_object.is_none());
    assert!(advice.warnings[0].starts_with("single-replica: "), "{advice:?}");
}

#[test]
fn settings_override_the_action_of_each_rule() {
    let object = with(&deployment(), &[(SELECTOR, json!(null))]);
    let others = right_world();
    let with_action = |action: &str| {
        let settings = json!({"rules": {"amd64-node-selector": action}});
        decide(&request(&object, None), settings, &Objects::open(&others))
    };
    assert!(with_action("mutate").mutated_object.is_some());
    assert!(!with_action("reject").accepted);
    assert_eq!(annotation(&with_action("warn"), "warned"), "amd64-node-selector");
    assert_eq!(with_action("off"), Verdict::accept());
}

#[test]
fn validate_mode_refuses_what_it_would_have_mended() {
    let object = with(&deployment(), &[(SELECTOR, json!(null))]);
    let others = right_world();
    let verdict = decide(&request(&object, None), json!({"mode": "validate"}), &Objects::open(&others));
    assert!(!verdict.accepted && verdict.mutated_object.is_none());
}

#[test]
fn a_pod_template_is_mended_only_when_the_request_changes_it() {
    let old = with(&deployment(), &[(SELECTOR, json!(null)), ("/spec/strategy", json!({}))]);
    let untouched = update(&old, &with(&old, &[("/spec/minReadySeconds", json!(5))]));
    let mended = untouched.mutated_object.expect("the strategy is outside the template");
    assert_eq!(mended["spec"]["strategy"]["type"], "Recreate");
    assert_eq!(mended.pointer(SELECTOR), Some(&Value::Null));
    assert!(untouched.warnings.iter().any(|line| line.starts_with("amd64-node-selector: ")));
    let rollout = update(&old, &with(&old, &[("/spec/template/metadata/annotations/restarted", json!("now"))]));
    assert_eq!(
        rollout.mutated_object.unwrap().pointer("/spec/template/spec/nodeSelector/kubernetes.io~1arch"),
        Some(&json!("amd64"))
    );
}

#[test]
fn immutable_fields_are_mended_on_create_only() {
    let pod = |labels: Value| {
        let template = deployment()["spec"]["template"].clone();
        let spec = with(&template["spec"], &[("/nodeSelector", json!(null))]);
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sql", "labels": labels}, "spec": spec})
    };
    let off = json!({"rules": {"steady-controller": "off", "load-balancer-service": "off"}});
    let old = pod(json!({"app": "sql"}));
    let created = decide(&request(&old, None), off.clone(), &Objects::default());
    assert!(created.mutated_object.is_some());
    let new = with(&old, &[("/spec/containers/0/image", json!("mcr.microsoft.com/azure-sql-edge:1.0.6"))]);
    let updated = decide(&request(&new, Some(&old)), off, &Objects::default());
    assert!(updated.accepted && updated.mutated_object.is_none() && !updated.warnings.is_empty(), "{updated:?}");
}

#[test]
fn only_what_an_update_changes_is_judged() {
    let wrong = with(&deployment(), &[(REPLICAS, json!(3)), (SELECTOR, json!({"kubernetes.io/arch": "arm64"}))]);
    let label = with(&wrong, &[("/metadata/labels/team", json!("a")), ("/status/replicas", json!(3))]);
    assert_eq!(update(&wrong, &label), Verdict::accept());
    // What stood before is a warning; what is new is refused.
    let other = update(&wrong, &with(&wrong, &[("/spec/minReadySeconds", json!(1))]));
    assert!(other.accepted, "{other:?}");
    assert_eq!(annotation(&other, "warned"), "single-replica,amd64-node-selector");
    let worse = update(&wrong, &with(&wrong, &[("/spec/template/spec/nodeName", json!("n1"))]));
    assert!(!worse.accepted);
    assert_eq!(annotation(&worse, "refused"), "unpinned-node");
}

#[test]
fn values_that_are_equal_but_written_otherwise_are_no_change() {
    let wrong = with(&deployment(), &[(REPLICAS, json!(3))]);
    let (new, old) = (wrong.to_string(), serde_json::to_string_pretty(&wrong).unwrap());
    let payload = format!(
        r#"{{"request":{{"operation":"UPDATE","kind":{{"group":"apps","version":"v1","kind":"Deployment"}},"object":{new},"oldObject":{old}}}}}"#
    );
    assert_eq!(validate(payload.as_bytes(), &NoCluster), Verdict::accept());
}

#[test]
fn what_leaves_is_let_go() {
    let wrong = with(&deployment(), &[(REPLICAS, json!(3))]);
    let mut delete = request(&wrong, None);
    delete["operation"] = json!("DELETE");
    (delete["oldObject"], delete["object"]) = (wrong.clone(), Value::Null);
    assert_eq!(decide(&delete, json!({}), &Objects::default()), Verdict::accept());
    let terminating = with(&wrong, &[("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"))]);
    assert_eq!(create(&terminating), Verdict::accept());
}

#[test]
fn subresources_other_than_scale_are_not_judged() {
    let wrong = with(&deployment(), &[(REPLICAS, json!(3))]);
    let mut status = request(&wrong, Some(&deployment()));
    status["subResource"] = json!("status");
    assert_eq!(decide(&status, json!({}), &Objects::default()), Verdict::accept());
}

#[test]
fn children_of_judged_owners_are_accepted_without_a_word() {
    let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql", "uid": "1", "controller": true}]);
    let child = with(
        &deployment(),
        &[("/kind", json!("ReplicaSet")), (REPLICAS, json!(3)), ("/metadata/ownerReferences", owner)],
    );
    assert_eq!(create(&child), Verdict::accept());
    let stray = with(&child, &[("/metadata/ownerReferences/0/controller", json!(false))]);
    assert!(!create(&stray).accepted);
}

#[test]
fn absence_is_proof_only_in_a_closed_world() {
    let one_by_one = decide(&request(&deployment(), None), json!({}), &Objects::default());
    assert!(one_by_one.accepted);
    assert_eq!(annotation(&one_by_one, "warned"), "load-balancer-service");
    // The audit scanner creates what exists.
    let live = with(&deployment(), &[("/metadata/resourceVersion", json!("5"))]);
    let audited = decide(&request(&live, None), json!({}), &Objects::default());
    assert_eq!(annotation(&audited, "refused"), "load-balancer-service");
    let unmended = with(&live, &[(SELECTOR, json!(null))]);
    let others = right_world();
    let audited = decide(&request(&unmended, None), json!({}), &Objects::open(&others));
    assert!(!audited.accepted && audited.mutated_object.is_none(), "a scanner patches nothing: {audited:?}");
}

#[test]
fn without_permission_rules_stay_silent_and_say_so_in_the_audit_log() {
    for object in [deployment(), service()] {
        let object =
            if object["kind"] == "Service" { with(&object, &[("/spec/type", json!("ClusterIP"))]) } else { object };
        let payload = json!({"request": request(&object, None)}).to_string();
        let verdict = validate(payload.as_bytes(), &NoCluster);
        assert!(verdict.accepted && verdict.warnings.is_empty() && verdict.mutated_object.is_none(), "{verdict:?}");
        assert!(annotation(&verdict, "unchecked").contains("there is no cluster to ask"));
    }
}

#[test]
fn a_refusal_lists_every_reason_and_no_environment_value() {
    let secret = json!([{"name": "MSSQL_SA_PASSWORD", "value": "hunter2hunter2"}, {"name": "MSSQL_DATA_DIR", "value": "/hunter2"}]);
    let wrong = with(
        &deployment(),
        &[
            (REPLICAS, json!(3)),
            ("/spec/template/spec/containers/0/env", secret),
            ("/spec/template/spec/nodeName", json!("n")),
        ],
    );
    let verdict = create(&wrong);
    let message = verdict.message.clone().unwrap();
    for rule in ["single-replica", "persistent-data", "unpinned-node"] {
        assert!(message.contains(rule), "{message}");
    }
    assert!(!format!("{verdict:?}").contains("hunter2"), "{message}");
}

#[test]
fn scaling_is_judged_by_the_parent() {
    let scale = |replicas: i64| {
        let scale = |replicas: i64| json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "sql"}, "spec": {"replicas": replicas}});
        let mut request = request(&scale(replicas), Some(&scale(1)));
        request["subResource"] = json!("scale");
        request["resource"] = json!({"group": "apps", "version": "v1", "resource": "deployments"});
        request
    };
    let database = deployment();
    let world = Objects::open([&database]);
    assert!(!decide(&scale(2), json!({}), &world).accepted);
    assert_eq!(decide(&scale(0), json!({}), &Objects::default()), Verdict::accept(), "leaves before any look-up");
    assert_eq!(decide(&scale(1), json!({}), &Objects::default()), Verdict::accept());
    let unread = decide(&scale(2), json!({}), &Objects::default());
    assert!(unread.accepted && unread.warnings.len() == 1, "{unread:?}");
    let web = with(
        &database,
        &[
            ("/spec/template/spec/containers/0/image", json!("nginx")),
            ("/spec/template/spec/containers/0/env", json!([])),
        ],
    );
    assert_eq!(decide(&scale(2), json!({}), &Objects::open([&web])), Verdict::accept());
    let mut other = scale(2);
    other["resource"]["resource"] = json!("widgets");
    assert_eq!(decide(&other, json!({}), &Objects::default()), Verdict::accept());
}

#[test]
fn replicas_may_be_taken_down_step_by_step() {
    let scale = |replicas: i64| json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "sql"}, "spec": {"replicas": replicas}});
    let ask = |database: &Value, from: i64, to: i64| {
        let mut request = request(&scale(to), Some(&scale(from)));
        request["subResource"] = json!("scale");
        request["resource"] = json!({"group": "apps", "version": "v1", "resource": "deployments"});
        decide(&request, json!({}), &Objects::open([database]))
    };
    let down = ask(&deployment(), 5, 2);
    assert!(down.accepted && annotation(&down, "warned") == "single-replica", "{down:?}");
    assert!(!ask(&deployment(), 2, 5).accepted);
    let at = |replicas: i64| with(&deployment(), &[(REPLICAS, json!(replicas))]);
    assert!(update(&at(3), &at(2)).accepted && !update(&at(2), &at(9)).accepted);
    let windows = with(&deployment(), &[("/spec/template/spec/os/name", json!("windows"))]);
    assert_eq!(ask(&windows, 1, 2), Verdict::accept());
}

#[test]
fn what_stood_before_is_known_by_its_reason_and_not_by_its_position() {
    let volumes = "/spec/template/spec/volumes";
    let host_path = with(&deployment(), &[(volumes, json!([{"name": "data", "hostPath": {"path": "/sql"}}]))]);
    let empty_dir = with(&host_path, &[(volumes, json!([{"name": "data", "emptyDir": {}}]))]);
    assert!(!update(&host_path, &empty_dir).accepted);
    let mut sidecar = host_path.clone();
    let containers = sidecar["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
    containers.insert(0, json!({"name": "exporter", "image": "exporter"}));
    assert_eq!(annotation(&update(&host_path, &sidecar), "warned"), "persistent-data");
}

#[test]
fn a_service_that_nobody_judges_does_not_hide_the_lack() {
    let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "sql", "controller": true}]);
    let owned = with(&service(), &[("/spec/type", json!("NodePort")), ("/metadata/ownerReferences", owner)]);
    let database = deployment();
    let verdict = decide(&request(&database, None), json!({}), &Objects::closed([&database, &owned]));
    assert_eq!(annotation(&verdict, "refused"), "load-balancer-service");
}

#[test]
fn the_last_load_balancer_is_not_taken_away() {
    let (balancer, database) = (service(), deployment());
    let plain = with(&balancer, &[("/spec/type", json!("ClusterIP"))]);
    let world = Objects::open([&balancer, &database]);
    let taken = decide(&request(&plain, Some(&balancer)), json!({}), &world);
    assert_eq!(annotation(&taken, "refused"), "load-balancer-service");
    let other = with(&balancer, &[("/metadata/name", json!("second"))]);
    let world = Objects::open([&balancer, &database, &other]);
    assert_eq!(decide(&request(&plain, Some(&balancer)), json!({}), &world), Verdict::accept());
}

#[test]
fn every_pod_shaped_kind_is_judged_and_nothing_else() {
    let template =
        with(&deployment()["spec"]["template"], &[("/spec/nodeSelector", json!({"kubernetes.io/arch": "arm64"}))]);
    let plain = json!({"template": template});
    let cases = [
        ("apps/v1", "Deployment", plain.clone(), false),
        ("apps/v1beta1", "Deployment", plain.clone(), false),
        ("extensions/v1beta1", "Deployment", plain.clone(), false),
        ("apps/v1", "StatefulSet", plain.clone(), false),
        ("apps/v1", "DaemonSet", plain.clone(), false),
        ("apps/v1", "ReplicaSet", plain.clone(), false),
        ("v1", "ReplicationController", plain.clone(), false),
        ("v1", "Pod", template["spec"].clone(), false),
        ("batch/v1", "Job", plain.clone(), false),
        ("batch/v1", "CronJob", json!({"jobTemplate": {"spec": plain}}), false),
        ("argoproj.io/v1alpha1", "Rollout", plain.clone(), false),
        ("apps.openshift.io/v1", "DeploymentConfig", plain.clone(), false),
        ("serving.knative.dev/v1", "Service", plain.clone(), false),
        ("example.com/v1", "Deployment", plain.clone(), true),
        ("v1", "ConfigMap", plain, true),
    ];
    for (api_version, kind, spec, accepted) in cases {
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec});
        assert_eq!(create(&object).accepted, accepted, "{api_version} {kind}");
    }
    let alone = json!({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": template});
    assert!(!create(&alone).accepted);
}

#[test]
fn an_annotation_exempts_only_where_the_settings_allow_it() {
    let annotated = with(
        &deployment(),
        &[(REPLICAS, json!(3)), ("/metadata/annotations/sqledge-ha~1ignore", json!("single-replica, graceful-stop"))],
    );
    let others = right_world();
    let decide_with = |settings: Value| decide(&request(&annotated, None), settings, &Objects::open(&others));
    assert!(!decide_with(json!({})).accepted);
    assert_eq!(decide_with(json!({"exemptions": true})), Verdict::accept());
}

#[test]
fn engines_and_images_come_from_the_settings() {
    let image = |image: &str| {
        with(
            &deployment(),
            &[
                (REPLICAS, json!(3)),
                ("/spec/template/spec/containers/0/image", json!(image)),
                ("/spec/template/spec/containers/0/env", json!([])),
            ],
        )
    };
    let accepted =
        |image: &Value, settings: Value| decide(&request(image, None), settings, &Objects::default()).accepted;
    let server = image("mcr.microsoft.com/mssql/server:2022-latest");
    assert!(accepted(&server, json!({})));
    assert!(!accepted(&server, json!({"engines": ["sql-server"]})));
    let own = image("registry.example.com/team/edge:3");
    assert!(accepted(&own, json!({})));
    assert!(!accepted(&own, json!({"images": [{"repository": "team/edge", "engine": "sql-edge"}]})));
}

#[test]
fn what_cannot_be_read_is_refused_without_quoting_it() {
    let cases = [
        (&b"hunter2"[..], "the payload cannot be read"),
        (b"", "the payload cannot be read"),
        (b"[]", "the admission request cannot be read"),
        (b"{}", "the admission request cannot be read"),
        (b"{\"request\": 5}", "the admission request cannot be read"),
        (b"{\"request\": {\"namespace\": {\"hunter2\": 1}}}", "a name in the admission request cannot be read"),
        (b"{\"request\": {\"kind\": \"hunter2\"}}", "the kind in the admission request cannot be read"),
        (b"{\"request\": {}, \"settings\": [\"hunter2\"]}", "the settings are not valid"),
        (b"{\"request\": {}, \"settings\": {\"exemptions\": \"hunter2\"}}", "the settings are not valid"),
        (b"\xff\xfe", "the payload cannot be read"),
    ];
    for (payload, message) in cases {
        let verdict = validate(payload, &NoCluster);
        assert_eq!((verdict.accepted, verdict.code), (false, Some(500)));
        let said = verdict.message.unwrap();
        assert!(said.starts_with(message) && !said.contains("hunter2"), "{said}");
    }
    assert_eq!(validate(b"{\"request\": {}}", &NoCluster), Verdict::accept());
}

#[test]
fn an_object_nested_too_deep_is_refused_and_not_a_crash() {
    let mut nested = json!("azure-sql-edge");
    for _ in 0..100 {
        nested = json!({"x": [nested]});
    }
    let deep = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": nested}).to_string();
    let payload = format!(
        r#"{{"request":{{"operation":"CREATE","kind":{{"group":"apps","version":"v1","kind":"Deployment"}},"object":{deep}}}}}"#
    );
    assert_eq!(validate(payload.as_bytes(), &NoCluster).code, Some(500));
}

#[test]
fn names_hidden_behind_escapes_are_found() {
    let wrong = with(&deployment(), &[(REPLICAS, json!(3)), ("/spec/template/spec/containers/0/env", json!([]))]);
    let payload = json!({"request": request(&wrong, None)}).to_string();
    let hidden = payload.replace("azure-sql-edge", "azure\\u002dsql-edge").replace("mssql", "ms\\u0073ql");
    assert!(hidden != payload && !hidden.contains("azure-sql-edge"));
    assert!(!validate(hidden.as_bytes(), &NoCluster).accepted);
}

#[test]
fn warnings_are_short() {
    let object = with(
        &deployment(),
        &[
            (REPLICAS, json!(0)),
            ("/spec/template/spec/terminationGracePeriodSeconds", json!(3)),
            ("/spec/template/spec/containers/0/volumeMounts/0/mountPath", json!("/var/opt/mssql/data")),
        ],
    );
    let verdict = decide(&request(&object, None), json!({}), &Objects::default());
    assert!(verdict.warnings.len() >= 4);
    assert!(verdict.warnings.iter().all(|line| line.chars().count() <= LONGEST_WARNING), "{:?}", verdict.warnings);
}
