//! `sqledge-ha review`: answers an admission request with the embedded module.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use sqledge_ha_policy::rules::parse_settings;

use crate::cli::Review;
use crate::command::objects::{read_objects, unreadable};
use crate::config;
use crate::exit::{CommandError, ExitStatus};
use crate::input::Source;
use crate::report::explanation;
use crate::wasm_host::{
    self, AdmissionReview, CompiledModule, EMBEDDED, LookupSource, NoLookups, ObjectSet, ParseError, PatchError,
    with_look_ups,
};

/// Why a review failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is not an admission request.
    #[error(transparent)]
    Input(#[from] ParseError),
    /// The module could not be run.
    #[error(transparent)]
    Module(#[from] wasm_host::Error),
    /// The module's changes cannot be written as a patch.
    #[error(transparent)]
    Patch(#[from] PatchError),
}

/// Answers the review in a file and prints the answer. The exit code is 0 even if the request is rejected.
///
/// # Errors
/// [`CommandError`] with exit code 2 for an invalid configuration, 4 for input that cannot be read.
pub fn run(flags: &Review) -> Result<ExitStatus, CommandError> {
    let settings =
        flags.config.as_deref().map(config::read_settings_file).transpose()?.map_or(Value::Null, |file| file.value);
    let objects = if flags.cluster.is_empty() { None } else { Some(read_objects(&flags.cluster)?) };
    let source = Source::from_argument(&flags.file);
    let text = source.read().map_err(|error| unreadable(&source.name(), &error))?;
    let failed = |error: Error| CommandError::unreadable(format!("{}: {error}", source.name()));
    let review = AdmissionReview::read(Bytes::from(text.into_bytes())).map_err(|error| {
        CommandError::unreadable(format!("{}: {error}; to check manifests, run `sqledge-ha lint`", source.name()))
    })?;
    let answer = answer(&review, &settings, objects.clone()).map_err(failed)?;
    writeln!(anstream::stdout(), "{answer:#}")?;
    if flags.explain {
        // On standard error, so that programs can read the answer. If it is closed, the explanation is lost.
        let settings = parse_settings(&settings).unwrap_or_default();
        let explanation = explanation::text(&review, &answer, &settings, objects.as_deref());
        let _ = write!(anstream::stderr(), "{explanation}");
    }
    Ok(ExitStatus::Clean)
}

/// Answers an AdmissionReview or an AdmissionRequest as the module would in a cluster, and returns the AdmissionReview.
///
/// `settings` are the policy's settings; `Value::Null` means the defaults. `objects` are the other objects in the
/// cluster. With `None`, look-ups fail, and the answer's audit annotations say so.
///
/// With invalid settings, with which a policy server would not start, the request is rejected with code 500.
///
/// # Errors
/// [`Error::Input`] with line and column if `input` is not an admission request; [`Error::Module`] if the module fails,
/// which no input should cause; [`Error::Patch`] if the changed object is nested too deeply to compare.
pub fn review(input: &[u8], settings: &Value, objects: Option<Vec<Value>>) -> Result<Value, Error> {
    answer(&AdmissionReview::read(Bytes::copy_from_slice(input))?, settings, objects)
}

fn answer(review: &AdmissionReview, settings: &Value, objects: Option<Vec<Value>>) -> Result<Value, Error> {
    let lookups: Arc<dyn LookupSource> = match objects {
        Some(objects) => Arc::new(ObjectSet(objects)),
        None => Arc::new(NoLookups),
    };
    let mut instance = CompiledModule::new(EMBEDDED)?.instance(lookups)?;
    let response = instance.validate_text(review.request_text(), &with_look_ups(settings).to_string())?;
    let patch = review.patch(&response)?;
    Ok(review.answer(response, patch))
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
