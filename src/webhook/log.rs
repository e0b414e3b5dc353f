//! The log on standard error: one line per event.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people
    Text,
    /// One JSON object per line
    Json,
}

/// The lowest level in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Failed checks and workers
    Error,
    /// Also problems with certificates, caches and connections, and too many requests
    Warn,
    /// Also rejections, startup and shutdown
    Info,
    /// Also all other decisions
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

/// Starts the log. Only the first call has an effect.
pub fn start(format: LogFormat, level: LogLevel) {
    let libraries = LevelFilter::WARN.min(level.filter());
    // kube warns at every retry, which the caches log once. At lower levels it could print keys.
    let kube = ["kube_client", "kube_runtime"].map(|library| (library, LevelFilter::ERROR));
    let filter = Targets::new().with_default(libraries).with_targets(kube);
    let filter = filter.with_target(env!("CARGO_CRATE_NAME"), level.filter());
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let layer = match format {
        LogFormat::Text => layer.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}

/// A field is left out if it is empty.
pub(super) fn non_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
