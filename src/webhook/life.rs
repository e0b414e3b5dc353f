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

/// The webhook from its first probe on.
pub struct Life {
    ends: Ends,
    readiness: Arc<Readiness>,
    /// What runs in this set ends with it.
    probes: JoinSet<()>,
    /// Probes are answered to the last.
    _never: watch::Sender<bool>,
}

impl Life {
    /// Answers probes from now on, on the tokio runtime that this is called on.
    ///
    /// # Errors
    /// [`Fatal::Signals`].
    pub fn begin(probes: Listener, readiness: Arc<Readiness>) -> Result<Self, Fatal> {
        let ends = Ends { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
        let (never, not_stopped) = watch::channel(false);
        let probes = JoinSet::from_iter([probes.run(not_stopped, Duration::ZERO)]);
        Ok(Life { ends, readiness, probes, _never: never })
    }

    /// Waits for what has to be there before reviews are answered; `None` if the process is asked to end meanwhile.
    ///
    /// # Errors
    /// [`Fatal`]: the process has to end, for whoever started it to start it again.
    pub async fn wait_for<T>(&mut self, start: impl Future<Output = T>) -> Result<Option<T>, Fatal> {
        tokio::select! {
            started = start => Ok(Some(started)),
            () = self.ends.wait() => {
                tracing::info!("stopped before it had started");
                Ok(None)
            }
            Some(_) = self.probes.join_next() => Err(Fatal::Ended(PROBES)),
        }
    }

    /// Runs the webhook until the process is asked to end, and then ends it without dropping an answer.
    ///
    /// `watchers` are what else has to run meanwhile: certificates, caches.
    ///
    /// # Errors
    /// [`Fatal`]: the process has to end, for whoever started it to start it again.
    pub async fn run(mut self, webhook: Listener, watchers: Vec<Watcher>, farewell: Farewell) -> Result<(), Fatal> {
        let (stop, stopped) = watch::channel(false);
        let mut watchers: JoinSet<()> = watchers.into_iter().collect();
        let mut webhook = JoinSet::from_iter([webhook.run(stopped, farewell.grace)]);
        tokio::select! {
            () = self.ends.wait() => {}
            Some(_) = webhook.join_next() => return Err(Fatal::Ended("the listener for reviews")),
            Some(_) = self.probes.join_next() => return Err(Fatal::Ended(PROBES)),
            Some(_) = watchers.join_next() => return Err(Fatal::Ended("a watcher of the webhook")),
        }
        tracing::info!(drain = ?farewell.drain, grace = ?farewell.grace, "stopping; once more to stop at once");
        self.readiness.is_stopping();
        let orderly = async {
            sleep(farewell.drain).await;
            let _ = stop.send(true);
            let _ = webhook.join_next().await;
        };
        tokio::select! {
            () = orderly => tracing::info!("stopped"),
            () = self.ends.wait() => tracing::warn!("stopped at once"),
        }
        Ok(())
    }
}

const PROBES: &str = "the listener for probes";

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
        let life = Life::begin(listener().await, Arc::default()).unwrap();
        let ended = life.run(listener().await, watchers.into(), farewell).await;
        assert_eq!(ended.unwrap_err().to_string(), "a watcher of the webhook ended, and nobody asked for that");
    }

    #[tokio::test]
    async fn what_was_waited_for_is_handed_on() {
        let mut life = Life::begin(listener().await, Arc::default()).unwrap();
        assert_eq!(life.wait_for(async { "module" }).await.unwrap(), Some("module"));
    }
}
