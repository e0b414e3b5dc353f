//! Files that are patches of a kustomization: parts of objects, which stand for nothing by themselves.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::whole::{OF_A_CONFIGURATION, read_within};
use crate::manifest::{decode, read};

/// What a kustomization is called, as Kustomize has it.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The patches that kustomizations name, by their directories. Each is read once.
#[derive(Debug, Default)]
pub(crate) struct Patches(Mutex<HashMap<PathBuf, Arc<HashSet<String>>>>);

impl Patches {
    /// Whether a kustomization beside a file, or in the directory above, names it as a patch.
    pub(crate) fn name(&self, file: &Path) -> bool {
        let Some((directory, name)) = file.parent().zip(file.file_name()) else { return false };
        let name = name.to_string_lossy();
        let here = self.of(directory).contains(&*name);
        here || directory
            .parent()
            .zip(directory.file_name())
            .is_some_and(|(above, folder)| self.of(above).contains(&format!("{}/{name}", folder.to_string_lossy())))
    }

    fn of(&self, directory: &Path) -> Arc<HashSet<String>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(names) = known.get(directory) {
            return Arc::clone(names);
        }
        let names = Arc::new(named_in(directory));
        known.insert(directory.to_owned(), Arc::clone(&names));
        names
    }
}

/// The files that the kustomization of a directory names as patches; none if there is none that can be read.
fn named_in(directory: &Path) -> HashSet<String> {
    let paths = NAMES.map(|name| directory.join(name));
    let Some(path) = paths.iter().find(|path| path.is_file()) else { return HashSet::new() };
    let text = read_within(OF_A_CONFIGURATION, path).ok().and_then(|bytes| decode(bytes).ok());
    let kustomization = text.and_then(|text| read(&text).into_iter().flatten().next());
    kustomization.map(|document| named(&document.value)).unwrap_or_default()
}

fn named(kustomization: &Value) -> HashSet<String> {
    let items = |key: &str| kustomization.get(key).and_then(Value::as_array).into_iter().flatten();
    let with_targets = items("patches").chain(items("patchesJson6902")).filter_map(|patch| patch.get("path"));
    let paths = with_targets.chain(items("patchesStrategicMerge")).filter_map(Value::as_str);
    paths.map(|path| path.trim_start_matches("./").to_owned()).collect()
}
