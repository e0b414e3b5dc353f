//! The storage behind the claims of a workload: claims, PersistentVolumes and StorageClasses.

use super::View;
use super::cluster::Query;
use crate::finding::{Finding, Related, Text};
use crate::json::cursor::Cursor;
use crate::kubernetes::claim::Claim;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::objects::{StorageClass, Volume};
use crate::view::Scope;
use crate::workload::Workload;
use crate::workload::claims::DataClaim;

/// The provisioner of classes whose volumes are made by hand.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// A claim that holds database files, with the storage behind it as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct DataStorage<'a> {
    /// Where the workload names the claim.
    pub location: Cursor<'a>,
    /// The claim or, if it is not known, the template that it is made of.
    pub claim: Claim<'a>,
    /// Whether the claim is made of a template of the workload.
    pub is_template: bool,
    /// Whether the claim has another StorageClass than the template of the StatefulSet, which uses it as it is.
    pub has_other_class: bool,
    /// The PersistentVolume that it is bound to, or can be bound to.
    pub volume: Option<Volume<'a>>,
    /// Its StorageClass.
    pub class: Option<StorageClass<'a>>,
}

impl<'a> DataStorage<'a> {
    /// The same finding with the place in another object that it is about.
    pub fn about(&self, finding: Finding, object: &Cursor<'_>, at: &Cursor<'_>, label: impl Into<Text>) -> Finding {
        finding.for_reports(|finding| {
            finding.related([Related::new(object, at, label)].into_iter().chain(self.existing_class()))
        })
    }

    /// Where the claim names another StorageClass than its template.
    pub fn existing_class(&self) -> Option<Related> {
        let class = self.claim.object.path(&["spec", "storageClassName"]);
        let label = "the StatefulSet uses this existing claim, not its template";
        self.has_other_class.then(|| Related::new(&self.claim.object, &class, label))
    }

    /// The name of its StorageClass; `None` if it names none.
    pub fn class_name(&self) -> Option<&'a str> {
        self.claim.named_class()
    }
}

impl<'a> View<'a> {
    /// Whether PersistentVolumes and StorageClasses can be looked up. The module looks up none, to stay small.
    #[inline(always)]
    fn sees_storage(&self) -> bool {
        !cfg!(feature = "guest") && self.scope() != Scope::Request
    }

    /// The workloads of a selected product that keep database files on the claim `name`, one by one: most are asked for
    /// the first.
    pub fn databases_on_claim(&self, name: &str) -> impl Iterator<Item = Workload<'a>> {
        let users = self.users_of_claim(name).known().unwrap_or_default();
        let workloads = users.into_iter().filter_map(|pods| Workload::read(pods.object, pods.kind, self.settings));
        workloads.filter(move |workload| {
            workload.has_selected_engine()
                && workload.data_claims().iter().any(|claim| claim.names(workload).iter().any(|own| own == name))
        })
    }

    /// The storage behind the claims of `workload`; none at admission, where PersistentVolumes and StorageClasses are
    /// not looked up.
    pub fn data_storage_offline<'s, 'w: 's>(&'s self, workload: &Workload<'w>) -> Vec<DataStorage<'s>> {
        if self.sees_storage() { self.data_storage(workload) } else { Vec::new() }
    }

    /// The claims of `workload` at admission, without the storage behind them; none where that is checked, too.
    pub fn data_storage_at_admission<'s, 'w: 's>(&'s self, workload: &Workload<'w>) -> Vec<DataStorage<'s>> {
        if self.sees_storage() { Vec::new() } else { self.data_storage(workload) }
    }

    /// The storage behind the claims that hold files of `workload`. Claims that are not known are left out, and
    /// PersistentVolumes and StorageClasses are not looked up at admission.
    pub fn data_storage<'s, 'w: 's>(&'s self, workload: &Workload<'w>) -> Vec<DataStorage<'s>> {
        workload.data_claims().iter().filter_map(|claim| self.storage_of(claim, workload)).collect()
    }

    /// The storage behind a claim of `workload`; `None` if the claim is not known.
    pub fn storage_of<'s>(&'s self, data_claim: &DataClaim<'s>, workload: &Workload<'_>) -> Option<DataStorage<'s>> {
        let name = data_claim.name(workload);
        let is_template = data_claim.is_template();
        // At admission, the claims of a new StatefulSet do not exist yet.
        let existing = match (is_template, self.scope()) {
            (true, Scope::Request) => None,
            _ => self.claim(&name).known().flatten(),
        };
        // The StatefulSet uses a claim that exists as it is.
        let (claim, has_other_class) = match (data_claim, existing) {
            (DataClaim::Template(template), Some(claim)) => (claim, claim.class_name() != template.class_name()),
            (DataClaim::Template(template), None) => (*template, false),
            (DataClaim::Named(_), existing) => (existing?, false),
        };
        let (volume, class) = if self.sees_storage() {
            let class = self.class_or_default(&claim);
            (self.volume_behind(&claim, &name, class.as_ref()), class)
        } else {
            (None, None)
        };
        Some(DataStorage { location: data_claim.location(), claim, is_template, has_other_class, volume, class })
    }

    /// The PersistentVolume that a claim is bound to, or can be bound to. At admission they are not looked up.
    pub fn volume_of(&self, claim: &Claim<'_>) -> Option<Volume<'a>> {
        if !self.sees_storage() {
            return None;
        }
        let name = claim.object.path(&["metadata", "name"]).str().unwrap_or_default();
        self.volume_behind(claim, name, self.class_or_default(claim).as_ref())
    }

    fn class_or_default(&self, claim: &Claim<'_>) -> Option<StorageClass<'a>> {
        if claim.class_name().is_some() {
            return self.class_of(claim).known().flatten();
        }
        let defaults = self.find(&Query::DefaultStorageClasses).known()?;
        defaults.into_iter().map(StorageClass::read).find(StorageClass::is_default)
    }

    /// The volume that a claim names, that is reserved for it, or that has its class if no plugin makes volumes of it.
    fn volume_behind(&self, claim: &Claim<'_>, name: &str, class: Option<&StorageClass<'a>>) -> Option<Volume<'a>> {
        if let Some(name) = claim.volume_name() {
            return self.get(Kind::Volume, name).known().flatten().map(Volume::read);
        }
        let class_name = claim.class_name().unwrap_or_default();
        let volumes = self.find(&Query::VolumesFor { namespace: self.namespace, claim: name, class: class_name });
        let volumes: Vec<Volume<'a>> = volumes.known()?.into_iter().map(Volume::read).collect();
        let reserved = volumes.iter().find(|volume| volume.reserved_for() == Some((self.namespace, name)));
        let makes_volumes = class.is_some_and(|class| class.provisioner().str() != Some(NO_PROVISIONER));
        let is_match = |volume: &&Volume<'_>| {
            volume.reserved_for().is_none() && volume.class_name() == class_name && volume.can_hold(claim)
        };
        let mut matching = volumes.iter().filter(is_match).filter(|_| !makes_volumes);
        // One with other access modes is probably meant, even if the claim cannot be bound to it.
        let chosen = || matching.clone().find(|volume| volume.allows_modes_of(claim)).or_else(|| matching.next());
        reserved.or_else(chosen).copied()
    }

    /// Whether claims are checked themselves, so that a finding that a claim and a workload have in common is reported
    /// on the claim.
    pub fn is_reported_on_claim(&self) -> bool {
        self.scope().reports_once() && Kind::Claim.is_checked()
    }
}
