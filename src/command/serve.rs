//! `sqledge-ha serve`: the admission webhook.

mod address;
mod policy;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use self::address::Reserved;
use self::policy::Policy;
use crate::cli::{Serve, ServeLimits};
use crate::exit::{ExitStatus, Failure};
use crate::message::describe_io_error;
use crate::module::World;
use crate::webhook::gate::{Capacity, Gate};
use crate::webhook::health::{self, Health, Readiness};
use crate::webhook::life::{Farewell, Fatal, Life, Watcher};
use crate::webhook::listener::{ConnectionLimits, Listener, Room, Transport, WhenFull};
use crate::webhook::log;
use crate::webhook::metrics::Metrics;
use crate::webhook::routes::{self, Reception};
use crate::webhook::surroundings::Surroundings;
use crate::webhook::workers::{Desk, Workers};

/// Runs the webhook until the process is asked to end.
///
/// # Errors
/// [`Failure`] with exit code 2 for wrong settings, a wrong module or certificate, or an address that is not to be had;
/// with exit code 4 for a module file that cannot be read and a module that cannot be pulled; with exit code 70 if a part
/// of the webhook ends unasked.
pub fn run(flags: &Serve) -> Result<ExitStatus, Failure> {
    if flags.tls.insecure_http && !flags.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "--insecure-http: {} can be reached from elsewhere; listen on 127.0.0.1 or [::1]",
            flags.listen
        )));
    }
    log::start(flags.log_format, flags.log_level);
    let runtime = runtime(workers(flags)).map_err(|error| no_threads(&error))?;
    let served = runtime.block_on(serve(flags));
    // Threads that wait for something else are not waited for.
    runtime.shutdown_background();
    served.map(|()| ExitStatus::Clean)
}

/// How many threads run the module.
fn workers(flags: &Serve) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    flags.limits.workers.map_or_else(processors, usize::from)
}

fn runtime(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).thread_name("connections").enable_all().build()
}

fn no_threads(error: &io::Error) -> Failure {
    Failure::usage(format!("cannot start threads: {}", describe_io_error(error)))
}

impl From<Fatal> for Failure {
    fn from(fatal: Fatal) -> Self {
        Failure { status: ExitStatus::Bug, message: fatal.to_string() }
    }
}

/// Answers probes from the first moment on: a module that is long on its way is no reason to start the process anew.
async fn serve(flags: &Serve) -> Result<(), Failure> {
    let (readiness, metrics) = (Arc::<Readiness>::default(), Arc::<Metrics>::default());
    let health = Health { readiness: Arc::clone(&readiness), metrics: Arc::clone(&metrics) };
    let mut life = Life::begin(probes(flags, health).await?, Arc::clone(&readiness))?;
    let Some(started) = life.wait_for(start(flags, &readiness, &metrics)).await? else { return Ok(()) };
    let (webhook, watchers) = started?;
    let farewell = Farewell { drain: flags.limits.drain, grace: flags.limits.grace };
    Ok(life.run(webhook, watchers, farewell).await?)
}

async fn probes(flags: &Serve, health: Health) -> Result<Listener, Failure> {
    Ok(Listener {
        socket: Reserved::at(flags.health_listen, "probes")?.listen()?,
        transport: Transport::Plain,
        router: health::router(Arc::new(health)),
        limits: probe_connections(&flags.limits),
        // What probes do is not what the figures are about.
        metrics: Arc::new(Metrics::default()),
    })
}

/// Everything that has to be there before reviews are answered, and what has to run meanwhile.
async fn start(
    flags: &Serve,
    readiness: &Arc<Readiness>,
    metrics: &Arc<Metrics>,
) -> Result<(Listener, Vec<Watcher>), Failure> {
    // What can be wrong here is told before a module is pulled, which may take long.
    let address = Reserved::at(flags.listen, "reviews")?;
    let mut surroundings = Surroundings::of(&flags.tls, &flags.cluster).await?;
    let policy = Policy::load(flags).await?;
    surroundings.watch(&policy.kinds, policy.known.as_ref());
    surroundings.collectors.into_iter().for_each(|collector| metrics.collect_from(collector));
    let webhook = Listener {
        socket: address.listen()?,
        transport: surroundings.transport,
        router: routes::router(reception(flags, policy, surroundings.world, metrics, readiness)?),
        limits: review_connections(&flags.limits),
        metrics: Arc::clone(metrics),
    };
    readiness.has_started(surroundings.conditions);
    Ok((webhook, surroundings.watchers))
}

/// One peer gets half of the connections: generous to API servers, which are few, and still nobody can take them all.
/// One HTTP/2 connection gets two fifths of the requests: by default the hundred that clients send before they are told
/// of a limit (RFC 9113, section 5.1.2).
fn review_connections(limits: &ServeLimits) -> ConnectionLimits {
    let connections = limits.max_connections as usize;
    ConnectionLimits {
        room: Room { connections, of_one_peer: connections.div_ceil(2), when_full: WhenFull::CloseNewest },
        head_time_out: limits.head_time_out,
        streams: (limits.max_in_flight / 5 * 2).clamp(1, MOST_STREAMS),
        stream_time_out: limits.body_time_out + patience(limits) + limits.deadline + ANSWER_TIME_OUT,
    }
}

/// Probes come and go at once. Whoever comes last is let in, and a share would keep out just those.
fn probe_connections(limits: &ServeLimits) -> ConnectionLimits {
    ConnectionLimits {
        room: Room { connections: PROBES, of_one_peer: usize::MAX, when_full: WhenFull::CloseOldest },
        head_time_out: limits.head_time_out.min(PROBE_TIME_OUT),
        streams: 1,
        stream_time_out: PROBE_TIME_OUT,
    }
}

/// How long a request may wait for a worker.
fn patience(limits: &ServeLimits) -> Duration {
    limits.deadline.max(Duration::from_secs(1))
}

/// The most requests under way on one HTTP/2 connection.
const MOST_STREAMS: u32 = 256;
/// How long a client may take to read an answer.
const ANSWER_TIME_OUT: Duration = Duration::from_secs(10);
/// How many connections the health listener has open at once.
const PROBES: usize = 64;
/// How long a probe may take for its request.
const PROBE_TIME_OUT: Duration = Duration::from_secs(2);

fn reception(
    flags: &Serve,
    policy: Policy,
    world: Arc<dyn World>,
    metrics: &Arc<Metrics>,
    readiness: &Arc<Readiness>,
) -> Result<Arc<Reception>, Failure> {
    let limits = &flags.limits;
    let desk = Desk {
        host: policy.host,
        world,
        settings: policy.settings,
        on_error: flags.on_error,
        patience: patience(limits),
        metrics: Arc::clone(metrics),
    };
    let started = Workers::start(workers(flags), desk);
    let body = usize::from(limits.max_body) << 20;
    Ok(Arc::new(Reception {
        gate: Gate::new(Capacity { requests: limits.max_in_flight as usize, body, bodies: 8 * body }),
        body_time_out: limits.body_time_out,
        shortcut: policy.known,
        workers: started.map_err(|error| no_threads(&error))?,
        readiness: Arc::clone(readiness),
        metrics: Arc::clone(metrics),
    }))
}
