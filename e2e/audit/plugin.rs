//! The program as a plugin of kubectl, and its manifest for Krew.

use std::env;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::ran::{Ran, with_input};
use crate::shared::root;
use crate::tools::tool;

/// Runs `kubectl sqledge-ha` with the program in the search path.
fn kubectl(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    symlink(env!("CARGO_BIN_EXE_sqledge-ha"), folder.path().join("kubectl-sqledge_ha")).unwrap();
    let mut command = Command::new(tool("e2e-cluster"));
    command.args(["kubectl", "sqledge-ha"]).args(arguments).current_dir(root().join("e2e/audit"));
    command
        .env("PATH", format!("{}:{}", folder.path().display(), env::var("PATH").unwrap()))
        .env("HOME", folder.path());
    with_input(command.env_remove("KUBECONFIG"), "")
}

#[test]
fn kubectl_runs_the_program() {
    let ran = kubectl(&["audit", "--from", "shop"]);
    let own = super::run(&["audit", "--from", "shop"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    assert_eq!(ran.output, own.output);
}

#[test]
fn help_and_usage_name_the_plugin() {
    let help = kubectl(&["audit", "--help"]);
    assert!(help.output.contains("Usage: kubectl sqledge-ha audit [OPTIONS]\n"), "{}", help.output);
    assert!(kubectl(&["--help"]).output.contains("Usage: kubectl sqledge-ha "));
    let wrong = kubectl(&["audit", "--nope"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("Usage: kubectl sqledge-ha audit"), "{}", wrong.stderr);
    let own = super::run(&["audit", "--help"]);
    assert!(own.output.contains("Usage: sqledge-ha audit [OPTIONS]\n"), "{}", own.output);
}
