//! `lint` and `fix`: inputs, rules and reports.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use sqledge_ha_policy::engine::{Engine, SQL_EDGE, SQL_SERVER};
use sqledge_ha_policy::view::Scope;

use super::rendering::Rendering;
use crate::escape::escape;
use crate::linter::Level;
use crate::report::ReportFormat;
use crate::rule_docs;

/// `lint`.
#[derive(Debug, Args)]
pub struct Lint {
    /// The manifests.
    #[command(flatten)]
    pub inputs: Inputs,
    /// Charts and kustomization directories.
    #[command(flatten)]
    pub rendering: Rendering,
    /// The reports.
    #[command(flatten)]
    pub reporting: Reporting,
    /// Exit with code 1 for findings of this level or above
    #[arg(long, value_enum, default_value_t = Level::Error, value_name = "LEVEL")]
    pub fail_on: Level,
    /// Exit with code 0 even if there are findings
    #[arg(long, conflicts_with = "fail_on")]
    pub exit_zero: bool,
    /// Report findings even if an ignore comment or an ignore entry covers them: # sqledge-ha: ignore[RULE, RULE]
    #[arg(long)]
    pub no_ignores: bool,
    /// Report only findings that are not in this file
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write the present findings to the file of --baseline
    #[arg(long, requires = "baseline")]
    pub write_baseline: bool,
    /// Settings and rules.
    #[command(flatten)]
    pub checks: CheckOptions,
}

/// `fix`.
#[derive(Debug, Args)]
pub struct Fix {
    /// The manifests. Standard input is written to standard output.
    #[command(flatten)]
    pub inputs: Inputs,
    /// Charts and kustomization directories.
    #[command(flatten)]
    pub rendering: Rendering,
    /// Print the changes and do not write them; exit with code 1 if there are changes or unfixed errors
    ///
    /// The lines around a change are printed, too, and may contain secrets.
    #[arg(long)]
    pub diff: bool,
    /// Do not write changes; exit with code 1 if there are changes or unfixed errors
    #[arg(long)]
    pub check: bool,
    /// Also apply fixes that can move or delete data, publish a database or stop it
    #[arg(long = "unsafe")]
    pub unsafe_fixes: bool,
    /// Fix findings even if an ignore comment or an ignore entry covers them: # sqledge-ha: ignore[RULE, RULE]
    #[arg(long)]
    pub no_ignores: bool,
    /// Settings and rules.
    #[command(flatten)]
    pub checks: CheckOptions,
}

/// The manifests to read.
#[derive(Debug, Args)]
pub struct Inputs {
    /// Files, directories (.yaml, .yml, .json; skips hidden and ignored files) or `-` for standard input [default: .]
    ///
    /// A directory is searched like ripgrep does it: hidden files and directories are skipped, and so are those that a
    /// .gitignore (in a Git repository) or an .ignore file (anywhere) excludes. A file that is named on the command
    /// line is read with any extension, unless --exclude matches it.
    pub paths: Vec<PathBuf>,
    /// The namespace of objects that name none, as for kubectl, and to render the chart with [default: the only one
    /// that the databases name, else default]
    #[arg(long, short = 'n', value_name = "NAMESPACE", value_parser = super::namespace)]
    pub namespace: Option<String>,
    /// The paths are part of an application: report missing objects as warnings, not errors
    #[arg(long)]
    pub partial: bool,
    /// Exclude paths that match a glob, even if they are named (repeatable)
    ///
    /// Globs have the syntax of .gitignore and are relative to the current directory. The configuration file can list
    /// more under `exclude:`, relative to its own directory. Standard input and rendered manifests are not excluded.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
}

impl Inputs {
    /// How much of the application the paths are.
    pub fn scope(&self) -> Scope {
        if self.partial { Scope::Part } else { Scope::Application }
    }
}

/// The reports.
#[derive(Debug, Args)]
pub struct Reporting {
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub format: ReportFormat,
    /// Print no notes and no summary, only findings
    #[arg(long, short = 'q')]
    pub quiet: bool,
    /// Also write a report to a file, e.g. sarif=report.sarif (repeatable)
    #[arg(long, value_name = "FORMAT=FILE", value_parser = ReportFile::parse)]
    pub output: Vec<ReportFile>,
    /// Links.
    #[command(flatten)]
    pub links: Links,
}

/// Where links in reports lead.
#[derive(Clone, Debug, Default, Args)]
pub struct Links {
    /// Address of a copy of the site, e.g. https://docs.example.com/sqledge-ha: links lead to the pages of its rules
    #[arg(long, value_name = "URL", value_parser = site_address)]
    pub docs_url: Option<String>,
}

impl Links {
    /// Makes links in all reports of this run lead to that site.
    pub fn choose(&self) {
        self.docs_url.as_deref().into_iter().for_each(rule_docs::choose_site);
    }
}

/// Reads the address of a site. Reports contain it, so it has no blanks and control characters.
fn site_address(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\^`{|}#?".contains(&byte));
    if host.is_empty() || host.starts_with('/') || !is_plain {
        return Err("write an address like https://docs.example.com/sqledge-ha".to_owned());
    }
    Ok(text.to_owned())
}

/// A report in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    /// The format.
    pub format: ReportFormat,
    /// The file to create or replace.
    pub path: PathBuf,
}

impl ReportFile {
    fn parse(text: &str) -> Result<Self, String> {
        format_and_file(text, "sarif=report.sarif").map(|(format, path)| ReportFile { format, path })
    }
}

/// Reads `FORMAT=FILE`, of which `example` is one.
pub(super) fn format_and_file<F: ValueEnum>(text: &str, example: &str) -> Result<(F, PathBuf), String> {
    let (format, path) = text.split_once('=').ok_or_else(|| format!("write FORMAT=FILE, e.g. {example}"))?;
    let formats = F::value_variants().iter().filter_map(F::to_possible_value);
    let names: Vec<String> = formats.map(|format| format.get_name().to_owned()).collect();
    let format = F::from_str(format, false)
        .map_err(|_| format!("unknown format `{}`; valid formats: {}", escape(format), names.join(", ")))?;
    if path.is_empty() || path == "-" {
        return Err(format!("name a file, e.g. {example}; --format selects the printed report"));
    }
    Ok((format, PathBuf::from(path)))
}

/// Flags that select the checks.
#[derive(Debug, Args)]
pub struct CheckOptions {
    /// Databases to check [default: sql-edge, or as configured]
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub engine: Option<EngineChoice>,
    /// The configuration [default: the nearest sqledge-ha.yaml in the directory of the first path, or above it]
    ///
    /// A YAML file with settings under `policy:`, globs under `exclude:`, and ignore entries under `ignore:`.
    /// `sqledge-ha config-schema` prints its JSON schema. The search for sqledge-ha.yaml ends at the root of the Git
    /// repository.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Do not search for a configuration
    #[arg(long, conflicts_with = "config")]
    pub no_config: bool,
    /// Set the action of a rule: mutate, reject, warn or off (repeatable)
    #[arg(long = "rule", value_name = "ID=ACTION")]
    pub rules: Vec<String>,
}

impl ValueEnum for ReportFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            ReportFormat::Human,
            ReportFormat::Compact,
            ReportFormat::Json,
            ReportFormat::Sarif,
            ReportFormat::Junit,
            ReportFormat::Github,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            ReportFormat::Human => PossibleValue::new("human").help("For people, with the affected lines"),
            ReportFormat::Compact => {
                PossibleValue::new("compact").help("One finding a line: file:line:column: level[rule] message")
            }
            ReportFormat::Json => PossibleValue::new("json").help("For programs; a stable contract"),
            ReportFormat::Sarif => {
                PossibleValue::new("sarif").help("For code scanning and editors: SARIF 2.1.0, with fixes")
            }
            ReportFormat::Junit => {
                PossibleValue::new("junit").help("For GitLab, Azure Pipelines and other systems that show test results")
            }
            ReportFormat::Github => {
                PossibleValue::new("github").help("For GitHub Actions: annotations in the changed files")
            }
        })
    }
}

impl ValueEnum for Level {
    fn value_variants<'a>() -> &'a [Self] {
        &[Level::Warning, Level::Error]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Level::Warning => PossibleValue::new("warning").help("It can be a problem"),
            Level::Error => PossibleValue::new("error")
                .help("The database can lose data or stay down; admission rejects or mutates it"),
        })
    }
}

/// Database products on the command line.
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
    /// The selected products.
    pub fn engines(self) -> Vec<&'static Engine> {
        match self {
            EngineChoice::SqlEdge => vec![&SQL_EDGE],
            EngineChoice::SqlServer => vec![&SQL_SERVER],
            EngineChoice::All => vec![&SQL_EDGE, &SQL_SERVER],
        }
    }
}
