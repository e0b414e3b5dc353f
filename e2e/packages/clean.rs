//! An environment without compilers: an empty home, and only programs that a test names.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::must;
use crate::shared::text_of;
use crate::tools::stand_in;

/// What a minimal Linux has.
const PROGRAMS: [&str; 22] = [
    "basename",
    "bash",
    "cat",
    "chmod",
    "cp",
    "curl",
    "cut",
    "dirname",
    "env",
    "find",
    "git",
    "grep",
    "gzip",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "tar",
    "tr",
];

pub(super) struct Clean {
    folder: TempDir,
}

impl Clean {
    pub(super) fn new(more: &[&str]) -> Self {
        let clean = Clean { folder: TempDir::new().unwrap() };
        fs::create_dir(clean.path("bin")).unwrap();
        for name in PROGRAMS.iter().chain(more) {
            symlink(real(name), clean.path("bin").join(name)).unwrap();
        }
        for name in ["cc", "gcc", "clang", "zig", "cargo", "rustc"] {
            let found = clean.command("sh").args(["-c", &format!("command -v {name}")]).output().unwrap();
            assert!(!found.status.success(), "{name} is in the clean environment");
        }
        for example in ["claim-beside-the-data.yaml", "right.yaml"] {
            fs::write(clean.path(example), text_of(&format!("e2e/examples/{example}"))).unwrap();
        }
        clean
    }

    /// With a stand-in for `uname`.
    pub(super) fn on(system: &str, machine: &str) -> Self {
        let clean = Clean::new(&[]);
        let script = format!("[ \"$1\" = -s ] && echo '{system}' || echo '{machine}'");
        stand_in(&clean.path("bin"), "uname", &script);
        clean
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let program = program.as_ref();
        let inside = self.path("bin").join(program);
        let mut command = Command::new(if inside.exists() { inside.as_os_str() } else { program });
        command.env_clear().env("PATH", self.path("bin")).env("HOME", self.folder.path()).env("LANG", "C.UTF-8");
        command.env("TMPDIR", self.folder.path()).current_dir(self.folder.path());
        command
    }
}

/// The path of a program, without pyenv's scripts and Debian's links.
fn real(name: &str) -> PathBuf {
    if name == "python3" {
        let path = must(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]));
        return Path::new(path.trim()).to_owned();
    }
    Path::new(must(Command::new("sh").args(["-c", "command -v \"$0\"", name])).trim()).to_owned()
}
