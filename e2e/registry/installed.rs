//! The webhook's manifests with a module in a registry: the pod has all flags and files to pull it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use super::command::{User, login};
use super::server::{PASSWORD, Registry};
use crate::shared::objects;

/// A Secret with one key.
struct Secret<'s> {
    name: &'s str,
    key: &'s str,
    content: String,
}

/// A pod whose volumes are directories in the home directory of a user.
struct Pod {
    user: User,
    container: Value,
}

impl Pod {
    fn new(manifests: &str, secrets: &[Secret<'_>]) -> Self {
        let objects = objects(manifests);
        let of = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
        let pod = &of("Deployment")["spec"]["template"]["spec"];
        let container = pod["containers"][0].clone();
        let mut user = User::unknown();
        for mount in container["volumeMounts"].as_array().unwrap() {
            let folder = mount["mountPath"].as_str().unwrap().trim_start_matches('/');
            let volume = pod["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == mount["name"]);
            let volume = volume.unwrap();
            if volume["emptyDir"].is_object() {
                fs::create_dir_all(user.home().join(folder)).unwrap();
            } else if volume["configMap"].is_object() {
                let settings = of("ConfigMap")["data"]["settings.yaml"].as_str().unwrap();
                user = user.with_file(&format!("{folder}/settings.yaml"), settings);
            } else {
                let named = &volume["secret"]["secretName"];
                let secret = secrets.iter().find(|secret| *named == secret.name).unwrap();
                let [item] = &volume["secret"]["items"].as_array().unwrap()[..] else { panic!("one file") };
                assert_eq!(item["key"], secret.key);
                user = user.with_file(&format!("{folder}/{}", item["path"].as_str().unwrap()), &secret.content);
            }
        }
        Pod { user, container }
    }

    /// The path outside of the container.
    fn path(&self, path: &str) -> PathBuf {
        self.user.home().join(path.trim_start_matches('/'))
    }

    /// The arguments of the container, without a cluster and with free ports.
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = Vec::new();
        for argument in self.container["args"].as_array().unwrap() {
            let argument = argument.as_str().unwrap();
            match argument.split_once('=').unwrap_or((argument, "")) {
                ("--self-signed" | "--service" | "--webhook-configuration" | "--listen" | "--health-listen", _) => {}
                (flag, path) if path.starts_with('/') => {
                    arguments.push(format!("{flag}={}", self.path(path).display()));
                }
                _ => arguments.push(argument.to_owned()),
            }
        }
        let here = ["--insecure-http", "--listen=127.0.0.1:0", "--health-listen=127.0.0.1:0", "--no-cluster"];
        arguments.extend(here.map(str::to_owned));
        arguments
    }

    /// Starts the container and stops it when it listens. Returns whether the module was cached; `None` if the
    /// container failed.
    fn start(&self) -> Option<bool> {
        let arguments = self.arguments();
        let mut command = self.user.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        for variable in self.container["env"].as_array().unwrap() {
            command.env(variable["name"].as_str().unwrap(), self.path(variable["value"].as_str().unwrap()));
        }
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let (mut is_cached, mut listens) = (None, false);
        for line in BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok) {
            // The final error is not JSON.
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == "pulled the module" {
                is_cached = line["cached"].as_bool();
            }
            if line["message"] == "listening for reviews" {
                listens = true;
                break;
            }
        }
        let _ = process.kill();
        let _ = process.wait();
        is_cached.filter(|_| listens)
    }
}

#[test]
fn a_restarted_container_needs_no_registry_but_a_new_pod_does() {
    let mut registry = Registry::with_tls_and_password();
    let address = registry.address.to_string();
    let (user, authority) = (User::logged_in(&address), registry.ca_cert());
    let reference = registry.reference("team/policy:v1");
    let pushed = user.run(&["policy", "push", "--ca-cert", authority.to_str().unwrap(), &reference]);
    assert_eq!(pushed.code, 0, "{pushed:?}");
    let module = pushed.output.trim_end();
    let secrets = ["--registry-ca-secret=authority", "--registry-credentials-secret=login"];
    let printed = user.run(&[&["webhook", "manifests", "--module", module], &secrets[..]].concat());
    let secrets = [
        Secret { name: "authority", key: "ca.crt", content: fs::read_to_string(authority).unwrap() },
        Secret { name: "login", key: ".dockerconfigjson", content: login(&address, PASSWORD) },
    ];
    let pod = Pod::new(&printed.output, &secrets);
    assert_eq!(pod.start(), Some(false));
    registry.stop();
    assert_eq!(pod.start(), Some(true));
    assert_eq!(Pod::new(&printed.output, &secrets).start(), None);
}
