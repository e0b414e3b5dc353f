//! The log: one line for each thing that happened, on standard error.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// For programs: an object a line
    Json,
}

/// Which lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What keeps the webhook from its work
    Error,
    /// What may keep it from its work
    Warn,
    /// Refusals, starts and ends
    Info,
    /// Every decision
    Debug,
}

impl LogLevel {
    fn filter(self) -> LevelFilter {
        match self {
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
        }
    }
}

/// Starts the log. A second call changes nothing.
pub fn start(format: LogFormat, level: LogLevel) {
    // Libraries speak up when something is wrong. That of Kubernetes does so at every retry, of which the caches tell
    // once, and must never tell more: what it could show holds keys.
    let libraries = LevelFilter::WARN.min(level.filter());
    let filter = Targets::new().with_default(libraries).with_targets(["kube_client", "kube_runtime"].map(quiet));
    let filter = filter.with_target(env!("CARGO_CRATE_NAME"), level.filter());
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let layer = match format {
        LogFormat::Text => layer.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}

fn quiet(library: &str) -> (&str, LevelFilter) {
    (library, LevelFilter::ERROR)
}
