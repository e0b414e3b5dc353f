//! Figures that are gathered when they are asked for: of the certificate, and of the caches.

use std::fmt::{Debug, Error, Formatter};
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::caches::{CacheState, Caches, group_and_version};
use super::certificate::Certificate;

/// The figures of a certificate.
pub struct CertificateFigures(pub Arc<Certificate>);

/// The figures of the caches.
pub struct CacheFigures(pub Arc<Caches>);

impl Debug for CertificateFigures {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CertificateFigures")
    }
}

impl Debug for CacheFigures {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CacheFigures")
    }
}

impl Collector for CertificateFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let not_after = self.0.not_after().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        let mut encode =
            |name, help, unit: Option<Unit>, metric: &dyn Figure| metric.write(&mut encoder, name, help, unit);
        if let Some(not_after) = not_after {
            let seconds = ConstGauge::new(not_after.as_secs_f64());
            encode(
                "certificate_expiry_timestamp",
                "When the certificate ceases to be valid",
                Some(Unit::Seconds),
                &seconds,
            )?;
        }
        let replacements = ConstCounter::new(self.0.replacements());
        encode("certificate_replacements", "How often one certificate was followed by another", None, &replacements)?;
        let failures = ConstCounter::new(self.0.failures());
        encode(
            "certificate_failures",
            "How often a certificate could not be read, renewed or published",
            None,
            &failures,
        )
    }
}

/// A metric of any kind.
trait Figure {
    fn write(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        unit: Option<Unit>,
    ) -> Result<(), Error>;
}

impl<M: EncodeMetric> Figure for M {
    fn write(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        unit: Option<Unit>,
    ) -> Result<(), Error> {
        self.encode(encoder.encode_descriptor(name, help, unit.as_ref(), self.metric_type())?)
    }
}

type Value = fn(&CacheState) -> Option<f64>;

/// What is told of each cache: the name, what it means, its unit, and its value.
const CACHE_GAUGES: [(&str, &str, Option<Unit>, Value); 4] = [
    ("cache_synced", "1 if look-ups of this kind are answered", None, |state| Some(f64::from(u8::from(state.synced)))),
    ("cache_age", "How long ago the watch last told of an object", Some(Unit::Seconds), |state| {
        state.since_last_event.map(|age| age.as_secs_f64())
    }),
    ("cache_objects", "How many objects are kept", None, |state| Some(state.objects as f64)),
    ("cache_size", "How much text is kept", Some(Unit::Bytes), |state| Some(state.bytes as f64)),
];

/// What tells a cache from all others: kinds of different groups share names.
fn labels(state: &CacheState) -> [(&str, &str); 3] {
    let (group, version) = group_and_version(&state.api_version);
    [("group", group), ("version", version), ("kind", &state.kind)]
}

impl Collector for CacheFigures {
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
        let help = "How often a list or a watch failed";
        let mut family = encoder.encode_descriptor("cache_failures", help, None, counter.metric_type())?;
        for state in &states {
            ConstCounter::new(state.failures).encode(family.encode_family(&labels(state))?)?;
        }
        Ok(())
    }
}
