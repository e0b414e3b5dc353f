//! `sqledge-ha review`: answers an admission request with the embedded module.

use std::io::Write;
use std::sync::Arc;

use serde_json::Value;
use sqledge_ha_policy::request::parse_value;
use sqledge_ha_policy::settings::Settings;

use crate::cli::Review;
use crate::config;
use crate::exit::{ExitStatus, Failure};
use crate::input::{self, Source};
use crate::linter::list_items::objects_in;
use crate::manifest::{ReadError, read};
use crate::module::{self, Admission, EMBEDDED, Host, NoWorld, ObjectSet, Unpatchable, Unreadable, World};
use crate::report::explanation;

/// Why a review failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is not an admission request.
    #[error(transparent)]
    Input(#[from] Unreadable),
    /// The module failed.
    #[error(transparent)]
    Module(#[from] module::Error),
    /// The module's changes cannot be expressed as a patch.
    #[error(transparent)]
    Patch(#[from] Unpatchable),
}

/// Answers the review in a file and prints the answer. The exit code is 0 even if the request is rejected.
///
/// # Errors
/// [`Failure`] with exit code 2 for an invalid configuration, 4 for input that cannot be read.
pub fn run(flags: &Review) -> Result<ExitStatus, Failure> {
    let settings = flags.config.as_deref().map_or(Ok(Value::Null), config::checked_policy)?;
    let objects = if flags.cluster.is_empty() { None } else { Some(objects(flags)?) };
    let source = Source::from_argument(&flags.file);
    let text = source.read().map_err(|error| unreadable(&source.name(), &error))?;
    let answer = review(text.as_bytes(), &settings, objects);
    let answer = answer.map_err(|error| Failure::unreadable(format!("{}: {error}", source.name())))?;
    writeln!(anstream::stdout(), "{answer:#}")?;
    if flags.explain {
        // On standard error, so that programs can read the answer. If it is closed, the explanation is lost.
        let settings = Settings::from_value(&settings).unwrap_or_default();
        let _ = write!(anstream::stderr(), "{}", explanation::text(&request(&text), &answer, &settings));
    }
    Ok(ExitStatus::Clean)
}

/// The admission request in a valid input.
fn request(text: &str) -> Value {
    let mut review = parse_value(text, "the review").unwrap_or_default();
    match review.get_mut("request").map(Value::take) {
        Some(request) if !request.is_null() => request,
        _ => review,
    }
}

/// The objects in the files of `--cluster`.
fn objects(flags: &Review) -> Result<Vec<Value>, Failure> {
    let (sources, missing) = input::find(&flags.cluster);
    if let Some(missing) = missing.first() {
        return Err(unreadable(&missing.name, &missing.error));
    }
    let mut objects = Vec::new();
    for source in sources {
        let failed = |error: ReadError| unreadable(&source.name(), &error);
        for document in read(&source.read().map_err(failed)?) {
            let value = document.map_err(failed)?.value;
            objects.extend(objects_in(&value).into_iter().map(|part| part.value.clone()));
        }
    }
    Ok(objects)
}

fn unreadable(name: &str, error: &ReadError) -> Failure {
    Failure::unreadable(format!("{name}: {error}"))
}

/// Answers an AdmissionReview or an AdmissionRequest as the module would in a cluster, and returns the AdmissionReview.
///
/// `settings` are the policy's settings; `Value::Null` means the defaults. `objects` are the other objects in the cluster. With
/// `None`, look-ups fail, and the answer's audit annotations say so.
///
/// With invalid settings, with which a policy server would not start, the request is rejected with code 500.
///
/// # Errors
/// [`Error::Input`] with line and column if `input` is not an admission request; [`Error::Module`] if the module fails, which no
/// input should cause; [`Error::Patch`] if the changed object is nested too deeply to compare.
pub fn review(input: &[u8], settings: &Value, objects: Option<Vec<Value>>) -> Result<Value, Error> {
    let admission = Admission::read(input)?;
    let world: Arc<dyn World> = match objects {
        Some(objects) => Arc::new(ObjectSet(objects)),
        None => Arc::new(NoWorld),
    };
    let instance = Host::new(EMBEDDED)?.instance(world)?;
    let response = instance.validate_text(admission.request(), &settings.to_string())?;
    let patch = admission.patch(&response)?;
    Ok(admission.answer(response, patch))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use serde_json::json;

    use super::*;

    fn request() -> Value {
        json!({"uid": "7", "operation": "CREATE", "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "object": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "sql"}, "spec": {
                "replicas": 1, "selector": {"matchLabels": {"app": "sql"}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
                "template": {"metadata": {"labels": {"app": "sql"}}, "spec": {
                    "containers": [{"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge",
                        "env": [{"name": "ACCEPT_EULA", "value": "Y"}],
                        "volumeMounts": [{"name": "data", "mountPath": "/var/opt/mssql"}]}],
                    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}}}}})
    }

    #[test]
    fn missing_fields_are_added_by_a_patch() {
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request()});
        let answer = review_of(&review, &Value::Null, Some(Vec::new()));
        assert_eq!((&answer["uid"], &answer["allowed"]), (&json!("7"), &json!(true)), "{answer}");
        let patch = BASE64_STANDARD.decode(answer["patch"].as_str().unwrap()).unwrap();
        let patch: Vec<Value> = serde_json::from_slice(&patch).unwrap();
        assert!(
            patch.contains(&json!({"op": "replace", "path": "/spec/strategy/type", "value": "Recreate"})),
            "{patch:?}"
        );
        assert!(patch.contains(&json!({"op": "remove", "path": "/spec/strategy/rollingUpdate"})), "{patch:?}");
    }

    #[test]
    fn a_request_without_look_ups_is_answered_with_an_audit_annotation() {
        let answer = review_of(&request(), &Value::Null, None);
        assert_eq!(answer["allowed"], true, "{answer}");
        assert!(answer["auditAnnotations"]["unchecked"].is_string(), "{answer}");
    }

    #[test]
    fn valid_settings_apply_and_invalid_settings_reject_the_request() {
        let answer = review_of(&request(), &json!({"mode": "validate"}), None);
        assert_eq!((&answer["allowed"], &answer["status"]["code"]), (&json!(false), &json!(403)), "{answer}");
        let answer = review_of(&request(), &json!({"mod": "validate"}), None);
        assert_eq!(answer["status"]["code"], 500, "{answer}");
        assert!(answer["status"]["message"].as_str().unwrap().contains("did you mean `mode`"), "{answer}");
    }

    fn review_of(input: &Value, settings: &Value, objects: Option<Vec<Value>>) -> Value {
        review(input.to_string().as_bytes(), settings, objects).unwrap()["response"].take()
    }
}
