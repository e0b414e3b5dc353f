//! The command `sqledge-ha`.

use std::process::ExitCode;

/// The linter allocates many small values. This allocator is faster than that of glibc, and much faster than that of
/// musl, which the static release would use.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    sqledge_ha::run(std::env::args_os())
}
