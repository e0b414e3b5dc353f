//! Reads kustomizations.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{CONFIG_LIMIT, read_limited};
use crate::input_name::normalize;
use crate::manifest::{decode, read};

/// The file names of a kustomization.
pub(super) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What a kustomization is made of.
#[derive(Debug, Default)]
pub(super) struct Kustomization {
    /// Files, directories and URLs, as they are written.
    pub(super) resources: Vec<String>,
    /// The files of its patches.
    pub(super) patches: Vec<String>,
    /// Whether it is a part for other kustomizations.
    pub(super) is_component: bool,
    /// Whether it changes its resources so that findings can change, or adds some.
    pub(super) has_changes: bool,
    /// Whether it renders Helm charts, which needs a flag of Kustomize.
    pub(super) has_charts: bool,
}

/// The file of a directory's kustomization.
pub(super) fn kustomization_file(directory: &Path) -> Option<PathBuf> {
    NAMES.map(|name| directory.join(name)).into_iter().find(|path| path.is_file())
}

/// The keys by which a kustomization changes objects so that findings can change, or adds some.
const CHANGES: [&str; 9] = [
    "components",
    "generators",
    "helmCharts",
    "images",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replicas",
    "transformers",
];

impl Kustomization {
    /// Reads the kustomization of a directory; `None` without a readable one.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        let bytes = read_limited(CONFIG_LIMIT, &kustomization_file(directory)?).ok()?;
        let document = read(&decode(bytes).ok()?).into_iter().flatten().next()?;
        Some(Kustomization::new(&document.value))
    }

    fn new(kustomization: &Value) -> Self {
        let items = |key: &str| kustomization.get(key).and_then(Value::as_array).into_iter().flatten();
        let paths = |items: &mut dyn Iterator<Item = &Value>| -> Vec<String> {
            items.filter_map(Value::as_str).map(|path| path.trim_start_matches("./").to_owned()).collect()
        };
        let resources = paths(&mut items("resources").chain(items("bases")).chain(items("components")));
        let with_targets = items("patches").chain(items("patchesJson6902")).filter_map(|patch| patch.get("path"));
        Kustomization {
            has_changes: CHANGES.iter().any(|key| items(key).next().is_some()),
            resources,
            patches: paths(&mut with_targets.chain(items("patchesStrategicMerge"))),
            is_component: kustomization.get("kind").and_then(Value::as_str) == Some("Component"),
            has_charts: items("helmCharts").chain(items("helmChartInflationGenerator")).next().is_some(),
        }
    }
}

/// The maximum number of directories of a tree.
const MAX_DIRECTORIES: usize = 1000;

/// A kustomization with the local kustomizations and files that it is made of.
#[derive(Debug, Default)]
pub(super) struct KustomizationTree {
    /// The directories, each after those that refer to it.
    pub(super) directories: Vec<PathBuf>,
    /// The files of resources.
    pub(super) resources: Vec<PathBuf>,
    /// Resources that are not below: URLs, without their parameters.
    pub(super) remote: Vec<String>,
    /// The files of patches, those of the outer kustomizations first.
    pub(super) patches: Vec<PathBuf>,
}

impl KustomizationTree {
    /// Reads the kustomization of a directory and all that it refers to, each once.
    pub(super) fn read(directory: &Path) -> Self {
        let mut tree = KustomizationTree { directories: vec![normalize(directory)], ..KustomizationTree::default() };
        let mut index = 0;
        while let Some(directory) = tree.directories.get(index).cloned() {
            index += 1;
            let kustomization = Kustomization::read(&directory).unwrap_or_default();
            let local = |name: &String| normalize(&directory.join(name));
            tree.patches.extend(kustomization.patches.iter().map(local).filter(|path| path.is_file()));
            for name in kustomization.resources {
                let path = local(&name);
                if !path.exists() {
                    // Of a URL, `?ref=` says which version.
                    tree.remote.push(name.split('?').next().unwrap_or_default().to_owned());
                } else if path.is_file() {
                    tree.resources.push(path);
                } else if path.is_dir() && !tree.directories.contains(&path) && tree.directories.len() < MAX_DIRECTORIES
                {
                    tree.directories.push(path);
                }
            }
        }
        tree
    }
}
