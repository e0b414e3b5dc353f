//! The objects in the files of a kustomization, to find the lines that a rendered object comes from.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::kustomization::{KustomizationTree, kustomization_file};
use super::origins::read_source;
use crate::manifest::read;
use crate::rendered::SourceFile;

/// The resources and patches of a kustomization and of those that it refers to.
#[derive(Debug, Default)]
pub(super) struct KustomizationObjects {
    resources: Vec<SourceObject>,
    /// Those of the outer kustomizations first.
    patches: Vec<SourceObject>,
}

/// An object, or a patch of one, in a file.
#[derive(Debug)]
struct SourceObject {
    kind: String,
    name: String,
    path: PathBuf,
    file: SourceFile,
}

impl KustomizationObjects {
    /// Reads the files of the kustomization in a directory.
    pub(super) fn read(directory: &Path) -> Self {
        let tree = KustomizationTree::read(directory);
        let objects = |paths: &[PathBuf]| paths.iter().flat_map(|path| objects_in_file(path)).collect();
        let inline = tree.directories.iter().filter_map(|directory| kustomization_file(directory));
        let mut patches: Vec<SourceObject> = inline.flat_map(|file| inline_patches(&file)).collect();
        patches.splice(0..0, objects(&tree.patches));
        KustomizationObjects { resources: objects(&tree.resources), patches }
    }

    /// The files that the lines of a rendered object can come from, patches first. `annotated` is the file of the
    /// resource, if the object says so; otherwise it is the one with an object of the same kind and name, to which
    /// Kustomize can have added a prefix and a suffix.
    pub(super) fn sources_of(&self, object: &Value, annotated: Option<&Path>) -> Vec<SourceFile> {
        let Some((kind, rendered)) = kind_and_name(object) else { return Vec::new() };
        let is_same = |resource: &&SourceObject| {
            resource.kind == kind
                && rendered.contains(&resource.name)
                && annotated.is_none_or(|path| resource.path == path)
        };
        let candidates: Vec<&SourceObject> = self.resources.iter().filter(is_same).collect();
        let longest = candidates.iter().map(|resource| resource.name.len()).max();
        let mut closest = candidates.iter().filter(|resource| Some(resource.name.len()) == longest);
        let resource = closest.next().filter(|_| closest.next().is_none());
        let is_patched = |patch: &&SourceObject| {
            patch.kind == kind
                && resource.map_or(rendered.contains(&patch.name), |resource| patch.name == resource.name)
        };
        let patches = self.patches.iter().filter(is_patched);
        patches.chain(resource.copied()).map(|object| object.file.clone()).collect()
    }
}

fn objects_in_file(path: &Path) -> Vec<SourceObject> {
    let Some(file) = read_source(path) else { return Vec::new() };
    let documents = read(file.template.text()).into_iter().flatten();
    documents.filter_map(|document| source_object(&document.value, path, &file)).collect()
}

/// The patches that are written in a kustomization itself.
fn inline_patches(path: &Path) -> Vec<SourceObject> {
    let Some(file) = read_source(path) else { return Vec::new() };
    let Some(kustomization) = read(file.template.text()).into_iter().flatten().next() else { return Vec::new() };
    let items = |key: &str| kustomization.value.get(key).and_then(Value::as_array).into_iter().flatten();
    let texts = items("patches").filter_map(|patch| patch.get("patch")).chain(items("patchesStrategicMerge"));
    let documents = texts.filter_map(Value::as_str).flat_map(read).flatten();
    documents.filter_map(|document| source_object(&document.value, path, &file)).collect()
}

fn source_object(object: &Value, path: &Path, file: &SourceFile) -> Option<SourceObject> {
    let (kind, name) = kind_and_name(object)?;
    Some(SourceObject { kind: kind.to_owned(), name: name.to_owned(), path: path.to_owned(), file: file.clone() })
}

fn kind_and_name(object: &Value) -> Option<(&str, &str)> {
    Some((object.get("kind")?.as_str()?, object.get("metadata")?.get("name")?.as_str()?))
}
