//! `questions-ui.yml`: Rancher's form for the settings. Options and defaults are from the schema of the settings.
//!
//! The types are those that the form supports. `rules` is a map of free text, because the form loses the other entries
//! of a map when one is selected from a list. There is no hidden question `description` as in other policies, because
//! the form submits it as a setting. Source: rancher/kubewarden-ui, `pkg/kubewarden/components/Questions`, at dca2ea46.

use serde::Serialize;
use serde_json::{Value, json};
use sqledge_ha_policy::settings::{SETTINGS, Setting};

use crate::settings_schema;

/// The form.
#[derive(Debug, Serialize)]
pub struct Form {
    questions: Vec<Question>,
}

/// A field of the form.
#[derive(Debug, Serialize)]
struct Question {
    variable: String,
    #[serde(rename = "type")]
    kind: &'static str,
    label: &'static str,
    group: &'static str,
    description: String,
    default: Value,
    required: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<i64>,
    /// The questions for each item of a list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sequence_questions: Vec<Question>,
}

/// The form with a question for every setting.
pub fn form() -> Form {
    Form { questions: SETTINGS.iter().map(question).collect() }
}

/// The form as YAML.
///
/// # Errors
/// The error of the YAML writer: a bug.
pub fn text() -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(&form())
}

fn question(setting: &Setting) -> Question {
    let schema = settings_schema::property(setting);
    let mut question = from_schema(setting.key, setting.label, setting.form_type, &schema);
    // What the manifests and the chart say, too.
    if setting.key == "exposure" {
        question.default = json!("internal");
    }
    match setting.form_type {
        "array[" if schema.pointer("/items/enum").is_some() => {
            question.description.push_str(&format!(": {}", listed(schema.pointer("/items/enum"))));
        }
        "sequence[" => question.sequence_questions = image(&schema),
        // The form compares it with text.
        "string" if question.default.is_number() => question.default = json!(question.default.to_string()),
        _ => {}
    }
    question
}

/// The questions for an image repository.
fn image(schema: &Value) -> Vec<Question> {
    let question = |key: &str, label, kind| {
        let empty = Value::Null;
        let schema = schema.pointer(&format!("/items/properties/{key}")).unwrap_or(&empty);
        Question { required: true, ..from_schema(key, label, kind, schema) }
    };
    let mut engine = question("engine", "Engine", "enum");
    engine.description = "The database in it".to_owned();
    engine.default = engine.options.first().cloned().unwrap_or_default();
    vec![Question { default: json!(""), ..question("repository", "Repository", "string") }, engine]
}

fn from_schema(key: &str, label: &'static str, kind: &'static str, schema: &Value) -> Question {
    let text = |key| schema.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let bound =
        |name: &str| schema.pointer(&format!("/anyOf/0/{name}")).and_then(Value::as_i64).filter(|_| kind == "int");
    let options = schema.get("enum").and_then(Value::as_array).filter(|_| kind == "enum").into_iter().flatten();
    Question {
        variable: key.to_owned(),
        kind,
        label,
        group: "Settings",
        description: text("description"),
        default: schema.get("default").cloned().unwrap_or_default(),
        required: false,
        // The schema also allows empty values, for unset.
        options: options.filter(|option| option.as_str().is_some_and(|text| !text.is_empty())).cloned().collect(),
        min: bound("minimum"),
        max: bound("maximum"),
        sequence_questions: Vec::new(),
    }
}

fn listed(names: Option<&Value>) -> String {
    let names = names.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    names.collect::<Vec<_>>().join(", ")
}
