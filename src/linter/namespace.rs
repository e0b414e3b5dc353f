//! The namespace of objects that name none: `kubectl -n`, Helm and Kustomize put them where the others are.

use sqledge_ha_policy::kubernetes::kind::Kind;
use sqledge_ha_policy::kubernetes::namespace_of;
use sqledge_ha_policy::kubernetes::selector::Pods;
use sqledge_ha_policy::kubernetes::service::Service;
use sqledge_ha_policy::settings::Settings;
use sqledge_ha_policy::view::index::MAX_RELATED;
use sqledge_ha_policy::workload::Workload;

use super::locate::ObjectLocation;

/// The namespace that the databases name, if all that name one name the same. If none does, that of the Services that would
/// select them.
pub(super) fn only_namespace<'d>(objects: &[ObjectLocation<'d>], settings: &Settings) -> Option<&'d str> {
    let is_database = |object: &&ObjectLocation<'d>| {
        let kind = Kind::from_object(object.item.value).and_then(Kind::workload);
        kind.is_some_and(|kind| Workload::read(object.item.value, kind, settings).is_some())
    };
    let databases: Vec<&ObjectLocation<'d>> = objects.iter().filter(is_database).collect();
    let named = |object: &&ObjectLocation<'d>| namespace_of(object.item.value);
    if databases.iter().any(|object| named(object).is_some()) {
        return only(databases.iter().filter_map(named));
    }
    let pods: Vec<Pods<'d>> =
        databases.iter().take(MAX_RELATED).filter_map(|object| Pods::read(object.item.value)).collect();
    let selects_one = |object: &&ObjectLocation<'d>| {
        let service = Service::read(object.item.value);
        Kind::from_object(object.item.value) == Some(Kind::Service) && pods.iter().any(|pods| service.selects(pods))
    };
    only(objects.iter().filter(selects_one).filter_map(|object| namespace_of(object.item.value)))
}

fn only<'n>(mut names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}
