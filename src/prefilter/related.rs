//! Objects that can be related to a database: Services that select its pods, and claims that they mount.

use std::collections::HashSet;

use sqledge_ha_policy::kubernetes::DEFAULT_NAMESPACE;
use sqledge_ha_policy::kubernetes::claim::claim_names;
use sqledge_ha_policy::kubernetes::kind::Kind;
use sqledge_ha_policy::kubernetes::selector::ADDED_BY_CONTROLLERS;
use sqledge_ha_policy::workload::Workload;

use super::ROLLOUT;

/// The label values of database pods, and the names of workloads, claims and ConfigMaps. The text of a related object contains
/// one of them.
#[derive(Debug, Default)]
pub(crate) struct DatabaseNames {
    values: HashSet<String>,
    /// Whether a workload reads a ConfigMap.
    reads_config_maps: bool,
    /// Whether there is a PersistentVolume: claims matter only as a way to it, unless a rule says otherwise.
    has_volumes: bool,
    /// Whether a name cannot be found as a word in a text.
    matches_all: bool,
}

impl DatabaseNames {
    /// Adds those of a workload.
    pub(crate) fn add(&mut self, workload: &Workload<'_>) {
        for value in workload.labels().into_iter().flat_map(serde_json::Map::values) {
            self.insert(value.as_str().unwrap_or_default());
        }
        claim_names(&workload.pods(DEFAULT_NAMESPACE)).iter().for_each(|claim| self.insert(claim));
        if !workload.name().is_empty() {
            self.insert(workload.name());
        }
    }

    /// Adds the names of the ConfigMaps that a workload reads.
    pub(crate) fn add_config_maps(&mut self, names: &[String]) {
        self.reads_config_maps |= !names.is_empty();
        names.iter().for_each(|name| self.insert(name));
    }

    /// Records that there is a PersistentVolume.
    pub(crate) fn add_volume(&mut self) {
        self.has_volumes = true;
    }

    fn insert(&mut self, name: &str) {
        if is_word(name) {
            self.values.insert(name.to_owned());
        } else {
            self.matches_all = true;
        }
    }

    pub(crate) fn extend(&mut self, other: DatabaseNames) {
        self.values.extend(other.values);
        self.reads_config_maps |= other.reads_config_maps;
        self.has_volumes |= other.has_volumes;
        self.matches_all |= other.matches_all;
    }
}

/// Finds the objects that can be related to a database, once all names are known.
pub(crate) struct RelatedMatcher {
    /// The text of every match has one of these words.
    words: HashSet<String>,
    /// Whether every object matches.
    matches_all: bool,
    reads_config_maps: bool,
    reads_claims: bool,
    /// The fingerprints of the words: they rule out most words of a text without hashing. Without them, a run over files of
    /// which one in a hundred has a database takes 22 % more instructions.
    fingerprints: Vec<bool>,
}

impl RelatedMatcher {
    /// `checks_claims`: a rule that is on looks claims up for themselves.
    pub(crate) fn new(names: DatabaseNames, checks_claims: bool) -> Self {
        let DatabaseNames { values: mut words, reads_config_maps, has_volumes, matches_all } = names;
        let reads_claims = checks_claims || has_volumes;
        words.extend(ADDED_BY_CONTROLLERS.map(str::to_owned));
        // One that selects nothing may be meant for a database.
        words.insert("LoadBalancer".to_owned());
        let mut fingerprints = vec![false; FINGERPRINTS];
        for word in &words {
            if let Some(known) = fingerprints.get_mut(fingerprint(word.as_bytes())) {
                *known = true;
            }
        }
        RelatedMatcher { words, matches_all, reads_config_maps, reads_claims, fingerprints }
    }

    /// Whether an object of a kind, as a text, can be related to a database.
    pub(crate) fn matches(&self, kind: Kind, text: &str) -> bool {
        let is_read = match kind {
            Kind::Claim => self.reads_claims,
            Kind::ConfigMap => self.reads_config_maps,
            ROLLOUT => text.contains("workloadRef"),
            _ => true,
        };
        is_read && self.has_name(text)
    }

    fn has_name(&self, text: &str) -> bool {
        let mut words = text.as_bytes().split(|byte| !is_word_byte(*byte));
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
    use serde_json::{Value, json};
    use sqledge_ha_policy::kubernetes::kind::WorkloadKind;
    use sqledge_ha_policy::settings::Settings;

    use super::*;

    #[test]
    fn services_match_if_they_contain_a_label_value() {
        let workload = |labels: Value| {
            json!({"spec": {"template": {"metadata": {"labels": labels},
                "spec": {"containers": [{"image": "azure-sql-edge"}]}}}})
        };
        let matches = |labels: Value, service: &str| {
            let (object, settings) = (workload(labels), Settings::default());
            let mut known = DatabaseNames::default();
            known.add(&Workload::read(&object, WorkloadKind::Deployment, &settings).unwrap());
            RelatedMatcher::new(known, false).matches(Kind::Service, service)
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
