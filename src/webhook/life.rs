//! From start to end: what is started in which order, and how the webhook stops.

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

/// How the webhook ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// How long requests are still accepted after the webhook stopped being ready: until everybody has heard of it.
    pub drain: Duration,
    /// How long requests under way may take after that.
    pub grace: Duration,
}

/// Something that has to run for as long as the webhook does.
pub type Watcher = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why the webhook ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The system does not tell when the process is asked to end.
    #[error("cannot watch for signals: {0}")]
    Signals(#[from] std::io::Error),
    /// A part of it is gone, without which it would only seem to live.
    #[error("{0} ended, and nobody asked for that")]
    Ended(&'static str),
}

/// Runs the listeners until the process is asked to end, and then ends them without dropping an answer.
///
/// `watchers` are what else has to run meanwhile: certificates, caches.
///
/// # Errors
/// [`Fatal`]: the process has to end, for whoever started it to start it again.
pub async fn run(
    webhook: Listener,
    health: Listener,
    readiness: Arc<Readiness>,
    farewell: Farewell,
    watchers: Vec<Watcher>,
) -> Result<(), Fatal> {
    let mut ends = Ends { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let (stop, stopped) = watch::channel(false);
    // Probes are answered to the last.
    let (_never, not_stopped) = watch::channel(false);
    // What runs in these sets ends with them.
    let mut watchers: JoinSet<()> = watchers.into_iter().collect();
    let mut health = JoinSet::from_iter([health.run(not_stopped, Duration::ZERO)]);
    let mut webhook = JoinSet::from_iter([webhook.run(stopped, farewell.grace)]);
    tokio::select! {
        () = ends.wait() => {}
        Some(_) = webhook.join_next() => return Err(Fatal::Ended("the listener for reviews")),
        Some(_) = health.join_next() => return Err(Fatal::Ended("the listener for probes")),
        Some(_) = watchers.join_next() => return Err(Fatal::Ended("a watcher of the webhook")),
    }
    tracing::info!(drain = ?farewell.drain, grace = ?farewell.grace, "stopping; once more to stop at once");
    readiness.is_stopping();
    let orderly = async {
        sleep(farewell.drain).await;
        let _ = stop.send(true);
        let _ = webhook.join_next().await;
    };
    tokio::select! {
        () = orderly => tracing::info!("stopped"),
        () = ends.wait() => tracing::warn!("stopped at once"),
    }
    Ok(())
}

/// The signals that ask a process to end.
struct Ends {
    term: Signal,
    interrupt: Signal,
}

impl Ends {
    async fn wait(&mut self) {
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
    use crate::webhook::listener::{ConnectionLimits, Room, Transport, WhenFull};
    use crate::webhook::metrics::Metrics;

    async fn listener() -> Listener {
        Listener {
            socket: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            transport: Transport::Plain,
            router: Router::new(),
            limits: ConnectionLimits {
                room: Room { connections: 1, of_one_peer: 1, when_full: WhenFull::CloseNewest },
                head_time_out: Duration::from_secs(1),
                streams: 1,
                stream_time_out: Duration::from_secs(1),
            },
            metrics: Arc::new(Metrics::default()),
        }
    }

    #[tokio::test]
    async fn a_webhook_that_lost_a_part_does_not_live_on() {
        let farewell = Farewell { drain: Duration::ZERO, grace: Duration::ZERO };
        let watchers: [Watcher; 2] = [Box::pin(std::future::pending()), Box::pin(async { panic!("lost") })];
        let ended = run(listener().await, listener().await, Arc::default(), farewell, watchers.into()).await;
        assert_eq!(ended.unwrap_err().to_string(), "a watcher of the webhook ended, and nobody asked for that");
    }
}
