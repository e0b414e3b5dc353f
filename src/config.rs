//! The configuration of the linter: a file and the flags that override it.
//!
//! | file | contents |
//! |---|---|
//! | `discovery` | the file that applies to a path |
//! | `file` | the value of a file, and the places of the values in its text |
//! | `reader` | values -> settings, exclusions and ignore entries |
//! | `schema` | the JSON schema |

mod discovery;
mod file;
mod reader;
pub mod schema;

use std::path::{Path, PathBuf};

use sqledge_ha_policy::rules::set_action;
use sqledge_ha_policy::settings::Settings;

use self::file::{ConfigFile, read_text};
use self::reader::Configuration;
use crate::cli::{CheckOptions, Rendering};
use crate::clock::today;
use crate::exit::CommandError;
use crate::input::{Exclusion, STANDARD_INPUT};
use crate::input_name::path_name;
use crate::linter::Ignores;

pub use self::discovery::is_config;
pub use self::file::ConfigError;
pub use self::reader::find_mistake;
#[cfg(feature = "serve")]
pub use self::reader::{SettingsFile, read_settings_file};

/// The configuration file with the flags.
#[derive(Debug, Default)]
pub struct LintConfig {
    /// The settings of the policy.
    pub settings: Settings,
    /// The paths to exclude.
    pub exclusion: Exclusion,
    /// What hides findings; `None` with `--no-ignores`.
    pub ignores: Option<Ignores>,
    /// A note that names the file, if no flag does.
    pub note: Option<String>,
}

/// Flags that decide which configuration applies.
#[derive(Debug)]
pub struct ConfigFlags<'f> {
    /// Settings and rules.
    pub checks: &'f CheckOptions,
    /// The files and directories with manifests; none for the current directory.
    pub paths: &'f [PathBuf],
    /// Globs of paths to exclude.
    pub exclude: &'f [String],
    /// Charts and kustomization directories.
    pub rendering: Option<&'f Rendering>,
    /// Whether nothing hides findings.
    pub no_ignores: bool,
}

/// Reads the configuration of `lint` and `fix`. Globs in the file are relative to its directory, globs in flags to the
/// current one.
///
/// # Errors
/// [`CommandError`] with exit code 2 that locates the mistake.
pub fn lint_config(flags: &ConfigFlags<'_>) -> Result<LintConfig, CommandError> {
    let ConfigFlags { checks, paths, exclude, .. } = flags;
    let mut exclusion = Exclusion::default();
    exclusion.add(Path::new("."), exclude).map_err(|message| CommandError::usage(format!("--exclude: {message}")))?;
    let (file, note) = match &checks.config {
        Some(path) => (Some(ConfigFile::parse(path, &read_text(path)?)?), None),
        None if checks.no_config => (None, None),
        None => {
            let path = first_path(flags);
            let file = discovery::discover(&path)?;
            let note = match &file {
                Some(file) => Some(format!("configuration: {}", path_name(&file.path))),
                None => discovery::misnamed(&path)
                    .map(|path| format!("{} is not read; name it {}", path_name(&path), discovery::FILE_NAME)),
            };
            (file, note)
        }
    };
    let configuration = match &file {
        Some(file) => reader::read(file, &mut exclusion)?,
        None => Configuration::default(),
    };
    let has_all_paths = file.as_ref().is_some_and(|file| exclude.is_empty() && covers(paths, file.directory()));
    let ignores = Ignores { today: today(), entries: configuration.entries, has_all_paths };
    Ok(LintConfig {
        settings: overridden(configuration.settings, checks)?,
        exclusion,
        ignores: (!flags.no_ignores).then_some(ignores),
        note,
    })
}

/// The text of a configuration file without mistakes.
///
/// # Errors
/// [`ConfigError`] that locates the mistake.
#[cfg(feature = "serve")]
pub fn checked_text(path: &Path) -> Result<String, ConfigError> {
    let file = ConfigFile::parse(path, &read_text(path)?)?;
    reader::read(&file, &mut Exclusion::default())?;
    Ok(file.text)
}

/// The first path of the command line: a file or directory, else a chart or kustomization, else the current directory.
fn first_path(flags: &ConfigFlags<'_>) -> PathBuf {
    let rendered = || flags.rendering.and_then(|rendering| rendering.first_path());
    let path = flags.paths.first().or_else(rendered).filter(|path| path.as_os_str() != STANDARD_INPUT);
    path.cloned().unwrap_or_else(|| PathBuf::from("."))
}

/// Whether the paths include the whole directory.
fn covers(paths: &[PathBuf], directory: &Path) -> bool {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let directory = discovery::absolute(directory);
    paths.iter().any(|path| directory.starts_with(discovery::absolute(path)))
}

/// The settings with the values of the flags.
fn overridden(mut settings: Settings, options: &CheckOptions) -> Result<Settings, CommandError> {
    if let Some(choice) = options.engine {
        settings.engines = choice.engines();
    }
    for flag in &options.rules {
        let (rule, action) = flag
            .split_once('=')
            .ok_or_else(|| CommandError::usage(format!("--rule {flag}: write ID=ACTION, e.g. whole-data-root=off")))?;
        set_action(&mut settings, rule, action)
            .map_err(|message| CommandError::usage(format!("--rule {flag}: {message}")))?;
    }
    Ok(settings)
}
