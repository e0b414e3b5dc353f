//! `sqledge-ha policy inspect`.

use std::path::Path;

use super::policy::{module_at, place};
use crate::cli::{InspectionFormat, PolicyInspect};
use crate::exit::Failure;
use crate::inspection::{Inspection, human};
use crate::registry::{Place, SCHEME, pull, signatures};
use crate::wasm_host::EMBEDDED;

/// What there is to tell of a module.
///
/// # Errors
/// [`Failure`] with exit code 2 for a reference or credentials that cannot be used, with exit code 4 for a module that
/// cannot be read or pulled.
pub fn text(flags: &PolicyInspect) -> Result<String, Failure> {
    let inspection = match flags.module.as_deref() {
        None => inspected(EMBEDDED, "embedded".to_owned(), None)?,
        Some(name) => match named(name)? {
            Named::File(module) => inspected(&module, name.to_owned(), None)?,
            Named::InRegistry(place) => in_registry(&place, flags)?,
        },
    };
    Ok(match flags.format {
        InspectionFormat::Human => human(&inspection),
        InspectionFormat::Json => {
            let text = serde_json::to_string_pretty(&inspection);
            text.map_err(|error| Failure::unreadable(format!("the module's metadata: {error}")))? + "\n"
        }
    })
}

fn inspected(module: &[u8], from: String, revision: Option<&str>) -> Result<Inspection, Failure> {
    let inspection = Inspection::of(module, from.clone(), revision);
    inspection.map_err(|error| Failure::unreadable(format!("{from}: {error}")))
}

fn in_registry(place: &Place, flags: &PolicyInspect) -> Result<Inspection, Failure> {
    let access = flags.access.access()?;
    let pulled = pull(place, &access, None)?;
    let mut inspection = inspected(&pulled.module, pulled.immutable.to_string(), pulled.revision())?;
    inspection.signatures = Some(signatures(&pulled.immutable, &access));
    Ok(inspection)
}

/// What a name on the command line stands for.
enum Named {
    File(Vec<u8>),
    InRegistry(Place),
}

/// A file that exists is meant before anything in a registry.
fn named(name: &str) -> Result<Named, Failure> {
    if name.starts_with(SCHEME) {
        return place(name).map(Named::InRegistry);
    }
    match name.parse() {
        Ok(place) if !Path::new(name).exists() => Ok(Named::InRegistry(place)),
        _ => module_at(Path::new(name)).map(Named::File),
    }
}
