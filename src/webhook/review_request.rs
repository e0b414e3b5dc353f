//! Reading an AdmissionReview from the API server, and whether the rules check it.

use bytes::Bytes;
use sqledge_ha_policy::admission;
use sqledge_ha_policy::settings::Settings;

use crate::wasm_host::{AdmissionReview, ParseError};

/// Why a body has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// It is not JSON, or not an admission request.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// It is not an AdmissionReview of the supported version.
    #[error("only AdmissionReviews of admission.k8s.io/v1 are supported")]
    Version,
}

/// Reads an AdmissionReview of `admission.k8s.io/v1`.
///
/// # Errors
/// [`ReviewError`], which quotes nothing of the body.
pub fn read_review(body: Bytes) -> Result<AdmissionReview, ReviewError> {
    let review = AdmissionReview::read(body)?;
    if review.is_v1() { Ok(review) } else { Err(ReviewError::Version) }
}

/// Whether the embedded module, with these settings, might do anything else than allow the request without warnings.
pub fn needs_check(review: &AdmissionReview, settings: &Settings) -> bool {
    admission::review::needs_check(&review.request(), settings).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(review: &Value) -> Result<AdmissionReview, ReviewError> {
        read_review(Bytes::from(review.to_string()))
    }

    fn review(api_version: &str, request: &Value) -> Value {
        json!({"apiVersion": api_version, "kind": "AdmissionReview", "request": request})
    }

    #[test]
    fn errors_say_what_is_wrong_and_quote_nothing() {
        let v1 = "admission.k8s.io/v1";
        let cases = [
            (review("admission.k8s.io/v1beta1", &json!({"uid": "7"})), "admission.k8s.io/v1 are supported"),
            (json!({"uid": "7"}), "admission.k8s.io/v1 are supported"),
            (json!("s3cret"), "neither an AdmissionReview"),
            (review(v1, &json!(null)), "has no `request`"),
            (review(v1, &json!({"uid": ""})), "no `uid`"),
            (review(v1, &json!("s3cret")), "not an object"),
        ];
        for (body, expected) in cases {
            let message = read(&body).unwrap_err().to_string();
            assert!(message.contains(expected) && !message.contains("s3cret"), "{body}: {message}");
        }
    }

    #[test]
    fn requests_that_cannot_concern_a_database_need_no_check() {
        let needs_check = |kind: &str, group: &str, object: Value| {
            let request =
                json!({"uid": "7", "operation": "CREATE", "kind": {"group": group, "kind": kind}, "object": object});
            needs_check(&read(&review("admission.k8s.io/v1", &request)).unwrap(), &Settings::default())
        };
        assert!(!needs_check("ConfigMap", "", json!({"data": {"image": "azure-sql-edge"}})));
        assert!(!needs_check("Deployment", "apps", json!({"spec": {"image": "nginx"}})));
        assert!(needs_check("Deployment", "apps", json!({"spec": {"image": "azure-sql-edge"}})));
        assert!(needs_check("Service", "", json!({"spec": {}})));
    }
}
