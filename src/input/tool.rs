//! Runs a rendering tool, which can be missing, fail, or print without end.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::escape::escape;
use crate::manifest::ReadError;
use crate::message::{describe_io_error, print_message};

/// The maximum number of bytes on standard output.
const MAX_STDOUT: usize = 256 << 20;
/// The number of bytes to keep from the end of standard error.
const STDERR_TAIL: usize = 64 << 10;
/// The number of lines of standard error to print.
const STDERR_LINES: usize = 20;
/// The time after which a message says what the command is waiting for.
const NOTICE_AFTER: Duration = Duration::from_secs(2);
/// The time to wait for the end of standard error after the tool has ended.
const STDERR_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a tool has no output.
#[derive(Debug)]
pub(super) enum ToolError {
    /// The tool is not in `PATH`.
    NotInstalled,
    /// Any other error.
    Failed(ReadError),
}

/// Runs a tool without a shell and without input, and returns its standard output. Messages contain `call` as the
/// command line.
pub(super) fn run(program: &str, call: &str, arguments: &[OsString]) -> Result<String, ToolError> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot_start(program, &error))?;
    let ToolOutput { stdout, stderr_tail } = read_output(&mut child, call);
    let failed = |message: String| ToolError::Failed(ReadError::new(message));
    let output = match stdout {
        Stdout::Complete(output) => output,
        Stdout::TooLarge => {
            // The tool may have ended already.
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(format!("`{call}` printed more than {} MiB", MAX_STDOUT >> 20)));
        }
        Stdout::Error(error) => {
            return Err(failed(format!("cannot read the output of `{call}`: {}", describe_io_error(&error))));
        }
    };
    let status =
        child.wait().map_err(|error| failed(format!("cannot wait for `{call}`: {}", describe_io_error(&error))))?;
    // A process that the tool started can keep the pipe open: do not wait for it.
    let stderr = last_lines(&stderr_tail.recv_timeout(STDERR_TIMEOUT).unwrap_or_default());
    if !status.success() {
        let colon = if stderr.is_empty() { "" } else { ":\n" };
        return Err(failed(format!("`{call}` failed ({}){colon}{stderr}", describe_status(status))));
    }
    if !stderr.is_empty() {
        print_message(program, &stderr);
    }
    String::from_utf8(output).map_err(|_| failed(format!("the output of `{call}` is not UTF-8")))
}

fn cannot_start(program: &str, error: &io::Error) -> ToolError {
    if error.kind() == io::ErrorKind::NotFound && !is_in_path(program) {
        return ToolError::NotInstalled;
    }
    ToolError::Failed(ReadError::new(format!("cannot start `{program}`: {}", describe_io_error(error))))
}

/// Whether a directory of `PATH` has a file of this name. A file that cannot be executed is not missing.
fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The output of a tool.
struct ToolOutput {
    stdout: Stdout,
    stderr_tail: Receiver<Vec<u8>>,
}

enum Stdout {
    Complete(Vec<u8>),
    TooLarge,
    Error(io::Error),
}

/// Reads standard output and standard error at the same time, and returns at the end of standard output.
fn read_output(child: &mut Child, call: &str) -> ToolOutput {
    let (stdout_sender, stdout_receiver) = channel();
    let (stderr_sender, stderr_tail) = channel();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Sending fails if the receiver has been dropped, which is not an error.
    thread::spawn(move || drop(stdout_sender.send(stdout.map_or(Stdout::Complete(Vec::new()), read_stdout))));
    thread::spawn(move || drop(stderr_sender.send(stderr.map_or_else(Vec::new, read_tail))));
    let mut received = stdout_receiver.recv_timeout(NOTICE_AFTER);
    if matches!(received, Err(RecvTimeoutError::Timeout)) {
        if io::stderr().is_terminal() {
            print_message("waiting", &format!("for `{call}`"));
        }
        received = stdout_receiver.recv().map_err(RecvTimeoutError::from);
    }
    let stdout = received.unwrap_or_else(|_| Stdout::Error(io::Error::other("the reading thread has stopped")));
    ToolOutput { stdout, stderr_tail }
}

fn read_stdout(pipe: impl Read) -> Stdout {
    let mut output = Vec::new();
    match pipe.take(MAX_STDOUT as u64 + 1).read_to_end(&mut output) {
        Ok(length) if length > MAX_STDOUT => Stdout::TooLarge,
        Ok(_) => Stdout::Complete(output),
        Err(error) => Stdout::Error(error),
    }
}

/// Reads a pipe and returns its last bytes. Closes the pipe after [`MAX_STDOUT`] bytes.
fn read_tail(pipe: impl Read) -> Vec<u8> {
    let (mut pipe, mut tail, mut buffer) = (pipe.take(MAX_STDOUT as u64), Vec::new(), vec![0; STDERR_TAIL]);
    while let Ok(length) = pipe.read(&mut buffer)
        && length > 0
    {
        tail.extend_from_slice(buffer.get(..length).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(STDERR_TAIL));
    }
    tail
}

/// The last lines of standard error, escaped.
fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<String> = text.lines().map(|line| escape(line.trim_end())).filter(|line| !line.is_empty()).collect();
    let skipped = lines.len().saturating_sub(STDERR_LINES);
    let mut shown = if skipped > 0 { vec!["…".to_owned()] } else { Vec::new() };
    shown.extend(lines.into_iter().skip(skipped));
    shown.join("\n")
}

fn describe_status(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}
