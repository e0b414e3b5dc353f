//! Renders kustomizations with `kubectl kustomize`.

use std::ffi::OsString;
use std::path::Path;

use super::tool::{ToolError, run};
use crate::escape::escape;

/// The tools that can render a kustomization, with their subcommand, in order of preference.
const TOOLS: [(&str, &str); 2] = [("kubectl", "kustomize"), ("kustomize", "build")];

/// Renders a kustomization with the installed `kubectl` or, without it, with `kustomize`.
///
/// # Errors
/// [`ToolError`] if neither is installed, or with the tool's message if it fails.
pub(super) fn render(directory: &Path) -> Result<String, ToolError> {
    for (program, verb) in TOOLS {
        let call = format!("{program} {verb} {}", escape(&directory.to_string_lossy()));
        let arguments: [OsString; 3] = [verb.into(), "--".into(), directory.into()];
        match run(program, &call, &arguments) {
            Err(ToolError::NotInstalled) => {}
            result => return result,
        }
    }
    Err(ToolError::NotInstalled)
}
