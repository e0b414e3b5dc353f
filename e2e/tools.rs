//! External programs, and scripts that replace them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The directory with the CustomResourceDefinitions of reports.
pub(crate) fn report_definitions() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/crds");
    assert!(folder.is_dir(), "{} does not exist: run \"make target/tools/crds\" first", folder.display());
    folder
}

/// The path of a program that `make` installs in `target/tools/bin`.
pub(crate) fn tool(name: &str) -> PathBuf {
    let target = match name {
        "e2e-cluster" | "e2e-gitops" | "yaml-reader" => name,
        "dashboard" => "e2e-dashboard",
        "krew" => "target/tools/bin/krew",
        "pushgateway" => "e2e-pushgateway",
        "kube-score" => "target/tools/bin/kube-score",
        "promtool" => "e2e-promtool",
        "cosign" | "crane" => "release-tools",
        _ => "e2e-tools",
    };
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin").join(name);
    assert!(tool.is_file(), "{} does not exist: run \"make {target}\" first", tool.display());
    tool
}

/// Installs a shell script in a folder under the name of a tool.
pub(crate) fn stand_in(folder: &Path, name: &str, script: &str) {
    // A link to a script, because running a file just written fails if a process that another test forked still has it
    // open for writing.
    let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/stand-in.sh");
    symlink(stand_in, folder.join(name)).unwrap();
    fs::write(folder.join(format!("{name}.script")), script).unwrap();
}
