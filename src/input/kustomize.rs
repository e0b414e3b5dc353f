//! `kubectl kustomize`: what a kustomization renders.

use std::ffi::OsString;
use std::path::Path;

use super::tool::{Failed, run};
use crate::exit::plain;
use crate::manifest::Problem;

/// The tools that can do it, and how they are asked. The first one that is installed does.
const TOOLS: [(&str, &str); 2] = [("kubectl", "kustomize"), ("kustomize", "build")];

/// Renders a kustomization with the `kubectl` that is installed, or else with `kustomize`.
///
/// # Errors
/// [`Problem`] if there is neither, or in the tool's own words.
pub(super) fn render(folder: &Path) -> Result<String, Problem> {
    for (program, verb) in TOOLS {
        let call = format!("{program} {verb} {}", plain(&folder.to_string_lossy()));
        let arguments: [OsString; 3] = [verb.into(), "--".into(), folder.into()];
        match run(program, &call, &arguments) {
            Err(Failed::Missing) => {}
            Err(Failed::Otherwise(problem)) => return Err(problem),
            Ok(text) => return Ok(text),
        }
    }
    Err(Problem {
        message: "neither `kubectl` nor `kustomize` is installed: they are in no folder of PATH".to_owned(),
        help: Some(
            "install one, or hand over what it renders elsewhere: kubectl kustomize … | sqledge-ha lint -".into(),
        ),
        byte: 0,
    })
}
