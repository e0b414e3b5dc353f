//! What to change in the sources of a chart or kustomization.

use serde_json::Value;
use sqledge_ha_policy::json::edit::Edit;

use crate::escape::escape;
use crate::linter::{LintedFile, LocatedFinding};

/// The longest value to print, in bytes.
const MAX_VALUE: usize = 80;

/// The edits of a finding, and the value of the chart that the template takes from elsewhere.
pub(super) fn in_sources(file: &LintedFile, located: &LocatedFinding) -> String {
    let Some(fix) = &located.finding.fix else { return String::new() };
    let edits = fix.edits.iter().map(instruction);
    let documents = fix.documents.iter().map(|object| format!("add {}", name(object)));
    let instructions: Vec<String> = edits.chain(documents).collect();
    let value = fix.edits.iter().find_map(|edit| value_reference(file, located, edit.pointer()));
    let value = value.map(|value| format!("; the template takes it from {}", escape(&value))).unwrap_or_default();
    format!("{}{value}", instructions.join(", "))
}

fn instruction(edit: &Edit) -> String {
    let path = escape(&edit.path());
    match edit {
        Edit::Remove { .. } => format!("remove {path}"),
        Edit::Set { value, .. } => {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match path.strip_suffix(".-") {
                _ if value.len() > MAX_VALUE => format!("set {path}"),
                Some(list) => format!("add {} to {list}", escape(&value)),
                None => format!("set {path} to {}", escape(&value)),
            }
        }
    }
}

fn name(object: &Value) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(escape).unwrap_or_default();
    format!("{} {}", text(object.get("kind")), text(object.pointer("/metadata/name")))
}

/// The reference to a value of the chart, e.g. `.Values.replicas`, with which a template writes the key that `pointer`
/// ends with.
fn value_reference(file: &LintedFile, located: &LocatedFinding, pointer: &str) -> Option<String> {
    let (origin, _) = file.rendered.as_ref()?.origin(located.span.start)?;
    let key = pointer.rsplit('/').next()?;
    origin.sources.iter().find_map(|source| source.template.value_reference(key)).map(str::to_owned)
}
