//! The container image: its content, and that it runs without privileges.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::install::as_deployed::ports;
use crate::shared::{root, sha256, text_of};

fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A file in place of the program.
fn stand_in() -> PathBuf {
    root().join("e2e/demo.sh")
}

/// A file in place of the CA certificates.
fn ca_certificates() -> PathBuf {
    root().join("LICENSE")
}

/// Builds an image layout.
fn layout(folder: &Path, architectures: &[&str]) {
    let program = |architecture: &&str| format!("{architecture}={}", stand_in().display());
    let mut command = Command::new("sh");
    command.arg(root().join("e2e/image/layout.sh")).arg(folder).args(architectures.iter().map(program));
    output_of(command.env_remove("SOURCE_DATE_EPOCH").env_remove("REVISION").env("CA_CERTIFICATES", ca_certificates()));
}

/// The fields of the specification: opencontainers/image-spec v1.1.1,
/// `image-layout.md`, `image-index.md`, `manifest.md`, `config.md`, `descriptor.md`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Index {
    schema_version: u8,
    media_type: String,
    manifests: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    schema_version: u8,
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Descriptor {
    media_type: String,
    digest: String,
    size: usize,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    created: String,
    architecture: String,
    os: String,
    config: Execution,
    rootfs: RootFs,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Execution {
    user: String,
    entrypoint: Vec<String>,
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RootFs {
    #[serde(rename = "type")]
    kind: String,
    diff_ids: Vec<String>,
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}

/// An image with one layer.
struct Image {
    layer: PathBuf,
    config: Config,
}

/// Path and content of a blob, whose size and digest are checked.
fn blob(folder: &Path, descriptor: &Descriptor, media_type: &str) -> (PathBuf, Vec<u8>) {
    assert_eq!(descriptor.media_type, format!("application/vnd.oci.image.{media_type}"));
    let path = folder.join("blobs/sha256").join(descriptor.digest.strip_prefix("sha256:").unwrap());
    let bytes = fs::read(&path).unwrap();
    assert_eq!((descriptor.size, &descriptor.digest), (bytes.len(), &digest(&bytes)));
    (path, bytes)
}

fn parse<T: DeserializeOwned>(folder: &Path, descriptor: &Descriptor, media_type: &str) -> T {
    serde_json::from_slice(&blob(folder, descriptor, media_type).1).unwrap()
}

/// The images of a layout, by architecture.
fn images(folder: &Path) -> BTreeMap<String, Image> {
    assert_eq!(fs::read_to_string(folder.join("oci-layout")).unwrap(), r#"{"imageLayoutVersion":"1.0.0"}"#);
    let top: Index = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let [named] = &top.manifests[..] else { panic!("one entry") };
    let tag = concat!("v", env!("CARGO_PKG_VERSION"));
    assert_eq!(named.annotations, BTreeMap::from([("org.opencontainers.image.ref.name".to_owned(), tag.to_owned())]));
    let index: Index = parse(folder, named, "index.v1+json");
    for index in [&top, &index] {
        assert_eq!((index.schema_version, index.media_type.as_str()), (2, "application/vnd.oci.image.index.v1+json"));
    }
    let images = index.manifests.iter().map(|descriptor| {
        let platform = descriptor.platform.as_ref().unwrap();
        let image = image(folder, descriptor);
        assert_eq!((&image.config.architecture, &image.config.os), (&platform.architecture, &platform.os));
        assert_eq!(image.config.config.labels, index.annotations);
        (platform.architecture.clone(), image)
    });
    images.collect()
}

fn image(folder: &Path, descriptor: &Descriptor) -> Image {
    let manifest: Manifest = parse(folder, descriptor, "manifest.v1+json");
    assert_eq!((manifest.schema_version, &manifest.media_type), (2, &descriptor.media_type));
    let config: Config = parse(folder, &manifest.config, "config.v1+json");
    assert_eq!(config.config.labels, manifest.annotations);
    let [layer] = &manifest.layers[..] else { panic!("one layer") };
    let (layer, _) = blob(folder, layer, "layer.v1.tar+gzip");
    let unpacked = Command::new("gzip").args(["-dc"]).arg(&layer).output().unwrap();
    assert_eq!((config.rootfs.kind.as_str(), &config.rootfs.diff_ids), ("layers", &vec![digest(&unpacked.stdout)]));
    Image { layer, config }
}

#[test]
fn the_image_contains_the_program_the_license_and_ca_certificates_only() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path().join("image");
    layout(&folder, &["amd64", "arm64"]);
    let images = images(&folder);
    assert_eq!(images.keys().collect::<Vec<_>>(), ["amd64", "arm64"]);
    for image in images.values() {
        let listed =
            output_of(Command::new("tar").env("TZ", "UTC").args(["--numeric-owner", "-tvf"]).arg(&image.layer));
        let files: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
        let sizes = [root().join("LICENSE"), ca_certificates(), stand_in()];
        let sizes = sizes.map(|path| fs::metadata(path).unwrap().len().to_string());
        assert_eq!(
            files,
            [
                ["-r--r--r--", "0/0", &sizes[0], "1970-01-01", "00:00", "LICENSE"],
                ["-r--r--r--", "0/0", &sizes[1], "1970-01-01", "00:00", "etc/ssl/certs/ca-certificates.crt"],
                ["-r-xr-xr-x", "0/0", &sizes[2], "1970-01-01", "00:00", "sqledge-ha"]
            ]
        );
        let config = &image.config;
        assert_eq!((config.created.as_str(), config.os.as_str()), ("1970-01-01T00:00:00Z", "linux"));
        assert_eq!(
            (config.config.user.as_str(), &config.config.entrypoint[..]),
            ("65532:65532", &["/sqledge-ha".to_owned()][..])
        );
        assert_eq!(config.config.labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn the_same_program_gives_the_same_image() {
    let folder = TempDir::new().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    layout(&one, &["amd64"]);
    // An existing layout is replaced.
    layout(&other, &["amd64", "arm64"]);
    layout(&other, &["amd64"]);
    output_of(Command::new("diff").arg("-r").arg(&one).arg(&other));
}

#[test]
fn a_directory_that_is_not_an_image_is_not_replaced() {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new("sh");
    let output =
        command.arg(root().join("e2e/image/layout.sh")).arg(folder.path()).arg("amd64=/bin/sh").output().unwrap();
    assert!(!output.status.success() && folder.path().is_dir());
}

#[test]
fn the_image_has_the_commit_of_its_program_as_a_label() {
    let folder = TempDir::new().unwrap();
    let [unknown, known] = ["unknown", "known"].map(|name| folder.path().join(name));
    layout(&unknown, &["amd64"]);
    let mut command = Command::new("sh");
    command.arg(root().join("e2e/image/layout.sh")).arg(&known).arg(format!("amd64={}", stand_in().display()));
    output_of(command.env("CA_CERTIFICATES", ca_certificates()).env("REVISION", "0123abcd"));
    let revision =
        |folder: &Path| images(folder)["amd64"].config.config.labels.get("org.opencontainers.image.revision").cloned();
    assert_eq!((revision(&unknown), revision(&known)), (None, Some("0123abcd".to_owned())));
}

#[test]
fn the_containerfile_builds_the_same_image() {
    let containerfile = text_of("Containerfile");
    let (build, last_stage) = containerfile.split_once("FROM scratch\n").unwrap();
    // The variable of the build script must be set before cargo runs.
    let (before, after) = build.split_once("\nARG SQLEDGE_HA_COMMIT\n").unwrap();
    assert!(before.contains("\nFROM ") && after.contains("\nRUN cargo build "), "{build}");
    let lines: Vec<&str> = last_stage.lines().collect();
    assert_eq!(
        lines,
        [
            "COPY --from=build /source/target/release/sqledge-ha /sqledge-ha",
            "COPY --from=build /source/LICENSE /LICENSE",
            "# CA certificates, to pull a module from a registry.",
            "COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
            "USER 65532:65532",
            r#"ENTRYPOINT ["/sqledge-ha"]"#
        ]
    );
}

/// The image of `make image` for this machine, unpacked.
struct Unpacked(TempDir);

impl Unpacked {
    fn new() -> Self {
        let folder =
            std::env::var_os("SQLEDGE_HA_IMAGE").expect("SQLEDGE_HA_IMAGE names the image: run \"make test-image\"");
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let image = images(Path::new(&folder)).remove(architecture).expect("there is an image for this machine");
        let root = TempDir::new().unwrap();
        output_of(
            Command::new("tar").arg("--extract").arg("--file").arg(&image.layer).arg("--directory").arg(root.path()),
        );
        // The user of the image must be able to read the directory.
        fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let there = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(there.collect::<BTreeSet<_>>(), ["LICENSE", "etc", "sqledge-ha"].map(Into::into).into());
        Unpacked(root)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.arg(root().join("e2e/image/sandbox.sh")).arg(self.0.path()).arg("/sqledge-ha").args(arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }
}

/// A process that is killed at the end of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn answer(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
#[ignore = "needs a static program: run `make test-image`"]
fn the_program_runs_in_the_image() {
    let version = output_of(&mut Unpacked::new().command(&["--version"]));
    assert!(version.starts_with(concat!("sqledge-ha ", env!("CARGO_PKG_VERSION"))), "{version}");
}

#[test]
#[ignore = "needs a static program: run `make test-image`"]
fn the_webhook_runs_in_the_image_without_privileges() {
    let image = Unpacked::new();
    let flags = ["serve", "--insecure-http", "--no-cluster", "--listen=127.0.0.1:0", "--health-listen=127.0.0.1:0"];
    let mut command = image.command(&[&flags[..], &["--log-format=json"]].concat());
    let mut webhook = Running(command.stderr(Stdio::piped()).spawn().unwrap());
    let [reviews, probes] = ports(&mut webhook.0);

    let status = fs::read_to_string(format!("/proc/{}/status", webhook.0.id())).unwrap();
    for set in ["CapPrm", "CapEff", "CapAmb"] {
        assert!(status.contains(&format!("{set}:\t0000000000000000\n")), "{status}");
    }
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", webhook.0.id())).unwrap();
    assert!(mounts.lines().all(|mount| mount.split(' ').nth(5).unwrap().starts_with("ro")), "{mounts}");

    let alive = answer(probes, "GET /livez HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n");
    assert!(alive.starts_with("HTTP/1.1 200"), "{alive}");
    let review = text_of("e2e/examples/deployment-review.json");
    let request = format!(
        "POST /mutate HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{review}",
        review.len()
    );
    let answer = answer(reviews, &request);
    let answer: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((&answer["response"]["allowed"], &answer["response"]["patchType"]), (&json!(true), &json!("JSONPatch")));
}
