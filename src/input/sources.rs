//! Reading and checking the inputs of `lint` and `fix`.

use std::path::Path;

use super::{Charts, FoundInputs, MissingInput, Patches, Source};
use crate::input_name::path_name;
use crate::linter::{self, FileScan, InputError, LintResult, scan};
use crate::manifest::ReadError;
use crate::prefilter::Prefilter;
use sqledge_ha_policy::view::Scope;

/// Reads sources and scans their texts.
pub fn scanner<'p>(
    prefilter: &'p Prefilter<'p>,
) -> impl Fn(&Source) -> Result<Box<FileScan>, ReadError> + Sync + use<'p> {
    let around = Surroundings::default();
    move |source| {
        let text = source.read()?;
        Ok(Box::new(around.scan(source.path(), source.name(), text, prefilter)))
    }
}

/// The kustomizations and charts around files, each of which is read once.
#[derive(Debug, Default)]
pub struct Surroundings {
    patches: Patches,
    charts: Charts,
}

impl Surroundings {
    /// Scans the text of a file, which is a manifest, a patch, or a template of a chart.
    pub fn scan(&self, path: Option<&Path>, name: String, text: String, prefilter: &Prefilter<'_>) -> FileScan {
        let chart = path.and_then(|path| self.charts.chart_of(path, &text)).map(path_name);
        let scan = scan(name, text, prefilter);
        if let Some(chart) = chart.filter(|_| scan.has_errors()) {
            return scan.into_template(chart);
        }
        let is_patch = scan.has_database() && path.is_some_and(|path| self.patches.contains(path));
        if is_patch { scan.into_patch() } else { scan }
    }
}

/// Checks the scanned sources as an application, or a part of one.
pub fn lint(
    found: FoundInputs<Result<Box<FileScan>, ReadError>>,
    prefilter: &Prefilter<'_>,
    scope: Scope,
) -> LintResult {
    let missing = found.missing.into_iter();
    let mut errors: Vec<InputError> = missing
        .map(|MissingInput { name, is_directory, error }| InputError { name, file: None, is_directory, error })
        .collect();
    let mut scans = Vec::with_capacity(found.texts.len());
    for (source, scan) in found.texts {
        match scan {
            Ok(scan) => {
                let scan = scan.with_rendered(|text| source.rendered(text)).in_application(source.application());
                scans.push(scan.with_path(source.into_path()));
            }
            Err(error) => errors.push(InputError { name: source.name(), file: None, is_directory: false, error }),
        }
    }
    let mut result = linter::lint(scans, errors, prefilter, scope);
    result.notes.splice(0..0, found.notes);
    result
}
