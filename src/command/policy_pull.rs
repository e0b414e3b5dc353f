//! `sqledge-ha policy pull`.

use std::io;
use std::path::Path;

use super::policy::{parse_reference, write_module};
use crate::cli::PolicyPull;
use crate::exit::{CommandError, ExitStatus};
use crate::message::print_message;
use crate::registry::pull;

/// Pulls a policy, checks its digest and writes it to a file.
///
/// # Errors
/// [`CommandError`] with exit code 2 for an invalid reference or unusable credentials, with exit code 4 if the registry
/// or the file causes an error.
pub fn run(flags: &PolicyPull) -> Result<ExitStatus, CommandError> {
    let pulled = pull(&parse_reference(&flags.reference)?, &flags.access.client_options()?, None)?;
    write_module(&flags.output, &pulled.module, &mut io::stdout().lock())?;
    if flags.output == Path::new("-") {
        print_message("pulled", &pulled.digest_reference.to_string());
    } else {
        super::print(&format!("{}\n", pulled.digest_reference))?;
    }
    Ok(ExitStatus::Clean)
}
