//! Renders charts with `helm template`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::tool::{ToolError, run};
use crate::escape::escape;

/// A chart with the options of `helm template`.
#[derive(Clone, Debug, Default)]
pub struct HelmChart {
    /// The chart: a directory, an archive or a reference.
    pub path: PathBuf,
    /// Values files.
    pub values: Vec<PathBuf>,
    /// Single values, as `KEY=VALUE`.
    pub set: Vec<OsString>,
    /// The release name.
    pub release_name: Option<OsString>,
    /// The namespace.
    pub namespace: Option<OsString>,
}

impl HelmChart {
    /// Renders the chart with the installed Helm.
    ///
    /// # Errors
    /// [`ToolError`] if Helm is not installed, or with Helm's message if it fails.
    pub(super) fn render(&self) -> Result<String, ToolError> {
        run("helm", &format!("helm template {}", escape(&self.path.to_string_lossy())), &self.arguments())
    }

    /// The arguments, flags first, so that no name can be read as a flag.
    fn arguments(&self) -> Vec<OsString> {
        let flag = |name: &str, value: &OsStr| {
            let mut argument = OsString::from(name);
            argument.push(value);
            argument
        };
        let mut arguments: Vec<OsString> = vec!["template".into()];
        arguments.extend(self.values.iter().map(|file| flag("--values=", file.as_os_str())));
        arguments.extend(self.set.iter().map(|value| flag("--set=", value)));
        arguments.extend(self.namespace.iter().map(|namespace| flag("--namespace=", namespace)));
        arguments.push("--".into());
        arguments.extend(self.release_name.clone());
        arguments.push(self.path.clone().into());
        arguments
    }
}
