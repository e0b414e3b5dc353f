//! Metrics: as a report, and on their way to a Pushgateway.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::stand_in::{Answer, StandIn, deployments};
use super::{audit, printed, run};
use crate::ran::{Ran, snapshots};
use crate::tools::tool;

/// Metrics without the time of the audit.
fn without_time(metrics: &str) -> String {
    let (before, time) = metrics.rsplit_once("sqledge_ha_audit_timestamp_seconds ").unwrap();
    let (seconds, after) = time.split_once('\n').unwrap();
    assert!(seconds.parse::<f64>().unwrap() > 1.7e9, "{seconds}");
    format!("{before}sqledge_ha_audit_timestamp_seconds TIME\n{after}")
}

#[test]
fn metrics_of_a_shop() {
    let metrics = without_time(&printed(&["--format", "prometheus"]));
    snapshots("../snapshots/audit").bind(|| assert_snapshot!("shop.prometheus", metrics));
}

/// Audits a cluster with one database, and sends the metrics to a URL.
fn pushed_to(url: &str) -> Ran {
    let server =
        StandIn::start(|path| path.starts_with("/apis/apps/v1/deployments").then(|| deployments(&["sql"], "")));
    audit(&server.kubeconfig(), &["--exit-zero", "--push-gateway", url])
}

#[test]
fn metrics_replace_those_of_the_job() {
    let gateway = StandIn::start(|_| Some(Answer::text(200, "")));
    let ran = pushed_to(&format!("http://me:s3cr3t@{}", gateway.address));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.output);
    let [request] = &gateway.received()[..] else { panic!("one request") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("PUT", "/metrics/job/sqledge-ha-audit"));
    assert!(
        request.body.contains("sqledge_ha_audit_databases{product=\"SQL Edge\",state=\"no-pod\"} 1\n"),
        "{request:?}"
    );
    assert!(request.body.ends_with("# EOF\n"));
}

/// A Pushgateway on a free port.
struct Pushgateway {
    process: Child,
    address: String,
}

impl Pushgateway {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(tool("pushgateway"));
        let process = command.arg(format!("--web.listen-address={address}")).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "the Pushgateway does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Pushgateway { process, address }
    }

    /// The metrics that Prometheus collects from it, as JSON.
    fn metrics(&self) -> Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET /api/v1/metrics HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for Pushgateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_real_gateway_accepts_the_metrics() {
    let gateway = Pushgateway::start();
    for _ in 0..2 {
        let ran = pushed_to(&format!("http://{}", gateway.address));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.output);
    }
    let metrics = gateway.metrics();
    // The second audit replaces the metrics of the first.
    let [job] = &metrics["data"].as_array().unwrap()[..] else { panic!("{metrics}") };
    assert_eq!(job["labels"], json!({"job": "sqledge-ha-audit"}));
    let databases = &job["sqledge_ha_audit_databases"]["metrics"][0];
    assert_eq!(databases["labels"]["product"], "SQL Edge", "{job}");
    assert_eq!(databases["value"], "1", "{job}");
}

#[test]
fn a_gateway_that_does_not_accept_metrics_is_an_error() {
    let gateway = StandIn::start(|_| Some(Answer::text(400, "pushed metrics are invalid\nmore")));
    // A port on which nothing listens.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let plain = gateway.address.to_string();
    for (scheme, address, reason) in [
        ("http", plain.clone(), "HTTP 400: pushed metrics are invalid"),
        ("http", format!("127.0.0.1:{port}"), "connection refused"),
        ("https", plain, "tls handshake eof"),
    ] {
        let ran = pushed_to(&format!("{scheme}://me:s3cr3t@{address}/"));
        let shown = format!("{scheme}://{address}/metrics/job/sqledge-ha-audit");
        let expected = format!("error: --push-gateway: cannot push metrics to {shown}: {reason}\n");
        // The report is printed all the same.
        assert!(ran.code == 4 && ran.output.contains("shop/sql: Deployment"), "{}", ran.output);
        assert_eq!(ran.stderr, expected);
    }
}

#[test]
fn wrong_urls_and_flags_are_wrong_usage() {
    for (flags, error) in [
        (&["--push-gateway", "pushgateway:9091"][..], "write a URL, e.g. http://pushgateway.monitoring:9091"),
        (&["--push-gateway", "http://me:s3cr3t@"], "write a URL, e.g. http://pushgateway.monitoring:9091"),
        (&["--push-gateway", "http://gateway", "--from", "shop"], "cannot be used with"),
        (&["--write-reports", "--from", "shop"], "cannot be used with"),
        (&["--write-reports", "--what-if", "node/a"], "cannot be used with"),
    ] {
        let ran = run(&[&["audit"], flags].concat());
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{flags:?}");
        assert!(ran.stderr.contains(error), "{flags:?}: {}", ran.stderr);
    }
}
