//! The only place that reads the clock for what a report says.

use time::{Date, OffsetDateTime};

/// The current date, in UTC.
pub fn today() -> Date {
    OffsetDateTime::now_utc().date()
}
