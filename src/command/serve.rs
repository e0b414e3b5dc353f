//! `sqledge-ha serve`: the admission webhook.

mod bind;
mod module;
mod settings;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use self::bind::BoundSocket;
use self::module::LoadedModule;
use crate::cli::{Serve, ServeLimits};
use crate::exit::{CommandError, ExitStatus};
use crate::message::describe_io_error;
use crate::wasm_host::LookupSource;
use crate::webhook::collectors::SettingsCollector;
use crate::webhook::dependencies::Dependencies;
use crate::webhook::events::Events;
use crate::webhook::health::{self, Health, Readiness};
use crate::webhook::lifecycle::{BackgroundTask, Lifecycle, ServerError, ShutdownTimeouts};
use crate::webhook::listener::{ConnectionLimit, ConnectionLimits, Listener, OverflowPolicy, Transport};
use crate::webhook::log;
use crate::webhook::metrics::Metrics;
use crate::webhook::request_limit::{Limits, RequestLimit};
use crate::webhook::routes::{self, WebhookState};
use crate::webhook::workers::{WorkerContext, Workers};

/// Runs the webhook until a signal stops it.
///
/// # Errors
/// [`CommandError`] with exit code 2 for unusable settings, modules, certificates or addresses; with exit code 4 for a
/// module that cannot be read or pulled; with exit code 70 if a part of the webhook stops unexpectedly.
pub fn run(flags: &Serve) -> Result<ExitStatus, CommandError> {
    if flags.tls.insecure_http && !flags.listen.ip().is_loopback() {
        return Err(CommandError::usage(format!(
            "--insecure-http: {} is not a loopback address; listen on 127.0.0.1 or [::1]",
            flags.listen
        )));
    }
    log::start(flags.log_format, flags.log_level);
    let runtime = runtime(worker_count(flags)).map_err(|error| cannot_start_threads(&error))?;
    let served = runtime.block_on(serve(flags));
    // Does not wait for blocking work.
    runtime.shutdown_background();
    served.map(|()| ExitStatus::Clean)
}

fn worker_count(flags: &Serve) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    flags.limits.workers.map_or_else(processors, usize::from)
}

fn runtime(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).thread_name("connections").enable_all().build()
}

fn cannot_start_threads(error: &io::Error) -> CommandError {
    CommandError::usage(format!("cannot start threads: {}", describe_io_error(error)))
}

impl From<ServerError> for CommandError {
    fn from(error: ServerError) -> Self {
        CommandError::bug(error)
    }
}

/// Answers probes first: loading the module can take long, and the kubelet must not restart the pod meanwhile.
async fn serve(flags: &Serve) -> Result<(), CommandError> {
    let (readiness, metrics) = (Arc::<Readiness>::default(), Arc::<Metrics>::default());
    let health = Health { readiness: Arc::clone(&readiness), metrics: Arc::clone(&metrics) };
    let mut lifecycle = Lifecycle::start(probe_listener(flags, health)?, Arc::clone(&readiness))?;
    let Some(started) = lifecycle.wait_for(start(flags, &readiness, &metrics)).await? else { return Ok(()) };
    let (webhook, tasks) = started?;
    let timeouts = ShutdownTimeouts { drain: flags.limits.drain, grace: flags.limits.grace };
    Ok(lifecycle.run(webhook, tasks, timeouts).await?)
}

fn probe_listener(flags: &Serve, health: Health) -> Result<Listener, CommandError> {
    Ok(Listener {
        socket: BoundSocket::new(flags.health_listen, "probes")?.listen()?,
        transport: Transport::Plain,
        router: health::router(Arc::new(health)),
        limits: probe_connections(&flags.limits),
        // The metrics do not count probes.
        metrics: Arc::new(Metrics::default()),
    })
}

/// Loads everything that reviews need.
async fn start(
    flags: &Serve,
    readiness: &Arc<Readiness>,
    metrics: &Arc<Metrics>,
) -> Result<(Listener, Vec<BackgroundTask>), CommandError> {
    // Errors in these flags are reported before the module is pulled.
    let socket = BoundSocket::new(flags.listen, "reviews")?;
    let mut dependencies = Dependencies::load(&flags.tls, &flags.cluster).await?;
    let module = LoadedModule::load(flags, dependencies.platform).await?;
    module.log();
    dependencies.start_caches(&module.kinds, module.settings.current().embedded.as_ref());
    dependencies.tasks.extend(flags.settings.as_deref().map(|path| module.watch_settings(path)));
    let events = flags.cluster.events.then(|| dependencies.start_events(metrics)).flatten();
    dependencies.collectors.push(Box::new(SettingsCollector(Arc::clone(&module.settings))));
    dependencies.collectors.into_iter().for_each(|collector| metrics.add_collector(collector));
    let webhook = Listener {
        socket: socket.listen()?,
        transport: dependencies.transport,
        router: routes::router(webhook_state(flags, module, dependencies.lookups, events, metrics, readiness)?),
        limits: review_connections(&flags.limits),
        metrics: Arc::clone(metrics),
    };
    readiness.set_started(dependencies.readiness_checks);
    Ok((webhook, dependencies.tasks))
}

/// An address can use half of the connections, which is more than an API server needs. An HTTP/2 connection can use two
/// fifths of the requests: with the default, the hundred that clients assume before they know the limit (RFC 9113,
/// section 5.1.2).
fn review_connections(limits: &ServeLimits) -> ConnectionLimits {
    let total = limits.max_connections as usize;
    let check = max_queue_time(limits).saturating_add(limits.deadline);
    ConnectionLimits {
        connections: ConnectionLimit { total, per_address: total.div_ceil(2), overflow: OverflowPolicy::CloseNewest },
        head_timeout: limits.head_timeout,
        streams: (limits.max_in_flight / 5 * 2).clamp(1, MAX_STREAMS),
        stream_timeout: limits.body_timeout.saturating_add(check).saturating_add(ANSWER_TIMEOUT),
    }
}

/// Probes are short, and all can come from one address.
fn probe_connections(limits: &ServeLimits) -> ConnectionLimits {
    ConnectionLimits {
        connections: ConnectionLimit {
            total: MAX_PROBES,
            per_address: usize::MAX,
            overflow: OverflowPolicy::CloseOldest,
        },
        head_timeout: limits.head_timeout.min(PROBE_TIMEOUT),
        streams: 1,
        stream_timeout: PROBE_TIMEOUT,
    }
}

/// How long a request may wait for a worker.
fn max_queue_time(limits: &ServeLimits) -> Duration {
    limits.deadline.max(Duration::from_secs(1))
}

/// The maximum number of requests in flight on an HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// How long a client may take to read an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of open connections of the health listener.
const MAX_PROBES: usize = 64;
/// How long the request of a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

fn webhook_state(
    flags: &Serve,
    module: LoadedModule,
    lookups: Arc<dyn LookupSource>,
    events: Option<Events>,
    metrics: &Arc<Metrics>,
    readiness: &Arc<Readiness>,
) -> Result<Arc<WebhookState>, CommandError> {
    let limits = &flags.limits;
    let context = WorkerContext {
        module: module.module,
        lookups,
        settings: Arc::clone(&module.settings),
        max_queue_time: max_queue_time(limits),
        metrics: Arc::clone(metrics),
    };
    let workers = Workers::start(worker_count(flags), context);
    let body = usize::from(limits.max_body) << 20;
    Ok(Arc::new(WebhookState {
        request_limit: RequestLimit::new(Limits { requests: limits.max_in_flight as usize, body, bodies: 8 * body }),
        body_timeout: limits.body_timeout,
        settings: module.settings,
        workers: workers.map_err(|error| cannot_start_threads(&error))?,
        readiness: Arc::clone(readiness),
        metrics: Arc::clone(metrics),
        events,
    }))
}
