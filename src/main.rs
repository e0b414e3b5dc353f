//! The command `sqledge-ha`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sqledge_ha::run(std::env::args_os())
}
