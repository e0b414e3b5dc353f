//! The Helm chart of the webhook. Its templates are the objects of [`super::webhook`], with expressions of Helm in place of
//! what the chart's values decide, so that both ways to install stay one. What needs no object stands in the chart's folder
//! and is written by hand; of the README all but a table.
//!
//! | file | holds |
//! |---|---|
//! | `about` | `Chart.yaml` |
//! | `values` | what can be chosen: `values.yaml`, its schema, and a table for the README |
//! | `templates` | the objects, and what the values change in them |
//! | `expressions` | how expressions of Helm get into YAML |

mod about;
mod expressions;
mod templates;
mod values;

use super::module::Module;
use crate::wasm_host::metadata;

/// A file of the chart.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path in the chart's folder.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Why the chart cannot be made: a mistake of the code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What a value should change is not in the object.
    #[error("{kind} has nothing at {place}")]
    Missing {
        /// The object's kind.
        kind: String,
        /// Where in it.
        place: String,
    },
    /// The module's metadata cannot be read.
    #[error(transparent)]
    Metadata(#[from] metadata::Error),
    /// A stand-in is no name of a namespace.
    #[error(transparent)]
    Service(#[from] crate::webhook::self_signed::NotAService),
    /// Something could not be written as YAML.
    #[error("cannot write the chart: {0}")]
    Unwritable(#[from] serde_saphyr::SerializeError),
}

/// All files of the chart that are made from the code.
///
/// # Errors
/// [`Error`], whatever it is a mistake of the code.
pub fn files() -> Result<Vec<File>, Error> {
    let module = Module::embedded()?;
    let file = |path: &str, text| File { path: path.to_owned(), text };
    let mut files = vec![
        file("Chart.yaml", about::text(&module)?),
        file("values.yaml", values::text()?),
        file("values.schema.json", format!("{:#}\n", values::schema())),
    ];
    files.extend(templates::files(&module)?);
    Ok(files)
}

/// The table in the chart's README of what can be chosen.
pub fn values_table() -> String {
    values::table()
}
