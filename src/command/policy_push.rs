//! `sqledge-ha policy push`.

use std::borrow::Cow;
use std::io::{self, Write};

use super::policy::{module_at, place};
use crate::cli::PolicyPush;
use crate::exit::{Failure, Outcome, say};
use crate::registry::{Artifact, push};
use crate::wasm_host::{EMBEDDED, REVISION};

/// Pushes the module and prints where it stays the same, and nothing else: scripts read that.
///
/// # Errors
/// [`Failure`] with exit code 2 for a reference or credentials that cannot be used, with exit code 4 for a module that
/// cannot be read or a registry that does not take it.
pub fn run(flags: &PolicyPush) -> Result<Outcome, Failure> {
    let place = place(&flags.place)?;
    if place.digest().is_some() {
        return Err(Failure::usage(format!("{place}: a digest is what comes of pushing; name a tag alone")));
    }
    let access = flags.access.access()?;
    let module = match &flags.module {
        None => Cow::Borrowed(EMBEDDED),
        Some(path) => Cow::Owned(module_at(path)?),
    };
    // A file of the very same bytes has the same origin, and so the same digest in every registry.
    let known = REVISION.filter(|_| *module == *EMBEDDED);
    let artifact = Artifact::new(&module, flags.revision.as_deref().or(known)).map_err(|error| {
        let name = flags.module.as_ref().map_or_else(|| "the embedded module".into(), |path| path.to_string_lossy());
        Failure::unreadable(format!("{name}: {error}"))
    })?;
    let immutable = push(&artifact, &place, &access)?;
    say("pushed", &format!("{} bytes as {place}", module.len()));
    let mut output = io::stdout().lock();
    writeln!(output, "{immutable}")?;
    output.flush()?;
    Ok(Outcome::Clean)
}
