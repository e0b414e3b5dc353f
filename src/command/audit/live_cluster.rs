//! The cluster of an audit: reading it, and publishing the result.

use std::io::{self, IsTerminal, Write};

use kube::Client;
use sqledge_ha_policy::settings::Settings;
use tokio::runtime::{Builder, Runtime};

use crate::audit::Audit;
use crate::audit::clock::now;
use crate::audit::inventory::Inventory;
use crate::audit::publish::gateway::Gateway;
use crate::audit::publish::publish;
use crate::audit::read;
use crate::audit::report::prometheus;
use crate::cli::{AuditCommand, ClusterConnection};
use crate::cluster_client::connect_as_kubectl;
use crate::escape::escape;
use crate::exit::CommandError;
use crate::message::describe_io_error;

/// A cluster that is read, and that reports are written into.
pub(super) struct LiveCluster {
    runtime: Runtime,
    client: Client,
    address: String,
}

impl LiveCluster {
    pub(super) fn connect(connection: &ClusterConnection) -> Result<Self, CommandError> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime
            .map_err(|error| CommandError::usage(format!("cannot start threads: {}", describe_io_error(&error))))?;
        let connecting = connect_as_kubectl(connection.kubeconfig.as_deref(), connection.context.as_deref());
        let (client, address) = runtime.block_on(connecting).map_err(|error| CommandError::usage(error.to_string()))?;
        Ok(LiveCluster { runtime, client, address })
    }

    /// Reads the cluster, and shows the progress if standard error is a terminal.
    pub(super) fn read(&self, namespaces: &[String], settings: &Settings) -> Result<Inventory, CommandError> {
        let is_shown = io::stderr().is_terminal();
        let progress = |resource: &str, objects: usize| {
            if is_shown {
                let _ = write!(anstream::stderr(), "\r\x1b[Kreading {resource}: {objects} objects");
            }
        };
        let read = self.runtime.block_on(read::read(&self.client, namespaces, settings, &progress));
        if is_shown {
            let _ = write!(anstream::stderr(), "\r\x1b[K");
        }
        let inventory =
            read.map_err(|error| CommandError::unreadable(format!("{}: {error}", escape(&self.address))))?;
        Ok(Inventory { source: self.address.clone(), ..inventory })
    }

    /// Writes reports into the cluster, and sends metrics. Returns what failed.
    pub(super) fn publish(&self, flags: &AuditCommand, gateway: Option<&Gateway>, audit: &mut Audit) -> Vec<String> {
        let mut errors = Vec::new();
        if flags.publishing.write_reports {
            let publishing = publish(&self.client, audit, &flags.namespaces, now() as i64);
            let published = self.runtime.block_on(publishing);
            audit.notes.extend(published.notes);
            errors.extend(published.errors.iter().map(|error| format!("--write-reports: {error}")));
        }
        if let Some(gateway) = gateway {
            let pushed = self.runtime.block_on(gateway.push(prometheus::text(audit)));
            errors.extend(pushed.err().map(|error| format!("--push-gateway: {error}")));
        }
        errors
    }
}
