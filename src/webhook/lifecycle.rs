//! Startup and shutdown.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::health::Readiness;
use super::listener::Listener;

/// How long shutdown may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownTimeouts {
    /// How long new requests are accepted after the webhook stopped being ready, until all clients know.
    pub drain: Duration,
    /// How long requests in flight may take after that.
    pub grace: Duration,
}

/// A task that must run as long as the webhook.
pub type BackgroundTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why the webhook stopped without a signal.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The process cannot receive signals.
    #[error("cannot watch for signals: {0}")]
    Signals(#[from] std::io::Error),
    /// A part that the webhook cannot work without stopped.
    #[error("{0} stopped unexpectedly")]
    Stopped(&'static str),
}

/// The webhook from its first probe to its end.
pub struct Lifecycle {
    signals: ShutdownSignals,
    readiness: Arc<Readiness>,
    probes: JoinSet<()>,
    /// Never sends: probes are answered until the end.
    _stop_probes: watch::Sender<bool>,
}

impl Lifecycle {
    /// Starts to answer probes, on the current tokio runtime.
    ///
    /// # Errors
    /// [`ServerError::Signals`].
    pub fn start(probes: Listener, readiness: Arc<Readiness>) -> Result<Self, ServerError> {
        let signals =
            ShutdownSignals { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
        let (stop_probes, stop) = watch::channel(false);
        let probes = JoinSet::from_iter([probes.run(stop, Duration::ZERO)]);
        Ok(Lifecycle { signals, readiness, probes, _stop_probes: stop_probes })
    }

    /// Waits for the end of startup; `None` if a signal comes first.
    ///
    /// # Errors
    /// [`ServerError`]: the process must end.
    pub async fn wait_for<T>(&mut self, startup: impl Future<Output = T>) -> Result<Option<T>, ServerError> {
        tokio::select! {
            started = startup => Ok(Some(started)),
            () = self.signals.recv() => {
                tracing::info!("stopped during startup");
                Ok(None)
            }
            Some(_) = self.probes.join_next() => Err(ServerError::Stopped(PROBES)),
        }
    }

    /// Runs the webhook until a signal comes, and then shuts it down without losing an answer.
    ///
    /// # Errors
    /// [`ServerError`]: the process must end.
    pub async fn run(
        mut self,
        webhook: Listener,
        tasks: Vec<BackgroundTask>,
        timeouts: ShutdownTimeouts,
    ) -> Result<(), ServerError> {
        let (stop, stopped) = watch::channel(false);
        let mut tasks: JoinSet<()> = tasks.into_iter().collect();
        let mut webhook = JoinSet::from_iter([webhook.run(stopped, timeouts.grace)]);
        tokio::select! {
            () = self.signals.recv() => {}
            Some(_) = webhook.join_next() => return Err(ServerError::Stopped("the listener for reviews")),
            Some(_) = self.probes.join_next() => return Err(ServerError::Stopped(PROBES)),
            Some(_) = tasks.join_next() => return Err(ServerError::Stopped("a background task")),
        }
        let ShutdownTimeouts { drain, grace } = timeouts;
        tracing::info!(?drain, ?grace, "shutting down; send the signal again to stop now");
        self.readiness.set_stopping();
        let shutdown = async {
            sleep(drain).await;
            let _ = stop.send(true);
            let _ = webhook.join_next().await;
        };
        tokio::select! {
            () = shutdown => tracing::info!("stopped"),
            () = self.signals.recv() => tracing::warn!("stopped by a second signal"),
        }
        Ok(())
    }
}

const PROBES: &str = "the listener for probes";

/// The signals that start shutdown.
struct ShutdownSignals {
    term: Signal,
    interrupt: Signal,
}

impl ShutdownSignals {
    async fn recv(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use tokio::net::TcpListener;

    use super::*;
    use crate::webhook::listener::{ConnectionLimit, ConnectionLimits, OverflowPolicy, Transport};
    use crate::webhook::metrics::Metrics;

    async fn listener() -> Listener {
        Listener {
            socket: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            transport: Transport::Plain,
            router: Router::new(),
            limits: ConnectionLimits {
                connections: ConnectionLimit { total: 1, per_address: 1, overflow: OverflowPolicy::CloseNewest },
                head_timeout: Duration::from_secs(1),
                streams: 1,
                stream_timeout: Duration::from_secs(1),
            },
            metrics: Arc::new(Metrics::default()),
        }
    }

    #[tokio::test]
    async fn the_webhook_stops_with_a_background_task() {
        let timeouts = ShutdownTimeouts { drain: Duration::ZERO, grace: Duration::ZERO };
        let tasks: [BackgroundTask; 2] = [Box::pin(std::future::pending()), Box::pin(async { panic!("lost") })];
        let lifecycle = Lifecycle::start(listener().await, Arc::default()).unwrap();
        let ended = lifecycle.run(listener().await, tasks.into(), timeouts).await;
        assert_eq!(ended.unwrap_err().to_string(), "a background task stopped unexpectedly");
    }

    #[tokio::test]
    async fn wait_for_returns_the_result_of_startup() {
        let mut lifecycle = Lifecycle::start(listener().await, Arc::default()).unwrap();
        assert_eq!(lifecycle.wait_for(async { "module" }).await.unwrap(), Some("module"));
    }
}
