//! `helm template`: what a chart renders.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::tool::{Failed, run};
use crate::cli::Helm;
use crate::exit::plain;
use crate::manifest::Problem;

/// Renders a chart with the Helm that is installed.
///
/// # Errors
/// [`Problem`] if there is none, or in Helm's own words.
pub(super) fn render(chart: &Path, flags: &Helm) -> Result<String, Problem> {
    let call = format!("helm template {}", plain(&chart.to_string_lossy()));
    run("helm", &call, &arguments(chart, flags)).map_err(|failed| match failed {
        Failed::Otherwise(problem) => problem,
        Failed::Missing => Problem {
            message: "`helm` is not installed: it is in no folder of PATH".to_owned(),
            help: Some(
                "install Helm, or hand over what it renders elsewhere: helm template … | sqledge-ha lint -".into(),
            ),
            byte: 0,
        },
    })
}

/// Flags first, so that no name is taken for one.
fn arguments(chart: &Path, flags: &Helm) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["template".into()];
    let mut add = |flag: &str, value: &OsStr| {
        arguments.push([flag, "="].concat().into());
        if let Some(last) = arguments.last_mut() {
            last.push(value);
        }
    };
    for file in &flags.values {
        add("--values", file.as_os_str());
    }
    for value in &flags.set {
        add("--set", value);
    }
    if let Some(namespace) = &flags.namespace {
        add("--namespace", namespace);
    }
    arguments.push("--".into());
    arguments.extend(flags.release_name.clone());
    arguments.push(chart.into());
    arguments
}
