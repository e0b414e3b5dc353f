//! Finds the kind of a document without parsing it.

use memchr::{memchr, memchr_iter};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::compose::yaml11_line_break;

/// The kind of a document, as far as its text shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind<'t> {
    /// An object of this kind.
    Object(&'t str),
    /// A document without `kind`.
    NotAnObject,
    /// The text does not show it; the document must be parsed.
    Unknown,
}

/// Classifies a document that is JSON, or a block mapping in the first column with plain words as keys.
///
/// A quoted or plain scalar can continue in the first column and look like a key there. Then either the text has a
/// second line that begins with `kind`, and the result is [`DocumentKind::Unknown`]; or the only such line is not a
/// key, and the document has no kind.
///
/// ```
/// use sqledge_ha::manifest::{DocumentKind, classify};
/// assert_eq!(classify("# a claim\nkind: PersistentVolumeClaim # of 8Gi\nspec: {}\n"), DocumentKind::Object("PersistentVolumeClaim"));
/// assert_eq!(classify(r#"{"kind": "Pod"}"#), DocumentKind::Object("Pod"));
/// assert_eq!(classify("name: values\n"), DocumentKind::NotAnObject);
/// assert_eq!(classify("{kind: Pod}"), DocumentKind::Unknown);
/// ```
#[must_use]
pub fn classify(document: &str) -> DocumentKind<'_> {
    let text = document.trim_start();
    // Two braces begin a template action.
    let is_json = text.starts_with('{') && !text.starts_with("{{");
    let kind = if is_json { json(document) } else { block_mapping(document) };
    match kind {
        Some(Some(kind)) => DocumentKind::Object(kind),
        Some(None) => DocumentKind::NotAnObject,
        None => DocumentKind::Unknown,
    }
}

/// The kind, if any, of a document that is a single JSON object. The outer `None` means unknown.
fn json(document: &str) -> Option<Option<&str>> {
    /// serde returns an error for duplicate members.
    #[derive(Deserialize)]
    struct Members<'t> {
        #[serde(borrow)]
        kind: Option<&'t RawValue>,
    }
    let Members { kind } = serde_json::from_str(document).ok()?;
    let Some(kind) = kind else { return Some(None) };
    let kind = kind.get().strip_prefix('"')?.strip_suffix('"')?;
    is_word(kind).then_some(Some(kind))
}

/// The kind, if any, of a document that is a block mapping. The outer `None` means unknown.
fn block_mapping(document: &str) -> Option<Option<&str>> {
    if !ends_lines_plainly(document) {
        return None;
    }
    let bytes = document.as_bytes();
    let mut feeds = memchr_iter(b'\n', bytes);
    let mut mapping = BlockMapping::default();
    let mut start = 0;
    loop {
        // Most lines are indented and can be skipped.
        if !mapping.has_begun || bytes.get(start) != Some(&b' ') {
            mapping.add_line(line_at(document, start)?)?;
        }
        let Some(feed) = feeds.next() else { break };
        start = feed + 1;
    }
    mapping.has_begun.then_some(mapping.kind)
}

/// The part of a block mapping read so far.
#[derive(Default)]
struct BlockMapping<'t> {
    kind: Option<&'t str>,
    has_begun: bool,
}

impl<'t> BlockMapping<'t> {
    /// Reads the next line; `None` if the kind is unknown.
    fn add_line(&mut self, line: &'t str) -> Option<()> {
        match line.as_bytes() {
            [] | [b'#', ..] => {}
            [b' ', ..] if self.has_begun || line.trim_start_matches(' ').starts_with(['#', '\r']) => {}
            [b'-', b'-', b'-', rest @ ..] if !self.has_begun && is_blank(rest) => {}
            [b'-', b' ' | b'\r', ..] | [b'-'] if self.has_begun => {}
            [b'k', b'i', b'n', b'd', ..] => {
                if self.kind.is_some() {
                    return None;
                }
                self.kind = Some(word(line.strip_prefix("kind: ")?)?);
                self.has_begun = true;
            }
            [b'a'..=b'z' | b'A'..=b'Z', ..] => self.has_begun = true,
            [b'\r'] => {}
            [b'{', b'{', ..] if is_control(line) => {}
            _ => return None,
        }
        Some(())
    }
}

/// Whether a line is a single control action of a Helm template, which prints nothing. It can skip or repeat other
/// lines of the text, but not add any.
fn is_control(line: &str) -> bool {
    let action = line.trim_end().strip_prefix("{{").and_then(|line| line.strip_suffix("}}"));
    let Some(action) = action.filter(|action| !action.contains("{{")) else { return false };
    let action = action.trim_start_matches('-').trim_start();
    let word = action.split(|character: char| !character.is_ascii_alphabetic()).next();
    matches!(word, Some("if" | "else" | "end" | "range" | "with")) || action.starts_with("/*")
}

/// Whether all lines end with LF or CRLF, and none with a line break of YAML 1.1 only.
fn ends_lines_plainly(document: &str) -> bool {
    let bytes = document.as_bytes();
    let is_plain = |at: usize| bytes.get(at + 1) == Some(&b'\n');
    memchr_iter(b'\r', bytes).all(is_plain) && yaml11_line_break(document).is_none()
}

/// The line that begins at a byte, without the line feed.
fn line_at(document: &str, start: usize) -> Option<&str> {
    let rest = document.get(start..)?;
    rest.get(..memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len()))
}

fn is_blank(rest: &[u8]) -> bool {
    rest.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// A plain scalar of letters, if only a comment follows it on the line.
fn word(value: &str) -> Option<&str> {
    let value = value.trim_start_matches(' ');
    let end = value.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(value.len());
    let (word, rest) = value.split_at_checked(end)?;
    let is_all = is_blank(rest.as_bytes()) || rest.starts_with(" #");
    (is_all && is_word(word)).then_some(word)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::{DocumentKind, classify};

    #[test]
    fn common_layouts_have_a_known_kind() {
        for text in [
            "kind: Pod",
            "apiVersion: v1\nkind: Pod\n",
            "---\n# a pod\n\n  # indented\napiVersion: v1\r\nkind:   Pod  \r\n\r\nspec:\r\n  a: 1\r\n",
            "{{- if .Values.enabled }}\n{{/* why */}}\nkind: Pod\nspec:\n  {{- toYaml .x | nindent 2 }}\n{{- else if .y }}\n{{ end -}}\n",
            "subjects:\n- kind: User\n-\n  kind: Group\nkind: Pod # not a Deployment",
            "data:\n  x: |\n    kind: Deployment\n\tkind: Job\nkind: Pod\n".replace('\t', " ").as_str(),
            r#" {"items": [{"kind": "Job"}], "kind": "Pod"}"#,
            "\n{\"kind\":\n\"Pod\", \"a\": \"\\u00e9\\n\"}\n",
        ] {
            assert_eq!(classify(text), DocumentKind::Object("Pod"), "{text:?}");
        }
    }

    #[test]
    fn a_document_without_kind_is_not_an_object() {
        for text in [
            "a: 1\n",
            "# values\nimage: &image\n  kind: Pod\nworker:\n  <<: *image\n",
            "on:\n- run: ${{ matrix.node }}\n",
            "a: \"\nkin\nd\"\n",
            r#"{"items": [{"kind": "Pod"}], "version": "1\n"}"#,
            r#"{"kind": null}"#,
            "{}",
        ] {
            assert_eq!(classify(text), DocumentKind::NotAnObject, "{text:?}");
        }
    }

    #[test]
    fn other_layouts_are_unknown() {
        for text in [
            "",
            "# nothing\n",
            "{kind: Pod}",
            r#"{"kind": "Pod", "a"}"#,
            r#"{"kind": "Pod"} {"kind": "Job"}"#,
            r#"{"kind": "Pod", "kind": "Job"}"#,
            r#"{"kind": "\u0050od"}"#,
            r#"{"kind": 1}"#,
            r#"{"kind": ""}"#,
            "{} # kind\n",
            r#"[{"kind": "Pod"}]"#,
            " kind: Pod\n",
            " a: \"\nkind: Pod\nb\"\n kind: Job\n",
            "a: \"\nkind: Pod\n\"\n\"kind\": Job\n",
            "a: \"\nkind: Pod\nb\"\nkind: Job\n",
            "a: \"\nkind: Pod\nb\"\nkind : Job\n",
            "kind: Pod\nkind: Job\n",
            "? kind\n: Pod\nkind: Job\n",
            "<<: *pod\nkind: Pod\n",
            "!!map\nkind: Pod\n",
            "--- {kind: Pod}\n",
            "%YAML 1.1\n---\nkind: Pod\n",
            "a: 1\rkind: Pod\n",
            "kind: Pod # \u{85}spec: {}\n",
            "kind: \"Pod\"\n",
            "kind: &kind Pod\n",
            "kind:\n  Pod\n",
            "kind: Pod#1\n",
            "kind: {{ .kind }}\n",
            "{{- if .x }}\nkind: Pod\n{{- else }}\nkind: Job\n{{- end }}\n",
            "{{- include \"x\" . }}\nkind: Pod\n",
            "{{ if .x }}kind: Pod{{ end }}\n",
            "kind: Pod\n...\nkind: Job\n",
            "- kind: Pod\n",
            "\tkind: Pod\n",
        ] {
            assert_eq!(classify(text), DocumentKind::Unknown, "{text:?}");
        }
    }
}
