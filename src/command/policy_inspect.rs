//! `sqledge-ha policy inspect`.

use std::path::Path;

use super::policy::{parse_reference, read_module};
use crate::cli::{InspectionFormat, PolicyInspect};
use crate::exit::CommandError;
use crate::inspection::{Inspection, human};
use crate::registry::{ArtifactReference, SCHEME, pull, signatures};
use crate::wasm_host::EMBEDDED;

/// The report on a module.
///
/// # Errors
/// [`CommandError`] with exit code 2 for an invalid reference or unusable credentials, with exit code 4 for a module
/// that cannot be read or pulled.
pub fn text(flags: &PolicyInspect) -> Result<String, CommandError> {
    let inspection = match flags.module.as_deref() {
        None => inspect(EMBEDDED, "embedded".to_owned(), None)?,
        Some(name) => match source(name)? {
            Source::File(module) => inspect(&module, name.to_owned(), None)?,
            Source::Registry(reference) => in_registry(&reference, flags)?,
        },
    };
    Ok(match flags.format {
        InspectionFormat::Human => human(&inspection),
        InspectionFormat::Json => {
            let text = serde_json::to_string_pretty(&inspection);
            text.map_err(|error| CommandError::unreadable(format!("cannot convert the metadata to JSON: {error}")))?
                + "\n"
        }
    })
}

fn inspect(module: &[u8], from: String, revision: Option<&str>) -> Result<Inspection, CommandError> {
    let inspection = Inspection::new(module, from.clone(), revision);
    inspection.map_err(|error| CommandError::unreadable(format!("{from}: {error}")))
}

fn in_registry(reference: &ArtifactReference, flags: &PolicyInspect) -> Result<Inspection, CommandError> {
    let options = flags.access.client_options()?;
    let pulled = pull(reference, &options, None)?;
    let mut inspection = inspect(&pulled.module, pulled.digest_reference.to_string(), pulled.revision())?;
    inspection.signatures = Some(signatures(&pulled.digest_reference, &options));
    Ok(inspection)
}

enum Source {
    File(Vec<u8>),
    Registry(ArtifactReference),
}

/// The module that a command-line argument names. An existing file takes precedence over a reference.
fn source(name: &str) -> Result<Source, CommandError> {
    if name.starts_with(SCHEME) {
        return parse_reference(name).map(Source::Registry);
    }
    match name.parse() {
        Ok(reference) if !Path::new(name).exists() => Ok(Source::Registry(reference)),
        _ => read_module(Path::new(name)).map(Source::File),
    }
}
