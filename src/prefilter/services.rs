//! Services: which of them can select the pods of a database.

use std::collections::HashSet;

use serde_json::Value;
use sqledge_ha_policy::selector::ADDED_BY_CONTROLLERS;
use sqledge_ha_policy::workload::Workload;

/// The label values of database pods. A Service that selects such a pod names at least one of them.
#[derive(Debug, Default)]
pub(crate) struct DatabaseLabels {
    values: HashSet<String>,
    /// Whether a value cannot be found as a word in the text of a Service.
    matches_all: bool,
}

impl DatabaseLabels {
    /// Adds those of a workload.
    pub(crate) fn add(&mut self, workload: &Workload<'_>) {
        for value in workload.labels().into_iter().flat_map(serde_json::Map::values) {
            match value {
                Value::String(text) if is_word(text) => drop(self.values.insert(text.clone())),
                _ => self.matches_all = true,
            }
        }
    }

    pub(crate) fn extend(&mut self, other: DatabaseLabels) {
        self.values.extend(other.values);
        self.matches_all |= other.matches_all;
    }
}

/// Finds the Services that can select a database, once all labels are known.
pub(crate) struct ServiceMatcher {
    /// The text of every matching Service has one of these words.
    words: HashSet<String>,
    /// Whether every Service matches.
    matches_all: bool,
    /// The fingerprints of the words: they rule out most words of a text without hashing.
    fingerprints: Vec<bool>,
}

impl ServiceMatcher {
    pub(crate) fn new(labels: DatabaseLabels) -> Self {
        let DatabaseLabels { values: mut words, matches_all } = labels;
        words.extend(ADDED_BY_CONTROLLERS.map(str::to_owned));
        let mut fingerprints = vec![false; FINGERPRINTS];
        for word in &words {
            if let Some(known) = fingerprints.get_mut(fingerprint(word.as_bytes())) {
                *known = true;
            }
        }
        ServiceMatcher { words, matches_all, fingerprints }
    }

    /// Whether a Service, as a text, can select a database.
    pub(crate) fn matches(&self, service: &str) -> bool {
        let mut words = service.as_bytes().split(|byte| !is_word_byte(*byte));
        self.matches_all || words.any(|word| self.has(word))
    }

    fn has(&self, word: &[u8]) -> bool {
        self.fingerprints.get(fingerprint(word)) == Some(&true)
            && str::from_utf8(word).is_ok_and(|word| self.words.contains(word))
    }
}

const FINGERPRINTS: usize = 4096;

/// A number that words of different length, first or last byte rarely share.
fn fingerprint(word: &[u8]) -> usize {
    let (first, last) = (word.first().copied().unwrap_or_default(), word.last().copied().unwrap_or_default());
    (usize::from(first) * 61 + usize::from(last) * 7 + word.len() * 331) % FINGERPRINTS
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_word_byte)
}

/// The characters of label keys and values.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/')
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqledge_ha_policy::kind::Kind;
    use sqledge_ha_policy::settings::Settings;

    use super::*;

    #[test]
    fn services_match_if_they_name_a_label_value() {
        let workload = |labels: Value| {
            json!({"spec": {"template": {"metadata": {"labels": labels},
                "spec": {"containers": [{"image": "azure-sql-edge"}]}}}})
        };
        let matches = |labels: Value, service: &str| {
            let (object, settings) = (workload(labels), Settings::default());
            let mut known = DatabaseLabels::default();
            known.add(&Workload::read(&object, Kind::Deployment, &settings).unwrap());
            ServiceMatcher::new(known).matches(service)
        };
        let labels = json!({"app": "sql", "tier": "db"});
        assert!(
            matches(labels.clone(), "selector: {app: sql}") && matches(labels.clone(), "selector:\n  tier: 'db'\n")
        );
        assert!(!matches(labels.clone(), "selector: {app: mysql, name: sql-2}"));
        assert!(matches(labels, "selector: {statefulset.kubernetes.io/pod-name: mssql-0}"));
        assert!(matches(json!({"app": 5}), "selector: {app: 0x5}") && matches(json!({"app": ""}), "selector: {app: }"));
    }
}
