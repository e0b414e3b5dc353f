//! The objects as templates: each in a file of its own, with what the chart's values change in it.

use serde_json::{Value, json};
use sqledge_ha_policy::engine::Engine;
use sqledge_ha_policy::settings::{ImageMapping, Settings};

use super::expressions::Expressions;
use super::{Error, File};
use crate::install::FailurePolicy;
use crate::install::module::Module;
use crate::install::remote_module::{CA, CACHE, CREDENTIALS, RemoteModule};
use crate::install::webhook::{NAME, Options, manifests};
use crate::webhook::self_signed::Service;

/// The templates of all objects but the namespace, which is Helm's to make.
pub(super) fn files(module: &Module) -> Result<Vec<File>, Error> {
    let mut expressions = Expressions::default();
    let namespace = expressions.text(".Release.Namespace");
    let image = expressions.text("include \"sqledge-ha.image\" .");
    let images = expressions.raw(IMAGES);
    let [reference, ca_secret, credentials_secret] =
        [MODULE, CA_SECRET, CREDENTIALS_SECRET].map(|value| expressions.text(value));
    let options = Options {
        module,
        service: &Service::new(NAME, &namespace)?,
        image: &image,
        remote_module: Some(RemoteModule {
            reference: &reference,
            ca_secret: Some(&ca_secret),
            credentials_secret: Some(&credentials_secret),
        }),
        replicas: 1,
        failure_policy: FailurePolicy::default(),
        timeout_seconds: 1,
        settings: "",
        policy: &Settings {
            images: vec![ImageMapping { repository: images.clone(), engine: Engine::SqlEdge }],
            ..Settings::default()
        },
    };
    let objects = manifests(&options).into_iter().map(|manifest| manifest.object);
    let objects = objects.filter(|object| object.get("kind").is_some_and(|kind| kind != "Namespace"));
    objects.map(|object| Template { object, images: &images, expressions: &mut expressions }.file()).collect()
}

/// The repositories of the settings at the end of a list of texts in CEL.
const IMAGES: &str = "{{ range ((.Values.settings).images) }}, '{{ .repository | trimAll \"/\" }}'{{ end }}";

/// The values that name a module in a registry, and what is needed to pull it.
const MODULE: &str = ".Values.module";
const CA_SECRET: &str = ".Values.registry.caSecret";
const CREDENTIALS_SECRET: &str = ".Values.registry.credentialsSecret";

/// An object that becomes a template.
struct Template<'e> {
    object: Value,
    /// What stands in for the image repositories of the settings.
    images: &'e str,
    expressions: &'e mut Expressions,
}

const HEAD: &str = "{{- /* Made from src/install/webhook.rs by `make generate`. */}}\n";

/// A certificate of one's own, and the webhook's.
const OWN: &str = "{{- if .Values.certificate.secretName }}";
const SELF_SIGNED: &str = "{{- if not .Values.certificate.secretName }}";
const END: &str = "{{- end }}";

impl Template<'_> {
    fn file(mut self) -> Result<File, Error> {
        let kind = self.kind();
        self.labels()?;
        match kind.as_str() {
            "ConfigMap" => self.settings()?,
            "ClusterRole" => self.rights()?,
            "Deployment" => self.deployment()?,
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => self.registration()?,
            _ => {}
        }
        let yaml = serde_saphyr::to_string(&self.object)?;
        let text = self.expressions.fill(&yaml);
        let text = match kind.as_str() {
            // The rights to a Secret that is made here.
            "Role" | "RoleBinding" => format!("{SELF_SIGNED}\n{text}{END}\n"),
            _ => text,
        };
        Ok(File { path: format!("templates/{}.yaml", words(&kind)), text: format!("{HEAD}{text}") })
    }

    /// Every object says which release it is of. What selects pods does not: it could never be changed.
    fn labels(&mut self) -> Result<(), Error> {
        let metadata = self.at("/metadata")?;
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.entry("labels").or_insert(json!({"app.kubernetes.io/name": NAME}));
        }
        self.member("/metadata/labels", "{{- include \"sqledge-ha.labels\" . | nindent DEPTH }}")
    }

    fn settings(&mut self) -> Result<(), Error> {
        *self.at("/data")? = json!({});
        self.member("/data", "settings.yaml: |\n  {{- toYaml .Values.settings | nindent INNER }}")
    }

    /// Only who makes its own certificate has to publish it.
    fn rights(&mut self) -> Result<(), Error> {
        let is_of_registrations = |rule: &Value| rule.get("resourceNames").is_some();
        self.around("/rules", is_of_registrations, SELF_SIGNED, END)
    }

    fn deployment(&mut self) -> Result<(), Error> {
        self.put("/spec/replicas", "{{ .Values.replicas }}")?;
        let annotations = "/spec/template/metadata/annotations";
        self.put(&format!("{annotations}/sqledge-ha~1settings"), "{{ toYaml .Values.settings | quote }}")?;
        self.member(annotations, "{{- with .Values.podAnnotations }}\n{{- toYaml . | nindent DEPTH }}\n{{- end }}")?;
        self.remote_module("/spec/template/spec", "/spec/template/spec/containers/0")?;
        self.pod("/spec/template/spec")?;
        self.container("/spec/template/spec/containers/0")
    }

    /// What is there only with a module in a registry.
    fn remote_module(&mut self, pod: &str, container: &str) -> Result<(), Error> {
        for (volume, value) in [(CACHE, MODULE), (CA, CA_SECRET), (CREDENTIALS, CREDENTIALS_SECRET)] {
            let is_of_volume = |item: &Value| item.get("name").is_some_and(|name| name == volume);
            self.around(&format!("{pod}/volumes"), is_of_volume, &given(value), END)?;
            self.around(&format!("{container}/volumeMounts"), is_of_volume, &given(value), END)?;
        }
        // The first is how both flags for a module begin.
        for (flag, value) in [("--module", MODULE), ("--registry-ca-cert", CA_SECRET)] {
            let is_flag = |argument: &Value| argument.as_str().is_some_and(|argument| argument.starts_with(flag));
            self.around(&format!("{container}/args"), is_flag, &given(value), END)?;
        }
        self.member_if(CREDENTIALS_SECRET, container, "env")
    }

    fn pod(&mut self, pod: &str) -> Result<(), Error> {
        self.optional(pod, "nodeSelector")?;
        self.optional(pod, "tolerations")?;
        self.optional(pod, "affinity")?;
        self.optional(pod, "imagePullSecrets")?;
        self.member(pod, "{{- with .Values.priorityClassName }}\npriorityClassName: {{ . | quote }}\n{{- end }}")?;
        self.last(
            &format!("{pod}/volumes"),
            &format!(
                "{OWN}\n- name: tls\n  secret:\n    secretName: {{{{ .Values.certificate.secretName | quote }}}}\n{END}"
            ),
        )
    }

    fn container(&mut self, container: &str) -> Result<(), Error> {
        self.optional(container, "resources")?;
        self.member(container, "{{- with .Values.image.pullPolicy }}\nimagePullPolicy: {{ . }}\n{{- end }}")?;
        let arguments = format!("{container}/args");
        let is_of_certificate = |argument: &Value| {
            let argument = argument.as_str().unwrap_or_default();
            ["--self-signed", "--service=", "--webhook-configuration="].iter().any(|flag| argument.starts_with(flag))
        };
        let own = format!("{OWN}\n- --tls-cert={TLS}/tls.crt\n- --tls-key={TLS}/tls.key\n{{{{- else }}}}");
        self.around(&arguments, is_of_certificate, &own, END)?;
        self.last(&arguments, "{{- with .Values.extraArgs }}\n{{- toYaml . | nindent DEPTH }}\n{{- end }}")?;
        self.last(
            &format!("{container}/volumeMounts"),
            &format!("{OWN}\n- name: tls\n  mountPath: {TLS}\n  readOnly: true\n{END}"),
        )
    }

    fn registration(&mut self) -> Result<(), Error> {
        self.member(
            "/metadata",
            "{{- with .Values.certificate.annotations }}\nannotations:\n  {{- toYaml . | nindent INNER }}\n{{- end }}",
        )?;
        let webhook = "/webhooks/0";
        self.put(&format!("{webhook}/failurePolicy"), "{{ .Values.failurePolicy }}")?;
        self.put(&format!("{webhook}/timeoutSeconds"), "{{ .Values.timeoutSeconds }}")?;
        self.member(
            &format!("{webhook}/clientConfig"),
            "{{- with .Values.certificate.caBundle }}\ncaBundle: {{ . | b64enc }}\n{{- end }}",
        )?;
        self.conditions(&format!("{webhook}/matchConditions"))?;
        let excluded = format!("{webhook}/namespaceSelector/matchExpressions/0/values");
        // Its own namespace stays.
        self.list(&excluded)?.retain(|namespace| namespace != "kube-system");
        let word = self.expressions.lines("{{- range .Values.excludedNamespaces }}\n- {{ . | quote }}\n{{- end }}");
        self.list(&excluded)?.insert(0, json!(word));
        Ok(())
    }

    /// However many repositories there are, also none: with the one that stands in for them go its quotes and comma.
    fn conditions(&mut self, pointer: &str) -> Result<(), Error> {
        let images = self.images;
        for condition in self.list(pointer)? {
            if let Some(Value::String(expression)) = condition.get_mut("expression") {
                *expression = expression.replace(&format!(", '{images}'"), images);
            }
        }
        Ok(())
    }

    fn kind(&self) -> String {
        self.object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn at(&mut self, pointer: &str) -> Result<&mut Value, Error> {
        let missing = Error::Missing { kind: self.kind(), place: pointer.to_owned() };
        self.object.pointer_mut(pointer).ok_or(missing)
    }

    fn list(&mut self, pointer: &str) -> Result<&mut Vec<Value>, Error> {
        let missing = Error::Missing { kind: self.kind(), place: pointer.to_owned() };
        self.at(pointer)?.as_array_mut().ok_or(missing)
    }

    /// Writes `text` in place of a value.
    fn put(&mut self, pointer: &str, text: &str) -> Result<(), Error> {
        let word = self.expressions.raw(text);
        *self.at(pointer)? = json!(word);
        Ok(())
    }

    /// Adds lines to an object.
    fn member(&mut self, pointer: &str, lines: &str) -> Result<(), Error> {
        let word = self.expressions.lines(lines);
        let missing = Error::Missing { kind: self.kind(), place: pointer.to_owned() };
        self.at(pointer)?.as_object_mut().ok_or(missing)?.insert(word, Value::Null);
        Ok(())
    }

    /// Makes a member of what the value of the same name holds, if it holds anything.
    fn optional(&mut self, pointer: &str, name: &str) -> Result<(), Error> {
        if let Some(members) = self.at(pointer)?.as_object_mut() {
            members.remove(name);
        }
        let lines =
            format!("{{{{- with .Values.{name} }}}}\n{name}:\n  {{{{- toYaml . | nindent INNER }}}}\n{{{{- end }}}}");
        self.member(pointer, &lines)
    }

    /// Keeps a member, without expressions in it, only where a value is given.
    fn member_if(&mut self, value: &str, pointer: &str, name: &str) -> Result<(), Error> {
        let missing = Error::Missing { kind: self.kind(), place: format!("{pointer}/{name}") };
        let member = self.at(pointer)?.as_object_mut().and_then(|members| members.remove(name)).ok_or(missing)?;
        let yaml = serde_saphyr::to_string(&json!({name: member}))?;
        self.member(pointer, &format!("{}\n{yaml}{END}", given(value)))
    }

    /// Adds lines at the end of a list.
    fn last(&mut self, pointer: &str, lines: &str) -> Result<(), Error> {
        let word = self.expressions.lines(lines);
        self.list(pointer)?.push(json!(word));
        Ok(())
    }

    /// Adds lines around those items of a list, which stand together.
    fn around(
        &mut self,
        pointer: &str,
        is_inside: impl Fn(&Value) -> bool,
        before: &str,
        after: &str,
    ) -> Result<(), Error> {
        let (before, after) = (self.expressions.lines(before), self.expressions.lines(after));
        let missing = Error::Missing { kind: self.kind(), place: pointer.to_owned() };
        let items = self.list(pointer)?;
        let first = items.iter().position(&is_inside);
        let last = items.iter().rposition(&is_inside);
        let (first, last) = first.zip(last).ok_or(missing)?;
        items.insert(last + 1, json!(after));
        items.insert(first, json!(before));
        Ok(())
    }
}

/// What begins lines that are there only where a value is given.
fn given(value: &str) -> String {
    format!("{{{{- if {value} }}}}")
}

/// Where a certificate of one's own is.
const TLS: &str = "/etc/sqledge-ha-tls";

/// A kind as words: `ConfigMap` as `config-map`.
fn words(kind: &str) -> String {
    let mut words = String::new();
    for character in kind.chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push('-');
        }
        words.extend(character.to_lowercase());
    }
    words
}
