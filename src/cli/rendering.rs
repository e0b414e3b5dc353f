//! Charts and kustomizations to render.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::escape::escape;
use crate::input::{self, HelmChart};

/// Manifests to render and to check together with the paths.
#[derive(Clone, Debug, Default, Args)]
pub struct Rendering {
    /// Charts.
    #[command(flatten)]
    pub helm: Helm,
    /// A kustomization directory, rendered with the installed kubectl or kustomize (repeatable)
    ///
    /// Findings point to the files of the resources and patches, if their lines are there.
    #[arg(long, value_name = "DIR")]
    pub kustomize: Vec<PathBuf>,
    /// Render every chart and kustomization below the paths, and check the result in place of their files
    ///
    /// A chart is rendered with its own values, except if --helm names it. A kustomization that another one refers to
    /// is rendered as a part of that. If helm, or kubectl and kustomize, are not installed, a note says what was not
    /// rendered.
    #[arg(long)]
    pub render: bool,
}

impl Rendering {
    /// The first chart, else the first kustomization directory.
    pub fn first_path(&self) -> Option<&PathBuf> {
        self.helm.charts.iter().map(|chart| &chart.path).chain(&self.kustomize).next()
    }

    /// What to render, in a namespace.
    pub fn in_namespace(&self, namespace: Option<&str>) -> input::Rendering {
        let namespace = namespace.map(OsString::from);
        let charts = self.helm.charts.iter().cloned();
        let charts = charts.map(|chart| HelmChart { namespace: namespace.clone(), ..chart }).collect();
        input::Rendering { charts, kustomize: self.kustomize.clone(), finds_all: self.render, namespace }
    }
}

/// Charts with the flags to render them. Values and release names belong to the chart that they follow.
#[derive(Clone, Debug, Default)]
pub struct Helm {
    /// The charts, without a namespace.
    pub charts: Vec<HelmChart>,
}

#[derive(Args)]
struct HelmFlags {
    /// A chart, rendered with the installed helm. Findings point to its templates (repeatable)
    ///
    /// Runs `helm template`. The flags -f, --set and --release-name belong to the chart that they follow:
    /// --helm one -f one.yaml --helm other -f other.yaml. For more of Helm's flags, pipe the rendered manifests:
    /// helm template … | sqledge-ha lint -
    #[arg(long = "helm", value_name = "CHART")]
    chart: Vec<PathBuf>,
    /// A values file for the chart (repeatable)
    #[arg(long, short = 'f', value_name = "FILE", requires = "chart")]
    values: Vec<PathBuf>,
    /// A value for the chart (repeatable)
    #[arg(long, value_name = "KEY=VALUE", requires = "chart")]
    set: Vec<OsString>,
    /// The release name to render the chart with [default: release-name]
    #[arg(long, value_name = "NAME", requires = "chart")]
    release_name: Vec<OsString>,
}

impl Args for Helm {
    fn augment_args(command: Command) -> Command {
        HelmFlags::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        HelmFlags::augment_args_for_update(command)
    }
}

impl FromArgMatches for Helm {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let indices = |flag: &str| -> Vec<usize> { matches.indices_of(flag).into_iter().flatten().collect() };
        let charts_at = indices("chart");
        let [values_at, set_at, names_at] = ["values", "set", "release_name"].map(indices);
        let HelmFlags { chart, values, set, release_name } = HelmFlags::from_arg_matches(matches)?;
        let mut helm =
            Helm { charts: chart.into_iter().map(|path| HelmChart { path, ..HelmChart::default() }).collect() };
        let owner = |at: usize| charts_at.partition_point(|chart| *chart < at);
        for (file, at) in values.into_iter().zip(values_at) {
            helm.chart_before(owner(at), "-f")?.values.push(file);
        }
        for (value, at) in set.into_iter().zip(set_at) {
            helm.chart_before(owner(at), "--set")?.set.push(value);
        }
        for (name, at) in release_name.into_iter().zip(names_at) {
            let chart = helm.chart_before(owner(at), "--release-name")?;
            if chart.release_name.replace(name).is_some() {
                let path = escape(&chart.path.to_string_lossy());
                return Err(conflict(format!("the chart {path} has two flags --release-name")));
            }
        }
        Ok(helm)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Helm::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Helm {
    /// The chart for a flag that `charts` charts precede. A single chart can also follow its flags.
    fn chart_before(&mut self, charts: usize, flag: &str) -> Result<&mut HelmChart, clap::Error> {
        let is_single = self.charts.len() == 1;
        let index = if is_single { Some(0) } else { charts.checked_sub(1) };
        index
            .and_then(|index| self.charts.get_mut(index))
            .ok_or_else(|| conflict(format!("write {flag} after the --helm that it belongs to: there are several")))
    }
}

fn conflict(message: String) -> clap::Error {
    clap::Error::raw(ErrorKind::ArgumentConflict, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charts(flags: &str) -> Result<Vec<HelmChart>, clap::Error> {
        let command = Helm::augment_args(Command::new("lint").no_binary_name(true));
        Ok(Helm::from_arg_matches(&command.try_get_matches_from(flags.split(' '))?)?.charts)
    }

    /// `path: values; set; release name` of each chart.
    fn shown(flags: &str) -> Vec<String> {
        let chart = |chart: &HelmChart| {
            let HelmChart { path, values, set, release_name, .. } = chart;
            format!("{path:?}: {values:?} {set:?} {release_name:?}").replace('"', "")
        };
        charts(flags).unwrap().iter().map(chart).collect()
    }

    #[test]
    fn flags_belong_to_the_chart_that_they_follow() {
        let expected = ["a: [] [] None", "b: [x, y] [] Some(r)", "c: [] [k=v] None"];
        assert_eq!(shown("--helm a --helm b -f x --values=y --release-name r --helm=c --set k=v"), expected);
    }

    #[test]
    fn a_single_chart_can_follow_its_flags() {
        assert_eq!(shown("-f x --helm a --set k=v"), ["a: [x] [k=v] None"]);
    }

    #[test]
    fn flags_without_a_chart_and_two_names_are_errors() {
        let message = |flags: &str| charts(flags).unwrap_err().to_string();
        assert!(message("-f x --helm a --helm b").contains("write -f after the --helm"));
        assert!(message("--helm a --release-name r --release-name s").contains("two flags --release-name"));
        assert!(charts("-f x").is_err());
    }
}
