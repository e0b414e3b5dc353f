//! Programs of others that tests run, and scripts in their place.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A program that `make` puts among the tools.
pub(crate) fn tool(name: &str) -> PathBuf {
    let target = match name {
        "e2e-cluster" | "yaml-reader" => name,
        "cosign" | "crane" => "release-tools",
        _ => "e2e-tools",
    };
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin").join(name);
    assert!(tool.is_file(), "{} is not there: run \"make {target}\" first", tool.display());
    tool
}

/// Puts a shell script into a folder, in the place of a tool.
pub(crate) fn stand_in(folder: &Path, name: &str, script: &str) {
    // A program that is written here might still be open for writing, in a process that another test starts, when it is
    // run.
    let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/stand-in.sh");
    symlink(stand_in, folder.join(name)).unwrap();
    fs::write(folder.join(format!("{name}.script")), script).unwrap();
}
