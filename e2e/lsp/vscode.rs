//! The extension for Visual Studio Code, with a stand-in for the editor.

use std::process::Command;

use serde_json::{Value, json};

use crate::shared::{root, text_of};

/// Loads the extension with stand-ins for its modules, and prints what it does.
const SCRIPT: &str = r"
const Module = require('module');
const { load } = { load: Module._load };
const log = [];
class LanguageClient {
  constructor(...parameters) { log.push(parameters); }
  start() { log.push('start'); return Promise.resolve(); }
  stop() { log.push('stop'); return Promise.resolve(); }
}
const settings = { path: process.argv[2], engine: 'all', config: '', partial: true };
const modules = {
  'vscode': { workspace: { getConfiguration: (name) => ({ get: (key) => (log.push([name, key]), settings[key]) }) } },
  'vscode-languageclient/node': { LanguageClient },
};
Module._load = (name, ...rest) => modules[name] || load(name, ...rest);
const extension = require(process.argv[1]);
Promise.resolve(extension.deactivate()).then(extension.activate).then(extension.deactivate).then(() => {
  console.log(JSON.stringify(log));
});
";

fn run(path: &str) -> Value {
    let output =
        Command::new("node").args(["-e", SCRIPT]).arg(root().join("editors/vscode/extension.js")).arg(path).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_extension_starts_the_server_with_its_settings() {
    for (path, command) in [("", "sqledge-ha"), ("/opt/sqledge-ha", "/opt/sqledge-ha")] {
        let log = run(path);
        let log = log.as_array().unwrap();
        let client = log.iter().find(|entry| entry[1]["command"].is_string()).unwrap();
        assert_eq!(client[1], json!({"command": command, "args": ["lsp"]}));
        assert_eq!(client[2]["initializationOptions"], json!({"engine": "all", "config": "", "partial": true}));
        assert_eq!(client[2]["synchronize"], json!({"configurationSection": "sqledge-ha"}));
        assert_eq!(log[log.len() - 2..], [json!("start"), json!("stop")]);
    }
}

#[test]
fn the_manifest_of_the_extension_has_the_settings_and_the_version() {
    let manifest: Value = serde_json::from_str(&text_of("editors/vscode/package.json")).unwrap();
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
    let properties = manifest["contributes"]["configuration"]["properties"].as_object().unwrap();
    let page = text_of("docs/editors.md");
    for name in properties.keys() {
        let name = name.strip_prefix("sqledge-ha.").unwrap();
        let is_documented = page.contains(&format!("| `{name}` |")) || page.contains(&format!("`sqledge-ha.{name}`"));
        assert!(is_documented || name == "trace.server", "{name}");
    }
    assert!(page.contains(&format!("sqledge-ha-{}.vsix", env!("CARGO_PKG_VERSION"))));
}
