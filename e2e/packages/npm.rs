//! The npm packages, published to and installed from Verdaccio.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::clean::Clean;
use super::server::{Answer, Server};
use super::{VERSION, must, packages, packages_with_the_program, print_time, registries};

const CONFIGURATION: &str = "storage: ./storage\nweb: {enable: false}\nauth: {}\nlog: {type: stdout, level: error}\n\
    packages: {'**': {access: $all, publish: $all}}\n";

/// A registry with the packages of a release.
struct Registry {
    process: Child,
    address: String,
}

impl Registry {
    fn new(clean: &Clean) -> Self {
        fs::write(clean.path("verdaccio.yaml"), CONFIGURATION).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut node = clean.command("node");
        node.arg(registries().join("node_modules/verdaccio/bin/verdaccio")).args(["--config", "verdaccio.yaml"]);
        let process = node.args(["--listen", &address]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let registry = Registry { process, address };
        let end = Instant::now() + Duration::from_secs(60);
        while get(&format!("http://{}/-/ping", registry.address)).is_none() {
            assert!(Instant::now() < end, "the registry does not start");
            thread::sleep(Duration::from_millis(100));
        }
        fs::write(clean.path(".npmrc"), format!("//{}/:_authToken=test\n", registry.address)).unwrap();
        let packages = packages_with_the_program();
        for entry in fs::read_dir(packages.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "tgz") {
                must(npm(clean, &registry.address).args(["publish", "--access", "public"]).arg(path));
            }
        }
        registry
    }

    /// The same registry, with the archive of `package` answered with `damage`.
    fn damaged(&self, package: &'static str, damage: fn(Vec<u8>) -> Answer) -> Server {
        let address = self.address.clone();
        Server::new(move |path| {
            let Some(bytes) = get(&format!("http://{address}{path}")) else { return Answer::Status(404) };
            if path.ends_with(".tgz") {
                let is_damaged = path.starts_with(&format!("/{package}/-/"));
                return if is_damaged { damage(bytes) } else { Answer::Whole(bytes) };
            }
            // The addresses of the archives, with npm's own name of the registry, lead back to this server.
            let text = String::from_utf8(bytes).unwrap();
            Answer::Whole(text.replace(&format!("http://{address}/"), "https://registry.npmjs.org/").into_bytes())
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The body of an answer with the status 200.
fn get(url: &str) -> Option<Vec<u8>> {
    let output = Command::new("curl").args(["--silent", "--fail", url]).output().unwrap();
    output.status.success().then_some(output.stdout)
}

fn npm(clean: &Clean, address: impl std::fmt::Display) -> Command {
    let mut npm = clean.command("npm");
    npm.args(["--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=0", "--prefix", "packages"]);
    npm.arg(format!("--registry=http://{address}/"));
    npm
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
#[ignore = "slow: `make test-packages` runs it"]
fn npm_installs_the_program() {
    let clean = Clean::new(&["node", "npm"]);
    let registry = Registry::new(&clean);
    let start = Instant::now();
    must(npm(&clean, &registry.address).args(["install", "sqledge-ha"]));
    let program = clean.path("packages/node_modules/.bin/sqledge-ha");
    let lint = clean.command(&program).args(["lint", "claim-beside-the-data.yaml"]).output().unwrap();
    print_time("npm", start);
    assert!(lint.status.code() == Some(1) && text(&lint).starts_with("error[persistent-data]: "), "{lint:?}");
    let version = must(clean.command(&program).arg("--version"));
    assert!(version.starts_with(&format!("sqledge-ha {VERSION}")), "{version}");
    let mut installed: Vec<String> = fs::read_dir(clean.path("packages/node_modules/@sqledge-ha"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    installed.sort();
    assert_eq!(installed, ["linux-x64"]);
    fs::remove_dir_all(clean.path("packages/node_modules/@sqledge-ha")).unwrap();
    let output = clean.command(&program).arg("rules").output().unwrap();
    let error = "error: the package @sqledge-ha/linux-x64 is not installed; install again without --omit=optional\n";
    assert!(output.status.code() == Some(2) && text(&output) == error, "{output:?}");
}

#[test]
#[ignore = "slow: `make test-packages` runs it"]
fn npm_installs_nothing_damaged() {
    let clean = Clean::new(&["node", "npm"]);
    let registry = Registry::new(&clean);
    for (damage, message) in [
        ((|_| Answer::Status(403)) as fn(Vec<u8>) -> Answer, "403"),
        (|bytes| Answer::Whole([bytes, vec![0]].concat()), "EINTEGRITY"),
        (Answer::Half, "npm error"),
    ] {
        let server = registry.damaged("sqledge-ha", damage);
        let output = npm(&clean, server.address).args(["install", "--cache", "cache", "sqledge-ha"]).output().unwrap();
        assert!(!output.status.success() && text(&output).contains(message), "{message}: {}", text(&output));
        assert!(!clean.path("packages/node_modules/sqledge-ha").exists(), "{message}");
        fs::remove_dir_all(clean.path("cache")).unwrap();
    }
}

#[test]
#[ignore = "needs Python: `make test-packages` runs it"]
fn launcher_says_how_to_build_on_other_platforms() {
    let packages = packages();
    let archive = packages.path().join(format!("sqledge-ha-{VERSION}.tgz"));
    must(Command::new("tar").arg("-xzf").arg(archive).current_dir(packages.path()));
    let other = "Object.defineProperty(process, 'arch', { value: 'riscv64' }); require('./package/launcher.js');";
    let output = Command::new("node").args(["--eval", other]).current_dir(packages.path()).output().unwrap();
    let start = format!("error: there is no program for {}-riscv64, only for linux-x64, linux-arm64, ", "linux");
    let text = text(&output);
    assert!(output.status.code() == Some(2) && text.starts_with(&start), "{text}");
    assert!(text.contains("`cargo install --locked --no-default-features --git https://"), "{text}");
}
