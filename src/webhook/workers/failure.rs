//! Why the module failed, in messages that quote nothing of the request.

use crate::wasm_host::{CallError, Error, PatchError, with_causes};
use crate::webhook::metrics::FailureReason;

/// Why the module failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ModuleFailure {
    #[error(transparent)]
    Module(#[from] Error),
    #[error(transparent)]
    Patch(PatchError),
    #[error("the host of the module panicked")]
    Panic,
}

impl ModuleFailure {
    /// The reason in the log and in metrics.
    pub(super) fn reason(&self) -> FailureReason {
        match self {
            ModuleFailure::Module(error) if error.is_timeout() => FailureReason::Timeout,
            ModuleFailure::Module(Error::Call { .. }) => FailureReason::Trap,
            ModuleFailure::Module(Error::Answer { .. }) | ModuleFailure::Patch(_) => FailureReason::Answer,
            ModuleFailure::Module(_) => FailureReason::Start,
            ModuleFailure::Panic => FailureReason::Panic,
        }
    }

    /// The failure and its causes on one line, without the module's own messages, which may quote the request.
    pub(super) fn causes(&self) -> String {
        match self {
            ModuleFailure::Module(error @ Error::Call { source: CallError::Message(_), .. }) => {
                format!("{error}: the module returned an error")
            }
            ModuleFailure::Module(error @ Error::Answer { source, .. }) => {
                format!("{error}: line {}, column {}", source.line(), source.column())
            }
            ModuleFailure::Module(_) | ModuleFailure::Patch(_) | ModuleFailure::Panic => with_causes(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::Trap;

    use super::*;

    fn call(source: CallError) -> ModuleFailure {
        Error::Call { operation: "validate", source }.into()
    }

    #[test]
    fn causes_are_one_line_and_quote_nothing() {
        let answer = serde_json::from_str::<bool>("\"s3cret\"").unwrap_err();
        let cases = [
            (
                call(CallError::Trap(Trap::UnreachableCodeReached)),
                FailureReason::Trap,
                "failed in `validate`: wasm trap: wasm `unreachable` instruction executed",
            ),
            (
                call(CallError::Message("s3cret".to_owned())),
                FailureReason::Trap,
                "failed in `validate`: the module returned an error",
            ),
            (call(CallError::Deadline), FailureReason::Timeout, "failed in `validate`: its deadline passed"),
            (
                Error::Answer { operation: "validate", source: answer }.into(),
                FailureReason::Answer,
                "answer of the Wasm module to `validate` cannot be read: line 1, column 8",
            ),
            (
                Error::Start(CallError::Protocol("no memory\nmore".to_owned())).into(),
                FailureReason::Start,
                "cannot be started: no memory",
            ),
            (
                ModuleFailure::Patch(PatchError::NoObject),
                FailureReason::Answer,
                "the module changed the object of a request that has none",
            ),
        ];
        for (failure, reason, expected) in cases {
            let causes = failure.causes();
            assert_eq!(failure.reason(), reason, "{causes}");
            assert!(causes.ends_with(expected) && !causes.contains("s3cret"), "{causes}");
        }
    }
}
