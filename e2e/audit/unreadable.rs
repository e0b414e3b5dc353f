//! API servers that do not give all objects: what is missing is reported, the exit code is 4, and no secret is shown.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::stand_in::{Answer, SECRET, StandIn, deployments};
use super::{audit, parsed};
use crate::ran::Ran;

const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";

/// The lines that name what was not read.
fn not_read(ran: &Ran) -> Vec<&str> {
    assert!(!ran.output.contains(SECRET) && !ran.stderr.contains(SECRET), "{}{}", ran.output, ran.stderr);
    ran.output.lines().filter(|line| line.starts_with("not read: ")).collect()
}

/// Audits a server on which the list of Deployments has this answer.
fn with_deployments(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Ran {
    let server = StandIn::start(move |path| path.starts_with(DEPLOYMENTS).then(&answer));
    audit(&server.kubeconfig(), &[])
}

#[test]
fn a_list_that_expires_is_continued() {
    let server = StandIn::start(|path| {
        let query = path.strip_prefix(DEPLOYMENTS)?;
        Some(match query.split("continue=").nth(1) {
            None => deployments(&["first"], "old"),
            Some("old") => Answer::error(410, "expired", &json!({"continue": "new"})),
            Some(_) => deployments(&["second"], ""),
        })
    });
    let ran = audit(&server.kubeconfig(), &["--format", "json"]);
    let report = parsed(&ran.output);
    assert_eq!((ran.code, report["summary"]["databases"].as_u64(), &report["unread"]), (1, Some(2), &json!([])));
}

#[test]
fn a_list_that_cannot_be_continued_is_not_read() {
    let ran = with_deployments(|| Answer::error(410, "expired", &json!({})));
    assert_eq!(ran.code, 4, "{}", ran.output);
    assert_eq!(not_read(&ran), ["not read: deployments.apps: the API server no longer has the version of the list"]);
}

#[test]
fn a_busy_server_is_asked_again() {
    let asked = AtomicUsize::new(0);
    let server = StandIn::start(move |path| {
        let is_first = path.starts_with(DEPLOYMENTS) && asked.fetch_add(1, Ordering::Relaxed) == 0;
        match is_first {
            true => Some(Answer::error(429, "too many requests", &json!({}))),
            false => path.starts_with(DEPLOYMENTS).then(|| deployments(&["sql"], "")),
        }
    });
    let ran = audit(&server.kubeconfig(), &[]);
    assert_eq!((ran.code, not_read(&ran), server.count(DEPLOYMENTS)), (1, vec![], 2), "{}", ran.output);
    let busy = with_deployments(|| Answer::error(429, "too many requests", &json!({})));
    assert_eq!(not_read(&busy), ["not read: deployments.apps: the API server is too busy"]);
    assert_eq!(busy.code, 4);
}

#[test]
fn a_server_that_stops_in_the_middle_of_a_list_is_asked_again() {
    let asked = AtomicUsize::new(0);
    let server = StandIn::start(move |path| {
        let page = path.starts_with(DEPLOYMENTS).then(|| deployments(&["sql"], ""))?;
        Some(if asked.fetch_add(1, Ordering::Relaxed) == 0 { page.cut() } else { page })
    });
    let ran = audit(&server.kubeconfig(), &[]);
    assert_eq!((ran.code, not_read(&ran), server.count(DEPLOYMENTS)), (1, vec![], 2), "{}", ran.output);
    let stopped = with_deployments(|| deployments(&["sql"], "").cut());
    assert_eq!(stopped.code, 4, "{}", stopped.output);
    assert_eq!(
        not_read(&stopped),
        ["not read: deployments.apps: the connection was closed in the middle of the answer"]
    );
}

#[test]
fn answers_of_other_servers_are_one_line() {
    let page = "<!DOCTYPE html>\n<html><body>Please log in</body></html>";
    let ran = with_deployments(move || Answer::text(200, page));
    assert_eq!(not_read(&ran), ["not read: deployments.apps: the answer is not what an API server sends"]);
    let ran = with_deployments(move || Answer::text(403, page));
    assert_eq!(not_read(&ran), ["not read: deployments.apps: forbidden: no permission to list it"]);
    let ran = with_deployments(|| Answer::error(400, "the query is wrong", &json!({})));
    assert_eq!(not_read(&ran), ["not read: deployments.apps: the API server answers HTTP 400: the query is wrong"]);
    assert_eq!(ran.code, 4);
}

#[test]
fn what_was_not_read_is_in_every_report() {
    for format in ["json", "sarif", "junit", "html"] {
        let server = StandIn::start(|path| path.starts_with(DEPLOYMENTS).then(|| Answer::error(403, "no", &json!({}))));
        let ran = audit(&server.kubeconfig(), &["--format", format]);
        assert_eq!((ran.code, ran.stderr.as_str()), (4, ""), "{format}");
        assert!(
            ran.output.contains("deployments.apps") && ran.output.contains("forbidden"),
            "{format}: {}",
            ran.output
        );
    }
}

#[test]
fn wrong_credentials_end_the_audit() {
    let server = StandIn::start(|_| Some(Answer::error(401, "Unauthorized", &json!({}))));
    let ran = audit(&server.kubeconfig(), &[]);
    let expected = "the API server rejects the credentials: they are wrong or have expired";
    assert_eq!((ran.code, ran.output.as_str()), (4, ""));
    assert_eq!(ran.stderr, format!("error: http://{}: {expected}\n", server.address));
}

#[test]
fn a_server_that_cannot_be_reached_ends_the_audit() {
    let server = StandIn::start(|_| None);
    // A port on which nothing listens.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let kubeconfig = server.kubeconfig();
    for (address, reason) in [
        (format!("http://127.0.0.1:{port}"), "connection refused".to_owned()),
        (format!("https://{}", server.address), "tls handshake eof".to_owned()),
    ] {
        let text = std::fs::read_to_string(server.kubeconfig()).unwrap();
        std::fs::write(&kubeconfig, text.replace(&format!("http://{}", server.address), &address)).unwrap();
        let ran = audit(&kubeconfig, &[]);
        assert_eq!((ran.code, ran.output.as_str()), (4, ""), "{}", ran.stderr);
        assert_eq!(ran.stderr, format!("error: {address}: cannot reach the API server: {reason}\n"));
    }
}
