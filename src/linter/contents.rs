//! What is in a document or a file: numbers of objects, and facts for notes.

use std::ops::AddAssign;

use serde_json::Value;
use sqledge_ha_policy::engine::{Engine, SQL_EDGE};
use sqledge_ha_policy::workload::{EngineContainer, Workload};

/// What is in a document, or in the documents of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    /// The number of objects.
    pub(super) objects: usize,
    /// The number of workloads with a selected database.
    pub(super) workloads: usize,
    /// The number of workloads with a selected database that belong to another one, which is checked in their place.
    pub(super) owned_workloads: usize,
    /// The databases that are not selected.
    pub(super) unselected_engines: Vec<&'static Engine>,
    /// The number of workloads with a database and an API version that no API server accepts.
    pub(super) former_versions: usize,
    /// The number of workloads with an image whose name resembles SQL Edge.
    pub(super) resembling_images: usize,
    /// Whether a database is of a product that is retired.
    pub(super) has_retired_engine: bool,
    /// Whether a workload is read together with other objects.
    pub(super) has_late_workloads: bool,
    /// Whether ConfigMaps may make a workload a database.
    pub(super) has_possible_database: bool,
}

impl Contents {
    /// Adds a workload with a database. `is_checked`: it belongs to no other one, which is checked in its place.
    pub(super) fn add(&mut self, workload: &Workload<'_>, is_checked: bool) {
        match (workload.has_selected_engine(), is_checked) {
            (true, true) => self.add_workload(workload),
            (true, false) => self.owned_workloads += 1,
            (false, true) => self.add_unselected(workload),
            (false, false) => {}
        }
    }

    /// Adds a workload with a selected database.
    fn add_workload(&mut self, workload: &Workload<'_>) {
        self.workloads += 1;
        self.former_versions += usize::from(workload.object.value().is_some_and(has_former_version));
        self.has_retired_engine |= workload.engines.iter().any(|container| container.engine == &SQL_EDGE);
    }

    /// Adds a workload without a selected database.
    fn add_unselected(&mut self, workload: &Workload<'_>) {
        match workload.unselected_engines.first() {
            Some(container) if resembles_sql_edge(container) => self.resembling_images += 1,
            first => self.unselected_engines.extend(first.map(|container| container.engine)),
        }
    }

    /// The number of workloads without a selected database.
    pub(super) fn unselected_workloads(&self) -> usize {
        self.unselected_engines.len() + self.resembling_images
    }
}

impl AddAssign for Contents {
    fn add_assign(&mut self, other: Contents) {
        self.objects += other.objects;
        self.workloads += other.workloads;
        self.owned_workloads += other.owned_workloads;
        self.unselected_engines.extend(other.unselected_engines);
        self.former_versions += other.former_versions;
        self.resembling_images += other.resembling_images;
        self.has_retired_engine |= other.has_retired_engine;
        self.has_late_workloads |= other.has_late_workloads;
        self.has_possible_database |= other.has_possible_database;
    }
}

/// Whether an object has an API version that Kubernetes 1.16 removed.
fn has_former_version(object: &Value) -> bool {
    let version = object.get("apiVersion").and_then(Value::as_str);
    matches!(version, Some("apps/v1beta1" | "apps/v1beta2" | "extensions/v1beta1"))
}

/// Whether a container that counts as SQL Server by its environment has an image whose name resembles SQL Edge.
fn resembles_sql_edge(container: &EngineContainer<'_>) -> bool {
    let image = container.container.at("image").str().unwrap_or_default();
    !container.by_image && ["sql-edge", "sqledge"].iter().any(|name| image.contains(name))
}
