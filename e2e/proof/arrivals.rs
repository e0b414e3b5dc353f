//! A workload and its Services arrive in every order, and are applied twice: nothing that is right is rejected, and the
//! second apply changes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use kube::Client;
use kube::api::{GetParams, Patch, PatchParams, PostParams};
use kube::core::Request;
use serde_json::{Value, json};
use sqledge_ha::cluster_client::connect;

use crate::application::Application;
use crate::environment::{Environment, RUNTIME};
use crate::results::{self, Table};
use crate::webhook_configurations::list;

/// The flags of the cluster: its controllers would only add status.
pub(crate) const FLAGS: [&str; 1] = ["--api-only"];

/// How long the webhook's watches have to see an object.
const SEEN: Duration = Duration::from_millis(500);

/// How many applications arrive at a time.
const MAX_APPLICATIONS: usize = 32;

/// The annotation of `kubectl apply`.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The objects that arrive, by the letters of the table.
const ARRIVING: [char; 4] = ['W', 'H', 'C', 'L'];

/// How a user applies manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Apply {
    ClientSide,
    ServerSide,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Stored,
    Warned,
    Mutated,
    Rejected,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Stored => "allowed",
            Outcome::Warned => "allowed with a warning",
            Outcome::Mutated => "mutated",
            Outcome::Rejected => "rejected",
        }
    }
}

/// The answer of the API server.
struct Answer {
    stored: Result<Value, String>,
    has_warnings: bool,
}

/// The outcomes that are not `Stored`, by letter.
type Outcomes = BTreeMap<char, Outcome>;

/// Applications of one kind, applied in one way.
#[derive(Clone, Copy, Debug)]
struct Variant {
    kind: &'static str,
    apply: Apply,
}

const VARIANTS: [Variant; 4] = [
    Variant { kind: "Deployment", apply: Apply::ClientSide },
    Variant { kind: "Deployment", apply: Apply::ServerSide },
    Variant { kind: "StatefulSet", apply: Apply::ClientSide },
    Variant { kind: "StatefulSet", apply: Apply::ServerSide },
];

/// Every order of every selection of objects that includes the workload and a Service.
fn orders() -> Vec<String> {
    let mut begun = vec![String::new()];
    let mut orders = Vec::new();
    while let Some(order) = begun.pop() {
        let next = ARRIVING.into_iter().filter(|letter| !order.contains(*letter));
        begun.extend(next.map(|letter| format!("{order}{letter}")));
        if order.contains('W') && order.len() > 1 {
            orders.push(order);
        }
    }
    orders.sort_by_key(|order| (std::cmp::Reverse(order.len()), order.chars().map(position).collect::<Vec<_>>()));
    orders
}

fn position(letter: char) -> usize {
    ARRIVING.iter().position(|of| *of == letter).unwrap()
}

/// Applies the objects in every order, each in its own namespace.
pub(crate) fn every_order_is_stored_and_stays(environment: &Environment) {
    let client = RUNTIME.block_on(connect(Some(Path::new(environment.cluster.kubeconfig())))).unwrap();
    let orders = orders();
    let arrivals =
        VARIANTS.iter().flat_map(|variant| orders.iter().map(|order| Arrival::new(&client, *variant, order)));
    let arrivals: Vec<Arrival> = arrivals.collect();
    let namespaces = arrivals.iter().map(|arrival| &arrival.namespace);
    let namespace = |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    environment.cluster.must(&["create", "-f", "-"], &list(&namespaces.map(namespace).collect::<Vec<_>>()));

    let answers = arrivals.iter().map(Arrival::first_apply);
    let answers: Vec<Vec<Answer>> = RUNTIME.block_on(stream::iter(answers).buffered(MAX_APPLICATIONS).collect());
    apply_again(environment, &arrivals);
    for (arrival, answers) in arrivals.iter().zip(&answers) {
        RUNTIME.block_on(arrival.assert_unchanged(answers));
    }

    let mut rows: BTreeMap<Outcomes, Vec<&str>> = BTreeMap::new();
    for order in &orders {
        let same = arrivals.iter().zip(&answers).filter(|(arrival, _)| arrival.order == *order);
        let mut same = same.map(|(arrival, answers)| arrival.outcomes(answers));
        let outcomes = same.next().unwrap();
        assert!(same.all(|other| other == outcomes), "{order}: kinds or ways to apply differ");
        assert!(!outcomes.values().any(|outcome| *outcome == Outcome::Rejected), "{order}: {outcomes:?}");
        rows.entry(outcomes).or_default().push(order);
    }
    for (place, (outcomes, orders)) in rows.iter().enumerate() {
        let outcome = |letter| outcomes.get(letter).copied().unwrap_or(Outcome::Stored).name().to_owned();
        let cells =
            [vec![orders.join(", ")], ARRIVING.iter().map(outcome).collect(), vec!["changes nothing".to_owned()]];
        results::row(Table::Arrivals, place, &cells.concat());
    }
}

/// Applies everything again: server-side like the first time, client-side with `kubectl`.
fn apply_again(environment: &Environment, arrivals: &[Arrival]) {
    let (client_side, server_side): (Vec<&Arrival>, Vec<&Arrival>) =
        arrivals.iter().partition(|arrival| arrival.apply == Apply::ClientSide);
    let objects: Vec<Value> = client_side.iter().flat_map(|arrival| arrival.objects.clone()).collect();
    environment.cluster.must(&["apply", "-f", "-"], &list(&objects));
    let again = server_side.iter().map(|arrival| async {
        for object in &arrival.objects {
            arrival.send(object).await.stored.unwrap_or_else(|error| panic!("{}: {error}", arrival.namespace));
        }
    });
    RUNTIME.block_on(stream::iter(again).buffer_unordered(4).for_each(|()| async {}));
}

/// One application that arrives.
struct Arrival {
    client: Client,
    namespace: String,
    order: String,
    apply: Apply,
    claims: Vec<Value>,
    objects: Vec<Value>,
}

impl Arrival {
    fn new(client: &Client, variant: Variant, order: &str) -> Self {
        let apply = variant.apply;
        let namespace = format!("arrival-{}-{apply:?}-{order}", variant.kind).to_lowercase();
        let (mut claims, mut arriving) = objects(variant.kind);
        for object in claims.iter_mut().chain(&mut arriving) {
            object["metadata"]["namespace"] = json!(namespace);
        }
        let objects = order.chars().map(|letter| arriving[position(letter)].clone()).collect();
        Arrival { client: client.clone(), namespace, order: order.to_owned(), apply, claims, objects }
    }

    /// Applies the objects, one after the other.
    async fn first_apply(&self) -> Vec<Answer> {
        for claim in &self.claims {
            self.send(claim).await.stored.unwrap();
        }
        let mut answers = Vec::new();
        for object in &self.objects {
            answers.push(self.send(object).await);
            tokio::time::sleep(SEEN).await;
        }
        answers
    }

    /// Fails unless all objects are those of the first apply.
    async fn assert_unchanged(&self, answers: &[Answer]) {
        for (object, answer) in self.objects.iter().zip(answers) {
            let (collection, name) = (self.collection(object), object["metadata"]["name"].as_str().unwrap());
            let after: Value = self.client.request(collection.get(name, &GetParams::default()).unwrap()).await.unwrap();
            assert_eq!(answer.stored.as_ref(), Ok(&after), "{}", self.namespace);
        }
    }

    fn outcomes(&self, answers: &[Answer]) -> Outcomes {
        let outcomes = self.order.chars().zip(&self.objects).zip(answers);
        let outcomes = outcomes.map(|((letter, object), answer)| (letter, outcome(object, answer)));
        outcomes.filter(|(_, outcome)| *outcome != Outcome::Stored).collect()
    }

    /// The path of objects of the same kind.
    fn collection(&self, object: &Value) -> Request {
        let version = match object["apiVersion"].as_str().unwrap() {
            "v1" => "/api/v1".to_owned(),
            version => format!("/apis/{version}"),
        };
        let plural = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
        Request::new(format!("{version}/namespaces/{}/{plural}", self.namespace))
    }

    /// Applies an object as `kubectl` does: client-side one that does not exist, server-side any.
    async fn send(&self, object: &Value) -> Answer {
        let collection = self.collection(object);
        let request = match self.apply {
            Apply::ClientSide => {
                let mut annotated = object.clone();
                annotated["metadata"]["annotations"] = json!({});
                annotated.sort_all_objects();
                let last_applied = format!("{annotated}\n");
                annotated["metadata"]["annotations"][LAST_APPLIED] = json!(last_applied);
                let manager = Some("kubectl-client-side-apply".to_owned());
                let parameters = PostParams { field_manager: manager, ..PostParams::default() };
                collection.create(&parameters, annotated.to_string().into_bytes())
            }
            Apply::ServerSide => {
                let name = object["metadata"]["name"].as_str().unwrap();
                collection.patch(name, &PatchParams::apply("kubectl"), &Patch::Apply(object))
            }
        };
        let response = self.client.send(request.unwrap().map(Into::into)).await.unwrap();
        let has_warnings = response.headers().contains_key("warning");
        let is_stored = response.status().is_success();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        Answer { stored: if is_stored { Ok(body) } else { Err(body["message"].to_string()) }, has_warnings }
    }
}

fn outcome(sent: &Value, answer: &Answer) -> Outcome {
    match &answer.stored {
        Err(_) => Outcome::Rejected,
        Ok(stored) if !contains(stored, sent) => Outcome::Mutated,
        Ok(_) if answer.has_warnings => Outcome::Warned,
        Ok(_) => Outcome::Stored,
    }
}

/// Whether an object has all values of another one.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|whole| contains(whole, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        (whole, part) => whole == part,
    }
}

/// The claims of an application, and its workload, headless, ClusterIP and LoadBalancer Service.
fn objects(kind: &str) -> (Vec<Value>, [Value; 4]) {
    let application = match kind {
        "Deployment" => Application::deployment("ReadWriteOncePod"),
        _ => Application::stateful_set().with("StatefulSet", "/spec/serviceName", json!("ledger-pods")),
    };
    let mut claims = application.objects;
    let workload = claims.pop().unwrap();
    let load_balancer = claims.pop().unwrap();
    let with = |name: &str, fields: [(&str, Value); 2]| {
        let mut service = load_balancer.clone();
        service["metadata"]["name"] = json!(name);
        fields.into_iter().for_each(|(field, value)| service["spec"][field] = value);
        service
    };
    let cluster_ip = json!("ClusterIP");
    let headless = with("ledger-pods", [("type", cluster_ip.clone()), ("clusterIP", json!("None"))]);
    let inside = with("ledger-inside", [("type", cluster_ip), ("sessionAffinity", json!("None"))]);
    (claims, [workload, headless, inside, load_balancer])
}
