//! How long each step of a failover takes: what the cluster shows, documented defaults, or flags.

use std::fmt;

/// A range of time in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Seconds {
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Seconds {
    /// A range.
    pub const fn new(min: f64, max: f64) -> Self {
        Seconds { min, max }
    }

    /// Both together, one after the other.
    #[must_use]
    pub fn plus(self, other: Seconds) -> Self {
        Seconds::new(self.min + other.min, self.max + other.max)
    }
}

impl fmt::Display for Seconds {
    /// For example `40 s`, `40-90 s`, `5-12 min`, `90 s-5 min`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (min, max) = (Rounded::new(self.min), Rounded::new(self.max));
        if min == max {
            write!(formatter, "{min}")
        } else if min.unit == max.unit {
            write!(formatter, "{}-{max}", min.number)
        } else {
            write!(formatter, "{min}-{max}")
        }
    }
}

/// A time as people say it.
#[derive(PartialEq)]
struct Rounded {
    number: u64,
    unit: &'static str,
}

impl Rounded {
    fn new(seconds: f64) -> Self {
        /// From here on, minutes are exact enough.
        const MINUTES_FROM: f64 = 120.0;
        let (value, unit) = if seconds < MINUTES_FROM { (seconds, "s") } else { (seconds / 60.0, "min") };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times are small and not negative")]
        let number = value.max(0.0).round() as u64;
        Rounded { number, unit }
    }
}

impl fmt::Display for Rounded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.number, self.unit)
    }
}

/// A step whose time is not in the cluster's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// From the last sign of life of a node until it counts as failed.
    NodeGrace,
    /// From the end of a pod until its volume is detached.
    Detach,
    /// From the order to attach a volume until it is mounted.
    Attach,
    /// Pulling the image.
    Pull,
    /// From the start of the container until the pod is ready.
    Start,
    /// From the order to stop until the containers have ended.
    Stop,
    /// The restart of a node.
    Reboot,
    /// From the removal or the taint of a failed node until its pods are removed.
    Cleanup,
    /// Until a volume of a removed node is detached though nobody unmounted it.
    ForceDetach,
    /// From the failure of a node until a remediator acts.
    Remediation,
}

impl Timer {
    /// Every timer.
    pub const ALL: [Timer; 10] = [
        Timer::NodeGrace,
        Timer::Detach,
        Timer::Attach,
        Timer::Pull,
        Timer::Start,
        Timer::Stop,
        Timer::Reboot,
        Timer::Cleanup,
        Timer::ForceDetach,
        Timer::Remediation,
    ];

    /// The name in flags and reports.
    pub fn name(self) -> &'static str {
        match self {
            Timer::NodeGrace => "node-grace",
            Timer::Detach => "detach",
            Timer::Attach => "attach",
            Timer::Pull => "pull",
            Timer::Start => "start",
            Timer::Stop => "stop",
            Timer::Reboot => "reboot",
            Timer::Cleanup => "cleanup",
            Timer::ForceDetach => "force-detach",
            Timer::Remediation => "remediation",
        }
    }
}

/// The times of all steps that the user knows.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    known: Vec<(Timer, Seconds)>,
    /// The minor version of Kubernetes 1.
    pub minor_version: Option<u32>,
}

/// A time, and where it comes from.
pub type Sourced = (Seconds, String);

impl Timers {
    /// Sets the time of a step.
    pub fn set(&mut self, timer: Timer, time: Seconds) {
        self.known.retain(|(known, _)| *known != timer);
        self.known.push((timer, time));
    }

    /// The time of a step: as the user says, else `observed` with its source, else the default.
    pub fn get(&self, timer: Timer, observed: Option<Sourced>) -> Sourced {
        let known = self.known.iter().find(|(known, _)| *known == timer);
        match (known, observed) {
            (Some((_, time)), _) => (*time, format!("--timer {}", timer.name())),
            (None, Some(observed)) => observed,
            (None, None) => self.usual(timer),
        }
    }

    /// Defaults of Kubernetes, with their flags, and assumptions.
    fn usual(&self, timer: Timer) -> Sourced {
        let assumed = |min, max| (Seconds::new(min, max), format!("assumed; set --timer {}=MIN..MAX", timer.name()));
        match timer {
            // A node renews its lease every 10 s, and the controller looks every 5 s. The grace period is 50 s since
            // Kubernetes 1.32 (kube-controller-manager, --node-monitor-grace-period).
            Timer::NodeGrace => {
                let grace = match self.minor_version {
                    Some(minor) if minor >= 32 => Seconds::new(40.0, 55.0),
                    Some(_) => Seconds::new(30.0, 45.0),
                    None => Seconds::new(30.0, 55.0),
                };
                (grace, "default of --node-monitor-grace-period".to_owned())
            }
            // The garbage collector of pods looks every 20 s.
            Timer::Cleanup => (Seconds::new(0.0, 25.0), "pod garbage collector".to_owned()),
            // The controller looks several times a minute.
            Timer::ForceDetach => {
                (Seconds::new(360.0, 420.0), "6 minutes, fixed in kube-controller-manager".to_owned())
            }
            Timer::Detach | Timer::Attach => assumed(1.0, 60.0),
            Timer::Pull => assumed(15.0, 300.0),
            Timer::Start => assumed(5.0, 60.0),
            Timer::Stop => assumed(0.0, 30.0),
            Timer::Reboot => assumed(60.0, 600.0),
            Timer::Remediation => assumed(60.0, 900.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_shown_as_people_say_them() {
        let shown = |min, max| Seconds::new(min, max).to_string();
        assert_eq!(shown(40.0, 40.2), "40 s");
        assert_eq!(shown(39.6, 90.0), "40-90 s");
        assert_eq!(shown(300.0, 719.0), "5-12 min");
        assert_eq!(shown(90.0, 300.0), "90 s-5 min");
        assert_eq!(shown(0.0, 0.0), "0 s");
    }

    #[test]
    fn what_the_user_says_comes_first() {
        let mut timers = Timers { minor_version: Some(32), ..Timers::default() };
        assert_eq!(timers.get(Timer::NodeGrace, None).0, Seconds::new(40.0, 55.0));
        let observed = Some((Seconds::new(7.0, 9.0), "seen".to_owned()));
        assert_eq!(timers.get(Timer::Start, observed.clone()).1, "seen");
        timers.set(Timer::Start, Seconds::new(1.0, 2.0));
        assert_eq!(timers.get(Timer::Start, observed), (Seconds::new(1.0, 2.0), "--timer start".to_owned()));
    }
}
