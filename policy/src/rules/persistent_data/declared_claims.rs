//! The claims that a pod declares, and the database containers that mount them.

use serde_json::{Map, Value};

use crate::json::cursor::Cursor;
use crate::workload::{DatabaseContainer, Workload};

/// A claim in a pod's `volumes` or in the claim templates.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeclaredClaim<'a> {
    /// The name of its volume.
    pub(super) volume: &'a str,
    /// The claim's name in the object.
    pub(super) location: Cursor<'a>,
}

/// The claims that the pod declares for `container`, mounted or not. A claim that another database container mounts is
/// not for it, because two databases must not share files.
pub(super) fn declared_claims<'a>(container: &DatabaseContainer<'_, 'a>) -> Vec<DeclaredClaim<'a>> {
    let users = users_of_volumes(container.workload);
    let own = Value::from(position_of(container));
    let is_free = |claim: &DeclaredClaim<'a>| users.get(claim.volume).is_none_or(|user| *user == own);
    all_claims(container.workload).filter(is_free).collect()
}

/// The number of database containers before this one for which the pod declares no claim.
#[cfg(not(feature = "guest"))]
pub(super) fn containers_without_claim(container: &DatabaseContainer<'_, '_>) -> usize {
    let (users, position) = (users_of_volumes(container.workload), position_of(container));
    let mut owners = std::collections::HashSet::new();
    for claim in all_claims(container.workload) {
        match users.get(claim.volume) {
            // It is for any of them.
            None => return 0,
            Some(user) => owners.extend(user.as_u64()),
        }
    }
    (0..position).filter(|before| !owners.contains(&(*before as u64))).count()
}

/// The position of a container among the database containers.
fn position_of(container: &DatabaseContainer<'_, '_>) -> usize {
    let is_same = |other: &Cursor<'_>| other.is_same(&container.container);
    container.workload.engines.iter().take_while(|other| !is_same(&other.container)).count()
}

fn all_claims<'a>(workload: &Workload<'a>) -> impl Iterator<Item = DeclaredClaim<'a>> + use<'a> {
    let of_volume = |volume: Cursor<'a>| {
        let location = volume.path(&["persistentVolumeClaim", "claimName"]);
        let location = location.exists().then_some(location)?;
        Some(DeclaredClaim { volume: volume.at("name").str()?, location })
    };
    let of_template = |template: Cursor<'a>| {
        let location = template.path(&["metadata", "name"]);
        Some(DeclaredClaim { volume: location.str()?, location })
    };
    let templates = workload.claim_templates().into_iter().flat_map(|templates| templates.items());
    workload.pod.at("volumes").items().filter_map(of_volume).chain(templates.filter_map(of_template))
}

/// The position of the database container that mounts a volume, by the volume's name; null if several do.
fn users_of_volumes(workload: &Workload<'_>) -> Map<String, Value> {
    let mut users = Map::new();
    for (position, engine) in workload.engines.iter().enumerate() {
        for name in engine.container.at("volumeMounts").items().filter_map(|mount| mount.at("name").str()) {
            let position = Value::from(position);
            let is_shared = users.get(name).is_some_and(|user| *user != position);
            users.insert(name.to_owned(), if is_shared { Value::Null } else { position });
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::kind::WorkloadKind;
    use crate::settings::Settings;
    use crate::testing::{IMAGE, deployment, test};

    #[test]
    fn a_claim_that_one_container_mounts_is_for_no_other() {
        let described = |volumes: &[&str]| {
            let volume = |name: &&str| json!({"name": name, "persistentVolumeClaim": {"claimName": name}});
            let container =
                |name: &str| json!({"image": IMAGE, "volumeMounts": [{"name": name, "mountPath": "/data"}]});
            let object = deployment(&[
                ("/spec/template/spec/volumes", volumes.iter().map(volume).collect()),
                ("/spec/template/spec/containers", ["own", "none", "shared", "shared"].map(container).into()),
            ]);
            let workload = Workload::read(&object, WorkloadKind::Deployment, &Settings::default()).unwrap();
            let describe = |container: DatabaseContainer<'_, '_>| {
                let claims: Vec<&str> = declared_claims(&container).iter().map(|claim| claim.volume).collect();
                format!("{} {}", containers_without_claim(&container), claims.join(" "))
            };
            workload.containers().map(describe).collect::<Vec<_>>()
        };
        assert_eq!(described(&["own", "shared"]), ["0 own", "0 ", "1 ", "2 "]);
        assert_eq!(described(&["own", "free"]), ["0 own free", "0 free", "0 free", "0 free"]);
    }
}
