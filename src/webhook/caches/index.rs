//! Objects by namespace and name.

use std::collections::HashMap;
use std::sync::Arc;

use super::object::Kept;

type Texts = HashMap<Box<str>, Arc<str>>;

/// The objects of a namespace. Stubs are apart, so that they cost a list nothing.
#[derive(Debug, Default)]
struct Names {
    whole: Texts,
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
    pub(super) fn insert(&mut self, object: Kept) {
        self.remove(&object);
        let (namespace, name) = address(&object);
        self.objects += 1;
        self.bytes += object.text.len();
        let names = self.namespaces.entry(namespace.into()).or_default();
        let texts = if object.is_stub { &mut names.stubs } else { &mut names.whole };
        texts.insert(name.into(), object.text);
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, object: &Kept) {
        let (namespace, name) = address(object);
        let Some(names) = self.namespaces.get_mut(namespace) else { return };
        if let Some(text) = names.whole.remove(name).or_else(|| names.stubs.remove(name)) {
            self.objects -= 1;
            self.bytes -= text.len();
        }
        if names.whole.is_empty() && names.stubs.is_empty() {
            self.namespaces.remove(namespace);
        }
    }

    /// The text of one object.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<Arc<str>> {
        let names = self.namespaces.get(namespace)?;
        names.whole.get(name).or_else(|| names.stubs.get(name)).cloned()
    }

    /// The texts of a namespace's objects, in any order; not those of stubs.
    pub(super) fn list(&self, namespace: &str) -> Vec<Arc<str>> {
        self.namespaces.get(namespace).into_iter().flat_map(|names| names.whole.values()).cloned().collect()
    }

    /// How many objects there are.
    pub(super) fn objects(&self) -> usize {
        self.objects
    }

    /// How many bytes of text they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn address(object: &Kept) -> (&str, &str) {
    let metadata = &object.metadata;
    (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(namespace: &str, name: &str, spec: u32) -> Kept {
        let object = serde_json::json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn objects_are_counted_as_they_come_change_and_go() {
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
    fn stubs_are_found_and_not_listed() {
        let stub = || Kept { is_stub: true, ..object("a", "sql", 1) };
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
