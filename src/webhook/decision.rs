//! The decision about an AdmissionReview, and the answer that carries it.

use bytes::Bytes;
use sqledge_ha_policy::admission::verdict::{MAX_WARNING, RuleAction, UNCHECKED};
use sqledge_ha_policy::finding::push_separated;

use crate::wasm_host::{AdmissionReview, PatchError, Response};

/// The stages of admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The webhook can mutate objects.
    Mutate,
    /// The webhook can only allow or reject.
    Validate,
    /// The webhook can only allow, with warnings that say what it would mutate or reject.
    Warn,
}

impl Stage {
    /// All stages.
    pub const ALL: [Stage; 3] = [Stage::Mutate, Stage::Validate, Stage::Warn];

    /// The HTTP path of the stage.
    pub fn path(self) -> &'static str {
        match self {
            Stage::Mutate => "/mutate",
            Stage::Validate => "/validate",
            Stage::Warn => "/warn",
        }
    }
}

/// The decision about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Allowed without warnings, possibly without running the module.
    Allowed,
    /// Allowed with warnings.
    Warned,
    /// Allowed with a patch.
    Mutated,
    /// Rejected.
    Rejected,
    /// Allowed with a warning, because the module failed.
    Failed,
}

impl Decision {
    /// The name in the log and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Decision::Allowed => "allowed",
            Decision::Warned => "warned",
            Decision::Mutated => "mutated",
            Decision::Rejected => "rejected",
            Decision::Failed => "failed",
        }
    }
}

/// The answer to an AdmissionReview.
#[derive(Debug)]
pub struct Answer {
    /// The AdmissionReview with the response, as JSON.
    pub body: Bytes,
    /// The decision in it.
    pub decision: Decision,
    /// Why the request is rejected.
    pub message: Option<String>,
    /// The warnings for the user.
    pub warnings: Vec<String>,
    /// Rule ids, separated by commas, by action.
    pub rules: Vec<(RuleAction, String)>,
    /// The look-ups that failed and why, separated by semicolons.
    pub unchecked: Option<String>,
}

/// The name of an action in the log and in metrics.
pub(super) fn action_name(action: RuleAction) -> &'static str {
    match action {
        RuleAction::Mutated => "mutated",
        RuleAction::Rejected => "rejected",
        RuleAction::WouldMutate => "would_mutate",
        RuleAction::WouldReject => "would_reject",
        RuleAction::Warned => "warned",
    }
}

impl Answer {
    /// Whether a rule rejects the request, or would without the mode `warn`.
    pub fn is_rejection(&self) -> bool {
        self.decision == Decision::Rejected || self.rules.iter().any(|(action, _)| *action == RuleAction::WouldReject)
    }

    /// Allows a request without warnings.
    pub fn allowed(review: &AdmissionReview) -> Self {
        let response = Response { accepted: true, ..Response::default() };
        Answer::new(review, response, None, Decision::Allowed)
    }

    /// Answers with the module's response. As in Kubewarden, a mutation in the validating stage is a rejection. In the
    /// warning stage, mutations and rejections become warnings.
    ///
    /// # Errors
    /// [`PatchError`]: an answer without the patch would allow an object that the module wants to change.
    pub fn from_response(stage: Stage, review: &AdmissionReview, mut response: Response) -> Result<Self, PatchError> {
        if stage == Stage::Warn {
            remove_effect(&mut response);
        }
        if stage == Stage::Validate && response.accepted && response.mutated_object.is_some() {
            response.accepted = false;
            let message = "sqledge-ha: the module tried to mutate the object in the validating webhook";
            response.message = Some(message.to_owned());
        }
        let patch = review.patch(&response)?;
        let decision = match &response {
            Response { accepted: false, .. } => Decision::Rejected,
            _ if patch.is_some() => Decision::Mutated,
            Response { warnings, .. } if !warnings.is_empty() => Decision::Warned,
            _ => Decision::Allowed,
        };
        Ok(Answer::new(review, response, patch, decision))
    }

    /// Allows a request with the warning that it was not checked.
    pub fn not_checked(review: &AdmissionReview, cause: &str) -> Self {
        let warnings = vec![format!("sqledge-ha: not checked: {cause}")];
        let response = Response { accepted: true, warnings, ..Response::default() };
        Answer::new(review, response, None, Decision::Failed)
    }

    fn new(review: &AdmissionReview, response: Response, patch: Option<String>, decision: Decision) -> Self {
        let annotation = |key| response.audit_annotations.get(key).cloned();
        let ids = |action: RuleAction| Some((action, annotation(action.annotation())?));
        let rules = RuleAction::ALL.into_iter().filter_map(ids).collect();
        let unchecked = annotation(UNCHECKED);
        let (message, warnings) = (response.message.clone(), response.warnings.clone());
        let body = Bytes::from(review.answer(response, patch).to_string());
        Answer { body, decision, message, warnings, rules, unchecked }
    }
}

/// Turns a mutation or a rejection into warnings: the mode `warn` leaves those of the rules whose action the settings
/// choose.
fn remove_effect(response: &mut Response) {
    response.mutated_object = None;
    if !response.accepted {
        response.accepted = true;
        response.code = None;
        let message = response.message.take().unwrap_or_default();
        response.warnings.extend(message.lines().map(|line| truncate(line.trim_start_matches("- "))));
    }
    for (action, would) in
        [(RuleAction::Mutated, RuleAction::WouldMutate), (RuleAction::Rejected, RuleAction::WouldReject)]
    {
        let Some(ids) = response.audit_annotations.remove(action.annotation()) else { continue };
        let all = response.audit_annotations.entry(would.annotation().to_owned()).or_default();
        push_separated(all, ",", &ids);
    }
}

/// The start of a text, as long as a warning can be.
fn truncate(text: &str) -> String {
    text.chars().take(MAX_WARNING).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effect_of_a_response_becomes_warnings() {
        let mut response = Response {
            code: Some(403),
            message: Some(format!("the database would lose data:\n- a-rule: {}", "x".repeat(500))),
            mutated_object: Some(serde_json::json!({})),
            audit_annotations: [("rejected", "a-rule"), ("would-reject", "b-rule"), ("mutated", "c-rule")]
                .map(|(key, ids)| (key.to_owned(), ids.to_owned()))
                .into(),
            ..Response::default()
        };
        remove_effect(&mut response);
        assert!(response.accepted && response.mutated_object.is_none() && response.message.is_none());
        assert_eq!((response.code, response.warnings.len()), (None, 2));
        assert!(response.warnings[1].starts_with("a-rule: x") && response.warnings[1].len() == MAX_WARNING);
        let annotations = response.audit_annotations;
        assert_eq!((&*annotations["would-reject"], &*annotations["would-mutate"]), ("b-rule,a-rule", "c-rule"));
        assert_eq!(annotations.len(), 2);
    }
}
