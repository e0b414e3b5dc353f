//! Finds kustomizations that are variants of the same application.

use std::collections::HashMap;
use std::path::PathBuf;

use super::Renderer;
use super::kustomization::KustomizationTree;
use super::rendering::Renderable;

/// The overlays that share a resource with another one: variants of an application, such as for testing and production, which do not
/// run beside each other.
#[derive(Debug, Default)]
pub(super) struct Overlays(Vec<PathBuf>);

impl Overlays {
    /// The overlays among what is rendered.
    pub(super) fn among<'r>(renderables: impl Iterator<Item = &'r Renderable>) -> Self {
        let trees: Vec<(PathBuf, Vec<PathBuf>)> = renderables
            .filter(|renderable| renderable.renderer() == Renderer::Kustomize)
            .map(|renderable| (renderable.path().to_owned(), KustomizationTree::read(renderable.path()).resources))
            .collect();
        let mut users: HashMap<&PathBuf, usize> = HashMap::new();
        trees.iter().flat_map(|(_, resources)| resources).for_each(|file| *users.entry(file).or_default() += 1);
        let is_overlay =
            |resources: &[PathBuf]| resources.iter().any(|file| users.get(file).is_some_and(|users| *users > 1));
        Overlays(trees.iter().filter(|(_, resources)| is_overlay(resources)).map(|(path, _)| path.clone()).collect())
    }

    /// The number of the application: 1 and more for overlays, 0 for all that is part of the whole input.
    pub(super) fn application(&self, renderable: &Renderable) -> usize {
        self.0.iter().position(|path| path == renderable.path()).map_or(0, |index| index + 1)
    }
}
