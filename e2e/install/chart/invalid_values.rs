//! Values, namespaces and clusters that the chart rejects.

use sqledge_ha::command::webhook::CLUSTER_NAMESPACES;
use sqledge_ha::registry::ArtifactReference;

use super::template;

#[test]
fn the_schema_and_the_command_accept_the_same_references() {
    let digest = format!("sha256:{}", "0".repeat(64));
    for (reference, is_valid) in [
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
        assert_eq!(reference.parse::<ArtifactReference>().is_ok(), is_valid, "{reference}");
        let ran = template("sqledge-ha", &["--set", &format!("module={reference}")]);
        assert_eq!(ran.code == 0, is_valid, "{reference}: {}", ran.stderr);
    }
}

#[test]
fn invalid_values_are_rejected_with_their_path() {
    for (value, error) in [
        ("replicas=0", "at '/replicas': minimum: got 0, want 1"),
        ("replica=2", "additional properties 'replica' not allowed"),
        ("image.tags=v1", "at '/image': additional properties 'tags' not allowed"),
        ("image.digest=abc", "at '/image/digest': 'abc' does not match pattern"),
        ("failurePolicy=fail", "at '/failurePolicy': value must be one of 'Fail', 'Ignore'"),
        ("scaleFailurePolicy=", "at '/scaleFailurePolicy': value must be one of 'Fail', 'Ignore'"),
        ("mode=validate", "at '/mode': value must be one of 'enforce', 'warn'"),
        ("timeoutSeconds=31", "at '/timeoutSeconds': maximum: got 31, want 30"),
        ("settings.engine=sql-edge", "at '/settings': additional properties 'engine' not allowed"),
        ("settings.engines={sqledge}", "at '/settings/engines/0': value must be one of 'sql-edge', 'sql-server'"),
        ("settings.rules.single-replica=mutate", "at '/settings/rules/single-replica': value must be one of"),
        ("settings.images[0].repository=a'b", "at '/settings/images/0/repository': 'a\\'b' does not match pattern"),
        ("module=/policy.wasm", "at '/module': '/policy.wasm' does not match pattern"),
        ("module=registry.local/policy:v1", "at '/module': 'registry.local/policy:v1' does not match pattern"),
        ("registry.caSecret=My_CA", "at '/registry/caSecret': 'My_CA' does not match pattern"),
        ("registry.caSecret=authority", "registry.caSecret and registry.credentialsSecret need module"),
        ("registry.credentialsSecret=login", "registry.caSecret and registry.credentialsSecret need module"),
        ("certificate.secretName=mine", "with certificate.secretName the API server needs the CA bundle"),
        ("certificate.caBundle=PEM", "need certificate.secretName"),
        ("audit.enable=true", "at '/audit': additional properties 'enable' not allowed"),
        ("audit.pushGateway=pushgateway:9091", "at '/audit/pushGateway': 'pushgateway:9091' does not match pattern"),
        ("audit.ignore[0].rules={no-rule}", "at '/audit/ignore/0/rules/0': value must be one of"),
        ("audit.enabled=true,audit.reports=false", "audit.enabled needs audit.reports or audit.pushGateway"),
    ] {
        let ran = template("sqledge-ha", &["--set", value]);
        assert_eq!((ran.code, ran.output.as_str()), (1, ""), "{value}");
        assert!(ran.stderr.contains(error), "{value}: {}", ran.stderr);
    }
}

#[test]
fn namespaces_of_the_cluster_are_rejected() {
    for namespace in CLUSTER_NAMESPACES {
        let ran = template(namespace, &[]);
        assert!(
            ran.code == 1 && ran.stderr.contains("add --namespace sqledge-ha --create-namespace"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(template("123", &[]).code, 0);
}

#[test]
fn old_clusters_are_rejected() {
    assert_eq!(template("sqledge-ha", &["--kube-version", "1.30.4-eks-1"]).code, 0);
    let ran = template("sqledge-ha", &["--kube-version", "1.29.9"]);
    assert!(ran.code == 1 && ran.stderr.contains("requires kubeVersion: >=1.30.0-0"), "{}", ran.stderr);
}
