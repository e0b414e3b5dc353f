//! Metrics whose values are collected at each scrape: of the certificate, the settings and the caches.

use std::fmt::{Debug, Error, Formatter};
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::active_settings::ActiveSettings;
use super::caches::{CacheState, Caches, group_and_version};
use super::certificate::Certificate;

/// The metrics of a certificate.
pub struct CertificateCollector(pub Arc<Certificate>);

/// The metrics of the settings.
pub struct SettingsCollector(pub Arc<ActiveSettings>);

/// The metrics of the caches.
pub struct CacheCollector(pub Arc<Caches>);

impl Debug for CertificateCollector {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CertificateCollector")
    }
}

impl Debug for CacheCollector {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CacheCollector")
    }
}

impl Debug for SettingsCollector {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SettingsCollector")
    }
}

impl Collector for SettingsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let loaded = self.0.current().loaded.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (name, help) = ("settings_loaded_timestamp", "When the current settings were loaded");
        encode(&mut encoder, name, help, Some(Unit::Seconds), ConstGauge::new(loaded.as_secs_f64()))?;
        let (name, help) = ("settings_replacements", "How often the settings were replaced");
        encode(&mut encoder, name, help, None, ConstCounter::new(self.0.replacements()))?;
        let (name, help) = ("settings_failures", "Changes of the settings file that could not be loaded");
        encode(&mut encoder, name, help, None, ConstCounter::new(self.0.failures()))
    }
}

impl Collector for CertificateCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let not_after = self.0.not_after().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        if let Some(not_after) = not_after {
            let (name, help) = ("certificate_expiry_timestamp", "When the serving certificate expires");
            encode(&mut encoder, name, help, Some(Unit::Seconds), ConstGauge::new(not_after.as_secs_f64()))?;
        }
        let (name, help) = ("certificate_replacements", "How often the serving certificate was replaced");
        encode(&mut encoder, name, help, None, ConstCounter::new(self.0.replacements()))?;
        let (name, help) = ("certificate_failures", "Failures to read, renew or publish a certificate");
        encode(&mut encoder, name, help, None, ConstCounter::new(self.0.failures()))
    }
}

fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    metric: impl EncodeMetric,
) -> Result<(), Error> {
    metric.encode(encoder.encode_descriptor(name, help, unit.as_ref(), metric.metric_type())?)
}

type Value = fn(&CacheState) -> Option<f64>;

/// The gauges of each cache: name, help, unit, value.
const CACHE_GAUGES: [(&str, &str, Option<Unit>, Value); 4] = [
    ("cache_synced", "1 if look-ups of this kind are answered", None, |state| Some(f64::from(u8::from(state.synced)))),
    ("cache_age", "Time since the last event of the watch", Some(Unit::Seconds), |state| {
        state.since_last_event.map(|age| age.as_secs_f64())
    }),
    ("cache_objects", "Objects in the cache", None, |state| Some(state.objects as f64)),
    ("cache_size", "Size of the objects in the cache", Some(Unit::Bytes), |state| Some(state.bytes as f64)),
];

fn labels(state: &CacheState) -> [(&str, &str); 3] {
    let (group, version) = group_and_version(&state.api_version);
    [("group", group), ("version", version), ("kind", &state.kind)]
}

impl Collector for CacheCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let states = self.0.states();
        for (name, help, unit, value) in CACHE_GAUGES {
            let gauge = ConstGauge::new(0.0);
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), gauge.metric_type())?;
            for state in &states {
                if let Some(value) = value(state) {
                    ConstGauge::new(value).encode(family.encode_family(&labels(state))?)?;
                }
            }
        }
        let counter = ConstCounter::new(0u64);
        let help = "Failed lists and watches";
        let mut family = encoder.encode_descriptor("cache_failures", help, None, counter.metric_type())?;
        for state in &states {
            ConstCounter::new(state.failures).encode(family.encode_family(&labels(state))?)?;
        }
        Ok(())
    }
}
