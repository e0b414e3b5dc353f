//! Database images at a place where no container is, for example because a line is indented wrongly. The API server
//! rejects or ignores them, and no rule sees a database.

use serde_json::Value;
use sqledge_ha_policy::engine::detect;
use sqledge_ha_policy::json::cursor::{Cursor, push_key};
use sqledge_ha_policy::kubernetes::kind::WorkloadKind;
use sqledge_ha_policy::settings::Settings;

use crate::manifest::{Document, ReadError};

/// The lists of containers of a pod.
const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Fields with labels and annotations, in which `image` is a name like any other.
const LABELS: [&str; 3] = ["metadata", "nodeSelector", "selector"];

/// The error for a workload in `document`, below `prefix`, without a database container; `None` if it names no database
/// elsewhere.
pub(super) fn misplaced_image(
    document: &Document,
    prefix: &str,
    workload: &Value,
    kind: WorkloadKind,
    settings: &Settings,
) -> Option<ReadError> {
    let mut pod = String::new();
    kind.template_path().iter().chain(&["spec"]).for_each(|key| push_key(&mut pod, key));
    let lists = LISTS.map(|list| format!("{pod}/{list}"));
    let pointer = find_image(workload, &mut String::new(), &lists, settings)?;
    Some(ReadError {
        message: "this database image is not in a list of containers of a pod".to_owned(),
        help: Some("check the indentation; `containers` is a list, whose items begin with `- `".to_owned()),
        byte: document.locate(&format!("{prefix}{pointer}")).start,
    })
}

/// The JSON Pointer of the first database image that is in none of the `lists`.
fn find_image(value: &Value, pointer: &mut String, lists: &[String], settings: &Settings) -> Option<String> {
    if value.is_array() && lists.contains(pointer) {
        return None;
    }
    let has_image = value.get("image").is_some_and(Value::is_string);
    let detected = || detect(&Cursor::root(value), WorkloadKind::Pod, &settings.images);
    if has_image && detected().is_some_and(|engine| engine.by_image) {
        return Some(format!("{pointer}/image"));
    }
    let length = pointer.len();
    let mut find_below = |key: &str, child: &Value| {
        push_key(pointer, key);
        let found = find_image(child, pointer, lists, settings);
        pointer.truncate(length);
        found
    };
    match value {
        Value::Object(members) => {
            let mut parts = members.iter().filter(|(key, _)| !LABELS.contains(&key.as_str()));
            parts.find_map(|(key, child)| find_below(key, child))
        }
        Value::Array(items) => items.iter().enumerate().find_map(|(at, child)| find_below(&at.to_string(), child)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::view::Scope;

    use super::*;
    use crate::linter::lint_texts;
    use crate::prefilter::Prefilter;

    const IMAGE: &str = "mcr.microsoft.com/azure-sql-edge:1.0.7";

    fn errors(spec: &str) -> Vec<(String, usize)> {
        let text = format!("apiVersion: apps/v1\nkind: Deployment\nspec: {spec}\n");
        let settings = Settings::default();
        let prefilter = Prefilter::new(&settings);
        let result = lint_texts(vec![("a.yaml".to_owned(), text.clone())], &prefilter, Scope::Application);
        result.errors.into_iter().map(|error| (error.error.message, error.error.byte)).collect()
    }

    #[test]
    fn an_image_outside_of_the_lists_of_containers_is_an_error() {
        for spec in [
            format!("{{template: {{spec: {{containers: {{name: sql, image: {IMAGE}}}}}}}}}"),
            format!("{{template: {{spec: {{containers: [{{name: sql}}], image: {IMAGE}}}}}}}"),
            format!("{{template: {{containers: [{{name: sql, image: {IMAGE}}}]}}}}"),
        ] {
            let errors = errors(&spec);
            let [(message, byte)] = errors.as_slice() else { panic!("{spec}: {errors:?}") };
            assert_eq!(message, "this database image is not in a list of containers of a pod");
            assert_eq!(*byte, "apiVersion: apps/v1\nkind: Deployment\nspec: ".len() + spec.find(IMAGE).unwrap());
        }
    }

    #[test]
    fn clients_and_other_images_are_none() {
        for spec in [
            format!("{{template: {{spec: {{containers: [{{name: sql, image: {IMAGE}, command: [sleep, inf]}}]}}}}}}"),
            format!("{{template: {{spec: {{initContainers: [{{name: sql, image: {IMAGE}}}], containers: [{{}}]}}}}}}"),
            "{template: {spec: {containers: {name: web, image: web}}}}".to_owned(),
            "{template: {metadata: {labels: {image: azure-sql-edge}}, spec: {containers: []}}}".to_owned(),
        ] {
            assert_eq!(errors(&spec), [], "{spec}");
        }
    }
}
