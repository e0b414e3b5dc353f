//! `install.sh`, which downloads the program of a release.

use std::fs;
use std::process::Output;

use super::clean::Clean;
use super::server::{Answer, Server};
use super::{VERSION, files, packages};
use crate::shared::{root, sha256};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A release, whose archive is answered with `damage`.
fn release(damage: fn(Vec<u8>) -> Answer) -> Server {
    let mut release = files(packages().path());
    let sums: String = release.iter().map(|(name, bytes)| format!("{}  {name}\n", sha256(bytes))).collect();
    release.insert("SHA256SUMS".to_owned(), sums.into_bytes());
    let provenance = format!("{{\"digest\": {{\"gitCommit\": \"{COMMIT}\"}}}}");
    release.insert("provenance.json".to_owned(), provenance.into_bytes());
    Server::new(move |path| match path.strip_prefix(&format!("/v{VERSION}/")).and_then(|name| release.get(name)) {
        Some(bytes) if path.ends_with(".tar.gz") => damage(bytes.clone()),
        Some(bytes) => Answer::Whole(bytes.clone()),
        None => Answer::Status(404),
    })
}

fn install(clean: &Clean, url: &str, reference: &str) -> Output {
    let mut command = clean.command("sh");
    command.arg(root().join("install.sh")).arg(clean.path("to")).arg(reference).env("RELEASES", url);
    command.output().unwrap()
}

/// Fails unless nothing is installed. Returns the error.
fn error(clean: &Clean, output: &Output) -> String {
    assert!(!output.status.success());
    assert_eq!(fs::read_dir(clean.path("to")).unwrap().count(), 0);
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
#[ignore = "needs Python: `make test-packages` runs it"]
fn release_is_installed_by_its_tag_or_its_commit() {
    let server = release(Answer::Whole);
    for (system, machine) in [
        ("Linux", "x86_64"),
        ("Linux", "aarch64"),
        ("Darwin", "arm64"),
        ("Darwin", "x86_64"),
        ("MINGW64_NT-10.0", "x86_64"),
    ] {
        for reference in [&format!("v{VERSION}"), COMMIT] {
            let clean = Clean::on(system, machine);
            let output = install(&clean, &server.url(), reference);
            assert!(output.status.success(), "{system} {machine}: {output:?}");
            assert_eq!(String::from_utf8(output.stdout).unwrap(), "stand-in --version\n");
            let name = if system.starts_with("MINGW") { "sqledge-ha.exe" } else { "sqledge-ha" };
            assert_eq!(files(&clean.path("to")).keys().collect::<Vec<_>>(), [name]);
        }
    }
}

#[test]
#[ignore = "needs Python: `make test-packages` runs it"]
fn damaged_or_forbidden_download_installs_nothing() {
    let try_with = |damage: fn(Vec<u8>) -> Answer| {
        let (server, clean) = (release(damage), Clean::on("Linux", "x86_64"));
        let output = install(&clean, &server.url(), &format!("v{VERSION}"));
        error(&clean, &output).replace(&server.url(), "URL")
    };
    let archive = format!("URL/v{VERSION}/sqledge-ha-lint-{VERSION}-x86_64-unknown-linux-musl.tar.gz");
    assert_eq!(
        try_with(|_| Answer::Status(403)),
        format!("error: {archive} answered HTTP 403; nothing is installed\n")
    );
    let half = try_with(Answer::Half);
    let failed = format!("error: the download of {archive} failed (curl: ");
    assert!(half.starts_with(&failed) && half.ends_with("); nothing is installed\n"), "{half}");
    let other = try_with(|bytes| Answer::Whole([bytes, vec![0]].concat()));
    let mismatch = format!("error: the SHA-256 checksum of {archive} is ");
    assert!(other.starts_with(&mismatch) && other.ends_with("; nothing is installed\n"), "{other}");
    assert!(other.contains(", but SHA256SUMS has "), "{other}");
}

#[test]
#[ignore = "needs Python: `make test-packages` runs it"]
fn what_is_not_released_is_built_or_says_how_to_build_it() {
    let server = release(Answer::Whole);
    let how = ", and there is no cargo to build it: install a Rust toolchain from https://rustup.rs, and try again; \
        nothing is installed\n";
    for (system, machine, reference, reason) in [
        ("Linux", "riscv64", "v0.0.0", "there is no program for Linux on riscv64".to_owned()),
        (
            "Linux",
            "x86_64",
            "main",
            "there is no release of this version (main) for x86_64-unknown-linux-musl".to_owned(),
        ),
    ] {
        let clean = Clean::on(system, machine);
        let output = install(&clean, &server.url(), reference);
        assert_eq!(error(&clean, &output), format!("error: {reason}{how}"));
        let cargo = "mkdir -p \"${8:?}/release\" && printf '#!/bin/sh\\necho built\\n' >\"$8/release/sqledge-ha\"";
        crate::tools::stand_in(&clean.path("bin"), "cargo", cargo);
        let output = install(&clean, &server.url(), reference);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "built\n");
        assert!(
            String::from_utf8(output.stderr).unwrap().starts_with(&format!("{reason}: building version {VERSION}\n"))
        );
    }
}
