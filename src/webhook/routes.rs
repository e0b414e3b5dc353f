//! The HTTP routes for AdmissionReviews.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use axum::response::IntoResponse;
use axum::routing::post;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, SizeHint};

use super::active_settings::ActiveSettings;
use super::decision::{Answer, Stage, action_name};
use super::events::Events;
use super::health::{Readiness, SHUTTING_DOWN};
use super::log::non_empty;
use super::metrics::Metrics;
use super::request_limit::{LimitExceeded, RequestLimit, RequestPermit};
use super::review_request::{needs_check, read_review};
use super::workers::{NoAnswer, Workers};
use crate::wasm_host::{AdmissionReview, RequestInfo};

/// What the routes need.
pub struct WebhookState {
    /// Limits requests in flight.
    pub request_limit: RequestLimit,
    /// How long receiving a body may take.
    pub body_timeout: Duration,
    /// The policy's settings, which allow some requests without running the module.
    pub settings: Arc<ActiveSettings>,
    /// Run the module.
    pub workers: Workers,
    /// Whether the webhook is shutting down.
    pub readiness: Arc<Readiness>,
    /// Counts requests.
    pub metrics: Arc<Metrics>,
    /// Reports effects as Kubernetes Events, if that is switched on.
    pub events: Option<Events>,
}

/// The routes of the webhook.
pub fn router(state: Arc<WebhookState>) -> Router {
    let answer = |stage| move |State(state), request| answer(state, stage, request);
    Router::new()
        .route(Stage::Mutate.path(), post(answer(Stage::Mutate)))
        .route(Stage::Validate.path(), post(answer(Stage::Validate)))
        .route(Stage::Warn.path(), post(answer(Stage::Warn)))
        .fallback(async || {
            HttpError::new(StatusCode::NOT_FOUND, "not found; the paths are /mutate, /validate and /warn")
        })
        .with_state(state)
}

/// The HTTP error for a request that has no AdmissionReview as an answer.
struct HttpError(StatusCode, String);

impl HttpError {
    fn new(status: StatusCode, message: &str) -> Self {
        HttpError(status, message.to_owned())
    }

    /// The label in metrics.
    fn label(&self) -> &'static str {
        match self.0 {
            StatusCode::TOO_MANY_REQUESTS => "429",
            StatusCode::PAYLOAD_TOO_LARGE => "413",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "415",
            StatusCode::REQUEST_TIMEOUT => "408",
            StatusCode::INTERNAL_SERVER_ERROR => "500",
            StatusCode::SERVICE_UNAVAILABLE => "503",
            _ => "400",
        }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response<Body> {
        let HttpError(status, message) = self;
        let mut response = (status, format!("{message}\n")).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

async fn answer(state: Arc<WebhookState>, stage: Stage, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    let _in_flight = InFlight::new(&state.metrics);
    let (head, mut body) = request.into_parts();
    let close_connection = head.version <= Version::HTTP_11 && state.readiness.is_stopping();
    let mut response = match review(&state, stage, &head.headers, &mut body).await {
        Ok((review, answer)) => {
            let duration = started.elapsed();
            state.metrics.record_answer(stage, &review.info, &answer, duration);
            log(stage, &review.info, &answer, duration);
            state.events.iter().for_each(|events| events.record(stage, &review, &answer));
            ([(header::CONTENT_TYPE, "application/json")], answer.body).into_response()
        }
        Err(error) => {
            state.metrics.count_http_error(error.label());
            let (path, status) = (stage.path(), error.0.as_u16());
            match error.0 {
                // The worker has logged why.
                StatusCode::INTERNAL_SERVER_ERROR => {}
                StatusCode::TOO_MANY_REQUESTS => tracing::warn!(path, status, "HTTP error: {}", error.1),
                _ => tracing::info!(path, status, "HTTP error: {}", error.1),
            }
            let response = error.into_response();
            if head.version == Version::HTTP_2 { until_answered(response, body) } else { response }
        }
    };
    if close_connection {
        // Over HTTP/1.1, a client gets an error if the connection is closed while it sends the next request.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The response, which keeps the unread rest of the request until it is sent. Over HTTP/2, dropping the rest earlier
/// resets the stream, so that the client never sees the response.
fn until_answered(response: Response<Body>, unread: Body) -> Response<Body> {
    response.map(|answer| Body::new(KeepsUnread { answer, _unread: unread }))
}

struct KeepsUnread {
    answer: Body,
    _unread: Body,
}

impl hyper::body::Body for KeepsUnread {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.answer).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}

/// Counts a request as in flight until it is dropped, also if the client closes the connection.
struct InFlight(Arc<Metrics>);

impl InFlight {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.in_flight.inc();
        InFlight(Arc::clone(metrics))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

async fn review(
    state: &WebhookState,
    stage: Stage,
    headers: &HeaderMap,
    body: &mut Body,
) -> Result<(AdmissionReview, Answer), HttpError> {
    let length = declared_length(headers);
    let mut permit = state.request_limit.acquire(length).map_err(|exceeded| limit_error(state, exceeded))?;
    if !is_json(headers) {
        let message = "the content type must be application/json";
        return Err(HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let body = read_body(state, &mut permit, body).await?;
    let review = read_review(body).map_err(|error| HttpError(StatusCode::BAD_REQUEST, error.to_string()))?;
    if state.settings.current().embedded.as_ref().is_some_and(|settings| !needs_check(&review, settings)) {
        let answer = Answer::allowed(&review);
        return Ok((review, answer));
    }
    state.workers.answer(stage, review).await.map_err(|error| match error {
        NoAnswer::QueueTimeout => limit_error(state, LimitExceeded::Busy),
        NoAnswer::ModuleFailed(cause) => {
            let message = format!("sqledge-ha: the check failed: {cause}; see the webhook log");
            HttpError(StatusCode::INTERNAL_SERVER_ERROR, message)
        }
        NoAnswer::Ended => HttpError::new(StatusCode::SERVICE_UNAVAILABLE, SHUTTING_DOWN),
    })
}

async fn read_body(state: &WebhookState, permit: &mut RequestPermit, body: &mut Body) -> Result<Bytes, HttpError> {
    match tokio::time::timeout(state.body_timeout, collect(permit, body)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(BodyError::Limit(exceeded))) => Err(limit_error(state, exceeded)),
        Ok(Err(BodyError::Incomplete)) => Err(HttpError::new(StatusCode::BAD_REQUEST, "the body is incomplete")),
        Err(_) => Err(HttpError::new(StatusCode::REQUEST_TIMEOUT, "timeout while receiving the body")),
    }
}

/// Why a body was not received.
enum BodyError {
    Limit(LimitExceeded),
    /// The client stopped sending.
    Incomplete,
}

/// Receives a body, and reserves memory for each part of it.
async fn collect(permit: &mut RequestPermit, body: &mut Body) -> Result<Bytes, BodyError> {
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame.map_err(|_| BodyError::Incomplete)?.into_data() else { continue };
        permit.reserve(part.len()).map_err(BodyError::Limit)?;
        if collected.is_empty() && body.is_end_stream() {
            return Ok(part); // The usual case: one part, which need not be copied.
        }
        collected.extend_from_slice(&part);
    }
    Ok(collected.freeze())
}

fn limit_error(state: &WebhookState, exceeded: LimitExceeded) -> HttpError {
    match exceeded {
        LimitExceeded::Busy => HttpError::new(StatusCode::TOO_MANY_REQUESTS, "too many requests; retry in 1 second"),
        LimitExceeded::BodyTooLarge => {
            let max = state.request_limit.max_body();
            HttpError(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {max} bytes"))
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

/// Logs a decision with names, but without contents: rejections at level info, also those that the mode `warn`
/// prevents; others at level debug.
fn log(stage: Stage, request: &RequestInfo, answer: &Answer, duration: Duration) {
    let is_rejection = answer.is_rejection();
    if !(is_rejection || tracing::enabled!(tracing::Level::DEBUG)) {
        return;
    }
    let RequestInfo { uid, operation, kind, dry_run, .. } = request;
    let [group, sub_resource, namespace, name, user] =
        [&request.group, &request.sub_resource, &request.namespace, &request.name, &request.user]
            .map(|text| non_empty(text));
    let rules: Vec<String> =
        answer.rules.iter().map(|(action, ids)| format!("{}: {ids}", action_name(*action))).collect();
    let rules = rules.join("; ");
    let rules = non_empty(&rules);
    let dry_run = dry_run.then_some(true);
    let (path, decision) = (stage.path(), answer.decision.name());
    // A number of 128 bits would be text in JSON.
    let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                rules,
                kind,
                namespace,
                name,
                user,
                dry_run,
                operation,
                group,
                sub_resource,
                path,
                microseconds,
                uid,
                "{decision}"
            )
        };
    }
    if is_rejection { line!(info) } else { line!(debug) }
}
