//! `lint` and `fix`: what is judged, by which rules, and how it is told.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sqledge_ha_policy::engine::Engine;

use crate::escape::escape;
use crate::input;

/// `lint`.
#[derive(Debug, Args)]
pub struct Lint {
    /// What to judge.
    #[command(flatten)]
    pub inputs: Inputs,
    /// What to render first.
    #[command(flatten)]
    pub rendering: Rendering,
    /// How to tell.
    #[command(flatten)]
    pub reporting: Reporting,
    /// The least level that makes the exit code 1
    #[arg(long, value_enum, default_value_t = Level::Error, value_name = "LEVEL")]
    pub fail_on: Level,
    /// How the rules are applied.
    #[command(flatten)]
    pub judging: Judging,
}

/// `fix`.
#[derive(Debug, Args)]
pub struct Fix {
    /// What to mend. Standard input is written to standard output.
    #[command(flatten)]
    pub inputs: Inputs,
    /// Print what would change, and change nothing; exit code 1 if anything would, or an error is left
    #[arg(long)]
    pub diff: bool,
    /// Change nothing; exit code 1 if anything would change, or an error is left
    #[arg(long)]
    pub check: bool,
    /// Also make fixes that may move or destroy something
    #[arg(long = "unsafe")]
    pub unsafe_fixes: bool,
    /// How the rules are applied.
    #[command(flatten)]
    pub judging: Judging,
}

/// The manifests to read.
#[derive(Debug, Args)]
pub struct Inputs {
    /// Files, directories (as git sees them; .yaml, .yml and .json), or `-` for standard input [default: .]
    ///
    /// Directories are searched as ripgrep does: without hidden files and directories, and without what .gitignore (in a
    /// repository) and .ignore (anywhere) leave out. What is named is read whatever it is called, unless --exclude leaves
    /// it out. Where something is rendered, the current directory has to be named to be read.
    pub paths: Vec<PathBuf>,
    /// The paths are not the whole application: what is not among them may exist elsewhere
    #[arg(long)]
    pub partial: bool,
    /// Leave out what a glob matches, even if it is named (repeatable; as in .gitignore, from the current directory)
    ///
    /// The configuration file has a list of them under `exclude:`, from its own directory. Standard input and what is
    /// rendered are never left out.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
}

/// Charts and kustomizations to render and check together with the paths.
#[derive(Clone, Debug, Default, Args)]
pub struct Rendering {
    /// A chart.
    #[command(flatten)]
    pub helm: Helm,
    /// A kustomization's folder, rendered with the kubectl or kustomize that is installed (repeatable)
    #[arg(long, value_name = "DIR")]
    pub kustomize: Vec<PathBuf>,
}

/// A chart with the options of `helm template`.
#[derive(Clone, Debug, Default, Args)]
pub struct Helm {
    /// A chart, rendered with the helm that is installed. Findings point to its templates
    ///
    /// Runs `helm template`. Of several charts, or with more of Helm's flags, let Helm render them and hand it over:
    /// (helm template ONE; helm template OTHER) | sqledge-ha lint -
    #[arg(long = "helm", value_name = "CHART")]
    pub chart: Option<PathBuf>,
    /// A file of values for the chart (repeatable)
    #[arg(long, short = 'f', value_name = "FILE", requires = "chart")]
    pub values: Vec<PathBuf>,
    /// A value for the chart (repeatable)
    #[arg(long, value_name = "KEY=VALUE", requires = "chart")]
    pub set: Vec<OsString>,
    /// The chart's release, as templates see it [default: release-name]
    #[arg(long, value_name = "NAME", requires = "chart")]
    pub release_name: Option<OsString>,
    /// The chart's namespace, as templates see it
    #[arg(long, value_name = "NAMESPACE", requires = "chart")]
    pub namespace: Option<OsString>,
}

impl From<Rendering> for input::Rendering {
    fn from(Rendering { helm, kustomize }: Rendering) -> Self {
        let Helm { chart, values, set, release_name, namespace } = helm;
        let helm = chart.map(|path| input::HelmChart { path, values, set, release_name, namespace });
        input::Rendering { helm, kustomize }
    }
}

/// How findings are told.
#[derive(Debug, Args)]
pub struct Reporting {
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
    /// Also write a report to a file, e.g. sarif=report.sarif (repeatable)
    #[arg(long, value_name = "FORMAT=FILE", value_parser = ReportFile::parse)]
    pub output: Vec<ReportFile>,
}

/// A report in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    /// How it is written.
    pub format: ReportFormat,
    /// The file, which is made or replaced.
    pub path: PathBuf,
}

impl ReportFile {
    /// Reads `FORMAT=FILE`.
    fn parse(text: &str) -> Result<Self, String> {
        let (format, path) = text.split_once('=').ok_or("a format and a file are needed, e.g. sarif=report.sarif")?;
        let formats = ReportFormat::value_variants().iter().filter_map(ReportFormat::to_possible_value);
        let names: Vec<String> = formats.map(|format| format.get_name().to_owned()).collect();
        let format = ReportFormat::from_str(format, false)
            .map_err(|_| format!("there is no format `{}`, only {}", escape(format), names.join(", ")))?;
        if path.is_empty() || path == "-" {
            return Err("a file is needed, e.g. sarif=report.sarif; --format says what is printed".to_owned());
        }
        Ok(ReportFile { format, path: PathBuf::from(path) })
    }
}

/// Flags that change how the rules are applied.
#[derive(Debug, Args)]
pub struct Judging {
    /// The engines to govern [default: sql-edge, or as configured]
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub engine: Option<EngineChoice>,
    /// A YAML file with settings under `policy:` and globs under `exclude:`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Give a rule an action: mutate, reject, warn or off (repeatable)
    #[arg(long = "rule", value_name = "ID=ACTION")]
    pub rules: Vec<String>,
    /// Report also what comments let pass: # sqledge-ha: ignore[RULE, RULE]
    #[arg(long)]
    pub no_ignores: bool,
}

/// How `lint` prints findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people, with the lines in question
    Human,
    /// For programs; a stable contract
    Json,
    /// For code scanning and editors: SARIF 2.1.0, with fixes
    Sarif,
    /// For GitLab, Azure Pipelines and others that show test results
    Junit,
    /// For GitHub Actions: annotations in the changed files
    Github,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    /// It may be wrong
    Warning,
    /// It would be refused, or mended, at admission
    Error,
}

/// The engines on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// Azure SQL Edge
    SqlEdge,
    /// SQL Server on Linux
    SqlServer,
    /// Both
    All,
}

impl EngineChoice {
    /// The engines it stands for.
    pub fn engines(self) -> Vec<Engine> {
        match self {
            EngineChoice::SqlEdge => vec![Engine::SqlEdge],
            EngineChoice::SqlServer => vec![Engine::SqlServer],
            EngineChoice::All => vec![Engine::SqlEdge, Engine::SqlServer],
        }
    }
}
