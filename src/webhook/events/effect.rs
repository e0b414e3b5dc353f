//! What an Event reports.

use sqledge_ha_policy::admission::verdict::RuleAction;

use crate::webhook::decision::{Answer, Stage};

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
    pub(super) fn new(stage: Stage, action: RuleAction) -> Option<Self> {
        match (action, stage) {
            (RuleAction::Rejected, Stage::Mutate | Stage::Validate) => Some(Effect::Rejected),
            (RuleAction::Mutated, Stage::Mutate) => Some(Effect::Mutated),
            (RuleAction::WouldReject, Stage::Validate | Stage::Warn) => Some(Effect::WouldReject),
            (RuleAction::WouldMutate, Stage::Validate | Stage::Warn) => Some(Effect::WouldMutate),
            (RuleAction::Rejected, Stage::Warn)
            | (RuleAction::Mutated, Stage::Validate | Stage::Warn)
            | (RuleAction::WouldReject | RuleAction::WouldMutate, Stage::Mutate)
            | (RuleAction::Warned, _) => None,
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

    /// What the answer tells the user of a rule: the lines that start with its id. `None` if there are none.
    pub(super) fn text(self, rule: &str, answer: &Answer) -> Option<String> {
        let lines: Vec<&str> = match self {
            Effect::Rejected => answer.message.iter().flat_map(|message| message.lines()).collect(),
            Effect::Mutated | Effect::WouldReject | Effect::WouldMutate => {
                answer.warnings.iter().map(String::as_str).collect()
            }
        };
        let of_rule = lines.into_iter().filter_map(|line| line.trim_start_matches("- ").strip_prefix(rule));
        let texts: Vec<&str> = of_rule.filter_map(|rest| rest.strip_prefix(": ")).collect();
        Some(texts.join(" ")).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::webhook::decision::Decision;

    #[test]
    fn exactly_one_stage_reports_an_effect() {
        let stages = |action| Stage::ALL.into_iter().filter(|stage| Effect::new(*stage, action).is_some()).count();
        // The warning stage gets the requests of other namespaces, and a request that is rejected reaches no other
        // stage.
        assert_eq!(RuleAction::ALL.map(stages), [1, 2, 2, 2, 0]);
        assert_eq!(Effect::new(Stage::Mutate, RuleAction::WouldReject), None);
    }

    #[test]
    fn the_text_is_what_the_answer_says_of_the_rule() {
        let answer = Answer {
            body: Bytes::new(),
            decision: Decision::Rejected,
            message: Some("bad:\n- a-rule: one\n- a-rule-too: two\n- a-rule: three".to_owned()),
            warnings: ["a-rule: long", "a-rule: text", "other"].map(str::to_owned).into(),
            rules: Vec::new(),
            unchecked: None,
        };
        assert_eq!(Effect::Rejected.text("a-rule", &answer).unwrap(), "one three");
        assert_eq!(Effect::Mutated.text("a-rule", &answer).unwrap(), "long text");
        assert_eq!(Effect::WouldReject.text("b-rule", &answer), None);
    }
}
