//! Finds the charts and kustomizations among the files of a run, and the files that are checked as part of what is
//! rendered.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::charts::{self, is_library};
use super::kustomization::{Kustomization, KustomizationTree, NAMES, kustomization_file};
use super::rendering::Renderable;
use super::{HelmChart, Renderer};
use crate::counted::counted;
use crate::input_name::{directory_of, normalize, path_name};

/// The charts and kustomizations below the paths that are no part of another one.
#[derive(Debug, Default)]
pub(super) struct Discovered {
    pub(super) renderables: Vec<Renderable>,
    /// What is not rendered, and why.
    pub(super) notes: Vec<String>,
}

impl Discovered {
    /// Searches the directories of `files`. Those that are `named` are rendered already.
    pub(super) fn among<'f>(
        files: impl Iterator<Item = &'f Path>,
        named: &[Renderable],
        namespace: Option<&OsString>,
    ) -> Self {
        let directories: BTreeSet<PathBuf> = files.map(|file| directory_of(file).to_owned()).collect();
        let named: HashSet<PathBuf> = named.iter().map(|renderable| real(renderable.path())).collect();
        let is_new = |directory: &&PathBuf| !named.contains(&real(directory));
        let mut discovered = Discovered::default();
        discovered.add_charts(&directories, is_new, namespace);
        discovered.add_kustomizations(&directories, is_new);
        discovered
    }

    fn add_charts(
        &mut self,
        directories: &BTreeSet<PathBuf>,
        is_new: impl Fn(&&PathBuf) -> bool,
        namespace: Option<&OsString>,
    ) {
        let charts = directories.iter().filter(|directory| charts::chart_file(directory).is_some());
        for chart in charts.filter(is_new).filter(|chart| !is_part_of_a_chart(chart) && !is_library(chart)) {
            let chart = HelmChart { path: chart.clone(), namespace: namespace.cloned(), ..HelmChart::default() };
            self.renderables.push(Renderable::Chart(chart));
        }
    }

    /// Adds the kustomizations that no other one refers to. A broken one is rendered, too: the tool says what is wrong
    /// with it.
    fn add_kustomizations(&mut self, directories: &BTreeSet<PathBuf>, is_new: impl Fn(&&PathBuf) -> bool) {
        let kustomizations: Vec<(&PathBuf, Kustomization)> = directories
            .iter()
            .filter(|directory| kustomization_file(directory).is_some())
            .map(|directory| (directory, Kustomization::read(directory).unwrap_or_default()))
            .collect();
        let references: HashSet<PathBuf> = kustomizations
            .iter()
            .flat_map(|(directory, kustomization)| kustomization.resources.iter().map(|path| directory.join(path)))
            .map(|path| real(&path))
            .collect();
        for (directory, kustomization) in kustomizations {
            if kustomization.is_component || references.contains(&real(directory)) || !is_new(&directory) {
                continue;
            }
            if kustomization.has_charts {
                self.notes.push(format!(
                    "not rendered: {} needs Helm charts; pipe it: kustomize build --enable-helm … | sqledge-ha lint -",
                    path_name(directory)
                ));
                continue;
            }
            self.renderables.push(Renderable::Kustomization(directory.clone()));
        }
    }
}

/// A note about the kustomizations among `files` whose result is not in their files, and that are not `named` to be
/// rendered.
pub(super) fn not_rendered_note<'f>(files: impl Iterator<Item = &'f Path>, named: &[Renderable]) -> Option<String> {
    let is_kustomization = |file: &&Path| file.file_name().is_some_and(|name| NAMES.iter().any(|one| name == *one));
    let mut rendered = RenderedFiles::default();
    named.iter().for_each(|renderable| rendered.add(renderable));
    let has_changes = |file: &&Path| {
        let directory = directory_of(file);
        let Some(kustomization) = Kustomization::read(directory) else { return false };
        let is_remote = |name: &String| !directory.join(name).exists();
        !kustomization.is_component && (kustomization.has_changes || kustomization.resources.iter().any(is_remote))
    };
    let count = files.filter(is_kustomization).filter(|file| !rendered.contains(file)).filter(has_changes).count();
    let changes = if count == 1 { "changes its" } else { "change their" };
    (count > 0).then(|| {
        format!(
            "not rendered: {} that {changes} resources; check the result with --render",
            counted(count, "kustomization")
        )
    })
}

/// Whether a chart is below the `charts` directory of another one, which renders it.
fn is_part_of_a_chart(chart: &Path) -> bool {
    let above = chart.ancestors().skip(1).filter(|directory| directory.ends_with("charts"));
    above.filter_map(Path::parent).any(|parent| charts::chart_file(parent).is_some())
}

/// Files and directories whose contents are checked as part of something rendered.
#[derive(Debug, Default)]
pub(super) struct RenderedFiles(HashSet<PathBuf>);

impl RenderedFiles {
    /// Adds the files that a chart or kustomization is made of.
    pub(super) fn add(&mut self, renderable: &Renderable) {
        let path = renderable.path();
        match renderable.renderer() {
            Renderer::Helm => {
                let parts = ["templates", "crds", "charts", "values.yaml", "Chart.yaml"];
                self.0.extend(parts.map(|part| real(&path.join(part))));
            }
            Renderer::Kustomize => {
                let tree = KustomizationTree::read(path);
                let files = tree.resources.into_iter().chain(tree.patches);
                let kustomizations = tree.directories.iter().filter_map(|directory| kustomization_file(directory));
                self.0.extend(files.chain(kustomizations).map(|file| real(&file)));
            }
        }
    }

    pub(super) fn contains(&self, file: &Path) -> bool {
        real(file).ancestors().any(|above| self.0.contains(above))
    }
}

/// The real path, so that different ways to a directory compare equal.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| normalize(path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_broken_kustomization_is_rendered_unless_another_one_does_so() {
        let folder = tempfile::tempdir().unwrap();
        let texts: [(&str, &[u8]); 4] = [
            ("mark", b"resources: [\n"),
            ("binary", b"a: \xff\n"),
            ("base", b"}\n"),
            ("top", b"resources: [../base]\n"),
        ];
        let files = texts.map(|(name, text)| {
            let directory = folder.path().join(name);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("kustomization.yaml"), text).unwrap();
            directory.join("kustomization.yaml")
        });
        let discovered = Discovered::among(files.iter().map(PathBuf::as_path), &[], None);
        let names = discovered.renderables.iter().filter_map(|renderable| renderable.path().file_name()?.to_str());
        assert_eq!(names.collect::<Vec<_>>(), ["binary", "mark", "top"]);
    }

    #[test]
    fn kustomizations_whose_result_is_not_in_their_files_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("sql.yaml"), "").unwrap();
        let kustomization = |name: &str, text: &str| {
            let directory = folder.path().join(name);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("kustomization.yaml"), text).unwrap();
            directory.join("kustomization.yaml")
        };
        let local = kustomization("local", "resources: [../sql.yaml]\n");
        let patched = kustomization("patched", "resources: [../sql.yaml]\npatches: [{path: p.yaml}]\n");
        let remote = kustomization("remote", "resources: [github.com/example/shop]\n");
        let component = kustomization("component", "kind: Component\npatches: [{path: p.yaml}]\n");
        let note = |files: &[&PathBuf], named: &[Renderable]| {
            not_rendered_note(files.iter().map(|file| file.as_path()), named)
        };
        assert_eq!(note(&[&local, &component], &[]), None);
        let one = "not rendered: 1 kustomization that changes its resources; check the result with --render";
        assert_eq!(note(&[&local, &patched], &[]).as_deref(), Some(one));
        assert_eq!(note(&[&remote], &[]).as_deref(), Some(one));
        assert!(
            note(&[&patched, &remote], &[]).is_some_and(|note| note.contains("2 kustomizations that change their"))
        );
        assert_eq!(note(&[&patched], &[Renderable::Kustomization(folder.path().join("patched"))]), None);
    }
}
