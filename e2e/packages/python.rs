//! The wheel, installed by pip and pre-commit from a local index (PEP 503).

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};
use std::time::Instant;

use super::clean::Clean;
use super::server::{Answer, Server};
use super::{VERSION, files, must, packages_with_the_program, print_time, registries};
use crate::shared::{root, sha256, text_of};

/// An index with the packages of a release and what pre-commit needs. The wheels of the release are answered with
/// `damage`.
fn index(damage: fn(Vec<u8>) -> Answer) -> Server {
    let release = packages_with_the_program();
    let is_ours = |name: &String| name.starts_with("sqledge_ha-");
    let mut all: BTreeMap<String, Vec<u8>> =
        files(release.path()).into_iter().filter(|(name, _)| is_ours(name)).collect();
    all.extend(files(&registries().join("wheels")));
    Server::new(move |path| {
        if let Some(project) = path.strip_prefix("/simple/").and_then(|path| path.strip_suffix('/')) {
            let start = format!("{}-", project.replace('-', "_"));
            let files = all.iter().filter(|(name, _)| name.to_lowercase().starts_with(&start));
            let links =
                files.map(|(name, bytes)| format!("<a href=\"/files/{name}#sha256={}\">{name}</a>\n", sha256(bytes)));
            let page: String = links.collect();
            return if page.is_empty() { Answer::Status(404) } else { Answer::Whole(page.into_bytes()) };
        }
        match path.strip_prefix("/files/").and_then(|name| all.get(name)) {
            Some(bytes) if path.contains("sqledge_ha") => damage(bytes.clone()),
            Some(bytes) => Answer::Whole(bytes.clone()),
            None => Answer::Status(404),
        }
    })
}

/// A clean environment with a virtual environment.
fn with_python() -> Clean {
    let clean = Clean::new(&["python3"]);
    must(clean.command("python3").args(["-m", "venv", "env"]));
    clean
}

fn pip(clean: &Clean, server: &Server) -> Command {
    let mut command = clean.command(clean.path("env/bin/pip"));
    command.args(["install", "--disable-pip-version-check", "--no-cache-dir", "--retries", "0"]);
    command.args(["--index-url", &format!("{}/simple", server.url())]);
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
#[ignore = "slow: `make test-packages` runs it"]
fn pip_installs_the_program() {
    let (clean, server) = (with_python(), index(Answer::Whole));
    let start = Instant::now();
    must(pip(&clean, &server).arg("sqledge-ha"));
    let lint =
        clean.command(clean.path("env/bin/sqledge-ha")).args(["lint", "claim-beside-the-data.yaml"]).output().unwrap();
    print_time("pip", start);
    assert!(lint.status.code() == Some(1) && text(&lint).starts_with("error[persistent-data]: "), "{lint:?}");
    for missing in ["review", "serve", "webhook", "policy"] {
        let output = clean.command(clean.path("env/bin/sqledge-ha")).arg(missing).output().unwrap();
        let error = format!("error: this build has no command `{missing}`; download the whole program from https://");
        assert!(output.status.code() == Some(2) && text(&output).starts_with(&error), "{output:?}");
    }
    let show = must(clean.command(clean.path("env/bin/pip")).args(["show", "--verbose", "sqledge-ha"]));
    assert!(show.contains(&format!("Version: {VERSION}\n")), "{show}");
}

#[test]
#[ignore = "slow: `make test-packages` runs it"]
fn pip_installs_no_damaged_wheel() {
    for (damage, message) in [
        ((|_| Answer::Status(403)) as fn(Vec<u8>) -> Answer, "403"),
        (|bytes| Answer::Whole([bytes, vec![0]].concat()), "DO NOT MATCH THE HASHES"),
        (Answer::Half, "ERROR: "),
    ] {
        let (clean, server) = (with_python(), index(damage));
        let output = pip(&clean, &server).arg("sqledge-ha").output().unwrap();
        assert!(!output.status.success() && text(&output).contains(message), "{message}: {}", text(&output));
        assert!(!clean.path("env/bin/sqledge-ha").exists(), "{message}");
    }
}

/// `--no-binary` makes pip ignore the wheels, as on a platform for which there is none.
#[test]
#[ignore = "slow: `make test-packages` runs it"]
fn pip_says_how_to_build_where_there_is_no_wheel() {
    let (clean, server) = (with_python(), index(Answer::Whole));
    let output = pip(&clean, &server).args(["--no-binary", "sqledge-ha", "sqledge-ha"]).output().unwrap();
    let text = text(&output);
    assert!(!output.status.success() && text.contains("there is no wheel of sqledge-ha for this platform"), "{text}");
    assert!(text.contains("cargo install --locked --no-default-features --git https://"), "{text}");
    assert!(!clean.path("env/bin/sqledge-ha").exists());
}

#[test]
#[ignore = "slow: `make test-packages` runs it"]
fn pre_commit_runs_the_hooks_without_rust() {
    let (clean, server) = (with_python(), index(Answer::Whole));
    must(pip(&clean, &server).arg("pre-commit"));
    let git = |folder: &str, arguments: &[&str]| {
        let mut git = clean.command("git");
        git.args(["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]);
        must(git.args(["-C", folder]).args(arguments))
    };
    for folder in ["hooks", "user"] {
        fs::create_dir(clean.path(folder)).unwrap();
        git(folder, &["init", "--quiet"]);
    }
    for file in [".pre-commit-hooks.yaml", "pyproject.toml"] {
        fs::copy(root().join(file), clean.path("hooks").join(file)).unwrap();
    }
    git("hooks", &["add", "."]);
    git("hooks", &["commit", "--quiet", "--message", "hooks"]);
    let reference = git("hooks", &["rev-parse", "HEAD"]);
    let configuration = format!(
        "repos:\n- repo: {}\n  rev: {reference}  hooks:\n  - id: sqledge-ha-lint\n  - id: sqledge-ha-fix\n",
        clean.path("hooks").display()
    );
    fs::write(clean.path("user/.pre-commit-config.yaml"), configuration).unwrap();
    fs::write(clean.path("user/sql.yaml"), text_of("e2e/examples/two-replicas-rolling.yaml")).unwrap();
    git("user", &["add", "."]);
    let mut run = clean.command(clean.path("env/bin/pre-commit"));
    run.args(["run", "--all-files"]).current_dir(clean.path("user"));
    let start = Instant::now();
    let output = run.env("PIP_INDEX_URL", format!("{}/simple", server.url())).output().unwrap();
    print_time("pre-commit", start);
    let text = text(&output);
    assert!(output.status.code() == Some(1) && text.contains("error[single-replica]: "), "{text}");
    let fixed = fs::read_to_string(clean.path("user/sql.yaml")).unwrap();
    assert!(text.contains("files were modified by this hook") && fixed.contains("type: Recreate"), "{text}{fixed}");
}
