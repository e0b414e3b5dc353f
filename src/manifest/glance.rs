//! What a document is, seen from its text: most documents are told apart without being parsed.

use memchr::{memchr, memchr_iter};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::compose::old_line_break;

/// What a document is, as far as its text shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance<'t> {
    /// An object of this kind.
    Object(&'t str),
    /// Something without a `kind`.
    NoObject,
    /// Nothing is sure: only reading tells.
    Unclear,
}

/// Looks at a document that is written as manifests are: as JSON, or as a block mapping in the first column whose keys are
/// plain words.
///
/// A quoted or plain scalar may go on in the first column, and look like a key there. Then the text has a second line
/// that begins with `kind`, or the one that it has is no key, and the document is of no kind.
///
/// ```
/// use sqledge_ha::manifest::{Glance, glance};
/// assert_eq!(glance("# a claim\nkind: PersistentVolumeClaim # of 8Gi\nspec: {}\n"), Glance::Object("PersistentVolumeClaim"));
/// assert_eq!(glance(r#"{"kind": "Pod"}"#), Glance::Object("Pod"));
/// assert_eq!(glance("name: values\n"), Glance::NoObject);
/// assert_eq!(glance("{kind: Pod}"), Glance::Unclear);
/// ```
#[must_use]
pub fn glance(chunk: &str) -> Glance<'_> {
    let text = chunk.trim_start();
    // Two braces begin an action of a template.
    let is_json = text.starts_with('{') && !text.starts_with("{{");
    let seen = if is_json { json(chunk) } else { block_mapping(chunk) };
    match seen {
        Some(Some(kind)) => Glance::Object(kind),
        Some(None) => Glance::NoObject,
        None => Glance::Unclear,
    }
}

/// The kind, if there is one, of a document that is one JSON object and nothing else.
fn json(chunk: &str) -> Option<Option<&str>> {
    /// Of two members of one name, serde makes an error.
    #[derive(Deserialize)]
    struct Members<'t> {
        #[serde(borrow)]
        kind: Option<&'t RawValue>,
    }
    let Members { kind } = serde_json::from_str(chunk).ok()?;
    let Some(kind) = kind else { return Some(None) };
    let kind = kind.get().strip_prefix('"')?.strip_suffix('"')?;
    is_word(kind).then_some(Some(kind))
}

/// The kind, if there is one, of a document that is a block mapping.
fn block_mapping(chunk: &str) -> Option<Option<&str>> {
    if !ends_lines_plainly(chunk) {
        return None;
    }
    let bytes = chunk.as_bytes();
    let mut feeds = memchr_iter(b'\n', bytes);
    let mut mapping = BlockMapping::default();
    let mut start = 0;
    loop {
        // Most lines are indented, and need not be cut out of the text.
        if !mapping.has_begun || bytes.get(start) != Some(&b' ') {
            mapping.go_on(line_at(chunk, start)?)?;
        }
        let Some(feed) = feeds.next() else { break };
        start = feed + 1;
    }
    mapping.has_begun.then_some(mapping.kind)
}

/// A block mapping, as far as it has been seen.
#[derive(Default)]
struct BlockMapping<'t> {
    kind: Option<&'t str>,
    has_begun: bool,
}

impl<'t> BlockMapping<'t> {
    /// Looks at the next line; `None` if nothing is sure any more.
    fn go_on(&mut self, line: &'t str) -> Option<()> {
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

/// Whether a line is one action of a Helm template that prints nothing: it leaves out or repeats lines, all of which are seen.
fn is_control(line: &str) -> bool {
    let action = line.trim_end().strip_prefix("{{").and_then(|line| line.strip_suffix("}}"));
    let Some(action) = action.filter(|action| !action.contains("{{")) else { return false };
    let action = action.trim_start_matches('-').trim_start();
    let word = action.split(|character: char| !character.is_ascii_alphabetic()).next();
    matches!(word, Some("if" | "else" | "end" | "range" | "with")) || action.starts_with("/*")
}

/// Whether line feeds, with a carriage return before them or without, end all lines, and nothing that only `kubectl` takes for
/// an end.
fn ends_lines_plainly(chunk: &str) -> bool {
    let bytes = chunk.as_bytes();
    let is_plain = |at: usize| bytes.get(at + 1) == Some(&b'\n');
    memchr_iter(b'\r', bytes).all(is_plain) && old_line_break(chunk).is_none()
}

/// The line that begins at a byte, without its line feed.
fn line_at(chunk: &str, start: usize) -> Option<&str> {
    let rest = chunk.get(start..)?;
    rest.get(..memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len()))
}

fn is_blank(rest: &[u8]) -> bool {
    rest.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// A plain scalar of letters, if the line holds nothing else but a comment.
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
    use super::{Glance, glance};

    #[test]
    fn ordinary_documents_show_their_kind() {
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
            assert_eq!(glance(text), Glance::Object("Pod"), "{text:?}");
        }
    }

    #[test]
    fn what_has_no_kind_is_no_object() {
        for text in [
            "a: 1\n",
            "# values\nimage: &image\n  kind: Pod\nworker:\n  <<: *image\n",
            "on:\n- run: ${{ matrix.node }}\n",
            "a: \"\nkin\nd\"\n",
            r#"{"items": [{"kind": "Pod"}], "version": "1\n"}"#,
            r#"{"kind": null}"#,
            "{}",
        ] {
            assert_eq!(glance(text), Glance::NoObject, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_otherwise_has_to_be_read() {
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
            assert_eq!(glance(text), Glance::Unclear, "{text:?}");
        }
    }
}
