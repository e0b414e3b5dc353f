//! The pod by which the documentation tests an installation, with a webhook that runs.

use std::thread;
use std::time::{Duration, Instant};

use crate::kubernetes::Cluster;
use crate::serve::process::{SOON, Server};
use crate::shared::text_of;
use crate::webhook_configurations::{list, webhook_configurations};

const COMMAND: &str = "kubectl run sqledge --image=mcr.microsoft.com/azure-sql-edge --dry-run=server";

#[test]
fn the_pod_that_tests_an_installation_is_warned_about_or_rejected() {
    for page in ["README.md", "docs/install-webhook.md", "artifacthub/chart/templates/NOTES.txt"] {
        assert!(text_of(page).contains(COMMAND), "{page}");
    }
    let cluster = Cluster::api_only();
    let server = Server::start_in(cluster.kubeconfig(), &[]);
    let warnings = answer(&cluster, &server, "warn", 0);
    let lines: Vec<&str> = warnings.lines().filter(|line| line.contains("steady-controller")).collect();
    assert!(
        text_of("docs/install-webhook.md").contains(&format!("\n```text\n{}\n…\n```\n", lines.join("\n"))),
        "{lines:?}"
    );
    let rejection = answer(&cluster, &server, "enforce", 1);
    assert!(rejection.contains("denied the request") && rejection.contains("- steady-controller: "), "{rejection}");
}

/// What the command prints in a mode, as soon as that mode has taken effect.
fn answer(cluster: &Cluster, server: &Server, mode: &str, code: i32) -> String {
    let mode = format!("--mode={mode}");
    let configurations = webhook_configurations(server.reviews, server.authority.pem(), &[&mode]);
    cluster.must(&["apply", "-f", "-"], &list(&configurations));
    let arguments: Vec<&str> = COMMAND.split(' ').skip(1).collect();
    let started = Instant::now();
    loop {
        let ran = cluster.kubectl(&arguments, "");
        if ran.code == code && ran.stderr.contains("steady-controller") {
            return ran.stderr;
        }
        assert!(started.elapsed() < SOON, "{mode}: {ran:?}");
        thread::sleep(Duration::from_millis(100));
    }
}
