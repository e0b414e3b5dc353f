//! The claims that hold the files of a workload's databases.

use serde_json::Value;

use super::Workload;
use crate::json::cursor::Cursor;
use crate::kubernetes::claim::{Claim, claims_of_template};
use crate::kubernetes::volumes::VolumeSource;

/// A claim that holds database files, as the workload refers to it.
#[derive(Clone, Copy, Debug)]
pub enum DataClaim<'a> {
    /// The `claimName` of a volume, which is not empty.
    Named(Cursor<'a>),
    /// A template of which the StatefulSet makes a claim for each replica.
    Template(Claim<'a>),
}

impl<'a> DataClaim<'a> {
    /// The text that names it: the `claimName`, or the template's name.
    pub fn location(&self) -> Cursor<'a> {
        match self {
            DataClaim::Named(name) => *name,
            DataClaim::Template(template) => template.object.path(&["metadata", "name"]),
        }
    }

    /// Whether the claim is made of a template of the workload.
    pub fn is_template(&self) -> bool {
        matches!(self, DataClaim::Template(_))
    }

    /// The claim that a volume of a pod is; `None` if it is none.
    pub fn from_source(source: &VolumeSource<'a>) -> Option<Self> {
        match source {
            VolumeSource::Claim(source) => Some(DataClaim::Named(source.at("claimName"))),
            VolumeSource::ClaimTemplate(template) => Some(DataClaim::Template(Claim { object: *template })),
            VolumeSource::Other(_) | VolumeSource::NoSource | VolumeSource::NoSuchVolume => None,
        }
    }

    /// The names of the claims: one, or one for each replica.
    pub fn names(&self, workload: &Workload<'_>) -> Vec<String> {
        let own = self.location().str().unwrap_or_default();
        match self {
            DataClaim::Named(_) => vec![own.to_owned()],
            DataClaim::Template(_) => {
                claims_of_template(own, workload.object.value().unwrap_or(&Value::Null)).collect()
            }
        }
    }

    /// The name of the claim. The one of the first replica stands for all that are made of a template.
    pub fn name(&self, workload: &Workload<'_>) -> String {
        self.names(workload).into_iter().next().unwrap_or_default()
    }
}

impl<'a> Workload<'a> {
    /// The templates of claims that hold files of its databases. Only a StatefulSet has some.
    pub fn data_claim_templates(&self) -> Vec<Claim<'a>> {
        if self.claim_templates().is_none() {
            return Vec::new();
        }
        let template =
            |claim: &DataClaim<'a>| if let DataClaim::Template(template) = claim { Some(*template) } else { None };
        self.data_claims().iter().filter_map(template).collect()
    }

    /// The claims that hold files of its databases, each once.
    pub fn data_claims(&self) -> &[DataClaim<'a>] {
        self.data_claims.get_or_init(|| self.read_data_claims())
    }

    fn read_data_claims(&self) -> Vec<DataClaim<'a>> {
        let mut claims: Vec<DataClaim<'a>> = Vec::new();
        for mount in self.containers().flat_map(|container| container.storage().data_mounts()) {
            let Some(claim) = DataClaim::from_source(&mount.source) else { continue };
            let (name, is_template) = (claim.location().str(), claim.is_template());
            let is_known = |known: &DataClaim<'_>| known.location().str() == name && known.is_template() == is_template;
            if name.is_some_and(|name| !name.is_empty()) && !claims.iter().any(is_known) {
                claims.push(claim);
            }
        }
        claims
    }
}
