//! The patch files of kustomizations, which are not complete objects.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::kustomization::Kustomization;

/// The patches that kustomizations list, by directory. Each kustomization is read once.
#[derive(Debug, Default)]
pub(crate) struct Patches(Mutex<HashMap<PathBuf, Arc<HashSet<String>>>>);

impl Patches {
    /// Whether a kustomization in the file's directory or the one above lists the file as a patch.
    pub(crate) fn contains(&self, file: &Path) -> bool {
        let Some((directory, name)) = file.parent().zip(file.file_name()) else { return false };
        let name = name.to_string_lossy();
        let is_listed = self.listed_in(directory).contains(&*name);
        is_listed
            || directory.parent().zip(directory.file_name()).is_some_and(|(above, folder)| {
                self.listed_in(above).contains(&format!("{}/{name}", folder.to_string_lossy()))
            })
    }

    fn listed_in(&self, directory: &Path) -> Arc<HashSet<String>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(names) = known.get(directory) {
            return Arc::clone(names);
        }
        let patches = Kustomization::read(directory).unwrap_or_default().patches;
        let names = Arc::new(HashSet::from_iter(patches));
        known.insert(directory.to_owned(), Arc::clone(&names));
        names
    }
}
