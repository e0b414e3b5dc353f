//! What the client can do, and its settings.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use super::position::Encoding;
use super::uri;
use crate::cli::EngineChoice;
use crate::escape::escape;

/// The section of the settings, and the source of diagnostics.
pub(super) const NAME: &str = "sqledge-ha";

/// The settings of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Databases to check, as `--engine`.
    pub(super) engine: Option<EngineChoice>,
    /// The configuration, as `--config`, relative to the workspace folder.
    pub(super) config: Option<PathBuf>,
    /// Whether a workspace folder is a part of an application, as `--partial`.
    pub(super) partial: bool,
}

impl Options {
    /// Reads the settings, also below the key `sqledge-ha`. Null values mean unset.
    ///
    /// # Errors
    /// A message that names the wrong setting.
    pub(super) fn read(settings: &Value) -> Result<Self, String> {
        let settings = settings.get(NAME).unwrap_or(settings);
        let mut options = Options::default();
        let fields = match settings {
            Value::Null => return Ok(options),
            Value::Object(fields) => fields,
            _ => return Err("the settings are not an object".to_owned()),
        };
        for (key, value) in fields {
            match (key.as_str(), value) {
                (_, Value::Null) => {}
                ("engine", Value::String(name)) => options.engine = Some(engine(name)?),
                ("config", Value::String(path)) => {
                    options.config = (!path.is_empty()).then(|| PathBuf::from(path));
                }
                ("partial", Value::Bool(partial)) => options.partial = *partial,
                // Settings of the extension.
                ("path" | "trace", _) => {}
                ("engine" | "config", _) => return Err(format!("the setting `{key}` is not a string")),
                ("partial", _) => return Err("the setting `partial` is neither true nor false".to_owned()),
                _ => {
                    let key = escape(key);
                    return Err(format!("unknown setting `{key}`; valid settings: engine, config, partial"));
                }
            }
        }
        Ok(options)
    }
}

fn engine(name: &str) -> Result<EngineChoice, String> {
    EngineChoice::from_str(name, false).map_err(|_| {
        let name = escape(name);
        format!("unknown engine `{name}`; valid engines: sql-edge, sql-server, all")
    })
}

/// What the client supports, as far as it matters here. Anything that the client does not say clearly, it does not
/// support.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capabilities {
    /// What columns count.
    pub(super) encoding: Encoding,
    /// Hovers in Markdown.
    pub(super) has_markdown: bool,
    /// Related locations of diagnostics.
    pub(super) has_related_information: bool,
    /// Links of diagnostics.
    pub(super) has_code_description: bool,
    /// Versions of the texts to edit.
    pub(super) has_versioned_edits: bool,
    /// Edits of code actions that are computed when the user selects one.
    pub(super) resolves_edits: bool,
    /// The server can ask to be told about changed files.
    pub(super) watches_files: bool,
}

impl Capabilities {
    /// Reads the parameters of `initialize`.
    pub(super) fn read(parameters: &Value) -> Self {
        let find = |path: &str| parameters.pointer(&format!("/capabilities/{path}"));
        let is_set = |path: &str| find(path) == Some(&Value::Bool(true));
        let contains = |path: &str, item: &str| {
            find(path).and_then(Value::as_array).is_some_and(|items| items.iter().any(|other| other == item))
        };
        let has_utf8 = contains("general/positionEncodings", "utf-8");
        Capabilities {
            encoding: if has_utf8 { Encoding::Utf8 } else { Encoding::Utf16 },
            has_markdown: contains("textDocument/hover/contentFormat", "markdown"),
            has_related_information: is_set("textDocument/publishDiagnostics/relatedInformation"),
            has_code_description: is_set("textDocument/publishDiagnostics/codeDescriptionSupport"),
            has_versioned_edits: is_set("workspace/workspaceEdit/documentChanges"),
            resolves_edits: is_set("textDocument/codeAction/dataSupport")
                && contains("textDocument/codeAction/resolveSupport/properties", "edit"),
            watches_files: is_set("workspace/didChangeWatchedFiles/dynamicRegistration"),
        }
    }
}

/// The workspace folders in the parameters of `initialize`.
pub(super) fn folders(parameters: &Value) -> Vec<PathBuf> {
    let path = |uri: Option<&Value>| uri.and_then(Value::as_str).and_then(uri::to_path);
    match parameters.get("workspaceFolders").and_then(Value::as_array) {
        Some(folders) => folders.iter().filter_map(|folder| path(folder.get("uri"))).collect(),
        None => path(parameters.get("rootUri")).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_read_with_and_without_their_section() {
        let all = json!({"engine": "all", "config": "ci/sqledge-ha.yaml", "partial": true, "trace": {"server": "off"}});
        let expected = Options {
            engine: Some(EngineChoice::All),
            config: Some(PathBuf::from("ci/sqledge-ha.yaml")),
            partial: true,
        };
        assert_eq!(Options::read(&all), Ok(expected.clone()));
        assert_eq!(Options::read(&json!({"sqledge-ha": all})), Ok(expected));
        for unset in [json!(null), json!({}), json!({"sqledge-ha": null}), json!({"engine": null, "config": ""})] {
            assert_eq!(Options::read(&unset), Ok(Options::default()), "{unset}");
        }
    }

    #[test]
    fn wrong_settings_are_named() {
        for (settings, message) in [
            (json!({"engine": "oracle"}), "unknown engine `oracle`; valid engines: sql-edge, sql-server, all"),
            (json!({"engine": 1}), "the setting `engine` is not a string"),
            (json!({"partial": "yes"}), "the setting `partial` is neither true nor false"),
            (json!({"partail": true}), "unknown setting `partail`; valid settings: engine, config, partial"),
            (json!([]), "the settings are not an object"),
        ] {
            assert_eq!(Options::read(&settings), Err(message.to_owned()));
        }
    }

    #[test]
    fn the_folder_of_an_old_client_is_its_root() {
        let uri = "file:///src/app";
        for parameters in [
            json!({"rootUri": uri}),
            json!({"rootUri": null, "workspaceFolders": [{"uri": uri, "name": "app"}]}),
            json!({"rootUri": uri, "workspaceFolders": null}),
        ] {
            assert_eq!(folders(&parameters), [PathBuf::from("/src/app")]);
        }
        assert!(folders(&json!({"rootUri": null})).is_empty());
        assert!(folders(&json!({"rootUri": uri, "workspaceFolders": []})).is_empty());
    }
}
