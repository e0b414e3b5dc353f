//! Every short cut that spares parsing or memory, with one switch for all of them.
//!
//! A document matters to the rules if one of its objects runs a database, or if it is a Service or disruption budget
//! that selects the pods of one, a claim or ConfigMap that they use, an autoscaler or Rollout of the workload, or a
//! workload with the same claim or labels. All show in the text: a database container needs one of a few words, and the
//! others need a label of the pods, or a name that the workload names, or its own. The short cuts are:
//!
//! | short cut | spares |
//! |---|---|
//! | `Prefilter::relevance` | parsing documents that cannot run a database |
//! | `RelatedMatcher` | parsing objects that are related to no database |
//! | `Prefilter::keeps_texts` | the memory of files without any relevant document |
//! | `Prefilter::reduce` | the memory of what no rule reads once an object alone was checked |
//!
//! A document that is not parsed cannot have parse errors. Apart from these, the report is the same with and without a
//! prefilter.

mod related;

use memchr::memmem::{self, Finder};
use memchr::{memchr, memchr_iter};
use sqledge_ha_policy::admission::prefilter::may_run_engine;
use sqledge_ha_policy::engine::ENGINES;
use sqledge_ha_policy::engine::variables::TCP_PORT;
use sqledge_ha_policy::kubernetes::kind::Kind;
use sqledge_ha_policy::kubernetes::resources::Resource;
use sqledge_ha_policy::rules::used_resources;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::pruning::prune;

pub(crate) use self::related::{DatabaseNames, RelatedMatcher};
use crate::manifest::{Document, DocumentKind, classify};

/// Whether a document has to be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relevance {
    /// No rule reads its objects.
    Irrelevant {
        /// The number of objects.
        objects: usize,
    },
    /// It is no workload, but names an image of a database: it may be rendered to one.
    NamesImage,
    /// It is of this kind, and matters if it is related to a database.
    Related(Kind),
    /// It can run a database, or its text does not show what it is.
    Relevant,
}

/// Decides how much work a document needs.
pub struct Prefilter<'s> {
    settings: &'s Settings,
    /// The resources that matter with the settings.
    resources: Vec<&'static Resource>,
    /// The namespace of objects that name none; `None` if it is not known.
    namespace: Option<&'s str>,
    is_enabled: bool,
    keeps_texts: bool,
    template: Finder<'static>,
    binary: Finder<'static>,
    kind: Finder<'static>,
    config_map: Finder<'static>,
}

impl<'s> Prefilter<'s> {
    /// All short cuts.
    pub fn new(settings: &'s Settings) -> Self {
        Prefilter {
            settings,
            resources: with_config_maps(used_resources(settings)),
            namespace: None,
            is_enabled: true,
            keeps_texts: false,
            template: Finder::new("{{"),
            binary: Finder::new("binary"),
            kind: Finder::new("kind"),
            config_map: Finder::new("configMapRef"),
        }
    }

    /// No short cuts: every document is parsed, and everything is kept.
    pub fn disabled(settings: &'s Settings) -> Self {
        Prefilter { is_enabled: false, keeps_texts: true, ..Prefilter::new(settings) }
    }

    /// The same short cuts, but texts are kept, for callers that write them back.
    #[must_use]
    pub fn with_texts(self) -> Self {
        Prefilter { keeps_texts: true, ..self }
    }

    /// The same short cuts for objects of which those without a namespace are in this one.
    #[must_use]
    pub fn in_namespace(self, namespace: Option<&'s str>) -> Self {
        Prefilter { namespace, ..self }
    }

    /// The namespace of objects that name none; `None` if it is not known.
    pub(crate) fn namespace(&self) -> Option<&'s str> {
        self.namespace
    }

    /// The settings of the policy.
    pub fn settings(&self) -> &'s Settings {
        self.settings
    }

    /// Whether the rules check or look up objects of this kind.
    pub(crate) fn uses(&self, kind: Kind) -> bool {
        self.resources.iter().any(|resource| resource.kind == kind)
    }

    /// Whether the texts of files without relevant documents are kept.
    pub(crate) fn keeps_texts(&self) -> bool {
        self.keeps_texts
    }

    /// Whether a document, as a text, has to be parsed.
    pub(crate) fn relevance(&self, document: &str) -> Relevance {
        if !self.is_enabled {
            return Relevance::Relevant;
        }
        match classify(document) {
            DocumentKind::Object(kind) => self.relevance_of(kind, document),
            DocumentKind::NotAnObject if is_utf8_text(document) => Relevance::Irrelevant { objects: 0 },
            _ if self.kind.find(document.as_bytes()).is_some() || self.may_hide_words(document) => Relevance::Relevant,
            _ => Relevance::Irrelevant { objects: 0 },
        }
    }

    fn relevance_of(&self, kind: &str, document: &str) -> Relevance {
        let is_list = has_items(kind);
        let kinds = self.resources.iter().filter(|resource| resource.name == kind);
        let mut kinds = kinds.map(|resource| resource.kind).peekable();
        if RENDERED_KINDS.contains(&kind) && names_image(document) {
            return Relevance::NamesImage;
        }
        if !is_list && kinds.peek().is_none() {
            return Relevance::Irrelevant { objects: 1 };
        }
        // Read only if there is a database that may need it, so that a template of another application is no error.
        if let Some(kind @ (Kind::Claim | Kind::ConfigMap | Kind::Volume | Kind::StorageClass | Kind::Node)) =
            kinds.peek()
        {
            return Relevance::Related(*kind);
        }
        if is_list
            || self.may_hide_words(document)
            || may_run_engine(document, self.settings)
            || self.may_be_configured(document)
        {
            return Relevance::Relevant;
        }
        // The core Service has the name of Knative's.
        match kinds.clone().find(|kind| kind.workload().is_none()).or_else(|| kinds.next()) {
            Some(kind) => Relevance::Related(kind),
            None => Relevance::Irrelevant { objects: 1 },
        }
    }

    /// Whether the parsed document can have words that are not in its text: by escapes, Helm templates, base64, or
    /// because the text has another encoding.
    fn may_hide_words(&self, document: &str) -> bool {
        let bytes = document.as_bytes();
        !is_utf8_text(document)
            || memchr_iter(b'\\', bytes).any(|at| can_hide_words(bytes.get(at + 1)))
            || self.template.find(bytes).is_some()
            || self.binary.find(bytes).is_some()
    }

    /// Whether the variables of a ConfigMap may make a workload a database. There must be another sign of one.
    fn may_be_configured(&self, document: &str) -> bool {
        let bytes = document.as_bytes();
        let has = |sign: &&str| memmem::find(bytes, sign.as_bytes()).is_some();
        self.config_map.find(bytes).is_some() && SIGNS.iter().any(has)
    }

    /// A document without the values that rules with look-ups do not read, once its objects alone were checked.
    /// `objects` are the pointers and kinds of the objects in it.
    pub(crate) fn reduce(&self, mut document: Document, objects: &[(String, Kind)]) -> Document {
        if !self.is_enabled {
            return document;
        }
        for (pointer, kind) in objects {
            if let Some(object) = document.value.pointer_mut(pointer) {
                prune(object, *kind);
            }
        }
        // Few documents have findings that need look-ups: reading them again takes less than keeping all spans. A List
        // would be read once for each finding.
        let is_list = objects.iter().any(|(pointer, _)| !pointer.is_empty());
        if is_list { document.compact() } else { document.without_spans() }
    }
}

/// The signs of a database beside the variables that mark one: the port, a path in its directory, its program.
const SIGNS: [&str; 4] = ["1433", TCP_PORT, "/mssql", "sqlservr"];

/// Whether objects of this kind contain others.
fn has_items(kind: &str) -> bool {
    kind.ends_with("List") || kind == "Template"
}

/// Kinds whose objects can carry other objects, or the values of a chart.
const RENDERED_KINDS: [&str; 6] =
    ["Application", "ApplicationSet", "ConfigMap", "HelmChart", "HelmChartConfig", "HelmRelease"];

/// Whether a document names the image of a database, not as a part of another name.
fn names_image(document: &str) -> bool {
    let bytes = document.as_bytes();
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let is_whole = |start: usize, end: usize| {
        let before = start.checked_sub(1).and_then(|at| bytes.get(at));
        ![before, bytes.get(end)].into_iter().flatten().any(is_of_name)
    };
    ENGINES
        .iter()
        .flat_map(|engine| engine.images)
        .any(|image| memmem::find_iter(bytes, image).any(|start| is_whole(start, start + image.len())))
}

/// No rule looks up ConfigMaps, but workloads are read with them.
fn with_config_maps(mut resources: Vec<&'static Resource>) -> Vec<&'static Resource> {
    resources.extend(Kind::ConfigMap.resource());
    resources
}

/// Whether the text is UTF-8 as intended: text in UTF-16 has zero bytes.
fn is_utf8_text(document: &str) -> bool {
    memchr(0, document.as_bytes()).is_none()
}

/// Whether a backslash in front of this byte can stand for a letter, or for nothing, in the middle of a word. Other
/// escapes stand for blanks, quotes and control characters.
fn can_hide_words(escaped: Option<&u8>) -> bool {
    matches!(escaped, None | Some(b'x' | b'u' | b'U' | b'/' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqledge_ha_policy::kubernetes::kind::WorkloadKind;
    use sqledge_ha_policy::rules::parse_settings;
    use sqledge_ha_policy::view::Scope;

    use super::*;
    use crate::linter::lint_texts;

    fn relevance(document: &str) -> Relevance {
        Prefilter::new(&Settings::default()).relevance(document)
    }

    #[test]
    fn only_documents_that_can_matter_are_parsed() {
        let one = Relevance::Irrelevant { objects: 1 };
        let cases = [
            ("kind: ConfigMap\ndata: {x: mssql}\n", Relevance::Related(Kind::ConfigMap)),
            ("kind: PersistentVolumeClaim\nmetadata: {name: mssql-data}\n", Relevance::Related(Kind::Claim)),
            ("kind: Deployment\nspec: {image: web}\n", Relevance::Related(Kind::DEPLOYMENT)),
            (
                "kind: Deployment\nspec: {image: web, env: [{name: MSSQL_HOST, value: mssql}]}\n",
                Relevance::Related(Kind::DEPLOYMENT),
            ),
            (
                "kind: Deployment\nspec: {image: db, envFrom: [{configMapRef: {name: e}}], containerPort: 1433}\n",
                Relevance::Relevant,
            ),
            (
                "kind: Deployment\nspec: {image: web, envFrom: [{configMapRef: {name: e}}]}\n",
                Relevance::Related(Kind::DEPLOYMENT),
            ),
            ("name: values\n", Relevance::Irrelevant { objects: 0 }),
            ("name: values\nobject: {kind: \"\\x50od\", image: mssql}\n", Relevance::Irrelevant { objects: 0 }),
            ("{{ include \"database\" . }}\n", Relevance::Relevant),
            ("{{- if .a }}\nkind: Ingress\nspec: {host: {{ .b }}}\n{{- end }}\n", one),
            ("{{- if .a }}\nkind: Deployment\nspec: {image: {{ .b }}}\n{{- end }}\n", Relevance::Relevant),
            (r#"{"name": "a-package", "version": "1.0.0"}"#, Relevance::Irrelevant { objects: 0 }),
            ("kind: Service\nspec: {}\n", Relevance::Related(Kind::Service)),
            ("kind: Service\nspec: {image: azure-sql-edge}\n", Relevance::Relevant),
            ("kind: Deployment\nspec: {image: azure-sql-edge}\n", Relevance::Relevant),
            ("kind: Deployment\nspec: {image: {{ .image }}}\n", Relevance::Relevant),
            ("kind: Deployment\nspec: {image: \"azure\\x2dsql-edge\"}\n", Relevance::Relevant),
            ("kind: Deployment\nspec: {image: \"azure-\\\n  sql-edge\"}\n", Relevance::Relevant),
            ("kind: Deployment\nspec: {image: web, line: '^\\d+ \\w'}\n", Relevance::Related(Kind::DEPLOYMENT)),
            ("kind: Deployment\nspec: {image: !!binary bXNzcWw=}\n", Relevance::Relevant),
            ("kind: List\nitems: []\n", Relevance::Relevant),
            (r#"{"kind": "ConfigMap", "data": {"a": "\u006dssql {{ b }}"}}"#, Relevance::Related(Kind::ConfigMap)),
            ("kind: PersistentVolume\nspec: {}\n", Relevance::Related(Kind::Volume)),
            ("kind: HelmRelease\nspec: {values: {image: mcr.microsoft.com/azure-sql-edge}}\n", Relevance::NamesImage),
            ("kind: HelmRelease\nmetadata: {name: my-azure-sql-edge}\n", Relevance::Irrelevant { objects: 1 }),
            ("kind: HelmRelease\nspec: {values: {image: nginx}}\n", one),
            ("kind: PersistentVolume\nspec: {{ .spec }}\n", Relevance::Related(Kind::Volume)),
            (r#"{"\u006bind": "ConfigMap"}"#, Relevance::Related(Kind::ConfigMap)),
            (r#"{"\u006bind": "Pod", "image": "mssql/server"}"#, Relevance::Relevant),
            (
                r#"{"kind": "Pod", "image": "web", "command": ["a\nb\t\""]}"#,
                Relevance::Related(Kind::Workload(WorkloadKind::Pod)),
            ),
            (r#"{"kind": "Pod", "image": "\u006dssql"}"#, Relevance::Relevant),
            (r#"{"kind": "Pod", "image": "team\/edge"}"#, Relevance::Relevant),
            (r#"{"kind": "Service"}"#, Relevance::Related(Kind::Service)),
            (r#"{kind: ConfigMap}"#, Relevance::Relevant),
            ("k\0i\0n\0d\0:\0", Relevance::Relevant),
        ];
        for (text, expected) in cases {
            assert_eq!(relevance(text), expected, "{text}");
        }
    }

    #[test]
    fn a_stateful_set_that_makes_the_claim_of_a_database_is_parsed() {
        let database = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: db}\nspec:\n  template:\n    spec:\n      \
             containers: [{name: db, image: azure-sql-edge, volumeMounts: [{name: data, mountPath: /var/opt/mssql}]}]\n      \
             volumes: [{name: data, persistentVolumeClaim: {claimName: my-data-sql-0}}]\n";
        let other = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: data-sql}\nspec:\n  template: {spec: \
             {containers: [{name: web, image: nginx}]}}\n  volumeClaimTemplates: [{metadata: {name: my}}]\n";
        let settings = Settings::default();
        let findings = |prefilter: &Prefilter<'_>| {
            let texts = [("a.yaml", database), ("b.yaml", other)].map(|(name, text)| (name.into(), text.into()));
            let found = lint_texts(texts.into(), prefilter, Scope::Application).findings;
            found.iter().map(|located| format!("{located:?}")).collect::<Vec<_>>()
        };
        let found = findings(&Prefilter::new(&settings));
        assert!(found.iter().any(|located| located.contains("exclusive-claim")), "{found:?}");
        assert_eq!(found, findings(&Prefilter::disabled(&settings)));
    }

    #[test]
    fn what_is_parsed_depends_on_the_rules_that_are_on() {
        let settings = parse_settings(&json!({"rules": {"existing-claim": "warn"}})).unwrap();
        let claim = "kind: PersistentVolumeClaim\nmetadata: {name: mssql-data}\n";
        assert_eq!(Prefilter::new(&settings).relevance(claim), Relevance::Related(Kind::Claim));
    }
}
