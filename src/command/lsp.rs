//! `sqledge-ha lsp`.

use crate::exit::{ExitStatus, Failure};
use crate::lsp;

/// Runs the language server on standard input and output.
///
/// # Errors
/// [`Failure`] with exit code 4 if the connection to the client breaks.
pub fn run() -> Result<ExitStatus, Failure> {
    lsp::run()
}
