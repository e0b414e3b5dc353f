//! Times, as flags take them: `2s`, `300ms`, `1m 30s`.

use std::time::Duration;

/// The longest time that is taken. Nobody waits for longer, and a sum of several is never more than a duration can hold.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Reads a time, which may be none at all.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time > LONGEST { Err("it is longer than a year (365d), the most that is taken".to_owned()) } else { Ok(time) }
}

/// Reads a time in which something is to be done, which takes some.
pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if time.is_zero() { Err("it has to be longer than 0, such as 30s".to_owned()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_an_end() {
        assert_eq!(time("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("0s"), Ok(Duration::ZERO));
        assert!(time("soon").is_err() && time("2").is_err());
        assert_eq!(time("500000000000y"), Err("it is longer than a year (365d), the most that is taken".to_owned()));
    }

    #[test]
    fn what_has_to_be_done_takes_some_time() {
        assert_eq!(some_time("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(some_time("0ms"), Err("it has to be longer than 0, such as 30s".to_owned()));
        assert!(some_time("soon").is_err() && some_time("2y").is_err());
    }
}
