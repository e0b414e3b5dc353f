//! Claims that `fix --unsafe` uses and adds: those of the application first, and no two with one name.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::{content, folder};
use crate::corpus::lint;
use crate::fix::fix;
use crate::ran::Ran;
use crate::shared::objects;

/// A workload with database containers on different ports, and with volumes.
fn workload(kind: &str, containers: usize, volumes: &str) -> String {
    let container = |number: usize| {
        format!(
            "      - name: sql-{number}\n        image: mcr.microsoft.com/azure-sql-edge:1.0.7\n        env:\n        \
             - {{name: MSSQL_TCP_PORT, value: '{}'}}\n",
            1433 + number
        )
    };
    let containers: String = (0..containers).map(container).collect();
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: sql}}\nspec:\n  selector: {{matchLabels: {{app: sql}}}}\n  \
         template:\n    metadata: {{labels: {{app: sql}}}}\n    spec:\n      containers:\n{containers}{volumes}"
    )
}

/// The output of `fix`, and the fixed objects.
fn fixed(text: &str) -> (Ran, Vec<Value>) {
    let folder = folder(&[("a.yaml", text.as_bytes())]);
    let ran = fix(folder.path(), &["--unsafe", "a.yaml"], "");
    let after = String::from_utf8(content(&folder, "a.yaml")).unwrap();
    (ran, objects(&after))
}

fn named(objects: &[Value], kind: &str) -> Vec<String> {
    let of_kind = objects.iter().filter(|object| object["kind"] == kind);
    of_kind.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_database_container_gets_its_own_claim() {
    let (ran, objects) = fixed(&workload("Deployment", 2, ""));
    let pod = &objects[0]["spec"]["template"]["spec"];
    assert_eq!(
        pod["volumes"],
        json!([{"name": "mssql-data", "persistentVolumeClaim": {"claimName": "sql-mssql-data"}},
            {"name": "mssql-data-2", "persistentVolumeClaim": {"claimName": "sql-mssql-data-2"}}]),
        "{ran:?}"
    );
    let mounts = |container: usize| pod["containers"][container]["volumeMounts"][0]["name"].clone();
    assert_eq!([mounts(0), mounts(1)], ["mssql-data", "mssql-data-2"]);
    assert_eq!(named(&objects, "PersistentVolumeClaim"), ["sql-mssql-data", "sql-mssql-data-2"]);
}

/// Fixes a text with everything else right, checks that a second run changes nothing and that no new finding appears,
/// and returns the messages and the objects.
fn fixed_for_good(text: &str) -> (String, Vec<Value>) {
    let directory = folder(&[("a.yaml", text.as_bytes())]);
    let rules = |before: &str| {
        let report = lint(directory.path(), &["--format", "json", "."]).output;
        let report: Value = serde_json::from_str(&report).unwrap_or_else(|_| panic!("{before}: {report}"));
        let findings = report["findings"].as_array().unwrap().iter();
        findings.map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let before = rules("before");
    let ran = fix(directory.path(), &["--unsafe", "."], "");
    let after = content(&directory, "a.yaml");
    let new: Vec<String> = rules("after").difference(&before).cloned().collect();
    assert_eq!(new, [""; 0], "{}", String::from_utf8_lossy(&after));
    let again = fix(directory.path(), &["--unsafe", "."], "");
    assert!(content(&directory, "a.yaml") == after, "{again:?}");
    (ran.stderr, objects(&String::from_utf8(after).unwrap()))
}

/// A Deployment named `sql`, right but for a data directory on an `emptyDir`.
const ON_EMPTY_DIR: &str = include_str!("../examples/data-on-an-empty-dir.yaml");

/// A claim, after a document separator.
fn claim(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\nspec: \
         {{resources: {{requests: {{storage: 8Gi}}}}, {spec}}}\n"
    )
}

const ONE_NODE: &str = "accessModes: [ReadWriteOnce]";

/// A PersistentVolume, after a document separator.
const ON_NODE: &str = "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: disk}\nspec: \
    {storageClassName: manual, hostPath: {path: /srv}}\n";

/// The claims that the pods of the first object mount, and all claims.
fn claims(objects: &[Value]) -> (Vec<&str>, Vec<String>) {
    let pod = objects[0].pointer("/spec/template/spec").unwrap();
    let volumes = pod["volumes"].as_array().unwrap().iter();
    let mounted = volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str()).collect();
    (mounted, named(objects, "PersistentVolumeClaim"))
}

#[test]
fn the_claim_of_the_application_that_nothing_mounts_is_used() {
    let stateful =
        ON_EMPTY_DIR.replace("kind: Deployment", "kind: StatefulSet").replace("  strategy: {type: Recreate}\n", "");
    let nothing = ON_EMPTY_DIR.split("          volumeMounts:").next().unwrap();
    for text in [ON_EMPTY_DIR, &stateful, nothing] {
        let (stderr, objects) = fixed_for_good(&(text.to_owned() + &claim("orders", ONE_NODE)));
        assert_eq!(claims(&objects), (vec!["orders"], vec!["orders".to_owned()]), "{stderr}");
    }
    let own = ["backups", "sql-files"].map(|name| claim(name, ONE_NODE)).concat();
    let (_, objects) = fixed_for_good(&(ON_EMPTY_DIR.to_owned() + &own));
    assert_eq!(claims(&objects).0, ["sql-files"], "its name is in that of one of them");
    let (stderr, objects) = fixed_for_good(&(ON_EMPTY_DIR.to_owned() + &own.replace("sql-files", "files")));
    assert!(stderr.contains("persistent-data: nothing mounts several claims of this namespace"), "{stderr}");
    assert_eq!(claims(&objects).0, [""; 0]);
}

#[test]
fn a_claim_that_is_not_for_the_database_is_not_used() {
    let web = |volume: &str| {
        let other = ON_EMPTY_DIR.replace("sql", "web").replace("mcr.microsoft.com/azure-web-edge", "nginx");
        format!("---\n{}", other.replace("emptyDir: {}", volume))
    };
    for (case, others) in [
        ("many nodes", claim("files", "accessModes: [ReadWriteMany]")),
        ("read-only", claim("files", "accessModes: [ReadOnlyMany]")),
        ("a block device", claim("files", "accessModes: [ReadWriteOnce], volumeMode: Block")),
        ("another namespace", claim("files, namespace: web", ONE_NODE)),
        ("mounted", web("persistentVolumeClaim: {claimName: files}") + &claim("files", ONE_NODE)),
        ("that of another workload", web("emptyDir: {}") + &claim("web-files", ONE_NODE)),
        ("on one node by its class", claim("files", &format!("{ONE_NODE}, storageClassName: manual")) + ON_NODE),
        ("on one node by its volume", claim("files", &format!("{ONE_NODE}, volumeName: disk")) + ON_NODE),
    ] {
        let (stderr, objects) = fixed_for_good(&(ON_EMPTY_DIR.to_owned() + &others));
        assert_eq!(claims(&objects).0, ["sql-data"], "{case}: {stderr}");
        assert_eq!(claims(&objects).1.len(), 2, "{case}");
    }
}

#[test]
fn the_claim_that_the_pod_declares_without_mounting_it_is_mounted() {
    let volume = |more: &str| {
        format!(
            "        - name: files\n          persistentVolumeClaim: {{claimName: files{more}}}\n{}",
            claim("files", ONE_NODE)
        )
    };
    let (_, objects) = fixed_for_good(&(ON_EMPTY_DIR.to_owned() + &volume("")));
    let mounts = |objects: &[Value]| objects[0]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"].clone();
    assert_eq!(mounts(&objects), json!([{"name": "files", "mountPath": "/var/opt/mssql"}]));
    assert_eq!(claims(&objects).1, ["files"]);
    let (_, objects) = fixed_for_good(&(ON_EMPTY_DIR.to_owned() + &volume(", readOnly: true")));
    assert_eq!(claims(&objects), (vec!["sql-data", "files"], vec!["files".to_owned(), "sql-data".to_owned()]));
}

#[test]
fn a_rejected_workload_gets_no_claim() {
    let job = ON_EMPTY_DIR.replace("apps/v1", "batch/v1").replace("kind: Deployment", "kind: Job");
    let job = job.replace("      containers:", "      restartPolicy: Never\n      containers:");
    let daemons = ON_EMPTY_DIR.replace("kind: Deployment", "kind: DaemonSet").replace("  replicas: 1\n", "");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: sql}\nspec:\n  containers:\n    \
               - {name: sql, image: mcr.microsoft.com/azure-sql-edge:1.0.7}\n";
    let deadline = ON_EMPTY_DIR.replace("      containers:", "      activeDeadlineSeconds: 60\n      containers:");
    for text in [&job, &daemons, pod, &deadline] {
        let (stderr, objects) = fixed(text);
        assert!(stderr.stderr.contains("steady-controller: no automatic fix"), "{stderr:?}");
        assert_eq!(named(&objects, "PersistentVolumeClaim"), [""; 0], "{text}");
    }
    // Here another fix comes first.
    let (_, objects) = fixed_for_good(&ON_EMPTY_DIR.replace("replicas: 1", "replicas: 2"));
    assert_eq!((&objects[0]["spec"]["replicas"], claims(&objects).0), (&json!(1), vec!["sql-data"]));
}

#[test]
fn names_of_claims_are_valid_and_unique() {
    let long = ["a"; 50].join("-") + &".b".repeat(70);
    assert!((200..=253).contains(&long.len()));
    let (_, objects) = fixed_for_good(&ON_EMPTY_DIR.replacen("name: sql", &format!("name: {long}"), 1));
    let name = claims(&objects).0[0];
    assert!(name.len() <= 253 && name.ends_with("-data") && !name.contains(".-"), "{name}");
    let (_, objects) = fixed_for_good(&ON_EMPTY_DIR.replacen("name: sql", "generateName: sql-", 1));
    assert_eq!(claims(&objects).0, ["sql-data"]);
    // A claim of the same name exists: here, in another file, or because a fix of the same run adds it.
    let taken = claim("sql-data", "accessModes: [ReadWriteMany]");
    let (stderr, objects) = fixed_for_good(&(ON_EMPTY_DIR.to_owned() + &taken));
    assert_eq!(
        claims(&objects),
        (vec!["sql-data-2"], vec!["sql-data".to_owned(), "sql-data-2".to_owned()]),
        "{stderr}"
    );
    let folder = folder(&[("claim.yaml", taken.as_bytes()), ("sql.yaml", ON_EMPTY_DIR.as_bytes())]);
    fix(folder.path(), &["--unsafe", "."], "");
    assert_eq!(claims(&super::objects(&fs::read_to_string(folder.path().join("sql.yaml")).unwrap())).0, ["sql-data-2"]);
}

#[test]
fn two_workloads_with_one_name_do_not_share_a_claim() {
    let (ran, objects) = fixed(&[workload("Deployment", 1, ""), workload("ReplicaSet", 1, "")].join("---\n"));
    assert_eq!(named(&objects, "PersistentVolumeClaim"), ["sql-mssql-data", "sql-mssql-data-2"], "{ran:?}");
    assert_eq!(claims(&objects[1..]).0, ["sql-mssql-data-2"]);
}

#[test]
fn claims_cover_the_whole_data_root() {
    let mount = |name: &str, path: &str| format!("            - {{name: {name}, mountPath: {path}}}\n");
    let volume = |name: &str| format!("        - {{name: {name}, emptyDir: {{}}}}\n");
    let variable = |name: &str, path: &str| format!("            - {{name: {name}, value: {path}}}\n");
    let [start, rest] = ON_EMPTY_DIR.split("          volumeMounts:\n").collect::<Vec<_>>()[..] else { panic!() };
    assert!(rest.contains("volumes:"));
    let fixed = |env: &[String], mounts: &[String], volumes: &[String]| {
        let env = if env.is_empty() { String::new() } else { format!("          env:\n{}", env.concat()) };
        let (mounts, volumes) = (mounts.concat(), volumes.concat());
        fixed_for_good(&format!("{start}{env}          volumeMounts:\n{mounts}      volumes:\n{volumes}")).1
    };
    let log = variable("MSSQL_LOG_DIR", "/var/opt/mssql/log");
    // Only a subdirectory is mounted.
    let objects = fixed(&[], &[mount("data", "/var/opt/mssql/data")], &[volume("data")]);
    assert_eq!(claims(&objects).0, ["sql-data"]);
    // Both of two volumes.
    let mounts = [mount("data", "/var/opt/mssql/data"), mount("log", "/var/opt/mssql/log")];
    let objects = fixed(std::slice::from_ref(&log), &mounts, &[volume("data"), volume("log")]);
    assert_eq!(claims(&objects).0, ["sql-data", "sql-log"]);
    // One is on a claim.
    let on_claim = "        - {name: data, persistentVolumeClaim: {claimName: files}}\n".to_owned();
    let objects = fixed(&[log], &mounts, &[on_claim, volume("log")]);
    assert_eq!(claims(&objects).0, ["files", "sql-log"]);
    // All directories or none: a mount would show the value of the variable.
    let elsewhere = [variable("MSSQL_LOG_DIR", "/logs")];
    let objects = fixed(&elsewhere, &[mount("data", "/var/opt/mssql/data")], &[volume("data")]);
    assert_eq!(claims(&objects).0, [""; 0]);
}

#[test]
fn json_lists_and_flow_style_get_claims() {
    let object = &objects(ON_EMPTY_DIR)[0];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [object]});
    let (_, fixed) = fixed_for_good(&serde_json::to_string_pretty(&list).unwrap());
    let [list] = fixed.as_slice() else { panic!("one document") };
    assert_eq!(claims(list["items"].as_array().unwrap()), (vec!["sql-data"], vec!["sql-data".to_owned()]));
    let (stderr, fixed) = fixed_for_good(&serde_json::to_string(object).unwrap());
    assert!(stderr.contains("persistent-data: the fix adds a claim, but this JSON file holds one object"), "{stderr}");
    assert_eq!(&fixed, std::slice::from_ref(object));
    // A stream of two documents, and one without quotes, are YAML.
    let text = serde_json::to_string(object).unwrap();
    let (_, fixed) = fixed_for_good(&format!("{text}\n---\n{}\n", text.replace("\"sql\"", "\"web\"")));
    assert_eq!(named(&fixed, "PersistentVolumeClaim"), ["sql-data", "web-data"]);
    let (_, fixed) = fixed_for_good(&text.replace("\"kind\":", "kind: "));
    assert_eq!(named(&fixed, "PersistentVolumeClaim"), ["sql-data"]);
}

#[test]
fn no_fix_chooses_between_claims() {
    let volumes = "      volumes:\n      - {name: backup, persistentVolumeClaim: {claimName: backup}}\n      \
                   - {name: data, persistentVolumeClaim: {claimName: data}}\n";
    let (ran, objects) = fixed(&workload("Deployment", 1, volumes));
    assert!(
        ran.code == 1 && ran.stderr.contains("not fixed: a.yaml:15:59: persistent-data: no automatic fix"),
        "{ran:?}"
    );
    assert_eq!(objects[0]["spec"]["template"]["spec"]["containers"][0].get("volumeMounts"), None);
}

#[test]
fn a_claim_of_a_template_is_one_of_its_objects() {
    let template = |name: &str| {
        let workload = workload("Deployment", 1, "").replace("name: sql}", &format!("name: '{name}'}}"));
        let objects: String = workload
            .lines()
            .enumerate()
            .map(|(at, line)| match at {
                0 => format!("- {line}\n"),
                _ => format!("  {line}\n"),
            })
            .collect();
        format!(
            "apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {{name: t}}\nobjects:\n{objects}\
                 parameters:\n- {{name: NAME, value: sql}}\n"
        )
    };
    let (ran, objects) = fixed(&template("sql"));
    let items = objects[0]["objects"].as_array().unwrap();
    assert_eq!(named(items, "PersistentVolumeClaim"), ["sql-mssql-data"], "{ran:?}");
    assert_eq!(objects.len(), 1);
    let (ran, objects) = fixed(&template("${NAME}-db"));
    assert_eq!(objects[0]["objects"].as_array().unwrap().len(), 1);
    assert!(ran.stderr.contains("the name of this workload has a parameter"), "{ran:?}");
}
