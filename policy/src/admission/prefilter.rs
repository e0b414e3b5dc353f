//! Short cuts at admission: objects whose text contains no database need not be parsed.

use memchr::memchr3_iter;

use crate::engine::ENGINE_SUBSTRINGS;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::resources::LookUp;
use crate::kubernetes::rollout;
use crate::settings::Settings;

/// Bytes that are rare in manifests. Every substring contains one of the first two.
const RARE_BYTES: [u8; 3] = *b"q_\\";

/// Whether the JSON text of an object may contain a database container. Most requests end here, after one pass over the
/// text.
pub fn may_run_engine(object: &str, settings: &Settings) -> bool {
    names_known_engine(object) || settings.images.iter().any(|image| object.contains(&image.repository))
}

/// The same for databases that are known without settings.
pub(super) fn names_known_engine(object: &str) -> bool {
    let bytes = object.as_bytes();
    let [q, underscore, backslash] = RARE_BYTES;
    let is_hit = |at: usize| match bytes.get(at) {
        // An escaped letter (`\uXXXX`) or slash (`\/`) may be part of a substring.
        Some(b'\\') => matches!(bytes.get(at + 1), Some(b'u' | b'/')),
        Some(byte) => has_marker_at(bytes, at, *byte),
        None => false,
    };
    memchr3_iter(q, underscore, backslash, bytes).any(is_hit)
}

/// Whether the pods of an object may be those of another one, which may run a database.
pub(super) fn may_run_other_pods(kind: Kind, object: &str) -> bool {
    kind == Kind::ROLLOUT && object.contains(rollout::REFERENCE)
}

/// Whether the JSON text of settings may contain images: a name without escapes is in it as it is.
pub(super) fn may_set_images(settings: &str) -> bool {
    settings.contains("images") || settings.contains('\\')
}

/// Whether rules that look up an object of `kind` can read more in it than its name and its owners. `is_owned`: its
/// controller is checked itself ([`crate::kubernetes::kind::has_checked_owner`]). Scale requests need no more of an
/// owned object, and kinds that are looked up one by one are looked up for nothing else.
pub fn needs_full_object(kind: Kind, object: &str, is_owned: bool, settings: &Settings) -> bool {
    let Some(resource) = kind.resource().filter(|resource| resource.kind.workload().is_some()) else { return true };
    let is_skipped = is_owned && resource.look_up == LookUp::Get;
    !is_skipped && may_run_engine(object, settings)
}

/// Whether a substring is where `byte`, at position `at`, is the first such byte in it.
fn has_marker_at(bytes: &[u8], at: usize, byte: u8) -> bool {
    ENGINE_SUBSTRINGS.iter().any(|substring| {
        let start = substring.bytes().position(|own| own == byte).and_then(|before| at.checked_sub(before));
        start.and_then(|start| bytes.get(start..)).is_some_and(|rest| rest.starts_with(substring.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::admission::review::validate;
    use crate::admission::verdict::Verdict;
    use crate::engine::{ImageMapping, SQL_EDGE};
    use crate::kubernetes::kind::has_checked_owner;
    use crate::testing::{IMAGE, test};
    use crate::view::Scope;
    use crate::view::index::ObjectIndex;

    #[test]
    fn every_substring_is_found_at_any_position() {
        let may = |text: &str| may_run_engine(text, &Settings::default());
        for substring in ENGINE_SUBSTRINGS {
            assert!(substring.bytes().any(|byte| RARE_BYTES[..2].contains(&byte)), "{substring}");
            for text in [substring.to_owned(), format!("_q{substring}"), format!("mssqazure-sq{substring}_")] {
                assert!(may(&text), "{text}");
            }
            assert!(
                !may(substring.get(1..).unwrap()) && !may(substring.get(..substring.len() - 1).unwrap()),
                "{substring}"
            );
        }
    }

    #[test]
    fn escaped_text_is_parsed_and_clients_are_not() {
        let mut settings = Settings::default();
        assert!(may_run_engine(r"azure\u002dsql", &settings) && may_run_engine(r"team\/edge", &settings));
        assert!(!may_run_engine("warehouse-mssql, /opt/mssql-tools/bin, MSSQL_HOST", &settings), "a client");
        assert!(!may_run_engine(r#"a \"quoted\" line\n"#, &settings) && !may_run_engine("team/edge", &settings));
        settings.images.push(ImageMapping { repository: "team/edge".to_owned(), engine: &SQL_EDGE });
        assert!(may_run_engine("team/edge", &settings));
    }

    #[test]
    fn an_object_that_is_not_needed_in_full_can_be_replaced_by_its_metadata() {
        let owned_by = |group: &str, kind: &str| json!([{"apiVersion": group, "kind": kind, "controller": true}]);
        let cases = [
            ("apps/v1", "Deployment", "web", Value::Null),
            ("apps/v1", "StatefulSet", "web", Value::Null),
            ("apps/v1", "ReplicaSet", "web", Value::Null),
            ("apps/v1", "ReplicaSet", IMAGE, owned_by("apps/v1", "Deployment")),
            ("v1", "ReplicationController", IMAGE, owned_by("apps.openshift.io/v1", "DeploymentConfig")),
        ];
        for (api_version, kind, image, owners) in cases {
            let metadata = json!({"name": "sql", "namespace": "db", "ownerReferences": owners});
            let stub = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
            let mut object = stub.clone();
            object["spec"] = json!({"template": {"metadata": {"labels": {"app": "sql"}},
                "spec": {"containers": [{"image": image}]}}});
            let (kind, settings) = (Kind::from_object(&object).unwrap(), Settings::default());
            assert!(
                !needs_full_object(kind, &object.to_string(), has_checked_owner(kind, &object), &settings),
                "{object}"
            );
            for request in [scale(kind), service()] {
                let verdict =
                    |object| validate(request.to_string().as_bytes(), &ObjectIndex::new(Scope::Request, [object]));
                assert_eq!(verdict(&object), Verdict::allow(), "{object}");
                assert_eq!(verdict(&stub), Verdict::allow(), "{stub}");
            }
        }
    }

    fn scale(kind: Kind) -> Value {
        let resource = format!("{}s", kind.name().to_lowercase());
        json!({"request": {"operation": "UPDATE", "namespace": "db", "name": "sql", "subResource": "scale",
            "kind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
            "resource": {"resource": resource}, "object": {"spec": {"replicas": 2}}}})
    }

    fn service() -> Value {
        json!({"request": {"operation": "CREATE", "namespace": "db", "kind": {"group": "", "kind": "Service"},
            "object": {"spec": {"selector": {"app": "sql"}, "ports": [{"port": 1433}]}}}})
    }
}
