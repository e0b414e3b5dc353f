//! Which documents have to be parsed: what cannot matter is read, and no more.
//!
//! A document matters if it runs an engine, or is a Service in front of one. Either can be told from its text: an engine
//! needs one of a few words, and a Service one of the labels of its pods. Where the text may spell a word otherwise,
//! by escapes or a template's actions, it is parsed.

use std::collections::HashSet;

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};
use serde_json::Value;
use sqledge_ha_policy::kind::Kind;
use sqledge_ha_policy::relevance::may_run_engine;
use sqledge_ha_policy::selector::ADDED_BY_CONTROLLERS;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::workload::Workload;

use crate::input::Patches;
use crate::manifest::{DocumentKind, classify};

/// Why a document may matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Concern {
    /// It cannot, and holds so many objects.
    Nothing {
        /// How many.
        objects: usize,
    },
    /// It is a Service, and matters if something runs an engine behind it.
    Service,
    /// It may run an engine, or only reading tells what it is.
    Engine,
}

/// Looks at texts, with settings.
pub(super) struct Sieve<'s> {
    settings: &'s Settings,
    patches: Patches,
    template: Finder<'static>,
    binary: Finder<'static>,
    kind: Finder<'static>,
}

impl<'s> Sieve<'s> {
    pub(super) fn new(settings: &'s Settings) -> Self {
        let patches = Patches::default();
        Sieve {
            settings,
            patches,
            template: Finder::new("{{"),
            binary: Finder::new("binary"),
            kind: Finder::new("kind"),
        }
    }

    pub(super) fn settings(&self) -> &'s Settings {
        self.settings
    }

    pub(super) fn patches(&self) -> &Patches {
        &self.patches
    }

    pub(super) fn concern(&self, chunk: &str) -> Concern {
        match classify(chunk) {
            DocumentKind::Object(kind) => self.concern_of(kind, chunk),
            DocumentKind::NotAnObject if is_text(chunk) => Concern::Nothing { objects: 0 },
            _ if self.kind.find(chunk.as_bytes()).is_some() || self.may_spell_otherwise(chunk) => Concern::Engine,
            _ => Concern::Nothing { objects: 0 },
        }
    }

    fn concern_of(&self, kind: &str, chunk: &str) -> Concern {
        let is_list = kind.ends_with("List");
        if !is_list && !Kind::is_name(kind) {
            return Concern::Nothing { objects: 1 };
        }
        if is_list || self.may_spell_otherwise(chunk) || may_run_engine(chunk, self.settings) {
            return Concern::Engine;
        }
        if kind == Kind::Service.name() { Concern::Service } else { Concern::Nothing { objects: 1 } }
    }

    /// Whether a word may stand in a text without its letters.
    fn may_spell_otherwise(&self, chunk: &str) -> bool {
        let bytes = chunk.as_bytes();
        !is_text(chunk)
            || memchr_iter(b'\\', bytes).any(|at| is_letter_or_nothing(bytes.get(at + 1)))
            || self.template.find(bytes).is_some()
            || self.binary.find(bytes).is_some()
    }
}

/// Whether it is UTF-8 that was meant: else there are bytes that are zero.
fn is_text(chunk: &str) -> bool {
    memchr(0, chunk.as_bytes()).is_none()
}

/// Whether a backslash before this byte may stand for a letter of a word, or for nothing between two of them. The other
/// escapes are of blanks, quotes and control characters.
fn is_letter_or_nothing(escaped: Option<&u8>) -> bool {
    matches!(escaped, None | Some(b'x' | b'u' | b'U' | b'/' | b'\r' | b'\n'))
}

/// The labels of pods that run an engine. A Service that selects them names at least one.
#[derive(Debug, Default)]
pub(super) struct Labels {
    values: HashSet<String>,
    /// Whether something selects by more than words.
    is_open: bool,
}

impl Labels {
    /// Adds those of a workload.
    pub(super) fn add(&mut self, workload: &Workload<'_>) {
        for value in workload.labels().into_iter().flat_map(serde_json::Map::values) {
            match value {
                Value::String(text) if is_word(text) => drop(self.values.insert(text.clone())),
                _ => self.is_open = true,
            }
        }
    }

    pub(super) fn extend(&mut self, other: Labels) {
        self.values.extend(other.values);
        self.is_open |= other.is_open;
    }

    /// What tells the Services that may select one of the workloads, once all are known.
    pub(super) fn selecting(self) -> Selecting {
        let mut selecting = Selecting { words: self.values, is_open: self.is_open, shapes: vec![false; SHAPES] };
        selecting.words.extend(ADDED_BY_CONTROLLERS.map(str::to_owned));
        for word in &selecting.words {
            if let Some(shape) = selecting.shapes.get_mut(shape(word.as_bytes())) {
                *shape = true;
            }
        }
        selecting
    }
}

/// Tells the Services that may select something from the others.
pub(super) struct Selecting {
    /// One of these is in the text of each of them.
    words: HashSet<String>,
    /// Whether any Service may.
    is_open: bool,
    /// The shapes of the words: most words of a text are told apart by theirs, without being hashed.
    shapes: Vec<bool>,
}

impl Selecting {
    /// Whether a Service may be one, as far as its text shows.
    pub(super) fn may_be(&self, service: &str) -> bool {
        let mut words = service.as_bytes().split(|byte| !is_of_word(*byte));
        self.is_open || words.any(|word| self.holds(word))
    }

    fn holds(&self, word: &[u8]) -> bool {
        self.shapes.get(shape(word)) == Some(&true) && str::from_utf8(word).is_ok_and(|word| self.words.contains(word))
    }
}

/// How many shapes of words there are.
const SHAPES: usize = 4096;

/// A number that words of another length, beginning or end hardly share.
fn shape(word: &[u8]) -> usize {
    let (first, last) = (word.first().copied().unwrap_or_default(), word.last().copied().unwrap_or_default());
    (usize::from(first) * 61 + usize::from(last) * 7 + word.len() * 331) % SHAPES
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_of_word)
}

/// The characters of label values, and of their keys.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::parts::parts;
    use super::*;
    use crate::manifest::{document_spans, read_span};

    fn concern(text: &str) -> Concern {
        Sieve::new(&Settings::default()).concern(text)
    }

    #[test]
    fn what_cannot_matter_is_counted_and_what_may_is_read() {
        let one = Concern::Nothing { objects: 1 };
        let cases = [
            ("kind: ConfigMap\ndata: {x: mssql}\n", one),
            ("kind: PersistentVolumeClaim\nmetadata: {name: mssql-data}\n", one),
            ("kind: ConfigMap\ndata: {x: '{{ a }}'}\n", one),
            ("kind: Deployment\nspec: {image: web}\n", one),
            ("kind: Deployment\nspec: {image: web, env: [{name: MSSQL_HOST, value: mssql}]}\n", one),
            ("name: values\n", Concern::Nothing { objects: 0 }),
            ("name: values\nobject: {kind: \"\\x50od\", image: mssql}\n", Concern::Nothing { objects: 0 }),
            ("{{ include \"database\" . }}\n", Concern::Engine),
            ("{{- if .a }}\nkind: Ingress\nspec: {host: {{ .b }}}\n{{- end }}\n", one),
            ("{{- if .a }}\nkind: Deployment\nspec: {image: {{ .b }}}\n{{- end }}\n", Concern::Engine),
            (r#"{"name": "a-package", "version": "1.0.0"}"#, Concern::Nothing { objects: 0 }),
            ("kind: Service\nspec: {}\n", Concern::Service),
            ("kind: Service\nspec: {image: azure-sql-edge}\n", Concern::Engine),
            ("kind: Deployment\nspec: {image: azure-sql-edge}\n", Concern::Engine),
            ("kind: Deployment\nspec: {image: {{ .image }}}\n", Concern::Engine),
            ("kind: Deployment\nspec: {image: \"azure\\x2dsql-edge\"}\n", Concern::Engine),
            ("kind: Deployment\nspec: {image: \"azure-\\\n  sql-edge\"}\n", Concern::Engine),
            ("kind: Deployment\nspec: {image: web, line: '^\\d+ \\w'}\n", one),
            ("kind: Deployment\nspec: {image: !!binary bXNzcWw=}\n", Concern::Engine),
            ("kind: List\nitems: []\n", Concern::Engine),
            (r#"{"kind": "ConfigMap", "data": {"a": "\u006dssql {{ b }}"}}"#, one),
            (r#"{"\u006bind": "ConfigMap"}"#, one),
            (r#"{"\u006bind": "Pod", "image": "mssql/server"}"#, Concern::Engine),
            (r#"{"kind": "Pod", "image": "web", "command": ["a\nb\t\""]}"#, one),
            (r#"{"kind": "Pod", "image": "\u006dssql"}"#, Concern::Engine),
            (r#"{"kind": "Pod", "image": "team\/edge"}"#, Concern::Engine),
            (r#"{"kind": "Service"}"#, Concern::Service),
            (r#"{kind: ConfigMap}"#, Concern::Engine),
            ("k\0i\0n\0d\0:\0", Concern::Engine),
        ];
        for (text, expected) in cases {
            assert_eq!(concern(text), expected, "{text}");
        }
    }

    #[test]
    fn a_service_is_told_by_the_labels_that_it_names() {
        let workload = |labels: Value| {
            json!({"spec": {"template": {"metadata": {"labels": labels},
                "spec": {"containers": [{"image": "azure-sql-edge"}]}}}})
        };
        let may = |labels: Value, service: &str| {
            let (object, settings) = (workload(labels), Settings::default());
            let mut known = Labels::default();
            known.add(&Workload::read(&object, Kind::Deployment, &settings).unwrap());
            known.selecting().may_be(service)
        };
        let labels = json!({"app": "sql", "tier": "db"});
        assert!(may(labels.clone(), "selector: {app: sql}") && may(labels.clone(), "selector:\n  tier: 'db'\n"));
        assert!(!may(labels.clone(), "selector: {app: mysql, name: sql-2}"));
        assert!(may(labels, "selector: {statefulset.kubernetes.io/pod-name: mssql-0}"));
        assert!(may(json!({"app": 5}), "selector: {app: 0x5}") && may(json!({"app": ""}), "selector: {app: }"));
    }

    /// Real documents with something put in, and something cut out.
    fn texts() -> impl Strategy<Value = String> {
        let pieces = [
            "\n",
            "kind: Pod\n",
            "kind",
            "\"",
            "'",
            "# ",
            "- ",
            "---\n",
            "{",
            "}",
            "\\",
            "&a ",
            "*a",
            "<<: *a\n",
            ": ",
            "|\n",
            "\r",
            " ",
            "? ",
            "!!str ",
            "Service",
            "List",
        ];
        let whole = [
            include_str!("../../e2e/examples/right.yaml"),
            include_str!("../../e2e/examples/claim-beside-the-data.yaml"),
            include_str!("../../e2e/examples/cluster-ip-only.yaml"),
            include_str!("../../e2e/corpus/graceful-stop/pass/one-line-of-json.json"),
        ];
        let change = (any::<prop::sample::Index>(), 0..12_usize, prop::sample::select(pieces.to_vec()));
        (prop::sample::select(whole.to_vec()), prop::collection::vec(change, 0..4)).prop_map(|(whole, changes)| {
            let mut text = whole.to_owned();
            for (at, cut, piece) in changes {
                let at = text.floor_char_boundary(at.index(text.len()));
                let end = text.ceil_char_boundary((at + cut).min(text.len()));
                text.replace_range(at..end, piece);
            }
            text
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn nothing_that_matters_is_passed_over(text in texts()) {
            let settings = Settings::default();
            for chunk in document_spans(&text) {
                let concern = concern(text.get(chunk.clone()).unwrap());
                for document in read_span(&text, chunk, 0).into_iter().flatten() {
                    for part in parts(&document.value) {
                        let Some(kind) = Kind::of_object(part.value) else { continue };
                        let is_workload = Workload::read(part.value, kind, &settings).is_some();
                        prop_assert!(concern == Concern::Engine || !is_workload, "{:?}", text);
                        let is_nothing = matches!(concern, Concern::Nothing { .. });
                        prop_assert!(!is_nothing || kind != Kind::Service, "{:?}", text);
                    }
                }
            }
        }
    }
}
