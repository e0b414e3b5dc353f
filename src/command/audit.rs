//! `sqledge-ha audit`: checks a live cluster, prints the report, and publishes it.

mod live_cluster;

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anstream::StripStream;
use sqledge_ha_policy::settings::Settings;

use self::live_cluster::LiveCluster;
use super::objects::read_objects;
use super::report_output::{real_path, reject_duplicates};
use crate::atomic_write::atomic_write;
use crate::audit::forecast::Outcome;
use crate::audit::inventory::Inventory;
use crate::audit::publish::gateway::Gateway;
use crate::audit::report::{self, AuditFormat, ReportOptions, count};
use crate::audit::timers::Timers;
use crate::audit::{Audit, audit};
use crate::cli::{AuditCommand, TimerFlag};
use crate::config::{self, ConfigFlags, LintConfig};
use crate::escape::escape;
use crate::exit::{CommandError, ExitStatus};
use crate::input_name::path_name;
use crate::linter::{Ignores, Level};
use crate::message::{describe_io_error, print_message};
use crate::terminal::{Layout, TextOutput};

/// Audits a cluster, and prints the report.
///
/// # Errors
/// [`CommandError`] with exit code 2 for wrong flags, configuration or kubeconfig, and 4 if the cluster or a file
/// cannot be read.
pub fn run(flags: &AuditCommand) -> Result<ExitStatus, CommandError> {
    let config_flags =
        ConfigFlags { checks: &flags.checks, paths: &[], exclude: &[], rendering: None, no_ignores: flags.no_ignores };
    let LintConfig { settings, ignores, note, .. } = config::lint_config(&config_flags)?;
    flags.report.links.choose();
    reject_duplicates(flags.report.output.iter().map(|(_, path)| path))?;
    let gateway = flags.publishing.push_gateway.as_deref().map(parse_gateway).transpose()?;
    let cluster = flags.from.is_empty().then(|| LiveCluster::connect(&flags.connection)).transpose()?;
    let inventory = match &cluster {
        Some(cluster) => cluster.read(&flags.namespaces, &settings)?,
        None => from_files(flags, &settings)?,
    };
    if let Some(what_if) = &flags.what_if
        && !what_if.exists_in(&inventory)
        && !inventory.unread.iter().any(|unread| unread.resource == "nodes")
    {
        return Err(CommandError::usage(format!(
            "--what-if: the cluster has no node or zone `{}`",
            escape(what_if.name())
        )));
    }
    let mut timers = Timers::default();
    flags.timers.iter().for_each(|TimerFlag { timer, time }| timers.set(*timer, *time));
    let mut audit = audit(&inventory, &settings, timers, flags.what_if.as_ref());
    audit.notes.extend(note);
    if let Some(ignores) = &ignores {
        ignore(&mut audit, ignores);
    }
    let errors = cluster.map(|cluster| cluster.publish(flags, gateway.as_ref(), &mut audit)).unwrap_or_default();
    errors.iter().for_each(|error| print_message("error", error));
    // Files first: the reader of standard output can close it early.
    let are_written = write_files(flags, &audit);
    print(flags, &audit)?;
    Ok(if are_written && errors.is_empty() { exit_status(flags, &audit) } else { ExitStatus::Unreadable })
}

/// The Pushgateway. Its address may have a password, which no message repeats.
///
/// # Errors
/// [`CommandError`] with exit code 2.
pub(super) fn parse_gateway(url: &str) -> Result<Gateway, CommandError> {
    url.parse().map_err(|reason| CommandError::usage(format!("--push-gateway: {reason}")))
}

fn from_files(flags: &AuditCommand, settings: &Settings) -> Result<Inventory, CommandError> {
    let objects = read_objects(&flags.from)?;
    let names: Vec<String> = flags.from.iter().map(|path| path_name(path)).collect();
    Ok(Inventory::from_objects(names.join(", "), objects, settings).in_namespaces(&flags.namespaces))
}

/// Removes the findings that ignore entries hide.
fn ignore(audit: &mut Audit, ignores: &Ignores) {
    let lists = audit.databases.iter_mut().map(|report| &mut report.findings);
    for findings in lists.chain([&mut audit.findings]) {
        findings.retain(|found| !ignores.hide_in_cluster(found.finding.rule, &found.object));
    }
}

fn report_options(flags: &AuditCommand) -> ReportOptions {
    ReportOptions { details: flags.report.details }
}

fn print(flags: &AuditCommand, audit: &Audit) -> io::Result<()> {
    let (format, options) = (flags.report.format, report_options(flags));
    if format == AuditFormat::Human {
        let output = &mut TextOutput::new(BufWriter::new(anstream::stdout().lock()), Layout::of_stdout());
        report::write(format, audit, options, output)?;
        output.flush()
    } else {
        let output = &mut BufWriter::new(io::stdout().lock());
        report::write(format, audit, options, output)?;
        output.flush()
    }
}

/// Writes the reports to their files and prints errors. Returns whether all files were written.
fn write_files(flags: &AuditCommand, audit: &Audit) -> bool {
    let mut is_complete = true;
    for (format, path) in &flags.report.output {
        if let Err(error) = write_file(*format, path, report_options(flags), audit) {
            let path = escape(&path.to_string_lossy());
            print_message("error", &format!("--output: cannot write {path}: {}", describe_io_error(&error)));
            is_complete = false;
        }
    }
    is_complete
}

/// The file is replaced atomically, or stays unchanged.
fn write_file(format: AuditFormat, path: &Path, options: ReportOptions, audit: &Audit) -> io::Result<()> {
    atomic_write(&real_path(path)?, |target| {
        let mut output = BufWriter::new(StripStream::new(target));
        report::write(format, audit, options, &mut output)?;
        output.flush()
    })
}

/// What could not be read takes precedence over findings, and a run without any database does not succeed, unless
/// reports or metrics were asked for, which say so. With `--what-if`, the forecasts count, because the findings are not
/// shown.
fn exit_status(flags: &AuditCommand, audit: &Audit) -> ExitStatus {
    let has_findings = if audit.is_what_if {
        let least = if flags.fail_on == Level::Error { Outcome::Waits } else { Outcome::Unknown };
        audit.databases.iter().any(|report| report.worst() >= Some(least))
    } else {
        let warnings = if flags.fail_on == Level::Warning { count(audit, Level::Warning) } else { 0 };
        count(audit, Level::Error) + warnings > 0
    };
    if !audit.unread.is_empty() {
        ExitStatus::Unreadable
    } else if has_findings && !flags.exit_zero {
        ExitStatus::Findings
    } else if audit.databases.is_empty() && !flags.publishing.is_wanted() {
        ExitStatus::NothingToCheck
    } else {
        ExitStatus::Clean
    }
}
