//! Reports in a cluster, on a real API server with the CustomResourceDefinitions of their owners.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};

use serde_json::{Value, json};
use sqledge_ha::audit::inventory::Inventory;
use sqledge_ha::audit::permissions::{to_read, to_write_reports};
use sqledge_ha::audit::report::namespaces::{MAX_RESULTS, NamespaceReport, ReportApi, reports};
use sqledge_ha::audit::timers::Timers;
use sqledge_ha::audit::{self as library, Audit};
use sqledge_ha_policy::settings::Settings;

use super::cluster::create_database;
use super::stand_in::deployment;
use super::{audit, parsed};
use crate::install::printed;
use crate::ran::Ran;
use crate::shared::{objects, root};
use crate::tools::report_definitions;
use crate::webhook_cluster::{Account, cluster};

/// Installs a CustomResourceDefinition in the cluster of all tests.
fn install(name: &str) {
    cluster().must(&["apply", "-f", report_definitions().join(name).to_str().unwrap()], "");
    cluster().must(&["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"], "");
}

/// Audits namespaces of the cluster of all tests, and writes reports.
fn write(namespaces: &[&str]) -> Ran {
    let flags = namespaces.iter().flat_map(|namespace| ["--namespace", namespace]);
    let flags: Vec<&str> = ["--write-reports", "--exit-zero"].into_iter().chain(flags).collect();
    audit(cluster().kubeconfig().as_ref(), &flags)
}

/// The report in a namespace.
fn report(plural: &str, namespace: &str) -> Option<Value> {
    let ran = cluster().kubectl(&["get", plural, "sqledge-ha", "-n", namespace, "-o", "json"], "");
    (ran.code == 0).then(|| parsed(&ran.output))
}

/// Held for reading by tests that write reports in their own namespaces, and for writing by the one that writes all.
static ALL_NAMESPACES: RwLock<()> = RwLock::new(());

fn own_namespaces() -> RwLockReadGuard<'static, ()> {
    ALL_NAMESPACES.read().unwrap_or_else(PoisonError::into_inner)
}

/// The cluster of all tests with both APIs for reports. Before, it had none, and then the older one alone.
fn with_both_apis() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let namespace = "reports-first";
        create_database(namespace);
        let ran = write(&[namespace]);
        let apis = "openreports.io/v1alpha1, wgpolicyk8s.io/v1alpha2, wgpolicyk8s.io/v1beta1";
        let sentence = "install the CustomResourceDefinitions of OpenReports";
        let expected = format!("error: --write-reports: the cluster has no API for reports ({apis}): {sentence}\n");
        assert_eq!((ran.code, ran.stderr), (4, expected));
        // The report is printed all the same.
        assert!(ran.output.contains("reports-first/sql: Deployment"), "{}", ran.output);

        install("wgpolicyk8s.io_policyreports.yaml");
        let ran = write(&[namespace]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.output);
        let note = "note: reports in the cluster (policyreports.wgpolicyk8s.io): 1 written\n";
        assert!(ran.output.contains(note), "{}", ran.output);
        let old = report("policyreports.wgpolicyk8s.io", namespace).unwrap();
        assert!(old["summary"]["fail"].as_u64() > Some(0) && old.get("source").is_none(), "{old:#}");

        install("openreports.io_reports.yaml");
        let ran = write(&[namespace]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.output);
        let note = "note: reports in the cluster (reports.openreports.io): 1 written, 1 removed\n";
        assert!(ran.output.contains(note), "{}", ran.output);
        assert_eq!(report("policyreports.wgpolicyk8s.io", namespace), None);
        let new = report("reports.openreports.io", namespace).unwrap();
        assert_eq!(
            (&new["source"], &new["results"].as_array().unwrap().len()),
            (&json!("sqledge-ha"), &old["results"].as_array().unwrap().len())
        );
    });
}

#[test]
fn reports_follow_the_databases() {
    with_both_apis();
    let _own = own_namespaces();
    let namespaces = ["reports-stay", "reports-go"];
    namespaces.into_iter().for_each(create_database);
    assert_eq!(write(&namespaces).code, 0);
    let uid = |namespace| Some(report("reports.openreports.io", namespace)?["metadata"]["uid"].clone());
    let before = uid("reports-stay").unwrap();
    assert!(uid("reports-go").is_some());
    cluster().must(&["delete", "deployment", "sql", "-n", "reports-go"], "");
    let ran = write(&namespaces);
    assert!(ran.code == 0 && ran.output.contains(": 1 written, 1 removed\n"), "{}{}", ran.output, ran.stderr);
    // The report is the same object.
    assert_eq!((uid("reports-stay"), uid("reports-go")), (Some(before), None));
    // Nothing is left to check, and that is no failure.
    let ran = write(&["reports-go"]);
    assert!(ran.code == 0 && ran.output.contains("nothing checked"), "{}{}", ran.output, ran.stderr);
}

/// The audit of these objects.
fn audit_of(objects: Vec<Value>) -> Audit {
    let settings = Settings::default();
    let inventory = Inventory::from_objects("test".to_owned(), objects, &settings);
    library::audit(&inventory, &settings, Timers::default(), None)
}

/// Creates a report in a dry run, with every API: unknown fields and wrong values are errors. Returns what the API
/// server understood.
fn accepted(report: &NamespaceReport) -> Vec<Value> {
    with_both_apis();
    cluster().kubectl(&["create", "namespace", &report.namespace], "");
    let create = ["create", "--dry-run=server", "--validate=strict", "-o", "json", "-f", "-"];
    let objects = ReportApi::ALL.map(|api| report.to_object(&api));
    let stored = objects.iter().map(|object| parsed(&cluster().must(&create, &object.to_string())));
    let stored: Vec<Value> = stored.collect();
    for (sent, stored) in objects.iter().zip(&stored) {
        for field in ["scope", "summary", "results"] {
            assert_eq!(sent[field], stored[field], "{field}");
        }
    }
    stored
}

#[test]
fn the_api_server_accepts_all_results() {
    let folder = root().join("e2e/audit/shop");
    let texts = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let mut audit = audit_of(texts.flat_map(|text| objects(&text)).collect());
    audit.unread.push(library::inventory::Unread {
        resource: "nodes".to_owned(),
        namespace: None,
        reason: "forbidden".to_owned(),
    });
    // A database without a pod.
    audit.databases[1].forecasts.clear();
    let mut known = BTreeSet::new();
    for report in reports(&audit, 1_800_000_000) {
        let [stored, ..] = &accepted(&report)[..] else { panic!("no report") };
        let results = stored["results"].as_array().unwrap();
        let text = |result: &Value, field: &str| result[field].as_str().unwrap().to_owned();
        known.extend(results.iter().map(|result| {
            let policy = text(result, "policy").split('/').next().unwrap().to_owned();
            let of = if policy == "forecast" || policy == "audit" { policy } else { "rule".to_owned() };
            format!("{of} {} {}", text(result, "result"), text(result, "severity"))
        }));
        // The worst first, and each counted.
        let rank = |result: &Value| {
            ["fail", "error", "warn", "skip", "pass"].iter().position(|name| result["result"] == *name)
        };
        assert!(results.is_sorted_by_key(rank));
        let counts = stored["summary"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), results.len() as u64);
        // What would be mutated fails.
        let mutated = results.iter().filter(|result| result["properties"]["action"] == "mutate");
        assert!(mutated.map(|result| &result["result"]).all(|result| result == "fail"));
    }
    let expected = [
        "audit error medium",
        "forecast fail critical",
        "forecast fail high",
        "forecast pass info",
        "forecast skip info",
        "forecast warn low",
        "rule fail high",
        "rule fail medium",
        "rule warn low",
    ];
    assert!(expected.iter().all(|kind| known.contains(*kind)), "{known:#?}");
}

/// A database in the namespace `shop`, as a whole object.
fn database(name: &str) -> Value {
    let mut object = deployment(name);
    object["apiVersion"] = json!("apps/v1");
    object["kind"] = json!("Deployment");
    object
}

#[test]
fn a_report_of_ten_thousand_findings_is_bounded() {
    let audit = audit_of((0..1700).map(|number| database(&format!("{}-{number}", "sql".repeat(60)))).collect());
    let findings: usize = audit.databases.iter().map(|report| report.findings.len()).sum();
    assert!(findings > 10_000, "{findings}");
    let [report] = &reports(&audit, 0)[..] else { panic!("one namespace") };
    for stored in accepted(report) {
        let results = stored["results"].as_array().unwrap();
        assert!(results.len() > 500 && results.len() <= MAX_RESULTS, "{}", results.len());
        assert!(stored.to_string().len() < 1_500_000);
        let counts = stored["summary"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
        let (all, kept) = (counts.sum::<u64>(), results.len() as u64 - 1);
        let left_out = (all - kept).to_string();
        assert_eq!(stored["metadata"]["annotations"]["sqledge-ha/left-out"], left_out.as_str());
        let last = results.last().unwrap();
        assert_eq!(
            last["message"],
            format!("{left_out} more results are left out: run `sqledge-ha audit --namespace shop`")
        );
        // Only the worst are kept.
        assert!(results[..results.len() - 1].iter().all(|result| result["result"] == "fail"));
    }
}

#[test]
fn hostile_names_and_long_texts_are_accepted() {
    let mut object = database(&"<script>alert('1')</script>\u{1b}[31m\u{202e}\"\\\n".repeat(50));
    object["metadata"]["labels"] = json!({"app": "x".repeat(300)});
    object["spec"]["template"]["spec"]["containers"][0]["image"] =
        json!(format!("mcr.microsoft.com/azure-sql-edge:{}", "<b>".repeat(2000)));
    let audit = audit_of(vec![object]);
    for report in reports(&audit, 0) {
        for stored in accepted(&report) {
            let text = stored["results"].to_string();
            assert!(!text.contains("\\u001b") && !text.contains('\u{202e}'), "{text}");
            let results = stored["results"].as_array().unwrap();
            let is_short = |text: &Value| text.as_str().unwrap().chars().count() <= 1024;
            assert!(
                results.iter().all(|result| is_short(&result["message"]) && is_short(&result["resources"][0]["name"]))
            );
        }
    }
}

#[test]
fn another_object_with_the_name_is_not_replaced() {
    with_both_apis();
    let _own = own_namespaces();
    create_database("reports-foreign");
    let foreign = json!({"apiVersion": "openreports.io/v1alpha1", "kind": "Report", "source": "other",
        "metadata": {"name": "sqledge-ha", "namespace": "reports-foreign"}});
    cluster().must(&["create", "-f", "-"], &foreign.to_string());
    create_database("reports-own");
    let ran = write(&["reports-foreign", "reports-own"]);
    let reason =
        "another one with the name sqledge-ha exists, without the label app.kubernetes.io/managed-by=sqledge-ha";
    let expected =
        format!("error: --write-reports: cannot write reports.openreports.io in namespace reports-foreign: {reason}\n");
    assert_eq!((ran.code, ran.stderr), (4, expected));
    assert_eq!(report("reports.openreports.io", "reports-foreign").unwrap()["source"], "other");
    assert!(report("reports.openreports.io", "reports-own").is_some());
    cluster().must(&["delete", "report.openreports.io", "sqledge-ha", "-n", "reports-foreign"], "");
}

#[test]
fn each_missing_permission_is_named() {
    with_both_apis();
    let _own = own_namespaces();
    let (has_old, is_new) = ("reports-verbs-old", "reports-verbs-new");
    [has_old, is_new, "reports-verbs-gone"].into_iter().for_each(create_database);
    let all = ["list", "create", "update", "delete"];
    for missing in all {
        // A report to update, one to create, and one to delete.
        cluster().kubectl(
            &["create", "deployment", "sql", "-n", "reports-verbs-gone", "--image=mcr.microsoft.com/azure-sql-edge:2"],
            "",
        );
        assert_eq!(write(&[has_old, "reports-verbs-gone"]).code, 0);
        cluster().must(&["delete", "deployment", "sql", "-n", "reports-verbs-gone"], "");
        cluster().must(&["delete", "reports.openreports.io", "--all", "-n", is_new], "");
        let verbs: Vec<&str> = all.into_iter().filter(|verb| *verb != missing).collect();
        let mut rules = to_read();
        rules.push(json!({"apiGroups": ["openreports.io"], "resources": ["reports"], "verbs": verbs}));
        rules.push(json!({"apiGroups": ["wgpolicyk8s.io"], "resources": ["policyreports"], "verbs": ["list"]}));
        let account = Account::new(has_old, missing, &json!(rules));
        let flags = ["--write-reports", "-n", has_old, "-n", is_new, "-n", "reports-verbs-gone"];
        let ran = audit(&account.kubeconfig, &flags);
        let (operation, place) = match missing {
            "list" => ("list", format!("namespaces {has_old}, {is_new}, reports-verbs-gone")),
            "delete" => ("delete", "namespace reports-verbs-gone".to_owned()),
            "create" => ("write", format!("namespace {is_new}")),
            _ => ("write", format!("namespace {has_old}")),
        };
        let reason = format!("forbidden: no permission to {missing} them");
        let expected =
            format!("error: --write-reports: cannot {operation} reports.openreports.io in {place}: {reason}\n");
        assert_eq!((ran.code, ran.stderr), (4, expected));
        // The rest is done.
        assert_eq!(report("reports.openreports.io", is_new).is_some(), missing != "list" && missing != "create");
    }
}

#[test]
fn reports_stay_where_a_database_may_not_have_been_read() {
    with_both_apis();
    let _own = own_namespaces();
    create_database("reports-unread");
    assert_eq!(write(&["reports-unread"]).code, 0);
    let mut rules = to_write_reports();
    let all_but_deployments = to_read().into_iter().map(|mut rule| {
        rule["resources"].as_array_mut().unwrap().retain(|resource| resource != "deployments");
        rule
    });
    rules.extend(all_but_deployments);
    let account = Account::new("reports-unread", "auditor", &json!(rules));
    let ran = audit(&account.kubeconfig, &["--write-reports", "-n", "reports-unread"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (4, ""), "{}", ran.output);
    assert!(
        ran.output.contains("note: reports are not removed where a database may not have been read\n"),
        "{}",
        ran.output
    );
    assert!(report("reports.openreports.io", "reports-unread").is_some());
}

/// The flags of the container in the manifests, with its configuration in a file.
fn container_flags(manifests: &[Value], folder: &std::path::Path) -> Vec<String> {
    let of = |kind: &str| manifests.iter().find(|object| object["kind"] == kind).unwrap();
    let config = folder.join("sqledge-ha.yaml");
    fs::write(&config, of("ConfigMap")["data"]["sqledge-ha.yaml"].as_str().unwrap()).unwrap();
    let pod = &of("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["volumeMounts"][0]["mountPath"], "/etc/sqledge-ha");
    let flags = pod["containers"][0]["args"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap());
    flags.skip(1).map(|flag| flag.replace("/etc/sqledge-ha/sqledge-ha.yaml", config.to_str().unwrap())).collect()
}

#[test]
fn the_permissions_in_the_manifests_suffice() {
    with_both_apis();
    let _all = ALL_NAMESPACES.write().unwrap_or_else(PoisonError::into_inner);
    create_database("reports-cron");
    let manifests = printed(&["audit", "manifests", "--namespace", "audit-cron"]);
    cluster().must(&["apply", "--server-side", "--validate=strict", "-f", "-"], &manifests);
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = cluster().kubeconfig_of("audit-cron", "sqledge-ha-audit", folder.path());
    let flags = container_flags(&objects(&manifests), folder.path());
    let ran = audit(&kubeconfig, &flags.iter().map(String::as_str).chain(["--format", "json"]).collect::<Vec<_>>());
    let output = parsed(&ran.output);
    assert_eq!((ran.code, ran.stderr.as_str(), &output["unread"]), (0, "", &json!([])), "{}", output["notes"]);
    assert!(report("reports.openreports.io", "reports-cron").is_some());
    let review = |verb: &str, group: &str, resource: &str| {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": "system:serviceaccount:audit-cron:sqledge-ha-audit",
            "resourceAttributes": {"verb": verb, "group": group, "resource": resource, "namespace": "reports-cron"}}});
        parsed(&cluster().must(&["create", "-o", "json", "-f", "-"], &review.to_string()))["status"]["allowed"] == true
    };
    assert!(review("update", "openreports.io", "reports"));
    for (verb, group, resource) in
        [("list", "", "secrets"), ("delete", "", "pods"), ("patch", "", "nodes"), ("update", "apps", "deployments")]
    {
        assert!(!review(verb, group, resource), "{verb} {resource}");
    }
}
