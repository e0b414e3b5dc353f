//! `sqledge-ha recover`: releases the databases of a failed node.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use kube::Client;
use sqledge_ha_policy::finding::quoted;
use sqledge_ha_policy::kubernetes::scheduling::OUT_OF_SERVICE;
use sqledge_ha_policy::settings::Settings;
use tokio::runtime::Builder;

use crate::audit::forecast::{Failure, Outcome};
use crate::audit::timers::Timers;
use crate::audit::{Audit, WhatIf, audit, clock, read};
use crate::cli::Recover;
use crate::cluster_client::{connect_as_kubectl, describe};
use crate::config::{self, ConfigFlags};
use crate::counted::counted;
use crate::escape::escape;
use crate::exit::{CommandError, ExitStatus};
use crate::message::describe_io_error;
use crate::recover::node::{FailedNode, GRACE_SECONDS, pods_on};
use crate::recover::progress::{Returning, read_progress};
use crate::terminal::{Layout, TextOutput};

/// How often the databases are looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// Shows what hangs on a failed node, releases it, and follows the databases until they are back.
///
/// # Errors
/// [`CommandError`] with exit code 2 for wrong flags, and for a node that may still run; 4 if the API server cannot be
/// asked.
pub fn run(flags: &Recover) -> Result<ExitStatus, CommandError> {
    let config_flags =
        ConfigFlags { checks: &flags.checks, paths: &[], exclude: &[], rendering: None, no_ignores: true };
    let settings = config::lint_config(&config_flags)?.settings;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime =
        runtime.map_err(|error| CommandError::usage(format!("cannot start threads: {}", describe_io_error(&error))))?;
    runtime.block_on(async {
        let connection = &flags.connection;
        let connected = connect_as_kubectl(connection.kubeconfig.as_deref(), connection.context.as_deref()).await;
        let (client, _) = connected.map_err(|error| CommandError::usage(error.to_string()))?;
        let node = FailedNode::read(&client, &flags.node, clock::now()).await.map_err(|error| failed(&error))?;
        let Some(node) = node else {
            return Err(CommandError::usage(format!("there is no node {}", quoted(&flags.node))));
        };
        if flags.undo { undo(&client, &node).await } else { recover(&client, flags, &settings, &node).await }
    })
}

fn failed(error: &kube::Error) -> CommandError {
    CommandError::unreadable(match error {
        kube::Error::Api(status) if status.code == 403 => {
            format!("forbidden: {}", escape(&status.message))
        }
        kube::Error::Api(status) if status.code == 409 => "the node has changed meanwhile; try again".to_owned(),
        kube::Error::Api(status) if status.code == 401 => {
            "the API server rejects the credentials: they are wrong or have expired".to_owned()
        }
        other => format!("cannot reach the API server: {}", escape(&describe(other))),
    })
}

/// Takes the taint off, when the machine is back.
async fn undo(client: &Client, node: &FailedNode) -> Result<ExitStatus, CommandError> {
    if !node.is_out_of_service() {
        print_line(&format!("node {} has no taint {OUT_OF_SERVICE}: nothing to undo", quoted(&node.name)))?;
        return Ok(ExitStatus::Clean);
    }
    node.remove_taint(client).await.map_err(|error| failed(&error))?;
    print_line(&format!("removed the taint {OUT_OF_SERVICE} from node {}", quoted(&node.name)))?;
    Ok(ExitStatus::Clean)
}

async fn recover(
    client: &Client,
    flags: &Recover,
    settings: &Settings,
    node: &FailedNode,
) -> Result<ExitStatus, CommandError> {
    let grace = flags.grace.map_or(GRACE_SECONDS, |grace| grace.as_secs_f64());
    node.check_silent(grace).map_err(|reason| CommandError::usage(reason.to_string()))?;
    let inventory = read::read(client, &[], settings, &|_, _| {}).await;
    let inventory = inventory.map_err(|error| CommandError::unreadable(error.to_string()))?;
    let what_if = WhatIf::Node(node.name.clone());
    let plan = audit(&inventory, settings, Timers::default(), Some(&what_if));
    let pods = pods_on(client, &node.name).await.map_err(|error| failed(&error))?;
    let waiting = show(&plan, node, &pods)?;
    for unread in &plan.unread {
        print_line(&format!("not read: {}: {}", unread.resource, unread.reason))?;
    }
    if waiting.is_empty() && !plan.unread.is_empty() {
        return Err(CommandError::unreadable(
            "a database may wait for this node, but not everything could be read; nothing was changed",
        ));
    }
    if waiting.is_empty() {
        print_line("no database waits for this node; nothing was changed")?;
        return Ok(ExitStatus::NothingToCheck);
    }
    if flags.dry_run {
        print_line("dry run: nothing was changed")?;
        return Ok(ExitStatus::Clean);
    }
    confirm(flags, node)?;
    if !node.is_out_of_service() {
        // The node may have come back while the question was read.
        let again = FailedNode::read(client, &node.name, clock::now()).await.map_err(|error| failed(&error))?;
        let again = again.ok_or_else(|| CommandError::usage(format!("node {} is gone", quoted(&node.name))))?;
        again.check_silent(grace).map_err(|reason| CommandError::usage(format!("{reason}; nothing was changed")))?;
        again.taint(client).await.map_err(|error| failed(&error))?;
        print_line(&format!("tainted node {} with {OUT_OF_SERVICE}", quoted(&node.name)))?;
    }
    follow(client, flags, settings, node, &waiting).await
}

/// Shows the databases on the node and the other pods that end with it. Returns the names of the databases with their
/// namespaces.
fn show(plan: &Audit, node: &FailedNode, pods: &BTreeMap<String, usize>) -> io::Result<BTreeMap<String, String>> {
    let silence = node.silent_for.map_or(String::new(), |seconds| format!(", silent for {seconds:.0} s"));
    print_line(&format!("node {}: not ready{silence}", quoted(&node.name)))?;
    let mut waiting = BTreeMap::new();
    let mut own = Vec::new();
    for report in &plan.databases {
        let Some(forecast) = report.forecasts.iter().find(|forecast| forecast.failure == Failure::NodeFailure) else {
            continue;
        };
        if forecast.outcome == Outcome::StaysUp {
            continue;
        }
        print_line(&format!(
            "  database {}: {}: {}",
            report.full_name(),
            forecast.outcome.words(forecast.certain),
            forecast.message
        ))?;
        let kind = report.object.kind.as_deref().unwrap_or_default();
        own.push(format!("{kind} {}", report.full_name()));
        waiting.insert(report.full_name(), report.object.namespace.clone().unwrap_or_default());
    }
    let others: Vec<(&String, &usize)> = pods.iter().filter(|(owner, _)| !own.contains(owner)).collect();
    if !others.is_empty() {
        print_line("the release also removes these pods of the node:")?;
        for (owner, count) in others {
            print_line(&format!("  {owner} ({})", counted(*count, "pod")))?;
        }
    }
    Ok(waiting)
}

/// Asks whether the machine is off. Two machines that write the same volume destroy its files.
fn confirm(flags: &Recover, node: &FailedNode) -> Result<(), CommandError> {
    if flags.machine_is_off {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(CommandError::usage(
            "make sure that the machine is off, and say so with --machine-is-off: a machine that runs on could write its volumes while \
             another one uses them",
        ));
    }
    write!(
        anstream::stderr(),
        "A machine that runs on could write its volumes while another one uses them.\nIf the machine is off, type the name of the node: "
    )?;
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    read.map_err(|error| CommandError::unreadable(format!("cannot read the answer: {}", describe_io_error(&error))))?;
    if answer.trim() == node.name { Ok(()) } else { Err(CommandError::usage("not confirmed; nothing was changed")) }
}

/// Prints each change until all databases are back.
async fn follow(
    client: &Client,
    flags: &Recover,
    settings: &Settings,
    node: &FailedNode,
    waiting: &BTreeMap<String, String>,
) -> Result<ExitStatus, CommandError> {
    let namespaces: BTreeSet<String> = waiting.values().cloned().collect();
    let namespaces: Vec<String> = namespaces.into_iter().collect();
    let started = Instant::now();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut known_error = None;
    loop {
        let (seen, error) = match read_progress(client, settings, &namespaces, &node.name).await {
            Ok(seen) => (seen, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        if let Some(error) = error.as_ref().filter(|error| known_error.as_ref() != Some(*error)) {
            // Perhaps the API server restarts.
            print_line(&format!(
                "{:>4} s  cannot read the cluster: {error}; trying again",
                started.elapsed().as_secs()
            ))?;
        }
        known_error = error;
        let seen: Vec<Returning> = seen.into_iter().filter(|database| waiting.contains_key(&database.name)).collect();
        for database in &seen {
            if known.get(&database.name) != Some(&database.state) {
                print_line(&format!("{:>4} s  {}: {}", started.elapsed().as_secs(), database.name, database.state))?;
                known.insert(database.name.clone(), database.state.clone());
            }
        }
        if seen.len() == waiting.len() && seen.iter().all(|database| database.is_back) {
            print_line(&format!(
                "all databases are back after {} s. When the machine is repaired, run: sqledge-ha recover {} --undo",
                started.elapsed().as_secs(),
                node.name
            ))?;
            return Ok(ExitStatus::Clean);
        }
        if started.elapsed() > flags.timeout {
            if let Some(error) = known_error {
                let message = format!("cannot read the cluster: {error}; whether the databases are back is not known");
                return Err(CommandError::unreadable(message));
            }
            let missing = waiting.len() - seen.iter().filter(|database| database.is_back).count();
            print_line(&format!("{} not back; see `sqledge-ha audit --details`", counted(missing, "database")))?;
            return Ok(ExitStatus::Findings);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn print_line(line: &str) -> io::Result<()> {
    let mut output = TextOutput::new(anstream::stdout().lock(), Layout::of_stdout());
    writeln!(output, "{}", escape(line))?;
    output.flush()
}
