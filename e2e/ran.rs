//! Runs commands, and captures their output.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The result of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// Its standard output.
    pub(crate) output: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the command writes UTF-8");
        Ran { code: output.status.code().unwrap_or(-1), output: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Runs a command to its end, with `input` on standard input.
pub(crate) fn with_input(command: &mut Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the command can be started");
    let mut stdin = process.stdin.take().expect("there is a pipe");
    // The write fails if the command does not read its input.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    process.wait_with_output().expect("the command ends").into()
}

/// The output, as in a terminal, and the exit code.
pub(crate) fn shown(ran: &Ran) -> String {
    format!("{}{}[exit code {}]\n", ran.output, ran.stderr, ran.code)
}

/// Settings for snapshots in a folder, relative to the calling file, without the module's path in their names.
pub(crate) fn snapshots(folder: &str) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}
