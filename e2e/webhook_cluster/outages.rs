//! What users see when the webhook fails, and what its log and the metrics say: one snapshot for each failure.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::{cluster, create_namespace};
use crate::kubernetes::web_deployments;
use crate::ran::{Ran, shown, snapshots};
use crate::serve::client::{Authority, Client};
use crate::serve::process::{SOON, Server, module};
use crate::shared::text_of;
use crate::webhook_configurations::{list, webhook_configurations};

/// The values of metrics by name and labels.
type Samples = BTreeMap<String, f64>;

/// A webhook that the API server calls for one namespace. It waits 1 s for an answer.
struct Site {
    name: &'static str,
    server: Server,
    settings: PathBuf,
    _folder: TempDir,
}

impl Site {
    /// Starts a webhook with these flags, in a namespace with an application that runs already.
    fn start(name: &'static str, flags: &[&str]) -> Self {
        create_namespace(name);
        cluster().must(&["-n", name, "create", "-f", "-"], &web_deployments(name, 1)[0].to_string());
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("settings.yaml");
        fs::write(&settings, "exposure: internal\n").unwrap();
        let settings_flag = format!("--settings={}", settings.display());
        let server = Server::start_in(cluster().kubeconfig(), &[&[settings_flag.as_str()], flags].concat());
        server.wait_until_ready();
        Site { name, server, settings, _folder: folder }
    }

    /// Makes the API server call the webhook at an address, and waits for the effect.
    fn register(&self, address: SocketAddr, trusted: &str, has_effect: impl Fn(&Ran) -> bool) {
        let mut configurations = webhook_configurations(address, trusted, &["--timeout-seconds=1"]);
        for configuration in &mut configurations {
            configuration["metadata"]["name"] = json!(self.name);
            for webhook in configuration["webhooks"].as_array_mut().unwrap() {
                let expressions = webhook["namespaceSelector"]["matchExpressions"].as_array_mut().unwrap();
                expressions
                    .push(json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": [self.name]}));
            }
        }
        cluster().must(&["apply", "-f", "-"], &list(&configurations));
        let started = Instant::now();
        loop {
            let ran = self.kubectl(&["create", "--dry-run=server", "-o=yaml", "-f", "-"], &database("probe"));
            if has_effect(&ran) {
                return;
            }
            assert!(started.elapsed() < SOON, "the configurations have no effect: {ran:?} {:#?}", self.server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes the API server call the webhook, which works.
    fn register_working(&self) {
        self.register(self.server.reviews, self.server.authority.pem(), is_mutated);
    }

    fn kubectl(&self, arguments: &[&str], input: &str) -> Ran {
        cluster().kubectl(&[&["-n", self.name], arguments].concat(), input)
    }

    /// The requests that each failure meets: as a terminal shows them.
    fn requests(&self) -> String {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web-0"}, "ports": [{"port": 80}]}});
        let create = ["create", "-f", "-"];
        let requests = [
            ("a database: kubectl create -f -", self.kubectl(&create, &database("ledger"))),
            ("a Service of another application: kubectl create -f -", self.kubectl(&create, &service.to_string())),
            (
                "another application: kubectl scale deployment/web-0 --replicas=2",
                self.kubectl(&["scale", "deployment/web-0", "--replicas=2"], ""),
            ),
        ];
        requests.iter().map(|(what, ran)| format!("# {what}\n{}", shown(ran))).collect()
    }

    /// The metrics of the webhook, without those that differ from run to run.
    fn metrics(&self) -> Samples {
        let varies =
            ["_seconds_bucket", "_seconds_sum", "_age_seconds", "sqledge_ha_connections ", "sqledge_ha_cache_"];
        let mut metrics = samples(&self.server.probe("/metrics").1);
        metrics.retain(|name, _| {
            name.starts_with("sqledge_ha_") && !varies.iter().any(|part| format!("{name} ").contains(part))
        });
        metrics
    }

    /// Removes the configurations, and compares the report with its snapshot.
    fn end(self, report: &str) {
        let kinds = "mutatingwebhookconfiguration,validatingwebhookconfiguration";
        cluster().must(&["delete", kinds, self.name], "");
        let mut settings = snapshots("../snapshots/outages");
        settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[port]");
        // The API server leaves the address out if the deadline comes before the request is sent.
        settings.add_filter(r#"Post "\S+": context deadline exceeded"#, "context deadline exceeded");
        settings.add_filter(r"current time \S+", "current time [now]");
        settings.add_filter(r#""duration_us":\d+"#, r#""duration_us":[time]"#);
        settings.add_filter(r"/[^ :]*/\.tmp\w+", "[folder]");
        settings.add_filter(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "[uid]");
        settings.add_filter(r#"(reason="429"\}) \+\d+"#, "$1 +[some]");
        settings.add_filter(r#""(port|line)":\d+"#, r#""$1":[number]"#);
        settings.bind(|| insta::assert_snapshot!(self.name, report));
    }

    /// The log, once all lines have arrived: another thread reads them.
    fn settled_log(&self) -> Vec<Value> {
        loop {
            let lines = self.server.log().len();
            std::thread::sleep(Duration::from_millis(300));
            let log = self.server.log();
            if log.len() == lines {
                return log;
            }
        }
    }

    /// Sends the requests while the webhook does not work. `is_alive` is false if it cannot answer a probe.
    fn report(&self, is_alive: bool) -> String {
        let metrics = || if is_alive { self.metrics() } else { Samples::new() };
        let (lines, before, api_before) = (self.server.log().len(), metrics(), api_metrics());
        let mut report = format!("{}\n## log\n", self.requests());
        let log = self.settled_log().into_iter().enumerate();
        let log = log.filter(|(number, line)| *number >= lines || line["level"] == "ERROR" || line["level"] == "WARN");
        // The API server repeats some requests, not always as often.
        let mut known = BTreeSet::new();
        let log: Vec<String> = log
            .map(|(_, line)| format!("{}\n", without_time(line)))
            .filter(|line| known.insert(line.clone()))
            .collect();
        report.push_str(&if log.is_empty() { "no line\n".to_owned() } else { log.concat() });
        report.push_str("\n## metrics of the webhook\n");
        report.push_str(&if is_alive { changes(&before, &metrics()) } else { "no answer\n".to_owned() });
        report.push_str("\n## metrics of the API server\n");
        report.push_str(&changes(&api_before, &api_metrics()));
        report
    }
}

fn is_mutated(ran: &Ran) -> bool {
    ran.output.contains("type: Recreate")
}

fn without_time(mut line: Value) -> Value {
    if let Some(fields) = line.as_object_mut() {
        fields.shift_remove("timestamp");
    }
    line
}

/// A Deployment that lacks only what the webhook adds.
fn database(name: &str) -> String {
    let mut deployment: Value = serde_json::from_str::<Value>(include_str!("../examples/deployment-review.json"))
        .unwrap()["request"]["object"]
        .take();
    deployment["metadata"] = json!({"name": name});
    deployment.as_object_mut().unwrap().remove("status");
    deployment.to_string()
}

fn samples(text: &str) -> Samples {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.filter_map(|line| line.rsplit_once(' '));
    samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

/// The API server's metrics of webhooks that do not answer.
fn api_metrics() -> Samples {
    let mut metrics = samples(&cluster().must(&["get", "--raw", "/metrics"], ""));
    metrics.retain(|name, _| {
        name.starts_with("apiserver_admission_webhook_fail_open_count")
            || name.starts_with("apiserver_admission_webhook_rejection_count") && name.contains("calling_webhook_error")
    });
    metrics
}

/// What changed: how much counters grew, and the new values of all others.
fn changes(before: &Samples, after: &Samples) -> String {
    let mut text = String::new();
    for (name, value) in after {
        let old = before.get(name).copied().unwrap_or_default();
        let family = name.split('{').next().unwrap();
        if *value != old {
            let _ = match family.ends_with("_total") || family.ends_with("_count") {
                true => writeln!(text, "{name} +{}", value - old),
                false => writeln!(text, "{name} {value}"),
            };
        }
    }
    if text.is_empty() { "no change\n".to_owned() } else { text }
}

/// A relay in front of a webhook, which delays answers.
struct Relay {
    address: SocketAddr,
    delay: Arc<Mutex<Duration>>,
}

impl Relay {
    async fn start(webhook: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (delay, none) = (Arc::<Mutex<Duration>>::default(), Arc::default());
        let answers = Arc::clone(&delay);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(webhook).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(pass_on(from_client, to_server, Arc::clone(&none)));
                tokio::spawn(pass_on(from_server, to_client, Arc::clone(&answers)));
            }
        });
        Relay { address, delay }
    }
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Arc<Mutex<Duration>>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let delay = *delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// The failures, one after the other: the metrics of the API server do not tell them apart.
#[tokio::test(flavor = "multi_thread")]
async fn users_log_and_metrics_in_an_outage() {
    // The webhook notices changed files after some seconds.
    let (expired, misconfigured) = (expired_certificate(), wrong_settings());
    works();
    is_killed();
    hangs();
    answers_slowly().await;
    is_not_trusted();
    has_a_full_queue();
    has_a_failing_module();
    has_an_expired_certificate(&expired.1, expired.0);
    gets_wrong_settings(&misconfigured.1, misconfigured.0);
    the_alert_names_metrics_of_the_api_server();
}

/// For comparison.
fn works() {
    let site = Site::start("works", &[]);
    site.register_working();
    let report = site.report(true);
    site.end(&report);
}

fn is_killed() {
    let site = Site::start("is-killed", &[]);
    site.register_working();
    site.server.kill();
    let started = Instant::now();
    while std::net::TcpStream::connect(site.server.reviews).is_ok() {
        assert!(started.elapsed() < SOON, "it still listens");
    }
    let report = site.report(false);
    site.end(&report);
}

fn hangs() {
    let site = Site::start("hangs", &[]);
    site.register_working();
    site.server.suspend();
    let report = site.report(false);
    site.end(&report);
}

/// Each answer arrives after the timeout of the API server.
async fn answers_slowly() {
    let site = Site::start("answers-slowly", &[]);
    let relay = Relay::start(site.server.reviews).await;
    site.register(relay.address, site.server.authority.pem(), is_mutated);
    *relay.delay.lock().unwrap() = Duration::from_secs(2);
    let report = site.report(true);
    site.end(&report);
}

fn expired_certificate() -> (Site, Authority) {
    let site = Site::start("has-an-expired-certificate", &[]);
    let expired = Authority::expired();
    expired.write(site.server.folder());
    (site, expired)
}

fn has_an_expired_certificate(expired: &Authority, site: Site) {
    site.server.wait_for_line(|line| line["level"] == "ERROR");
    site.register(site.server.reviews, expired.pem(), |ran| ran.stderr.contains("certificate"));
    let mut report = site.report(true);
    let (status, body) = site.server.probe("/readyz");
    let _ = write!(report, "\n## /readyz\n{status} {body}\n## /metrics\n");
    let expiry = "sqledge_ha_certificate_expiry_timestamp_seconds";
    let _ = writeln!(report, "{expiry} {}", site.server.metric(expiry));
    site.end(&report);
}

fn is_not_trusted() {
    let site = Site::start("is-not-trusted", &[]);
    site.register(site.server.reviews, Authority::new().pem(), |ran| ran.stderr.contains("certificate"));
    let report = site.report(true);
    site.end(&report);
}

fn wrong_settings() -> (Site, Samples) {
    let site = Site::start("gets-wrong-settings", &[]);
    site.register_working();
    let before = site.metrics();
    fs::write(&site.settings, "mode: monitor\n").unwrap();
    (site, before)
}

fn gets_wrong_settings(before: &Samples, site: Site) {
    site.server.wait_for_line(|line| line["level"] == "ERROR");
    let since = changes(before, &site.metrics());
    let report = format!("{}\n## metrics of the webhook, since the file was wrong\n{since}", site.report(true));
    site.end(&report);
}

/// All places are taken by requests whose bodies do not end.
fn has_a_full_queue() {
    let site = Site::start("has-a-full-queue", &["--max-in-flight=2", "--body-timeout=1h"]);
    site.register_working();
    let begun = "POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    let mut clients: Vec<Client> = (0..2).map(|_| site.server.connect()).collect();
    clients.iter_mut().for_each(|client| client.send(begun.as_bytes()).unwrap());
    site.server.wait_for_metric("sqledge_ha_requests_in_flight ", 2.0);
    let report = site.report(true);
    site.end(&report);
}

fn has_a_failing_module() {
    let folder = tempfile::tempdir().unwrap();
    let flag = format!("--module={}", module(folder.path(), "trap").display());
    let site = Site::start("has-a-failing-module", &[&flag]);
    site.register(site.server.reviews, site.server.authority.pem(), |ran| ran.stderr.contains("the check failed"));
    let report = site.report(true);
    site.end(&report);
}

/// A webhook that is down cannot tell; the API server does.
fn the_alert_names_metrics_of_the_api_server() {
    let rules = text_of("artifacthub/monitoring/prometheus-rules.yaml");
    let rules: Value = serde_saphyr::from_str(&rules).unwrap();
    let mut rules = rules["groups"][0]["rules"].as_array().unwrap().iter();
    let expression = rules.find(|rule| rule["alert"] == "SqledgeHaNotAnswering").unwrap()["expr"].as_str().unwrap();
    let metrics = api_metrics();
    for name in ["apiserver_admission_webhook_fail_open_count", "apiserver_admission_webhook_rejection_count"] {
        let is_ours = |sample: &String| sample.starts_with(name) && sample.contains(".sqledge-ha.");
        assert!(expression.contains(name) && metrics.keys().any(is_ours), "{name}: {metrics:#?}");
    }
}
