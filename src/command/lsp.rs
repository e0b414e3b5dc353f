//! `sqledge-ha lsp`.

use crate::exit::{CommandError, ExitStatus};
use crate::lsp;

/// Runs the language server on standard input and output.
///
/// # Errors
/// [`CommandError`] with exit code 4 if the connection to the client breaks.
pub fn run() -> Result<ExitStatus, CommandError> {
    lsp::run()
}
