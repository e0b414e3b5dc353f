//! A credential helper: <https://github.com/docker/docker-credential-helpers#development>

use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

use super::Unusable;
use crate::message::describe_io_error;

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// By which a helper says that it keeps a token and no password.
const TOKEN: &str = "<token>";

/// The program of a helper.
pub(super) fn program(name: &str) -> String {
    format!("docker-credential-{name}")
}

/// Asks the helper `name` for the user and the password of a server. `None` if it has none. It is waited for as long as
/// it takes: it may ask a person.
pub(super) fn ask(name: &str, server: &str) -> Result<Option<(String, String)>, Unusable> {
    let program = program(name);
    let unusable = |why: String| Unusable::Helper { program: program.clone(), why, server: server.to_owned() };
    if name.contains(['/', '\\']) {
        return Err(unusable("is not named as helpers are".to_owned()));
    }
    let output = run(&program, server).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::NoHelper(program.clone()),
        _ => unusable(format!("cannot be asked: {}", describe_io_error(&error))),
    })?;
    if !output.status.success() {
        let has_none = String::from_utf8_lossy(&output.stdout).contains("credentials not found");
        return if has_none { Ok(None) } else { Err(unusable(format!("failed ({})", output.status))) };
    }
    // What it printed may be a password, and is not shown.
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| unusable("answered something that is not understood".to_owned()))?;
    let user = if answer.username == TOKEN { super::stored::TOKEN_USER.to_owned() } else { answer.username };
    Ok(Some((user, answer.secret)))
}

fn run(program: &str, server: &str) -> io::Result<Output> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read what it is asked for may still answer.
        let _ = input.write_all(server.as_bytes());
    }
    child.wait_with_output()
}
