//! `sqledge-ha review`: an admission request in, the answer out, through the embedded module.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use sqledge_ha_policy::request::parse_value;
use sqledge_ha_policy::settings::Settings;

use crate::cli::Review;
use crate::config;
use crate::exit::{Failure, Outcome};
use crate::input::{self, Source};
use crate::linter::parts::parts;
use crate::manifest::{Problem, read};
use crate::report::explanation;
use crate::wasm_host::{
    self, AdmissionReview, CompiledModule, EMBEDDED, LookupSource, NoLookups, ObjectSet, ParseError, PatchError,
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is no admission request.
    #[error(transparent)]
    Input(#[from] ParseError),
    /// The module could not be run.
    #[error(transparent)]
    Module(#[from] wasm_host::Error),
    /// The module's changes cannot be written as a patch.
    #[error(transparent)]
    Patch(#[from] PatchError),
}

/// Answers the review in a file, and prints the answer. A refusal is an answer like any other: exit code 0.
///
/// # Errors
/// [`Failure`] with exit code 2 for a wrong configuration, 4 for input that cannot be read.
pub fn run(flags: &Review) -> Result<Outcome, Failure> {
    let settings = flags.config.as_deref().map_or(Ok(Value::Null), config::checked_policy)?;
    let objects = if flags.cluster.is_empty() { None } else { Some(objects(flags)?) };
    let source = Source::named(&flags.file);
    let text = source.read().map_err(|problem| unreadable(&source.name(), &problem))?;
    let failed = |error: Error| Failure::unreadable(format!("{}: {error}", source.name()));
    let review = AdmissionReview::read(Bytes::from(text.into_bytes())).map_err(|error| failed(error.into()))?;
    let answer = answer(&review, &settings, objects).map_err(failed)?;
    writeln!(anstream::stdout(), "{answer:#}")?;
    if flags.explain {
        // Beside the answer, so that what reads it is not disturbed. Without standard error there is nobody to tell.
        let settings = Settings::from_value(&settings).unwrap_or_default();
        let request = parse_value(review.request_text(), "the admission request").unwrap_or_default();
        let _ = write!(anstream::stderr(), "{}", explanation::text(&request, &answer, &settings));
    }
    Ok(Outcome::Clean)
}

/// The objects in the files that stand for the cluster.
fn objects(flags: &Review) -> Result<Vec<Value>, Failure> {
    let (sources, missing) = input::find(&flags.cluster);
    if let Some(missing) = missing.first() {
        return Err(unreadable(&missing.name, &missing.problem));
    }
    let mut objects = Vec::new();
    for source in sources {
        let failed = |problem: Problem| unreadable(&source.name(), &problem);
        for document in read(&source.read().map_err(failed)?) {
            let value = document.map_err(failed)?.value;
            objects.extend(parts(&value).into_iter().map(|part| part.value.clone()));
        }
    }
    Ok(objects)
}

fn unreadable(name: &str, problem: &Problem) -> Failure {
    Failure::unreadable(format!("{name}: {}", problem.message))
}

/// Reviews an AdmissionReview, or a bare AdmissionRequest, as the cluster would, and gives the AdmissionReview that
/// answers it.
///
/// `settings` are the policy's; `Value::Null` means the defaults. `objects` are what exists beside the object under
/// review: nothing else does. With `None` nothing can be looked up, and the answer's audit annotations say so.
///
/// Settings that are not valid, which the policy server would not start with, refuse the request with code 500.
///
/// # Errors
/// [`Error::Input`] if `input` is no admission request, with the line and column; [`Error::Module`] if the module
/// fails, which no input brings about; [`Error::Patch`] if it changes an object that is nested too deeply to compare.
pub fn review(input: &[u8], settings: &Value, objects: Option<Vec<Value>>) -> Result<Value, Error> {
    answer(&AdmissionReview::read(Bytes::copy_from_slice(input))?, settings, objects)
}

fn answer(review: &AdmissionReview, settings: &Value, objects: Option<Vec<Value>>) -> Result<Value, Error> {
    let lookups: Arc<dyn LookupSource> = match objects {
        Some(objects) => Arc::new(ObjectSet(objects)),
        None => Arc::new(NoLookups),
    };
    let instance = CompiledModule::new(EMBEDDED)?.instance(lookups)?;
    let response = instance.validate_text(review.request_text(), &settings.to_string())?;
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
    fn what_is_left_out_is_patched_in() {
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
    fn a_bare_request_is_answered_and_what_could_not_be_looked_up_is_said() {
        let answer = review_of(&request(), &Value::Null, None);
        assert_eq!(answer["allowed"], true, "{answer}");
        assert!(answer["auditAnnotations"]["unchecked"].is_string(), "{answer}");
    }

    #[test]
    fn settings_apply_and_wrong_ones_refuse() {
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
