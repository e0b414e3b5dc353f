//! What the chart refuses, each with its place: values that it does not understand, and clusters that it is not for.

use sqledge_ha::command::webhook::NOT_FOR_THE_WEBHOOK;
use sqledge_ha::registry::ArtifactReference;

use super::template;

#[test]
fn the_schema_takes_the_references_that_the_command_takes() {
    let digest = format!("sha256:{}", "0".repeat(64));
    for (reference, is_one) in [
        (format!("registry.local:5000/team/policy@{digest}"), true),
        (format!("Registry-1.local/a__b/c.d-e--f:V1.2_3@{digest}"), true),
        ("localhost/policy:v1".to_owned(), true),
        ("registry:5000/policy:v1".to_owned(), true),
        ("team/policy:v1".to_owned(), false),
        ("policy:v1".to_owned(), false),
        ("registry.local/policy".to_owned(), false),
        ("registry.local/Policy:v1".to_owned(), false),
        ("registry.local/a..b:v1".to_owned(), false),
        ("-registry.local/policy:v1".to_owned(), false),
        ("https://registry.local/policy:v1".to_owned(), false),
        ("registry.local/policy@sha256:0000".to_owned(), false),
        (format!("registry.local/policy@sha256:{}", "A".repeat(64)), false),
    ] {
        let reference = format!("registry://{reference}");
        assert_eq!(reference.parse::<ArtifactReference>().is_ok(), is_one, "{reference}");
        let ran = template("sqledge-ha", &["--set", &format!("module={reference}")]);
        assert_eq!(ran.code == 0, is_one, "{reference}: {}", ran.said);
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    for (value, told) in [
        ("replicas=0", "at '/replicas': minimum: got 0, want 1"),
        ("replica=2", "additional properties 'replica' not allowed"),
        ("image.tags=v1", "at '/image': additional properties 'tags' not allowed"),
        ("image.digest=abc", "at '/image/digest': 'abc' does not match pattern"),
        ("failurePolicy=fail", "at '/failurePolicy': value must be one of 'Fail', 'Ignore'"),
        ("timeoutSeconds=31", "at '/timeoutSeconds': maximum: got 31, want 30"),
        ("settings.engine=sql-edge", "at '/settings': additional properties 'engine' not allowed"),
        ("settings.engines={sqledge}", "at '/settings/engines/0': value must be one of 'sql-edge', 'sql-server'"),
        ("settings.rules.single-replica=mutate", "at '/settings/rules/single-replica': value must be one of"),
        ("settings.images[0].repository=a'b", "at '/settings/images/0/repository': 'a\\'b' does not match pattern"),
        ("module=/policy.wasm", "at '/module': '/policy.wasm' does not match pattern"),
        ("module=registry.local/policy:v1", "at '/module': 'registry.local/policy:v1' does not match pattern"),
        ("registry.caSecret=My_CA", "at '/registry/caSecret': 'My_CA' does not match pattern"),
        ("registry.caSecret=authority", "are for a module in a registry: give module as well"),
        ("registry.credentialsSecret=login", "are for a module in a registry: give module as well"),
        ("certificate.secretName=mine", "certificate.secretName the API server has to be told whom to trust"),
        ("certificate.caBundle=PEM", "are for a certificate of your own"),
    ] {
        let ran = template("sqledge-ha", &["--set", value]);
        assert_eq!((ran.code, ran.output.as_str()), (1, ""), "{value}");
        assert!(ran.said.contains(told), "{value}: {}", ran.said);
    }
}

#[test]
fn the_chart_is_never_installed_where_the_cluster_keeps_its_own() {
    for namespace in NOT_FOR_THE_WEBHOOK {
        let ran = template(namespace, &[]);
        assert!(ran.code == 1 && ran.said.contains("add --namespace sqledge-ha --create-namespace"), "{}", ran.said);
    }
    assert_eq!(template("123", &[]).code, 0);
}

#[test]
fn a_cluster_that_is_too_old_is_told() {
    assert_eq!(template("sqledge-ha", &["--kube-version", "1.30.4-eks-1"]).code, 0);
    let ran = template("sqledge-ha", &["--kube-version", "1.29.9"]);
    assert!(ran.code == 1 && ran.said.contains("requires kubeVersion: >=1.30.0-0"), "{}", ran.said);
}
