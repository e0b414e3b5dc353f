//! A module that `sqledge-ha serve` pulls at start instead of using the one in the image: the flags and volumes of the
//! pod. The module is cached on a volume, because the root file system of the container is read-only.

use serde_json::{Value, json};

use crate::registry::MAX_MODULE_BYTES;

/// A module in a registry.
#[derive(Clone, Copy, Debug)]
pub struct RemoteModule<'a> {
    /// The value of `--module`: `registry://…`.
    pub reference: &'a str,
    /// A Secret with a CA certificate, `ca.crt`, to trust in addition to the system's.
    pub ca_secret: Option<&'a str>,
    /// A Secret of type `kubernetes.io/dockerconfigjson` with a login for the registry.
    pub credentials_secret: Option<&'a str>,
}

const CACHE: &str = "module-cache";
const CA: &str = "registry-ca";
const CREDENTIALS: &str = "registry-credentials";

const CACHE_DIRECTORY: &str = "/var/cache/sqledge-ha";
const CA_DIRECTORY: &str = "/etc/sqledge-ha-registry-ca";
const CREDENTIALS_DIRECTORY: &str = "/etc/sqledge-ha-registry-credentials";

/// The maximum size of the cache, in MiB: three modules of the maximum size. The current module stays until the next
/// one works. If a tag names one broken module after the other, the volume fills up and the kubelet evicts the pod.
const CACHE_MEBIBYTES: u64 = 3 * (MAX_MODULE_BYTES >> 20);

impl RemoteModule<'_> {
    /// The flags of `serve`.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![format!("--module={}", self.reference), format!("--module-cache={CACHE_DIRECTORY}")];
        arguments.extend(self.ca_secret.map(|_| format!("--registry-ca-cert={CA_DIRECTORY}/ca.crt")));
        arguments
    }

    /// The environment variable by which `serve` finds `config.json`.
    pub(super) fn environment(&self) -> Vec<Value> {
        let credentials =
            self.credentials_secret.map(|_| json!({"name": "DOCKER_CONFIG", "value": CREDENTIALS_DIRECTORY}));
        credentials.into_iter().collect()
    }

    /// The volumes of the pod.
    pub(super) fn volumes(&self) -> Vec<Value> {
        let cache = json!({"name": CACHE, "emptyDir": {"sizeLimit": format!("{CACHE_MEBIBYTES}Mi")}});
        // Mount only one key: the Secret may also contain the private key of the authority.
        let file =
            |name: &str, key: &str, path: &str| json!({"secretName": name, "items": [{"key": key, "path": path}]});
        let ca = self.ca_secret.map(|name| json!({"name": CA, "secret": file(name, "ca.crt", "ca.crt")}));
        let credentials = self
            .credentials_secret
            .map(|name| json!({"name": CREDENTIALS, "secret": file(name, ".dockerconfigjson", "config.json")}));
        [Some(cache), ca, credentials].into_iter().flatten().collect()
    }

    /// The mounts of the container.
    pub(super) fn mounts(&self) -> Vec<Value> {
        let read_only = |volume: &str, path: &str| json!({"name": volume, "mountPath": path, "readOnly": true});
        let cache = json!({"name": CACHE, "mountPath": CACHE_DIRECTORY});
        let ca = self.ca_secret.map(|_| read_only(CA, CA_DIRECTORY));
        let credentials = self.credentials_secret.map(|_| read_only(CREDENTIALS, CREDENTIALS_DIRECTORY));
        [Some(cache), ca, credentials].into_iter().flatten().collect()
    }
}
