//! What can be wrong with a document, and how to say it.

use granit_parser::ErrorKind;

use super::problem::Problem;
use super::template::template_at;

/// How deeply collections may be nested. Far more than any manifest needs, far less than would overflow a stack when the value
/// is dropped, cloned or printed.
pub(super) const MAX_DEPTH: usize = 256;

/// What is wrong with a document, and where in its chunk.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) cause: Cause,
    /// A byte offset from the start of the chunk.
    pub(super) byte: usize,
}

#[derive(Debug, PartialEq)]
pub(super) enum Cause {
    Syntax(ErrorKind),
    /// A control character, which YAML and JSON both forbid.
    Control,
    /// A character that ends a line in YAML 1.1 only.
    OldLineBreak,
    /// A plain scalar in braces or brackets that begins with `?`, which says there that a key follows.
    QuestionMark,
    /// A colon between a plain scalar and a comma or a bracket.
    StuckColon,
    TooDeep,
    CollectionKey,
    NullKey,
    /// A number beyond `i64` as a key: `sigs.k8s.io/yaml` refuses it.
    UnsignedKey,
    DuplicateKey {
        key: String,
        /// Where it stands for the first time, from the start of the chunk.
        first: usize,
    },
    NotFinite,
    TagMismatch(String),
    Base64,
    RecursiveAlias,
    Expansion,
    Merge,
}

impl Fault {
    /// Whether the parser stumbled over the forbidden character at `byte`, or would have, had it known better.
    pub(super) fn may_come_from(&self, chunk: &str, byte: usize) -> bool {
        byte <= self.byte
            || chunk.get(self.byte..byte).is_some_and(|between| !between.contains('\n'))
            || matches!(self.cause, Cause::Syntax(ErrorKind::UnexpectedCharacter { character }) if character.is_control())
    }

    /// Puts the fault into words. `start` is where `chunk` begins in `text`.
    pub(super) fn explain(&self, text: &str, chunk: &str, start: usize) -> Problem {
        if matches!(self.cause, Cause::Syntax(_) | Cause::CollectionKey)
            && let Some(byte) = template_at(chunk, self.byte)
        {
            return Problem {
                message: "this is a Helm or Go template, not YAML".into(),
                help: Some("let it be rendered (--helm CHART), or leave it out (--exclude)".into()),
                byte: start + byte,
            };
        }
        Problem {
            message: self.message(chunk),
            help: self.help().map(Into::into),
            byte: (start + self.byte).min(text.len()),
        }
    }

    fn message(&self, chunk: &str) -> String {
        match &self.cause {
            Cause::Syntax(ErrorKind::UnclosedQuotedScalar) => "this quote is never closed".into(),
            Cause::Syntax(ErrorKind::UnclosedFlowCollection { open }) => format!("this `{open}` is never closed"),
            Cause::Syntax(ErrorKind::UnknownAnchor) => {
                "this alias refers to an anchor that does not exist above it".into()
            }
            Cause::Syntax(ErrorKind::MappingValueNotAllowed) => "a `key: value` is not allowed here".into(),
            Cause::Syntax(
                ErrorKind::TabInPlainScalar | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation,
            ) => "a tab stands where YAML wants spaces".into(),
            Cause::TooDeep | Cause::Syntax(ErrorKind::RecursionLimitExceeded) => {
                format!("collections are nested more than {MAX_DEPTH} deep")
            }
            Cause::Syntax(kind) => kind.to_string(),
            Cause::Control => "a control character is not allowed in YAML or JSON".into(),
            Cause::OldLineBreak => {
                "this invisible character (NEL, LS or PS) ends the line for kubectl, and for nobody else".into()
            }
            Cause::QuestionMark => "what follows this `?` is a key for kubectl".into(),
            Cause::StuckColon => "kubectl takes the `:` behind this for a part of it".into(),
            Cause::CollectionKey => "a mapping or a sequence cannot be a key".into(),
            Cause::NullKey => "null cannot be a key".into(),
            Cause::UnsignedKey => "a number this large cannot be a key".into(),
            Cause::DuplicateKey { key, first } => {
                let key = shorten(key);
                // Counted from here, so that the cost does not grow with what stands before the document.
                match chunk.get(*first..self.byte).map_or(0, |between| between.matches('\n').count()) {
                    0 => format!("the key `{key}` stands here again; it already stands on this line"),
                    1 => format!("the key `{key}` stands here again; it already stands one line above"),
                    lines => format!("the key `{key}` stands here again; it already stands {lines} lines above"),
                }
            }
            Cause::NotFinite => "a number that is infinite, not a number or too large has no place in JSON".into(),
            Cause::TagMismatch(tag) => format!("this value is not what its tag `!!{}` says", shorten(tag)),
            Cause::Base64 => "this `!!binary` value is not base64".into(),
            Cause::RecursiveAlias => "this alias stands inside of its own anchor".into(),
            Cause::Expansion => "aliases repeat more than a manifest may hold".into(),
            Cause::Merge => "`<<` merges a mapping or a sequence of mappings, not this".into(),
        }
    }

    fn help(&self) -> Option<&'static str> {
        Some(match &self.cause {
            Cause::Syntax(ErrorKind::MappingValueNotAllowed) => {
                "check the indentation; a value that holds `: ` needs quotes"
            }
            Cause::Syntax(
                ErrorKind::TabInPlainScalar | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation,
            ) => "indent with spaces",
            Cause::DuplicateKey { .. } => "keep one of the two: Kubernetes keeps the last without a word",
            Cause::OldLineBreak => "take it out; in double quotes it can be written as \\N, \\L or \\P",
            Cause::QuestionMark => "put the value in quotes, or a blank behind the `?`",
            Cause::StuckColon => "put a blank behind the `:`, or the value in quotes",
            Cause::NullKey | Cause::UnsignedKey => "put the key in quotes",
            Cause::NotFinite => "put the value in quotes if text is meant",
            _ => return None,
        })
    }
}

/// A key as it may be shown: on one line and not too long.
fn shorten(key: &str) -> String {
    const LONGEST: usize = 64;
    let shown: String = key.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if key.chars().nth(LONGEST).is_some() { format!("{shown}…") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn keys_are_shown_on_one_line_and_cut() {
        assert_eq!(shorten("a\nb"), "a\\nb");
        assert_eq!(shorten(&"k".repeat(64)), "k".repeat(64));
        assert_eq!(shorten(&"k".repeat(65)), "k".repeat(64) + "…");
    }
}
