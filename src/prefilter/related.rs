//! Objects that can be related to a database: Services that select its pods, and claims that they mount.

use std::collections::HashSet;

use sqledge_ha_policy::kubernetes::DEFAULT_NAMESPACE;
use sqledge_ha_policy::kubernetes::claim::claim_names;
use sqledge_ha_policy::kubernetes::kind::Kind;
use sqledge_ha_policy::kubernetes::rollout;
use sqledge_ha_policy::kubernetes::selector::ADDED_BY_CONTROLLERS;
use sqledge_ha_policy::workload::Workload;

/// A name by which an object can be related to a database. Its text contains the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name {
    /// The value of a label of the pods, for Services.
    Label,
    /// The number or name of a port of the database: a LoadBalancer Service that selects nothing may be meant for it.
    Port,
    /// The name of a claim.
    Claim,
    /// A name of a StatefulSet that can make one of the claims.
    ClaimMaker,
    /// The name of a ConfigMap.
    ConfigMap,
    /// The name of the workload, for Rollouts that run its pods.
    Workload,
}

/// The names by which other objects can be related to the databases of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct DatabaseNames {
    names: Vec<(Name, String)>,
}

impl DatabaseNames {
    /// Adds those of a workload.
    pub(crate) fn add(&mut self, workload: &Workload<'_>) {
        for value in workload.labels().into_iter().flat_map(serde_json::Map::values) {
            self.insert(Name::Label, value.as_str().unwrap_or_default());
        }
        for claim in claim_names(&workload.pods(DEFAULT_NAMESPACE)) {
            claim_makers(&claim).for_each(|set| self.insert(Name::ClaimMaker, set));
            self.insert(Name::Claim, &claim);
        }
        if !workload.name().is_empty() {
            self.insert(Name::Workload, workload.name());
        }
        for engine in &workload.engines {
            // Without a number, it may listen on any port.
            self.insert(Name::Port, &engine.port().map(|port| port.to_string()).unwrap_or_default());
            let names = engine.container.at("ports").items().filter_map(|port| port.at("name").str());
            names.for_each(|name| self.insert(Name::Port, name));
        }
    }

    /// Adds the names of the ConfigMaps that a workload reads.
    pub(crate) fn add_config_maps(&mut self, names: &[String]) {
        names.iter().for_each(|name| self.insert(Name::ConfigMap, name));
    }

    fn insert(&mut self, kind: Name, name: &str) {
        self.names.push((kind, name.to_owned()));
    }

    pub(crate) fn extend(&mut self, other: DatabaseNames) {
        self.names.extend(other.names);
    }
}

/// The names of StatefulSets that can make a claim, `TEMPLATE-SET-ORDINAL`: template and set can contain dashes, too.
fn claim_makers(claim: &str) -> impl Iterator<Item = &str> {
    let name = claim.rsplit_once('-').map_or("", |(name, _)| name);
    name.match_indices('-').filter_map(|(dash, _)| name.get(dash + 1..))
}

/// Finds the objects that can be related to a database, once all names are known.
pub(crate) struct RelatedMatcher {
    labels: Words,
    ports: Words,
    claims: Words,
    claim_makers: Words,
    config_maps: Words,
    workloads: Words,
}

impl RelatedMatcher {
    /// The matcher for these names.
    pub(crate) fn new(names: &DatabaseNames) -> Self {
        let words = |wanted: Name| {
            let names = names.names.iter().filter(move |(kind, _)| *kind == wanted);
            names.map(|(_, name)| name.as_str())
        };
        RelatedMatcher {
            labels: Words::new(words(Name::Label).chain(ADDED_BY_CONTROLLERS)),
            ports: Words::new(words(Name::Port)),
            claims: Words::new(words(Name::Claim)),
            claim_makers: Words::new(words(Name::ClaimMaker)),
            config_maps: Words::new(words(Name::ConfigMap)),
            workloads: Words::new(words(Name::Workload)),
        }
    }

    /// Whether an object of a kind, as a text, can be related to a database.
    pub(crate) fn matches(&self, kind: Kind, text: &str) -> bool {
        match kind {
            Kind::Service => self.labels.are_in(text) || text.contains("LoadBalancer") && self.ports.are_in(text),
            Kind::Claim => self.claims.are_in(text),
            Kind::ConfigMap => self.config_maps.are_in(text),
            Kind::ROLLOUT if text.contains(rollout::REFERENCE) && self.workloads.are_in(text) => true,
            Kind::Workload(_) => {
                text.contains(CLAIM_NAME) && self.claims.are_in(text)
                    || text.contains(CLAIM_TEMPLATES) && self.claim_makers.are_in(text)
                    || self.labels.are_in(text)
            }
            Kind::DisruptionBudget => self.labels.are_in(text) || !text.contains("matchLabels"),
            Kind::Autoscaler | Kind::ScaledObject | Kind::VerticalAutoscaler => self.workloads.are_in(text),
            Kind::Volume | Kind::StorageClass | Kind::Node | Kind::Gateway | Kind::TcpRoute | Kind::Scale => true,
        }
    }
}

/// The field by which pods use a claim.
const CLAIM_NAME: &str = "claimName";

/// The field by which a StatefulSet makes claims.
const CLAIM_TEMPLATES: &str = "volumeClaimTemplates";

/// Words to find in texts.
struct Words {
    words: HashSet<String>,
    /// Whether a name cannot be found as a word in a text, so that every text may contain it.
    are_everywhere: bool,
    /// The fingerprints of the words: they rule out most words of a text without hashing. Without them, a run over
    /// files of which one in a hundred has a database takes 22 % more instructions.
    fingerprints: Vec<bool>,
}

impl Words {
    fn new<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let mut words = Words { words: HashSet::new(), are_everywhere: false, fingerprints: vec![false; FINGERPRINTS] };
        for name in names {
            if let Some(known) = words.fingerprints.get_mut(fingerprint(name.as_bytes())) {
                *known = true;
            }
            words.are_everywhere |= !is_word(name);
            words.words.insert(name.to_owned());
        }
        words
    }

    /// Whether one of them is in `text`.
    fn are_in(&self, text: &str) -> bool {
        let words = || text.as_bytes().split(|byte| !is_word_byte(*byte));
        self.are_everywhere || !self.words.is_empty() && words().any(|word| self.has(word))
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
    fn services_match_if_they_contain_a_label_value_or_are_load_balancers_with_the_port() {
        let workload = |labels: Value| {
            json!({"spec": {"template": {"metadata": {"labels": labels},
                "spec": {"containers": [{"image": "azure-sql-edge"}]}}}})
        };
        let matches = |labels: Value, service: &str| {
            let (object, settings) = (workload(labels), Settings::default());
            let mut known = DatabaseNames::default();
            known.add(&Workload::read(&object, WorkloadKind::Deployment, &settings).unwrap());
            RelatedMatcher::new(&known).matches(Kind::Service, service)
        };
        let labels = json!({"app": "sql", "tier": "db"});
        assert!(
            matches(labels.clone(), "selector: {app: sql}") && matches(labels.clone(), "selector:\n  tier: 'db'\n")
        );
        assert!(!matches(labels.clone(), "selector: {app: mysql, name: sql-2}"));
        assert!(!matches(labels.clone(), "{type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}"));
        assert!(matches(labels.clone(), "{type: LoadBalancer, selector: {app: web}, ports: [{port: 1433}]}"));
        assert!(matches(labels, "selector: {statefulset.kubernetes.io/pod-name: mssql-0}"));
        assert!(matches(json!({"app": 5}), "selector: {app: 0x5}") && matches(json!({"app": ""}), "selector: {app: }"));
    }
}
