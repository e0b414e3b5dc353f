//! The command `sqledge-ha`.

use std::process::ExitCode;

/// Most work allocates many small values, for which this allocator is faster than glibc's, and much faster than musl's,
/// which the static program would use.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sqledge_ha::run(std::env::args_os())
}
