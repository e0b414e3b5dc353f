//! Clients that create, change, scale and delete applications, right and wrong ones, until they are stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::Client;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::Request;
use serde_json::{Value, json};

use super::answers::{Answer, Mode, Outcome, Verdict, send};
use crate::application::Application;

/// How long the webhook's watches have to see an object.
const SEEN: Duration = Duration::from_millis(500);

/// The namespaces. The first one is enforced before the other.
pub(super) const NAMESPACES: [&str; 2] = ["shop", "quarry"];

/// The part of the journey: an even number, or an odd one while the cluster changes to the next part.
pub(super) const PARTS: usize = 5;

/// What the webhook does in a namespace in a part: it is absent, warns, is enforced by label, is enforced, and is
/// removed.
pub(super) fn mode(part: usize, namespace: &str) -> Mode {
    match part / 2 {
        1 => Mode::Warn,
        2 if namespace == NAMESPACES[0] => Mode::Enforce,
        2 => Mode::Warn,
        3 => Mode::Enforce,
        _ => Mode::Absent,
    }
}

/// The column of a part and a namespace in the table.
fn column(part: usize, namespace: &str) -> usize {
    match part / 2 {
        0 | 1 => part / 2,
        2 if namespace == NAMESPACES[0] => 2,
        2 => 3,
        later => later + 1,
    }
}

/// The columns of the table.
pub(super) const COLUMNS: usize = 6;

/// An application of the load.
#[derive(Clone)]
pub(super) struct Subject {
    /// What it is, for the table.
    pub(super) says: &'static str,
    /// Its name, without a number.
    name: &'static str,
    application: Application,
    pub(super) verdict: Verdict,
}

impl Subject {
    fn new(name: &'static str, says: &'static str, application: Application) -> Self {
        let verdict = Verdict::of(&application.objects);
        Subject { says, name, application, verdict }
    }
}

fn two_replicas(application: Application, kind: &str) -> Application {
    application.with(kind, "/spec/replicas", json!(2))
}

/// A Deployment on one node, with the default strategy.
fn pinned() -> Application {
    let selector = json!({"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": "amd64-a"});
    Application::deployment("ReadWriteOnce").without("Deployment", "/spec/strategy").with(
        "Deployment",
        "/spec/template/spec/nodeSelector",
        selector,
    )
}

/// The applications that come and go.
pub(super) fn subjects() -> Vec<Subject> {
    let deployment = || Application::deployment("ReadWriteOncePod");
    let without_claim =
        deployment().with("Deployment", "/spec/template/spec/volumes/0", json!({"name": "data", "emptyDir": {}}));
    vec![
        Subject::new("right", "a right Deployment", deployment()),
        Subject::new("right-set", "a right StatefulSet", Application::stateful_set()),
        Subject::new("incomplete", "a Deployment that lacks what the rules add", deployment().incomplete()),
        Subject::new(
            "incomplete-set",
            "a StatefulSet that lacks what the rules add",
            Application::stateful_set().incomplete(),
        ),
        Subject::new("double", "a Deployment with two replicas", two_replicas(deployment(), "Deployment")),
        Subject::new(
            "double-set",
            "a StatefulSet with two replicas",
            two_replicas(Application::stateful_set(), "StatefulSet"),
        ),
        Subject::new("volatile", "a Deployment with its data in an `emptyDir`", without_claim),
    ]
}

/// A database that exists before the webhook and stays: pinned to a node, with the default strategy.
pub(super) fn legacy() -> Subject {
    Subject::new("legacy", "an old Deployment on one node, without a strategy", pinned().named("legacy"))
}

/// A database that exists before the webhook and stays, without a load balancer.
pub(super) fn vault() -> Subject {
    let mut application = Application::deployment("ReadWriteOncePod").named("vault");
    for object in &mut application.objects {
        if object["kind"] == "Service" {
            object["spec"]["type"] = json!("ClusterIP");
        }
    }
    Subject::new("vault", "a ClusterIP Service of a database without a load balancer", application)
}

impl Subject {
    pub(super) fn objects(&self) -> &[Value] {
        &self.application.objects
    }

    pub(super) fn service(&self) -> Value {
        self.application.objects.iter().find(|object| object["kind"] == "Service").unwrap().clone()
    }
}

/// A web server with an autoscaler that wants two replicas.
fn web(name: &str) -> [Value; 2] {
    let labels = json!({"app": name});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
            "containers": [{"name": "web", "image": "registry.example.com/web:3"}]}}}});
    let metric = json!({"type": "Resource", "resource": {"name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 50}}});
    let autoscaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 2, "maxReplicas": 3, "metrics": [metric]}});
    [deployment, autoscaler]
}

/// A row of the table, and its cells.
pub(super) type Table = BTreeMap<(usize, &'static str, &'static str), [BTreeSet<String>; COLUMNS]>;

/// What the clients share.
pub(super) struct Load {
    pub(super) client: Client,
    pub(super) part: AtomicUsize,
    pub(super) stop: AtomicBool,
    pub(super) requests: AtomicUsize,
    pub(super) table: Mutex<Table>,
    /// What must not have happened.
    pub(super) faults: Mutex<Vec<String>>,
    /// Specs as they are stored without the webhook, by subject and kind.
    baseline: Mutex<BTreeMap<(String, String), Value>>,
    /// How often a client of a namespace has finished in a part.
    pub(super) rounds: Mutex<BTreeMap<(usize, &'static str, &'static str), usize>>,
}

impl Load {
    pub(super) fn new(client: Client) -> Self {
        Load {
            client,
            part: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            table: Mutex::default(),
            faults: Mutex::default(),
            baseline: Mutex::default(),
            rounds: Mutex::default(),
        }
    }

    fn fault(&self, what: String) {
        self.faults.lock().unwrap().push(what);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn part(&self) -> usize {
        self.part.load(Ordering::Acquire)
    }
}

/// One client in one namespace.
pub(super) struct Worker {
    pub(super) load: Arc<Load>,
    pub(super) namespace: &'static str,
    /// The position of its rows.
    pub(super) place: usize,
}

/// A round of a client, which began in a part.
struct Round<'w> {
    worker: &'w Worker,
    part: usize,
    says: &'static str,
}

impl Worker {
    fn round(&self, says: &'static str) -> Round<'_> {
        Round { worker: self, part: self.load.part(), says }
    }

    /// Creates, changes, scales and deletes an application again and again.
    pub(super) async fn run(self, subject: Subject) {
        for number in 0.. {
            if self.load.is_stopped() {
                return;
            }
            let round = self.round(subject.says);
            round.application(&subject, &format!("{}-{number}", subject.name)).await;
            round.end().await;
        }
    }

    /// Changes a database that stays, again and again.
    pub(super) async fn update(self, subject: Subject) {
        let mut was_enforced = false;
        for number in 0.. {
            if self.load.is_stopped() {
                return;
            }
            let round = self.round(subject.says);
            if !round.is_current() {
                // The first change after the enforcement is to be seen in the next part.
                tokio::time::sleep(SEEN / 5).await;
                continue;
            }
            let enforced = mode(round.part, self.namespace) == Mode::Enforce;
            let expected = subject.verdict.outcome_of_update(mode(round.part, self.namespace), !was_enforced);
            let what = if enforced && was_enforced { "its template changes again" } else { "its template changes" };
            let mutated = round.change("deployments", subject.name, number, what, &expected).await;
            was_enforced |= mutated;
            round.end().await;
            tokio::time::sleep(2 * SEEN).await;
        }
    }

    /// Creates and deletes a Service of a database that stays, again and again.
    pub(super) async fn expose(self, subject: Subject) {
        while !self.load.is_stopped() {
            let round = self.round(subject.says);
            round.create(&subject.service(), "vault", "created", &subject.verdict).await;
            round.delete("services", "vault").await;
            round.end().await;
            tokio::time::sleep(SEEN).await;
        }
    }

    /// Creates a web server, waits until its autoscaler has scaled it, changes and deletes it, again and again.
    pub(super) async fn autoscale(self, says: &'static str) {
        for number in 0.. {
            if self.load.is_stopped() {
                return;
            }
            let round = self.round(says);
            let name = format!("web-{number}");
            let nothing = Verdict::default();
            for object in web(&name) {
                round.create(&object, &name, "created", &nothing).await;
            }
            round.is_scaled(&name).await;
            round.change("deployments", &name, number, "its template changes", &Outcome::Accepted).await;
            for plural in ["horizontalpodautoscalers", "deployments"] {
                round.delete(plural, &name).await;
            }
            round.end().await;
        }
    }
}

impl Round<'_> {
    fn collection(&self, plural: &str) -> Request {
        let group = match plural {
            "deployments" | "statefulsets" => "/apis/apps/v1",
            "horizontalpodautoscalers" => "/apis/autoscaling/v2",
            _ => "/api/v1",
        };
        Request::new(format!("{group}/namespaces/{}/{plural}", self.worker.namespace))
    }

    fn mode(&self) -> Mode {
        mode(self.part, self.worker.namespace)
    }

    /// Whether the webhook does the same in this namespace as when the round began.
    fn is_current(&self) -> bool {
        self.part.is_multiple_of(2) && self.worker.load.part() == self.part
    }

    /// Compares an outcome with the expected one. While the cluster changes, either of both parts can decide.
    fn record(&self, what: &'static str, outcome: &Outcome, expected: &Outcome) {
        let load = &self.worker.load;
        load.requests.fetch_add(1, Ordering::Relaxed);
        let about = || format!("part {}, {}, {}, {what}", self.part, self.worker.namespace, self.says);
        if self.is_current() {
            if outcome != expected {
                load.fault(format!("{}: {outcome}, but it must be {expected}", about()));
            }
            let mut table = load.table.lock().unwrap();
            let cells = table.entry((self.worker.place, self.says, what)).or_default();
            cells[column(self.part, self.worker.namespace)].insert(outcome.to_string());
            return;
        }
        let can_reject = [self.part, load.part(), load.part() + 1]
            .iter()
            .any(|part| mode(*part, self.worker.namespace) == Mode::Enforce);
        let is_harmless = match outcome {
            Outcome::Accepted | Outcome::Warned(_) => true,
            Outcome::Mutated(_) | Outcome::Rejected(_) => can_reject,
            Outcome::Failed(_) => false,
        };
        if !is_harmless {
            load.fault(format!("while the cluster changes: {}: {outcome}", about()));
        }
    }

    /// Sends the objects of an application, then changes, scales and deletes it.
    async fn application(&self, subject: &Subject, name: &str) {
        let application = subject.application.clone().named(name);
        let (workload, others) = application.objects.split_last().unwrap();
        for object in others {
            self.create(object, name, "its claim and its Service are created", &Verdict::default()).await;
        }
        let plural = plural(workload);
        if self.create(workload, name, "created", &subject.verdict).await {
            tokio::time::sleep(SEEN).await;
            let expected = match self.mode() {
                Mode::Enforce => Outcome::Accepted,
                mode => subject.verdict.outcome(mode),
            };
            self.change(&plural, name, 0, "its template changes", &expected).await;
            self.scale(&plural, name, workload["spec"]["replicas"].as_u64().unwrap() + 1).await;
        }
        for object in application.objects.iter().rev() {
            self.delete(&self::plural(object), name).await;
        }
    }

    /// Creates an object. Returns whether it is stored.
    async fn create(&self, object: &Value, name: &str, what: &'static str, verdict: &Verdict) -> bool {
        let collection = self.collection(&plural(object));
        let request = collection.create(&PostParams::default(), object.to_string().into_bytes());
        let answer = send(&self.worker.load.client, request).await;
        let outcome = answer.outcome(|stored| self.is_as_before(stored, name));
        self.record(what, &outcome, &verdict.outcome(self.mode()));
        answer.stored.is_ok()
    }

    /// Whether an object is stored as without the webhook. The first part of the journey says how that is.
    fn is_as_before(&self, stored: &Value, name: &str) -> bool {
        let spec = without_choices(stored, name);
        let key = (self.says.to_owned(), stored["kind"].to_string());
        let mut baseline = self.worker.load.baseline.lock().unwrap();
        if self.part == 0 && self.is_current() {
            return *baseline.entry(key).or_insert_with(|| spec.clone()) == spec;
        }
        baseline.get(&key).is_none_or(|before| *before == spec)
    }

    /// Changes the template of a workload. Returns whether something else changed, too.
    async fn change(&self, plural: &str, name: &str, number: usize, what: &'static str, expected: &Outcome) -> bool {
        let client = &self.worker.load.client;
        let before = send(client, self.collection(plural).get(name, &kube::api::GetParams::default())).await;
        let template = json!({"metadata": {"annotations": {"example.com/change": number.to_string()}}});
        let patch = Patch::Strategic(json!({"spec": {"template": template}}));
        let request = self.collection(plural).patch(name, &PatchParams::default(), &patch);
        let answer = send(client, request).await;
        let comparable = |object: &Value| {
            let mut spec = without_choices(object, name);
            // An autoscaler can be faster.
            spec.as_object_mut().unwrap().remove("replicas");
            if let Some(metadata) = spec["template"]["metadata"].as_object_mut() {
                metadata.remove("annotations");
            }
            spec
        };
        let outcome = answer
            .outcome(|stored| before.stored.as_ref().is_ok_and(|before| comparable(before) == comparable(stored)));
        self.record(what, &outcome, expected);
        matches!(outcome, Outcome::Mutated(_))
    }

    async fn scale(&self, plural: &str, name: &str, replicas: u64) {
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let request = self.collection(plural).patch_subresource("scale", name, &PatchParams::default(), &patch);
        let answer = send(&self.worker.load.client, request).await;
        let outcome = answer.outcome(|stored| stored["spec"]["replicas"] == json!(replicas));
        self.record("scaled by one replica more", &outcome, &Verdict::of_scaling().outcome(self.mode()));
    }

    async fn delete(&self, plural: &str, name: &str) {
        let request = self.collection(plural).delete(name, &DeleteParams::default());
        let answer = send(&self.worker.load.client, request).await;
        // It was not stored, or not yet given its name by the StatefulSet.
        let is_absent = |answer: &Answer| answer.stored.as_ref().is_err_and(|message| message.contains("not found"));
        if !is_absent(&answer) {
            self.record("deleted", &answer.outcome(|_| true), &Outcome::Accepted);
        }
    }

    /// Waits until an autoscaler has scaled a Deployment.
    async fn is_scaled(&self, name: &str) {
        let is_scaled = async {
            loop {
                let request = self.collection("deployments").get(name, &kube::api::GetParams::default());
                let answer = send(&self.worker.load.client, request).await;
                if answer.stored.is_ok_and(|stored| stored["spec"]["replicas"] == json!(2)) {
                    return;
                }
                tokio::time::sleep(SEEN / 2).await;
            }
        };
        let outcome = match tokio::time::timeout(Duration::from_secs(30), is_scaled).await {
            Ok(()) => Outcome::Accepted,
            Err(_) => Outcome::Failed("not scaled within 30 s".to_owned()),
        };
        self.record("scaled by its HorizontalPodAutoscaler", &outcome, &Outcome::Accepted);
    }

    /// Counts the round if it was in one part from beginning to end.
    async fn end(&self) {
        if self.is_current() {
            let key = (self.part, self.worker.namespace, self.says);
            *self.worker.load.rounds.lock().unwrap().entry(key).or_default() += 1;
        }
        tokio::time::sleep(SEEN).await;
    }
}

fn plural(object: &Value) -> String {
    format!("{}s", object["kind"].as_str().unwrap().to_lowercase())
}

/// The spec of an object, without its name and what each API server chooses.
fn without_choices(object: &Value, name: &str) -> Value {
    let mut spec = object["spec"].clone();
    for field in ["clusterIP", "clusterIPs", "healthCheckNodePort"] {
        spec.as_object_mut().map(|spec| spec.remove(field));
    }
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        port.as_object_mut().map(|port| port.remove("nodePort"));
    }
    serde_json::from_str(&spec.to_string().replace(name, "NAME")).unwrap()
}
