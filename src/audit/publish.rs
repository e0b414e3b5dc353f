//! What an audit writes: reports into the cluster, and metrics to a Pushgateway.
//!
//! | file | contents |
//! |---|---|
//! | `report_store` | the reports of one API: find, write, remove |
//! | `problems` | what could not be written, in few lines |
//! | `gateway` | a Pushgateway |

pub mod gateway;
mod problems;
mod report_store;

use kube::Client;

use self::problems::Problems;
use self::report_store::ReportStore;
use super::report::namespaces::{NamespaceReport, ReportApi, reports};
use super::retry::{RequestError, retry};
use super::{Audit, resources};

/// What became of the reports.
#[derive(Debug, Default)]
pub struct Published {
    /// What was done, in a sentence.
    pub notes: Vec<String>,
    /// What could not be done, each in a sentence.
    pub errors: Vec<String>,
}

/// Writes the reports of an audit, which was made at a time in seconds since 1970, and removes older ones of namespaces
/// without a database. `namespaces` are those that were audited; all if it is empty.
pub async fn publish(client: &Client, audit: &Audit, namespaces: &[String], seconds: i64) -> Published {
    let apis = match served_apis(client).await {
        Ok(apis) => apis,
        Err(error) => return Published::failed(error),
    };
    let Some((api, others)) = apis.split_first() else { return Published::failed(missing_apis()) };
    let mut publisher = Publisher { client, namespaces, problems: Problems::default(), written: 0, removed: 0 };
    let can_go_on = publisher.publish(api, audit, &reports(audit, seconds)).await;
    for other in others.iter().filter(|_| can_go_on) {
        publisher.remove_all(other).await;
    }
    publisher.published(api, audit)
}

impl Published {
    fn failed(error: String) -> Self {
        Published { notes: Vec::new(), errors: vec![error] }
    }
}

fn missing_apis() -> String {
    let apis = ReportApi::ALL.map(|api| api.api_version()).join(", ");
    format!("the cluster has no API for reports ({apis}): install the CustomResourceDefinitions of OpenReports")
}

/// The APIs for reports that the cluster serves, at most one of each group, the preferred one first.
async fn served_apis(client: &Client) -> Result<Vec<ReportApi>, String> {
    let mut served: Vec<ReportApi> = Vec::new();
    for api in ReportApi::ALL {
        if served.iter().any(|known| known.group == api.group) {
            continue;
        }
        let version = api.api_version();
        match retry(|| client.list_api_group_resources(&version)).await {
            Ok(list) if list.resources.iter().any(|resource| resource.name == api.plural) => served.push(api),
            Ok(_) => {}
            Err(error) if error.code() == Some(404) => {}
            Err(error) => return Err(format!("{version}: {}", error.describe())),
        }
    }
    Ok(served)
}

struct Publisher<'p> {
    client: &'p Client,
    namespaces: &'p [String],
    problems: Problems,
    written: usize,
    removed: usize,
}

impl Publisher<'_> {
    /// Writes the reports and removes old ones. Returns whether the API server still answers.
    async fn publish(&mut self, api: &ReportApi, audit: &Audit, reports: &[NamespaceReport]) -> bool {
        let mut store = ReportStore::new(self.client, *api);
        let unknown = self.find(&mut store).await;
        let is_known =
            |namespace: &str| !unknown.iter().any(|scope| scope.as_deref().is_none_or(|name| name == namespace));
        let mut reports = reports.iter().filter(|report| is_known(&report.namespace));
        while let Some(report) = reports.next() {
            match store.write(report).await {
                Ok(is_written) => self.written += usize::from(is_written),
                Err(error) => {
                    let rest = reports.clone().map(|report| report.namespace.as_str());
                    if self.stops(api, "write", &report.namespace, &error, rest) {
                        return false;
                    }
                }
            }
        }
        let is_old = |namespace: &&str| !audit.databases.iter().any(|report| report.namespace() == *namespace);
        let old: Vec<String> = store.namespaces().filter(is_old).map(str::to_owned).collect();
        let can_be_gone = |namespace: &&String| !may_have_databases(audit, namespace);
        self.remove(&store, old.iter().filter(can_be_gone)).await
    }

    /// Removes the reports of an API that another one replaces.
    async fn remove_all(&mut self, api: &ReportApi) {
        let mut store = ReportStore::new(self.client, *api);
        self.find(&mut store).await;
        let old: Vec<String> = store.namespaces().map(str::to_owned).collect();
        self.remove(&store, old.iter()).await;
    }

    /// Finds the reports that exist. Returns where that failed.
    async fn find(&mut self, store: &mut ReportStore<'_>) -> Vec<Option<String>> {
        let scopes: Vec<Option<String>> = match self.namespaces {
            [] => vec![None],
            named => named.iter().cloned().map(Some).collect(),
        };
        let mut unknown = Vec::new();
        for scope in scopes {
            if let Err(error) = store.find(scope.as_deref()).await {
                self.problems.add(&store.api, "list", scope.as_deref(), &error);
                unknown.push(scope);
            }
        }
        unknown
    }

    async fn remove<'n>(
        &mut self,
        store: &ReportStore<'_>,
        mut namespaces: impl Iterator<Item = &'n String> + Clone,
    ) -> bool {
        while let Some(namespace) = namespaces.next() {
            match store.remove(namespace).await {
                Ok(()) => self.removed += 1,
                Err(error) => {
                    let rest = namespaces.clone().map(String::as_str);
                    if self.stops(&store.api, "delete", namespace, &error, rest) {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Records an error. Returns whether it is of no use to go on, and then records the rest as well.
    fn stops<'n>(
        &mut self,
        api: &ReportApi,
        verb: &'static str,
        namespace: &str,
        error: &RequestError,
        rest: impl Iterator<Item = &'n str>,
    ) -> bool {
        self.problems.add(api, verb, Some(namespace), error);
        if error.concerns_all_requests() {
            rest.for_each(|namespace| self.problems.add(api, verb, Some(namespace), error));
        }
        error.concerns_all_requests()
    }

    fn published(self, api: &ReportApi, audit: &Audit) -> Published {
        let removed = if self.removed > 0 { format!(", {} removed", self.removed) } else { String::new() };
        let mut notes =
            vec![format!("reports in the cluster ({}): {} written{removed}", api.full_name(), self.written)];
        if audit.unread.iter().any(|unread| resources::has_databases(&unread.resource)) {
            notes.push("reports are not removed where a database may not have been read".to_owned());
        }
        Published { notes, errors: self.problems.into_lines() }
    }
}

/// Whether a namespace may have databases that were not read.
fn may_have_databases(audit: &Audit, namespace: &str) -> bool {
    audit.unread.iter().any(|unread| {
        resources::has_databases(&unread.resource) && unread.namespace.as_deref().is_none_or(|name| name == namespace)
    })
}
