//! The manifests that install the webhook and the policies: their fields, and which requests the API server sends.

pub(crate) mod as_deployed;
mod chart;
mod conditions;
mod fields;
mod in_a_cluster;

/// The output of `sqledge-ha` with these arguments.
pub(crate) fn printed(arguments: &[&str]) -> String {
    let mut command = assert_cmd::Command::cargo_bin("sqledge-ha").unwrap();
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
