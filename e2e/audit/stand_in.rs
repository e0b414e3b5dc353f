//! An API server with scripted answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The token that the kubeconfig has.
pub(super) const SECRET: &str = "s3cr3t-t0ken";

/// An answer: the status, the body, and how many bytes of it are sent.
pub(super) struct Answer {
    status: u16,
    body: String,
    sent: usize,
}

impl Answer {
    pub(super) fn text(status: u16, body: &str) -> Self {
        Answer { status, body: body.to_owned(), sent: body.len() }
    }

    pub(super) fn json(body: &Value) -> Self {
        Answer::text(200, &body.to_string())
    }

    /// An error, as API servers send it, with more `metadata`.
    pub(super) fn error(status: u16, message: &str, metadata: &Value) -> Self {
        let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure",
            "message": message, "reason": "Test", "code": status});
        Answer::text(status, &body.to_string())
    }

    /// Sends only a part of the body, and closes the connection.
    pub(super) fn cut(mut self) -> Self {
        self.sent = self.body.len() / 2;
        self
    }
}

/// A request: the method, the path with its query, and the body.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: String,
}

/// A server that runs until this process ends.
pub(super) struct StandIn {
    folder: TempDir,
    pub(super) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl StandIn {
    /// Answers each path, with its query, with `answer`; what that leaves open, with the version and empty lists.
    pub(super) fn start(answer: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> Self {
        StandIn::answering(move |request| answer(&request.path))
    }

    /// The same for whole requests.
    pub(super) fn answering(answer: impl Fn(&Received) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&received);
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let answer = answer(&request).unwrap_or_else(|| usual(&request.path));
                    seen.lock().unwrap().push(request);
                    // The client may have closed the connection.
                    let _ = send(stream, &answer);
                });
            }
        });
        StandIn { folder: tempfile::tempdir().unwrap(), address, received }
    }

    /// The path of a kubeconfig for it.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        let path = self.folder.path().join("config");
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "shop",
            "clusters": [{"name": "edge", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "admin", "user": {"token": SECRET}}],
            "contexts": [{"name": "shop", "context": {"cluster": "edge", "user": "admin"}}]});
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// How often a path was requested, whatever the query.
    pub(super) fn count(&self, path: &str) -> usize {
        self.received().iter().filter(|request| request.path.split('?').next() == Some(path)).count()
    }

    /// All requests.
    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

/// A Deployment with a database in the namespace `shop`, as an item of a list.
pub(super) fn deployment(name: &str) -> Value {
    let labels = json!({"app": name});
    let container = json!({"name": "sql", "image": "mcr.microsoft.com/azure-sql-edge:2.0.0",
        "volumeMounts": [{"name": "settings", "mountPath": "/var/opt/mssql/mssql.conf"}]});
    let volume = json!({"name": "settings", "configMap": {"name": "settings"}});
    json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"replicas": 1, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": [volume]}}}})
}

/// A page of Deployments; `next` continues the list.
pub(super) fn deployments(names: &[&str], next: &str) -> Answer {
    let items: Vec<Value> = names.iter().map(|name| deployment(name)).collect();
    Answer::json(
        &json!({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {"continue": next}, "items": items}),
    )
}

fn usual(path: &str) -> Answer {
    if path == "/version" {
        let empty = ["buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "platform"];
        let mut version = json!({"major": "1", "minor": "33", "gitVersion": "v1.33.1"});
        empty.iter().for_each(|field| version[*field] = json!(""));
        return Answer::json(&version);
    }
    // Without a list of its groups, it is asked for all.
    if path == "/apis" || path == "/apis/security.openshift.io" {
        return Answer::error(404, "not found", &json!({}));
    }
    Answer::json(&json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []}))
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        if line.trim_end().is_empty() {
            break;
        }
        head.push(line.trim_end().to_ascii_lowercase());
        if head.len() == 1 {
            // Paths can have capitals.
            head[0] = line.trim_end().to_owned();
        }
    }
    let mut words = head.first()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received { method, path, body: String::from_utf8(body).ok()? })
}

fn send(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    let Answer { status, body, sent } = answer;
    write!(stream, "HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\nConnection: close\r\n")?;
    write!(stream, "Content-Length: {}\r\n\r\n{}", body.len(), &body[..*sent])
}
