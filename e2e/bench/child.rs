//! Measures whole processes, from start to exit.
//!
//! The kernel counts the parent's memory in the peak of a child, so the measuring process must stay small.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

/// The resources of one process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// The elapsed time.
    pub(crate) took: Duration,
    /// The processor time.
    pub(crate) processor: Duration,
    /// The peak memory in bytes.
    pub(crate) peak: u64,
}

/// The resources of several runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs {
    spent: Vec<Spent>,
}

impl Runs {
    /// Runs a command `count` times.
    pub(crate) fn new(count: usize, mut command: impl FnMut() -> Command, codes: &[i32]) -> Self {
        Runs { spent: (0..count).map(|_| run(&mut command(), codes)).collect() }
    }

    /// Uses times that `run` measures.
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

    /// The minimum processor time in seconds, which other processes disturb least.
    pub(crate) fn processor(&self) -> f64 {
        self.spent.iter().map(|spent| spent.processor).min().unwrap().as_secs_f64()
    }

    /// The maximum peak memory in MiB.
    pub(crate) fn peak(&self) -> f64 {
        self.spent.iter().map(|spent| spent.peak).max().unwrap() as f64 / f64::from(1 << 20)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut times: Vec<f64> = self.spent.iter().map(|spent| spent.took.as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        times
    }
}

/// Runs a command without output. Its exit code must be one of `codes`.
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
