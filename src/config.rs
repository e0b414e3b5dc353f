//! The linter's configuration: a file, and the flags that override it.

use std::io;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use sqledge_ha_policy::settings::Settings;

use crate::cli::{Inputs, Judging};
use crate::exit::Failure;
use crate::input::{CONFIG_LIMIT, Exclusion, read_limited};

/// A configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The policy's settings, as a cluster would get them.
    #[serde(default)]
    policy: Value,
    /// Globs of paths that are not read.
    #[serde(default)]
    exclude: Vec<String>,
}

/// What is judged how: the flags and the configuration file together.
#[derive(Debug)]
pub struct Linting {
    /// The policy's settings.
    pub settings: Settings,
    /// Which files are left out.
    pub exclusion: Exclusion,
}

/// Reads the configuration of `lint` and `fix`. Globs in the file start at its directory, those in flags at the current
/// one.
///
/// # Errors
/// [`Failure`] with exit code 2 that says where the mistake is.
pub fn linting(judging: &Judging, inputs: &Inputs) -> Result<Linting, Failure> {
    let mut exclusion = Exclusion::default();
    exclusion
        .add(Path::new("."), &inputs.exclude)
        .map_err(|message| Failure::usage(format!("--exclude: {message}")))?;
    let Some(path) = judging.config.as_deref() else {
        return Ok(Linting { settings: overridden(Settings::default(), judging)?, exclusion });
    };
    let file = file(path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    exclusion
        .add(directory, &file.exclude)
        .map_err(|message| Failure::usage(format!("{}: exclude: {message}", path.display())))?;
    Ok(Linting { settings: overridden(checked(path, &file.policy)?, judging)?, exclusion })
}

/// The settings of a configuration file, with what flags say otherwise.
fn overridden(mut settings: Settings, flags: &Judging) -> Result<Settings, Failure> {
    if let Some(choice) = flags.engine {
        settings.engines = choice.engines();
    }
    for flag in &flags.rules {
        let (rule, action) = flag
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--rule {flag}: write ID=ACTION, e.g. whole-data-root=off")))?;
        settings.set_action(rule, action).map_err(|message| Failure::usage(format!("--rule {flag}: {message}")))?;
    }
    Ok(settings)
}

/// Reads the settings of a configuration file.
///
/// # Errors
/// [`Failure`] with exit code 2 that names the file and the place.
pub fn read(path: &Path) -> Result<Settings, Failure> {
    checked(path, &policy(path)?)
}

fn checked(path: &Path, policy: &Value) -> Result<Settings, Failure> {
    Settings::from_value(policy).map_err(|message| Failure::usage(format!("{}: policy: {message}", path.display())))
}

/// What the parser says, which shows the lines in question and cannot know the file's name.
fn misread(path: &Path, error: &serde_saphyr::Error) -> Failure {
    let text = error.to_string().replace("<input>", &path.to_string_lossy());
    // Whoever prints a failure says that it is one.
    Failure::usage(text.strip_prefix("error: ").unwrap_or(&text).to_owned())
}

/// The `policy:` part of a configuration file, as the module would get it.
///
/// # Errors
/// [`Failure`] with exit code 2 that names the file and the place.
pub fn policy(path: &Path) -> Result<Value, Failure> {
    Ok(file(path)?.policy)
}

/// The same, if it is understood.
///
/// # Errors
/// As of [`policy`], and if the settings are wrong.
pub fn checked_policy(path: &Path) -> Result<Value, Failure> {
    let policy = policy(path)?;
    checked(path, &policy)?;
    Ok(policy)
}

fn file(path: &Path) -> Result<File, Failure> {
    let wrong = |message: String| Failure::usage(format!("{}: {message}", path.display()));
    let text = text(path).map_err(|error| wrong(error.to_string()))?;
    let file: Option<File> = serde_saphyr::from_str(&text).map_err(|error| misread(path, &error))?;
    Ok(file.unwrap_or_default())
}

fn text(path: &Path) -> io::Result<String> {
    let bytes = read_limited(CONFIG_LIMIT, path)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// A file that holds nothing but the policy's settings, as a cluster gets them.
#[derive(Debug)]
pub struct Bare {
    /// The file's text.
    pub text: String,
    /// What it says.
    pub value: Value,
    /// What it means.
    pub policy: Settings,
}

/// Reads a file of bare settings.
///
/// # Errors
/// [`Failure`] with exit code 2 that names the file and the place.
pub fn bare(path: &Path) -> Result<Bare, Failure> {
    let wrong = |message: String| Failure::usage(format!("{}: {message}", path.display()));
    let text = text(path).map_err(|error| wrong(error.to_string()))?;
    let value: Option<Value> = serde_saphyr::from_str(&text).map_err(|error| misread(path, &error))?;
    let value = value.unwrap_or_default();
    let policy = Settings::from_value(&value).map_err(wrong)?;
    Ok(Bare { text, value, policy })
}
