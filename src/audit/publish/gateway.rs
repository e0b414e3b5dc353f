//! A Pushgateway, from which Prometheus collects the metrics of jobs: <https://github.com/prometheus/pushgateway>.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};

use crate::crypto;
use crate::escape::escape;
use crate::message::describe_root_cause;

/// The job of the metrics, unless the address names one.
const JOB: &str = "/metrics/job/sqledge-ha-audit";

const TIMEOUT: Duration = Duration::from_secs(30);

/// The most characters of an answer in a message.
const MAX_ANSWER: usize = 200;

/// The address of a Pushgateway. It may have a password, which is in no message.
#[derive(Clone, PartialEq, Eq)]
pub struct Gateway(Url);

impl FromStr for Gateway {
    type Err = &'static str;

    /// An address without the path of a job gets one. The error does not repeat the text.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "write a URL, e.g. http://pushgateway.monitoring:9091";
        let mut url = Url::parse(text).map_err(|_| FORM)?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            return Err(FORM);
        }
        if !url.path().contains("/metrics/job") {
            let path = format!("{}{JOB}", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        Ok(Gateway(url))
    }
}

impl fmt::Display for Gateway {
    /// The address without user and password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        // These fail only for addresses that have neither.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        formatter.write_str(&escape(shown.as_str()))
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Gateway {
    /// Replaces the metrics of the job.
    ///
    /// # Errors
    /// A sentence that names the address, without user and password.
    pub async fn push(&self, metrics: String) -> Result<(), String> {
        self.put(metrics).await.map_err(|reason| format!("cannot push metrics to {self}: {reason}"))
    }

    async fn put(&self, metrics: String) -> Result<(), String> {
        let client = self.client().map_err(|error| describe(&error))?;
        let request = client.put(self.0.clone()).header(CONTENT_TYPE, "text/plain; version=0.0.4").body(metrics);
        let answer = request.send().await.map_err(|error| describe(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = answer.text().await.unwrap_or_default();
        let line: String = text.lines().next().unwrap_or_default().chars().take(MAX_ANSWER).collect();
        Err(if line.is_empty() {
            format!("HTTP {}", status.as_u16())
        } else {
            format!("HTTP {}: {line}", status.as_u16())
        })
    }

    fn client(&self) -> Result<Client, reqwest::Error> {
        crypto::select_provider();
        let builder = Client::builder().timeout(TIMEOUT);
        // Without TLS no authorities are needed, which may not be installed.
        if self.0.scheme() == "http" { builder.tls_certs_only([]).build() } else { builder.build() }
    }
}

/// The first cause of an error. Its own text has the address with the password.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    error.source().map_or_else(|| "no valid HTTP request".to_owned(), describe_root_cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_gets_a_job_and_keeps_its_password_for_itself() {
        let shown = |text: &str| text.parse::<Gateway>().unwrap().to_string();
        assert_eq!(shown("http://gateway:9091"), "http://gateway:9091/metrics/job/sqledge-ha-audit");
        assert_eq!(shown("https://me:s3cr3t@gateway/push/"), "https://gateway/push/metrics/job/sqledge-ha-audit");
        assert_eq!(shown("http://gateway/metrics/job/audit/cluster/a"), "http://gateway/metrics/job/audit/cluster/a");
        assert!(!format!("{:?}", "http://me:s3cr3t@gateway".parse::<Gateway>()).contains("s3cr3t"));
        for wrong in ["gateway:9091", "ftp://gateway", "http://gateway?job=a", "", "http://"] {
            assert!(wrong.parse::<Gateway>().unwrap_err().contains("http://pushgateway"), "{wrong}");
        }
    }
}
