//! `sqledge-ha policy push`.

use std::borrow::Cow;
use std::io::{self, Write};

use super::policy::{parse_reference, read_module};
use crate::cli::PolicyPush;
use crate::exit::{CommandError, ExitStatus};
use crate::message::print_message;
use crate::registry::{Artifact, push};
use crate::wasm_host::{EMBEDDED, REVISION};

/// Pushes the module and prints its digest reference. Standard output has nothing else, for scripts.
///
/// # Errors
/// [`CommandError`] with exit code 2 for an invalid reference or unusable credentials, with exit code 4 if the module
/// cannot be read or the registry causes an error.
pub fn run(flags: &PolicyPush) -> Result<ExitStatus, CommandError> {
    let reference = parse_reference(&flags.reference)?;
    if reference.digest().is_some() {
        return Err(CommandError::usage(format!("{reference}: cannot push to a digest; use a tag")));
    }
    let options = flags.access.client_options()?;
    let module = match &flags.module {
        None => Cow::Borrowed(EMBEDDED),
        Some(path) => Cow::Owned(read_module(path)?),
    };
    // A file with the embedded module has the same revision, and so the same digest in every registry.
    let own_revision = REVISION.filter(|_| *module == *EMBEDDED);
    let artifact = Artifact::new(&module, flags.revision.as_deref().or(own_revision)).map_err(|error| {
        let name = flags.module.as_ref().map_or_else(|| "the embedded module".into(), |path| path.to_string_lossy());
        CommandError::unreadable(format!("{name}: {error}"))
    })?;
    let digest_reference = push(&artifact, &reference, &options)?;
    print_message("pushed", &format!("{} bytes as {reference}", module.len()));
    let mut output = io::stdout().lock();
    writeln!(output, "{digest_reference}")?;
    output.flush()?;
    Ok(ExitStatus::Clean)
}
