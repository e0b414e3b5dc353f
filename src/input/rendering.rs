//! The charts and kustomizations of a run, and what the tools render from them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::kustomization::kustomization_file;
use super::tool::ToolError;
use super::{HelmChart, Renderer, charts, kustomize};
use crate::manifest::ReadError;

/// The charts and kustomizations to render.
#[derive(Clone, Debug, Default)]
pub struct Rendering {
    /// Helm charts.
    pub charts: Vec<HelmChart>,
    /// Kustomization directories.
    pub kustomize: Vec<PathBuf>,
    /// Whether to render all that are below the paths, too.
    pub finds_all: bool,
    /// The namespace of charts that are found.
    pub namespace: Option<OsString>,
}

/// A chart or kustomization.
#[derive(Clone, Debug)]
pub(super) enum Renderable {
    Chart(HelmChart),
    Kustomization(PathBuf),
}

impl Rendering {
    /// The charts and kustomizations that are named.
    pub(super) fn named(&self) -> Vec<Renderable> {
        let charts = self.charts.iter().cloned().map(Renderable::Chart);
        charts.chain(self.kustomize.iter().cloned().map(Renderable::Kustomization)).collect()
    }
}

impl Renderable {
    pub(super) fn renderer(&self) -> Renderer {
        match self {
            Renderable::Chart(_) => Renderer::Helm,
            Renderable::Kustomization(_) => Renderer::Kustomize,
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Renderable::Chart(chart) => &chart.path,
            Renderable::Kustomization(directory) => directory,
        }
    }

    fn render(&self) -> Result<String, ToolError> {
        match self {
            Renderable::Chart(chart) => chart.render(),
            Renderable::Kustomization(directory) => kustomize::render(directory),
        }
    }
}

/// Renders all, several at a time, because the tools wait for files and networks.
pub(super) fn render_all(all: Vec<Renderable>) -> Vec<(Renderable, Result<String, ToolError>)> {
    let render = |renderable: Renderable| {
        let text = renderable.render();
        (renderable, text)
    };
    all.into_par_iter().with_max_len(1).map(render).collect()
}

impl Renderer {
    /// The file that a chart or kustomization begins with; the path itself if there is none.
    pub(super) fn main_file(self, path: &Path) -> PathBuf {
        let file = match self {
            Renderer::Helm => charts::chart_file(path),
            Renderer::Kustomize => kustomization_file(path),
        };
        file.unwrap_or_else(|| path.to_owned())
    }

    /// The programs, one of which must be installed.
    pub(super) fn programs(self) -> &'static str {
        match self {
            Renderer::Helm => "`helm` is",
            Renderer::Kustomize => "`kubectl` and `kustomize` are",
        }
    }

    /// The error for a named chart or kustomization without a tool.
    pub(super) fn not_installed(self) -> ReadError {
        let help = match self {
            Renderer::Helm => "install Helm, or pipe the rendered chart: helm template … | sqledge-ha lint -",
            Renderer::Kustomize => {
                "install one of them, or pipe the rendered manifests: kubectl kustomize … | sqledge-ha lint -"
            }
        };
        ReadError { help: Some(help.into()), ..ReadError::new(format!("{} not in PATH", self.programs())) }
    }
}
