//! Running a tool that renders, whatever it does: it may be missing, fail, or print without end.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::problem;
use crate::exit::{in_words, plain, say};
use crate::manifest::Problem;

/// Most bytes that a tool may print.
const LIMIT: usize = 256 << 20;
/// Most bytes that are kept of what a tool says beside that.
const WORDS: usize = 64 << 10;
/// Most lines that are shown of it.
const LINES: usize = 20;
/// How long a person waits without being told for what.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why there is no text.
#[derive(Debug)]
pub(super) enum Failed {
    /// The tool is not installed.
    Missing,
    /// Anything else.
    Otherwise(Problem),
}

/// Runs a tool without a shell and without input, and gives what it prints. `call` is how a person calls what it does.
pub(super) fn run(program: &str, call: &str, arguments: &[OsString]) -> Result<String, Failed> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| not_started(program, &error))?;
    let listened = listen(&mut child, call);
    let otherwise = |message: String| Failed::Otherwise(problem(message));
    let output = match listened.output {
        Output::Whole(output) => output,
        Output::TooMuch => {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            return Err(otherwise(format!("`{call}` printed more than {} MiB", LIMIT >> 20)));
        }
        Output::Broken(error) => {
            return Err(otherwise(format!("what `{call}` prints cannot be read: {}", in_words(&error))));
        }
    };
    let status = child.wait().map_err(|error| otherwise(format!("`{call}` is lost: {}", in_words(&error))))?;
    // Something that the tool started may keep the pipe open; nobody waits for that.
    let words = words(&listened.words.recv_timeout(PATIENCE).unwrap_or_default());
    if !status.success() {
        let colon = if words.is_empty() { "" } else { ":\n" };
        return Err(otherwise(format!("`{call}` failed ({}){colon}{words}", ending(status))));
    }
    if !words.is_empty() {
        say(program, &words);
    }
    String::from_utf8(output).map_err(|_| otherwise(format!("what `{call}` printed is not UTF-8")))
}

fn not_started(program: &str, error: &io::Error) -> Failed {
    if error.kind() == io::ErrorKind::NotFound && !is_in_path(program) {
        return Failed::Missing;
    }
    Failed::Otherwise(problem(format!("`{program}` cannot be started: {}", in_words(error))))
}

/// Whether a file of that name is where programs are looked for. One that cannot be started is not missing.
fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// What is heard of a tool.
struct Listened {
    output: Output,
    words: Receiver<Vec<u8>>,
}

enum Output {
    Whole(Vec<u8>),
    TooMuch,
    Broken(io::Error),
}

/// Reads what a tool prints to the end, and meanwhile what it says beside that.
fn listen(child: &mut Child, call: &str) -> Listened {
    let (output_sender, output) = channel();
    let (words_sender, words) = channel();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // A receiver that is gone has heard enough.
    thread::spawn(move || drop(output_sender.send(stdout.map_or(Output::Whole(Vec::new()), read))));
    thread::spawn(move || drop(words_sender.send(stderr.map_or_else(Vec::new, last))));
    let mut heard = output.recv_timeout(PATIENCE);
    if matches!(heard, Err(RecvTimeoutError::Timeout)) {
        if io::stderr().is_terminal() {
            say("waiting", &format!("for `{call}`"));
        }
        heard = output.recv().map_err(RecvTimeoutError::from);
    }
    let output = heard.unwrap_or_else(|_| Output::Broken(io::Error::other("the reader is gone")));
    Listened { output, words }
}

fn read(pipe: impl Read) -> Output {
    let mut output = Vec::new();
    match pipe.take(LIMIT as u64 + 1).read_to_end(&mut output) {
        Ok(length) if length > LIMIT => Output::TooMuch,
        Ok(_) => Output::Whole(output),
        Err(error) => Output::Broken(error),
    }
}

/// The last bytes of what comes. After as much as may be printed nobody listens any more, and the tool gets to know that.
fn last(pipe: impl Read) -> Vec<u8> {
    let (mut pipe, mut last, mut buffer) = (pipe.take(LIMIT as u64), Vec::new(), vec![0; WORDS]);
    while let Ok(length) = pipe.read(&mut buffer)
        && length > 0
    {
        last.extend_from_slice(buffer.get(..length).unwrap_or_default());
        last.drain(..last.len().saturating_sub(WORDS));
    }
    last
}

/// What a tool said, fit for a terminal: its last lines, where the error is.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<String> = text.lines().map(|line| plain(line.trim_end())).filter(|line| !line.is_empty()).collect();
    let left_out = lines.len().saturating_sub(LINES);
    let mut shown = if left_out > 0 { vec!["…".to_owned()] } else { Vec::new() };
    shown.extend(lines.into_iter().skip(left_out));
    shown.join("\n")
}

fn ending(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}
