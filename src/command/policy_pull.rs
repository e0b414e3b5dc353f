//! `sqledge-ha policy pull`.

use std::io;
use std::path::Path;

use super::policy::{place, write_module};
use crate::cli::PolicyPull;
use crate::exit::{ExitStatus, Failure};
use crate::message::print_message;
use crate::registry::pull;

/// Pulls a policy to a file. Nothing is written before all of it is there and is what its digest names.
///
/// # Errors
/// [`Failure`] with exit code 2 for a reference or credentials that cannot be used, with exit code 4 for a registry that
/// does not give a policy or a file that cannot be written.
pub fn run(flags: &PolicyPull) -> Result<ExitStatus, Failure> {
    let pulled = pull(&place(&flags.place)?, &flags.access.access()?, None)?;
    write_module(&flags.output, &pulled.module, &mut io::stdout().lock())?;
    if flags.output == Path::new("-") {
        print_message("pulled", &pulled.immutable.to_string());
    } else {
        super::print(&format!("{}\n", pulled.immutable))?;
    }
    Ok(ExitStatus::Clean)
}
