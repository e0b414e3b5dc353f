//! Why the module gave no answer, in words that quote nothing of the request.

use std::error::Error as _;
use std::iter::successors;

use crate::module::{Error, Unpatchable};

/// Why the module gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Module(#[from] Error),
    #[error(transparent)]
    Patch(Unpatchable),
    #[error("the host of the module panicked")]
    Panic,
}

/// How the Wasm runtime begins to say why it stopped a module.
const TRAP: &str = "wasm trap: ";

impl Failure {
    /// The name in logs and metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Failure::Module(error) if error.is_time_out() => "timeout",
            Failure::Module(Error::Call { .. }) => "trap",
            Failure::Module(Error::Answer { .. }) | Failure::Patch(_) => "answer",
            Failure::Module(_) => "start",
            Failure::Panic => "panic",
        }
    }

    /// What failed, and what that came from, on one line. What a module says itself is left out, because it may quote
    /// the request.
    pub(super) fn causes(&self) -> String {
        match self {
            Failure::Module(error) if error.is_time_out() => format!("{error}: its deadline passed"),
            Failure::Module(error @ Error::Call { source, .. }) => {
                let said = source.to_string();
                let trap = said.find(TRAP).and_then(|at| said.get(at..)?.lines().next());
                format!("{error}: {}", trap.unwrap_or("an error of its own"))
            }
            Failure::Module(error @ Error::Answer { source, .. }) => {
                format!("{error}: line {}, column {}", source.line(), source.column())
            }
            Failure::Module(_) | Failure::Patch(_) | Failure::Panic => {
                let sources = successors(self.source(), |error| (**error).source());
                let causes = std::iter::once(self.to_string()).chain(sources.map(ToString::to_string));
                causes.filter_map(|cause| Some(cause.lines().next()?.to_owned())).collect::<Vec<_>>().join(": ")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wapc::errors::Error as Wapc;

    use super::*;

    fn call(said: &str) -> Failure {
        Error::Call { operation: "validate", source: Box::new(Wapc::GuestCallFailure(said.to_owned())) }.into()
    }

    #[test]
    fn causes_are_told_on_one_line_and_quote_nothing() {
        let answer = serde_json::from_str::<bool>("\"s3cret\"").unwrap_err();
        let cases = [
            (call("wasm trap: out of bounds\n s3cret"), "trap", "failed in `validate`: wasm trap: out of bounds"),
            (call("s3cret"), "trap", "failed in `validate`: an error of its own"),
            (call("execution deadline exceeded"), "timeout", "failed in `validate`: its deadline passed"),
            (
                Error::Answer { operation: "validate", source: answer }.into(),
                "answer",
                "answer to `validate` that cannot be read: line 1, column 8",
            ),
            (
                Error::Start(Box::new(Wapc::InitFailed("out of memory\nmore".to_owned()))).into(),
                "start",
                "cannot be started: Initialization failed: out of memory",
            ),
            (Failure::Patch(Unpatchable::Absent), "answer", "the module changed the object of a request that has none"),
        ];
        for (failure, reason, expected) in cases {
            let causes = failure.causes();
            assert_eq!(failure.reason(), reason, "{causes}");
            assert!(causes.ends_with(expected) && !causes.contains("s3cret"), "{causes}");
        }
    }
}
