//! Checks of other tools that require the opposite of a rule: the tools that can be installed here run on the example
//! in which nothing is wrong. kube-linter, Polaris, Kubescape and datree cannot be installed from a package registry.

use std::process::Command;

use serde_json::{Value, json};
use sqledge_ha::other_tools::{OTHER_CHECKS, Tool};

use crate::ran::{Ran, with_input};
use crate::shared::{objects, text_of};
use crate::tools::tool;

/// The checks of kube-score that fail.
fn kube_score(objects: &[Value]) -> Vec<String> {
    let list: Vec<String> = objects.iter().map(Value::to_string).collect();
    let mut command = Command::new(tool("kube-score"));
    let ran: Ran = with_input(command.args(["score", "--output-format=json", "-"]), &list.join("\n---\n"));
    let report: Value = serde_json::from_str(&ran.output).unwrap_or_else(|_| panic!("{ran:?}"));
    let checks = report.as_array().unwrap().iter().flat_map(|object| object["checks"].as_array().unwrap());
    let failed = checks.filter(|check| check["skipped"] != true && check["grade"].as_i64().unwrap() < 10);
    failed.map(|check| check["check"]["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs kube-score: `make test-other-tools` runs it"]
fn kube_score_requires_the_opposite_until_the_exceptions_are_written() {
    let alone = objects(&text_of("e2e/examples/right.yaml"));
    // Beside an autoscaler, the replicas of the Deployment are not checked.
    let autoscaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "harbour-sensors"}, "spec": {"minReplicas": 1, "maxReplicas": 1,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "harbour-sensors"}}});
    let scaled = [alone.clone(), vec![autoscaler]].concat();
    let names: Vec<&str> =
        OTHER_CHECKS.iter().filter(|check| check.tool == Tool::KubeScore).map(|check| check.name).collect();
    let failed = [kube_score(&alone), kube_score(&scaled)].concat();
    for name in &names {
        assert!(failed.iter().any(|check| check == name), "{name}: {failed:?}");
    }
    let with_exceptions = |mut objects: Vec<Value>| {
        for object in &mut objects {
            object["metadata"]["annotations"]["kube-score/ignore"] = json!(names.join(","));
        }
        kube_score(&objects)
    };
    let failed = [with_exceptions(alone), with_exceptions(scaled)].concat();
    for name in &names {
        assert!(!failed.iter().any(|check| check == name), "{name}: {failed:?}");
    }
}
