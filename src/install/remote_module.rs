//! A module that `sqledge-ha serve` pulls at start, in place of the one inside the image: what its container and its pod
//! need for that. The container's root is read-only, so that there is no other place to keep it than a volume.

use serde_json::{Value, json};

use crate::registry::MAX_MODULE_BYTES;

/// A module in a registry.
#[derive(Clone, Copy, Debug)]
pub struct RemoteModule<'a> {
    /// The reference as `--module` takes it: `registry://…`.
    pub reference: &'a str,
    /// The Secret whose `ca.crt` certifies an authority to trust beside those of the system.
    pub ca_secret: Option<&'a str>,
    /// The Secret of type `kubernetes.io/dockerconfigjson` that says who the webhook is to the registry.
    pub credentials_secret: Option<&'a str>,
}

/// The volume that keeps what was pulled, for as long as there is the pod.
pub(super) const CACHE: &str = "module-cache";
/// The volume that holds the certificate of the registry's authority.
pub(super) const CA: &str = "registry-ca";
/// The volume that holds the credentials for the registry.
pub(super) const CREDENTIALS: &str = "registry-credentials";

const CACHE_FOLDER: &str = "/var/cache/sqledge-ha";
const CA_FOLDER: &str = "/etc/sqledge-ha-registry-ca";
const CREDENTIALS_FOLDER: &str = "/etc/sqledge-ha-registry-credentials";

/// How long the cache may become, in MiB: room for four of the longest modules. Three of them are the one in use, the one
/// before, and the next. Nothing is taken out before the new module has turned out to work; if a tag names one broken
/// module after the other, the volume fills up and the kubelet replaces the pod.
const CACHE_MEBIBYTES: u64 = 4 * (MAX_MODULE_BYTES >> 20);

impl RemoteModule<'_> {
    /// The flags of `serve`.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![format!("--module={}", self.reference), format!("--module-cache={CACHE_FOLDER}")];
        arguments.extend(self.ca_secret.map(|_| format!("--registry-ca-cert={CA_FOLDER}/ca.crt")));
        arguments
    }

    /// The variables of the container, by which `serve` finds `config.json`.
    pub(super) fn environment(&self) -> Vec<Value> {
        let credentials =
            self.credentials_secret.map(|_| json!({"name": "DOCKER_CONFIG", "value": CREDENTIALS_FOLDER}));
        credentials.into_iter().collect()
    }

    /// The volumes of the pod.
    pub(super) fn volumes(&self) -> Vec<Value> {
        let cache = json!({"name": CACHE, "emptyDir": {"sizeLimit": format!("{CACHE_MEBIBYTES}Mi")}});
        // One file and not the whole Secret, which may hold the authority's key as well. Without it the pod does not
        // start, and an event says why.
        let file =
            |name: &str, key: &str, path: &str| json!({"secretName": name, "items": [{"key": key, "path": path}]});
        let ca = self.ca_secret.map(|name| json!({"name": CA, "secret": file(name, "ca.crt", "ca.crt")}));
        let credentials = self
            .credentials_secret
            .map(|name| json!({"name": CREDENTIALS, "secret": file(name, ".dockerconfigjson", "config.json")}));
        [Some(cache), ca, credentials].into_iter().flatten().collect()
    }

    /// Where the container has them.
    pub(super) fn mounts(&self) -> Vec<Value> {
        let read_only = |volume: &str, folder: &str| json!({"name": volume, "mountPath": folder, "readOnly": true});
        let cache = json!({"name": CACHE, "mountPath": CACHE_FOLDER});
        let ca = self.ca_secret.map(|_| read_only(CA, CA_FOLDER));
        let credentials = self.credentials_secret.map(|_| read_only(CREDENTIALS, CREDENTIALS_FOLDER));
        [Some(cache), ca, credentials].into_iter().flatten().collect()
    }
}
