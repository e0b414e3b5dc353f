//! What installs the rules in a cluster: its shape, and what the API server sends with it.

pub(crate) mod as_deployed;
mod chart;
mod conditions;
mod in_a_cluster;
mod shape;

/// What `sqledge-ha` prints with these arguments.
fn printed(arguments: &[&str]) -> String {
    let mut command = assert_cmd::Command::cargo_bin("sqledge-ha").unwrap();
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
