//! The objects in files that stand for a cluster.

use std::path::PathBuf;

use serde_json::Value;

use crate::exit::CommandError;
use crate::input;
use crate::linter::list_items::{complete, objects_in};
use crate::manifest::{Lines, ReadError, read};

/// The objects in files and directories.
///
/// # Errors
/// [`CommandError`] with exit code 4 for the first file that cannot be read.
pub(super) fn read_objects(paths: &[PathBuf]) -> Result<Vec<Value>, CommandError> {
    let (sources, missing) = input::find(paths);
    if let Some(missing) = missing.first() {
        return Err(unreadable(&missing.name, &missing.error));
    }
    let mut objects = Vec::new();
    for source in sources {
        let name = source.name();
        let text = source.read().map_err(|error| unreadable(&name, &error))?;
        let at = |error: ReadError| {
            let position = Lines::new(&text).position(error.byte);
            unreadable(&format!("{name}:{}:{}", position.line, position.column), &error)
        };
        for document in read(&text) {
            let mut value = document.map_err(at)?.value;
            complete(&mut value);
            objects.extend(objects_in(&value).into_iter().map(|part| part.value.clone()));
        }
    }
    Ok(objects)
}

/// The error for a file that cannot be read.
pub(super) fn unreadable(name: &str, error: &ReadError) -> CommandError {
    CommandError::unreadable(format!("{name}: {error}"))
}
