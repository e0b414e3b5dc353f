//! What is said: every reason, in short, and nothing of a secret; also of what cannot be read or hides its names.

use serde_json::{Value, json};
use sqledge_ha_policy::admission::review::validate;
use sqledge_ha_policy::admission::verdict::{MAX_WARNING, Verdict};
use sqledge_ha_policy::view::cluster::NoCluster;
use sqledge_ha_policy::view::index::ObjectIndex;

use super::world::deployment;
use super::{REPLICAS, create, decide, request, with};

#[test]
fn a_rejection_lists_every_reason_and_no_environment_value() {
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
fn unreadable_input_is_rejected_without_quoting_it() {
    let cases = [
        (&b"hunter2"[..], "cannot parse the payload"),
        (b"", "cannot parse the payload"),
        (b"[]", "cannot parse the payload"),
        (b"{}", "cannot parse the admission request"),
        (b"{\"request\": 5}", "cannot parse the payload"),
        (b"{\"request\": {\"namespace\": {\"hunter2\": 1}}}", "cannot parse a name in the admission request"),
        (b"{\"request\": {\"kind\": \"hunter2\"}}", "cannot parse the kind in the admission request"),
        (b"\xff\xfe", "cannot parse the payload"),
    ];
    for (payload, message) in cases {
        let verdict = validate(payload, &NoCluster);
        assert_eq!((verdict.allowed, verdict.code), (false, Some(500)));
        let said = verdict.message.unwrap();
        assert!(said.starts_with(message) && !said.contains("hunter2"), "{said}");
    }
    assert_eq!(validate(b"{\"request\": {}}", &NoCluster), Verdict::allow());
}

#[test]
fn wrong_settings_reject_what_they_decide_about() {
    for settings in ["[\"hunter2\"]", "{\"exemptions\": \"hunter2\"}", "{\"images\": \"hunter2\"}"] {
        let verdict = |object: Value| {
            let payload = format!(r#"{{"request":{},"settings":{settings}}}"#, request(&object, None));
            validate(payload.as_bytes(), &NoCluster)
        };
        let said = verdict(deployment()).message.unwrap();
        assert!(said.starts_with("the settings are not valid") && !said.contains("hunter2"), "{said}");
        // Settings with images decide about other workloads too.
        let other = with(&deployment(), &[("/spec/template/spec/containers", json!([{"image": "web"}]))]);
        assert_eq!(verdict(other).allowed, !settings.contains("images"), "{settings}");
        assert!(verdict(json!({"apiVersion": "v1", "kind": "ConfigMap"})).allowed);
    }
}

#[test]
fn images_of_the_settings_are_found_however_their_name_is_written() {
    let own = with(
        &deployment(),
        &[(REPLICAS, json!(3)), ("/spec/template/spec/containers", json!([{"name": "sql", "image": "team/edge"}]))],
    );
    for name in ["images", r"im\u0061ges"] {
        let settings = format!(r#"{{"{name}":[{{"repository":"team/edge","engine":"sql-edge"}}]}}"#);
        let payload = format!(r#"{{"request":{},"settings":{settings}}}"#, request(&own, None));
        assert!(!validate(payload.as_bytes(), &NoCluster).allowed, "{name}");
    }
}

#[test]
fn an_object_that_is_nested_too_deep_is_rejected() {
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
fn escaped_image_names_are_found() {
    let wrong = with(&deployment(), &[(REPLICAS, json!(3)), ("/spec/template/spec/containers/0/env", json!([]))]);
    let payload = json!({"request": request(&wrong, None)}).to_string();
    let hidden = payload.replace("azure-sql-edge", "azure\\u002dsql-edge").replace("mssql", "ms\\u0073ql");
    assert!(hidden != payload && !hidden.contains("azure-sql-edge"));
    assert!(!validate(hidden.as_bytes(), &NoCluster).allowed);
}

#[test]
fn warnings_are_at_most_120_characters_long() {
    let object = with(
        &deployment(),
        &[
            (REPLICAS, json!(0)),
            ("/spec/template/spec/terminationGracePeriodSeconds", json!(3)),
            ("/spec/template/spec/containers/0/volumeMounts/0/mountPath", json!("/var/opt/mssql/data")),
        ],
    );
    let verdict = decide(&request(&object, None), json!({}), &ObjectIndex::default());
    assert!(verdict.warnings.len() >= 4);
    assert!(verdict.warnings.iter().all(|line| line.chars().count() <= MAX_WARNING), "{:?}", verdict.warnings);
}
