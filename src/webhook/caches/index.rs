//! Objects by namespace and name.

use std::collections::HashMap;
use std::sync::Arc;

use super::cached_object::CachedObject;

type Texts = HashMap<Box<str>, Arc<str>>;

/// The objects of a namespace. Stubs are separate, because they are not listed.
#[derive(Debug, Default)]
struct Names {
    complete: Texts,
    stubs: Texts,
}

/// All objects of a kind.
#[derive(Debug, Default)]
pub(super) struct Index {
    namespaces: HashMap<Box<str>, Names>,
    objects: usize,
    bytes: usize,
}

impl Index {
    /// Adds an object, or replaces the one of its name.
    pub(super) fn insert(&mut self, object: CachedObject) {
        self.remove(&object);
        let (namespace, name) = key(&object);
        self.objects += 1;
        self.bytes += object.text.len();
        let names = self.namespaces.entry(namespace.into()).or_default();
        let texts = if object.is_stub { &mut names.stubs } else { &mut names.complete };
        texts.insert(name.into(), object.text);
    }

    /// Removes an object.
    pub(super) fn remove(&mut self, object: &CachedObject) {
        let (namespace, name) = key(object);
        let Some(names) = self.namespaces.get_mut(namespace) else { return };
        if let Some(text) = names.complete.remove(name).or_else(|| names.stubs.remove(name)) {
            self.objects -= 1;
            self.bytes -= text.len();
        }
        if names.complete.is_empty() && names.stubs.is_empty() {
            self.namespaces.remove(namespace);
        }
    }

    /// The text of an object.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<str>> {
        let names = self.namespaces.get(namespace)?;
        names.complete.get(name).or_else(|| names.stubs.get(name)).cloned()
    }

    /// The texts of a namespace's objects in any order, without stubs.
    pub(super) fn list(&self, namespace: &str) -> Vec<Arc<str>> {
        self.namespaces.get(namespace).into_iter().flat_map(|names| names.complete.values()).cloned().collect()
    }

    /// The number of objects.
    pub(super) fn objects(&self) -> usize {
        self.objects
    }

    /// The size of their texts in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn key(object: &CachedObject) -> (&str, &str) {
    let metadata = &object.metadata;
    (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(namespace: &str, name: &str, spec: u32) -> CachedObject {
        let object = serde_json::json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn objects_and_bytes_are_counted() {
        let mut index = Index::default();
        index.insert(object("a", "sql", 1));
        index.insert(object("a", "web", 1));
        index.insert(object("b", "sql", 1));
        let bytes = index.bytes();
        index.insert(object("a", "sql", 1234));
        assert_eq!((index.objects(), index.bytes()), (3, bytes + 3));
        assert!(index.get("a", "sql").unwrap().contains("1234"));
        assert_eq!((index.list("a").len(), index.list("b").len(), index.list("c").len()), (2, 1, 0));

        index.remove(&object("b", "sql", 9));
        index.remove(&object("b", "sql", 9));
        index.remove(&object("c", "sql", 9));
        assert_eq!((index.objects(), index.get("b", "sql")), (2, None));
        assert_eq!(index.namespaces.len(), 1);
        index.remove(&object("a", "sql", 0));
        index.remove(&object("a", "web", 0));
        assert_eq!((index.objects(), index.bytes()), (0, 0));
    }

    #[test]
    fn stubs_are_not_listed() {
        let stub = || CachedObject { is_stub: true, ..object("a", "sql", 1) };
        let mut index = Index::default();
        for (object, listed) in [(stub(), 0), (object("a", "sql", 1), 1), (stub(), 0)] {
            index.insert(object);
            assert_eq!((index.objects(), index.list("a").len()), (1, listed));
            assert!(index.get("a", "sql").is_some());
        }
        index.remove(&stub());
        assert_eq!((index.objects(), index.bytes(), index.namespaces.len()), (0, 0, 0));
    }
}
