//! The distribution registry on a free port of the loopback interface.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::tools::tool;

/// The only user of a registry with a password.
pub(super) const USER: &str = "tester";
/// The user's password. Output with this prefix fails a test.
pub(super) const PASSWORD: &str = "Secret-of-the-registry";
/// The output of `htpasswd -B` for both.
const HTPASSWD: &str = "tester:$2y$05$abcdefghijklmnopqrstuumjjaZz.XJTesunHAPwQFHjENg37Fd3G\n";

/// Configuration below `http` for TLS.
const TLS: &str = "  tls: {certificate: tls.crt, key: tls.key}\n";
/// Configuration for a password.
const AUTH: &str = "auth: {htpasswd: {realm: test, path: htpasswd}}\n";

pub(crate) struct Registry {
    child: Child,
    pub(super) address: SocketAddr,
    folder: TempDir,
}

impl Registry {
    /// A registry with plain HTTP and without a password.
    pub(crate) fn plain() -> Self {
        Registry::start("", "")
    }

    /// A registry with plain HTTP and a password.
    pub(super) fn with_password() -> Self {
        Registry::start("", AUTH)
    }

    /// A registry with TLS, whose certificate is signed by the private authority [`Registry::ca_cert`].
    pub(super) fn with_tls() -> Self {
        Registry::start(TLS, "")
    }

    /// A registry with TLS and a password.
    pub(super) fn with_tls_and_password() -> Self {
        Registry::start(TLS, AUTH)
    }

    fn start(http: &str, auth: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
        certify(folder.path());
        let configuration = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: storage}}}}\n\
             http:\n  addr: 127.0.0.1:0\n  secret: test\n{http}{auth}"
        );
        fs::write(folder.path().join("config.yml"), configuration).unwrap();
        let mut command = Command::new(tool("registry"));
        command.args(["serve", "config.yml"]).current_dir(folder.path()).env("OTEL_TRACES_EXPORTER", "none");
        let mut log_file = new_log();
        let mut child = command.stdout(log_file.try_clone().unwrap()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut log = lines.inspect(move |line| log_file.write_all(format!("{line}\n").as_bytes()).unwrap());
        let line = log.by_ref().find_map(|line| Some(line.split_once("listening on ")?.1.to_owned()));
        let line = line.expect("the registry logs its address");
        let address = line.split(['"', ',', ' ']).next().unwrap().parse().unwrap();
        // The registry blocks if nobody reads its log.
        thread::spawn(move || log.for_each(drop));
        Registry { child, address, folder }
    }

    /// A reference into this registry.
    pub(crate) fn reference(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    /// The certificate of the authority.
    pub(super) fn ca_cert(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// The file of a blob.
    pub(super) fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let blobs = self.folder.path().join("storage/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }

    /// Sends a GET request and returns head and body of the response.
    pub(super) fn get(&self, path: &str) -> (String, Vec<u8>) {
        self.send("GET", path, "Accept: application/vnd.oci.image.manifest.v1+json", b"")
    }

    /// Uploads a manifest.
    pub(super) fn put_manifest(&self, repository: &str, tag: &str, media_type: &str, manifest: &[u8]) {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let (head, body) = self.send("PUT", &path, &format!("Content-Type: {media_type}"), manifest);
        assert!(head.starts_with("HTTP/1.1 201"), "{head}{}", String::from_utf8_lossy(&body));
    }

    /// Uploads a blob.
    pub(super) fn put_blob(&self, repository: &str, digest: &str, content: &[u8]) {
        let (head, _) = self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), "Accept: */*", b"");
        let location = head.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap();
        let path = &location[location.find("/v2/").unwrap()..];
        let kind = "Content-Type: application/octet-stream";
        let (head, _) = self.send("PUT", &format!("{path}&digest={digest}"), kind, content);
        assert!(head.starts_with("HTTP/1.1 201"), "{head}");
    }

    fn send(&self, method: &str, path: &str, header: &str, body: &[u8]) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let (host, length) = (self.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{header}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let body = answer.split_off(end + 4);
        (String::from_utf8(answer).unwrap(), body)
    }

    /// Suspends the registry.
    pub(super) fn pause(&self) {
        self.send_signal("-STOP");
    }

    /// Resumes the registry, which then answers the requests received meanwhile.
    pub(super) fn resume(&self) {
        self.send_signal("-CONT");
    }

    fn send_signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Stops the registry.
    pub(super) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A file for the log of a registry, which stays until the test runs again.
#[allow(clippy::print_stdout, reason = "the harness prints it if the test fails")]
fn new_log() -> File {
    thread_local! {
        static STARTED: Cell<usize> = const { Cell::new(0) };
    }
    let number = STARTED.get() + 1;
    STARTED.set(number);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("registry");
    fs::create_dir_all(&folder).unwrap();
    // The harness runs each test in a thread with its name.
    let test = thread::current().name().unwrap_or("registry").replace("::", ".");
    let path = folder.join(format!("{test}.{number}.log"));
    println!("the log of registry {number}: {}", path.display());
    File::create(path).unwrap()
}

/// Writes the certificate of an authority, and a certificate signed by it with its key.
fn certify(folder: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&key).unwrap();
    fs::write(folder.join("ca.crt"), certificate.pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let signed = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("tls.crt"), signed.pem()).unwrap();
    fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
}
