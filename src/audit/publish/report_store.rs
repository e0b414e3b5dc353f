//! The reports of one API: find, write, remove.

use std::collections::BTreeMap;

use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, PartialObjectMeta};
use serde_json::Value;

use crate::audit::report::namespaces::{MANAGED_BY, NAME, NamespaceReport, ReportApi};
use crate::audit::retry::{RequestError, retry};
use crate::cluster_client::is_namespace_missing;

/// How often a report is written if something else writes it at the same time.
const MAX_ATTEMPTS: usize = 4;

/// The number of reports in a page of a list.
const PAGE_SIZE: u32 = 500;

/// The reports of this program in a cluster.
pub(super) struct ReportStore<'s> {
    client: &'s Client,
    /// The API.
    pub(super) api: ReportApi,
    /// The version of the report in each namespace.
    versions: BTreeMap<String, String>,
}

impl<'s> ReportStore<'s> {
    pub(super) fn new(client: &'s Client, api: ReportApi) -> Self {
        ReportStore { client, api, versions: BTreeMap::new() }
    }

    fn resource(&self) -> ApiResource {
        let ReportApi { group, version, kind, plural } = self.api;
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: self.api.api_version(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        }
    }

    fn in_namespace(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &self.resource())
    }

    /// Finds the reports in a namespace, or everywhere. Only their metadata is read.
    pub(super) async fn find(&mut self, namespace: Option<&str>) -> Result<(), RequestError> {
        let api = match namespace {
            Some(namespace) => self.in_namespace(namespace),
            None => Api::all_with(self.client.clone(), &self.resource()),
        };
        let mut params = ListParams::default().labels(&format!("{MANAGED_BY}={NAME}")).limit(PAGE_SIZE);
        loop {
            let page = retry(|| api.list_metadata(&params)).await?;
            self.versions.extend(page.items.into_iter().filter_map(version));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(()),
            }
        }
    }

    /// The namespaces that have a report.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.versions.keys().map(String::as_str)
    }

    /// Creates or replaces a report. Returns whether it is written: it is not in a namespace that is being deleted.
    pub(super) async fn write(&mut self, report: &NamespaceReport) -> Result<bool, RequestError> {
        let (api, params) = (self.in_namespace(&report.namespace), PostParams::default());
        let mut attempts = 0;
        loop {
            attempts += 1;
            let version = self.versions.get(&report.namespace).cloned();
            let object = object(report.to_object(&self.api), version.as_deref())?;
            let written = match version {
                Some(_) => retry(|| api.replace(NAME, &params, &object)).await,
                None => retry(|| api.create(&params, &object)).await,
            };
            match written {
                Ok(_) => return Ok(true),
                Err(error) if is_namespace_gone(&error) => return Ok(false),
                Err(error) if !matches!(error.code(), Some(404 | 409)) => return Err(error),
                Err(_) if attempts < MAX_ATTEMPTS => {
                    self.versions.remove(&report.namespace);
                    self.find(Some(&report.namespace)).await?;
                }
                Err(error) => return Err(self.conflict(&report.namespace, error)),
            }
        }
    }

    fn conflict(&self, namespace: &str, error: RequestError) -> RequestError {
        let is_foreign = error.code() == Some(409) && !self.versions.contains_key(namespace);
        if !is_foreign {
            return error;
        }
        RequestError::Refused(format!("another one with the name {NAME} exists, without the label {MANAGED_BY}={NAME}"))
    }

    /// Removes the report of a namespace.
    pub(super) async fn remove(&self, namespace: &str) -> Result<(), RequestError> {
        let (api, params) = (self.in_namespace(namespace), DeleteParams::default());
        match retry(|| api.delete(NAME, &params)).await {
            Err(error) if error.code() != Some(404) => Err(error),
            _ => Ok(()),
        }
    }
}

/// The namespace and the version of a report of this program.
fn version(report: PartialObjectMeta<DynamicObject>) -> Option<(String, String)> {
    let metadata = report.metadata;
    (metadata.name.as_deref() == Some(NAME)).then_some((metadata.namespace?, metadata.resource_version?))
}

fn object(value: Value, version: Option<&str>) -> Result<DynamicObject, RequestError> {
    let object: Result<DynamicObject, _> = serde_json::from_value(value);
    let mut object = object.map_err(|error| RequestError::Refused(error.to_string()))?;
    object.metadata.resource_version = version.map(str::to_owned);
    Ok(object)
}

/// Whether the namespace does not exist any more, or is being deleted.
fn is_namespace_gone(error: &RequestError) -> bool {
    let RequestError::Rejected(status) = error else { return false };
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    is_namespace_missing(status) || causes.any(|cause| cause.reason == "NamespaceTerminating")
}
