//! The command `sqledge-ha`.

use std::process::ExitCode;

/// Most of the time goes into many small values, which this allocator hands out faster than the systems' own; musl's,
/// which the static program would use, is far slower still with several threads.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    sqledge_ha::run(std::env::args_os())
}
