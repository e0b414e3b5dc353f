//! What an Event reports.

use bytes::Bytes;
use serde::Deserialize;

use crate::webhook::decision::Stage;

/// The effect of a rule on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Rejected,
    Mutated,
    /// The mode `warn` prevented it.
    WouldReject,
    /// The mode `warn` prevented it.
    WouldMutate,
}

impl Effect {
    /// The effect of an action in an answer; `None` if this stage does not report it.
    ///
    /// The API server asks two stages about an allowed request, and only the first about a rejected one. What happened
    /// is reported by the stage that did it. What would happen in another mode is the same in both; the last stage
    /// reports it, because it sees the final object with its name and UID.
    pub(super) fn new(stage: Stage, action: &str) -> Option<Self> {
        match (action, stage) {
            ("rejected", Stage::Mutate | Stage::Validate) => Some(Effect::Rejected),
            ("mutated", Stage::Mutate) => Some(Effect::Mutated),
            ("would_reject", Stage::Validate | Stage::Warn) => Some(Effect::WouldReject),
            ("would_mutate", Stage::Validate | Stage::Warn) => Some(Effect::WouldMutate),
            _ => None,
        }
    }

    pub(super) fn reason(self) -> &'static str {
        match self {
            Effect::Rejected => "Rejected",
            Effect::Mutated => "Mutated",
            Effect::WouldReject => "WouldReject",
            Effect::WouldMutate => "WouldMutate",
        }
    }

    pub(super) fn action(self) -> &'static str {
        match self {
            Effect::Rejected => "Reject",
            Effect::Mutated => "Mutate",
            Effect::WouldReject | Effect::WouldMutate => "Warn",
        }
    }

    pub(super) fn event_type(self) -> &'static str {
        match self {
            Effect::Rejected | Effect::WouldReject => "Warning",
            Effect::Mutated | Effect::WouldMutate => "Normal",
        }
    }

    /// What the answer tells the user of a rule: the lines that start with its id.
    pub(super) fn text(self, rule: &str, answer: &Bytes) -> Option<String> {
        let Review { response } = serde_json::from_slice(answer).ok()?;
        let message = response.status.unwrap_or_default().message.unwrap_or_default();
        let lines: Vec<&str> = match self {
            Effect::Rejected => message.lines().filter_map(|line| line.strip_prefix("- ")).collect(),
            _ => response.warnings.iter().map(String::as_str).collect(),
        };
        let texts = lines.into_iter().filter_map(|line| line.strip_prefix(rule)?.strip_prefix(": "));
        Some(texts.collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
    }
}

/// The texts in an answer.
#[derive(Deserialize)]
struct Review {
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    status: Option<Status>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Status {
    message: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn exactly_one_stage_reports_an_effect() {
        let stages = |action| Stage::ALL.into_iter().filter(|stage| Effect::new(*stage, action).is_some()).count();
        // The warning stage gets the requests of other namespaces, and a request that is rejected reaches no other
        // stage.
        assert_eq!(["mutated", "rejected", "would_mutate", "would_reject", "warned"].map(stages), [1, 2, 2, 2, 0]);
        assert_eq!(Effect::new(Stage::Mutate, "would_reject"), None);
    }

    #[test]
    fn the_text_is_what_the_answer_says_of_the_rule() {
        let response = json!({"status": {"message": "bad:\n- a-rule: one\n- a-rule-too: two\n- a-rule: three"},
            "warnings": ["a-rule: long", "a-rule: text", "other"]});
        let answer = Bytes::from(json!({"response": response}).to_string());
        let text = |effect: Effect, rule| effect.text(rule, &answer);
        assert_eq!(text(Effect::Rejected, "a-rule").unwrap(), "one three");
        assert_eq!(text(Effect::Mutated, "a-rule").unwrap(), "long text");
        assert_eq!(text(Effect::WouldReject, "b-rule"), None);
        assert_eq!(Effect::Mutated.text("a-rule", &Bytes::from_static(b"{\"response\":{}}")), None);
    }
}
