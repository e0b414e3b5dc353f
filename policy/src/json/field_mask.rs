//! Field masks: the parts of an object that are needed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The needed fields of an object, as a tree of names.
#[derive(Debug, Default)]
pub struct FieldMask {
    fields: BTreeMap<String, FieldMask>,
    /// Whether everything below is needed.
    is_whole: bool,
}

impl FieldMask {
    /// The mask of dotted paths, e.g. `spec.containers.image`. Without paths, everything is needed.
    pub fn new<'p>(paths: impl IntoIterator<Item = &'p str>) -> Self {
        let mut root = FieldMask::default();
        for path in paths {
            let mut mask = &mut root;
            for name in path.split('.') {
                mask = mask.fields.entry(name.to_owned()).or_default();
            }
            mask.is_whole = true;
        }
        root.is_whole = root.fields.is_empty();
        root
    }

    /// Removes the fields that are not needed. A path goes through every item of an array.
    pub fn prune(&self, value: &mut Value) {
        match value {
            Value::Object(members) => self.retain(members),
            Value::Array(items) => items.iter_mut().for_each(|item| self.prune(item)),
            _ => {}
        }
    }

    fn retain(&self, members: &mut Map<String, Value>) {
        if self.is_whole {
            return;
        }
        if !members.keys().all(|name| self.fields.contains_key(name)) {
            // A new map is only as large as its fields, which saves memory where many pruned objects are kept.
            let kept = std::mem::take(members).into_iter().filter(|(name, _)| self.fields.contains_key(name));
            *members = kept.collect::<Vec<_>>().into_iter().collect();
        }
        for (name, value) in members {
            self.fields.get(name).into_iter().for_each(|mask| mask.prune(value));
        }
    }

    /// Whether the field `name` of an object is needed, in whole or in part. Prunes its value.
    pub fn keeps(&self, name: &str, value: &mut Value) -> bool {
        if self.is_whole {
            return true;
        }
        let Some(mask) = self.fields.get(name) else { return false };
        mask.prune(value);
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::test;

    #[test]
    fn a_mask_keeps_its_paths_through_arrays_and_everything_below_them() {
        let object = json!({"spec": {"a": 1, "items": [{"x": {"deep": 1}, "y": 2}, {"x": 3}, 4]}, "status": {}});
        let pruned = |paths: &[&str]| {
            let mut object = object.clone();
            FieldMask::new(paths.iter().copied()).prune(&mut object);
            object
        };
        assert_eq!(pruned(&["spec.items.x"]), json!({"spec": {"items": [{"x": {"deep": 1}}, {"x": 3}, 4]}}));
        assert_eq!(pruned(&["spec"]), json!({"spec": object["spec"]}));
        assert_eq!(pruned(&["spec.a", "spec"]), json!({"spec": object["spec"]}), "the shorter path counts");
        assert_eq!(pruned(&[]), object);
    }
}
