//! What the webhook answers to HTTP requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use axum::routing::post;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use sqledge_ha_policy::settings::Settings;

use super::gate::{Closed, Gate, Pass};
use super::health::Readiness;
use super::incoming::Incoming;
use super::metrics::Metrics;
use super::workers::{Answer, Decision, Unanswered, Workers};

/// The two stages of admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Objects may be patched.
    Mutate,
    /// Objects are only judged.
    Validate,
}

impl Stage {
    /// The path that it is asked under.
    pub fn path(self) -> &'static str {
        match self {
            Stage::Mutate => "/mutate",
            Stage::Validate => "/validate",
        }
    }
}

/// What it takes to answer.
pub struct Reception {
    /// Lets requests in.
    pub gate: Gate,
    /// How long a body may take to come in.
    pub body_time_out: Duration,
    /// The settings by which requests are accepted without asking the module; `None` if the module is not the embedded
    /// one, of which alone it is known what it would say.
    pub shortcut: Option<Settings>,
    /// Those who ask the module.
    pub workers: Workers,
    /// Whether the webhook is about to stop.
    pub readiness: Arc<Readiness>,
    /// Where everything is counted.
    pub metrics: Arc<Metrics>,
}

/// The paths of the webhook.
pub fn router(reception: Arc<Reception>) -> Router {
    let answer = |stage| move |State(reception), request| answer(reception, stage, request);
    Router::new()
        .route(Stage::Mutate.path(), post(answer(Stage::Mutate)))
        .route(Stage::Validate.path(), post(answer(Stage::Validate)))
        .fallback(async || refusal(StatusCode::NOT_FOUND, "there is /mutate and /validate"))
        .with_state(reception)
}

/// Why a request is no review that can be answered.
struct Refusal(StatusCode, String);

impl Refusal {
    fn new(status: StatusCode, message: &str) -> Self {
        Refusal(status, message.to_owned())
    }
}

async fn answer(reception: Arc<Reception>, stage: Stage, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    reception.metrics.in_flight.inc();
    let _inside = InFlight(Arc::clone(&reception.metrics));
    let takes_leave = request.version() <= Version::HTTP_11 && reception.readiness.stops();
    let mut response = respond(&reception, stage, request, started).await;
    if takes_leave {
        // Over HTTP/1.1 a connection that is closed while the next request is on its way is an error to the client.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn respond(reception: &Reception, stage: Stage, request: Request<Body>, started: Instant) -> Response<Body> {
    match review(reception, stage, request).await {
        Ok((incoming, answer)) => {
            let took = started.elapsed();
            reception.metrics.answered(stage, &incoming.about, &answer, took);
            log(stage, &incoming, &answer, took);
            let json = [(header::CONTENT_TYPE, "application/json")];
            axum::response::IntoResponse::into_response((json, answer.body))
        }
        Err(Refusal(status, message)) => {
            reception.metrics.turned_away(status_name(status));
            tracing::info!(path = stage.path(), status = status.as_u16(), "turned away: {message}");
            refusal(status, &message)
        }
    }
}

/// Counts a request as one in flight until its handler ends, also when the client hangs up.
struct InFlight(Arc<Metrics>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

async fn review(reception: &Reception, stage: Stage, request: Request<Body>) -> Result<(Incoming, Answer), Refusal> {
    let length = declared_length(request.headers());
    let mut pass = reception.gate.enter(length).map_err(|closed| closed_to(reception, closed))?;
    if !is_json(request.headers()) {
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send an AdmissionReview as application/json"));
    }
    let body = read_body(reception, &mut pass, request.into_body()).await?;
    let incoming = Incoming::read(body).map_err(|misread| Refusal(StatusCode::BAD_REQUEST, misread.to_string()))?;
    if reception.shortcut.as_ref().is_some_and(|settings| !incoming.concerns(settings)) {
        let answer = Answer::accepted(&incoming);
        return Ok((incoming, answer));
    }
    reception.workers.ask(stage, incoming).await.map_err(|unanswered| match unanswered {
        Unanswered::Overdue => closed_to(reception, Closed::Busy),
        Unanswered::Ended => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the webhook is stopping"),
    })
}

async fn read_body(reception: &Reception, pass: &mut Pass, body: Body) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(reception.body_time_out, collect(pass, body)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(Unread::Closed(closed))) => Err(closed_to(reception, closed)),
        Ok(Err(Unread::Broken)) => {
            Err(Refusal::new(StatusCode::BAD_REQUEST, "the body ended before its length was reached"))
        }
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body took too long to come in")),
    }
}

/// Why a body was not read to its end.
enum Unread {
    /// There is no room for it.
    Closed(Closed),
    /// The client stopped sending.
    Broken,
}

/// Takes in a body, part by part as there is room for it.
async fn collect(pass: &mut Pass, mut body: Body) -> Result<Bytes, Unread> {
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        pass.take(part.len()).map_err(Unread::Closed)?;
        if collected.is_empty() && body.is_end_stream() {
            return Ok(part); // Most bodies come in one part, which need not be copied.
        }
        collected.extend_from_slice(&part);
    }
    Ok(collected.freeze())
}

fn closed_to(reception: &Reception, closed: Closed) -> Refusal {
    match closed {
        Closed::Busy => Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too much to do; come again"),
        Closed::TooLarge => {
            let longest = reception.gate.longest_body();
            Refusal(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {longest} bytes"))
        }
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{message}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn status_name(status: StatusCode) -> &'static str {
    match status {
        StatusCode::TOO_MANY_REQUESTS => "429",
        StatusCode::PAYLOAD_TOO_LARGE => "413",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "415",
        StatusCode::REQUEST_TIMEOUT => "408",
        StatusCode::SERVICE_UNAVAILABLE => "503",
        _ => "400",
    }
}

/// One line for each decision, refusals where everybody sees them. Names, never contents.
fn log(stage: Stage, incoming: &Incoming, answer: &Answer, took: Duration) {
    let is_refusal = answer.decision == Decision::Rejected;
    if !(is_refusal || tracing::enabled!(tracing::Level::DEBUG)) {
        return;
    }
    let (names, about) = (incoming.names(), &incoming.about);
    let rules: Vec<String> = answer.rules.iter().map(|(action, ids)| format!("{action}: {ids}")).collect();
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                path = stage.path(),
                uid = incoming.uid(),
                operation = about.operation,
                group = about.group,
                kind = about.kind,
                sub_resource = &*names.sub_resource,
                namespace = &*names.namespace,
                name = &*names.name,
                rules = rules.join("; "),
                microseconds = took.as_micros(),
                "{}",
                answer.decision.name()
            )
        };
    }
    if is_refusal { line!(info) } else { line!(debug) }
}
