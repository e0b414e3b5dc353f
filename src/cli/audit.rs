//! `audit` and `recover`.

use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "serve")]
use clap::Subcommand;
use clap::builder::PossibleValue;
use clap::{Arg, Args, ValueEnum};

use super::manifests::{CheckOptions, Links, format_and_file};
use super::time::duration;
use crate::audit::WhatIf;
use crate::audit::report::AuditFormat;
use crate::audit::timers::{Seconds, Timer};
use crate::escape::escape;
use crate::linter::Level;

/// `audit`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, mut_args(describe_config))]
pub struct AuditCommand {
    /// What to do instead of an audit.
    #[cfg(feature = "serve")]
    #[command(subcommand)]
    pub other: Option<AuditOther>,
    /// Audit only the databases of this namespace (repeatable) [default: all namespaces]
    #[arg(long = "namespace", short = 'n', value_name = "NAMESPACE", value_parser = super::namespace)]
    pub namespaces: Vec<String>,
    /// Audit the objects in files instead of a cluster, e.g. the output of kubectl get -o json (repeatable)
    #[arg(long, value_name = "PATH", conflicts_with_all = ["kubeconfig", "context"])]
    pub from: Vec<PathBuf>,
    /// Predict one event for all databases: drain/NODE (it is drained), node/NODE (it fails) or zone/ZONE (it fails)
    ///
    /// The exit code is 1 if a database does not come back by itself; findings do not count.
    #[arg(long, value_name = "EVENT", value_parser = parse_what_if)]
    pub what_if: Option<WhatIf>,
    /// Set the time of a step, e.g. attach=5s..1m (repeatable)
    ///
    /// The steps: node-grace (until a silent node counts as failed), stop (the pod ends), detach and attach (a volume),
    /// pull (the image), start (the database), reboot (a node), cleanup (Kubernetes removes the pods of a removed
    /// node), force-detach (it detaches a volume that nobody unmounted), remediation (something in the cluster removes
    /// a failed node).
    #[arg(long = "timer", value_name = "STEP=TIME", value_parser = TimerFlag::parse)]
    pub timers: Vec<TimerFlag>,
    /// The reports.
    #[command(flatten)]
    pub report: AuditReport,
    /// Reports elsewhere than in files.
    #[command(flatten)]
    pub publishing: Publishing,
    /// Exit with code 1 for findings of this level or above
    #[arg(long, value_enum, default_value_t = Level::Error, value_name = "LEVEL")]
    pub fail_on: Level,
    /// Exit with code 0 even if there are findings
    #[arg(long, conflicts_with = "fail_on")]
    pub exit_zero: bool,
    /// Report findings even if an ignore entry covers them
    #[arg(long)]
    pub no_ignores: bool,
    /// Settings and rules.
    #[command(flatten)]
    pub checks: CheckOptions,
    /// The cluster. Last, because its heading holds for the flags after it.
    #[command(flatten)]
    pub connection: ClusterConnection,
}

/// Below `audit`.
#[cfg(feature = "serve")]
#[derive(Debug, Subcommand)]
pub enum AuditOther {
    /// Print the manifests of a CronJob that audits its cluster, for `kubectl apply -f -`
    Manifests(AuditManifests),
}

/// `audit manifests`.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct AuditManifests {
    /// The namespace to install in
    #[arg(long, value_name = "NAME", default_value = "sqledge-ha")]
    pub namespace: String,
    /// The container image [default: the published image of this version]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// When to audit, as a CronJob has it
    #[arg(long, value_name = "SCHEDULE", default_value = "17 * * * *", value_parser = schedule)]
    pub schedule: String,
    /// Write no reports into the cluster
    #[arg(long, requires = "push_gateway")]
    pub no_reports: bool,
    /// Send metrics to this Pushgateway
    #[arg(long, value_name = "URL")]
    pub push_gateway: Option<String>,
    /// A configuration with settings and ignore entries, as for `audit`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Describes `--config` for commands without paths. Other flags stay as they are.
fn describe_config(flag: Arg) -> Arg {
    const SEARCH: &str =
        "The configuration [default: the nearest sqledge-ha.yaml in the current directory, or above it]";
    const CONTENTS: &str = "A YAML file with settings under `policy:`, globs under `exclude:`, and ignore entries \
        under `ignore:`. `sqledge-ha config-schema` prints its JSON schema. The search for sqledge-ha.yaml ends at \
        the root of the Git repository.";
    if flag.get_id() != "config" {
        return flag;
    }
    flag.help(SEARCH).long_help(format!("{SEARCH}\n\n{CONTENTS}"))
}

/// Where an audit of a cluster leaves its results.
#[derive(Debug, Args)]
pub struct Publishing {
    /// Write a report for each namespace with databases into the cluster, and remove old ones
    ///
    /// The reports are Reports of openreports.io/v1alpha1 or, in a cluster without these, PolicyReports of
    /// wgpolicyk8s.io. They have the name sqledge-ha. Nothing else is changed. Without a database, the exit code is 0.
    #[arg(long, conflicts_with_all = ["from", "what_if"])]
    pub write_reports: bool,
    /// Send metrics to this Pushgateway of Prometheus, e.g. http://pushgateway.monitoring:9091
    ///
    /// They replace the metrics of the job sqledge-ha-audit. To set other grouping labels, add them to the URL:
    /// http://HOST/metrics/job/JOB/LABEL/VALUE. Without a database, the exit code is 0.
    #[allow(rustdoc::bare_urls, reason = "help has no links")]
    #[arg(long, value_name = "URL", conflicts_with_all = ["from", "what_if"])]
    pub push_gateway: Option<String>,
}

impl Publishing {
    /// Whether something else than files and the printed report is written.
    pub fn is_wanted(&self) -> bool {
        self.write_reports || self.push_gateway.is_some()
    }
}

/// `recover`.
#[derive(Debug, Args)]
#[command(mut_args(describe_config))]
pub struct Recover {
    /// The failed node
    pub node: String,
    /// Show the databases and pods, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask whether the machine is off
    #[arg(long)]
    pub machine_is_off: bool,
    /// Remove the taint after the repair of the machine
    #[arg(long, conflicts_with_all = ["dry_run", "machine_is_off"])]
    pub undo: bool,
    /// How long the node must not have answered [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub grace: Option<Duration>,
    /// How long to wait until the databases are back
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration)]
    pub timeout: Duration,
    /// Settings and rules.
    #[command(flatten)]
    pub checks: CheckOptions,
    /// The cluster. Last, because its heading holds for the flags after it.
    #[command(flatten)]
    pub connection: ClusterConnection,
}

/// The cluster, as for kubectl.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterConnection {
    /// Kubeconfig file [default: the files in KUBECONFIG, else ~/.kube/config, else the service account of the pod]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context in the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// The reports of an audit.
#[derive(Debug, Args)]
pub struct AuditReport {
    /// How to print the report
    #[arg(long, value_enum, default_value_t = AuditFormat::Human)]
    pub format: AuditFormat,
    /// Print every forecast with its steps and evidence
    #[arg(long)]
    pub details: bool,
    /// Also write a report to a file, e.g. html=audit.html (repeatable)
    #[arg(long, value_name = "FORMAT=FILE", value_parser = parse_output)]
    pub output: Vec<(AuditFormat, PathBuf)>,
    /// Links.
    #[command(flatten)]
    pub links: Links,
}

/// The time of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimerFlag {
    /// The step.
    pub timer: Timer,
    /// Its time.
    pub time: Seconds,
}

impl TimerFlag {
    /// Reads `STEP=TIME` or `STEP=TIME..TIME`.
    fn parse(text: &str) -> Result<Self, String> {
        let (name, range) = text.split_once('=').ok_or("write STEP=TIME or STEP=TIME..TIME, e.g. attach=5s..1m")?;
        let timer = Timer::ALL.into_iter().find(|timer| timer.name() == name).ok_or_else(|| {
            let names = Timer::ALL.map(Timer::name).join(", ");
            format!("unknown step `{}`; valid steps: {names}", escape(name))
        })?;
        let (min, max) = range.split_once("..").unwrap_or((range, range));
        let (min, max) = (duration(min)?.as_secs_f64(), duration(max)?.as_secs_f64());
        if min > max {
            return Err("the first time must not be longer than the second".to_owned());
        }
        Ok(TimerFlag { timer, time: Seconds::new(min, max) })
    }
}

fn parse_what_if(text: &str) -> Result<WhatIf, String> {
    const FORMS: &str = "write drain/NODE, node/NODE or zone/ZONE";
    match text.split_once('/') {
        Some((_, "")) | None => Err(FORMS.to_owned()),
        Some(("node", name)) => Ok(WhatIf::Node(name.to_owned())),
        Some(("drain", name)) => Ok(WhatIf::Drain(name.to_owned())),
        Some(("zone", name)) => Ok(WhatIf::Zone(name.to_owned())),
        Some(_) => Err(FORMS.to_owned()),
    }
}

/// A schedule of a CronJob, whose fields the API server checks.
#[cfg(feature = "serve")]
fn schedule(text: &str) -> Result<String, String> {
    if text.starts_with('@') || text.split_whitespace().count() == 5 {
        return Ok(text.to_owned());
    }
    Err("write five fields, such as `17 * * * *`, or a name such as @hourly".to_owned())
}

fn parse_output(text: &str) -> Result<(AuditFormat, PathBuf), String> {
    format_and_file(text, "html=audit.html")
}

impl ValueEnum for AuditFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            AuditFormat::Human,
            AuditFormat::Json,
            AuditFormat::Sarif,
            AuditFormat::Junit,
            AuditFormat::Html,
            AuditFormat::Prometheus,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            AuditFormat::Human => {
                PossibleValue::new("human").help("For people: a table, then the risks and findings of each database")
            }
            AuditFormat::Json => PossibleValue::new("json").help("For programs; a stable contract"),
            AuditFormat::Sarif => PossibleValue::new("sarif").help("SARIF 2.1.0; objects are logical locations"),
            AuditFormat::Junit => PossibleValue::new("junit").help("JUnit XML, for systems that show test results"),
            AuditFormat::Html => PossibleValue::new("html").help("One page without scripts, to mail or to print"),
            AuditFormat::Prometheus => {
                PossibleValue::new("prometheus").help("Metrics, e.g. for the textfile collector of the node exporter")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_a_time_or_a_range() {
        let parsed = TimerFlag::parse("attach=5s..1m").unwrap();
        assert_eq!((parsed.timer, parsed.time), (Timer::Attach, Seconds::new(5.0, 60.0)));
        assert_eq!(TimerFlag::parse("start=2s").unwrap().time, Seconds::new(2.0, 2.0));
        assert!(TimerFlag::parse("start").is_err() && TimerFlag::parse("start=9s..2s").is_err());
        assert!(TimerFlag::parse("sleep=2s").unwrap_err().contains("valid steps: node-grace"));
    }

    #[test]
    fn an_event_names_its_kind() {
        assert_eq!(parse_what_if("drain/n1"), Ok(WhatIf::Drain("n1".to_owned())));
        assert!(parse_what_if("n1").is_err() && parse_what_if("node/").is_err() && parse_what_if("pod/x").is_err());
    }
}
