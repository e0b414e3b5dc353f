//! Which objects need not be parsed, because nothing in their text can name an engine.

use memchr::memchr3_iter;

use crate::engine::MARKERS;
use crate::kind::Kind;
use crate::settings::Settings;

/// Rare in manifests, and one of the first two is in every marker.
const RARE: [u8; 3] = *b"q_\\";

/// Whether the text of an object can hold an engine. Most requests end here, so that one pass over the
/// text has to be enough.
pub fn may_run_engine(object: &str, settings: &Settings) -> bool {
    let bytes = object.as_bytes();
    let [q, underscore, backslash] = RARE;
    let is_hit = |at: usize| match bytes.get(at) {
        // A text with letters written as `\uXXXX`, or slashes as `\/`, might spell a marker in them.
        Some(b'\\') => matches!(bytes.get(at + 1), Some(b'u' | b'/')),
        Some(byte) => is_marker_around(bytes, at, *byte),
        None => false,
    };
    memchr3_iter(q, underscore, backslash, bytes).any(is_hit)
        || settings.images.iter().any(|image| object.contains(&image.repository))
}

/// Whether rules that look an object up can see more in it than its name and its owners: in a Service, and in what may
/// run an engine. `is_owned` says whether a controller that is itself judged owns it ([`crate::kind::has_judged_owner`]):
/// that is all a scale request wants to know of it, and ReplicaSets and ReplicationControllers are looked up for no
/// other reason.
pub fn is_worth_reading(kind: Kind, object: &str, is_owned: bool, settings: &Settings) -> bool {
    let is_excused = is_owned && matches!(kind, Kind::ReplicaSet | Kind::ReplicationController);
    kind.pod_template().is_none() || (!is_excused && may_run_engine(object, settings))
}

/// Whether a marker stands where `byte`, which is at `at`, is the first of its kind in it.
fn is_marker_around(bytes: &[u8], at: usize, byte: u8) -> bool {
    MARKERS.iter().any(|marker| {
        let start = marker.bytes().position(|own| own == byte).and_then(|before| at.checked_sub(before));
        start.and_then(|start| bytes.get(start..)).is_some_and(|rest| rest.starts_with(marker.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kind::has_judged_owner;
    use crate::objects::Objects;
    use crate::review::validate;
    use crate::settings::ImageMapping;
    use crate::testing::{IMAGE, test};
    use crate::verdict::Verdict;

    #[test]
    fn every_marker_is_found_wherever_it_stands() {
        let may = |text: &str| may_run_engine(text, &Settings::default());
        for marker in MARKERS {
            assert!(marker.bytes().any(|byte| RARE[..2].contains(&byte)), "{marker}");
            for text in [marker.to_owned(), format!("_q{marker}"), format!("mssqazure-sq{marker}_")] {
                assert!(may(&text), "{text}");
            }
            assert!(!may(marker.get(1..).unwrap()) && !may(marker.get(..marker.len() - 1).unwrap()), "{marker}");
        }
    }

    #[test]
    fn texts_that_may_spell_a_marker_otherwise_are_looked_into() {
        let mut settings = Settings::default();
        assert!(may_run_engine(r"azure\u002dsql", &settings) && may_run_engine(r"team\/edge", &settings));
        assert!(!may_run_engine("warehouse-mssql, /opt/mssql-tools/bin, MSSQL_HOST", &settings), "a client");
        assert!(!may_run_engine(r#"a \"quoted\" line\n"#, &settings) && !may_run_engine("team/edge", &settings));
        settings
            .images
            .push(ImageMapping { repository: "team/edge".to_owned(), engine: crate::engine::Engine::SqlEdge });
        assert!(may_run_engine("team/edge", &settings));
    }

    #[test]
    fn of_what_is_not_worth_reading_the_name_and_the_owners_decide_everything() {
        let owned_by = |kind: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "controller": true}]);
        let cases = [
            ("apps/v1", "Deployment", "web", Value::Null),
            ("apps/v1", "StatefulSet", "web", Value::Null),
            ("apps/v1", "ReplicaSet", "web", Value::Null),
            ("apps/v1", "ReplicaSet", IMAGE, owned_by("Deployment")),
            ("v1", "ReplicationController", IMAGE, owned_by("Deployment")),
        ];
        for (api_version, kind, image, owners) in cases {
            let metadata = json!({"name": "sql", "namespace": "db", "ownerReferences": owners});
            let stub = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
            let mut object = stub.clone();
            object["spec"] = json!({"template": {"metadata": {"labels": {"app": "sql"}},
                "spec": {"containers": [{"image": image}]}}});
            let (kind, settings) = (Kind::of_object(&object).unwrap(), Settings::default());
            assert!(!is_worth_reading(kind, &object.to_string(), has_judged_owner(&object), &settings), "{object}");
            for request in [scale(kind), service()] {
                let verdict = |object| validate(request.to_string().as_bytes(), &Objects::open([object]));
                assert_eq!(verdict(&object), Verdict::accept(), "{object}");
                assert_eq!(verdict(&stub), Verdict::accept(), "{stub}");
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
