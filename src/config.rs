//! The configuration of the linter: a file and the flags that override it.

use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use sqledge_ha_policy::rules::{parse_settings, set_action};
use sqledge_ha_policy::settings::Settings;

use crate::cli::{CheckOptions, Inputs};
use crate::exit::Failure;
use crate::input::{CONFIG_LIMIT, Exclusion, read_limited};

/// A configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    /// The settings of the policy.
    #[serde(default)]
    policy: Value,
    /// Globs of paths to exclude.
    #[serde(default)]
    exclude: Vec<String>,
}

/// The configuration file with the flags.
#[derive(Debug)]
pub struct LintConfig {
    /// The settings of the policy.
    pub settings: Settings,
    /// The paths to exclude.
    pub exclusion: Exclusion,
}

/// Reads the configuration of `lint` and `fix`. Globs in the file are relative to its directory, globs in flags to the
/// current one.
///
/// # Errors
/// [`Failure`] with exit code 2 that locates the mistake.
pub fn lint_config(options: &CheckOptions, inputs: &Inputs) -> Result<LintConfig, Failure> {
    let mut exclusion = Exclusion::default();
    exclusion
        .add(Path::new("."), &inputs.exclude)
        .map_err(|message| Failure::usage(format!("--exclude: {message}")))?;
    let Some(path) = options.config.as_deref() else {
        return Ok(LintConfig { settings: overridden(Settings::default(), options)?, exclusion });
    };
    let file = read_config_file(path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    exclusion
        .add(directory, &file.exclude)
        .map_err(|message| Failure::usage(format!("{}: exclude: {message}", path.display())))?;
    Ok(LintConfig { settings: overridden(checked(path, &file.policy)?, options)?, exclusion })
}

/// The settings with the values of the flags.
fn overridden(mut settings: Settings, options: &CheckOptions) -> Result<Settings, Failure> {
    if let Some(choice) = options.engine {
        settings.engines = choice.engines();
    }
    for flag in &options.rules {
        let (rule, action) = flag
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--rule {flag}: write ID=ACTION, e.g. whole-data-root=off")))?;
        set_action(&mut settings, rule, action)
            .map_err(|message| Failure::usage(format!("--rule {flag}: {message}")))?;
    }
    Ok(settings)
}

fn checked(path: &Path, policy: &Value) -> Result<Settings, Failure> {
    parse_settings(policy).map_err(|message| Failure::usage(format!("{}: policy: {message}", path.display())))
}

/// The message of the parser, which shows the lines but does not know the name of the file.
fn parse_failure(path: &Path, error: &serde_saphyr::Error) -> Failure {
    let text = error.to_string().replace("<input>", &path.to_string_lossy());
    // The caller prints the prefix, and the line below has the position.
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let text =
        text.split_once(": ").filter(|(position, _)| position.starts_with("line ")).map_or(text, |(_, rest)| rest);
    let message = text.lines().next().unwrap_or_default();
    Failure::usage(text.replace(&format!("^ {message}\n"), "^\n"))
}

fn read_config_file(path: &Path) -> Result<ConfigFile, Failure> {
    let failure = |message: String| Failure::usage(format!("{}: {message}", path.display()));
    let text = read_text(path).map_err(|error| failure(error.to_string()))?;
    parse_config_file(path, &text)
}

fn parse_config_file(path: &Path, text: &str) -> Result<ConfigFile, Failure> {
    let file: Option<ConfigFile> = serde_saphyr::from_str(text).map_err(|error| parse_failure(path, &error))?;
    Ok(file.unwrap_or_default())
}

fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read_limited(CONFIG_LIMIT, path)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// A file with the policy's settings: alone, or under `policy:` as for the linter.
#[cfg(feature = "serve")]
#[derive(Debug)]
pub struct SettingsFile {
    /// The text of the file.
    pub text: String,
    /// The settings as JSON.
    pub value: Value,
    /// The settings.
    pub policy: Settings,
}

/// Reads a file with the policy's settings: alone, or under `policy:` as for the linter.
///
/// # Errors
/// [`Failure`] with exit code 2 that names the file and locates the mistake.
#[cfg(feature = "serve")]
pub fn read_settings_file(path: &Path) -> Result<SettingsFile, Failure> {
    let failure = |message: String| Failure::usage(format!("{}: {message}", path.display()));
    let text = read_text(path).map_err(|error| failure(error.to_string()))?;
    let value: Option<Value> = serde_saphyr::from_str(&text).map_err(|error| parse_failure(path, &error))?;
    let value = match value {
        Some(value) if value.get("policy").is_some() => parse_config_file(path, &text)?.policy,
        value => value.unwrap_or_default(),
    };
    let policy = parse_settings(&value).map_err(failure)?;
    Ok(SettingsFile { text, value, policy })
}
