//! Requests for the sub-resource `scale`, which are checked with the workload that they scale.

use serde_json::{Value, json};
use sqledge_ha_policy::admission::verdict::Verdict;
use sqledge_ha_policy::view::Scope;
use sqledge_ha_policy::view::index::ObjectIndex;

use super::world::deployment;
use super::{REPLICAS, annotation, decide, request, update, with};

#[test]
fn sub_resources_other_than_scale_are_not_checked() {
    let wrong = with(&deployment(), &[(REPLICAS, json!(3))]);
    let mut status = request(&wrong, Some(&deployment()));
    status["subResource"] = json!("status");
    assert_eq!(decide(&status, json!({}), &ObjectIndex::default()), Verdict::allow());
}

#[test]
fn a_scale_request_is_checked_with_its_workload() {
    let scale = |replicas: i64| {
        let scale = |replicas: i64| json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "sql"}, "spec": {"replicas": replicas}});
        let mut request = request(&scale(replicas), Some(&scale(1)));
        request["subResource"] = json!("scale");
        request["resource"] = json!({"group": "apps", "version": "v1", "resource": "deployments"});
        request
    };
    let database = deployment();
    let world = ObjectIndex::new(Scope::Request, [&database]);
    assert!(!decide(&scale(2), json!({}), &world).allowed);
    assert_eq!(decide(&scale(0), json!({}), &ObjectIndex::default()), Verdict::allow(), "leaves before any look-up");
    assert_eq!(decide(&scale(1), json!({}), &ObjectIndex::default()), Verdict::allow());
    let unread = decide(&scale(2), json!({}), &ObjectIndex::default());
    assert!(unread.allowed && unread.warnings.len() == 1, "{unread:?}");
    let web = with(
        &database,
        &[
            ("/spec/template/spec/containers/0/image", json!("nginx")),
            ("/spec/template/spec/containers/0/env", json!([])),
        ],
    );
    assert_eq!(decide(&scale(2), json!({}), &ObjectIndex::new(Scope::Request, [&web])), Verdict::allow());
    let mut other = scale(2);
    other["resource"]["resource"] = json!("widgets");
    assert_eq!(decide(&other, json!({}), &ObjectIndex::default()), Verdict::allow());
}

#[test]
fn a_deployment_config_is_scaled_by_a_scale_of_the_former_group() {
    let scale = |replicas: i64| json!({"apiVersion": "extensions/v1beta1", "kind": "Scale", "metadata": {"name": "sql"}, "spec": {"replicas": replicas}});
    let mut request = request(&scale(3), Some(&scale(1)));
    request["subResource"] = json!("scale");
    request["resource"] = json!({"group": "apps.openshift.io", "version": "v1", "resource": "deploymentconfigs"});
    let config =
        with(&deployment(), &[("/apiVersion", json!("apps.openshift.io/v1")), ("/kind", json!("DeploymentConfig"))]);
    let verdict = decide(&request, json!({}), &ObjectIndex::new(Scope::Request, [&config]));
    assert_eq!(annotation(&verdict, "rejected"), "single-replica");
}

#[test]
fn replicas_can_be_reduced_step_by_step() {
    let scale = |replicas: i64| json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "sql"}, "spec": {"replicas": replicas}});
    let ask = |database: &Value, from: i64, to: i64| {
        let mut request = request(&scale(to), Some(&scale(from)));
        request["subResource"] = json!("scale");
        request["resource"] = json!({"group": "apps", "version": "v1", "resource": "deployments"});
        decide(&request, json!({}), &ObjectIndex::new(Scope::Request, [database]))
    };
    let down = ask(&deployment(), 5, 2);
    assert!(down.allowed && annotation(&down, "warned") == "single-replica", "{down:?}");
    assert!(!ask(&deployment(), 2, 5).allowed);
    let at = |replicas: i64| with(&deployment(), &[(REPLICAS, json!(replicas))]);
    assert!(update(&at(3), &at(2)).allowed && !update(&at(2), &at(9)).allowed);
    let windows = with(&deployment(), &[("/spec/template/spec/os/name", json!("windows"))]);
    assert_eq!(ask(&windows, 1, 2), Verdict::allow());
}
