//! Why a look-up has no answer. The module says it in words in an audit annotation, and the webhook counts it by name.

/// Why a look-up has no answer. Rules that need the answer then report nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// The policy server may not read the kind.
    Forbidden,
    /// The policy does not name the kind in `contextAwareResources`.
    NotGranted,
    /// The setting `lookUps` does not name the kind.
    NotInSetting,
    /// The module looks up no kind of which the objects could be.
    NotSupported,
    /// The answer does not fit into the module's memory.
    TooManyObjects,
    /// The workload that a request changes does not exist.
    NoParent,
    /// The cluster does not have the kind.
    NotInstalled,
    /// The answer is not a JSON value that can be read.
    UnreadableAnswer,
    /// Anything else.
    Failed,
    /// There is nothing to look up objects in.
    NoCluster,
}

impl Unavailable {
    /// All reasons.
    pub const ALL: [Unavailable; 10] = [
        Unavailable::Forbidden,
        Unavailable::NotGranted,
        Unavailable::NotInSetting,
        Unavailable::NotSupported,
        Unavailable::TooManyObjects,
        Unavailable::NoParent,
        Unavailable::NotInstalled,
        Unavailable::UnreadableAnswer,
        Unavailable::Failed,
        Unavailable::NoCluster,
    ];

    /// The reason in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Unavailable::Forbidden => "the policy server's ServiceAccount has no permission to read it",
            Unavailable::NotGranted => "the policy has no permission to look it up",
            Unavailable::NotInSetting => "the setting lookUps does not name the kind",
            Unavailable::NotSupported => "the policy does not look them up",
            Unavailable::TooManyObjects => "the namespace has too many objects",
            Unavailable::NoParent => "it does not exist",
            Unavailable::NotInstalled => "the kind is not installed",
            Unavailable::UnreadableAnswer => "the answer cannot be read",
            Unavailable::Failed => "the look-up failed",
            Unavailable::NoCluster => "there is no cluster",
        }
    }

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Unavailable::Forbidden => "forbidden",
            Unavailable::NotGranted => "not_granted",
            Unavailable::NotInSetting => "look_ups_setting",
            Unavailable::NotSupported => "not_supported",
            Unavailable::TooManyObjects => "too_many_objects",
            Unavailable::NoParent => "no_parent",
            Unavailable::NotInstalled => "not_installed",
            Unavailable::UnreadableAnswer => "unreadable_answer",
            Unavailable::Failed => "failed",
            Unavailable::NoCluster => "no_cluster",
        }
    }

    /// The reason at the end of a line of [`View::unchecked`](super::View::unchecked).
    pub fn from_line(line: &str) -> Option<Self> {
        Unavailable::ALL.into_iter().find(|reason| line.ends_with(reason.words()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_found_again_by_its_words() {
        for reason in Unavailable::ALL {
            assert_eq!(Unavailable::from_line(&format!("services: {}", reason.words())), Some(reason));
        }
        assert_eq!(Unavailable::from_line("services: it is late"), None);
    }
}
