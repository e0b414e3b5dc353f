//! A webhook process on free ports of the loopback interface.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use sqledge_ha::wasm_host::metadata;
use tempfile::TempDir;

use super::client::{Authority, Client};

/// The timeout for events that should be immediate.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    child: Child,
    pub(crate) reviews: SocketAddr,
    pub(crate) probes: SocketAddr,
    pub(crate) authority: Authority,
    lines: Arc<Mutex<Vec<Value>>>,
    folder: TempDir,
}

impl Server {
    /// A webhook with certificate files and without look-ups.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Server::starting(arguments).started()
    }

    /// Like the function above, but waits only until it answers probes.
    pub(crate) fn starting(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        authority.write(folder.path());
        Server::spawn(folder, authority, &["--tls-cert=tls.crt", "--tls-key=tls.key", "--no-cluster"], arguments)
    }

    /// A webhook with certificate files and look-ups in a cluster.
    pub(crate) fn start_in(kubeconfig: &str, arguments: &[&str]) -> Self {
        Server::starting_in(kubeconfig, arguments).started()
    }

    /// Like the function above, but waits only until it answers probes.
    pub(crate) fn starting_in(kubeconfig: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        authority.write(folder.path());
        let cluster = ["--tls-cert=tls.crt", "--tls-key=tls.key", "--kubeconfig", kubeconfig];
        Server::spawn(folder, authority, &cluster, arguments)
    }

    /// Another replica: with the same certificate, and look-ups in the same cluster.
    pub(crate) fn start_beside(&self, kubeconfig: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = self.authority.clone();
        authority.write(folder.path());
        let cluster = ["--tls-cert=tls.crt", "--tls-key=tls.key", "--kubeconfig", kubeconfig];
        Server::spawn(folder, authority, &cluster, arguments).started()
    }

    /// A webhook with a self-signed certificate.
    pub(crate) fn start_self_signed(kubeconfig: &str, arguments: &[&str]) -> Self {
        let certificate = ["--self-signed", "--kubeconfig", kubeconfig];
        Server::spawn(tempfile::tempdir().unwrap(), Authority::new(), &certificate, arguments).started()
    }

    /// A webhook with plain HTTP and without look-ups.
    pub(crate) fn start_plain(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Server::spawn(folder, Authority::new(), &["--insecure-http", "--no-cluster"], arguments).started()
    }

    fn spawn(folder: TempDir, authority: Authority, certificate: &[&str], arguments: &[&str]) -> Self {
        // clap rejects a repeated flag.
        let defaults = ["--drain=0s"].into_iter().filter(|flag| !is_given(arguments, flag));
        let mut child = std::process::Command::new(cargo_bin("sqledge-ha"))
            .args(["serve", "--listen=127.0.0.1:0", "--health-listen=127.0.0.1:0", "--log-format=json"])
            .args(defaults)
            .args(certificate)
            .args(arguments)
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let reader = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::clone(&lines);
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                log.lock().unwrap().push(line);
            }
        });
        let mut server =
            Server { child, reviews: ([0; 4], 0).into(), probes: ([0; 4], 0).into(), authority, lines, folder };
        server.probes = server.address("listening for probes");
        server
    }

    /// Waits until it answers reviews.
    fn started(mut self) -> Self {
        self.reviews = self.address("listening for reviews");
        self
    }

    fn address(&self, message: &str) -> SocketAddr {
        let line = self.wait_for_line(|line| line["message"] == message);
        line["address"].as_str().unwrap().parse().unwrap()
    }

    /// Waits for a line in the log.
    pub(crate) fn wait_for_line(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            if let Some(line) = self.log().into_iter().find(&wanted) {
                return line;
            }
            assert!(started.elapsed() < SOON, "the line has not come: {:#?}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The lines in the log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }

    /// A new connection over TLS.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.reviews, &self.authority).unwrap()
    }

    /// Gets a path of the health listener: status and body.
    pub(crate) fn probe(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.probes).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// The value of a metric, by the start of its line.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.probe("/metrics");
        let line = text.lines().find(|line| line.starts_with(name));
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// Waits until the webhook is ready.
    pub(crate) fn wait_until_ready(&self) {
        let started = Instant::now();
        while self.probe("/readyz").0 != 200 {
            assert!(started.elapsed() < SOON, "{}: {:#?}", self.probe("/readyz").1, self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a metric has a value.
    pub(crate) fn wait_for_metric(&self, name: &str, value: f64) {
        let started = Instant::now();
        while self.metric(name) != value {
            assert!(started.elapsed() < SOON, "{name} is {} and not {value}", self.metric(name));
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The resident memory of the process, in MiB.
    pub(crate) fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
    }

    /// The processor time of the process.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name, which can contain spaces, ends with the last parenthesis; the times are fields 14 and 15.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Whether the webhook uses TLS.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.folder.path().join("tls.crt").exists()
    }

    /// The directory of the process and of its certificate.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends SIGTERM, as the kubelet does.
    pub(crate) fn terminate(&self) {
        let ended = std::process::Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(ended.success());
    }

    /// Sends SIGKILL, as the kernel does when memory runs out.
    pub(crate) fn kill(&self) {
        let ended = std::process::Command::new("kill").args(["-KILL", &self.child.id().to_string()]).status().unwrap();
        assert!(ended.success());
    }

    /// Sends SIGSTOP: connections are accepted by the kernel, and nothing is answered.
    pub(crate) fn suspend(&self) {
        let ended = std::process::Command::new("kill").args(["-STOP", &self.child.id().to_string()]).status().unwrap();
        assert!(ended.success());
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < SOON, "the process does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_given(arguments: &[&str], flag: &str) -> bool {
    let name = flag.split('=').next().unwrap();
    arguments.iter().any(|argument| argument.split('=').next().unwrap() == name)
}

/// Assembles and annotates a module of `e2e/modules`, and returns the file.
pub(crate) fn module(folder: &Path, name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/modules").join(format!("{name}.wat"));
    let wasm = wat::parse_file(source).unwrap();
    let path = folder.join(format!("{name}.wasm"));
    fs::write(&path, metadata::annotate(&wasm, "annotations: {}", &[]).unwrap()).unwrap();
    path
}
