//! Requests to scale: judged by what they scale, and no other subresource is.

use serde_json::{Value, json};
use sqledge_ha_policy::objects::Objects;
use sqledge_ha_policy::verdict::Verdict;

use super::world::deployment;
use super::{REPLICAS, annotation, decide, request, update, with};

#[test]
fn subresources_other_than_scale_are_not_judged() {
    let wrong = with(&deployment(), &[(REPLICAS, json!(3))]);
    let mut status = request(&wrong, Some(&deployment()));
    status["subResource"] = json!("status");
    assert_eq!(decide(&status, json!({}), &Objects::default()), Verdict::accept());
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
