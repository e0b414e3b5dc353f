//! Claims that `fix --unsafe` adds: no two with one name, and none with the name of an existing claim.

use std::fs;

use serde_json::{Value, json};

use super::{content, folder};
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

#[test]
fn no_claim_is_added_if_the_name_exists() {
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: sql-mssql-data}\nspec: {storageClassName: fast}\n";
    let deployment = workload("Deployment", 1, "");
    let message = "persistent-data: a claim of this name exists";
    let (ran, objects) = fixed(&format!("{deployment}---\n{claim}"));
    assert!(ran.code == 1 && ran.stderr.contains(message), "{ran:?}");
    assert_eq!(named(&objects, "PersistentVolumeClaim").len(), 1);

    let folder = folder(&[("claim.yaml", claim.as_bytes()), ("sql.yaml", deployment.as_bytes())]);
    let ran = fix(folder.path(), &["--unsafe", "."], "");
    assert!(ran.code == 1 && ran.stderr.contains(message), "{ran:?}");
    assert!(!fs::read_to_string(folder.path().join("sql.yaml")).unwrap().contains("persistentVolumeClaim"));
}

#[test]
fn two_workloads_with_one_name_do_not_share_a_claim() {
    let (ran, objects) = fixed(&[workload("Deployment", 1, ""), workload("ReplicaSet", 1, "")].join("---\n"));
    assert!(ran.stderr.contains("persistent-data: a claim of this name exists"), "{ran:?}");
    assert_eq!(named(&objects, "PersistentVolumeClaim"), ["sql-mssql-data"]);
    assert_eq!(objects[1]["spec"]["template"]["spec"].get("volumes"), None);
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
