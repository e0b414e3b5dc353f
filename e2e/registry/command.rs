//! Runs the command as a user with an empty home directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::server::{PASSWORD, USER};
use crate::ran::{Ran, shown, snapshots};

pub(super) struct User {
    home: TempDir,
    environment: Vec<(&'static str, PathBuf)>,
    limit: Option<u32>,
}

impl User {
    /// A user without logins.
    pub(super) fn unknown() -> Self {
        User { home: TempDir::new().unwrap(), environment: Vec::new(), limit: None }
    }

    /// A user with a login of docker.
    pub(super) fn logged_in(registry: &str) -> Self {
        User::unknown().with_file(".docker/config.json", &login(registry, PASSWORD))
    }

    /// Adds a file to the home directory.
    pub(super) fn with_file(self, path: &str, text: &str) -> Self {
        let path = self.home().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Sets a variable to a path in the home directory.
    pub(super) fn with(mut self, variable: &'static str, path: &str) -> Self {
        let path = self.home().join(path);
        self.environment.push((variable, path));
        self
    }

    /// Limits the size of files to this many blocks of 512 bytes.
    pub(super) fn with_file_limit(mut self, blocks: u32) -> Self {
        self.limit = Some(blocks);
        self
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The command in the home directory.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_sqledge-ha");
        let mut command = match self.limit {
            None => Command::new(program),
            Some(blocks) => {
                // Without the trap, exceeding the limit would kill the process.
                let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
                let mut command = Command::new("/bin/sh");
                command.args(["-c", &script, program]);
                command
            }
        };
        command.env_clear().env("HOME", self.home()).env("PATH", "/usr/bin:/bin").current_dir(self.home());
        command.envs(self.environment.iter().map(|(name, path)| (name, path))).args(arguments);
        command.stdin(Stdio::null());
        command
    }

    /// Runs the command and checks that its output has no secrets and no control characters.
    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        let (code, output, stderr) = self.bytes(arguments);
        let ran = Ran { code, output: String::from_utf8(output).unwrap(), stderr };
        let shown = format!("{}{}", ran.output, ran.stderr);
        assert!(!shown.contains("Secret-of-") && !shown.contains("panicked"), "{shown}");
        assert!(!shown.contains(|character: char| character.is_control() && character != '\n'), "{shown:?}");
        ran
    }

    /// Runs the command and returns the exit code, standard output and standard error.
    pub(super) fn bytes(&self, arguments: &[&str]) -> (i32, Vec<u8>, String) {
        let output = self.command(arguments).output().unwrap();
        (output.status.code().unwrap(), output.stdout, String::from_utf8(output.stderr).unwrap())
    }

    /// Pushes the embedded module and returns its digest reference.
    pub(super) fn push(&self, reference: &str) -> String {
        let ran = self.run(&["policy", "push", "--plain-http", reference]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.output.trim_end().to_owned()
    }
}

/// The file that a login writes.
pub(super) fn login(registry: &str, password: &str) -> String {
    use base64::Engine;
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"));
    format!("{{\"auths\": {{\"{registry}\": {{\"auth\": \"{auth}\"}}}}}}")
}

/// Compares the output with a snapshot, without the parts that differ in every run.
pub(super) fn snapshot(name: &str, ran: &Ran) {
    let mut settings = snapshots("../snapshots/registry");
    settings.add_filter(r"127\.0\.0\.1:\d+", "[registry]");
    settings.add_filter(r"sha256:[0-9a-f]{64}", "[digest]");
    settings.add_filter(r"sha256-[0-9a-f]{64}", "[digest as a tag]");
    settings.add_filter(r"/[^ :]*/\.tmp\w+", "[home]");
    settings.add_filter(r"\b\d{6} bytes", "[size] bytes");
    settings.bind(|| insta::assert_snapshot!(name, shown(ran)));
}
