//! Errors in a document, with messages and help.

use granit_parser::ErrorKind;

use super::read_error::ReadError;
use super::template::template_at;

/// The maximum nesting depth of collections: more than any manifest needs, and too little to overflow the stack when a
/// value is dropped, cloned or printed.
pub(super) const MAX_DEPTH: usize = 256;

/// An error in a document.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) kind: SyntaxErrorKind,
    /// The byte offset from the start of the document.
    pub(super) byte: usize,
}

#[derive(Debug, PartialEq)]
pub(super) enum SyntaxErrorKind {
    Parser(ErrorKind),
    /// A control character. YAML and JSON forbid them.
    ControlCharacter,
    /// A character that ends a line in YAML 1.1 only.
    Yaml11LineBreak,
    /// A plain scalar in braces or brackets that begins with `?`, which YAML 1.1 reads as a key indicator.
    QuestionMark,
    /// A colon directly between a plain scalar and a comma or a bracket.
    MissingSpaceAfterColon,
    TooDeep,
    CollectionKey,
    NullKey,
    /// A number above the range of `i64` as a key, which `sigs.k8s.io/yaml` rejects.
    UnsignedKey,
    DuplicateKey {
        key: String,
        /// The byte offset of its first use from the start of the document.
        first: usize,
    },
    NotFinite,
    TagMismatch(String),
    InvalidBase64,
    RecursiveAlias,
    AliasExpansion,
    InvalidMerge,
}

impl SyntaxError {
    /// Whether the forbidden character at `byte` caused this error, or comes before it.
    pub(super) fn may_come_from(&self, document: &str, byte: usize) -> bool {
        byte <= self.byte
            || document.get(self.byte..byte).is_some_and(|between| !between.contains('\n'))
            || matches!(self.kind, SyntaxErrorKind::Parser(ErrorKind::UnexpectedCharacter { character }) if character.is_control())
    }

    /// Adds message and help. `start` is the byte at which `document` begins in `text`.
    pub(super) fn explain(&self, text: &str, document: &str, start: usize) -> ReadError {
        if matches!(self.kind, SyntaxErrorKind::Parser(_) | SyntaxErrorKind::CollectionKey)
            && let Some(byte) = template_at(document, self.byte)
        {
            return ReadError {
                message: "this is a Helm or Go template, not YAML".into(),
                help: Some("render it with --helm CHART, or exclude it with --exclude".into()),
                byte: start + byte,
            };
        }
        ReadError {
            message: self.message(document),
            help: self.help().map(Into::into),
            byte: (start + self.byte).min(text.len()),
        }
    }

    fn message(&self, document: &str) -> String {
        match &self.kind {
            SyntaxErrorKind::Parser(ErrorKind::UnclosedQuotedScalar) => "unclosed quote".into(),
            SyntaxErrorKind::Parser(ErrorKind::UnclosedFlowCollection { open }) => format!("unclosed `{open}`"),
            SyntaxErrorKind::Parser(ErrorKind::UnknownAnchor) => "unknown alias: no anchor of this name above".into(),
            SyntaxErrorKind::Parser(ErrorKind::MappingValueNotAllowed) => "`key: value` is not allowed here".into(),
            SyntaxErrorKind::Parser(
                ErrorKind::TabInPlainScalar | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation,
            ) => "tabs cannot be used for indentation".into(),
            SyntaxErrorKind::TooDeep | SyntaxErrorKind::Parser(ErrorKind::RecursionLimitExceeded) => {
                format!("nesting is deeper than {MAX_DEPTH} levels")
            }
            SyntaxErrorKind::Parser(ErrorKind::ExpectedBlockMappingKey) => {
                "expected a key, indented like the other keys of its mapping".into()
            }
            SyntaxErrorKind::Parser(ErrorKind::ExpectedBlockSequenceEntry) => {
                "expected `- `, indented like the other items of its list".into()
            }
            SyntaxErrorKind::Parser(ErrorKind::SimpleKeyExpected) => "expected `: ` after this key".into(),
            SyntaxErrorKind::Parser(ErrorKind::ExpectedFlowMappingSeparator) => "expected `,` or `}`".into(),
            SyntaxErrorKind::Parser(ErrorKind::ExpectedFlowSequenceSeparator) => "expected `,` or `]`".into(),
            SyntaxErrorKind::Parser(ErrorKind::UnexpectedCharacter { character }) => {
                format!("a value cannot begin with `{}`", character.escape_default())
            }
            SyntaxErrorKind::Parser(kind) => kind.to_string(),
            SyntaxErrorKind::ControlCharacter => "control characters are not allowed in YAML or JSON".into(),
            SyntaxErrorKind::Yaml11LineBreak => {
                "invisible line break (NEL, LS or PS): only kubectl ends the line here".into()
            }
            SyntaxErrorKind::QuestionMark => "kubectl reads the text after `?` as a key".into(),
            SyntaxErrorKind::MissingSpaceAfterColon => "kubectl reads the `:` as part of this text".into(),
            SyntaxErrorKind::CollectionKey => "a mapping or sequence cannot be a key".into(),
            SyntaxErrorKind::NullKey => "null cannot be a key".into(),
            SyntaxErrorKind::UnsignedKey => "this number is too large for a key".into(),
            SyntaxErrorKind::DuplicateKey { key, first } => {
                let key = shorten(key);
                // Counting within the document keeps the cost independent of the text before it.
                match document.get(*first..self.byte).map_or(0, |between| between.matches('\n').count()) {
                    0 => format!("duplicate key `{key}`, first used on this line"),
                    1 => format!("duplicate key `{key}`, first used 1 line above"),
                    lines => format!("duplicate key `{key}`, first used {lines} lines above"),
                }
            }
            SyntaxErrorKind::NotFinite => {
                "infinity, NaN and numbers above the range of a float are not allowed in JSON".into()
            }
            SyntaxErrorKind::TagMismatch(tag) => format!("the value does not match its tag `!!{}`", shorten(tag)),
            SyntaxErrorKind::InvalidBase64 => "the `!!binary` value is not valid base64".into(),
            SyntaxErrorKind::RecursiveAlias => "the alias is inside its own anchor".into(),
            SyntaxErrorKind::AliasExpansion => "YAML aliases expand to too many values".into(),
            SyntaxErrorKind::InvalidMerge => "`<<` needs a mapping or a sequence of mappings".into(),
        }
    }

    fn help(&self) -> Option<&'static str> {
        Some(match &self.kind {
            SyntaxErrorKind::Parser(ErrorKind::MappingValueNotAllowed) => {
                "check the indentation; quote a value that contains `: `"
            }
            SyntaxErrorKind::Parser(
                ErrorKind::TabInPlainScalar | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation,
            ) => "indent with spaces",
            SyntaxErrorKind::Parser(ErrorKind::ExpectedBlockMappingKey | ErrorKind::ExpectedBlockSequenceEntry) => {
                "check the indentation of this line, and of the lines above it"
            }
            SyntaxErrorKind::Parser(ErrorKind::UnexpectedCharacter { .. }) => "quote the value",
            SyntaxErrorKind::DuplicateKey { .. } => "remove one of them: Kubernetes silently uses the last one",
            SyntaxErrorKind::Yaml11LineBreak => "remove it; in double quotes, write \\N, \\L or \\P",
            SyntaxErrorKind::QuestionMark => "quote the value, or add a space after `?`",
            SyntaxErrorKind::MissingSpaceAfterColon => "add a space after `:`, or quote the value",
            SyntaxErrorKind::NullKey | SyntaxErrorKind::UnsignedKey => "quote the key",
            SyntaxErrorKind::NotFinite => "quote the value if it is text",
            _ => return None,
        })
    }
}

/// Escapes a key and cuts it to 64 characters.
fn shorten(key: &str) -> String {
    const MAX_LENGTH: usize = 64;
    let escaped: String = key.chars().take(MAX_LENGTH).flat_map(char::escape_debug).collect();
    if key.chars().nth(MAX_LENGTH).is_some() { format!("{escaped}…") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn keys_are_escaped_and_cut() {
        assert_eq!(shorten("a\nb"), "a\\nb");
        assert_eq!(shorten(&"k".repeat(64)), "k".repeat(64));
        assert_eq!(shorten(&"k".repeat(65)), "k".repeat(64) + "…");
    }
}
