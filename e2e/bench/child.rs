//! Whole processes: what they take from start to exit.
//!
//! The kernel counts the most memory that a child ever had from that of its parent, so whoever measures has to stay small.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

/// What one process took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// From before its start until after its exit.
    pub(crate) took: Duration,
    /// The time of all processors.
    pub(crate) processor: Duration,
    /// The most memory that it had at once, in bytes.
    pub(crate) peak: u64,
}

/// What several runs of the same took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs {
    spent: Vec<Spent>,
}

impl Runs {
    /// Runs a command `count` times.
    pub(crate) fn of(count: usize, mut command: impl FnMut() -> Command, codes: &[i32]) -> Self {
        Runs { spent: (0..count).map(|_| run(&mut command(), codes)).collect() }
    }

    /// Takes times that somebody else has measured.
    pub(crate) fn timed(count: usize, mut run: impl FnMut() -> Duration) -> Self {
        let spent = |_| Spent { took: run(), processor: Duration::ZERO, peak: 0 };
        Runs { spent: (0..count).map(spent).collect() }
    }

    /// The median of the times, in seconds.
    pub(crate) fn median(&self) -> f64 {
        let times = self.sorted();
        times[times.len() / 2]
    }

    /// The shortest and the longest time, in seconds.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let times = self.sorted();
        (times[0], times[times.len() - 1])
    }

    /// The least time of all processors, in seconds: what else runs on the machine disturbs it least.
    pub(crate) fn processor(&self) -> f64 {
        self.spent.iter().map(|spent| spent.processor).min().unwrap().as_secs_f64()
    }

    /// The most memory that a run had at once, in MiB.
    pub(crate) fn peak(&self) -> f64 {
        self.spent.iter().map(|spent| spent.peak).max().unwrap() as f64 / f64::from(1 << 20)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut times: Vec<f64> = self.spent.iter().map(|spent| spent.took.as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        times
    }
}

/// Runs a command that prints into nothing, and has to end with one of `codes`.
fn run(command: &mut Command, codes: &[i32]) -> Spent {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let child = command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    let used = child.wait4().unwrap();
    let took = started.elapsed();
    let code = used.status.code();
    assert!(code.is_some_and(|code| codes.contains(&code)), "{:?}: {}", command.get_program(), used.status);
    Spent { took, processor: used.rusage.utime + used.rusage.stime, peak: used.rusage.maxrss }
}
