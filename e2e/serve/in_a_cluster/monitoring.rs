//! Alerts and dashboard: their tools accept them, and they name metrics and labels that the webhook has.

use std::collections::BTreeSet;
use std::process::Command;

use super::*;
use crate::audit;
use crate::ran::with_input;
use crate::serve::lifecycle::distrust;
use crate::serve::reviews::incomplete_review;
use crate::shared::root;
use crate::tools::tool;

const ALERTS: &str = "artifacthub/monitoring/prometheus-rules.yaml";
const DASHBOARD: &str = "artifacthub/monitoring/grafana-dashboard.json";

/// Labels that Prometheus adds.
const TARGET_LABELS: [&str; 3] = ["instance", "job", "pod"];

fn alerts() -> Vec<String> {
    let rules: Value = serde_saphyr::from_str(&text_of(ALERTS)).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    rules.iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect()
}

/// The expressions of the dashboard, with its variables as a user would choose them.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&text_of(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expressions = targets.map(|target| target["expr"].as_str().unwrap());
    let expressions = expressions.map(|expression| {
        let chosen = expression.replace("$job", ".+").replace("$instance", ".+");
        chosen.replace("$__rate_interval", "5m").replace("$__range", "6h")
    });
    expressions.collect()
}

/// Each name of a metric in an expression, with the names and values of the labels that select its series.
fn selectors(expression: &str) -> Vec<(String, Vec<(String, String)>)> {
    let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let found = expression.match_indices("sqledge_ha_").map(|(start, _)| {
        let rest = &expression[start..];
        let name = rest.split(|char| !is_name(char)).next().unwrap();
        let labels = rest[name.len()..].strip_prefix('{').map_or("", |labels| labels.split('}').next().unwrap());
        let labels = labels.split(", ").filter(|label| !label.is_empty()).map(|label| {
            let (name, value) = label.split_once('=').unwrap();
            (name.to_owned(), value.trim_start_matches('~').trim_matches('"').to_owned())
        });
        (name.to_owned(), labels.collect())
    });
    found.collect()
}

/// The labels by which an expression groups.
fn groupings(expression: &str) -> BTreeSet<&str> {
    let groups = expression
        .match_indices("by (")
        .map(|(start, by)| expression[start + by.len()..].split(')').next().unwrap().split(", ").collect::<Vec<_>>());
    groups.flatten().collect()
}

/// A webhook that has all metrics: after a mutation, an HTTP error, a look-up that failed, and a client that does not
/// trust the certificate.
pub(crate) fn server_with_all_metrics(cluster: &Cluster) -> Server {
    let server = Server::start_in(cluster.kubeconfig(), &["--events"]);
    server.wait_until_ready();
    let missing = json!({"uid": "1", "operation": "UPDATE", "name": "missing", "namespace": "default", "subResource": "scale",
        "kind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "object": {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "missing"},
            "spec": {"replicas": 2}}});
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": missing});
    for body in [incomplete_review().to_string(), String::new(), review.to_string()] {
        server.connect().post("/mutate", &body).unwrap();
    }
    distrust(&server);
    server.wait_for_metric("sqledge_ha_connections_rejected_total{reason=\"untrusted\"}", 1.0);
    server.wait_for_metric("sqledge_ha_not_checked_total{reason=\"no_parent\"}", 1.0);
    server
}

#[test]
fn alerts_and_dashboard_name_metrics_and_labels_that_exist() {
    let cluster = Cluster::api_only();
    let server = server_with_all_metrics(&cluster);
    let metrics = server.probe("/metrics").1 + &audit::printed(&["--format", "prometheus"]);
    let series_of = |name: &str| -> Vec<&str> {
        metrics
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .collect()
    };
    let (alerts, queries) = (alerts(), queries());
    assert!(alerts.len() > 8 && queries.len() > 20);
    for expression in alerts.iter().chain(&queries) {
        let selectors = selectors(expression);
        // Metrics of the API server.
        assert!(!selectors.is_empty() || expression.contains("apiserver_admission_webhook_"), "{expression}");
        for (name, labels) in selectors {
            let series = series_of(&name);
            assert!(!series.is_empty(), "{name}: {metrics}");
            for (label, value) in labels.iter().filter(|(label, _)| !TARGET_LABELS.contains(&label.as_str())) {
                // One of several values is enough.
                let is_found =
                    |value: &str| series.iter().any(|series| series.contains(&format!("{label}=\"{value}\"")));
                assert!(value.split('|').any(is_found), "{label}={value} in {series:?}");
            }
            for label in groupings(expression).into_iter().filter(|label| !TARGET_LABELS.contains(label)) {
                assert!(series.iter().any(|series| series.contains(&format!("{label}=\""))), "{label} in {series:?}");
            }
        }
    }
    // Nothing that an operator can look at is missing.
    let shown: BTreeSet<String> = queries.iter().flat_map(|query| selectors(query)).map(|(name, _)| name).collect();
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let not_shown = types.filter(|(name, _)| !shown.iter().any(|shown| shown.starts_with(name)));
    let not_shown: Vec<&str> = not_shown.map(|(name, _)| name).collect();
    let expected =
        ["build", "certificate_replacements", "settings_replacements"].map(|name| format!("sqledge_ha_{name}"));
    assert_eq!(not_shown, expected);
}

#[test]
#[ignore = "slow to build promtool: `make test-long` runs it"]
fn alerts_fire_when_their_tests_say_so() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::copy(root().join(ALERTS), path("prometheus-rules.yaml")).unwrap();
    fs::copy(root().join("e2e/monitoring/alerts.yaml"), path("alerts.yaml")).unwrap();
    // The queries of the dashboard as rules, so that promtool parses them, too.
    let queries: Vec<Value> = queries()
        .iter()
        .enumerate()
        .map(|(number, query)| json!({"record": format!("query_{number}"), "expr": query}))
        .collect();
    let queries = json!({"groups": [{"name": "dashboard", "rules": queries}]});
    fs::write(path("dashboard.yaml"), queries.to_string()).unwrap();
    let promtool = |arguments: &[&str]| {
        let ran: Ran =
            Command::new(tool("promtool")).args(arguments).current_dir(folder.path()).output().unwrap().into();
        assert_eq!(ran.code, 0, "{}{}", ran.output, ran.stderr);
        ran.output
    };
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", "prometheus-rules.yaml", "dashboard.yaml"]);
    promtool(&["test", "rules", "alerts.yaml"]);
    // The parser of the textfile collector and of the Pushgateway.
    let metrics = audit::printed(&["--format", "prometheus"]);
    let checked = with_input(Command::new(tool("promtool")).args(["check", "metrics"]), &metrics);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""), "{}", checked.output);
    // Each alert is tested.
    let tests = text_of("e2e/monitoring/alerts.yaml");
    let rules: Value = serde_saphyr::from_str(&text_of(ALERTS)).unwrap();
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        let tested = format!("\n    alertname: {}\n", rule["alert"].as_str().unwrap());
        assert!(tests.contains(&tested), "{tested}");
    }
}

#[test]
fn grafana_can_read_the_dashboard() {
    let ran: Ran = Command::new(tool("dashboard")).arg(root().join(DASHBOARD)).output().unwrap().into();
    assert_eq!((ran.code, &*ran.output), (0, ""), "{}", ran.stderr);
}
