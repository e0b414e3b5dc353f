//! Finds kustomizations that are variants of the same application.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::Renderer;
use super::kustomization::KustomizationTree;
use super::rendering::Renderable;

/// The overlays that share a resource with another one: variants of an application, such as for testing and production,
/// which do not run beside each other.
#[derive(Debug, Default)]
pub(super) struct Overlays(Vec<PathBuf>);

impl Overlays {
    /// The overlays among what is rendered.
    pub(super) fn among<'r>(renderables: impl Iterator<Item = &'r Renderable>) -> Self {
        let kustomizations = renderables.filter(|renderable| renderable.renderer() == Renderer::Kustomize);
        let trees: Vec<(PathBuf, BTreeSet<PathBuf>)> =
            kustomizations.map(|renderable| (renderable.path().to_owned(), resources(renderable.path()))).collect();
        let mut users: HashMap<&PathBuf, usize> = HashMap::new();
        trees.iter().flat_map(|(_, resources)| resources).for_each(|name| *users.entry(name).or_default() += 1);
        let is_shared = |name: &PathBuf| users.get(name).is_some_and(|users| *users > 1);
        let overlays = trees.iter().filter(|(_, resources)| resources.iter().any(is_shared));
        Overlays(overlays.map(|(path, _)| path.clone()).collect())
    }

    /// The number of the application: 1 and more for overlays, 0 for all that is part of the whole input.
    pub(super) fn application(&self, renderable: &Renderable) -> usize {
        self.0.iter().position(|path| path == renderable.path()).map_or(0, |index| index + 1)
    }
}

/// The resources of a kustomization: paths of files, and URLs.
fn resources(directory: &Path) -> BTreeSet<PathBuf> {
    let tree = KustomizationTree::read(directory);
    tree.resources.into_iter().chain(tree.remote.into_iter().map(PathBuf::from)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn overlays_of_one_base_are_variants_wherever_the_base_is() {
        let folder = tempfile::tempdir().unwrap();
        let kustomization = |name: &str, resource: &str| {
            let directory = folder.path().join(name);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("kustomization.yaml"), format!("resources: [{resource:?}]\n")).unwrap();
            Renderable::Kustomization(directory)
        };
        fs::write(folder.path().join("sql.yaml"), "").unwrap();
        let all = [
            kustomization("north", "https://example.com/shop//base?ref=v1"),
            kustomization("south", "https://example.com/shop//base?ref=v2"),
            kustomization("alone", "https://example.com/other"),
            kustomization("east", "../sql.yaml"),
            kustomization("west", "../sql.yaml"),
        ];
        let overlays = Overlays::among(all.iter());
        assert_eq!(all.each_ref().map(|one| overlays.application(one)), [1, 2, 0, 3, 4]);
    }
}
