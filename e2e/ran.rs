//! Commands that run to their end, and what a person sees of them.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// What it printed on standard output.
    pub(crate) output: String,
    /// What it said on standard error.
    pub(crate) said: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the command writes UTF-8");
        Ran { code: output.status.code().unwrap_or(-1), output: text(output.stdout), said: text(output.stderr) }
    }
}

/// Runs a command to its end, with `input` on standard input.
pub(crate) fn with_input(command: &mut Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the command can be started");
    let mut stdin = process.stdin.take().expect("there is a pipe");
    // Whoever does not read its input has closed it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    process.wait_with_output().expect("the command ends").into()
}

/// What a person sees, and the exit code.
pub(crate) fn shown(ran: &Ran) -> String {
    format!("{}{}[exit code {}]\n", ran.output, ran.said, ran.code)
}

/// How what a person sees is compared: with snapshots under names of their own, in a folder that is given from where the
/// test is written.
pub(crate) fn snapshots(folder: &str) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}
