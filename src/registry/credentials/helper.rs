//! The protocol of credential helpers: <https://github.com/docker/docker-credential-helpers#development>

use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

use super::CredentialsError;
use super::auth_file::TOKEN_USER;
use crate::message::describe_io_error;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    username: String,
    secret: String,
}

/// The user name by which a helper marks a token.
const TOKEN: &str = "<token>";

pub(super) fn program(name: &str) -> String {
    format!("docker-credential-{name}")
}

/// Gets user and password for a server from the helper `name`; `None` if it has none. There is no timeout, because a
/// helper may prompt the user.
pub(super) fn get(name: &str, server: &str) -> Result<Option<(String, String)>, CredentialsError> {
    let program = program(name);
    let failed =
        |reason: String| CredentialsError::Helper { program: program.clone(), reason, server: server.to_owned() };
    if name.contains(['/', '\\']) {
        return Err(failed("has an invalid name".to_owned()));
    }
    let output = run(&program, server).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CredentialsError::NoHelper(program.clone()),
        _ => failed(format!("cannot be run: {}", describe_io_error(&error))),
    })?;
    if !output.status.success() {
        let has_none = String::from_utf8_lossy(&output.stdout).contains("credentials not found");
        return if has_none { Ok(None) } else { Err(failed(format!("failed ({})", output.status))) };
    }
    // The output may contain a password, so errors do not quote it.
    let response: Response = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("returned a response that cannot be parsed".to_owned()))?;
    let user = if response.username == TOKEN { TOKEN_USER.to_owned() } else { response.username };
    Ok(Some((user, response.secret)))
}

fn run(program: &str, server: &str) -> io::Result<Output> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A helper may respond without reading its input.
        let _ = input.write_all(server.as_bytes());
    }
    child.wait_with_output()
}
