//! What can be chosen when the chart is installed: one list, of which `values.yaml`, its schema and the table in the README
//! are made.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::Error;
use crate::command::settings_schema;
use crate::install::webhook::{IMAGE_REPOSITORY, node_selector, resources};
use crate::registry::SCHEME;

/// Something that can be chosen.
struct Choice {
    /// Where it stands in `values.yaml`: a name, or a group and a name.
    path: &'static str,
    /// What a person should know.
    description: &'static str,
    default: Value,
    /// What else it may be.
    schema: Value,
}

fn choices() -> Vec<Choice> {
    let choice = |path, schema, default, description| Choice { path, description, default, schema };
    let text = || json!({"type": "string"});
    let texts = || json!({"type": "array", "items": {"type": "string"}});
    let members = || json!({"type": "object"});
    let strings = || json!({"type": "object", "additionalProperties": {"type": "string"}});
    let objects = || json!({"type": "array", "items": {"type": "object"}});
    vec![
        choice(
            "settings",
            settings(),
            json!({"engines": ["sql-edge"]}),
            "The policy's settings. Those that are not given have the defaults that the schema names.",
        ),
        choice(
            "failurePolicy",
            json!({"enum": ["Fail", "Ignore"]}),
            json!("Fail"),
            "What becomes of a request that would be judged while no replica answers. With Fail it is refused; with Ignore \
             it passes unjudged.",
        ),
        choice(
            "timeoutSeconds",
            json!({"type": "integer", "minimum": 1, "maximum": 30}),
            json!(5),
            "How long the API server waits for an answer.",
        ),
        choice(
            "excludedNamespaces",
            texts(),
            json!(["kube-system"]),
            "Namespaces in which nothing is judged, beside the webhook's own.",
        ),
        choice("replicas", json!({"type": "integer", "minimum": 1}), json!(2), "How many replicas answer."),
        choice(
            "image.repository",
            json!({"type": "string", "minLength": 1}),
            json!(IMAGE_REPOSITORY),
            "Where the image is.",
        ),
        choice("image.tag", text(), json!(""), "Its tag. Empty: that of the chart's version."),
        choice(
            "image.digest",
            json!({"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"}),
            json!(""),
            "Its digest, which counts instead of the tag.",
        ),
        choice(
            "image.pullPolicy",
            json!({"enum": ["", "Always", "IfNotPresent", "Never"]}),
            json!(""),
            "When it is pulled. Empty: as Kubernetes does for such a tag.",
        ),
        choice("imagePullSecrets", objects(), json!([]), "Secrets for the image's registry, each as {name: NAME}."),
        choice(
            "module",
            json!({"type": "string", "pattern": format!("^({})?$", reference())}),
            json!(""),
            "A module in a registry, registry://HOST/REPOSITORY@sha256:DIGEST, which each pod pulls at its start: \
             a container that restarts in the same pod needs no registry, a new pod does. With :TAG instead, which may \
             mean another module tomorrow, every start does. The registrations and rights stay those of this version. \
             Empty: the module inside the image.",
        ),
        choice(
            "registry.caSecret",
            secret_name(),
            json!(""),
            "A Secret with the certificate of the registry's authority, ca.crt, to trust beside those of the system.",
        ),
        choice(
            "registry.credentialsSecret",
            secret_name(),
            json!(""),
            "A Secret of type kubernetes.io/dockerconfigjson with credentials for the registry.",
        ),
        choice(
            "certificate.secretName",
            text(),
            json!(""),
            "A Secret with a certificate of your own for the webhook's Service, such as cert-manager keeps: tls.crt and \
             tls.key. Empty: the webhook makes, renews and publishes its own.",
        ),
        choice(
            "certificate.caBundle",
            text(),
            json!(""),
            "Whom the API server has to trust with a certificate of your own: PEM, as by --set-file.",
        ),
        choice(
            "certificate.annotations",
            strings(),
            json!({}),
            "Or annotations of both registrations by which something else enters that, such as \
             cert-manager.io/inject-ca-from: NAMESPACE/CERTIFICATE.",
        ),
        choice("extraArgs", texts(), json!([]), "Further flags of `sqledge-ha serve`."),
        choice("podAnnotations", strings(), json!({}), "Annotations of the pods."),
        choice("resources", members(), resources(), "What a pod may use."),
        choice("nodeSelector", strings(), node_selector(), "Labels of the nodes that pods may run on."),
        choice("tolerations", objects(), json!([]), "Taints of nodes that pods may run on all the same."),
        choice("affinity", members(), json!({}), "Which nodes pods prefer or need. Replicas keep apart without it."),
        choice("priorityClassName", text(), json!(""), "The priority of the pods, such as system-cluster-critical."),
        choice(
            "podMonitor.enabled",
            json!({"type": "boolean"}),
            json!(false),
            "Whether the Prometheus operator, which has to be there, is to read the figures.",
        ),
        choice("podMonitor.interval", text(), json!(""), "How often, such as 30s. Empty: as it does by default."),
        choice("podMonitor.labels", strings(), json!({}), "Labels by which a Prometheus selects its monitors."),
    ]
}

/// The name of a Secret, or nothing.
fn secret_name() -> Value {
    json!({"type": "string", "maxLength": 253, "pattern": "^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$"})
}

/// References as [`ArtifactReference`](crate::registry::ArtifactReference) takes them, in an expression that every Helm understands.
fn reference() -> String {
    let label = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?";
    // Something in it tells a registry from the first part of a path.
    let host = format!(r"(localhost|{label}(\.{label})+|{label}(\.{label})*:[0-9]+)");
    let repository = "(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)+";
    let (tag, digest) = (":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", "@sha256:[0-9a-f]{64}");
    format!("{SCHEME}{host}{repository}({tag}({digest})?|{digest})")
}

/// The schema of the policy's settings. Repositories get into an expression in CEL.
fn settings() -> Value {
    let mut schema = settings_schema::schema();
    if let Some(members) = schema.as_object_mut() {
        members.retain(|key, _| !["$schema", "title"].contains(&key.as_str()));
    }
    if let Some(repository) = schema.pointer_mut("/properties/images/items/properties/repository") {
        *repository = json!({"type": "string", "pattern": "^[A-Za-z0-9._/-]+$"});
    }
    schema
}

/// The schema (draft 7, which every Helm that takes the chart understands).
pub(super) fn schema() -> Value {
    let mut root = Map::from_iter([("global".to_owned(), json!({"type": "object"}))]);
    for Choice { path, description, default, mut schema } in choices() {
        if let Some(members) = schema.as_object_mut() {
            members.insert("description".to_owned(), json!(description));
            members.insert("default".to_owned(), default);
        }
        match path.split_once('.') {
            None => drop(root.insert(path.to_owned(), schema)),
            Some((group, name)) => {
                let group = root.entry(group).or_insert_with(|| object(Map::new()));
                if let Some(properties) = group.pointer_mut("/properties").and_then(Value::as_object_mut) {
                    properties.insert(name.to_owned(), schema);
                }
            }
        }
    }
    let mut schema = object(root);
    if let Some(members) = schema.as_object_mut() {
        members.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        members.insert("title".to_owned(), json!("Values of the chart sqledge-ha"));
    }
    schema
}

fn object(properties: Map<String, Value>) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

/// `values.yaml`: every choice with its default.
pub(super) fn text() -> Result<String, Error> {
    let mut text = "# What can be chosen; values.schema.json has what it may be. Made by `make generate`.\n".to_owned();
    let mut group = None;
    for Choice { path, description, default, .. } in choices() {
        let (own_group, name) = path.split_once('.').map_or((None, path), |(group, name)| (Some(group), name));
        if own_group.is_none() || own_group != group {
            text.push('\n');
            text.extend(own_group.map(|name| format!("{name}:\n")));
        }
        group = own_group;
        let depth = if own_group.is_some() { "  " } else { "" };
        let member = serde_saphyr::to_string(&json!({name: default}))?;
        let lines = comment(description).into_iter().chain(member.lines().map(str::to_owned));
        text.extend(lines.map(|line| format!("{depth}{line}\n")));
    }
    Ok(text)
}

/// Lines of a comment that fit on a screen.
fn comment(description: &str) -> Vec<String> {
    const WIDTH: usize = 110;
    let mut lines = vec!["#".to_owned()];
    for word in description.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => line.extend([" ", word]),
            _ => lines.push(format!("# {word}")),
        }
    }
    lines
}

/// Every choice as a line of a table in Markdown.
pub(super) fn table() -> String {
    let mut text = "| value | default | what it is |\n|---|---|---|\n".to_owned();
    for Choice { path, description, default, .. } in choices() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{path}` | `{default}` | {description} |");
    }
    text
}
