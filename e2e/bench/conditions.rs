//! The conditions of a measurement.

use std::fs;
use std::process::Command;
use std::thread;

/// Prints the machine, the compiler and the commit.
pub(crate) fn print() {
    let cores = thread::available_parallelism().unwrap();
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = file("/proc/cpuinfo");
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let memory = file("/proc/meminfo");
    let kibibytes = memory.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
    println!(
        "{cores} cores: {}, {} GiB",
        processor.trim_start_matches([' ', '\t', ':']),
        (kibibytes + (1 << 19)) >> 20
    );
    println!(
        "Linux {}, load average {}",
        file("/proc/sys/kernel/osrelease").trim(),
        first_words(&file("/proc/loadavg"))
    );
    println!(
        "{}, commit {}",
        output_of("rustc", &["--version"]),
        output_of("git", &["describe", "--always", "--dirty"])
    );
}

fn first_words(text: &str) -> String {
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The output of a program; empty if it does not exist.
pub(crate) fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
