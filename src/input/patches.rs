//! The patch files of kustomizations, which are not complete objects.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::{CONFIG_LIMIT, read_limited};
use crate::manifest::{decode, read};

/// The file names of a kustomization.
const KUSTOMIZATION_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

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
        let names = Arc::new(read_patches(directory));
        known.insert(directory.to_owned(), Arc::clone(&names));
        names
    }
}

/// The patches that a directory's kustomization lists; none without a readable kustomization.
fn read_patches(directory: &Path) -> HashSet<String> {
    let paths = KUSTOMIZATION_NAMES.map(|name| directory.join(name));
    let Some(path) = paths.iter().find(|path| path.is_file()) else { return HashSet::new() };
    let text = read_limited(CONFIG_LIMIT, path).ok().and_then(|bytes| decode(bytes).ok());
    let kustomization = text.and_then(|text| read(&text).into_iter().flatten().next());
    kustomization.map(|document| patch_paths(&document.value)).unwrap_or_default()
}

fn patch_paths(kustomization: &Value) -> HashSet<String> {
    let items = |key: &str| kustomization.get(key).and_then(Value::as_array).into_iter().flatten();
    let with_targets = items("patches").chain(items("patchesJson6902")).filter_map(|patch| patch.get("path"));
    let paths = with_targets.chain(items("patchesStrategicMerge")).filter_map(Value::as_str);
    paths.map(|path| path.trim_start_matches("./").to_owned()).collect()
}
